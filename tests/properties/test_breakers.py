"""What holds of breakers whatever comes in, however late."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from openrouter_resilient.routing.breaker import (
    LONGEST_COOLDOWN_S,
    TRIAL_LEASE_S,
    BreakerBoard,
    RetryBudget,
)
from openrouter_resilient.routing.faults import Fault, Kind, Scope
from openrouter_resilient.routing.step import Attempt, Outcome, State

from .world import ROUTES, START

ROUTE = st.sampled_from(ROUTES[:3])  # two of one endpoint, one of another
KIND = st.sampled_from(
    [None, Kind.SERVER_ERROR, Kind.RESET, Kind.SILENT, Kind.STALE_CONNECTION, Kind.UNAUTHORIZED,
     Kind.INVALID_REQUEST, Kind.NO_PROVIDER]
)  # fmt: skip


class Traffic(RuleBasedStateMachine):
    """Calls of many threads: attempts begin, and end in any order, after any time."""

    def __init__(self):
        super().__init__()
        self.board = BreakerBoard()
        self.now = START
        self.flying: list[tuple[Attempt, float]] = []
        self.leases: dict[int, set[tuple[str, float | None]]] = {}

    @rule(route=ROUTE, relayed=st.booleans())
    def three_attempts_fail(self, route, relayed):
        """What opens a breaker; chance alone would seldom bring it about."""
        fault = Fault(Kind.SERVER_ERROR, relayed=relayed)
        attempt = Attempt(1, 1, route, self.now + 10.0, 15.0)
        for _ in range(3):
            self.board.record(Outcome(attempt, fault, self.now, self.now))

    @rule(seconds=st.sampled_from([0.0, 0.1, 1.0, 5.0, 10.0, 20.0, 40.0]))
    def time_passes(self, seconds):
        self.now += seconds

    @rule(route=ROUTE)
    def an_attempt_begins(self, route):
        trial = self.board.health(route, self.now).state is State.HALF_OPEN
        attempt = Attempt(1, 1, route, self.now + 10.0, 15.0, trial=trial)

        if trial:
            self.leases[id(attempt)] = self.due(route)
        assert self.board.begin(attempt, self.now)
        assert not trial or State.OPEN is self.board.health(route, self.now).state
        self.flying.append((attempt, self.now))

    def due(self, route):
        """The breakers that this route's trial is to close: their names, and since when open."""
        return {
            (name, breaker._opened_at)
            for name in (route.endpoint, str(route))
            if (breaker := self.board._breakers.get(name))
            and breaker.health(self.now).state is State.HALF_OPEN
        }

    @rule(route=ROUTE)
    def a_trial_that_was_decided_on_too_late_is_not_begun(self, route):
        if self.board.health(route, self.now).state is not State.HALF_OPEN:
            attempt = Attempt(1, 1, route, self.now + 10.0, 15.0, trial=True)

            assert not self.board.begin(attempt, self.now)

    @precondition(lambda self: self.flying)
    @rule(kind=KIND, relayed=st.booleans(), data=st.data())
    def an_attempt_ends(self, kind, relayed, data):
        at = data.draw(st.integers(0, len(self.flying) - 1))
        attempt, started_at = self.flying.pop(at)
        before = self.board.health(attempt.route, self.now)
        fault = Fault(kind, relayed=relayed and kind is Kind.SERVER_ERROR) if kind else None
        self.board.record(Outcome(attempt, fault, started_at, self.now))
        after = self.board.health(attempt.route, self.now)

        blamed = fault and fault.scope in (Scope.ENDPOINT, Scope.ACCOUNT)
        if before.state is State.OPEN and blamed and not fault.relayed and not attempt.trial:
            # late outcomes do not move an open breaker
            assert replace(after, tried_at=before.tried_at) == before

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def an_attempt_is_interrupted(self, data):
        at = data.draw(st.integers(0, len(self.flying) - 1))
        self.board.abandon(self.flying.pop(at)[0])

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def a_thread_dies(self, data):
        self.flying.pop(data.draw(st.integers(0, len(self.flying) - 1)))

    @invariant()
    def one_trial_at_a_time_is_under_way_on_a_breaker(self):
        leased = [
            lease
            for attempt, began_at in self.flying
            if attempt.trial and self.now < began_at + TRIAL_LEASE_S
            for lease in self.leases[id(attempt)]
        ]

        assert len(leased) == len(set(leased))

    @invariant()
    def every_breaker_lets_a_trial_through_within_20_s_of_silence(self):
        for route in ROUTES[:3]:
            health = self.board.health(route, self.now)
            trials = any(attempt.trial for attempt, _ in self.flying)
            died = TRIAL_LEASE_S  # a dead thread's trial frees itself after this

            longest = max(LONGEST_COOLDOWN_S, died)
            assert self.now + longest >= health.reopens_at or trials
            later = self.board.health(route, self.now + longest)
            assert State.OPEN is not later.state


TestTraffic = Traffic.TestCase


@given(st.lists(st.sampled_from([0.0, 0.5, 5.0, 20.0]), max_size=40))
def test_an_endpoint_that_stays_down_is_tried_again_every_20_s_at_the_latest(gaps):
    board, route, now = BreakerBoard(), ROUTES[0], START
    for gap in gaps:
        trial = board.health(route, now).state is State.HALF_OPEN
        attempt = Attempt(1, 1, route, now, 15.0, trial=trial)
        board.begin(attempt, now)
        board.record(Outcome(attempt, Fault(Kind.REFUSED), now, now))

        assert now + LONGEST_COOLDOWN_S >= board.health(route, now).reopens_at
        now += gap


@given(st.lists(st.sampled_from(["call", "take", "wait"]), max_size=200))
def test_a_retry_budget_never_gives_more_than_was_paid_in(steps):
    budget, now, paid, taken = RetryBudget(), START, RetryBudget.CAPACITY, 0
    for step in steps:
        if step == "call":
            budget.pay_in()
            paid += RetryBudget.A_CALL
        elif step == "wait":
            now += 3.0
            paid += 3.0 * RetryBudget.A_SECOND
        else:
            had = budget.may_take(now)
            assert had == budget.take(now)
            taken += had

    assert paid + 1e-6 >= taken
