"""Answers that were given before: one flight a key, bounded by entries and by bytes.

A key is a digest of the whole request, so no prompt is kept; the answers are, in memory alone.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from cachetools import TLRUCache

from openrouter_resilient.call import Call
from openrouter_resilient.errors import CallFailed, RequestRefused, ResilientError, RoutesExhausted
from openrouter_resilient.forking import renew_in_forked_child
from openrouter_resilient.routing.step import Reason, Stop
from openrouter_resilient.served import AttemptRecord
from openrouter_resilient.shapes import Completion
from openrouter_resilient.telling import error_for
from openrouter_resilient.wire.clock import Clock

SHARED = (RoutesExhausted, RequestRefused)  # what holds for everybody who asked the same


@dataclass(frozen=True)
class Freshness:
    """How old an answer may be.

    Attributes:
        seconds: while it is as good as a new one.
        stale_seconds: how much longer it may be used when nobody answers.
    """

    seconds: float
    stale_seconds: float = 0.0


@dataclass(frozen=True)
class _Entry:
    """An answer as bytes: what it weighs is known, and each asker gets a copy of its own."""

    packed: bytes = field(repr=False)
    at: float
    until: float

    @property
    def size(self) -> int:
        return len(self.packed)


class _Flight:
    """A request that is under way for everybody who asks the same."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.entry: _Entry | None = None
        self.error: ResilientError | None = None


class Cache:
    """Thread-safe. What no longer fits goes, least recently used first."""

    def __init__(self, entries: int, size_bytes: int, clock: Clock) -> None:
        """Begin empty.

        Args:
            entries: how many answers are kept at most.
            size_bytes: how many bytes they may take together.
            clock: tells their age.
        """
        self._entries = entries
        self._clock = clock
        self._kept: TLRUCache[str, _Entry] = TLRUCache(
            size_bytes, ttu=lambda _key, entry, _now: entry.until, timer=clock.now,
            getsizeof=lambda entry: entry.size,
        )  # fmt: skip
        self.begin_anew()
        renew_in_forked_child(self)

    def begin_anew(self) -> None:
        """In a forked child: none of the parent's threads will ever come back."""
        self._lock = threading.Lock()
        self._flights: dict[str, _Flight] = {}

    def answer(self, call: Call, ask: Callable[[], Completion], fresh: Freshness) -> Completion:
        """The answer that is known, or that another thread is being given, or a new one.

        Args:
            call: the call, planned and not yet made.
            ask: makes it.
            fresh: how old the answer may be.

        Raises:
            ResilientError: what `ask` raises, and no expired answer may be used instead.
        """
        key = key_of(call)
        try:
            entry = self._look(key, fresh.seconds)
            if entry is None:
                return self._asked(call, key, ask, fresh)
            return self._copy(call, key, entry, fresh)
        except CallFailed as error:
            stale = self._look(key, fresh.seconds + fresh.stale_seconds)
            if stale is None:
                raise
            return self._copy(call, key, stale, fresh, error.history)

    def forget(self, copy: Completion) -> None:
        """Let go of the answer that this is a copy of; one that has come since stays."""
        key, at = copy._kept_as or ("", 0.0)
        with self._lock, suppress(KeyError):  # it may expire in between
            entry = self._kept.get(key)
            if entry and entry.at == at:
                del self._kept[key]

    def age(self, call: Call, seconds: float) -> float | None:
        """How old the answer is that this call would get; None if it would ask."""
        entry = self._look(key_of(call), seconds)
        return None if entry is None else self._clock.now() - entry.at

    def _asked(
        self, call: Call, key: str, ask: Callable[[], Completion], fresh: Freshness
    ) -> Completion:
        """Ask, or wait for the thread that does."""
        while True:
            with self._leading(key) as (flight, first):
                if first:
                    return self._fly(flight, key, ask, fresh)
            remaining = call.plan.deadline.remaining(self._clock.now())
            if not flight.over.wait(max(0.0, remaining)):
                raise error_for(Stop(Reason.DEADLINE), call.plan, ())
            if flight.entry is not None:
                return self._copy(call, key, flight.entry, fresh)
            if flight.error is not None:
                raise _copied(flight.error)
            # The first to ask ran out of its own time, or was interrupted: now it is another's turn

    @contextmanager
    def _leading(self, key: str) -> Iterator[tuple[_Flight, bool]]:
        """The flight of a key, and whether it is the caller's; then it is over at the end."""
        with self._lock:
            flight = self._flights.get(key)
            first = flight is None
            flight = flight or self._flights.setdefault(key, _Flight())
        try:
            yield flight, first
        finally:
            if first:
                with self._lock:
                    self._flights.pop(key, None)
                flight.over.set()

    def _fly(
        self, flight: _Flight, key: str, ask: Callable[[], Completion], fresh: Freshness
    ) -> Completion:
        try:
            completion = ask()
        except SHARED as error:
            flight.error = error
            raise
        now = self._clock.now()
        until = now + fresh.seconds + fresh.stale_seconds
        flight.entry = _Entry(pickle.dumps(completion), now, until)
        self._keep(key, flight.entry)
        return completion

    def _keep(self, key: str, entry: _Entry) -> None:
        if entry.size > self._kept.maxsize:
            return
        with self._lock:
            self._kept[key] = entry
            for _ in range(len(self._kept) - self._entries):
                self._kept.popitem()

    def _look(self, key: str, seconds: float) -> _Entry | None:
        """The answer that is known, if it is no older than this."""
        with self._lock:
            entry = self._kept.get(key)
        return entry if entry and self._clock.now() - entry.at <= seconds else None

    def _copy(
        self,
        call: Call,
        key: str,
        entry: _Entry,
        fresh: Freshness,
        attempts: tuple[AttemptRecord, ...] = (),
    ) -> Completion:
        """A copy of an answer, whose record says what became of this call."""
        completion: Completion = pickle.loads(entry.packed)  # noqa: S301  made here, never read
        now = self._clock.now()
        age = max(0.0, now - entry.at)
        completion._served = replace(
            completion.served, cached=True, stale=age > fresh.seconds, age_seconds=age,
            attempts=attempts, cost=0.0, seconds=now - call.started_at, first_token_seconds=None,
        )  # fmt: skip
        completion._kept_as = key, entry.at
        return completion


def key_of(call: Call) -> str:
    """A digest of all that an answer depends on: routes, messages, parameters.

    Raises:
        TypeError, ValueError: a parameter is nothing that could be sent.
    """
    routes = [str(route) for route in call.plan.routes]
    parts = [routes, call.request.messages, call.request.parameters]
    try:
        whole = json.dumps(parts, sort_keys=True)
    except RecursionError as error:
        raise ValueError("the request is nested too deeply to be written; not sent") from error
    return hashlib.sha256(whole.encode()).hexdigest()


def _copied(error: ResilientError) -> ResilientError:
    """The same error for another thread: a traceback belongs to one."""
    copy: ResilientError = pickle.loads(pickle.dumps(error))  # noqa: S301  as above
    return copy
