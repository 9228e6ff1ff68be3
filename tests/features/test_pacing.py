"""How a batch slows down: no clock, only instants."""

from __future__ import annotations

import pytest

from openrouter_resilient.features.pacing import Pace


def test_it_begins_at_full_speed():
    assert 8 == Pace(8).width


def test_a_limit_halves_what_is_under_way():
    pace = Pace(8)

    pace.slow_down(asked_at=1.0, now=2.0)

    assert 4 == pace.width


def test_calls_that_were_sent_before_the_slowing_down_say_nothing_new():
    pace = Pace(8)
    pace.slow_down(asked_at=1.0, now=2.0)

    pace.slow_down(asked_at=1.5, now=2.5)

    assert 4 == pace.width


def test_it_never_stops_altogether():
    pace = Pace(8)
    for second in range(10):
        pace.slow_down(asked_at=float(second), now=float(second))

    assert 1 == pace.width


def test_answers_bring_it_back_to_full_speed_and_no_further():
    pace = Pace(8)
    pace.slow_down(asked_at=1.0, now=1.0)

    for _ in range(4 * 5 + 5 * 5 + 6 * 6 + 7 * 7):
        pace.answered()

    assert 8 == pace.width


@pytest.mark.parametrize(("wait", "until"), [(7.0, 107.0), (None, 101.0)])
def test_a_pause_is_as_long_as_the_server_wants(wait, until):
    pace = Pace(8)

    assert pace.pause(100.0, wait)
    assert until == pace.resume_at


def test_without_its_wish_each_pause_is_twice_the_one_before_up_to_30_s():
    pace, now, pauses = Pace(8), 0.0, []
    for _ in range(7):
        pace.pause(now, None)
        pauses.append(pace.resume_at - now)
        now = pace.resume_at

    assert [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0] == pauses


def test_calls_that_fail_together_cause_one_pause():
    pace = Pace(8)
    pace.pause(100.0, None)

    pace.pause(100.1, None)

    assert 101.0 == pace.resume_at


def test_after_an_answer_pauses_are_short_again():
    pace = Pace(8)
    pace.pause(100.0, None)
    pace.answered()

    pace.pause(200.0, None)

    assert 201.0 == pace.resume_at


def test_nobody_waits_for_tomorrow():
    pace = Pace(8)

    assert not pace.pause(100.0, 3600.0)
    assert pace.resume_at < 100.0
