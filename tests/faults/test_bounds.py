"""However much a server sends, the client takes a bounded part of it, in bounded time."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from openrouter_resilient.wire.exchange import MAX_ERROR_BYTES, MAX_REPLY_BYTES
from openrouter_resilient.wire.sse import MAX_EVENT_BYTES

from .conftest import read_request
from .test_deadline import timed

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
BLOCK = b"x" * 65536
MB = 1024 * 1024


def endless(head, block=BLOCK):
    """Send a head, then blocks until nobody takes them any more; count the bytes."""
    sent = []

    def play(sock, ended):
        read_request(sock)
        sock.sendall(head)
        while not ended.is_set():
            sock.sendall(block)
            sent.append(len(block))

    return play, sent


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        pytest.param(OK + b"X-Long: " + b"x" * MB + b"\r\n\r\n", "unreadable", id="1 MB in a line"),
        pytest.param(OK + b"X-Many: x\r\n" * 10_000 + b"\r\n", "unreadable", id="10,000 headers"),
        pytest.param(b"HTTP/1.1 200 " + b"x" * MB + b"\r\n\r\n", "unreadable", id="1 MB of reason"),
        pytest.param(OK + b"Content-Length: 99999999999\r\n\r\n", "too_big", id="announced"),
    ],
)
def test_a_head_that_is_out_of_bounds_is_a_fault_at_once(serve, make_client, head, kind):
    play, _ = endless(head)
    url, _ = serve(play)

    answer, seconds = timed(make_client(base_url=url, rounds=1).complete, "hi", deadline=5.0)

    assert kind == answer.served.attempts[0].fault
    assert "openai" == answer.served.endpoint
    assert seconds < 1.0


SIZES = [
    pytest.param(OK + b'\r\n{"id": "', BLOCK, "too_big", MAX_REPLY_BYTES, id="a body"),
    pytest.param(OK + b"\r\n", b"\n" * 65536, "too_big", MAX_REPLY_BYTES, id="padding"),
    pytest.param(OK + b"\r\ndata: ", BLOCK, "too_big", MAX_EVENT_BYTES, id="an event"),
    pytest.param(OK + b"\r\n:", BLOCK, "too_big", MAX_EVENT_BYTES, id="a comment"),
    pytest.param(
        b"HTTP/1.1 500 Oops\r\n\r\n", BLOCK, "server_error", MAX_ERROR_BYTES, id="an error"
    ),
]


@pytest.mark.parametrize(("head", "block", "kind", "limit"), SIZES)
def test_no_more_is_taken_than_the_limit(serve, make_client, head, block, kind, limit):
    play, sent = endless(head, block)
    url, _ = serve(play)
    client = make_client(base_url=url, jitter=lambda: 0.0)

    answer, seconds = timed(client.complete, "hi", deadline=8.0)

    attempts = [a for a in answer.served.attempts if a.endpoint == "openrouter"]
    assert {kind} == {attempt.fault for attempt in attempts}
    assert "openai" == answer.served.endpoint
    assert seconds < 3.0
    assert sum(sent) <= len(attempts) * (limit + 16 * MB)  # what the kernel holds on the way


PEAK = """
import logging, resource, sys, threading
logging.getLogger("openrouter_resilient").addHandler(logging.NullHandler())
from openrouter_resilient import Client
client = Client("openai/gpt-4o", fallbacks=["openai:gpt-4o"], deadline=20.0)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in range(2):
    served = client.complete("hi").served
    print(served.attempts[0].fault, served.endpoint, file=sys.stderr)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is counted in other units elsewhere")
@pytest.mark.parametrize(
    ("fault", "bound_mb"),
    [("huge_body", 64), ("gzip_bomb", 64), ("big_line", 24)],
)
def test_a_reply_of_200_mb_raises_the_peak_of_memory_by_little_more_than_the_limit(
    simulator, fault, bound_mb
):
    """Measured: 25 MB for a body, 22 MB for a packed one, 6 MB for an event."""
    simulator.play("openrouter", fault, megabytes=200)

    done = subprocess.run(
        [sys.executable, "-c", PEAK],
        env={
            **os.environ,
            **simulator.environment(),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert ["too_big openai"] * 2 == done.stderr.split("\n")[:2]
    assert int(done.stdout) < bound_mb * 1024


def test_a_200_mb_body_costs_little_time(simulator, make_client):
    simulator.play("openrouter", "huge_body", megabytes=200)
    began = time.monotonic()

    make_client().complete("hi", deadline=5.0)

    assert time.monotonic() - began < 2.0


def test_what_unpacks_a_thousandfold_is_given_up_long_before_the_limit(serve, make_client):
    packed = gzip.compress(b" " * 24 * MB)

    def play(sock, _ended):
        read_request(sock)
        head = OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
        sock.sendall(head + packed)

    url, _ = serve(play)

    attempts = make_client(base_url=url).complete("hi", deadline=8.0).served.attempts

    assert [("too_big", "a small reply that unpacks to very much"), (None, "")] == [
        (attempt.fault, attempt.message) for attempt in attempts
    ]
