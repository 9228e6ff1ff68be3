"""Remember which endpoints and routes are in trouble, and bound what an outage costs.

A breaker reorders routes and never refuses one. Time is an argument everywhere; the locks are held
for a few lines of arithmetic and never across I/O.
"""

from __future__ import annotations

import threading
from collections import deque

from openrouter_resilient.routing.faults import Fault, Kind, Scope
from openrouter_resilient.routing.plan import Route
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
        self._trial_until = 0.0

    def health(self, now: float) -> Health:
        """What a call should know of it now."""
        if now < self.shunned_until:
            return Health(State.OPEN, self.shunned_until, self.not_before)
        if self._opened_at is None:
            return Health(State.CLOSED, 0.0, self.not_before)
        if now >= self._reopens_at and now >= self._trial_until:
            return Health(State.HALF_OPEN, self._reopens_at, self.not_before)
        return Health(State.OPEN, max(self._reopens_at, self._trial_until), self.not_before)

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
            if trial and started_at >= self._opened_at:
                self._cooldown = min(2 * self._cooldown, LONGEST_COOLDOWN_S)
                self._open(now)
            return
        self._row += 1
        self._recent.append((now, False))
        if self._row >= IN_A_ROW or self._half_failed(now):
            self._open(now)

    def _open(self, now: float) -> None:
        self._opened_at = now
        self._reopens_at = now + self._cooldown
        self._trial_until = 0.0

    def _half_failed(self, now: float) -> bool:
        recent = [ok for at, ok in self._recent if now - at <= WINDOW_S]
        return len(recent) == WINDOW and recent.count(False) * 2 >= WINDOW


class BreakerBoard:
    """Every breaker of a client: one an endpoint, and one a route for what is that route's alone.

    A fault that OpenRouter relays from an upstream provider says nothing of OpenRouter itself, so
    it counts against the route; all others count against the endpoint.
    """

    def __init__(self) -> None:
        """Begin with every breaker closed."""
        self._breakers: dict[str, Breaker] = {}
        self._lock = threading.Lock()

    def health(self, route: Route, now: float) -> Health:
        """The worse of what is known of the route and of its endpoint."""
        with self._lock:
            known = [self._breakers.get(route.endpoint), self._breakers.get(str(route))]
            healths = [breaker.health(now) for breaker in known if breaker is not None]
        if not healths:
            return _UNKNOWN
        return Health(
            state=max((health.state for health in healths), key=_BADNESS.index),
            reopens_at=max(health.reopens_at for health in healths),
            not_before=max(health.not_before for health in healths),
        )

    def begin(self, attempt: Attempt, now: float) -> bool:
        """Take the trial if the attempt is one; False if another call was faster."""
        if not attempt.trial:
            return True
        with self._lock:
            pair = self._pair(attempt.route)
            states = [breaker.health(now).state for breaker in pair]
            if State.OPEN in states or State.HALF_OPEN not in states:
                return False
            for breaker in pair:
                breaker.begin_trial(now)
            return True

    def abandon(self, attempt: Attempt) -> None:
        """Give back what an attempt took that ended in no outcome (Ctrl-C)."""
        if attempt.trial:
            with self._lock:
                for breaker in self._pair(attempt.route):
                    breaker.end_trial()

    def record(self, outcome: Outcome) -> None:
        """Learn from an outcome."""
        attempt, fault = outcome.attempt, outcome.fault
        times = (outcome.started_at, outcome.ended_at)
        with self._lock:
            endpoint, route = self._pair(attempt.route)
            if fault is None:
                endpoint.answered(*times)
                route.answered(*times)
                route.shunned_until = 0.0  # whatever it said before, the model is there
            elif fault.relayed or fault.scope in (Scope.REQUEST, Scope.MODEL):
                endpoint.answered(*times)  # whoever says no, or that another is down, is up
            if fault is not None and fault.row.counts:
                blamed = route if fault.relayed else endpoint
                blamed.failed(*times, trial=attempt.trial)
            if fault is not None:
                self._hold_locked(fault, endpoint, route, outcome.ended_at)
            if attempt.trial:
                endpoint.end_trial(outcome.started_at)
                route.end_trial(outcome.started_at)

    def renew_lock(self) -> None:
        """Take a new lock: a forked child inherits one that nobody in it will ever release."""
        self._lock = threading.Lock()

    def _hold_locked(self, fault: Fault, endpoint: Breaker, route: Breaker, now: float) -> None:
        """Stay away for as long as the server asked, or from a model that does not exist."""
        if fault.kind is Kind.UNKNOWN_MODEL:
            route.shunned_until = now + UNKNOWN_MODEL_S
        elif fault.retry_after is not None and fault.retry_after > LONGEST_QUICK_WAIT_S:
            held = route if fault.relayed else endpoint
            held.not_before = max(held.not_before, now + fault.retry_after)

    def _pair(self, route: Route) -> tuple[Breaker, Breaker]:
        return (
            self._breakers.setdefault(route.endpoint, Breaker()),
            self._breakers.setdefault(str(route), Breaker()),
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
