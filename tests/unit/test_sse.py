"""Events from bytes, as the standard has them."""

from __future__ import annotations

import pytest

from openrouter_resilient.routing.faults import Kind
from openrouter_resilient.wire.sse import MAX_EVENT_BYTES, SSEDecoder

BOM = b"\xef\xbb\xbf"


def decode(data, **options):
    """All events of these bytes, and why nothing more could be read."""
    decoder = SSEDecoder(**options)
    events = decoder.feed(data) + decoder.flush()
    return events, decoder.fault and decoder.fault.kind


@pytest.mark.parametrize(
    ("data", "events"),
    [
        (b"", []),
        (b"data: a\n\n", ["a"]),
        (b"data:a\n\n", ["a"]),  # the space is optional
        (b"data:  a\n\n", [" a"]),  # and only one is taken
        (b"data: a\n\ndata: b\n\n", ["a", "b"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", ["a", "b"]),
        (b"data: a\r\rdata: b\r\r", ["a", "b"]),
        (b"data: a\r\n\ndata: b\n\r\n", ["a", "b"]),
        (b"data: a\n\n\n\n\ndata: b\n\n", ["a", "b"]),
        (b"\n\ndata: a\n\n", ["a"]),
        (b"data: a\ndata: b\n\n", ["a\nb"]),  # the lines of one event are joined
        (b"data\ndata\n\n", ["\n"]),
        (b"data\n\n", [""]),
        (b"data:\n\n", [""]),
        (b": OPENROUTER PROCESSING\n\n", []),
        (b": OPENROUTER PROCESSING\ndata: a\n\n", ["a"]),
        (b":\n\n:\n\ndata: a\n\n", ["a"]),
        (b"event: ping\nid: 7\nretry: 10\ndata: a\n\n", ["a"]),
        (b"event: ping\n\n", []),
        (b"dataset: a\n\n", []),  # another field
        (b" data: a\n\n", []),
        (b"data: [DONE]\n\n", ["[DONE]"]),
        (b"data: a", ["a"]),  # the last event may lack its blank line
        (b"data: a\n", ["a"]),
        (b"data: a\r", ["a"]),
        (BOM + b"data: a\n\n", ["a"]),
        (b"data: a\n\n" + BOM + b"data: b\n\n", ["a"]),  # only at the beginning
        ("data: Zürich 🏔\n\n".encode(), ["Zürich 🏔"]),
        ("data: a\u2028b\u0085c\n\n".encode(), ["a\u2028b\u0085c"]),  # no line ends here
        (b"data: a\x00b\n\n", ["a\x00b"]),
    ],
)
def test_events_are_read_as_the_standard_says(data, events):
    assert (events, None) == decode(data)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_how_the_bytes_were_cut_does_not_matter(size):
    data = BOM + "data: Zürich\r\n\r\n: hm\r\rdata: 🏔\ndata: b\r\n\n\ndata: c\r\n".encode()
    decoder, events = SSEDecoder(), []
    for at in range(0, len(data), size):
        events += decoder.feed(data[at : at + size])

    assert ["Zürich", "🏔\nb", "c"] == events + decoder.flush()


def test_an_event_is_handed_out_as_soon_as_its_blank_line_has_come():
    decoder = SSEDecoder()

    assert [] == decoder.feed(b"data: a\n")
    assert ["a"] == decoder.feed(b"\n")
    assert [] == decoder.feed(b"")


def test_an_event_that_ends_with_a_lone_cr_is_not_held_back():
    assert ["a"] == SSEDecoder().feed(b"data: a\r\r")


@pytest.mark.parametrize("data", [b"data: \xff\n\n", b"data: \xc3\n\n", b"data: \xff", b"\xef\xbb"])
def test_bytes_that_are_no_utf_8_are_a_fault(data):
    assert ([], Kind.UNREADABLE) == decode(data)


def test_the_events_before_a_fault_are_handed_out_and_none_after_it():
    decoder = SSEDecoder()

    assert ["a"] == decoder.feed(b"data: a\n\ndata: \xff\n\ndata: b\n\n")
    assert [] == decoder.feed(b"data: c\n\n")
    assert [] == decoder.flush()
    assert Kind.UNREADABLE is decoder.fault.kind


LIMIT = len(b"data: 4567")


@pytest.mark.parametrize(
    ("pieces", "events", "fault"),
    [
        ([b"data: 4567\n\n"], ["4567"], None),
        ([b"data: 4567\n", b"\n"], ["4567"], None),  # a line end is no part of the event
        ([b"\n", b"data: 4567", b"\n\n"], ["4567"], None),
        ([b"data: 45678\n\n"], [], Kind.TOO_BIG),
        ([b"data: 45678"], [], Kind.TOO_BIG),
        ([b"data: a\n\ndata: 45678\n\n"], ["a"], Kind.TOO_BIG),
        ([b"data: a\n\ndata: 45678"], ["a"], Kind.TOO_BIG),
        ([b"data: 4567\n\n" * 3], ["4567"] * 3, None),  # each event, not all of them
        ([b"data: ", b"4567", b"8"], [], Kind.TOO_BIG),
        ([b"data: 45678\n\ndata: \xff\n\n"], [], Kind.TOO_BIG),
        ([b"data: \xff\n\ndata: 45678\n\n"], [], Kind.UNREADABLE),
    ],
)
def test_an_event_may_be_so_large_and_no_larger(pieces, events, fault):
    decoder, seen = SSEDecoder(max_event_bytes=LIMIT), []
    for piece in pieces:
        seen += decoder.feed(piece)
    seen += decoder.flush()

    assert (events, fault) == (seen, decoder.fault and decoder.fault.kind)


def test_an_event_may_hold_an_image_of_a_few_megabytes():
    assert 8 * 1024 * 1024 == MAX_EVENT_BYTES
    assert "8,388,608 bytes" in _too_big().message


def _too_big():
    decoder = SSEDecoder()
    decoder.feed(b"x" * (MAX_EVENT_BYTES + 1))
    return decoder.fault
