"""What may become of one parameter on one route, and the rules that every API shares."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Put:
    """Send it, under this name and with this value."""

    name: str
    value: Any


@dataclass(frozen=True)
class Drop:
    """Leave it out; harmless, and said in the served record."""

    why: str


@dataclass(frozen=True)
class Exclude:
    """The answer would be wrong without it: this request does not go there."""

    why: str


@dataclass(frozen=True)
class Ask:
    """It can be asked for in words alone: enough for a caller who checks what comes back.

    For any other caller it excludes the route.
    """

    why: str
    words: str


Verdict = Put | Drop | Exclude | Ask
Rule = Callable[[str, Any, str], Verdict]  # (parameter, value, model) → verdict


class Untranslatable(Exception):
    """This request cannot be said in this dialect; the text is the reason."""


def keep(name: str, value: Any, model: str) -> Verdict:
    """Send it as it is."""
    return Put(name, value)


def drop(name: str, value: Any, model: str) -> Verdict:
    """Leave it out."""
    return Drop(f"{name} was dropped: this API has no such parameter")


def exclude(name: str, value: Any, model: str) -> Verdict:
    """Unless it is switched off, nothing else will do."""
    return Exclude(f"it cannot do {name}") if value else Drop(f"{name} was dropped")


def one(name: str, value: Any, model: str) -> Verdict:
    """Only a single answer can be had there."""
    return Put(name, 1) if value == 1 else Exclude(f"it gives one answer, not {name}={value}")


def in_words(value: Any) -> Ask | Exclude:
    """A response format that can only be asked for."""
    kind = value.get("type") if isinstance(value, dict) else None
    why = f"it cannot hold an answer to response_format {kind}"
    if kind == "json_object":
        return Ask(why, "Answer with one JSON object and nothing else.")
    if kind == "json_schema":
        wanted = value.get("json_schema")
        schema = wanted.get("schema") if isinstance(wanted, dict) else None
        return Ask(why, schema_in_words(schema or {}))
    return Exclude(why)


def schema_in_words(schema: Any) -> str:
    """Ask for JSON of a schema."""
    return (
        "Answer with JSON that fits this JSON Schema, and with nothing else: no code fence, no "
        f"words around it.\n{json.dumps(schema, ensure_ascii=False)}"
    )
