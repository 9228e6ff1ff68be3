"""Text as it comes: failover before the first token, an honest break after it."""

from __future__ import annotations

import pytest

from openrouter_resilient import RoutesExhausted, StreamInterrupted
from openrouter_resilient.wire import sockets


def test_the_pieces_make_up_the_answer(simulator, make_client):
    with make_client().stream("hi there") as stream:
        pieces = list(stream)

    assert len(pieces) > 1
    assert simulator.requests[0].answered.text == "".join(pieces) == stream.completion.text
    assert simulator.requests[0].answered.model == stream.served.model
    assert simulator.requests[0].answered.cost == pytest.approx(stream.served.cost)


def test_a_piece_is_handed_over_before_the_answer_is_whole(simulator, make_client):
    simulator.play("openrouter", "stall_mid_stream", after=1)
    stream = make_client().stream("hi there")

    assert next(iter(stream))
    stream.close()


def test_deltas_bring_reasoning_and_tool_calls_too(simulator, make_client):
    stream = make_client().stream("hi", reasoning={"effort": "low"})

    deltas = list(stream.deltas())

    assert any(delta.reasoning and not delta.text for delta in deltas)
    assert stream.completion.choices[0].message.reasoning == "".join(d.reasoning for d in deltas)


def test_before_the_first_token_failover_is_invisible(simulator, make_client):
    simulator.play("openrouter", "error_first")

    stream = make_client().stream("hi there")

    assert "".join(stream) == simulator.received("openai")[-1].answered.text
    assert "openai" == stream.served.endpoint


def test_a_role_without_text_is_no_token(simulator, make_client):
    simulator.play("openrouter", "role_then_silence")

    stream = make_client(first_token_timeout=0.2).stream("hi")

    assert "openai" == stream.served.endpoint


def test_after_the_first_token_a_break_raises_with_what_came(simulator, make_client):
    simulator.play("openrouter", "cut_mid_stream", after=2)
    stream = make_client().stream("hi there, and more")

    with pytest.raises(StreamInterrupted) as caught:
        list(stream)

    said = simulator.requests[0].answered.text
    assert said == caught.value.partial.text
    assert 1 == len(simulator.requests)
    assert "truncated" == caught.value.history[-1].fault
    assert said not in str(caught.value)
    assert said not in repr(caught.value.partial)


def test_the_pieces_before_a_break_are_handed_over_first(simulator, make_client):
    simulator.play("openrouter", "error_mid_stream", after=3)
    pieces = []
    stream = make_client().stream("hi there, and more")

    with pytest.raises(StreamInterrupted):
        pieces.extend(stream)

    assert simulator.requests[0].answered.text == "".join(pieces)


def test_an_interrupted_stream_counts_against_the_breaker(simulator, make_client):
    client = make_client()
    simulator.play("openrouter", "cut_mid_stream", after=1)
    for _ in range(3):
        with pytest.raises(StreamInterrupted):
            list(client.stream("hi there"))

    assert "openai" == client.stream("hi").served.endpoint


def test_leaving_early_keeps_what_came_and_says_who_served_it(simulator, make_client):
    with make_client().stream("hi there, and more") as stream:
        first = next(iter(stream))

    assert first == stream.completion.text[: len(first)]
    assert "openrouter" == stream.served.endpoint
    assert "<Stream, ended>" == repr(stream)


def test_a_stream_can_be_left_and_taken_up_again(simulator, make_client):
    stream = make_client().stream("hi there, and more")

    first = next(iter(stream))
    rest = "".join(stream)

    assert simulator.requests[0].answered.text == first + rest


def test_a_stream_that_never_begins_is_an_error_like_any_other(simulator, make_client):
    for face in ("openrouter", "openai"):
        simulator.play(face, "done_only")

    with pytest.raises(RoutesExhausted, match="empty"):
        make_client(rounds=1).stream("hi")


def test_a_stream_is_whole_without_a_done_marker(simulator, make_client):
    simulator.play("openrouter", "no_done")

    stream = make_client().stream("hi")
    text = "".join(stream)

    assert simulator.requests[0].answered.text == text
    assert stream.served.cost is not None


def test_one_connection_serves_calls_of_every_kind(make_client, monkeypatch):
    opened = []
    connect = sockets.connect
    monkeypatch.setattr(sockets, "connect", lambda *a: opened.append(a) or connect(*a))
    client = make_client()

    list(client.stream("hi"))
    client.complete("hi")
    client.complete("hi", wire="whole")
    list(client.stream("hi"))

    assert 1 == len(opened)


def test_a_stream_goes_on_where_another_loop_left_it(make_client):
    """Several pieces come in one packet; none of them is lost."""
    with make_client().stream("hi there, and more") as stream:
        first = next(iter(stream))
        rest = "".join(stream)

    assert stream.completion.text == first + rest
