"""When a second route is asked beside a silent one, and which: no socket and no clock."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openrouter_resilient.routing.deadline import Deadline
from openrouter_resilient.routing.faults import FAULTS, Fault, Kind, Quick, Scope
from openrouter_resilient.routing.hedging import hedge_at, hedge_for
from openrouter_resilient.routing.plan import Limits, Plan, Route
from openrouter_resilient.routing.step import Attempt, Health, Outcome, State

A, B, C = Route("openrouter", ("a/one",)), Route("openai", ("two",)), Route("groq", ("three",))
SENT = Attempt(number=1, turn=1, route=A, first_token_by=110.0, stall=15.0)


def plan(*routes, hedge_after=2.0, deadline=60.0):
    limits = Limits(hedge_after=hedge_after)
    return Plan(routes or (A, B, C), Deadline.after(deadline, 100.0), limits)


def hedged(the_plan=None, *, history=(), sent=SENT, may_retry=True, now=102.0, **health):
    return hedge_for(
        the_plan or plan(),
        history,
        sent,
        lambda route: health.get(route.endpoint, Health()),
        now,
        may_retry=may_retry,
    )


def test_the_time_comes_so_many_seconds_after_the_attempt_was_sent():
    assert 102.0 == hedge_at(plan(), SENT, 100.0)


def test_it_never_comes_where_nobody_asked_for_it():
    assert hedge_at(plan(hedge_after=None), SENT, 100.0) is None


def test_it_never_comes_for_an_attempt_that_will_be_over_by_then():
    assert hedge_at(plan(hedge_after=10.0), SENT, 100.0) is None


def test_a_trial_is_left_alone_to_show_whether_its_endpoint_is_back():
    assert hedge_at(plan(), replace(SENT, trial=True), 100.0) is None


def test_the_next_route_of_the_plan_is_asked_and_the_retry_budget_pays():
    attempt = hedged()

    assert B == attempt.route
    assert 2 == attempt.number
    assert attempt.charged
    assert not attempt.trial


def test_its_limits_are_fair_to_the_routes_behind_it_and_within_the_deadline():
    assert 112.0 == hedged().first_token_by
    assert 160.0 == hedged(plan(A, B)).first_token_by


@pytest.mark.parametrize(
    "state",
    [
        Health(State.OPEN, reopens_at=120.0),
        Health(State.HALF_OPEN),
        Health(State.CLOSED, not_before=105.0),
    ],
)
def test_a_route_in_trouble_is_passed_over(state):
    assert C == hedged(openai=state).route
    assert hedged(plan(A, B), openai=state) is None


def test_nobody_is_asked_without_a_token_in_the_retry_budget():
    assert hedged(may_retry=False) is None


def test_nobody_is_asked_where_no_other_route_stands_behind():
    assert hedged(plan(A)) is None


def test_a_route_that_had_its_turn_is_not_asked_beside_another():
    failed = Outcome(SENT, Fault(Kind.REFUSED), 100.0, 100.0)
    second = Attempt(number=2, turn=1, route=B, first_token_by=110.0, stall=15.0)

    assert C == hedged(history=(failed,), sent=second).route
    assert hedged(plan(A, B), history=(failed,), sent=second) is None


def test_nobody_is_asked_so_late_that_no_token_can_come():
    assert hedged(plan(deadline=2.05)) is None


def test_being_hung_up_on_is_nobodys_fault():
    row = FAULTS[Kind.ABANDONED]

    assert (Scope.NOBODY, Quick.NO, False) == (row.scope, row.quick, row.counts)
