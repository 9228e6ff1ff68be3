"""HTTP as a client needs it: keep-alive, other framings, and a record that tells no secret."""

from __future__ import annotations

import http.client
import json
import threading
import time

import pytest
import requests

from openrouter_resilient.simulator import Simulator

from .raw import ask, body_for, talk


def connect(simulator: Simulator) -> http.client.HTTPConnection:
    """Open a connection that is kept."""
    return http.client.HTTPConnection("127.0.0.1", port_of(simulator), timeout=5)


def port_of(simulator: Simulator) -> int:
    """Return OpenRouter's port."""
    return int(simulator.url("openrouter").split(":")[2].split("/")[0])


def post(
    connection: http.client.HTTPConnection, simulator: Simulator, *, stream: bool = False
) -> http.client.HTTPResponse:
    """Ask for a completion."""
    headers = {"Authorization": f"Bearer {simulator.key('openrouter')}"}
    body = json.dumps(body_for("openrouter", stream=stream))
    connection.request("POST", "/api/v1/chat/completions", body, headers)
    return connection.getresponse()


def test_a_connection_serves_whole_and_streamed_answers_in_turn(simulator: Simulator) -> None:
    connection = connect(simulator)
    post(connection, simulator).read()
    socket_before = connection.sock

    for stream in (True, False, True):
        assert b"Simulated" in post(connection, simulator, stream=stream).read()

    assert socket_before is connection.sock
    connection.close()


def test_an_error_reply_keeps_the_connection(simulator: Simulator) -> None:
    simulator.play("openrouter", "status_500", times=1)
    connection = connect(simulator)

    assert [_status(post(connection, simulator)) for _ in range(2)] == [500, 200]
    connection.close()


def _status(response: http.client.HTTPResponse) -> int:
    response.read()
    return response.status


def test_a_stale_connection_is_closed_under_its_next_request(simulator: Simulator) -> None:
    simulator.play("openrouter", "stale_connection")
    connection = connect(simulator)
    post(connection, simulator).read()

    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        post(connection, simulator)

    assert [r.fault for r in simulator.requests] == [None, "stale_connection"]
    connection.close()


def test_a_chunked_request_with_expect_continue_is_read(simulator: Simulator) -> None:
    body = json.dumps(body_for("openrouter")).encode()
    head = (
        "POST /api/v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"Authorization: Bearer {simulator.key('openrouter')}\r\n"
        "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode()
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)

    heard = talk(port_of(simulator), head + chunks)

    assert heard.raw.startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert heard.text() == "Simulated answer to: hello there"


def test_http_1_0_gets_a_body_that_ends_with_the_connection(simulator: Simulator) -> None:
    body = json.dumps(body_for("openrouter", stream=True)).encode()
    head = (
        f"POST /api/v1/chat/completions HTTP/1.0\r\nContent-Length: {len(body)}\r\n"
        f"Authorization: Bearer {simulator.key('openrouter')}\r\n\r\n"
    ).encode()

    heard = talk(port_of(simulator), head + body)

    assert "transfer-encoding" not in heard.headers
    assert heard.text() == "Simulated answer to: hello there"


def test_a_client_that_leaves_a_silence_frees_its_thread(simulator: Simulator) -> None:
    threads = threading.active_count()
    simulator.play("openrouter", "no_headers")
    ask(simulator, patience=0.05)

    until, pause = time.monotonic() + 3, threading.Event()
    while threading.active_count() > threads and time.monotonic() < until:
        pause.wait(0.01)
    assert threads == threading.active_count()


def test_the_record_tells_what_arrived_in_order(simulator: Simulator) -> None:
    before = time.monotonic()
    ask(simulator, "openai")
    ask(simulator, "openrouter", HTTP_Referer="https://example.org")

    first, second = simulator.requests
    assert (first.face, second.face) == ("openai", "openrouter")
    assert (first.number, second.number) == (1, 2)
    assert before <= first.at <= second.at
    assert (second.method, second.path) == ("POST", "/api/v1/chat/completions")
    assert second.headers["http-referer"] == "https://example.org"
    assert simulator.key("openrouter") == second.key
    assert body_for("openrouter") == second.body
    assert [second] == simulator.received("openrouter")


def test_the_record_can_be_emptied_and_is_a_copy(simulator: Simulator) -> None:
    ask(simulator)
    copy = simulator.requests
    simulator.forget()

    assert (len(copy), simulator.requests) == (1, [])


def test_no_repr_shows_a_key_a_prompt_or_an_answer(simulator: Simulator) -> None:
    ask(simulator)
    shown = repr(simulator) + repr(simulator.requests)

    assert "hello there" not in shown
    assert not any(secret in shown for secret in _secrets(simulator))


def _secrets(simulator: Simulator) -> list[str]:
    return [text for name, text in simulator.environment().items() if name.endswith("_API_KEY")]


def test_the_environment_points_a_client_here(simulator: Simulator) -> None:
    environment = simulator.environment()

    assert simulator.url("groq") == environment["GROQ_BASE_URL"]
    assert simulator.key("anthropic") == environment["ANTHROPIC_API_KEY"]
    assert len(environment) == 8


def test_keys_differ_from_simulator_to_simulator(simulator: Simulator) -> None:
    assert Simulator().key("openai") != simulator.key("openai")


def test_requests_reads_a_healthy_answer(simulator: Simulator) -> None:
    headers = {"Authorization": f"Bearer {simulator.key('openrouter')}"}
    url = simulator.url("openrouter") + "/chat/completions"

    with requests.Session() as session:
        session.trust_env = False
        reply = session.post(url, json=body_for("openrouter"), headers=headers, timeout=5)

    assert reply.json()["choices"][0]["message"]["content"] == "Simulated answer to: hello there"
