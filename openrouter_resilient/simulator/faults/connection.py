"""Faults of the connection: before, around and after the head of a reply."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openrouter_resilient.simulator.exchange import FOR_EVER, JSON_TYPE, answer_healthily
from openrouter_resilient.simulator.listener import Listener
from openrouter_resilient.simulator.message import response_head
from openrouter_resilient.simulator.row import ENCRYPTED, PortState, Row

if TYPE_CHECKING:
    from openrouter_resilient.simulator.exchange import Exchange


def close(exchange: Exchange) -> None:
    """Close without a word."""
    exchange.cut()


def reset(exchange: Exchange) -> None:
    """Reset without a word."""
    exchange.reset()


def slow_accept(exchange: Exchange) -> None:
    """Take a while before reading the first request."""
    exchange.wait(exchange.number("seconds"))


def reset_within_headers(exchange: Exchange) -> None:
    """Write half a head, then reset."""
    head = response_head(200, [("Content-Type", JSON_TYPE), ("X-Filler", "x" * 100)])
    exchange.connection.write(head[: len(head) // 2])
    exchange.reset()


def reset_after_headers(exchange: Exchange) -> None:
    """Promise a body, then reset."""
    exchange.begin(200, ("Content-Type", JSON_TYPE), ("Content-Length", "1000"))
    exchange.reset()


def garble_handshake(exchange: Exchange) -> None:
    """Answer a ClientHello with what is no TLS record."""
    exchange.connection.read_some()
    exchange.connection.write(b"\x00\xff this is no handshake \xff\x00" * 8)
    exchange.cut()


def stall_handshake(exchange: Exchange) -> None:
    """Read, and never answer."""
    exchange.wait(FOR_EVER)


def close_stale(exchange: Exchange) -> None:
    """Close a connection that was used before, as a request arrives on it; serve a new one."""
    if exchange.connection.served:
        exchange.cut()
    else:
        exchange.said.fault = None
        answer_healthily(exchange)


def close_after_reply(exchange: Exchange) -> None:
    """Close after a good reply, without having said so."""
    answer_healthily(exchange)
    exchange.cut()


def not_http(exchange: Exchange) -> None:
    """Speak another protocol."""
    exchange.connection.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
    exchange.cut()


def body_until_close(exchange: Exchange) -> None:
    """End the body by closing, as HTTP/1.0 did."""
    body = exchange.whole()
    exchange.begin(200, ("Content-Type", JSON_TYPE), ("Connection", "close"))
    exchange.said.hear(body)
    exchange.connection.write(exchange.encoded(body))
    exchange.cut()


NAMELESS = "http://{name}.invalid:{port}"
REFUSE, HANG = PortState(Listener.refuse), PortState(Listener.saturate)
SLOW = {"seconds": 0.2}

# fmt: off
ROWS = (
    Row("refused",             "connection", "refused",          "2025-02-03, 2025-08-28: API unreachable; RFC 9293, 3.10.7.1",     REFUSE, when="port"),
    Row("unresolved",          "connection", "unresolved",       "RFC 6761, 6.4: .invalid never resolves",                          REFUSE, {"name": "simulated"}, when="port", url=NAMELESS),
    Row("connect_hangs",       "connection", "connect_timeout",  "a full backlog drops the SYN (Linux tcp(7)); what a dead host does", HANG, when="port"),
    Row("accept_and_close",    "connection", "reset",            "RFC 9112, 9.5: a server may close at any time",                   close, when="accept"),
    Row("accept_and_reset",    "connection", "reset",            "a proxy without a backend",                                       reset, when="accept"),
    Row("slow_accept",         "connection", "",                 "a server whose accept queue is long",                             slow_accept, SLOW, when="accept"),
    Row("close_before_headers", "connection", "reset",           "RFC 9112, 9.5: closed before a reply",                            close),
    Row("reset_before_headers", "connection", "reset",           "RFC 9293, 3.5.2: RST, the process died",                          reset),
    Row("reset_within_headers", "connection", "reset",           "RFC 9112, 8: a head that is not complete",                        reset_within_headers),
    Row("reset_after_headers", "connection", "reset",            "a 200 stands long before the outcome is known (nanobot #2288)",   reset_after_headers),
    Row("tls_garbage",         "connection", "tls",              "RFC 8446, 6.2: unexpected_message",                               garble_handshake, when="accept", url=ENCRYPTED),
    Row("tls_to_plain",        "connection", "tls",              "https asked of a port that speaks http",                          answer_healthily, url=ENCRYPTED),
    Row("tls_stall",           "connection", "connect_timeout",  "a handshake that is never answered",                              stall_handshake, when="accept", url=ENCRYPTED),
    Row("stale_connection",    "connection", "stale_connection", "RFC 9112, 9.3.1: an idle connection closed under the request",    close_stale),
    Row("close_after_reply",   "connection", "",                 "RFC 9112, 9.6: closed without `Connection: close`",               close_after_reply),
    Row("not_http",            "connection", "unreadable",       "another service on the port",                                     not_http),
    Row("body_until_close",    "connection", "",                 "RFC 9112, 6.3, rule 8: length by closing",                        body_until_close),
)
# fmt: on
