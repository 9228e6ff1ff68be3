"""When an endpoint is avoided, when it is tried again, and what an outage may cost."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from openrouter_resilient.routing.breaker import Breaker, BreakerBoard, RetryBudget
from openrouter_resilient.routing.faults import FAULTS, Fault, Kind, Scope
from openrouter_resilient.routing.step import Health, Outcome, State

from .building import A2, START, A, B, C, attempt, decide, ended, make_plan


def failing(times, *, at=START, every=0.1):
    """A breaker that saw so many faults, the last of them at `at`."""
    breaker = Breaker()
    for back in reversed(range(times)):
        breaker.failed(at - back * every, at - back * every, trial=False)
    return breaker


def opened(at=START):
    """A breaker that opened at this instant."""
    return failing(3, at=at)


def fail_trial(breaker, at):
    """Begin a trial and let it fail a second later; the instant of the failure."""
    assert breaker.begin_trial(at)
    breaker.failed(at, at + 1.0, trial=True)
    return at + 1.0


def board_after(*outcomes):
    board = BreakerBoard()
    for outcome in outcomes:
        board.record(outcome)
    return board


def three(kind, route=A, **options):
    """Three faults in a row, a tenth of a second each, the last over at START + 0.3."""
    return [ended(kind, route, at=START + 0.1 * n, **options) for n in range(3)]


class TestABreakerOpens:
    @pytest.mark.parametrize(
        ("faults", "state"), [(0, State.CLOSED), (2, State.CLOSED), (3, State.OPEN)]
    )
    def test_after_3_faults_in_a_row(self, faults, state):
        assert state is failing(faults).health(START).state

    def test_and_not_when_an_answer_came_between(self):
        breaker = failing(2)
        breaker.answered(START, START)
        breaker.failed(START, START, trial=False)
        breaker.failed(START, START, trial=False)

        assert State.CLOSED is breaker.health(START).state

    @staticmethod
    def mixed(pattern, every):
        """A breaker after answers and faults; no two faults in a row reach three."""
        breaker = Breaker()
        for place, answered in enumerate(pattern):
            at = START + place * every
            if answered:
                breaker.answered(at, at)
            else:
                breaker.failed(at, at, trial=False)
        return breaker, START + (len(pattern) - 1) * every

    @pytest.mark.parametrize(
        ("pattern", "every", "state"),
        [
            ([True, False] * 10, 1.0, State.OPEN),  # half of 20
            ([True, False] * 9 + [False], 1.0, State.CLOSED),  # 10 of 19
            ([True] + [True, False] * 9 + [False], 1.0, State.OPEN),  # 10 of 20
            ([True] * 2 + [True, False] * 9, 1.0, State.CLOSED),  # 9 of 20
            ([True, False] * 10, 3.1, State.OPEN),  # within 58.9 s
            ([True, False] * 10, 3.2, State.CLOSED),  # the first is older than a minute
            ([False, True] * 9 + [True] * 6 + [False], 0.1, State.CLOSED),  # only the last 20 count
        ],
    )
    def test_when_half_of_the_last_20_failed_within_a_minute(self, pattern, every, state):
        breaker, now = self.mixed(pattern, every)

        assert state is breaker.health(now).state

    def test_for_5_seconds(self):
        breaker = opened(START)

        assert Health(State.OPEN, START + 5.0, tried_at=START) == breaker.health(START + 4.9)
        assert State.HALF_OPEN is breaker.health(START + 5.0).state

    @pytest.mark.parametrize(
        ("failed_trials", "cooldown"), [(0, 5.0), (1, 10.0), (2, 20.0), (3, 20.0), (9, 20.0)]
    )
    def test_twice_as_long_after_each_failed_trial_up_to_20_s(self, failed_trials, cooldown):
        breaker, at = opened(), START
        for _ in range(failed_trials):
            at = fail_trial(breaker, breaker.health(at).reopens_at)

        assert Health(State.OPEN, at + cooldown, tried_at=at) == breaker.health(at)

    def test_at_once_when_a_trial_fails(self):
        breaker = opened()
        at = fail_trial(breaker, START + 5.0)

        assert State.OPEN is breaker.health(at).state

    def test_for_5_s_again_once_it_was_closed(self):
        breaker = opened()
        at = fail_trial(breaker, START + 5.0) + 10.0
        assert breaker.begin_trial(at)
        breaker.answered(at, at)
        for _ in range(3):
            breaker.failed(at, at, trial=False)

        assert Health(State.OPEN, at + 5.0, tried_at=at) == breaker.health(at)

    def test_only_after_three_new_faults_once_it_was_closed(self):
        breaker = opened()
        breaker.answered(START + 6, START + 6)
        breaker.failed(START + 7, START + 7, trial=False)
        breaker.failed(START + 8, START + 8, trial=False)

        assert State.CLOSED is breaker.health(START + 8).state


class TestATrial:
    def test_is_one_at_a_time(self):
        breaker = opened()

        assert breaker.begin_trial(START + 5)
        assert not breaker.begin_trial(START + 5)
        assert State.OPEN is breaker.health(START + 6).state

    def test_is_not_begun_on_a_closed_or_an_open_breaker(self):
        assert not Breaker().begin_trial(START)
        assert not opened().begin_trial(START + 4.9)

    def test_that_is_answered_closes_the_breaker(self):
        breaker = opened()
        breaker.begin_trial(START + 5)
        breaker.answered(START + 5, START + 6)

        assert Health() == breaker.health(START + 6)

    def test_whose_thread_died_frees_itself_after_30_s(self):
        breaker = opened()
        breaker.begin_trial(START + 5)

        assert Health(State.OPEN, START + 35, tried_at=START + 5) == breaker.health(START + 34.9)
        assert breaker.begin_trial(START + 35)

    def test_that_was_interrupted_is_given_back(self):
        breaker = opened()
        breaker.begin_trial(START + 5)
        breaker.end_trial()

        assert breaker.begin_trial(START + 5)

    def test_is_not_ended_by_an_attempt_from_before_it(self):
        breaker = opened()
        breaker.begin_trial(START + 5)
        breaker.end_trial(START + 4)

        assert not breaker.begin_trial(START + 6)

    def test_is_ended_by_its_own_attempt(self):
        breaker = opened()
        breaker.begin_trial(START + 5)
        breaker.end_trial(START + 5)

        assert breaker.begin_trial(START + 6)

    def test_that_began_before_the_breaker_opened_again_moves_nothing(self):
        breaker = opened()
        breaker.begin_trial(START + 5)  # and its thread hangs
        at = fail_trial(breaker, START + 36)
        breaker.failed(START + 5, at + 1, trial=True)

        assert Health(State.OPEN, at + 10.0, tried_at=at) == breaker.health(at + 1)


class TestLateOutcomes:
    def test_of_faults_do_not_keep_an_open_breaker_open(self):
        breaker = opened()
        breaker.failed(START - 1, START + 4, trial=False)

        assert State.HALF_OPEN is breaker.health(START + 5).state

    def test_of_answers_do_not_close_an_open_breaker(self):
        breaker = opened()
        breaker.answered(START - 1, START + 1)

        assert State.OPEN is breaker.health(START + 1).state

    def test_of_answers_asked_for_since_it_opened_close_it(self):
        breaker = opened()
        breaker.answered(START, START + 1)

        assert State.CLOSED is breaker.health(START + 1).state

    def test_of_faults_asked_for_since_it_opened_say_when_it_was_tried_and_move_only_a_trial(self):
        breaker = opened()
        breaker.failed(START + 1, START + 2, trial=False)

        assert Health(State.OPEN, START + 5, tried_at=START + 2) == breaker.health(START + 2)


class TestTheBoard:
    def test_knows_nothing_of_a_route_that_was_never_asked(self):
        assert Health() == BreakerBoard().health(A, START)

    @pytest.mark.parametrize(
        "kind", sorted((k for k, row in FAULTS.items() if row.counts), key=str)
    )
    def test_opens_the_endpoints_breaker_for(self, kind):
        board = board_after(*three(kind))

        assert State.OPEN is board.health(A, START + 1).state
        assert State.OPEN is board.health(A2, START + 1).state
        assert State.CLOSED is board.health(B, START + 1).state

    @pytest.mark.parametrize(
        "kind",
        sorted(
            (k for k, row in FAULTS.items() if not row.counts and k is not Kind.UNKNOWN_MODEL),
            key=str,
        ),
    )
    def test_does_not_blame_an_endpoint_for(self, kind):
        assert State.CLOSED is board_after(*three(kind) * 2).health(A, START + 1).state

    def test_blames_the_route_and_not_the_endpoint_for_a_relayed_fault(self):
        board = board_after(*three(Kind.UNAVAILABLE, relayed=True))

        assert State.OPEN is board.health(A, START + 1).state
        assert State.CLOSED is board.health(A2, START + 1).state

    def test_holds_a_used_up_day_of_free_requests_against_the_route_and_not_the_endpoint(self):
        fault = Fault(Kind.FREE_QUOTA, retry_after=3600.0)
        board = board_after(replace(ended(Kind.FREE_QUOTA, A, at=START), fault=fault))

        assert board.health(A, START + 1).busy(START + 1)
        assert not board.health(A2, START + 1).busy(START + 1)

    def test_takes_a_relayed_fault_as_a_sign_that_the_endpoint_is_up(self):
        board = board_after(*three(Kind.SERVER_ERROR))
        board.record(ended(Kind.UNAVAILABLE, A2, at=START + 6, relayed=True))

        assert State.CLOSED is board.health(A, START + 7).state

    @pytest.mark.parametrize(
        "kind",
        sorted((k for k, r in FAULTS.items() if r.scope in (Scope.REQUEST, Scope.MODEL)), key=str),
    )
    def test_takes_a_refusal_as_a_sign_that_the_endpoint_is_up(self, kind):
        board = board_after(*three(Kind.SERVER_ERROR))
        board.record(ended(kind, A2, at=START + 6))

        assert State.CLOSED is board.health(A, START + 7).state

    @pytest.mark.parametrize("kind", [Kind.UNAUTHORIZED, Kind.STALE_CONNECTION, Kind.REFUSED])
    def test_takes_no_other_fault_as_one(self, kind):
        board = board_after(*three(Kind.SERVER_ERROR))
        board.record(ended(kind, A2, at=START + 4))

        assert State.OPEN is board.health(A, START + 4.5).state

    def test_closes_the_endpoints_and_the_routes_breaker_on_an_answer(self):
        board = board_after(
            *three(Kind.UNAVAILABLE, relayed=True),
            *three(Kind.SERVER_ERROR),
            ended(None, A, at=START + 6),
        )

        assert Health() == board.health(A, START + 7)

    def test_does_not_take_an_answer_of_one_route_for_another_routes_health(self):
        board = board_after(*three(Kind.UNAVAILABLE, relayed=True), ended(None, A2, at=START + 1))

        assert State.OPEN is board.health(A, START + 2).state

    def test_tells_the_worse_of_endpoint_and_route(self):
        endpoint_first = board_after(
            *three(Kind.UNAVAILABLE, relayed=True),
            *[replace(o, ended_at=START + 3) for o in three(Kind.SERVER_ERROR)],
        )
        route_half_open = START + 6

        worse = Health(State.OPEN, START + 8, tried_at=START + 3)
        assert worse == endpoint_first.health(A, route_half_open)


class TestAnOutageOfEverything:
    @pytest.mark.parametrize("back", [A, B, C])
    def test_ends_within_as_many_calls_as_there_are_routes(self, back):
        """And costs no request beyond the one of each call, whichever is back first."""
        routes, asked, at = (A, B, C), [], START + 2
        board = board_after(*[fault for route in routes for fault in three(Kind.REFUSED, route)])
        while back not in asked:
            health = {route: board.health(route, at) for route in routes}
            step = decide(make_plan(*routes), health=health, now=at, may_retry=False)
            asked.append(step.attempt.route)
            fault = None if asked[-1] == back else Fault(Kind.REFUSED)
            board.record(Outcome(step.attempt, fault, at, at + 0.01))
            at += 0.02

        assert len(routes) >= len(asked)
        assert State.CLOSED is board.health(back, at).state


class TestRemembering:
    def test_an_unknown_model_stands_behind_the_others_for_10_minutes(self):
        board = board_after(ended(Kind.UNKNOWN_MODEL, A, at=START, took=0.0))

        until = START + 600
        assert Health(State.OPEN, until, tried_at=until) == board.health(A, START + 599.9)
        assert State.CLOSED is board.health(A, START + 600).state
        assert State.CLOSED is board.health(A2, START + 1).state

    def test_a_model_that_answers_after_all_is_known_again(self):
        board = board_after(ended(Kind.UNKNOWN_MODEL, A), ended(None, A, at=START + 60))

        assert Health() == board.health(A, START + 61)

    @pytest.mark.parametrize(
        ("seconds", "held"), [(None, 0.0), (0.0, 0.0), (3.0, 0.0), (3.5, START + 3.6)]
    )
    def test_a_retry_after_beyond_3_s_holds_the_endpoint(self, seconds, held):
        board = board_after(ended(Kind.RATE_LIMITED, A, retry_after=seconds))

        assert held == board.health(A, START + 1).not_before
        assert held == board.health(A2, START + 1).not_before
        assert State.CLOSED is board.health(A, START + 1).state

    def test_a_relayed_retry_after_holds_the_route_alone(self):
        board = board_after(ended(Kind.RATE_LIMITED, A, retry_after=30.0, relayed=True))

        assert START + 30.1 == board.health(A, START + 1).not_before
        assert 0.0 == board.health(A2, START + 1).not_before

    def test_a_shorter_retry_after_does_not_shorten_a_longer_one(self):
        board = board_after(
            ended(Kind.RATE_LIMITED, A, retry_after=60.0),
            ended(Kind.RATE_LIMITED, A, retry_after=4.0, at=START + 1),
        )

        assert START + 60.1 == board.health(A, START + 2).not_before


class TestTheBoardsTrials:
    def test_need_no_permission_when_they_are_none(self):
        assert BreakerBoard().begin(attempt(A), START)

    def test_are_one_at_a_time_for_the_whole_endpoint(self):
        board = board_after(*three(Kind.SERVER_ERROR))

        assert board.begin(attempt(A, trial=True), START + 6)
        assert not board.begin(attempt(A2, trial=True), START + 6)

    def test_of_a_route_wait_for_the_trial_of_its_endpoint(self):
        """The route's breaker is due, too, and its endpoint's trial is under way."""
        board = board_after(*three(Kind.UNAVAILABLE, relayed=True), *three(Kind.SERVER_ERROR))
        assert board.begin(attempt(A2, trial=True), START + 6)

        assert not board.begin(attempt(A, trial=True), START + 6)
        board.abandon(attempt(A2, trial=True))
        assert board.begin(attempt(A, trial=True), START + 6)

    def test_are_not_needed_any_more_once_the_breaker_is_closed(self):
        assert not BreakerBoard().begin(attempt(A, trial=True), START)

    def test_that_are_abandoned_free_the_next(self):
        board = board_after(*three(Kind.SERVER_ERROR))
        board.begin(attempt(A, trial=True), START + 6)
        board.abandon(attempt(A, trial=True))

        assert State.HALF_OPEN is board.health(A, START + 6).state

    def test_are_not_freed_by_an_attempt_that_was_none(self):
        board = board_after(*three(Kind.SERVER_ERROR))
        board.begin(attempt(A, trial=True), START + 6)
        board.abandon(attempt(A))
        board.record(ended(Kind.RESET, A, at=START + 6))

        assert State.OPEN is board.health(A, START + 7).state

    def test_that_fail_open_the_breaker_for_twice_as_long(self):
        board = board_after(*three(Kind.SERVER_ERROR))
        board.begin(attempt(A, trial=True), START + 6)
        board.record(ended(Kind.REFUSED, A, at=START + 6, took=0.0, trial=True))

        assert Health(State.OPEN, START + 16, tried_at=START + 6) == board.health(A, START + 7)

    def test_that_end_in_a_fault_that_proves_nothing_free_the_next(self):
        board = board_after(*three(Kind.SERVER_ERROR))
        board.begin(attempt(A, trial=True), START + 6)
        board.record(ended(Kind.STALE_CONNECTION, A, at=START + 6, trial=True))

        assert State.HALF_OPEN is board.health(A, START + 7).state

    def test_are_not_freed_by_the_late_end_of_an_older_one(self):
        """A stream that was a trial once breaks while another trial is under way."""
        board = board_after(*three(Kind.SERVER_ERROR))
        first = attempt(A, trial=True)
        board.begin(first, START + 6)
        answered = ended(None, A, at=START + 6, trial=True)
        board.record(answered)
        for outcome in three(Kind.SERVER_ERROR):
            board.record(replace(outcome, started_at=START + 8, ended_at=START + 8.5))
        assert board.begin(attempt(A, trial=True), START + 14)
        board.record(replace(ended(Kind.RESET, A, trial=True, took=9.0), started_at=START + 6))

        assert State.OPEN is board.health(A, START + 15).state

    def test_of_an_unknown_model_are_not_made(self):
        board = board_after(*three(Kind.SERVER_ERROR), ended(Kind.UNKNOWN_MODEL, A))

        assert not board.begin(attempt(A, trial=True), START + 6)

    def test_are_one_at_a_time_however_many_threads_want_one(self):
        board = board_after(*three(Kind.SERVER_ERROR))
        gate, won = threading.Barrier(8), []

        def want():
            gate.wait(5)
            won.append(board.begin(attempt(A, trial=True), START + 6))

        threads = [threading.Thread(target=want) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)

        assert [False] * 7 + [True] == sorted(won)

    def test_go_on_in_a_forked_child_whose_lock_nobody_would_release(self):
        board = board_after(*three(Kind.SERVER_ERROR))
        board._lock.acquire()
        board.renew_lock()

        assert board.begin(attempt(A, trial=True), START + 6)


class TestTheRetryBudget:
    @staticmethod
    def empty(at=START):
        budget = RetryBudget()
        while budget.take(at):
            pass
        return budget

    def test_holds_10_retries(self):
        budget = RetryBudget()

        assert [True] * 10 + [False] == [budget.take(START) for _ in range(11)]

    def test_is_asked_without_taking(self):
        budget = RetryBudget()

        assert all(budget.may_take(START) for _ in range(100))

    def test_gets_a_tenth_of_a_retry_from_every_call(self):
        budget = self.empty()
        for _ in range(9):
            budget.pay_in()
        assert not budget.may_take(START)
        budget.pay_in()
        budget.pay_in()  # ten tenths are a little less than one in binary

        assert budget.take(START)
        assert not budget.take(START)

    @pytest.mark.parametrize(("seconds", "retries"), [(9.9, 0), (10.1, 1), (50.1, 5), (1e6, 10)])
    def test_gets_a_retry_back_every_10_s(self, seconds, retries):
        budget = self.empty()

        assert retries == sum(budget.take(START + seconds) for _ in range(11))

    def test_never_holds_more_than_10(self):
        budget = RetryBudget()
        for _ in range(50):
            budget.pay_in()

        assert 10 == sum(budget.take(START + 500) for _ in range(20))

    def test_loses_nothing_when_an_older_instant_comes_late(self):
        budget = self.empty(START + 100)

        assert not budget.take(START)

    def test_bounds_a_lasting_outage_at_11_requests_in_10_calls(self):
        budget = self.empty()
        retries = 0
        for _ in range(1_000):
            budget.pay_in()
            retries += budget.take(START)

        assert 100 == pytest.approx(retries, abs=1)

    def test_goes_on_in_a_forked_child_whose_lock_nobody_would_release(self):
        budget = RetryBudget()
        budget._lock.acquire()
        budget.renew_lock()

        assert budget.take(START)
