"""Every fault by name: the one table the simulator plays from."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from .faults import body, connection, limits, pattern, status, stream, times

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .exchange import Option
    from .row import Row

FAMILIES = (connection, times, status, body, stream, limits, pattern)

CATALOGUE: dict[str, Row] = {row.name: row for family in FAMILIES for row in family.ROWS}


def find_row(name: str) -> Row:
    """Return a row, or raise ValueError that names the nearest one."""
    return CATALOGUE[known(name, CATALOGUE, "fault")]


def known(name: str, names: Iterable[str], what: str) -> str:
    """Return the name if it is one of them, else raise ValueError that names the nearest."""
    everything = list(names)
    if name in everything:
        return name
    near = difflib.get_close_matches(name, everything, n=1)  # what is far is no help
    hint = f"; did you mean {near[0]!r}?" if near else ""
    message = f"there is no {what} {name!r}{hint}"
    raise ValueError(message)


def checked_options(row: Row, given: Mapping[str, Option]) -> dict[str, Option]:
    """Fill in a row's defaults; raise ValueError for an option it does not have."""
    allowed = dict(row.options) | _wrapped_options(row, given)
    for name, option in given.items():
        known(name, allowed, f"option of {row.name!r} called")
        if isinstance(allowed[name], str) != isinstance(option, str):
            message = f"option {name!r} of {row.name!r} is like {allowed[name]!r}, not {option!r}"
            raise ValueError(message)
    return allowed | dict(given)


def _wrapped_options(row: Row, given: Mapping[str, Option]) -> dict[str, Option]:
    """Return the options of the faults that a pattern plays."""
    wrapped: dict[str, Option] = {}
    for name, default in row.options.items():
        if name == "fault" or name.endswith("_fault"):
            inner = find_row(str(given.get(name, default)))
            if inner.when == "port" or inner.family == "pattern":
                message = f"a pattern cannot play {inner.name!r}: it needs one that plays a request"
                raise ValueError(message)
            wrapped |= inner.options
    return wrapped
