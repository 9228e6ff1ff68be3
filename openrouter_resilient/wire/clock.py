"""The clock that is real, and the one that is not. No other module asks for the time."""

from __future__ import annotations

import time
from typing import Protocol

monotonic = time.monotonic


class Clock(Protocol):
    """What a call needs of time; all in seconds."""

    def now(self) -> float:
        """The instant, on a clock that never goes back."""

    def wall(self) -> float:
        """The time of day, in seconds since 1970."""

    def sleep_until(self, instant: float) -> None:
        """Return at this instant, or at once if it has passed."""


class SystemClock:
    """The real one."""

    def now(self) -> float:
        """The instant, on a clock that never goes back."""
        return monotonic()

    def wall(self) -> float:
        """The time of day, in seconds since 1970."""
        return time.time()

    def sleep_until(self, instant: float) -> None:
        """Return at this instant, or at once if it has passed."""
        time.sleep(max(0.0, instant - monotonic()))


class VirtualClock:
    """One that stands still until it is told to move: tests and simulated years run on it."""

    def __init__(self, at: float = 1_000.0, wall: float = 1_760_000_000.0) -> None:
        """Begin at an instant, and at a time of day."""
        self._at = at
        self._wall_offset = wall - at

    def now(self) -> float:
        """The instant."""
        return self._at

    def wall(self) -> float:
        """The time of day, in seconds since 1970."""
        return self._at + self._wall_offset

    def sleep_until(self, instant: float) -> None:
        """Be there."""
        self._at = max(self._at, instant)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._at += seconds
