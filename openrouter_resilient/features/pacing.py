"""How fast a batch may ask: everybody slows down together when a server says "too many requests".

No clock and no I/O: instants are arguments.
"""

from __future__ import annotations

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0  # where the server does not say how long to wait
LONGEST_WAIT_S = 120.0  # a server that asks for more is not waited for: a daily limit, say


class Pace:
    """Halves the number of requests under way at a 429, and lets it grow again with each answer."""

    def __init__(self, workers: int) -> None:
        """Begin at full speed.

        Args:
            workers: how many requests may be under way at most.
        """
        self.resume_at = float("-inf")
        self._most = workers
        self._width = float(workers)
        self._slowed_at = float("-inf")
        self._pause = FIRST_PAUSE_S

    @property
    def width(self) -> int:
        """How many requests may be under way now."""
        return max(1, int(self._width))

    def answered(self) -> None:
        """A call met no limit: one more may be under way after as many as now are."""
        self._width = min(float(self._most), self._width + 1.0 / self._width)
        self._pause = FIRST_PAUSE_S

    def slow_down(self, asked_at: float, now: float) -> None:
        """A call met a limit, whoever answered it in the end.

        Calls that were sent before the last slowing down say nothing new.
        """
        if asked_at >= self._slowed_at:
            self._width = max(1.0, self._width / 2)
            self._slowed_at = now

    def pause(self, now: float, wait: float | None) -> bool:
        """Nobody answered because of a limit: nobody asks for as long as the server wants.

        Returns:
            Whether it is worth asking again then.
        """
        if wait is not None and wait > LONGEST_WAIT_S:
            return False
        if now >= self.resume_at:
            self.resume_at = now + (self._pause if wait is None else wait)
            self._pause = min(2 * self._pause, LONGEST_PAUSE_S)
        return True
