"""Answers from a recording: no key, no network, streams in their original pieces."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from requests.structures import CaseInsensitiveDict

from openrouter_resilient.errors import ConfigurationError, NotRecorded
from openrouter_resilient.routing.faults import Broken, Fault, Kind
from openrouter_resilient.transports.lesson import (
    LEFT,
    Entry,
    Lesson,
    Place,
    Places,
    read_body,
    read_lesson,
)
from openrouter_resilient.transports.nearest import differences, nearest
from openrouter_resilient.wire.clock import Clock
from openrouter_resilient.wire.exchange import Reply

MOST_DIFFERENCES = 5  # named in a message; a reader has seen enough by then


@dataclass(frozen=True)
class Replay:
    """A recording to answer from.

    Attributes:
        path: the file that `Client(record=…)` made.
        pace: 0 answers at once, 1 in the time it took, 0.5 in half of it.
    """

    path: str | Path
    pace: float = 0.0

    def __post_init__(self) -> None:
        """Check the pace.

        Raises:
            ConfigurationError: it is no number, or negative.
        """
        if not 0 <= self.pace < float("inf"):
            raise ConfigurationError(f"pace must be 0 (at once) or more, not {self.pace}")


class ReplayTransport:
    """A transport that only reads a file. Thread-safe.

    Attributes:
        replayed: true; `served` says so.
        endpoints: the names of those that could be asked when it was recorded.
    """

    replayed = True

    def __init__(self, replay: Replay, places: Places, clock: Clock) -> None:
        """Read the file.

        Raises:
            ConfigurationError: it is not there, or is no recording.
        """
        lesson: Lesson = read_lesson(Path(replay.path))
        self.endpoints = lesson.endpoints
        self._replay = replay
        self._places = places
        self._clock = clock
        self._entries = lesson.entries
        self._turns: dict[int, int] = {}  # by the first line of a request: how often it was asked
        self._lock = threading.Lock()

    def get(self, url: str, headers: Mapping[str, str], *, until: float) -> Reply:  # noqa: ARG002
        """There is nobody to ask for a page; see `Transport.get`.

        Raises:
            NotRecorded: the only page that a client asks for is not kept.
        """
        raise NotRecorded(
            f"{self._replay.path} has no list of models: a recording keeps calls, and no lists. "
            "Ask a client that replays nothing"
        )

    def post(self, url: str, headers: Mapping[str, str], body: bytes, *, until: float) -> Reply:  # noqa: ARG002
        """Answer as it was answered; see `Transport.post`.

        Raises:
            NotRecorded: the file has no answer to this request.
        """
        began = self._clock.now()
        entry = self._next(self._places.of(url), body)
        timing = _Timing(self._clock, began, self._replay.pace)
        timing.wait(entry.head_seconds, until)
        if entry.status is None:
            raise Broken(entry.end if isinstance(entry.end, Fault) else Fault(Kind.RESET))
        return _Replayed(entry, timing)

    def renew(self) -> None:
        """Begin anew in a forked child."""
        self._lock = threading.Lock()

    def close(self) -> None:
        """Nothing is open."""

    def _next(self, place: Place, body: bytes) -> Entry:
        """The answers to one request in their order, then the last again."""
        asked = read_body(body)
        fitting = [e for e in self._entries if e.place == place and e.body == asked]
        if not fitting:
            raise self._missing(place, asked)
        with self._lock:
            turn = self._turns.get(fitting[0].line, 0)
            self._turns[fitting[0].line] = turn + 1
        return fitting[min(turn, len(fitting) - 1)]

    def _missing(self, place: Place, asked: object) -> NotRecorded:
        near = nearest(self._entries, place, asked)
        found = differences(near, place, asked)
        more = f"; and {len(found) - MOST_DIFFERENCES} more" * (len(found) > MOST_DIFFERENCES)
        error = NotRecorded(
            f"{self._replay.path} has no answer to this request to {place.endpoint}. The nearest, "
            f"on line {near.line}, is another: {'; '.join(found[:MOST_DIFFERENCES])}{more}. "
            "Ask as it was asked, or record it again with Client(record=…)"
        )
        error.line = near.line
        error.nearest = near.body if isinstance(near.body, dict) else None
        return error


@dataclass(frozen=True)
class _Timing:
    """When a recorded moment comes."""

    clock: Clock
    began: float
    pace: float

    def wait(self, seconds: float, until: float) -> None:
        """Wait for it if a pace was asked for.

        Raises:
            Broken: it comes after the limit.
        """
        if not self.pace:
            return
        moment = self.began + seconds * self.pace
        self.clock.sleep_until(min(moment, until))
        if moment > until:
            raise Broken(Fault(Kind.SILENT))


class _Replayed:
    """A recorded reply."""

    def __init__(self, entry: Entry, timing: _Timing) -> None:
        self.status = entry.status or 0
        self.headers: Mapping[str, str] = CaseInsensitiveDict(entry.headers)
        self._entry = entry
        self._timing = timing
        self._place = 0

    def read(self, until: float) -> bytes:
        pieces = self._entry.pieces
        if self._place == len(pieces):
            return self._end(until)
        piece = pieces[self._place]
        self._timing.wait(piece.seconds, until)
        self._place += 1
        return piece.data

    def close(self, *, keep: bool) -> None:
        """Nothing is open."""

    def _end(self, until: float) -> bytes:
        end = self._entry.end
        self._timing.wait(self._entry.end_seconds, until)
        if isinstance(end, Fault):
            raise Broken(end)
        if end == LEFT:
            raise Broken(Fault(Kind.TRUNCATED, "nobody read on when this was recorded"))
        return b""
