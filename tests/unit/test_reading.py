"""How a stream is read: several choices, slow readers, and the caller's own deadline."""

from __future__ import annotations

import json

import pytest

from openrouter_resilient.routing.deadline import Deadline
from openrouter_resilient.routing.faults import Broken, Kind
from openrouter_resilient.wire.clock import VirtualClock
from openrouter_resilient.wire.exchange import Exchange

from .building import START, TimedReply, attempt

DONE = b"data: [DONE]\n\n"


def event(text=None, finish=None, index=0):
    delta = {} if text is None else {"content": text}
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return f"data: {json.dumps({'choices': [choice]})}\n\n".encode()


def reading(*pieces, choices=1, deadline=60.0):
    """An exchange about to be read, and its clock; the stall limit is 15 s."""
    clock = VirtualClock(START)
    reply = TimedReply(clock, *((START + at, data) for at, data in pieces))
    exchange = Exchange(reply, attempt(), Deadline.after(deadline, START), clock, choices=choices)
    exchange.begin()
    return exchange, clock


def texts(exchange):
    return [choice.message.content for choice in exchange.drain().choices]


@pytest.mark.parametrize(("ends", "kind"), [([], Kind.STALLED), ([(1.1, b"")], Kind.TRUNCATED)])
def test_a_second_choice_that_is_cut_off_makes_no_answer(ends, kind):
    cut = event("one") + event(finish="stop") + event("tw", index=1)
    exchange, _ = reading((1.0, cut), *ends)

    with pytest.raises(Broken) as caught:
        exchange.drain()

    assert kind is caught.value.fault.kind


@pytest.mark.parametrize("choices", [1, 2])
def test_a_second_choice_that_has_begun_is_waited_for(choices):
    first = event("one") + event(finish="stop") + event("tw", index=1)
    rest = event("o", index=1) + event(finish="stop", index=1)
    exchange, _ = reading((1.0, first), (3.0, rest + DONE), choices=choices)

    assert ["one", "two"] == texts(exchange)


def test_a_second_choice_that_was_asked_for_may_begin_after_the_first_has_ended():
    first, second = event("one") + event(finish="stop"), event("two", index=1)
    pieces = (1.0, first), (4.0, second), (5.0, event(finish="stop", index=1))

    assert ["one", "two"] == texts(reading(*pieces, choices=2)[0])


@pytest.mark.parametrize("end", [DONE, b""])
def test_fewer_choices_than_were_asked_for_are_an_answer(end):
    exchange, _ = reading((1.0, event("one") + event(finish="stop") + end), choices=2)

    assert ["one"] == texts(exchange)


def test_of_several_choices_the_first_is_the_text():
    exchange, _ = reading(
        (1.0, event("TWO", index=1) + event("one")),
        (1.1, event(finish="stop", index=1) + event(finish="stop") + DONE),
        choices=2,
    )

    assert "one" == "".join(delta.text for delta in exchange.advance())


def test_a_reader_may_take_its_time():
    """The silence that counts is the server's, not that of whoever reads."""
    exchange, clock = reading((1.0, event("a")), (1.1, event("b") + event(finish="stop") + DONE))

    assert ["a"] == [delta.text for delta in exchange.advance()]
    clock.sleep_until(START + 40.0)

    assert "ab" == exchange.drain().text


def test_a_reader_that_took_its_time_hears_of_a_silence_as_soon_as_any():
    exchange, clock = reading((1.0, event("a")))
    exchange.advance()
    clock.sleep_until(START + 30.0)

    with pytest.raises(Broken):
        exchange.drain()

    assert START + 45.0 == clock.now()


def test_a_stream_that_still_comes_at_the_deadline_has_not_stalled():
    exchange, clock = reading(*((at / 10, event("a")) for at in range(100)), deadline=5.0)

    with pytest.raises(Broken, match="still answering") as caught:
        exchange.drain()

    assert Kind.ABANDONED is caught.value.fault.kind
    assert START + 5.0 == clock.now()


def test_a_stream_that_was_silent_before_the_deadline_has_stalled():
    exchange, _ = reading((1.0, event("a")), deadline=5.0)

    with pytest.raises(Broken) as caught:
        exchange.drain()

    assert Kind.STALLED is caught.value.fault.kind


@pytest.mark.parametrize("empty", [b"data:\n\n", b"data\n\n", b"data:  \n\n", b"data\ndata\n\n"])
def test_an_event_without_anything_in_it_says_nothing(empty):
    exchange, _ = reading((1.0, empty + event("a") + empty), (1.1, event(finish="stop") + DONE))

    assert "a" == exchange.drain().text
