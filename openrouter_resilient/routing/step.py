"""The whole policy: given a plan and what happened so far, what is next.

A fold over the history, which is the only state: turns, rounds and hopeless routes are counted from
it, so nothing can disagree with the trail a caller is shown, and any recorded call replays to the
same steps. No clock, no randomness (a jitter is drawn when an outcome is recorded), no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from openrouter_resilient.routing.faults import Fault, Kind, Quick, Scope
from openrouter_resilient.routing.plan import Plan, Route, bare_model

MIN_USEFUL_S = 0.1  # below this no model has ever said a first token; well under the smallest share
FAST_S = 1.0  # a fault that took longer has already cost what a quick retry may cost
LONGEST_QUICK_WAIT_S = 3.0  # a longer Retry-After is better spent on the next route
QUICK_BASE_S, QUICK_JITTER_S = 0.2, 0.4  # half a second is what the preferred model is worth
# Before the second round; doubles for each further one, half of it jitter. The least of it, 0.7 s,
# is more than the longest quick retry (0.6 s): what did not pass in that time needs longer.
BACKOFF_S = 1.4
TRIAL_S = 2.0  # what finding out whether an endpoint is back may cost its caller
PATIENT_TRIAL_S = 10.0  # the same for a request that is rightly silent for long


class State(Enum):
    """A breaker's state, as a call sees it."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"  # due for a trial, and none is under way


@dataclass(frozen=True)
class Health:
    """What is known of a route when a step is decided.

    Attributes:
        state: of its breaker; open also while another call's trial is under way.
        reopens_at: the instant at which an open breaker lets a trial through.
        not_before: the instant before which the server asked not to be called.
        tried_at: the instant at which somebody last found it in trouble, or began to look.
    """

    state: State = State.CLOSED
    reopens_at: float = 0.0
    not_before: float = 0.0
    tried_at: float = 0.0

    def busy(self, now: float) -> bool:
        """Whether other routes should be asked first."""
        return self.state is State.OPEN or self.not_before > now


@dataclass(frozen=True)
class Attempt:
    """One HTTP request that is to be made on one route.

    Attributes:
        number: counted from 1 within the call.
        turn: the round it belongs to, counted from 1.
        route: whom to ask, and for which models.
        first_token_by: the instant by which its first token must have come.
        stall: seconds it may be silent after that.
        trial: it tests whether an open breaker may close.
        charged: it takes from the retry budget.
    """

    number: int
    turn: int
    route: Route
    first_token_by: float
    stall: float
    trial: bool = False
    charged: bool = False


@dataclass(frozen=True)
class Reported:
    """What a reply said of itself; None or empty where it did not say.

    Attributes:
        model, provider, generation_id, request_id, finish_reason: in the server's own spelling.
        usage: token counts and the like, as reported.
        cost: in USD, as reported.
        routing: OpenRouter's own routing metadata.
        first_token_at: the instant of the first token.
    """

    model: str | None = None
    provider: str | None = None
    generation_id: str | None = None
    request_id: str | None = None
    finish_reason: str | None = None
    usage: dict[str, Any] | None = None
    cost: float | None = None
    routing: dict[str, Any] | None = None
    first_token_at: float | None = None


@dataclass(frozen=True)
class Outcome:
    """What an attempt ended in.

    Attributes:
        attempt: what was tried.
        fault: why it failed; None for an answer.
        started_at, ended_at: instants of the monotonic clock.
        jitter: drawn once, in [0, 1), when the outcome was recorded.
        reported: what the reply said of itself.
    """

    attempt: Attempt
    fault: Fault | None
    started_at: float
    ended_at: float
    jitter: float = 0.0
    reported: Reported = field(default_factory=Reported)


class Reason(Enum):
    """Why a call ends."""

    ANSWERED = "answered"
    REFUSED = "refused"
    TOO_LONG = "too long"
    DEADLINE = "deadline"
    EXHAUSTED = "exhausted"


@dataclass(frozen=True)
class Send:
    """Make this attempt now."""

    attempt: Attempt


@dataclass(frozen=True)
class Wait:
    """Do nothing until this instant."""

    until: float


@dataclass(frozen=True)
class Stop:
    """End the call. `retry_after`: seconds after which a server asked to be called again."""

    reason: Reason
    retry_after: float | None = None


History = tuple[Outcome, ...]
HealthOf = Callable[[Route], Health]


def next_step(
    plan: Plan, history: History, health: HealthOf, now: float, *, may_retry: bool = True
) -> Send | Wait | Stop:
    """Decide what is next.

    Args:
        plan: the routes and limits of the call.
        history: the outcomes so far, oldest first.
        health: what is known of a route now.
        now: the instant of the decision.
        may_retry: whether the retry budget has a token; asking takes none, sending does.
    """
    here = _Situation(plan, history, health, now, may_retry)
    if not history:
        return here.next_turn()
    fault = history[-1].fault
    if fault is None:
        return Stop(Reason.ANSWERED)
    if fault.scope is Scope.REQUEST:
        return Stop(Reason.REFUSED)
    if plan.deadline.remaining(now) < MIN_USEFUL_S:
        return Stop(Reason.DEADLINE)
    return here.quick_retry() or here.next_turn()


@dataclass
class _Situation:
    """What a decision rests on; the rules are its methods, in the order they are asked."""

    plan: Plan
    history: History
    health: HealthOf
    now: float
    may_retry: bool

    def quick_retry(self) -> Send | Wait | None:
        """Once more on the same route, if its fault was transient and came fast."""
        last = self.history[-1]
        wait = _quick_wait(last)
        if wait is None or not self.may_retry or self.turns(last.attempt.route) > 1:
            return None
        ready_at = last.ended_at + wait
        health = self.health(last.attempt.route)
        if health.state is not State.CLOSED or health.busy(ready_at):
            return None
        turn, behind = last.attempt.turn, self.waiting(last.attempt.turn)
        if self.plan.deadline.remaining(ready_at) / (len(behind) + 1) < MIN_USEFUL_S:
            return None
        if ready_at > self.now:
            return Wait(ready_at)
        return self.send(last.attempt.route, turn, behind)

    def next_turn(self) -> Send | Wait | Stop:
        """The best route that has not had its turn this round, the next round, or the end."""
        turn, waiting = self.round()
        if not waiting:
            return self.stop() if self.history else self.last_resort()
        route = min(waiting, key=self.rank)
        if self.is_extra(route, turn) and not self.may_retry:
            return self.stop()
        ready_at = self.ready_at(route, turn)
        if ready_at > self.now:
            return Wait(ready_at)
        return self.send(route, turn, [other for other in waiting if other != route])

    def last_resort(self) -> Send | Stop:
        """Nobody can be asked as late as they wish: whoever is likeliest to be back, now.

        A breaker reorders and never refuses.
        """
        if not self.plan.routes:
            return self.stop()
        return self.send(min(self.plan.routes, key=self.rank), 1, [])

    def send(self, route: Route, turn: int, behind: Sequence[Route]) -> Send:
        """The attempt with its limits: fair to the routes behind it, all that is left to the last.

        The share is what is left divided by the routes still to have their turn, so that a short
        deadline starves nobody. A silence limit of its own applies only where a healthy route
        stands behind: leaving a slow endpoint for a dead one helps nobody.
        """
        trial = self.health(route).state is State.HALF_OPEN
        share = self.plan.deadline.remaining(self.now) / (len(behind) + 1)
        stall = min(self.plan.limits.stall, share) if behind else self.plan.limits.stall
        if any(not self.health(other).busy(self.now) for other in behind):
            patient = self.plan.limits.first_token is None
            share = share if patient else min(share, self.plan.limits.first_token or share)
            if trial:
                share = min(share, PATIENT_TRIAL_S if patient else TRIAL_S)
        return Send(
            Attempt(
                number=len(self.history) + 1,
                turn=turn,
                route=route,
                first_token_by=min(self.now + share, self.plan.deadline.at),
                stall=stall,
                trial=trial,
                charged=self.turns(route) > 0 or self.is_extra(route, turn),
            )
        )

    def stop(self) -> Stop:
        """Nobody is left to ask, or only one who wants to be asked after the deadline."""
        if _all_too_long(self.plan, self.history):
            return Stop(Reason.TOO_LONG)
        waits = [self.asked_for_at(route) - self.now for route in self.usable()]
        retry_after = min((wait for wait in waits if wait > 0), default=None)
        return Stop(Reason.EXHAUSTED, retry_after)

    def round(self) -> tuple[int, list[Route]]:
        """The current round, and the routes still to have their turn in it; empty at the end."""
        if not self.history:
            return 1, self.waiting(1)
        turn = max(outcome.attempt.turn for outcome in self.history)
        waiting = self.waiting(turn)
        if waiting or turn >= self.plan.limits.rounds:
            return turn, waiting
        return turn + 1, self.waiting(turn + 1)

    def waiting(self, turn: int) -> list[Route]:
        """Those that may still be asked in this round, and before the deadline."""
        had = {outcome.attempt.route for outcome in self.history if outcome.attempt.turn == turn}
        begins_at, deadline = self.round_starts_at(turn), self.plan.deadline
        return [
            route
            for route in self.usable()
            if route not in had
            and deadline.remaining(max(begins_at, self.asked_for_at(route))) >= MIN_USEFUL_S
        ]

    def ready_at(self, route: Route, turn: int) -> float:
        """The instant at which it may be asked in this round."""
        return max(self.round_starts_at(turn), self.asked_for_at(route))

    def usable(self) -> list[Route]:
        """The routes that this call's own trail does not rule out."""
        return [route for route in self.plan.routes if not _hopeless(route, self.history)]

    def turns(self, route: Route) -> int:
        return sum(outcome.attempt.route == route for outcome in self.history)

    def rank(self, route: Route) -> tuple[bool, float]:
        """Healthy ones first, in the plan's order (`min` keeps it); then the longest left alone.

        Where all are in trouble, so each is asked in its turn, and the first to be back is found
        by the calls that are made in any case.
        """
        health = self.health(route)
        if not health.busy(self.now):
            return False, 0.0
        return True, max(health.tried_at, health.not_before)

    def is_extra(self, route: Route, turn: int) -> bool:
        """Beyond one request to each healthy route: what an outage may cost in extra requests."""
        return bool(self.history) and (turn > 1 or self.health(route).state is State.OPEN)

    def round_starts_at(self, turn: int) -> float:
        """The instant a later round may begin: back-off, half of it jitter, from the last fault."""
        if turn == 1 or any(outcome.attempt.turn == turn for outcome in self.history):
            return self.now
        last = self.history[-1]
        backoff = BACKOFF_S * 2.0 ** (turn - 2) * (0.5 + last.jitter / 2)
        return max(self.now, last.ended_at + backoff)

    def asked_for_at(self, route: Route) -> float:
        """The instant before which the server asked not to be called again, on this route."""
        instant = self.health(route).not_before
        for outcome in self.history:
            fault = outcome.fault
            if outcome.attempt.route == route and fault and fault.retry_after:
                instant = max(instant, outcome.ended_at + fault.retry_after)
        return instant


def _quick_wait(last: Outcome) -> float | None:
    """Seconds before a quick retry; None if the fault's kind or its slowness rules one out."""
    if last.fault is None or last.fault.row.quick is Quick.NO:
        return None
    if last.ended_at - last.started_at > FAST_S:
        return None
    if last.fault.row.quick is Quick.AT_ONCE:
        return 0.0
    wait = last.fault.retry_after
    if wait is None:
        return QUICK_BASE_S + QUICK_JITTER_S * last.jitter
    return wait if wait <= LONGEST_QUICK_WAIT_S else None


def _hopeless(route: Route, history: History) -> bool:
    """Whether the trail rules a route out: its key, its model, or its models' size."""
    too_long: set[str] = set()
    for outcome in history:
        fault, asked = outcome.fault, outcome.attempt.route
        if fault is None:
            continue
        if fault.scope is Scope.ACCOUNT and asked.endpoint == route.endpoint:
            return True
        if fault.scope is Scope.MODEL and asked == route:
            return True
        if fault.kind is Kind.CONTEXT_TOO_LONG:
            too_long.update(map(bare_model, asked.models))
    return bool(too_long) and too_long.issuperset(map(bare_model, route.models))


def _all_too_long(plan: Plan, history: History) -> bool:
    """Whether every route is ruled out by the length of the prompt."""
    long = tuple(o for o in history if o.fault and o.fault.kind is Kind.CONTEXT_TOO_LONG)
    return bool(long) and all(_hopeless(route, long) for route in plan.routes)
