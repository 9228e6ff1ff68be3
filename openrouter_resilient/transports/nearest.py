"""Which recorded request is the nearest to one that is not there, and how they differ.

A difference never shows a prompt: of a text it says where it begins to differ. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from openrouter_resilient.transports.lesson import Entry, Place

ABSENT = object()
SHOWN = ("model", "models")  # texts that are names and no prompt


def nearest(entries: Sequence[Entry], place: Place, asked: object) -> Entry:
    """The entry with the most in common; the first of them where several have."""
    return max(entries, key=lambda entry: (entry.place == place, _likeness(entry.body, asked)))


def differences(entry: Entry, place: Place, asked: object) -> list[str]:
    """What is not the same, in words without a prompt."""
    elsewhere = [] if entry.place == place else [f"it went to {entry.place.endpoint}"]
    there, here = dict(_leaves(entry.body)), dict(_leaves(asked))
    names = dict.fromkeys([*here, *there])
    unlike = [name for name in names if there.get(name, ABSENT) != here.get(name, ABSENT)]
    return elsewhere + [
        _difference(name, there.get(name, ABSENT), here.get(name, ABSENT)) for name in unlike
    ]


def _likeness(recorded: object, asked: object) -> float:
    there, here = dict(_leaves(recorded)), dict(_leaves(asked))
    names = {*there, *here}
    return sum(_alike(there.get(name), here.get(name)) for name in names) / max(1, len(names))


def _alike(one: Any, other: Any) -> float:
    if one == other:
        return 1.0
    if isinstance(one, str) and isinstance(other, str):
        return _in_common(one, other) / max(len(one), len(other))
    return 0.0


def _in_common(one: str, other: str) -> int:
    """How many characters at their beginnings are the same."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a body by their paths, such as `messages[0].content`."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list) and value:
        for place, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{place}]")
    else:
        yield path or "the body", value


def _difference(name: str, there: Any, here: Any) -> str:
    if there is ABSENT:
        return f"{name} is only asked now"
    if here is ABSENT:
        return f"{name} was only asked then"
    named = name.split("[", maxsplit=1)[0] in SHOWN
    if isinstance(there, str) and isinstance(here, str) and not named:
        return f"{name} differs from character {_in_common(there, here) + 1} on"
    return f"{name} was {_value(there, named=named)}, is {_value(here, named=named)}"


def _value(value: Any, *, named: bool) -> str:
    return "a text" if isinstance(value, str) and not named else repr(value)
