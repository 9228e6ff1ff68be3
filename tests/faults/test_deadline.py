"""The deadline is wall-clock truth: wherever the time is lost, the call ends by it."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from openrouter_resilient import CallFailed, DeadlineExceeded, RoutesExhausted
from openrouter_resilient.wire import sockets
from openrouter_resilient.wire.exchange import ERROR_BODY_S
from openrouter_resilient.wire.sockets import RESOLVER, STALE_AFTER_S, Resolver

from .conftest import read_request

ALLOWED_S = 0.2  # beyond a deadline, on a busy machine
GOOD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
DRIP_S = 0.02


@pytest.fixture
def lookup(monkeypatch):
    """Names that the test resolves itself; all others resolve as ever."""
    answers = {}

    def look_up(host, port, **options):
        if host in answers:
            return answers[host]()
        return socket.getaddrinfo(host, port, **options)

    monkeypatch.setattr(RESOLVER, "_lookup", look_up)
    return answers


@pytest.fixture
def never():
    """Waits, until the test is over."""
    over = threading.Event()

    def wait():
        over.wait(30)
        raise socket.gaierror(socket.EAI_AGAIN, "at last")

    yield wait
    over.set()
    for thread in threading.enumerate():
        if thread.name == "openrouter-resolver":
            thread.join(5)


def timed(call, *arguments, **options):
    """What a call gave or raised, and its seconds."""
    began = time.monotonic()
    try:
        result = call(*arguments, **options)
    except Exception as error:
        result = error
    return result, time.monotonic() - began


def address(port):
    return (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))


def test_with_a_resolver_that_hangs_the_fallback_answers_in_time(make_client, lookup, never):
    lookup["hangs.example"] = never
    client = make_client(base_url="http://hangs.example/api/v1")

    answer, seconds = timed(client.complete, "hi", deadline=1.0)

    assert seconds < 1.0
    assert [("openrouter", "unresolved"), ("openai", None)] == [
        (attempt.endpoint, attempt.fault) for attempt in answer.served.attempts
    ]


def test_many_calls_wait_for_a_hanging_resolver_in_one_thread(make_client, lookup, never):
    lookup["hangs.example"] = never
    client = make_client(base_url="http://hangs.example/api/v1", fallbacks=(), rounds=1)

    with ThreadPoolExecutor(32) as pool:
        calls = [pool.submit(timed, client.complete, "hi", deadline=0.6) for _ in range(32)]
        results = [call.result() for call in calls]
        waiting = [t for t in threading.enumerate() if t.name == "openrouter-resolver"]

    assert 1 == len(waiting)
    assert {DeadlineExceeded} == {type(result) for result, _ in results}
    assert max(seconds for _, seconds in results) < 0.6 + ALLOWED_S


def test_an_old_address_is_used_when_the_resolver_begins_to_hang(never):
    answers = [lambda: [address(7)], never]
    resolver = Resolver(lambda *_, **__: answers.pop(0)())
    first = resolver.addresses("once.example", 7, time.monotonic() + 5.0)
    resolver._fresh.clear()

    again, seconds = timed(resolver.addresses, "once.example", 7, time.monotonic() + 5.0)

    assert first == again
    assert seconds < STALE_AFTER_S + ALLOWED_S


def test_a_name_that_no_thread_could_look_up_is_a_fault_and_is_looked_up_again(
    simulator, make_client, lookup, no_more_threads
):
    port = int(simulator.url("openrouter").split(":")[2].split("/")[0])
    lookup["busy.example"] = lambda: [address(port)]
    client = make_client(base_url=f"http://busy.example:{port}/api/v1", fallbacks=(), rounds=1)
    end = no_more_threads("openrouter-resolver")

    with pytest.raises(RoutesExhausted, match="no thread could be started"):
        client.complete("hi")
    end()
    answer, seconds = timed(client.complete, "hi", deadline=5.0)

    assert ["openrouter"] == [attempt.endpoint for attempt in answer.served.attempts]
    assert seconds < 1.0


def test_an_old_address_is_used_when_no_thread_can_look_it_up(no_more_threads):
    resolver = Resolver(lambda *_, **__: [address(7)])
    first = resolver.addresses("once.example", 7, time.monotonic() + 5.0)
    resolver._fresh.clear()
    no_more_threads("openrouter-resolver")

    assert first == resolver.addresses("once.example", 7, time.monotonic() + 5.0)


def test_a_dead_first_address_leaves_time_for_the_second(simulator, make_client, lookup):
    port = int(simulator.url("openrouter").split(":")[2].split("/")[0])
    dead = int(simulator.url("groq").split(":")[2].split("/")[0])
    simulator.play("groq", "connect_hangs")
    lookup["two.example"] = lambda: [address(dead), address(port)]
    client = make_client(base_url=f"http://two.example:{port}/api/v1")

    answer, seconds = timed(client.complete, "hi", deadline=2.0)

    assert ["openrouter"] == [attempt.endpoint for attempt in answer.served.attempts]
    assert seconds < 1.0


SLOW = ["no_headers", "headers_only", "drip_headers", "drip_body", "endless_comments",
        "endless_padding", "first_token_late", "role_then_silence", "stall_mid_stream", "tls_stall",
        "connect_hangs"]  # fmt: skip


@pytest.mark.parametrize("wire", ["stream", "whole"])
@pytest.mark.parametrize("fault", SLOW)
def test_a_single_route_that_is_slow_anywhere_ends_by_the_deadline(
    simulator, make_client, fault, wire
):
    simulator.play("openrouter", fault)
    client = make_client(fallbacks=())

    error, seconds = timed(client.complete, "hi", deadline=0.3, wire=wire)

    assert isinstance(error, DeadlineExceeded)
    assert 0.2 < seconds < 0.3 + ALLOWED_S


def drip(sock, ended, data):
    for byte in data:
        sock.sendall(bytes([byte]))
        if ended.wait(DRIP_S):
            return


@pytest.mark.parametrize(
    "play",
    [
        pytest.param(lambda s, e: drip(s, e, b"HTTP/1.1 200 OK\r\n" * 99), id="headers"),
        pytest.param(lambda s, e: drip(s, e, b"HTTP/1.1 103 Early\r\n\r\n" * 99), id="interim"),
        pytest.param(lambda s, e: (s.sendall(GOOD), drip(s, e, b" " * 999)), id="body"),
    ],
)
def test_what_drips_faster_than_any_read_times_out_ends_by_the_deadline(serve, make_client, play):
    url, _ = serve(lambda sock, ended: (read_request(sock), play(sock, ended)))
    client = make_client(base_url=url, fallbacks=(), rounds=1)

    error, seconds = timed(client.complete, "hi", deadline=0.4)

    assert seconds < 0.4 + ALLOWED_S
    assert error.history


def test_an_error_body_that_drips_is_not_waited_for_and_its_status_names_it(serve, make_client):
    def play(sock, ended):
        read_request(sock)
        sock.sendall(b"HTTP/1.1 503 Busy\r\nContent-Length: 9999\r\n\r\n")
        drip(sock, ended, b"x" * 9999)

    url, _ = serve(play)

    answer, seconds = timed(make_client(base_url=url).complete, "hi", deadline=9.0)

    assert seconds < ERROR_BODY_S + ALLOWED_S
    assert "unavailable" == answer.served.attempts[0].fault
    assert "openai" == answer.served.endpoint


def test_an_upload_that_nobody_reads_ends_by_the_deadline(serve, make_client):
    url, _ = serve(lambda _sock, ended: ended.wait(30))
    client = make_client(base_url=url, fallbacks=(), rounds=1)

    error, seconds = timed(client.complete, "long " * 3_000_000, deadline=1.0)

    assert isinstance(error, DeadlineExceeded)
    assert seconds < 1.0 + ALLOWED_S


def test_32_calls_at_once_each_end_by_their_own_deadline(simulator, make_client):
    for face in ("openrouter", "openai"):
        simulator.play(face, "no_headers")
    client = make_client()
    deadlines = [0.3 + 0.02 * number for number in range(32)]

    with ThreadPoolExecutor(32) as pool:
        calls = [pool.submit(timed, client.complete, "hi", deadline=d) for d in deadlines]
        results = [call.result() for call in calls]

    assert all(isinstance(error, CallFailed) for error, _ in results)
    assert ALLOWED_S > max(s - d for (_, s), d in zip(results, deadlines, strict=True))


def test_a_healthy_call_starts_no_thread(make_client, monkeypatch):
    client = make_client()
    client.complete("hi")  # resolves the name
    here, started = threading.current_thread(), []
    start = threading.Thread.start

    def watched(self):
        if threading.current_thread() is here:
            started.append(self)
        start(self)

    monkeypatch.setattr(threading.Thread, "start", watched)

    for wire in ("stream", "whole"):
        client.complete("hi", wire=wire)
    with client.stream("hi") as stream:
        list(stream)

    assert [] == started


def test_a_stream_that_pauses_after_its_first_token_is_given_the_stall_limit(
    simulator, make_client
):
    """The share of time that the first token had was for the routes behind; none is left behind."""
    simulator.play("openrouter", "stall_mid_stream", after=1, seconds=0.5)

    with make_client(first_token_timeout=0.3).stream("hi there you", deadline=5.0) as stream:
        text = "".join(stream)

    assert "Simulated answer to: hi there you" == text


def test_the_limit_of_a_call_ends_with_it(simulator, make_client):
    make_client().complete("hi")

    assert float("inf") == sockets.LIMIT.until
