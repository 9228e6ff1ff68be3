"""The request's fault is told at once, in the server's words, from whichever route it came."""

from __future__ import annotations

import json
import traceback

import pytest

from openrouter_resilient import (
    ContentBlocked,
    InvalidRequest,
    RequestRefused,
    ResilientError,
    StreamInterrupted,
)
from openrouter_resilient.simulator import CATALOGUE

from .conftest import read_request

ROUTES = {
    "openrouter": "openai/gpt-4o",
    "openai": "openai:gpt-4o",
    "groq": "groq:llama-3.3-70b-versatile",
    "anthropic": "anthropic:claude-sonnet-5",
}
OTHERS = {face: route for face, route in ROUTES.items() if face != "openrouter"}
REFUSALS = {"invalid_request": InvalidRequest, "blocked": ContentBlocked}
ROWS = [name for name, row in CATALOGUE.items() if row.kind in REFUSALS]


def refusal(client, **options):
    with pytest.raises(RequestRefused) as caught:
        client.complete("hi", **options)
    return caught.value


@pytest.mark.parametrize("face", ROUTES)
@pytest.mark.parametrize("fault", ROWS)
def test_a_refusal_is_raised_at_once_from_every_route_and_nobody_else_is_asked(
    simulator, make_client, face, fault
):
    simulator.play(face, fault)
    behind = [route for other, route in OTHERS.items() if other != face]

    error = refusal(make_client(ROUTES[face], fallbacks=behind))

    (request,) = simulator.requests
    assert (face, REFUSALS[CATALOGUE[fault].kind]) == (error.endpoint, type(error))
    assert request.answered.status == error.status
    assert request.answered.request_id == error.request_id == error.history[0].request_id
    assert [face] == [attempt.endpoint for attempt in error.history]
    assert error.server_message in str(error)
    assert error.server_message


@pytest.mark.parametrize("face", OTHERS)
def test_a_refusal_by_a_fallback_ends_the_call_as_well(simulator, make_client, face):
    simulator.outage("openrouter")
    simulator.play(face, "status_422")

    error = refusal(make_client(fallbacks=[OTHERS[face]]))

    assert [("openrouter", "refused"), (face, "invalid_request")] == [
        (attempt.endpoint, attempt.fault) for attempt in error.history
    ]


SAID = [
    ("status_400", "anthropic", (400, None, None), "Input validation error"),
    ("status_400_type", "openrouter", (400, "400", "invalid_request"), "Invalid request"),
    (
        "status_400_content_policy",
        "openrouter",
        (400, "400", "content_policy_violation"),
        "Input was flagged by the content policy",
    ),
    (
        "status_400_content_policy",
        "groq",
        (400, "content_policy_violation", None),
        "rejected as a result of our safety system",
    ),
    ("status_403_guardrail", "openrouter", (403, "403", None), "prompt injection patterns"),
    ("status_403_moderation", "openrouter", (403, "403", None), "flagged by moderation"),
    ("status_413", "openai", (413, None, None), "Request payload too large"),
]


@pytest.mark.parametrize(("fault", "face", "facts", "words"), SAID)
def test_a_refusal_says_what_the_server_said(simulator, make_client, fault, face, facts, words):
    simulator.play(face, fault)

    error = refusal(make_client(ROUTES[face], fallbacks=()))

    assert facts == (error.status, error.code, error.error_type)
    assert words in error.server_message


def test_a_key_that_is_a_word_of_the_answer_does_not_spoil_the_record(serve, make_client):
    """`ollama` is what many a local server is given for a key."""
    data = json.dumps(
        {
            "model": "ollama/llama3",
            "choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}],
        }
    ).encode()

    def play(sock, _ended):
        read_request(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(data), data))

    url, _ = serve(play)

    served = make_client(base_url=url, api_key="ollama").complete("hi").served

    assert "ollama/llama3" == served.model


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500, 503, 200])
@pytest.mark.parametrize(
    "body",
    [
        lambda key: json.dumps({"error": {"message": f"bad {key}", "code": key}}),
        lambda key: json.dumps({"error": {"message": "x", "metadata": {"error_type": key}}}),
        lambda key: json.dumps({"error": {"message": "x", "metadata": {"provider_name": key}}}),
        lambda key: f"<html><title>{key}</title></html>",
        lambda key: f"no JSON but {key}",
        lambda key: f'{{"half": "{key}',
    ],
    ids=["message", "error_type", "provider", "page", "text", "half"],
)
def test_a_body_that_echoes_the_key_shows_it_nowhere(
    serve, make_client, simulator, log, status, body
):
    key = simulator.key("openrouter")
    data = body(key).encode()

    def play(sock, _ended):
        read_request(sock)
        sock.sendall(
            b"HTTP/1.1 %d X\r\nX-Request-Id: %s\r\nContent-Length: %d\r\n\r\n%s"
            % (status, key.encode(), len(data), data)
        )

    url, _ = serve(play)

    with pytest.raises(ResilientError) as caught:
        make_client(base_url=url, fallbacks=(), rounds=1, jitter=lambda: 0.0).complete("hi")

    error = caught.value
    seen = [str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)]
    assert not [text for text in [*seen, log.getvalue()] if key in text]


@pytest.mark.parametrize("last", [{"usage": "plenty"}, {"id": 7}], ids=["usage", "id"])
def test_odd_values_at_the_end_of_a_stream_are_an_interruption_that_keeps_the_text(
    serve, make_client, last
):
    """They show only when the whole is put together, after the text was handed over."""
    chunks = [
        {"choices": [{"index": 0, "delta": {"content": "hi"}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], **last},
    ]
    data = b"".join(b"data: %s\n\n" % json.dumps(chunk).encode() for chunk in chunks)

    def play(sock, _ended):
        read_request(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(data), data))

    url, _ = serve(play)
    shown = []

    with (
        pytest.raises(StreamInterrupted, match="unreadable") as caught,
        make_client(base_url=url).stream("hi") as stream,
    ):
        shown.extend(stream)

    assert ["hi"] == shown
    assert "hi" == caught.value.partial.text
