"""What must never happen, whatever the world does."""

from __future__ import annotations

import copy
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from openrouter_resilient.routing.breaker import RetryBudget
from openrouter_resilient.routing.deadline import Deadline
from openrouter_resilient.routing.faults import FAULTS, Kind, Quick, Scope
from openrouter_resilient.routing.plan import Limits, Plan
from openrouter_resilient.routing.step import (
    Health,
    Reason,
    Send,
    State,
    Stop,
    Wait,
    next_step,
)

from .world import (
    FAILING,
    LIMITS,
    PLANS,
    ROUTES,
    SECONDS,
    START,
    Lot,
    World,
    histories,
    hopeless,
    time_is_left,
)

REORDERING = st.sampled_from([
    Health(State.OPEN, START + 3.0),
    Health(State.OPEN, START + 500.0, tried_at=START - 3.0),
    Health(State.CLOSED, not_before=START + 2.0),
    Health(State.CLOSED, not_before=START + 5_000.0),
    Health(State.HALF_OPEN, START - 1.0, not_before=START + 40.0),
])  # fmt: skip


def routes_asked(run):
    return [attempt.route for _, attempt in run.sends]


@given(histories(lots=FAILING))
def test_a_call_ends_after_a_turn_a_round_and_one_quick_retry_a_route(history):
    _, runs = history
    for run in runs:
        turns = Counter(routes_asked(run))

        assert run.plan.limits.rounds + 1 >= max(turns.values(), default=0)
        assert [] == [a for _, a in run.sends if not 1 <= a.turn <= run.plan.limits.rounds]


@given(histories())
def test_nothing_is_planned_beyond_the_deadline(history):
    _, runs = history
    for run in runs:
        at = run.plan.deadline.at

        assert [] == [a for _, a in run.sends if a.first_token_by > at]
        assert [] == [d for d in run.decisions if isinstance(d.step, Wait) and d.step.until >= at]
        assert [] == [d for d, _ in run.sends[1:] if d.now >= at]


@given(histories())
def test_a_call_is_over_by_its_deadline(history):
    _, runs = history

    assert [] == [r for r in runs if r.decisions[-1].now > r.plan.deadline.at]


@given(histories(lots=FAILING))
def test_extra_attempts_never_exceed_the_retry_budget(history):
    world, runs = history
    charged = sum(attempt.charged for run in runs for _, attempt in run.sends)
    paid_in = RetryBudget.A_CALL * len(runs) + RetryBudget.A_SECOND * (world.now - START)

    assert RetryBudget.CAPACITY + paid_in + 1e-6 >= charged


@given(histories(lots=FAILING))
def test_attempts_that_cost_nothing_are_one_a_route(history):
    _, runs = history
    for run in runs:
        free = Counter(attempt.route for _, attempt in run.sends if not attempt.charged)

        assert {1} >= set(free.values())


@given(histories(lots=FAILING))
def test_no_usable_healthy_route_is_left_untried_while_time_remains(history):
    _, runs = history
    for run in runs:
        last = run.decisions[-1]
        if last.step.reason in (Reason.ANSWERED, Reason.REFUSED):
            continue
        untried = [
            route
            for route in run.plan.routes
            if route not in routes_asked(run)
            and not hopeless(route, run.history)
            and not last.health[route].busy(last.now)
        ]

        assert [] == untried or not time_is_left(run, last.now)


@given(histories(lots=FAILING))
def test_no_usable_route_at_all_is_left_untried_while_time_and_budget_remain(history):
    """An open breaker reorders; only a wish to be asked after the deadline is respected."""
    _, runs = history
    for run in runs:
        last = run.decisions[-1]
        if last.step.reason in (Reason.ANSWERED, Reason.REFUSED) or not last.may_retry:
            continue
        untried = [
            route
            for route in run.plan.routes
            if route not in routes_asked(run)
            and not hopeless(route, run.history)
            and time_is_left(run, max(last.now, last.health[route].not_before))
        ]

        assert [] == untried or not time_is_left(run, last.now)


@given(histories(lots=FAILING))
def test_a_route_that_is_ruled_out_is_never_asked(history):
    _, runs = history
    for run in runs:
        asked = set(routes_asked(run))

        assert set(run.plan.routes) >= asked
        assert [] == [a for d, a in run.sends if hopeless(a.route, d.history)]


@given(histories(lots=FAILING))
def test_healthy_routes_keep_the_plans_order_within_a_round(history):
    _, runs = history
    for run in runs:
        for decision, attempt in run.sends:
            last = decision.history[-1].attempt if decision.history else None
            if last and (last.route, last.turn) == (attempt.route, attempt.turn):
                continue  # a quick retry
            before = run.plan.routes[: run.plan.routes.index(attempt.route)]
            passed_over = [
                route
                for route in run.waiting(decision, attempt.turn)
                if route in before
                and not decision.health[route].busy(decision.now)
                and not hopeless(route, decision.history)
                and not asked_to_wait(route, decision)
            ]

            assert [] == passed_over


@given(histories(lots=FAILING))
def test_a_route_in_trouble_is_not_asked_while_a_healthy_one_waits_for_its_turn(history):
    _, runs = history
    for run in runs:
        for decision, attempt in run.sends:
            if not decision.health[attempt.route].busy(decision.now):
                continue
            healthy = [
                route
                for route in run.waiting(decision, attempt.turn)
                if not decision.health[route].busy(decision.now)
                and not hopeless(route, decision.history)
                and not asked_to_wait(route, decision)
            ]

            assert [] == healthy


def asked_to_wait(route, decision):
    """Whether the server's own wish keeps this route from being asked now."""
    return any(
        o.fault and o.fault.retry_after and o.ended_at + o.fault.retry_after > decision.now
        for o in decision.history
        if o.attempt.route == route
    )


@given(histories(lots=FAILING))
def test_the_servers_wish_to_be_asked_later_is_respected(history):
    """Within a call always; between calls, except as the last resort."""
    _, runs = history
    for run in runs:
        assert [] == [a for d, a in run.sends if asked_to_wait(a.route, d)]


@given(histories())
def test_the_callers_mistake_stops_the_call_at_once(history):
    _, runs = history
    for run in runs:
        refused = [o for o in run.history if o.fault and o.fault.scope is Scope.REQUEST]

        assert refused == ([run.history[-1]] if run.stop.reason is Reason.REFUSED else [])


@given(histories())
def test_an_answer_stops_the_call_at_once(history):
    _, runs = history
    for run in runs:
        answers = [outcome for outcome in run.history if outcome.fault is None]

        assert answers == ([run.history[-1]] if run.stop.reason is Reason.ANSWERED else [])


@given(PLANS, SECONDS, LIMITS, st.data())
def test_breakers_never_refuse_the_last_resort(routes, seconds, limits, data):
    plan = Plan(tuple(routes), Deadline.after(seconds, START), limits)
    health = {route: data.draw(REORDERING) for route in routes}

    step = next_step(plan, (), health.__getitem__, START, may_retry=False)

    assert not isinstance(step, Stop)
    assert isinstance(step, Send) or time_is_left_at(plan, step.until)


def time_is_left_at(plan, instant):
    return plan.deadline.remaining(instant) > 0


@given(histories())
def test_a_recorded_call_replays_to_the_same_steps(history):
    _, runs = history
    for run in runs:
        for decision in copy.deepcopy(run.decisions):
            assert decision.step == next_step(
                run.plan,
                run.history[: len(decision.history)],
                decision.health.__getitem__,
                decision.now,
                may_retry=decision.may_retry,
            )


@given(histories(lots=FAILING))
def test_a_silent_route_is_not_asked_again_while_another_has_not_had_its_turn(history):
    _, runs = history
    for run in runs:
        for decision, attempt in run.sends:
            silent = {o.attempt.route for o in decision.history if o.fault.kind is Kind.SILENT}
            if attempt.route not in silent:
                continue
            asked = {outcome.attempt.route for outcome in decision.history}
            others = [
                route
                for route in run.plan.routes
                if route not in asked
                and not hopeless(route, decision.history)
                and time_is_left(run, decision.health[route].not_before)
            ]

            assert [] == others


@given(histories(lots=FAILING))
def test_a_quick_retry_follows_only_a_transient_fault_that_came_fast(history):
    _, runs = history
    for run in runs:
        for decision, attempt in run.sends:
            last = decision.history[-1] if decision.history else None
            if not last or (last.attempt.route, last.attempt.turn) != (attempt.route, attempt.turn):
                continue

            assert FAULTS[last.fault.kind].quick is not Quick.NO
            assert 1.0 >= last.ended_at - last.started_at
            assert State.CLOSED is decision.health[attempt.route].state
            assert decision.may_retry


@given(PLANS, st.floats(1.0, 900.0), st.sampled_from([None, 0.5, 10.0]))
def test_the_fair_shares_of_a_round_fit_the_deadline(routes, seconds, first_token):
    """Even if every route says nothing for as long as it may, each has its turn."""
    limits = Limits(first_token=first_token, rounds=1)
    silent = [Lot(Kind.SILENT, 0.0)] * len(routes)

    run = World().call(routes, silent, seconds=seconds, limits=limits)

    assert routes == routes_asked(run)
    shares = [attempt.first_token_by - decision.now for decision, attempt in run.sends]
    assert seconds + 1e-6 >= sum(shares)
    assert min(shares) >= min(first_token or seconds, seconds / len(routes)) - 1e-6


@given(histories(lots=FAILING))
def test_a_trial_with_a_healthy_route_behind_it_costs_its_caller_little(history):
    _, runs = history
    for run in runs:
        for decision, attempt in run.sends:
            behind = [
                route
                for route in run.waiting(decision, attempt.turn)
                if route != attempt.route
                and not decision.health[route].busy(decision.now)
                and not hopeless(route, decision.history)
                and not asked_to_wait(route, decision)
            ]
            allowed = 10.0 if run.plan.limits.first_token is None else 2.0

            assert (
                not (attempt.trial and behind)
                or allowed + 1e-6 >= attempt.first_token_by - decision.now
            )


@given(histories(lots=FAILING))
def test_a_call_that_says_when_to_come_again_says_a_time_to_come(history):
    _, runs = history

    assert [] == [r for r in runs if r.stop.retry_after is not None and r.stop.retry_after <= 0]


@given(histories(lots=FAILING))
def test_a_prompt_is_called_too_long_only_if_no_route_can_hold_it(history):
    _, runs = history
    for run in runs:
        if run.stop.reason is Reason.TOO_LONG:
            kept = tuple(o for o in run.history if o.fault.kind is Kind.CONTEXT_TOO_LONG)

            assert [] == [route for route in run.plan.routes if not hopeless(route, kept)]


def test_a_lasting_outage_costs_no_more_than_the_retry_budget_beyond_one_request_a_route():
    """2,000 calls within 20 minutes, each of which meets nothing but refusals."""
    world, routes, calls, extra = World(), [ROUTES[0], ROUTES[2]], 2_000, 0
    for _ in range(calls):
        run = world.call(routes, [Lot(Kind.REFUSED, 0.1)] * 20, seconds=5.0, limits=Limits())
        extra += max(0, len(run.history) - len(routes))

    paid_in = RetryBudget.A_CALL * calls + RetryBudget.A_SECOND * (world.now - START)
    assert RetryBudget.CAPACITY + paid_in >= extra > 0


def test_the_world_itself_lets_calls_end_in_every_way():
    """A property over calls that only ever succeed would hold of anything."""
    ways = set()

    @settings(derandomize=True, max_examples=1_000)  # whatever profile another folder has loaded
    @given(histories())
    def collect(history):
        ways.update(run.stop.reason for run in history[1])

    collect()

    assert set(Reason) == ways
