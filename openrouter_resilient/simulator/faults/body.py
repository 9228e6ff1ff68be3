"""Faults of a whole body under a 200; also where events were asked for, as the real APIs do."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

from openrouter_resilient.simulator.exchange import EVENTS_TYPE, HTML_TYPE, JSON_TYPE
from openrouter_resilient.simulator.message import LAST_CHUNK, chunk
from openrouter_resilient.simulator.refusal import Refusal
from openrouter_resilient.simulator.row import Row

if TYPE_CHECKING:
    from collections.abc import Callable

    from openrouter_resilient.simulator.exchange import Exchange
    from openrouter_resilient.simulator.message import Header, Json
    from openrouter_resilient.simulator.row import Play

MEGABYTE = 1024 * 1024
PADDING = b"\n         \n" * 40
PAGE = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body></body></html>"
GZIP: Header = ("Content-Encoding", "gzip")

# well-framed replies: the healthy body, changed


def changed(change: Callable[[Json], object]) -> Play:
    """Send the healthy JSON after a change; what is said is what is sent."""

    def play(exchange: Exchange) -> None:
        body = exchange.whole()
        if "choices" in body:  # a list of models has nothing of the kind to spoil
            change(body)
        exchange.send_json(body)

    return play


def rewritten(rewrite: Callable[[bytes], bytes], *headers: Header) -> Play:
    """Send the healthy JSON in other bytes that mean the same."""

    def play(exchange: Exchange) -> None:
        body = exchange.whole()
        exchange.said.hear(body)
        exchange.send(rewrite(exchange.encoded(body)), JSON_TYPE, *headers)

    return play


def spoiled(spoil: Callable[[bytes], bytes], *headers: Header) -> Play:
    """Send the healthy JSON in bytes that cannot be read; so nothing of it counts as said."""

    def play(exchange: Exchange) -> None:
        exchange.send(spoil(exchange.encoded(exchange.whole())), JSON_TYPE, *headers)

    return play


def constant(data: bytes, content_type: str = JSON_TYPE) -> Play:
    """Send the same bytes whatever was asked."""

    def play(exchange: Exchange) -> None:
        exchange.send(data, content_type)

    return play


def make_unknown(body: Json) -> None:
    """Put fields and values in that no client can know."""
    body.update(quantum_state={"spin": [1, None]}, object="chat.completion.v7", service_tier="warp")
    body["choices"][0].update(finish_reason="galactic", mood="good")
    body["choices"][0]["message"].update(role="assistant", dreams=[{"type": "dream"}])
    body["usage"] = {**(body.get("usage") or {}), "photons": 7}


def finish_with_error(body: Json) -> None:
    """End with an error, after half of the text."""
    choice = body["choices"][0]
    text = choice["message"]["content"] or ""
    choice["message"]["content"] = text[: len(text) // 2]
    choice["finish_reason"] = "error"
    choice["error"] = {"code": 502, "message": "Upstream error", "metadata": None}


def empty_message(content: str | None) -> Callable[[Json], object]:
    """Answer nothing, with no completion tokens, as while a model warms up."""

    def change(body: Json) -> None:
        body["choices"][0]["message"] = {"role": "assistant", "content": content}
        body["usage"] = {**(body.get("usage") or {}), "completion_tokens": 0}

    return change


def error_under_200(code: object, message: str, **more: object) -> Play:
    """Send an error object under a 200."""

    def play(exchange: Exchange) -> None:
        error: Json = {"message": message, **more}
        if code is not None:
            error["code"] = code
        exchange.send_json({"id": exchange.question.id, "error": error})

    return play


def error_in_form(exchange: Exchange) -> None:
    """Send the face's own error body under a 200."""
    exchange.send_json(exchange.error(Refusal(503, "Service temporarily unavailable")))


def as_events(exchange: Exchange) -> None:
    """Send events, whatever was asked."""
    exchange.begin_body(EVENTS_TYPE)
    for event in exchange.events() if exchange.chat else []:
        exchange.event(event)
    exchange.piece(exchange.done)
    exchange.finish()


def as_comment(exchange: Exchange) -> None:
    """Send a keep-alive comment where JSON was due, and end."""
    exchange.send(b": OPENROUTER PROCESSING\n\n" * 3, JSON_TYPE)


# badly framed replies


def cut_by_length(exchange: Exchange) -> None:
    """Promise a length, deliver half of it."""
    data = exchange.encoded(exchange.whole())
    exchange.begin(200, ("Content-Type", JSON_TYPE), ("Content-Length", str(len(data))))
    exchange.connection.write(data[: len(data) // 2])
    exchange.cut()


def cut_by_chunk(exchange: Exchange) -> None:
    """Begin a chunked body, leave out its end."""
    data = exchange.encoded(exchange.whole())
    exchange.begin_body(JSON_TYPE)
    exchange.piece(data[: len(data) // 2])
    exchange.cut()


def two_lengths(exchange: Exchange) -> None:
    """Promise two different lengths."""
    data = exchange.encoded(exchange.whole())
    lengths = (("Content-Length", str(len(data))), ("Content-Length", str(len(data) + 7)))
    exchange.begin(200, ("Content-Type", JSON_TYPE), *lengths)
    exchange.connection.write(data)
    exchange.cut()


def chunk_extensions(exchange: Exchange) -> None:
    """Use what the chunked coding allows and hardly anybody sends: extensions and trailers."""
    body = exchange.whole()
    data = exchange.encoded(body)
    exchange.begin_body(JSON_TYPE)
    exchange.said.hear(body)
    size, rest = chunk(data).split(b"\r\n", 1)
    trailer = LAST_CHUNK[:-2] + b"X-Checksum: simulated\r\n\r\n"
    exchange.connection.write(size + b';name="value"\r\n' + rest + trailer)


def huge(exchange: Exchange) -> None:
    """Send a JSON string that does not end for a very long time, from one block."""
    megabytes, block = exchange.count("megabytes"), b"x" * MEGABYTE
    exchange.begin_body(JSON_TYPE)
    exchange.piece(b'{"id": "')
    for _ in range(megabytes):
        exchange.piece(block)
    exchange.piece(b'"}')
    exchange.finish()


def gzip_bomb(exchange: Exchange) -> None:
    """Send a few kilobytes that unpack to very much; gzip members may follow one another."""
    member = gzip.compress(b"x" * MEGABYTE)  # RFC 1952, 2.2
    members = gzip.compress(b'{"id": "') + member * exchange.count("megabytes")
    exchange.send(members + gzip.compress(b'"}'), JSON_TYPE, GZIP)


def _bad_utf8(data: bytes) -> bytes:
    return data.replace(b"{", b'{"\xff\xfe\xc3":1,', 1)


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _not_a_number(data: bytes) -> bytes:
    return data[:-1] + b',"score":NaN}'


BIG = {"megabytes": 200}
DEEP = b"[" * 100_000
OVERLOADED = "Upstream error from Nvidia: Service temporarily overloaded"

# fmt: off
ROWS = (
    Row("empty_body",           "body", "empty",      "a 200 of no bytes",                                    constant(b"")),
    Row("whitespace_only",      "body", "empty",      "padding, and the JSON never came (nanobot #2288)",     constant(PADDING)),
    Row("html_200",             "body", "unreadable", "an interstitial page under a 200",                     constant(PAGE, HTML_TYPE)),
    Row("comment_for_json",     "body", "empty",      "stream flags mixed up (CLIProxyAPI #417)",             as_comment),
    Row("truncated_length",     "body", "truncated",  "RFC 9112, 8: fewer bytes than Content-Length",         cut_by_length),
    Row("truncated_chunks",     "body", "truncated",  "RFC 9112, 8: no last chunk",                           cut_by_chunk),
    Row("half_json",            "body", "truncated",  "well framed, but half the JSON (litellm #31413)",      spoiled(_half)),
    Row("two_lengths",          "body", "unreadable", "RFC 9112, 6.3, rule 5: differing lengths",             two_lengths),
    Row("chunk_extensions",     "body", "",           "RFC 9112, 7.1.1 and 7.1.2",                            chunk_extensions),
    Row("bad_gzip",             "body", "unreadable", "Content-Encoding says gzip, the bytes do not",         spoiled(bytes, GZIP)),
    Row("good_gzip",            "body", "",           "RFC 9110, 8.4.1.3",                                    rewritten(gzip.compress, GZIP)),
    Row("gzip_bomb",            "body", "too_big",    "RFC 1952: a thousand to one",                          gzip_bomb, BIG),
    Row("huge_body",            "body", "too_big",    "a body without an end in sight",                       huge, BIG),
    Row("bad_utf8",             "body", "unreadable", "RFC 8259, 8.1: JSON is UTF-8",                         spoiled(_bad_utf8)),
    Row("bom",                  "body", "",           "RFC 8259, 8.1: a parser may ignore a BOM",             rewritten(lambda data: b"\xef\xbb\xbf" + data)),
    Row("padding_before_json",  "body", "",           "newlines, then the JSON (CLIProxyAPI #2690)",          rewritten(lambda data: PADDING + data)),
    Row("nan_literal",          "body", "unreadable", "RFC 8259, 6: NaN is not JSON",                         spoiled(_not_a_number)),
    Row("deep_nesting",         "body", "unreadable", "RFC 8259, 9: a parser may limit depth",                constant(DEEP)),
    Row("json_not_an_object",   "body", "unreadable", 'a proxy that says "ok"',                               constant(json.dumps("ok").encode())),
    Row("error_under_200",      "body", "unavailable", "OpenJarvis #970, 2026-09-07",                         error_under_200(502, OVERLOADED)),
    Row("error_under_200_429",  "body", "rate_limited", "upstream 429 under a 200",                           error_under_200(429, "Provider returned error")),
    Row("error_code_as_text",   "body", "rate_limited", 'a code of "429" (openclaude #1549)',                 error_under_200("429", "Rate limited", type="rate_limit_error")),
    Row("error_code_as_word",   "body", "server_error", 'a code of "server_error" (streaming docs)',          error_under_200("server_error", "Server error")),
    Row("error_without_code",   "body", "unavailable", "error_type and http_status (availability examples)",  error_under_200(None, "Unavailable", error_type="provider_unavailable", http_status=503)),
    Row("error_in_own_form",    "body", "unavailable", "the face's error body, its status lost on the way",   error_in_form),
    Row("choices_null",         "body", "empty",      "what openai-python makes of a failed 200",             changed(lambda body: body.update(choices=None))),
    Row("choices_empty",        "body", "empty",      "a reply that chose nothing",                           changed(lambda body: body.update(choices=[]))),
    Row("choice_without_message", "body", "empty",    "a reply that says nothing",                            changed(lambda body: body["choices"][0].pop("message"))),
    Row("empty_content",        "body", "empty",      "warm-up; zero-completion insurance",                   changed(empty_message(""))),
    Row("null_content",         "body", "empty",      "warm-up; zero-completion insurance",                   changed(empty_message(None))),
    Row("finish_error",         "body", "unavailable", "finish_reason error with half a text (docs)",         changed(finish_with_error)),
    Row("missing_model",        "body", "",           "Groq and proxies leave fields out",                    changed(lambda body: body.pop("model"))),
    Row("missing_usage",        "body", "",           "a proxy that does not count",                          changed(lambda body: body.pop("usage"))),
    Row("unknown_everything",   "body", "",           "versioning: new fields and enum values come unannounced", changed(make_unknown)),
    Row("events_for_json",      "body", "",           "events, whatever was asked",                           as_events),
    Row("json_for_events",      "body", "",           "one JSON body, whatever was asked",                    rewritten(bytes)),
)
# fmt: on
