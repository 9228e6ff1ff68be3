"""Fake upstreams that answer like the real APIs and fail on cue.

    with Simulator() as simulator:
        simulator.play("openrouter", "cut_mid_stream", after=2)

Knows nothing of the client: users' own tests, the drill and our tests all run on it. Nothing is
imported before a name is first used, since pytest loads the plugin here in every project that has
this package installed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .catalogue import CATALOGUE
    from .record import Answered, Received
    from .row import Row
    from .simulator import Simulator

_HOMES = {
    "CATALOGUE": "catalogue",
    "Answered": "record",
    "Received": "record",
    "Row": "row",
    "Simulator": "simulator",
}

__all__ = ["CATALOGUE", "Answered", "Received", "Row", "Simulator"]


def __getattr__(name: str) -> object:
    """Load a public name when it is first used."""
    if name not in _HOMES:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    value: object = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
