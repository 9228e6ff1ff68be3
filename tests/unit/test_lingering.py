"""What is waited for after the finish of a stream, and for how long."""

from __future__ import annotations

import json

import pytest

from openrouter_resilient.routing.deadline import Deadline
from openrouter_resilient.wire.clock import VirtualClock
from openrouter_resilient.wire.exchange import Exchange

from .building import START, TimedReply, attempt

CHOICE = {"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}
FINISH = f"data: {json.dumps({'choices': [CHOICE]})}\n\n".encode()
USAGE = f"data: {json.dumps({'choices': [], 'usage': {'cost': 0.5}})}\n\n".encode()


def drained(*pieces):
    """The answer, the reported cost, and the seconds it took."""
    clock = VirtualClock(START)
    reply = TimedReply(clock, *((START + at, data) for at, data in pieces))
    exchange = Exchange(reply, attempt(), Deadline.after(60.0, START), clock)
    exchange.begin()
    text = exchange.drain().text
    return text, exchange.reported().cost, round(clock.now() - START, 3)


def dripped(data, begins, every):
    return [(begins + place * every, data[place : place + 1]) for place in range(len(data))]


def test_nothing_that_follows_is_waited_for_half_a_second():
    assert ("Hi", None, 1.5) == drained((1.0, FINISH))


def test_the_usage_that_follows_is_read_and_then_the_end_is_hardly_waited_for():
    assert ("Hi", 0.5, 1.15) == drained((1.0, FINISH), (1.1, USAGE))


def test_the_usage_is_read_although_its_bytes_take_longer_than_half_a_second():
    text, cost, seconds = drained((1.0, FINISH), *dripped(USAGE, 1.1, 0.02))

    assert ("Hi", 0.5) == (text, cost)
    assert 1.5 < seconds < 3.0


@pytest.mark.parametrize("rest", [USAGE[:-2], b"data: {", b": comment", b"d"])
def test_an_event_that_does_not_come_to_its_end_is_missed_by_nobody(rest):
    assert ("Hi", None, 1.5) == drained((1.0, FINISH), (1.1, rest))


def test_what_drips_without_an_end_is_listened_to_for_two_seconds_at_most():
    assert ("Hi", None, 3.0) == drained((1.0, FINISH), *dripped(b": " + b"x" * 500, 1.1, 0.03))
