"""What processes tell each other of an endpoint: the words, and who carries them.

Shapes only; how words travel is the business of `health`. Instants are those of this process's
monotonic clock: whoever carries a word from elsewhere has translated it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from openrouter_resilient.routing.faults import Fault


@dataclass(frozen=True)
class Word:
    """What another process, or a probe, says of an endpoint.

    Attributes:
        up: whether it serves.
        since: the instant it came to be so.
        checked_at: the instant it was last seen to be so.
        reopens_at: the instant from which one call may try an endpoint that is down.
        expires_at: the instant from which the word counts for nothing.
        by: who says so.
        fault: the kind of fault; None if it serves.
        latency: seconds to the first token when it was last seen to serve; None if unknown.
    """

    up: bool
    since: float
    checked_at: float
    reopens_at: float
    expires_at: float
    by: str
    fault: str | None = None
    latency: float | None = None


@dataclass(frozen=True)
class Turn:
    """A breaker that opened, stayed open after a trial, or closed.

    Attributes:
        up: whether it closed.
        since: the instant at which it opened or closed.
        at: the instant of the outcome that decided it.
        reopens_at: the instant of the next trial; of no meaning if it closed.
        news: whether it was not so before.
        fault: what decided it; None for an answer.
        latency: seconds the answer took to its first token; None if it closed without one.
    """

    up: bool
    since: float
    at: float
    reopens_at: float
    news: bool
    fault: Fault | None
    latency: float | None


class SharedHealth(Protocol):
    """Health that processes share. No method keeps a call waiting for more than 50 ms."""

    def words(self) -> Mapping[str, Word]:
        """What others say, by endpoint; the same object as long as nothing new was read."""

    def tell(self, endpoint: str, turn: Turn | None) -> None:
        """Tell of a turn, or None, at the end of a trial; it also gives the trial back."""

    def grants(self, endpoint: str) -> bool:
        """Take the one trial that all processes share; False if another process has it."""

    def close(self) -> None:
        """Hold no connection until one is needed again."""
