"""Keep keys out of what is told, should a server have echoed one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

from openrouter_resilient.routing.faults import Fault
from openrouter_resilient.routing.step import Reported

Told = TypeVar("Told", Fault, Reported)
INSTEAD = "[key]"
SHORTEST_KEY = 12  # a shorter one guards nothing ("ollama"), and may be a word of a true answer


def masked(told: Told, keys: Sequence[str]) -> Told:
    """The same without any of the keys, wherever a server has put it."""
    shown = repr(list(vars(told).values()))  # a third of what the repr of a dataclass takes
    found = [key for key in keys if len(key) >= SHORTEST_KEY and _is_in(shown, key[:SHORTEST_KEY])]
    if not found:
        return told
    values = {field.name: getattr(told, field.name) for field in fields(told)}
    return replace(told, **{name: _masked(value, found) for name, value in values.items()})


def _is_in(shown: str, beginning: str) -> bool:
    """Whether a repr shows it, which doubles a backslash and may put one before an apostrophe."""
    if beginning in shown:
        return True
    escaped = repr(f'"{beginning}')[2:-1]
    return escaped in shown or escaped.replace("\\'", "'") in shown


def _masked(value: Any, keys: Sequence[str]) -> Any:
    if isinstance(value, str):
        for key in keys:
            value = _without_beginning(value.replace(key, INSTEAD), key)
        return value
    if isinstance(value, dict):
        return {_masked(name, keys): _masked(part, keys) for name, part in value.items()}
    if isinstance(value, list):
        return [_masked(part, keys) for part in value]
    return value


def _without_beginning(text: str, key: str) -> str:
    """A text that was cut at its longest may end within a key."""
    for length in range(len(key) - 1, SHORTEST_KEY - 1, -1):
        if text.endswith(key[:length]):
            return text[:-length] + INSTEAD
    return text
