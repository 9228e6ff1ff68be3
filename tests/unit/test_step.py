"""The policy, one example for each number and each rule."""

from __future__ import annotations

import pytest

from openrouter_resilient.routing.deadline import Deadline
from openrouter_resilient.routing.faults import FAULTS, Kind, Quick, Scope
from openrouter_resilient.routing.plan import Plan, Route
from openrouter_resilient.routing.step import Health, Reason, Send, State, Stop, Wait

from .building import (
    A2,
    HALF_OPEN,
    START,
    A,
    B,
    C,
    decide,
    ended,
    held_until,
    make_plan,
    open_until,
    tried_at,
)

SOON = sorted((kind for kind, row in FAULTS.items() if row.quick is Quick.SOON), key=str)
NEVER = sorted(
    (k for k, row in FAULTS.items() if row.quick is Quick.NO and row.scope is not Scope.REQUEST),
    key=str,
)
REFUSING = sorted((k for k, row in FAULTS.items() if row.scope is Scope.REQUEST), key=str)


def route_of(step):
    assert isinstance(step, Send), step
    return step.attempt.route


def limit_of(step):
    """Seconds that the attempt has for its first token."""
    assert isinstance(step, Send), step
    return pytest.approx(step.attempt.first_token_by - START)


class TestTheFirstAttempt:
    def test_goes_to_the_first_route_of_the_plan(self):
        attempt = decide(make_plan(A, B)).attempt

        assert (1, 1, A) == (attempt.number, attempt.turn, attempt.route)
        assert (False, False) == (attempt.trial, attempt.charged)

    def test_is_made_even_when_the_retry_budget_is_empty(self):
        assert A == route_of(decide(make_plan(A, B), may_retry=False))

    def test_of_an_empty_plan_is_none(self):
        plan = Plan((), make_plan().deadline)

        assert Stop(Reason.EXHAUSTED) == decide(plan)


class TestTheFirstToken:
    @pytest.mark.parametrize(
        ("seconds", "limits", "expected"),
        [
            (120.0, {}, 10.0),  # the default cap
            (120.0, {"first_token": 12.5}, 12.5),
            (15.0, {}, 7.5),  # a fair share is less than the cap
            (120.0, {"first_token": None}, 60.0),  # silence means nothing: the share alone
            (12.0, {"first_token": None}, 6.0),
        ],
    )
    def test_is_waited_for_no_longer_than_the_cap_and_the_fair_share(
        self, seconds, limits, expected
    ):
        assert expected == limit_of(decide(make_plan(A, B, seconds=seconds, **limits)))

    def test_of_the_last_route_may_take_all_that_is_left(self):
        step = decide(make_plan(A, B), ended(Kind.SILENT, A, took=10.0))

        assert (B, 120.0) == (route_of(step), limit_of(step))

    def test_of_an_only_route_may_take_the_whole_deadline(self):
        assert 120.0 == limit_of(decide(make_plan(A)))

    @pytest.mark.parametrize(("behind", "expected"), [((B, C), 3.0), ((B,), 4.5), ((), 9.0)])
    def test_shares_what_is_left_with_the_routes_still_to_have_their_turn(self, behind, expected):
        assert expected == limit_of(decide(make_plan(A, *behind, seconds=9.0)))

    def test_share_grows_by_what_the_routes_before_left_over(self):
        step = decide(make_plan(A, B, C, seconds=9.0), ended(Kind.REFUSED, A, took=1.0))

        assert 1.0 + 8.0 / 2 == limit_of(step)

    def test_cap_does_not_apply_where_only_a_dead_route_stands_behind(self):
        step = decide(make_plan(A, B), health={B: open_until(START + 5)})

        assert 60.0 == limit_of(step)

    def test_share_is_not_cut_for_a_route_that_cannot_be_asked_before_the_deadline(self):
        step = decide(make_plan(A, B), health={B: held_until(START + 121)})

        assert 120.0 == limit_of(step)

    def test_is_never_due_after_the_deadline(self):
        plan = make_plan(A, seconds=0.3)

        assert plan.deadline.at >= decide(plan, now=START + 0.1).attempt.first_token_by
        assert plan.deadline.at >= decide(plan, now=START + 0.7).attempt.first_token_by

    def test_is_not_due_a_rounding_error_after_the_deadline_either(self):
        plan = Plan((A,), Deadline(at=1.5 + 2**-52, seconds=1.5))

        assert plan.deadline.at == decide(plan, now=3 * 2**-53).attempt.first_token_by

    @pytest.mark.parametrize(
        ("routes", "seconds", "expected"),
        [((A, B), 120.0, 15.0), ((A, B, C), 9.0, 3.0), ((A,), 9.0, 15.0)],
    )
    def test_is_followed_by_silences_no_longer_than_the_share(self, routes, seconds, expected):
        assert expected == decide(make_plan(*routes, seconds=seconds)).attempt.stall


class TestATrial:
    @pytest.mark.parametrize(
        ("limits", "seconds", "expected"),
        [
            ({}, 120.0, 2.0),
            ({"first_token": 1.5}, 120.0, 1.5),
            ({}, 3.0, 1.5),  # the share is less
            ({"first_token": None}, 120.0, 10.0),  # silence means nothing: give it more
        ],
    )
    def test_costs_its_caller_at_most_2_s_with_a_healthy_route_behind(
        self, limits, seconds, expected
    ):
        step = decide(make_plan(A, B, seconds=seconds, **limits), health={A: HALF_OPEN})

        assert step.attempt.trial
        assert expected == limit_of(step)

    @pytest.mark.parametrize("behind", [open_until(START + 5), held_until(START + 5)])
    def test_may_cost_its_share_with_no_healthy_route_behind(self, behind):
        step = decide(make_plan(A, B), health={A: HALF_OPEN, B: behind})

        assert step.attempt.trial
        assert 60.0 == limit_of(step)

    def test_another_trial_behind_counts_as_healthy(self):
        step = decide(make_plan(A, B), health={A: HALF_OPEN, B: HALF_OPEN})

        assert 2.0 == limit_of(step)

    def test_is_free_of_charge(self):
        assert not decide(make_plan(A, B), health={A: HALF_OPEN}).attempt.charged

    @pytest.mark.parametrize("health", [Health(), open_until(START + 5)])
    def test_is_made_of_a_half_open_breaker_only(self, health):
        assert not decide(make_plan(A), health={A: health}).attempt.trial


class TestAQuickRetry:
    @pytest.mark.parametrize(("jitter", "expected"), [(0.0, 0.2), (0.5, 0.4), (1.0, 0.6)])
    def test_comes_after_200_to_600_ms(self, jitter, expected):
        failed = ended(Kind.SERVER_ERROR, A, jitter=jitter)

        assert Wait(pytest.approx(failed.ended_at + expected)) == decide(make_plan(), failed)

    @pytest.mark.parametrize("kind", SOON)
    def test_is_given_to_a_transient_fault_that_came_fast(self, kind):
        step = decide(make_plan(), ended(kind, A), now=START + 0.51)

        assert (A, True, 1, 2) == (
            route_of(step),
            step.attempt.charged,
            step.attempt.turn,
            step.attempt.number,
        )

    def test_comes_at_once_where_an_idle_connection_had_been_closed(self):
        step = decide(make_plan(), ended(Kind.STALE_CONNECTION, A))

        assert (A, True) == (route_of(step), step.attempt.charged)

    @pytest.mark.parametrize("kind", NEVER)
    def test_is_not_given_to(self, kind):
        assert B == route_of(decide(make_plan(), ended(kind, A)))

    def test_rules_name_the_faults_that_get_none(self):
        assert {
            Kind.REFUSED, Kind.UNRESOLVED, Kind.TLS, Kind.CONNECT_TIMEOUT, Kind.SILENT,
            Kind.STALLED, Kind.CONTEXT_TOO_LONG, Kind.UNKNOWN_MODEL, Kind.NO_PROVIDER,
            Kind.FREE_QUOTA, Kind.UNAUTHORIZED, Kind.FORBIDDEN, Kind.NO_CREDIT, Kind.QUOTA,
            Kind.REDIRECTED,
            Kind.UNEXPECTED_STATUS, Kind.TOO_BIG, Kind.ABANDONED,
        } == set(NEVER)  # fmt: skip

    @pytest.mark.parametrize(
        ("took", "retried"), [(0.0, True), (0.99, True), (1.0, True), (1.01, False), (9.0, False)]
    )
    def test_is_for_a_fault_that_came_within_a_second(self, took, retried):
        step = decide(make_plan(), ended(Kind.UNAVAILABLE, A, took=took))

        assert retried == isinstance(step, Wait)

    @pytest.mark.parametrize("seconds", [0.5, 2.0, 3.0])
    def test_waits_for_a_short_retry_after(self, seconds):
        failed = ended(Kind.RATE_LIMITED, A, retry_after=seconds)

        assert Wait(failed.ended_at + seconds) == decide(make_plan(), failed)

    def test_with_a_retry_after_of_0_comes_at_once(self):
        assert A == route_of(decide(make_plan(), ended(Kind.RATE_LIMITED, A, retry_after=0.0)))

    @pytest.mark.parametrize("seconds", [3.01, 60.0])
    def test_is_not_worth_a_longer_retry_after(self, seconds):
        failed = ended(Kind.RATE_LIMITED, A, retry_after=seconds)

        assert B == route_of(decide(make_plan(), failed))

    def test_is_given_once(self):
        step = decide(
            make_plan(),
            ended(Kind.SERVER_ERROR, A),
            ended(Kind.SERVER_ERROR, A, at=START + 1),
        )

        assert B == route_of(step)

    def test_is_not_given_again_in_the_next_round(self):
        step = decide(
            make_plan(rounds=3),
            ended(Kind.SERVER_ERROR, A, took=2.0),
            ended(Kind.REFUSED, B, at=START + 2),
            ended(Kind.SERVER_ERROR, A, at=START + 3, turn=2),
        )

        assert B == route_of(step)

    @pytest.mark.parametrize("health", [open_until(START + 5), HALF_OPEN, held_until(START + 2)])
    def test_is_for_a_closed_breaker_that_nobody_holds(self, health):
        step = decide(make_plan(), ended(Kind.SERVER_ERROR, A), health={A: health})

        assert B == route_of(step)

    def test_takes_from_the_retry_budget(self):
        step = decide(make_plan(), ended(Kind.SERVER_ERROR, A), may_retry=False)

        assert B == route_of(step)

    @pytest.mark.parametrize(("seconds", "retried"), [(0.61, True), (0.59, False)])
    def test_must_fit_the_deadline(self, seconds, retried):
        step = decide(make_plan(A, seconds=seconds, rounds=1), ended(Kind.SERVER_ERROR, A))

        assert retried == isinstance(step, Wait)

    @pytest.mark.parametrize(("left", "retried"), [(0.61, True), (0.59, False)])
    def test_must_leave_something_of_use_to_the_routes_behind(self, left, retried):
        """It would begin 0.4 s later, and a tenth of a second is the least that is of use."""
        plan = make_plan(A, B, seconds=0.1 + left)

        assert retried == isinstance(decide(plan, ended(Kind.SERVER_ERROR, A)), Wait)

    def test_leaves_the_routes_behind_their_share(self):
        step = decide(make_plan(A, B, C, seconds=9.0), ended(Kind.STALE_CONNECTION, A, took=0.0))

        assert 3.0 == limit_of(step)

    def test_is_not_a_turn_taken_from_another(self):
        step = decide(
            make_plan(A, B, C),
            ended(Kind.SERVER_ERROR, A),
            ended(Kind.SERVER_ERROR, A, at=START + 1),
            ended(Kind.SERVER_ERROR, B, at=START + 2),
        )

        assert isinstance(step, Wait)  # for B's own


class TestRounds:
    def test_ask_each_route_in_the_plans_order(self):
        plan = make_plan(A, B, C)

        assert B == route_of(decide(plan, ended(Kind.REFUSED, A)))
        assert C == route_of(decide(plan, ended(Kind.REFUSED, A), ended(Kind.REFUSED, B)))

    @pytest.mark.parametrize(("jitter", "expected"), [(0.0, 0.7), (0.5, 1.05), (1.0, 1.4)])
    def test_begin_again_after_a_back_off_half_of_which_is_jitter(self, jitter, expected):
        failed = ended(Kind.REFUSED, A, jitter=jitter)

        assert Wait(failed.ended_at + expected) == decide(make_plan(A), failed)

    @pytest.mark.parametrize(("turn", "expected"), [(1, 1.05), (2, 2.1), (3, 4.2)])
    def test_back_off_twice_as_long_each_time(self, turn, expected):
        outcomes = [
            ended(Kind.REFUSED, A, at=START + 5 * past, turn=past) for past in range(1, turn + 1)
        ]

        assert Wait(outcomes[-1].ended_at + expected) == decide(make_plan(A, rounds=4), *outcomes)

    @pytest.mark.parametrize("drawn", [0.0, 0.999])
    def test_begin_after_longer_than_a_quick_retry_was_waited_for(self, drawn):
        """Whatever chance says: a client that comes back sooner each time backs off from nobody."""
        first = ended(Kind.SERVER_ERROR, A, jitter=0.999)
        again = ended(Kind.SERVER_ERROR, A, at=START + 1, jitter=drawn)

        quick = decide(make_plan(A), first).until - first.ended_at
        later = decide(make_plan(A), first, again).until - again.ended_at

        assert 0.55 < quick * 1.1 < later

    def test_count_turns_and_are_charged(self):
        attempt = decide(make_plan(A), ended(Kind.REFUSED, A), now=START + 2).attempt

        assert (2, True, 2) == (attempt.turn, attempt.charged, attempt.number)

    def test_do_not_back_off_between_two_routes_of_a_later_one(self):
        step = decide(
            make_plan(A, B),
            ended(Kind.REFUSED, A),
            ended(Kind.REFUSED, B),
            ended(Kind.REFUSED, A, turn=2, at=START + 1),
        )

        assert (B, 2, True) == (route_of(step), step.attempt.turn, step.attempt.charged)

    @pytest.mark.parametrize("rounds", [1, 2, 3])
    def test_are_so_many_and_no_more(self, rounds):
        outcomes = [
            ended(Kind.REFUSED, A, at=START + 5 * turn, turn=turn) for turn in range(1, rounds + 1)
        ]
        plan = make_plan(A, rounds=rounds)

        assert Stop(Reason.EXHAUSTED) == decide(plan, *outcomes)
        assert rounds == 1 or isinstance(decide(plan, *outcomes[:-1]), Wait)

    def test_later_ones_take_from_the_retry_budget(self):
        step = decide(make_plan(A), ended(Kind.REFUSED, A), may_retry=False)

        assert Stop(Reason.EXHAUSTED) == step

    @pytest.mark.parametrize(("seconds", "goes_on"), [(1.26, True), (1.24, False)])
    def test_begin_only_if_their_first_attempt_fits_the_deadline(self, seconds, goes_on):
        failed = ended(Kind.REFUSED, A)  # over at 0.1 s, then 1.05 s of back-off

        assert goes_on == isinstance(decide(make_plan(A, seconds=seconds), failed), Wait)

    def test_ask_a_silent_route_again_only_after_every_other(self):
        plan = make_plan(A, B, C)
        silent = ended(Kind.SILENT, A, took=10.0)
        others = (ended(Kind.REFUSED, B, at=START + 10), ended(Kind.REFUSED, C, at=START + 11))

        assert B == route_of(decide(plan, silent))
        assert C == route_of(decide(plan, silent, others[0]))
        assert A == route_of(decide(plan, silent, *others, now=START + 15))


class TestRetryAfter:
    def test_beyond_3_s_sends_to_the_next_route_now(self):
        assert B == route_of(decide(make_plan(), ended(Kind.RATE_LIMITED, A, retry_after=30.0)))

    def test_is_waited_for_if_no_other_route_is_left(self):
        failed = ended(Kind.RATE_LIMITED, A, retry_after=30.0)

        assert Wait(failed.ended_at + 30.0) == decide(make_plan(A), failed)

    def test_that_does_not_fit_the_deadline_ends_the_call_and_is_told(self):
        step = decide(make_plan(A), ended(Kind.RATE_LIMITED, A, retry_after=130.0))

        assert Stop(Reason.EXHAUSTED, pytest.approx(130.0)) == step

    def test_told_is_the_shortest(self):
        step = decide(
            make_plan(A, B),
            ended(Kind.RATE_LIMITED, A, retry_after=300.0),
            ended(Kind.RATE_LIMITED, B, retry_after=200.0),
        )

        assert Stop(Reason.EXHAUSTED, pytest.approx(200.0)) == step

    def test_is_not_told_where_no_time_is_left_to_wait(self):
        step = decide(
            make_plan(A, rounds=1),
            ended(Kind.RATE_LIMITED, A, retry_after=5.0, took=2.0),
            now=START + 60,
        )

        assert Stop(Reason.EXHAUSTED, None) == step

    def test_holds_for_later_rounds_as_well(self):
        failed = ended(Kind.RATE_LIMITED, A, retry_after=2.5, took=2.0)
        other = ended(Kind.REFUSED, B, at=START + 2)

        assert Wait(failed.ended_at + 2.5) == decide(make_plan(), failed, other)

    def test_of_an_earlier_call_moves_a_route_behind_the_others(self):
        step = decide(make_plan(A, B), health={A: held_until(START + 20)})

        assert B == route_of(step)

    def test_that_has_passed_moves_nothing(self):
        assert A == route_of(decide(make_plan(A, B), health={A: held_until(START - 1)}))

    def test_of_an_earlier_call_is_waited_for_before_the_first_request(self):
        assert Wait(START + 20) == decide(make_plan(A), health={A: held_until(START + 20)})

    def test_of_an_earlier_call_that_does_not_fit_does_not_refuse_the_last_resort(self):
        step = decide(
            make_plan(A, B), health={A: held_until(START + 300), B: held_until(START + 200)}
        )

        assert (B, 120.0) == (route_of(step), limit_of(step))

    def test_that_does_not_fit_does_not_keep_the_others_from_their_second_turn(self):
        step = decide(
            make_plan(A, B),
            ended(Kind.REFUSED, A),
            health={B: held_until(START + 300)},
            now=START + 2,
        )

        assert (A, 2) == (route_of(step), step.attempt.turn)

    def test_that_does_not_fit_does_not_hide_an_open_route_that_can_be_asked(self):
        """The held one is back first, yet too late: the one behind it has its turn."""
        step = decide(
            make_plan(A, B, C, seconds=5.0),
            ended(Kind.REFUSED, A),
            health={B: held_until(START + 10), C: open_until(START + 18)},
        )

        assert C == route_of(step)


class TestHopelessRoutes:
    @pytest.mark.parametrize(
        "kind", [Kind.UNAUTHORIZED, Kind.FORBIDDEN, Kind.NO_CREDIT, Kind.QUOTA]
    )
    def test_an_account_fault_rules_out_the_whole_endpoint(self, kind):
        assert B == route_of(decide(make_plan(A, A2, B), ended(kind, A)))

    def test_an_account_fault_everywhere_exhausts_the_routes(self):
        step = decide(
            make_plan(A, B), ended(Kind.UNAUTHORIZED, A), ended(Kind.NO_CREDIT, B, at=START + 1)
        )

        assert Stop(Reason.EXHAUSTED) == step

    @pytest.mark.parametrize("kind", [Kind.UNKNOWN_MODEL, Kind.NO_PROVIDER])
    def test_a_model_fault_rules_out_that_route_alone(self, kind):
        plan = make_plan(A, A2, B)

        assert A2 == route_of(decide(plan, ended(kind, A)))
        assert A2 == route_of(
            decide(plan, ended(kind, A), ended(Kind.REFUSED, A2), ended(Kind.REFUSED, B), now=1010)
        )

    def test_a_prompt_that_is_too_long_goes_to_another_model_only(self):
        same = Route("anthropic", ("claude-sonnet-4-5",))

        step = decide(make_plan(A, same, B), ended(Kind.CONTEXT_TOO_LONG, A))

        assert B == route_of(step)

    def test_a_prompt_too_long_for_one_of_several_models_may_fit_another(self):
        several = Route("openrouter", ("openai/gpt-4o", "google/gemini-2.5-pro"))

        assert several == route_of(decide(make_plan(B, several), ended(Kind.CONTEXT_TOO_LONG, B)))

    def test_a_prompt_too_long_for_a_list_of_models_is_too_long_for_each(self):
        several = Route("openrouter", ("openai/gpt-4o", "qwen/qwen3-32b"))

        step = decide(make_plan(several, B, C), ended(Kind.CONTEXT_TOO_LONG, several))

        assert C == route_of(step)

    def test_a_prompt_that_fits_no_model_is_said_to_be_too_long(self):
        step = decide(
            make_plan(A, B),
            ended(Kind.CONTEXT_TOO_LONG, A),
            ended(Kind.CONTEXT_TOO_LONG, B, at=START + 1),
        )

        assert Stop(Reason.TOO_LONG) == step

    def test_a_prompt_too_long_for_one_and_a_wrong_key_for_another_is_no_proof(self):
        step = decide(
            make_plan(A, B),
            ended(Kind.UNAUTHORIZED, A),
            ended(Kind.CONTEXT_TOO_LONG, B, at=START + 1),
        )

        assert Stop(Reason.EXHAUSTED) == step

    def test_an_endpoint_fault_rules_nothing_out(self):
        assert A == route_of(decide(make_plan(A), ended(Kind.REFUSED, A), now=START + 2))


class TestTheEnd:
    def test_an_answer_is_the_end(self):
        assert Stop(Reason.ANSWERED) == decide(make_plan(), ended(None, A))

    def test_an_answer_is_the_end_even_after_the_deadline(self):
        assert Stop(Reason.ANSWERED) == decide(make_plan(), ended(None, A, took=130.0))

    @pytest.mark.parametrize("kind", REFUSING)
    def test_the_callers_mistake_is_raised_at_once(self, kind):
        assert Stop(Reason.REFUSED) == decide(make_plan(A, B, C), ended(kind, A))

    def test_rules_name_the_callers_mistakes(self):
        assert {Kind.INVALID_REQUEST, Kind.BLOCKED} == set(REFUSING)

    @pytest.mark.parametrize(
        ("left", "stops"), [(-1.0, True), (0.0, True), (0.09, True), (0.11, False)]
    )
    def test_no_attempt_is_made_with_less_than_a_tenth_of_a_second(self, left, stops):
        step = decide(make_plan(A, B), ended(Kind.REFUSED, A, took=120.0 - left))

        assert stops == (step == Stop(Reason.DEADLINE))
        assert stops != isinstance(step, Send)


class TestAnOpenBreaker:
    def test_moves_its_route_to_the_end(self):
        plan, health = make_plan(A, B), {A: open_until(START + 5)}

        assert B == route_of(decide(plan, health=health))
        assert A == route_of(decide(plan, ended(Kind.REFUSED, B), health=health))

    def test_of_every_route_leaves_the_one_that_was_left_alone_longest(self):
        health = {A: tried_at(START - 1), B: tried_at(START - 4), C: tried_at(START - 2)}

        assert B == route_of(decide(make_plan(A, B, C), health=health))

    def test_keeps_the_plans_order_among_those_that_were_tried_at_the_same_time(self):
        health = {A: tried_at(START - 1), B: tried_at(START - 1)}

        assert A == route_of(decide(make_plan(A, B), health=health))

    def test_stands_behind_the_others_as_long_as_the_server_asked_for_that(self):
        held = Health(State.OPEN, START + 1, not_before=START + 9, tried_at=START - 4)

        assert B == route_of(decide(make_plan(A, B), health={A: held, B: tried_at(START - 1)}))

    def test_of_the_first_resort_is_asked_without_a_charge(self):
        step = decide(make_plan(A), health={A: open_until(START + 5)}, may_retry=False)

        assert (A, False) == (route_of(step), step.attempt.charged)

    def test_behind_a_failure_takes_from_the_retry_budget(self):
        plan, health = make_plan(A, B), {B: open_until(START + 5)}
        failed = ended(Kind.REFUSED, A)

        assert decide(plan, failed, health=health).attempt.charged
        assert Stop(Reason.EXHAUSTED) == decide(plan, failed, health=health, may_retry=False)

    def test_healthy_routes_behind_a_failure_cost_nothing(self):
        step = decide(make_plan(A, B), ended(Kind.REFUSED, A), may_retry=False)

        assert (B, False) == (route_of(step), step.attempt.charged)

    def test_due_for_a_trial_keeps_its_place(self):
        assert A == route_of(decide(make_plan(A, B), health={A: HALF_OPEN}))


@pytest.mark.parametrize("kind", sorted(FAULTS, key=str))
def test_without_its_row_in_the_fault_table_no_step_can_be_decided(kind, monkeypatch):
    failed = ended(kind, A)
    monkeypatch.delitem(FAULTS, kind)

    with pytest.raises(KeyError):
        decide(make_plan(), failed)
