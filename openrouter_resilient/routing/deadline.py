"""When a call must be over."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Deadline:
    """The instant (monotonic clock) by which the whole call has returned or raised.

    Attributes:
        at: the instant, in seconds of the monotonic clock.
        seconds: how long the call was given; for messages only.
    """

    at: float
    seconds: float

    @classmethod
    def after(cls, seconds: float, now: float) -> Deadline:
        """The deadline of a call that starts `now` and may take `seconds`."""
        return cls(at=now + seconds, seconds=seconds)

    def remaining(self, now: float) -> float:
        """Seconds that are left; negative once it has passed."""
        return self.at - now
