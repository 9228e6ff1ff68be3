"""What others say is one more breaker: the worse of both counts, and one's own trial decides."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openrouter_resilient.routing.breaker import HELD_S, BreakerBoard
from openrouter_resilient.routing.faults import Fault, Kind
from openrouter_resilient.routing.plan import Route
from openrouter_resilient.routing.shared import Word
from openrouter_resilient.routing.step import Attempt, Outcome, State

ROUTE = Route("openrouter", ("openai/gpt-4o",))
OTHER = Route("openai", ("gpt-4o",))
NOW = 1000.0


def down(at=NOW, reopens_in=5.0, lasts=60.0):
    return Word(up=False, since=at, checked_at=at, reopens_at=at + reopens_in,
                expires_at=at + lasts, by="call x:1.1", fault="refused")  # fmt: skip


def up(at=NOW):
    return Word(True, at, at, at, at + 60, "probe x:1")


def outcome(kind=None, at=NOW, *, trial=False, took=0.1, relayed=False):
    attempt = Attempt(1, 1, ROUTE, at + 10, 10.0, trial=trial)
    fault = None if kind is None else Fault(kind, relayed=relayed)
    return Outcome(attempt, fault, at - took, at)


def attempt():
    return outcome(trial=True).attempt


@pytest.fixture
def board():
    return BreakerBoard()


def state(board, at=NOW):
    return board.health(ROUTE, at).state


def opened(board, at=NOW):
    return [board.record(outcome(Kind.REFUSED, at)) for _ in range(3)][-1]


def test_what_others_say_is_heeded_at_once_and_of_that_endpoint_only(board):
    board.hear({"openrouter": down()}, NOW)

    assert State.OPEN is state(board)
    assert NOW + 5 == board.health(ROUTE, NOW).reopens_at
    assert State.CLOSED is board.health(OTHER, NOW).state


def test_it_lets_a_trial_through_like_any_breaker(board):
    board.hear({"openrouter": down()}, NOW)

    assert State.HALF_OPEN is state(board, NOW + 5)
    assert board.begin(attempt(), NOW + 5)
    assert State.OPEN is state(board, NOW + 5)


@pytest.mark.parametrize("words", [{}, {"openrouter": up(NOW + 1)}], ids=["silence", "up"])
def test_when_others_no_longer_say_so_it_is_closed(board, words):
    board.hear({"openrouter": down()}, NOW)

    board.hear(words, NOW + 1)

    assert State.CLOSED is state(board, NOW + 1)


def test_a_word_that_has_lapsed_is_none(board):
    board.hear({"openrouter": down(lasts=3.0)}, NOW)

    assert State.CLOSED is state(board, NOW + 3)


def test_the_worse_of_both_counts(board):
    opened(board)

    board.hear({"openrouter": up(NOW - 1)}, NOW)

    assert State.OPEN is state(board)


def test_a_later_answer_elsewhere_makes_ones_own_trial_due_and_no_more(board):
    opened(board)

    board.hear({"openrouter": up(NOW + 1)}, NOW + 1)

    assert State.HALF_OPEN is state(board, NOW + 1)
    board.record(outcome(Kind.REFUSED, NOW + 2, trial=True))
    board.hear({"openrouter": up(NOW + 1)}, NOW + 2)
    assert State.OPEN is state(board, NOW + 2)


def test_an_answer_of_ones_own_outweighs_what_others_said(board):
    board.hear({"openrouter": down()}, NOW)
    board.begin(attempt(), NOW + 5)

    turn = board.record(outcome(None, NOW + 6, trial=True))

    assert (True, True) == (turn.up, turn.news)
    assert State.CLOSED is state(board, NOW + 6)


def test_a_trial_that_failed_holds_even_if_the_old_word_is_heard_again(board):
    word = {"openrouter": down()}
    board.hear(word, NOW)
    board.begin(attempt(), NOW + 5)

    turn = board.record(outcome(Kind.REFUSED, NOW + 6, trial=True))
    board.hear(word, NOW + 7)

    assert (False, False) == (turn.up, turn.news)
    assert State.OPEN is state(board, NOW + 7)
    assert turn.reopens_at > NOW + 7


def test_an_answer_that_was_asked_for_before_is_old_news(board):
    board.hear({"openrouter": down()}, NOW)

    assert board.record(outcome(None, NOW + 1, took=2.0)) is None
    assert State.OPEN is state(board, NOW + 1)


def test_whoever_passes_on_that_another_is_down_is_up(board):
    board.hear({"openrouter": down()}, NOW)
    board.begin(attempt(), NOW + 5)

    turn = board.record(outcome(Kind.UNAVAILABLE, NOW + 6, trial=True, relayed=True))

    assert turn.up


def test_a_trial_that_another_process_has_is_not_asked_for_again_at_once(board):
    board.hear({"openrouter": down(reopens_in=0.0)}, NOW)
    board.begin(attempt(), NOW)

    board.hold(attempt(), NOW)

    assert State.OPEN is state(board, NOW + HELD_S / 2)
    assert State.HALF_OPEN is state(board, NOW + HELD_S)


def test_a_trouble_lasts_since_it_began_whatever_trials_failed_meanwhile(board):
    opened(board)

    turn = board.record(outcome(Kind.REFUSED, NOW + 6, trial=True))

    assert (NOW, NOW) == (turn.since, board.since(ROUTE, NOW + 6))


def test_it_serves_since_its_first_answer_after_a_trouble(board):
    assert board.since(ROUTE, NOW) is None
    board.record(outcome(None, NOW))
    board.record(outcome(None, NOW + 1))
    assert NOW == board.since(ROUTE, NOW + 1)

    opened(board, NOW + 2)
    board.record(outcome(None, NOW + 9, trial=True))
    board.record(outcome(None, NOW + 10))

    assert NOW + 9 == board.since(ROUTE, NOW + 10)


def test_since_when_a_server_asks_not_to_be_called_is_not_guessed(board):
    board.record(outcome(None, NOW))
    asks = Fault(Kind.RATE_LIMITED, retry_after=60.0)
    board.record(replace(outcome(Kind.RATE_LIMITED, NOW + 1), fault=asks))

    assert board.since(ROUTE, NOW + 2) is None


def test_an_answer_that_was_asked_for_before_others_saw_it_down_is_old_news(board):
    an_hour_ago = replace(down(), since=NOW - 3600)
    board.hear({"openrouter": an_hour_ago}, NOW)

    board.record(outcome(None, NOW + 1, took=60.0))

    assert State.OPEN is state(board, NOW + 1)


def test_an_opening_of_ones_own_is_news(board):
    turns = [board.record(outcome(Kind.REFUSED)) for _ in range(3)]

    assert [None, None] == turns[:2]
    assert (False, True, Kind.REFUSED) == (turns[2].up, turns[2].news, turns[2].fault.kind)
    assert NOW + 5 == turns[2].reopens_at


def test_a_healthy_call_has_nothing_to_tell(board):
    assert [None] * 3 == [board.record(outcome()) for _ in range(3)]
