"""Other ways to the world, around the real one or in its place: chaos, recording, replay.

Each is a `Transport`, so that every policy above it is the real one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from openrouter_resilient.endpoints.table import Endpoint
from openrouter_resilient.errors import ConfigurationError
from openrouter_resilient.transports.lesson import Places
from openrouter_resilient.transports.replay import Replay, ReplayTransport
from openrouter_resilient.wire.clock import Clock
from openrouter_resilient.wire.transport import Transport

if TYPE_CHECKING:
    from openrouter_resilient.transports.chaos import Chaos

STAND_IN = "replayed"  # where a key is asked for and nothing is ever sent


def arrange(
    transport: Transport,
    endpoints: Mapping[str, Endpoint],
    clock: Clock,
    *,
    chaos: Chaos | None,
    record: str | Path | None,
    replay: str | Path | Replay | None,
) -> tuple[Transport, dict[str, Endpoint]]:
    """Put what a client was asked for around its transport, innermost first.

    Returns:
        The transport, and the endpoints: for a replay exactly those have keys that had some when it
        was recorded, so that the same routes are there.

    Raises:
        ConfigurationError: the file cannot be read or written, or two of them contradict.
    """
    if record is not None and replay is not None:
        raise ConfigurationError("a client either records or replays; give one of them")
    ready = dict(endpoints)
    if replay is not None:
        wanted = replay if isinstance(replay, Replay) else Replay(replay)
        player = ReplayTransport(wanted, Places(endpoints), clock)
        transport, ready = player, _with_stand_ins(endpoints, player.endpoints)
    if chaos is not None:
        from openrouter_resilient.transports.chaos import ChaosTransport  # noqa: PLC0415  rare

        transport = ChaosTransport(chaos, transport, clock)
    if record is not None:
        from openrouter_resilient.transports.recorder import Recorder  # noqa: PLC0415  rare

        transport = Recorder(Path(record), transport, Places(endpoints), clock)
    return transport, ready


def _with_stand_ins(
    endpoints: Mapping[str, Endpoint], recorded: frozenset[str]
) -> dict[str, Endpoint]:
    """No key of the user's own is needed, and none that is set changes the routes."""
    return {
        name: replace(row, key=STAND_IN if name in recorded else None)
        for name, row in endpoints.items()
    }
