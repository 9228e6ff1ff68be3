"""What a lasting outage costs: few requests, and no time."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor

from openrouter_resilient import CallFailed

THREADS, CALLS = 32, 320


def call(client):
    """Whether it was answered."""
    try:
        client.complete("hi", deadline=2.0)
    except CallFailed:
        return False
    return True


def test_in_an_outage_of_everything_upstreams_receive_little_more_than_a_request_a_call(
    simulator, make_client
):
    for face in ("openrouter", "openai"):
        simulator.play(face, "status_503")
    client = make_client()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(call, [client] * THREADS))  # these open the breakers
        simulator.forget()

        answered = list(pool.map(call, [client] * CALLS))

    assert not any(answered)
    assert 1.0 <= len(simulator.requests) / CALLS <= 1.2


def test_the_same_holds_when_everything_is_silent_and_calls_take_long(simulator, make_client):
    for face in ("openrouter", "openai"):
        simulator.play(face, "no_headers")
    client = make_client()

    def short(_):
        try:
            client.complete("hi", deadline=0.2)
        except CallFailed:
            return

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(short, range(THREADS)))
        simulator.forget()
        list(pool.map(short, range(3 * THREADS)))

    assert len(simulator.requests) / (3 * THREADS) <= 1.2


def test_in_a_lasting_outage_of_openrouter_a_call_spends_under_a_millisecond_on_it(
    simulator, make_client
):
    simulator.outage("openrouter")
    client, without = make_client(), make_client("openai:gpt-4o", fallbacks=())
    for _ in range(4):
        client.complete("hi")
        without.complete("hi")
    seconds = {client: [], without: []}
    attempts = []

    for _ in range(150):
        for one, spent in seconds.items():
            began = time.perf_counter()
            served = one.complete("hi").served
            spent.append(time.perf_counter() - began)
            attempts += served.attempts

    assert {"openai"} == {attempt.endpoint for attempt in attempts}
    medians = {one: statistics.median(spent) for one, spent in seconds.items()}
    assert medians[client] - medians[without] < 0.001
