"""What an answer of JSON is wrapped in: a code fence, or words around it.

Only wrapping is taken off. A piece of something that is broken or cut off is not what was meant.
"""

from __future__ import annotations

import json
import re
from typing import Any

FENCE = re.compile(r"```\w*[ \t]*\n(.*?)```", re.DOTALL)
BRACKET = re.compile(r"[{\[]")
BRACKET_OR_STRING = re.compile(r'[{}\[\]]|"(?:[^"\\]|\\.)*(?:"|\\?\Z)', re.DOTALL)
KEY_BEFORE = re.compile(r'"\s*:\s*\Z')
REST_OF_LINE = re.compile(r"[^\n]*")
LONGEST_KEY_END = 50  # characters that are looked at for the end of a key
MOST_BRACKETS = 200  # looked at: a text of nothing but brackets must not take the whole deadline


def candidates(text: str, *, cut: bool = False) -> list[Any]:
    """The JSON values that an answer may mean: all of it, what is fenced, what is among words.

    Args:
        text: the answer.
        cut: its end is missing; then nobody knows what else it would have held.
    """
    whole = _loaded(text)
    if cut:
        return [value for value in whole if not _may_go_on(value)]
    return whole or _fenced(text) or _embedded(text)


def _may_go_on(value: Any) -> bool:
    """Of a number nobody sees that a digit is missing."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _fenced(text: str) -> list[Any]:
    if BRACKET.match(text.lstrip()):  # the fence stands within something else
        return []
    return [value for block in FENCE.findall(text) for value in _loaded(block)]


def _loaded(text: str) -> list[Any]:
    """The value that a text is; none if it is no JSON."""
    try:
        return [json.loads(text)]
    except (ValueError, RecursionError):
        return []


def _embedded(text: str) -> list[Any]:
    """The objects and lists among the words of a text; none if one of them may be a piece."""
    found: list[Any] = []
    at = 0
    for _ in range(MOST_BRACKETS):
        opening = BRACKET.search(text, at)
        if opening is None:
            return found
        start = opening.start()
        values, end = _decoded(text, start)
        if end is None or _is_member(text, start):
            return []
        at = end
        found += [value for value in values if _is_meant(value, text, start, end)]
    return []


def _decoded(text: str, start: int) -> tuple[list[Any], int | None]:
    """The value that begins at a bracket, if one does, and where the bracket is closed."""
    try:
        value, end = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        return [], _closed(text, start)
    return [value], end


def _closed(text: str, start: int) -> int | None:
    """Where a bracket that is no JSON ends: what stands in it is a piece. None if it does not."""
    depth = 0
    for found in BRACKET_OR_STRING.finditer(text, start):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(found[0], 0)
        if depth == 0:
            return found.end()
    return None


def _is_member(text: str, start: int) -> bool:
    """Whether it stands behind a key, so that something around it is broken."""
    return KEY_BEFORE.search(text[max(0, start - LONGEST_KEY_END) : start]) is not None


def _is_meant(value: Any, text: str, start: int, end: int) -> bool:
    """Whether it is an answer; `[1]` and `{}` among the words of a line are of the words."""
    entries = value if isinstance(value, list) else [value]
    if any(isinstance(entry, dict) and entry for entry in entries):
        return True
    rest = REST_OF_LINE.match(text, end)
    before = text[text.rfind("\n", 0, start) + 1 : start]
    return not before.strip() and not (rest and rest[0].strip())
