"""JSON from a body or an event, and why it is none. No I/O."""

from __future__ import annotations

import json
import re
from typing import Any

from openrouter_resilient.routing.faults import Broken, Fault, Kind


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


DECODER = json.JSONDecoder(parse_constant=_no_constant)  # `json.loads` would make one for each text
LAST_WORD = re.compile(r"[\w\\.+-]{0,8}")  # where a text was cut within true, -1.5e3 or \u00fc


def parse_body(text: bytes | bytearray) -> dict[str, Any]:
    """The object that a whole body is.

    Raises:
        Broken: it is none; TRUNCATED where it would be, had it gone on.
    """
    try:
        return _object(text.decode(), "the body")
    except UnicodeDecodeError:
        raise Broken(Fault(Kind.UNREADABLE, "the body is not UTF-8")) from None
    except json.JSONDecodeError as error:
        if _cut_off(error):
            raise Broken(Fault(Kind.TRUNCATED, "the body ends within its JSON")) from None
        raise Broken(Fault(Kind.UNREADABLE, "the body is not JSON")) from None


def parse_event(payload: str, *, at_end: bool) -> dict[str, Any]:
    """The object that an event is.

    Raises:
        Broken: it is none; TRUNCATED for the last one of a stream that broke off.
    """
    try:
        return _object(payload, "an event")
    except json.JSONDecodeError:
        if at_end:
            raise Broken(Fault(Kind.TRUNCATED, "the stream ends within an event")) from None
        raise Broken(Fault(Kind.UNREADABLE, "an event is not JSON")) from None


def parse_error(body: bytes) -> object:
    """An error body as JSON, or as text."""
    text = body.removeprefix(b"\xef\xbb\xbf").decode(errors="replace").strip()
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _object(text: str, what: str) -> dict[str, Any]:
    try:
        parsed = DECODER.decode(text)
    except json.JSONDecodeError:
        raise
    except (ValueError, RecursionError):  # NaN, a number of 5,000 digits, 100,000 brackets
        raise Broken(Fault(Kind.UNREADABLE, f"{what} holds what nobody can read")) from None
    if not isinstance(parsed, dict):
        raise Broken(Fault(Kind.UNREADABLE, f"{what} is not an object"))
    return parsed


def _cut_off(error: json.JSONDecodeError) -> bool:
    """Whether the parser came as far as the text goes."""
    if error.msg.startswith(("Extra data", "Unterminated string")):
        return error.msg.startswith("Unterminated")
    return error.pos > 0 and LAST_WORD.fullmatch(error.doc, error.pos) is not None
