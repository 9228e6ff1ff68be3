"""Whatever bytes come, and however they are cut: an answer or `Broken`, and always the same one."""

from __future__ import annotations

import gzip
import json
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from openrouter_resilient.routing.deadline import Deadline
from openrouter_resilient.routing.faults import Broken
from openrouter_resilient.routing.plan import Route
from openrouter_resilient.routing.step import Attempt
from openrouter_resilient.simulator import CATALOGUE, Simulator
from openrouter_resilient.wire.clock import VirtualClock
from openrouter_resilient.wire.exchange import Exchange
from openrouter_resilient.wire.inflate import Inflater
from openrouter_resilient.wire.sse import SSEDecoder
from tests.simulator.raw import ask, body_for

THOROUGH = settings(derandomize=True, deadline=None, max_examples=300)
QUICKER = settings(THOROUGH, max_examples=120)  # nested JSON takes long to make up


class MadeUpReply:
    """A reply that brings these bytes in these pieces."""

    status = 200

    def __init__(self, pieces, headers=()):
        self._pieces = list(pieces)
        self.headers = dict(headers)

    def read(self, until):
        return self._pieces.pop(0) if self._pieces else b""

    def close(self, *, keep):
        pass


def outcome(pieces):
    """The answer that an exchange makes of these pieces, or the kind of the fault it names."""
    clock = VirtualClock()
    attempt = Attempt(1, 1, Route("openrouter", ("a/b",)), clock.now() + 9.0, 9.0)
    exchange = Exchange(MadeUpReply(pieces), attempt, Deadline.after(9.0, clock.now()), clock)
    try:
        exchange.begin()
        answer = exchange.drain()
    except Broken as broken:
        exchange.reported()
        exchange.handed_over()
        return broken.fault.kind
    assert exchange.reported() is not None
    return answer.model_dump_json()


def cut(data, places):
    """The bytes in pieces, none of them empty, since that would mean the end."""
    edges = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[a:b] for a, b in pairwise(edges) if a < b]


def healthy(*, stream):
    with Simulator(("openrouter",)) as simulator:
        return ask(simulator, body=body_for("openrouter", stream=stream)).body


STREAM, BODY = healthy(stream=True), healthy(stream=False)
TOOL_CALL = b"".join(
    b"data: " + json.dumps({"id": "g", "choices": [{"index": 0, **choice}]}).encode() + b"\n\n"
    for choice in (
        {"delta": {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f"}}]}},
        {"delta": {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}},
        {"delta": {}, "finish_reason": "tool_calls"},
    )
)
PLACES = st.lists(st.integers(0, 10_000), max_size=12)
TOKENS = st.sampled_from(
    [b"data: ", b"\n", b"\r", b"\n\n", b": x", b"[DONE]", b"{", b"}", b"[", b"]", b'"', b",", b":",
     b"null", b"NaN", b"-1e999", b"true", b'"choices"', b'"delta"', b'"content"', b'"error"',
     b'"index"', b'"message"', b'"finish_reason"', b'"usage"', b'"tool_calls"', b"\xef\xbb\xbf",
     b"\xff", b'"\\ud800"', b"\x00", b" ", b"<html>", b"9" * 5000]
)  # fmt: skip
SOUP = st.lists(TOKENS | st.binary(max_size=3), max_size=30).map(b"".join)


@THOROUGH
@given(data=st.binary(max_size=200) | SOUP, places=PLACES)
@example(data=b"\xef\xbb\xbf" + STREAM, places=[1, 2])
@example(data=b"\xef" + BODY, places=[1])
@example(data=b" \n" + b"\xef\xbb\xbf" + BODY, places=[2])
def test_arbitrary_bytes_end_in_an_answer_or_in_broken_however_they_are_cut(data, places):
    assert outcome([data] if data else []) == outcome(cut(data, places))


@st.composite
def mutated(draw, origin):
    """A healthy reply with some of its bytes dropped, doubled, or replaced by tokens."""
    data = bytearray(origin)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 12)))
        data[start:end] = draw(TOKENS | st.just(bytes(data[start:end]) * 2))
    return bytes(data)


@pytest.mark.parametrize("origin", [STREAM, BODY, TOOL_CALL], ids=["stream", "body", "tool call"])
def test_a_reply_that_was_tampered_with_ends_in_an_answer_or_in_broken_however_it_is_cut(origin):
    @THOROUGH
    @given(data=mutated(origin), places=PLACES)
    def holds(data, places):
        assert outcome([data]) == outcome(cut(data, places))

    holds()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["choices", "delta", "message", "content", "error", "usage", "index", "finish_reason",
             "tool_calls", "function", "arguments", "code", "metadata", "model", "id", "cost",
             "completion_tokens", "openrouter_metadata", "attempts", "endpoints", "available",
             "availability", "retryable", "headers", "provider_name", "logprobs", "reasoning"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip
OBJECTS = st.dictionaries(
    st.sampled_from(["choices", "error", "usage", "model", "id", "openrouter_metadata"]), JSON
)


@QUICKER
@given(body=OBJECTS)
def test_any_json_under_a_200_is_an_answer_or_broken(body):
    outcome([json.dumps(body).encode()])


@QUICKER
@given(chunks=st.lists(OBJECTS, max_size=4))
def test_any_json_in_events_is_an_answer_or_broken(chunks):
    outcome([b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks])


def decoded(pieces):
    decoder = SSEDecoder(max_event_bytes=64)
    events = [event for piece in pieces for event in decoder.feed(piece)] + decoder.flush()
    return events, decoder.fault and decoder.fault.kind


@THOROUGH
@given(data=SOUP | st.binary(max_size=300), places=PLACES)
def test_how_bytes_are_cut_never_changes_the_events_or_the_fault(data, places):
    whole, pieces = decoded([data]), decoded(cut(data, places))

    assert whole == pieces


@THOROUGH
@given(data=st.binary(max_size=200), places=PLACES, most=st.integers(1, 50))
def test_packed_bytes_unpack_to_what_was_packed_however_they_are_cut(data, places, most):
    packed, unpacked = gzip.compress(data[:50]) + gzip.compress(data[50:]), b""
    inflater = Inflater()
    for piece in cut(packed, places):
        inflater.put(piece)
        while part := inflater.take(most):
            assert len(part) <= most
            unpacked += part

    assert data == unpacked
    assert inflater.whole


def test_every_row_that_is_no_fault_gives_the_same_answer_however_it_is_cut():
    names = [
        name
        for name, row in CATALOGUE.items()
        if row.family == "stream" and not row.kind and name != "finish_then_silence"
    ]
    with Simulator(("openrouter",)) as simulator:
        for name in names:
            simulator.play("openrouter", name)
            heard = ask(simulator, body=body_for("openrouter", stream=True)).body

            assert outcome([heard]) == outcome([heard[n : n + 1] for n in range(len(heard))]), name
