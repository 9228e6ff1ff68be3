"""What holds of streams, whatever bytes and chunks come."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from openrouter_resilient.routing.faults import Broken, Fault, Kind
from openrouter_resilient.routing.recognition import classify_reply
from openrouter_resilient.wire.assembly import Assembly
from openrouter_resilient.wire.sse import SSEDecoder

PIECES = st.lists(
    st.sampled_from(
        [b"data: a\n\n", b"data: ", b"data:", b"data", b": c", b"event: e", b"a", "ü🏔".encode(),
         b"\xef\xbb\xbf", b"\n", b"\n\n", b"\r", b"\r\n", b"\r\n\r\n", b" ", b"\xff", b"\xc3",
         b"[DONE]", b"{}", b"0123456789"]
    ),
    max_size=30,
).map(b"".join)  # fmt: skip
BYTES = PIECES | st.binary(max_size=60)
LIMITS = st.sampled_from([7, 8, 16, 8 * 1024 * 1024])

SHORT = st.text(max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | SHORT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SHORT, inner, max_size=3),
    max_leaves=6,
)


def decoded(pieces, limit):
    """The events of these pieces, and the kind of fault that ended them."""
    decoder, events = SSEDecoder(limit), []
    for piece in pieces:
        events += decoder.feed(piece)
    events += decoder.flush()
    return events, decoder.fault and decoder.fault.kind


@given(BYTES, LIMITS, st.data())
def test_splitting_the_bytes_anywhere_never_changes_the_result(data, limit, drawn):
    cuts = drawn.draw(st.lists(st.integers(0, len(data)), max_size=8).map(sorted))
    pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]

    assert decoded([data], limit) == decoded(pieces, limit)
    assert decoded([data], limit) == decoded([bytes([byte]) for byte in data], limit)


@given(BYTES, LIMITS)
def test_arbitrary_bytes_end_in_events_or_in_a_fault_and_raise_nothing(data, limit):
    events, fault = decoded([data], limit)

    assert all(isinstance(event, str) for event in events)
    assert fault in (None, Kind.UNREADABLE, Kind.TOO_BIG)


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=("Cs",)))))
def test_what_was_sent_is_what_arrives(texts):
    data = b"".join(f"data: {text}\n\n".encode() for text in texts)

    assert (texts, None) == decoded([data], 8 * 1024 * 1024)


DELTA = st.fixed_dictionaries(
    {},
    optional={
        "role": st.just("assistant"),
        "content": st.none() | st.text(max_size=4),
        "reasoning": st.none() | st.text(max_size=4),
        "images": st.sampled_from([[1], [2, 3], {}, "x", 0, None]),
        "annotations": st.lists(JSON, max_size=2) | JSON,
        "tool_calls": JSON
        | st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "index": st.integers(0, 2) | JSON,
                    "id": st.text(max_size=3),
                    "function": JSON
                    | st.fixed_dictionaries({"name": st.text(max_size=3), "arguments": JSON}),
                },
            ),
            max_size=2,
        ),
    },
)
CHOICE = st.fixed_dictionaries(
    {},
    optional={
        "index": st.sampled_from([0, 0, 1, None, "0"]),
        "delta": DELTA | JSON,
        "finish_reason": st.sampled_from([None, None, "stop", "error"]),
        "logprobs": JSON
        | st.fixed_dictionaries({"content": st.none() | st.lists(JSON, max_size=2)}),
        "error": JSON,
    },
)
CHOICES = st.lists(CHOICE, max_size=2) | JSON
CHUNKS = st.lists(
    st.fixed_dictionaries({}, optional={"choices": CHOICES, "usage": JSON}), max_size=6
)


def fault_of(assembly, chunk):
    """The kind of fault that a chunk ends in, if it does."""
    try:
        assembly.add(chunk)
    except Broken as broken:
        return broken.fault.kind
    return None


@given(st.lists(DELTA, max_size=6))
def test_arbitrary_deltas_of_one_choice_make_up_a_message_or_are_called_unreadable(deltas):
    assembly = Assembly()
    faults = {fault_of(assembly, {"choices": [{"index": 0, "delta": one}]}) for one in deltas}

    assert {None, Kind.UNREADABLE} >= faults
    assert isinstance(assembly.body()["choices"], list)


@given(CHUNKS)
def test_arbitrary_chunks_make_up_an_answer_or_are_called_unreadable(chunks):
    assembly = Assembly()
    faults = {fault_of(assembly, chunk) for chunk in chunks}

    assert {None, Kind.UNREADABLE} >= faults
    assert isinstance(assembly.body()["choices"], list)
    assert isinstance(assembly.finished, bool)


TEXTS = st.lists(
    st.tuples(st.sampled_from([0, 0, 0, 1]), st.none() | st.text(max_size=4)), max_size=12
)


@given(TEXTS)
def test_the_joined_text_is_the_concatenation_of_the_deltas(texts):
    assembly = Assembly()
    assembly.add({"choices": [{"index": 0, "delta": {"role": "assistant"}}]})
    shown = ""
    for index, text in texts:
        delta = assembly.add({"choices": [{"index": index, "delta": {"content": text}}]})
        shown += delta.text if delta else ""

    said = "".join(text or "" for index, text in texts if index == 0)
    assert said == shown == (assembly.body()["choices"][0]["message"]["content"] or "")


ERRORS = st.fixed_dictionaries(
    {},
    optional={
        "message": JSON,
        "code": JSON | st.sampled_from([429, "429", "server_error"]),
        "type": JSON,
        "error_type": JSON,
        "http_status": JSON,
        "metadata": JSON
        | st.fixed_dictionaries(
            {},
            optional={
                "error_type": JSON,
                "provider_name": JSON,
                "headers": JSON | st.fixed_dictionaries({"X-RateLimit-Reset": JSON}),
            },
        ),
        "availability": JSON
        | st.fixed_dictionaries(
            {},
            optional={
                "code": JSON,
                "retryable": JSON,
                "retry_after": JSON | st.sampled_from([10**400, -1, 1e400, "7", 7]),
            },
        ),
    },
)
HEADERS = st.dictionaries(
    st.sampled_from(["retry-after", "retry-after-ms", "x-ratelimit-reset", "x-request-id"]),
    st.text(max_size=12)
    | st.floats().map(str)
    | st.sampled_from(["Wed, 21 Oct 2026 07:28:00 GMT", "Wed, 21 Oct 1 07:28:00 -9999", "9" * 400]),
)


@given(st.integers(100, 999), JSON | ERRORS.map(lambda e: {"error": e}) | st.text(), HEADERS)
def test_whatever_an_error_holds_it_is_a_fault_with_a_wait_that_makes_sense(status, body, headers):
    fault = classify_reply(status, body, headers, wall_now=1_788_000_000.0)

    assert isinstance(fault, Fault)
    assert fault.row
    assert fault.retry_after is None or 0.0 <= fault.retry_after <= 86_400.0
    assert 500 >= len(fault.message)
    assert json.dumps([fault.code, fault.error_type])
