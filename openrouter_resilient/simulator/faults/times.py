"""Faults of time: silence, dripping, stalling, and slowness that is no fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openrouter_resilient.simulator.exchange import (
    EVENTS_TYPE,
    FOR_EVER,
    JSON_TYPE,
    answer_healthily,
)
from openrouter_resilient.simulator.message import response_head
from openrouter_resilient.simulator.row import Row, either

if TYPE_CHECKING:
    from openrouter_resilient.simulator.exchange import Exchange
    from openrouter_resilient.simulator.row import Play

COMMENT = b": OPENROUTER PROCESSING\n\n"
PADDING = b"\n         \n"


def no_headers(exchange: Exchange) -> None:
    """Say nothing at all."""
    exchange.wait(FOR_EVER)


def drip_headers(exchange: Exchange) -> None:
    """Write a head one byte at a time; it never ends."""
    for byte in response_head(200, [("X-Filler", "x" * 100_000)])[:-4]:
        exchange.connection.write(bytes([byte]))
        exchange.wait(exchange.number("interval"))


def headers_only(exchange: Exchange) -> None:
    """Write a good head, then nothing."""
    exchange.begin_body(EVENTS_TYPE if exchange.streaming else JSON_TYPE)
    exchange.wait(FOR_EVER)


def endless(noise: bytes, content_type: str) -> Play:
    """Keep the connection alive for ever."""

    def play(exchange: Exchange) -> None:
        exchange.begin_body(content_type)
        while True:
            exchange.piece(noise)
            exchange.wait(exchange.number("interval"))

    return play


def drip_body(exchange: Exchange) -> None:
    """Write a good body one byte at a time."""
    body = exchange.whole()
    exchange.begin_body(JSON_TYPE)
    *first, last = exchange.encoded(body)
    for byte in first:
        exchange.piece(bytes([byte]))
        exchange.wait(exchange.number("interval"))
    exchange.said.hear(body)
    exchange.piece(bytes([last]))
    exchange.finish()


def first_token_late(exchange: Exchange) -> None:
    """Open the stream at once; the first token comes late."""
    events = exchange.events()
    exchange.begin_events()
    exchange.wait_aloud(exchange.number("seconds"), exchange.face.comment)
    for event in events:
        exchange.event(event)
    exchange.piece(exchange.done)
    exchange.finish()


def json_late(exchange: Exchange) -> None:
    """Open the body at once; the JSON comes late; the whole form of `first_token_late`."""
    body = exchange.whole()
    exchange.begin_body(JSON_TYPE)
    exchange.wait_aloud(exchange.number("seconds"), exchange.face.whole_padding)
    exchange.said.hear(body)
    exchange.piece(exchange.encoded(body))
    exchange.finish()


def role_only(exchange: Exchange) -> None:
    """Send the opening chunk, which is no token, and nothing else."""
    opening = exchange.events()[0]
    exchange.begin_events()
    exchange.event(opening)
    exchange.wait(FOR_EVER)


def stall(exchange: Exchange) -> None:
    """Stop between two tokens for a while, then go on."""
    events = exchange.events()
    exchange.begin_events()
    tokens = 0
    for event in events:
        if event.brings in ("text", "tool"):
            if tokens == exchange.count("after"):
                exchange.wait(exchange.number("seconds"))
            tokens += 1
        exchange.event(event)
    exchange.piece(exchange.done)
    exchange.finish()


def stall_in_body(exchange: Exchange) -> None:
    """Stop in the middle of a body for a while, then go on; the whole form of `stall`."""
    body = exchange.whole()
    data = exchange.encoded(body)
    exchange.begin_body(JSON_TYPE)
    exchange.piece(data[: len(data) // 2])
    exchange.wait(exchange.number("seconds"))
    exchange.said.hear(body)
    exchange.piece(data[len(data) // 2 :])
    exchange.finish()


def slow_but_steady(exchange: Exchange) -> None:
    """Wait a little before each event."""
    events = exchange.events()
    exchange.begin_events()
    for event in events:
        exchange.wait(exchange.number("interval"))
        exchange.event(event)
    exchange.piece(exchange.done)
    exchange.finish()


def slow_body(exchange: Exchange) -> None:
    """Write a body in ten parts, waiting before each; the whole form of `slow_but_steady`."""
    body = exchange.whole()
    data = exchange.encoded(body)
    size = -(-len(data) // 10)
    exchange.begin_body(JSON_TYPE)
    exchange.said.hear(body)
    for start in range(0, len(data), size):
        exchange.wait(exchange.number("interval"))
        exchange.piece(data[start : start + size])
    exchange.finish()


def before_limit(exchange: Exchange) -> None:
    """Answer when a limit is almost over."""
    exchange.wait(max(0.0, exchange.number("seconds") - exchange.number("margin")))
    answer_healthily(exchange)


def after_limit(exchange: Exchange) -> None:
    """Answer when a limit is just over."""
    exchange.wait(exchange.number("seconds") + exchange.number("margin"))
    answer_healthily(exchange)


DRIP = {"interval": 1.0}
LIMIT = {"seconds": 1.0, "margin": 0.2}
STALL = {"after": 2, "seconds": FOR_EVER}

# fmt: off
ROWS = (
    Row("no_headers",        "time", "silent",  "a model that hangs; RFC 9110 sets no limit",                   no_headers),
    Row("headers_only",      "time", "silent",  "a 200 stands long before the outcome is known",                headers_only),
    Row("drip_headers",      "time", "silent",  "slow loris, from the other side; requests' timeout is per read", drip_headers, DRIP),
    Row("endless_comments",  "time", "silent",  "`: OPENROUTER PROCESSING` while the model is queued",          either(endless(COMMENT, EVENTS_TYPE), endless(PADDING, JSON_TYPE)), DRIP),
    Row("endless_padding",   "time", "silent",  "curl prints a batch of newlines (CLIProxyAPI #2690)",          endless(PADDING, JSON_TYPE), DRIP),
    Row("drip_body",         "time", "silent",  "a proxy that flushes each byte; RFC 9112, 7.1",                drip_body, DRIP),
    Row("first_token_late",  "time", "silent",  "a long queue, kept alive by comments or padding",              either(first_token_late, json_late), {"seconds": 30.0}),
    Row("role_then_silence", "time", "silent",  "the role-only first chunk is no token",                        either(role_only, headers_only)),
    Row("stall_mid_stream",  "time", "stalled", "provider read timeout after tokens (errors-and-debugging)",    either(stall, stall_in_body), STALL),
    Row("slow_but_steady",   "time", "",        "a large model under load",                                     either(slow_but_steady, slow_body), {"interval": 0.02}),
    Row("just_before",       "time", "",        "an answer when a limit is almost over",                        before_limit, LIMIT),
    Row("just_after",        "time", "silent",  "an answer when a limit is just over",                          after_limit, LIMIT),
)
# fmt: on
