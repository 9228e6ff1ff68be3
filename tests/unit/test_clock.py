"""The clock that is real and the one that is not."""

from __future__ import annotations

import time

from openrouter_resilient.wire.clock import SystemClock, VirtualClock


def test_the_real_clock_never_goes_back_and_knows_the_time_of_day():
    clock, before = SystemClock(), time.monotonic()

    assert before <= clock.now() <= clock.now() <= time.monotonic()
    assert 60.0 > abs(clock.wall() - time.time())


def test_the_real_clock_sleeps_until_an_instant():
    clock = SystemClock()
    instant = clock.now() + 0.01
    clock.sleep_until(instant)

    assert instant <= clock.now()


def test_the_real_clock_does_not_sleep_for_an_instant_that_has_passed():
    clock = SystemClock()
    before = clock.now()
    clock.sleep_until(before - 1_000.0)

    assert 1.0 > clock.now() - before


def test_the_virtual_clock_stands_still_until_it_is_told_to_move():
    clock = VirtualClock(at=5.0, wall=100.0)
    assert (5.0, 100.0) == (clock.now(), clock.wall())

    clock.advance(2.5)
    assert (7.5, 102.5) == (clock.now(), clock.wall())


def test_the_virtual_clock_sleeps_without_delay_and_never_goes_back():
    clock = VirtualClock(at=5.0)
    clock.sleep_until(9.0)
    assert 9.0 == clock.now()

    clock.sleep_until(6.0)
    assert 9.0 == clock.now()
