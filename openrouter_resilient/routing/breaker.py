"""Remember which endpoints and routes are in trouble, and bound what an outage costs.

A breaker reorders routes and never refuses one. Time is an argument everywhere; the locks are held
for a few lines of arithmetic and never across I/O.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Mapping

from openrouter_resilient.routing.faults import Fault, Kind, Scope
from openrouter_resilient.routing.plan import Route
from openrouter_resilient.routing.shared import Turn, Word
from openrouter_resilient.routing.step import (
    LONGEST_QUICK_WAIT_S,
    Attempt,
    Health,
    Outcome,
    State,
)

IN_A_ROW = 3  # faults that open a breaker
WINDOW, WINDOW_S = 20, 60.0  # or half of the last 20 outcomes, within a minute
FIRST_COOLDOWN_S, LONGEST_COOLDOWN_S = 5.0, 20.0  # a recovered endpoint is back in use within 30 s
TRIAL_LEASE_S = 30.0  # a trial whose thread died must not lock the breaker for good
HELD_S = 1.0  # while another process has the trial; its word of how that ended is here by then
UNKNOWN_MODEL_S = 600.0  # how long a mistyped or retired id stands behind the other routes


class Breaker:
    """The circuit state of one endpoint or route. Not thread-safe: the board has the lock."""

    def __init__(self) -> None:
        """Begin closed."""
        self.not_before = 0.0
        self.shunned_until = 0.0
        self._recent: deque[tuple[float, bool]] = deque(maxlen=WINDOW)
        self._reset()

    def _reset(self) -> None:
        self._recent.clear()
        self._row = 0
        self._cooldown = FIRST_COOLDOWN_S
        self._opened_at: float | None = None
        self._reopens_at = 0.0
        self._tried_at = 0.0
        self._trial_until = 0.0
        self._lapses_at = float("inf")

    def health(self, now: float) -> Health:
        """What a call should know of it now."""
        if now < self.shunned_until:
            until = self.shunned_until  # asking again before tells nothing: behind all others
            return Health(State.OPEN, until, self.not_before, tried_at=until)
        if not self.is_open(now):
            return Health(State.CLOSED, 0.0, self.not_before)
        tried_at = max(self._tried_at, self._trial_until - TRIAL_LEASE_S)
        if now >= self._reopens_at and now >= self._trial_until:
            return Health(State.HALF_OPEN, self._reopens_at, self.not_before, tried_at)
        until = max(self._reopens_at, self._trial_until)
        return Health(State.OPEN, until, self.not_before, tried_at)

    def is_open(self, now: float) -> bool:
        """Whether it is open or half-open; a word that has lapsed opens nothing."""
        return self._opened_at is not None and now < self._lapses_at

    @property
    def opened(self) -> tuple[float, float]:
        """The instants at which it opened and at which it lets a trial through."""
        return self._opened_at or 0.0, self._reopens_at

    def begin_trial(self, now: float) -> bool:
        """Take the one trial that a half-open breaker allows; False if another call has it."""
        if self.health(now).state is not State.HALF_OPEN:
            return False
        self._trial_until = now + TRIAL_LEASE_S
        return True

    def end_trial(self, began_by: float = float("inf")) -> None:
        """Give the trial back, unless it is another that began after this instant."""
        if self._trial_until - TRIAL_LEASE_S <= began_by:
            self._trial_until = 0.0

    def hold(self, until: float) -> None:
        """Let no call try before this instant: another process is trying."""
        self._trial_until = max(self._trial_until, until)

    def heed(self, word: Word, now: float) -> None:
        """Be as another process says; a later failure of this process's own trial stands."""
        if word.up:
            self._reset()
            return
        known = self._reopens_at if self.is_open(now) else 0.0
        self._opened_at = word.since
        self._tried_at = max(self._tried_at, word.checked_at)
        self._reopens_at = max(known, word.reopens_at)
        self._lapses_at = word.expires_at

    def hurry(self, word: Word, now: float) -> None:
        """Let a trial through now if another process saw an answer after this breaker opened."""
        if self._opened_at is not None and word.up and word.checked_at > self._opened_at:
            self._reopens_at = min(self._reopens_at, now)

    def answered(self, started_at: float, now: float) -> None:
        """Record an answer. One that was asked for before the breaker opened is old news."""
        if self._opened_at is not None:
            if started_at >= self._opened_at:
                self._reset()
            return
        self._row = 0
        self._recent.append((now, True))

    def failed(self, started_at: float, now: float, *, trial: bool) -> None:
        """Record a fault; a failed trial opens the breaker again, for twice as long."""
        if self._opened_at is not None:
            if started_at < self._opened_at:
                return
            self._tried_at = now
            if trial:
                self._cooldown = min(2 * self._cooldown, LONGEST_COOLDOWN_S)
                self._open(now)
            return
        self._row += 1
        self._recent.append((now, False))
        if self._row >= IN_A_ROW or self._half_failed(now):
            self._open(now)

    def _open(self, now: float) -> None:
        self._opened_at = self._tried_at = now
        self._reopens_at = now + self._cooldown
        self._trial_until = 0.0

    def _half_failed(self, now: float) -> bool:
        recent = [ok for at, ok in self._recent if now - at <= WINDOW_S]
        return len(recent) == WINDOW and recent.count(False) * 2 >= WINDOW


class BreakerBoard:
    """Every breaker of a client: one an endpoint, and one a route for what is that route's alone.

    A fault that OpenRouter relays from an upstream provider says nothing of OpenRouter itself, so
    it counts against the route; all others count against the endpoint. What other processes say
    of an endpoint is one more breaker, which they open and close.
    """

    def __init__(self) -> None:
        """Begin with every breaker closed."""
        self._breakers: dict[str, Breaker] = {}
        self._heard: dict[str, Breaker] = {}
        self._last: dict[str, Outcome] = {}
        self._lock = threading.Lock()

    def health(self, route: Route, now: float) -> Health:
        """The worst of what is known of the route, of its endpoint, and of it elsewhere."""
        with self._lock:
            known = [self._breakers.get(route.endpoint), self._breakers.get(str(route))]
            if self._heard:
                known.append(self._heard.get(route.endpoint))
            healths = [breaker.health(now) for breaker in known if breaker is not None]
        if not healths:
            return _UNKNOWN
        return Health(
            state=max((health.state for health in healths), key=_BADNESS.index),
            reopens_at=max(health.reopens_at for health in healths),
            not_before=max(health.not_before for health in healths),
            tried_at=max(health.tried_at for health in healths),
        )

    def begin(self, attempt: Attempt, now: float) -> bool:
        """Take the trial if the attempt is one; False if another call was faster."""
        if not attempt.trial:
            return True
        with self._lock:
            breakers = self._all_locked(attempt.route)
            states = [breaker.health(now).state for breaker in breakers]
            if State.OPEN in states or State.HALF_OPEN not in states:
                return False
            for breaker in breakers:
                breaker.begin_trial(now)
            return True

    def hold(self, attempt: Attempt, now: float) -> None:
        """Give a trial back because another process has it."""
        with self._lock:
            for breaker in self._all_locked(attempt.route):
                breaker.end_trial()
                breaker.hold(now + HELD_S)

    def hear(self, words: Mapping[str, Word], now: float) -> None:
        """Learn what others say; of whom they no longer speak, nothing is known elsewhere."""
        with self._lock:
            for endpoint in [name for name in self._heard if name not in words]:
                del self._heard[endpoint]
            for endpoint, word in words.items():
                if endpoint in self._heard or not word.up:
                    self._heard.setdefault(endpoint, Breaker()).heed(word, now)
                if endpoint in self._breakers:
                    self._breakers[endpoint].hurry(word, now)

    def last(self, route: Route) -> Outcome | None:
        """The last outcome on a route; None if it was not asked."""
        with self._lock:
            return self._last.get(str(route))

    def opened_at(self, route: Route, now: float) -> float | None:
        """The instant since which this process itself has found it in trouble; None if not."""
        with self._lock:
            known = [self._breakers.get(route.endpoint), self._breakers.get(str(route))]
            opened = [b.opened[0] for b in known if b is not None and b.is_open(now)]
            return min(opened, default=None)

    def abandon(self, attempt: Attempt) -> None:
        """Give back what an attempt took that ended in no outcome (Ctrl-C)."""
        if attempt.trial:
            with self._lock:
                for breaker in self._all_locked(attempt.route):
                    breaker.end_trial()

    def record(self, outcome: Outcome) -> Turn | None:
        """Learn from an outcome; what others should know of it, if anything."""
        name, now = outcome.attempt.route.endpoint, outcome.ended_at
        with self._lock:
            self._last[str(outcome.attempt.route)] = outcome
            endpoint, route = self._pair(outcome.attempt.route)
            heard = self._heard.get(name)
            both = (endpoint,) if heard is None else (endpoint, heard)
            before = _standing(both, now)
            _learn(outcome, endpoint, route)
            if heard is not None and heard.is_open(now):
                _settle(outcome, heard)
            after = _standing(both, now)
        return None if before == after else _turn(outcome, before, after)

    def renew_lock(self) -> None:
        """Take a new lock: a forked child inherits one that nobody in it will ever release."""
        self._lock = threading.Lock()

    def _pair(self, route: Route) -> tuple[Breaker, Breaker]:
        return (
            self._breakers.setdefault(route.endpoint, Breaker()),
            self._breakers.setdefault(str(route), Breaker()),
        )

    def _all_locked(self, route: Route) -> tuple[Breaker, ...]:
        heard = self._heard.get(route.endpoint)
        return self._pair(route) if heard is None else (*self._pair(route), heard)


def _learn(outcome: Outcome, endpoint: Breaker, route: Breaker) -> None:
    """Let an endpoint's and a route's own breakers learn from an outcome."""
    fault, trial = outcome.fault, outcome.attempt.trial
    times = (outcome.started_at, outcome.ended_at)
    if fault is None:
        route.answered(*times)
        route.shunned_until = 0.0  # whatever it said before, the model is there
    if _shows_it_up(fault):
        endpoint.answered(*times)
    if fault is not None:
        alone = fault.relayed or fault.scope is Scope.MODEL  # it says nothing of other models
        blamed = route if alone else endpoint
        if fault.row.counts:
            blamed.failed(*times, trial=trial)
        if fault.kind is Kind.UNKNOWN_MODEL:
            route.shunned_until = outcome.ended_at + UNKNOWN_MODEL_S
        elif fault.retry_after is not None and fault.retry_after > LONGEST_QUICK_WAIT_S:
            blamed.not_before = max(blamed.not_before, outcome.ended_at + fault.retry_after)
    if trial:
        endpoint.end_trial(outcome.started_at)
        route.end_trial(outcome.started_at)


def _settle(outcome: Outcome, heard: Breaker) -> None:
    """Hold an outcome against what others said: an answer ends it, a failed trial prolongs it."""
    fault, trial = outcome.fault, outcome.attempt.trial
    if _shows_it_up(fault):
        heard.answered(outcome.started_at, outcome.ended_at)
    elif trial and fault is not None and fault.row.counts:
        heard.failed(outcome.started_at, outcome.ended_at, trial=True)
    if trial:
        heard.end_trial(outcome.started_at)


def _shows_it_up(fault: Fault | None) -> bool:
    """An answer does; and whoever says no, or that another is down, is up."""
    return fault is None or fault.relayed or fault.scope in (Scope.REQUEST, Scope.MODEL)


def _standing(breakers: Iterable[Breaker], now: float) -> tuple[tuple[float, float], ...]:
    """When each of those that are open opened, and when it lets a trial through."""
    return tuple(breaker.opened for breaker in breakers if breaker.is_open(now))


def _turn(
    outcome: Outcome,
    before: tuple[tuple[float, float], ...],
    after: tuple[tuple[float, float], ...],
) -> Turn | None:
    """What to tell of a change; None where one of two breakers closed and the other did not."""
    if after and not set(after) - set(before):
        return None
    first_token_at = outcome.reported.first_token_at
    return Turn(
        up=not after,
        since=min((at for at, _ in after), default=outcome.ended_at),
        at=outcome.ended_at,
        reopens_at=max((at for _, at in after), default=0.0),
        news=not before or not after,
        fault=outcome.fault,
        latency=None if first_token_at is None else first_token_at - outcome.started_at,
    )


class RetryBudget:
    """A token bucket that bounds how many extra attempts an outage may cost a process.

    Every call pays in a tenth of a token and an extra attempt takes a whole one, so a lasting
    outage costs at most 1.1 requests a call. A little comes back with time, for scripts that call
    seldom.
    """

    CAPACITY = 10.0
    A_CALL = 0.1
    A_SECOND = 0.1

    def __init__(self) -> None:
        """Begin full."""
        self._tokens = self.CAPACITY
        self._at: float | None = None
        self._lock = threading.Lock()

    def may_take(self, now: float) -> bool:
        """Whether a token is there; asking takes none."""
        with self._lock:
            self._refill_locked(now)
            return self._tokens >= 1.0

    def take(self, now: float) -> bool:
        """Take a token; False if another call took the last."""
        with self._lock:
            self._refill_locked(now)
            if self._tokens < 1.0:
                return False
            self._tokens -= 1.0
            return True

    def renew_lock(self) -> None:
        """Take a new lock, in a forked child."""
        self._lock = threading.Lock()

    def pay_in(self) -> None:
        """A call begins."""
        with self._lock:
            self._tokens = min(self.CAPACITY, self._tokens + self.A_CALL)

    def _refill_locked(self, now: float) -> None:
        passed = 0.0 if self._at is None else max(0.0, now - self._at)
        self._at = now
        self._tokens = min(self.CAPACITY, self._tokens + passed * self.A_SECOND)


_UNKNOWN = Health()
_BADNESS = (State.CLOSED, State.HALF_OPEN, State.OPEN)
