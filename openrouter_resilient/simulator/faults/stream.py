"""Faults of a stream under a 200, and oddities of it that the SSE standard allows.

Where a body was asked for, each row plays the nearest thing there is for a body.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from openrouter_resilient.simulator.completion import Event
from openrouter_resilient.simulator.exchange import (
    FOR_EVER,
    HTML_TYPE,
    answer_healthily,
)
from openrouter_resilient.simulator.row import Row, either

from . import body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from openrouter_resilient.simulator.exchange import Exchange
    from openrouter_resilient.simulator.message import Json
    from openrouter_resilient.simulator.row import Play

MEGABYTE = 1024 * 1024
TOKENS = ("text", "tool")


def before_break(exchange: Exchange) -> list[Event]:
    """Return the events up to as many deltas as the option `after` says."""
    kept: list[Event] = []
    tokens = 0
    for event in exchange.events():
        tokens += event.brings in TOKENS
        if tokens > exchange.count("after") or event.brings in ("finish", "usage"):
            break
        kept.append(event)
    return kept


def send_events(exchange: Exchange, events: Iterable[Event]) -> None:
    """Open the stream and write some events, each by itself."""
    exchange.begin_events()
    for event in events:
        exchange.event(event)


def cut_mid_stream(exchange: Exchange) -> None:
    """Close between two events, without the last chunk."""
    send_events(exchange, before_break(exchange))
    exchange.cut()


def reset_mid_stream(exchange: Exchange) -> None:
    """Reset between two events."""
    send_events(exchange, before_break(exchange))
    exchange.reset()


def end_without_finish(exchange: Exchange) -> None:
    """End the body in good order, the stream not."""
    send_events(exchange, before_break(exchange))
    exchange.finish()


def done_without_finish(exchange: Exchange) -> None:
    """Send the sentinel before the stream is whole."""
    send_events(exchange, before_break(exchange))
    exchange.piece(exchange.done)
    exchange.finish()


def cut_within(split: bytes) -> Play:
    """Close within the next event: after `split`, or in the middle if it is not there."""

    def play(exchange: Exchange) -> None:
        kept = before_break(exchange)
        send_events(exchange, kept)
        data = exchange.event_bytes(_with_umlaut(exchange.events()[min(len(kept), 1)].chunk))
        at = data.find(split) + 1 or len(data) // 2
        exchange.piece(data[:at])
        exchange.cut()

    return play


def cut_tool_call(exchange: Exchange) -> None:
    """Close in the middle of a tool call's arguments."""
    exchange.force_tool_call()
    cut_mid_stream(exchange)


def cut_tool_body(exchange: Exchange) -> None:
    """Close in the middle of a body with a tool call; the whole form of `cut_tool_call`."""
    if exchange.chat:
        exchange.force_tool_call()
    body.cut_by_length(exchange)


def then_error(error: Json, *, in_choice: bool = False) -> Play:
    """Send an error as an event, after some deltas or first of all, and end."""

    def play(exchange: Exchange) -> None:
        send_events(exchange, before_break(exchange) if "after" in exchange.options else [])
        chunk = _error_chunk(exchange, error, in_choice=in_choice)
        exchange.event(Event("error", chunk))
        exchange.finish()

    return play


def bad_event(exchange: Exchange) -> None:
    """Send one event that is no JSON, then go on as if nothing were amiss."""
    events = exchange.events()
    kept = len(before_break(exchange))
    send_events(exchange, events[:kept])
    exchange.piece(b'data: {"id": "gen-, "choices": [}\n\n')
    for event in events[kept:]:
        exchange.event(event)
    exchange.piece(exchange.done)
    exchange.finish()


def page_for_events(exchange: Exchange) -> None:
    """Send a page with the type of a page."""
    exchange.send(body.PAGE, HTML_TYPE)


def done_only(exchange: Exchange) -> None:
    """Send the sentinel and nothing else."""
    exchange.begin_events()
    exchange.piece(exchange.done)
    exchange.finish()


def finish_then_silence(exchange: Exchange) -> None:
    """Send a whole stream but for the sentinel, and keep the connection open."""
    send_events(exchange, exchange.events())
    exchange.wait(FOR_EVER)


def big_line(exchange: Exchange) -> None:
    """Send one line of many megabytes."""
    exchange.begin_events()
    exchange.event(exchange.events()[0])
    exchange.piece(b'data: {"choices": [{"delta": {"content": "')
    for _ in range(exchange.count("megabytes")):
        exchange.piece(b"x" * MEGABYTE)
    exchange.piece(b'"}}]}\n\n')
    exchange.piece(exchange.done)
    exchange.finish()


def written(write: Callable[[bytes], bytes], *, done: bool = True, size: int = 0) -> Play:
    """Send a healthy stream in other bytes that mean the same, `size` at a time."""

    def play(exchange: Exchange) -> None:
        events = exchange.events()
        exchange.begin_events()
        for number, event in enumerate(events):
            data = write(exchange.heard(event))
            opening = b"\xef\xbb\xbf" if write is _with_bom and not number else b""
            _in_parts(exchange, opening + data, size)
        if done:
            _in_parts(exchange, write(exchange.done), size)
        exchange.finish()

    return play


def rearranged(arrange: Callable[[Exchange, list[Event]], list[Event]]) -> Play:
    """Send a healthy stream with other chunks among its own."""

    def play(exchange: Exchange) -> None:
        send_events(exchange, arrange(exchange, exchange.events()))
        exchange.piece(exchange.done)
        exchange.finish()

    return play


def _in_parts(exchange: Exchange, data: bytes, size: int) -> None:
    for start in range(0, len(data), size or len(data) or 1):
        exchange.piece(data[start : start + (size or len(data))])


def _with_umlaut(chunk: Json) -> Json:
    """Make sure that there is a character of two bytes to cut through."""
    choice = {"index": 0, "delta": {"content": " über"}, "finish_reason": None}
    return chunk | {"choices": [choice]}


def _error_chunk(exchange: Exchange, error: Json, *, in_choice: bool) -> Json:
    chunk = {name: part for name, part in exchange.events()[0].chunk.items() if name != "choices"}
    choice: Json = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
    if in_choice:
        choice["error"] = error
    else:
        chunk["error"] = error
    return chunk | {"choices": [choice]}


def _with_bom(data: bytes) -> bytes:
    return data


def _multi_line(data: bytes) -> bytes:
    """Spread an event's JSON over several data lines; the standard joins them by newlines."""
    text = data.removeprefix(b"data: ").strip()
    if not text.startswith(b"{"):
        return data
    lines = json.dumps(json.loads(text), indent=1).split("\n")
    return "".join(f"data: {line}\n" for line in lines).encode() + b"\n"


def _with_fields(data: bytes) -> bytes:
    return b"event: message\nid: 7\nretry: 3000\nflavour: sweet\nnothing\n" + data


def _with_comments(data: bytes) -> bytes:
    return b": OPENROUTER PROCESSING\n\n" + data


def _like(event: Event, **change: object) -> Event:
    return Event("odd", {**event.chunk, **change})


def _usage_last(exchange: Exchange, events: list[Event]) -> list[Event]:
    usage = exchange.completion().usage()
    kept = [event for event in events if event.brings != "usage"]
    for event in kept:
        event.chunk.pop("usage", None)
    return [*kept, _like(events[-1], choices=[], usage=usage)]


def _empty_choices(_exchange: Exchange, events: list[Event]) -> list[Event]:
    return [events[0], _like(events[0], choices=[]), *events[1:]]


def _debug_first(_exchange: Exchange, events: list[Event]) -> list[Event]:
    return [_like(events[0], choices=[], debug={"echo_upstream_body": {"model": "x"}}), *events]


def _null_deltas(_exchange: Exchange, events: list[Event]) -> list[Event]:
    nothing = {"index": 0, "delta": {"content": None, "role": None}, "finish_reason": None}
    return [events[0], _like(events[0], choices=[nothing]), *events[1:]]


def _two_finishes(_exchange: Exchange, events: list[Event]) -> list[Event]:
    finish = next(index for index, event in enumerate(events) if event.brings == "finish")
    return [*events[: finish + 1], events[finish], *events[finish + 1 :]]


def _crlf(data: bytes) -> bytes:
    return data.replace(b"\n", b"\r\n")


def _cr(data: bytes) -> bytes:
    return data.replace(b"\n", b"\r")


def _tight(data: bytes) -> bytes:
    return data.replace(b"data: ", b"data:", 1)


AFTER = {"after": 2}
BIG = {"megabytes": 10}
GONE = {
    "code": 502,
    "message": "Provider disconnected mid-stream",
    "metadata": {"error_type": "provider_unavailable"},
}
LIMITED = {
    "code": 429,
    "message": "Rate limited mid-stream",
    "metadata": {"error_type": "rate_limit_exceeded"},
}
WORD = {"code": "server_error", "message": "Provider disconnected unexpectedly"}
TEXT_CODE = {"code": "429", "message": "Rate limited mid-stream"}
FAILED = body.error_under_200(502, "Provider disconnected mid-stream")
HALF = body.changed(body.finish_with_error)
ODD = answer_healthily  # an oddity of events alone: a body has nothing of the kind

# fmt: off
ROWS = (
    Row("cut_mid_stream",       "stream", "truncated",    "no [DONE], no finish: official SDKs end silently",   either(cut_mid_stream, body.cut_by_chunk), AFTER),
    Row("cut_mid_event",        "stream", "truncated",    "SSE, 9.2.6: an incomplete event is discarded",        either(cut_within(b"delta"), body.cut_by_chunk), AFTER),
    Row("cut_mid_utf8",         "stream", "truncated",    "RFC 3629, 3: half a character",                       either(cut_within(b"\xc3"), body.cut_by_chunk), AFTER),
    Row("reset_mid_stream",     "stream", "reset",        "RFC 9293, 3.5.2: RST after tokens",                   either(reset_mid_stream, body.cut_by_length), AFTER),
    Row("end_without_finish",   "stream", "truncated",    "a clean end of body that is no end of stream",        either(end_without_finish, body.spoiled(lambda data: data[:-9])), AFTER),
    Row("done_without_finish",  "stream", "truncated",    "a sentinel that lies",                                either(done_without_finish, body.cut_by_chunk), AFTER),
    Row("tool_call_cut",        "stream", "truncated",    "arguments that end half-way",                         either(cut_tool_call, cut_tool_body), AFTER),
    Row("error_first",          "stream", "unavailable",  "an error before any token, yet as an event",          either(then_error(GONE), FAILED)),
    Row("error_mid_stream",     "stream", "unavailable",  "streaming docs: an error after tokens",               either(then_error(GONE), FAILED), AFTER),
    Row("error_mid_stream_429", "stream", "rate_limited", "streaming docs: provider overload after tokens",      either(then_error(LIMITED), body.error_under_200(429, "Rate limited")), AFTER),
    Row("error_mid_stream_word", "stream", "server_error", "the docs' own example: code server_error",           either(then_error(WORD), body.error_under_200("server_error", "x")), AFTER),
    Row("error_mid_stream_text", "stream", "rate_limited", '`"code":"429"` (openclaude #1549)',               either(then_error(TEXT_CODE), body.error_under_200("429", "x")), AFTER),
    Row("choice_error_mid_stream", "stream", "unavailable", "choices[0].error (errors-and-debugging)",           either(then_error(GONE, in_choice=True), HALF), AFTER),
    Row("json_error_for_events", "stream", "unavailable", "an error object where events were due",               body.error_in_form),
    Row("html_for_events",      "stream", "unreadable",   "a page where events were due",                        page_for_events),
    Row("bad_json_event",       "stream", "unreadable",   "one event that cannot be read",                       either(bad_event, body.spoiled(lambda data: data[1:])), AFTER),
    Row("done_only",            "stream", "empty",        "a stream of nothing",                                 either(done_only, body.changed(body.empty_message("")))),
    Row("big_line",             "stream", "too_big",      "a line that does not end",                            either(big_line, body.huge), BIG),
    Row("no_done",              "stream", "",             "[DONE] is not promised (streaming docs)",             either(written(bytes, done=False), ODD)),
    Row("finish_then_silence",  "stream", "",             "the sentinel may never come",                         either(finish_then_silence, ODD)),
    Row("cr_lines",             "stream", "",             "SSE, 9.2.5: a line may end with CR",                  either(written(_cr), ODD)),
    Row("crlf_lines",           "stream", "",             "SSE, 9.2.5: a line may end with CRLF",                either(written(_crlf), ODD)),
    Row("crlf_byte_by_byte",    "stream", "",             "SSE, 9.2.5: CR and LF in two reads",                  either(written(_crlf, size=1), ODD)),
    Row("byte_by_byte",         "stream", "",             "RFC 9112, 7.1: chunks may be cut anywhere",           either(written(bytes, size=1), ODD)),
    Row("multiline_data",       "stream", "",             "SSE, 9.2.6: data lines are joined",                   either(written(_multi_line), ODD)),
    Row("bom_first",            "stream", "",             "SSE, 9.2.5: one leading BOM is ignored",              either(written(_with_bom), ODD)),
    Row("other_fields",         "stream", "",             "SSE, 9.2.6: event, id, retry, unknown ones",          either(written(_with_fields), ODD)),
    Row("no_space_after_colon", "stream", "",             "SSE, 9.2.6: the space is optional",                   either(written(_tight), ODD)),
    Row("comments_between",     "stream", "",             "`: OPENROUTER PROCESSING` among tokens",              either(written(_with_comments), ODD)),
    Row("usage_last",           "stream", "",             "usage comes last, with empty choices",                either(rearranged(_usage_last), ODD)),
    Row("empty_choices_chunk",  "stream", "",             "Azure: a chunk with empty choices first",             either(rearranged(_empty_choices), ODD)),
    Row("debug_chunk_first",    "stream", "",             "debug.echo_upstream_body",                            either(rearranged(_debug_first), ODD)),
    Row("null_deltas",          "stream", "",             "deltas of nothing but nulls",                         either(rearranged(_null_deltas), ODD)),
    Row("two_finishes",         "stream", "",             "a finish that is said twice",                         either(rearranged(_two_finishes), ODD)),
)
# fmt: on
