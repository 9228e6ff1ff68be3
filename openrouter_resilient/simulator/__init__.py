"""Fake upstreams that answer like the real APIs and fail on cue.

    with Simulator() as simulator:
        simulator.play("openrouter", "cut_mid_stream", after=2)

Knows nothing of the client: users' own tests, the drill and our tests all run on it.
"""

from .catalogue import CATALOGUE
from .record import Answered, Received
from .row import Row
from .simulator import Simulator

__all__ = ["CATALOGUE", "Answered", "Received", "Row", "Simulator"]
