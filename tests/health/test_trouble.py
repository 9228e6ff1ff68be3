"""Redis is never a new single point of failure: killed, paused or full, calls go on as before."""

from __future__ import annotations

import threading
import time

import pytest

from tests.health.conftest import until

THREADS = 16
SECONDS = 3.0
WORST_S = 0.05


class Load:
    """Sixteen threads that call by turns with sharing and without, and time both."""

    def __init__(self, plain, sharing):
        self.clients = {"plain": plain, "sharing": sharing}
        self.took = {"plain": [], "sharing": []}
        self.failures = []

    def run(self, seconds):
        self.took = {"plain": [], "sharing": []}
        end = time.monotonic() + seconds
        threads = [threading.Thread(target=self._call, args=(end,)) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _call(self, end):
        while time.monotonic() < end:
            for name, client in self.clients.items():
                began = time.monotonic()
                try:
                    client.complete("hi")
                except Exception as error:
                    self.failures.append(error)
                self.took[name].append(time.monotonic() - began)

    def p99(self, name):
        took = sorted(self.took[name])
        return took[int(len(took) * 0.99)]


def kill(server):
    server.kill()


def pause(server):
    server.pause()


def fill(server):
    server.fill()


def start(server):
    server.start()


def go_on(server):
    server.go_on()


def empty(server):
    server.empty()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trouble", "mend"), [(kill, start), (pause, go_on), (fill, empty)], ids=lambda do: do.__name__
)
def test_with_redis_in_trouble_no_call_fails_and_none_is_slower_and_sharing_resumes(
    simulator, make_client, redis_server, put_word, record_property, caplog, trouble, mend
):
    simulator.latency("openrouter", first_token=0.1)
    load = Load(make_client(), make_client(redis_url=redis_server.url))
    load.run(0.5)

    trouble(redis_server)
    load.run(SECONDS)

    plain, sharing = load.p99("plain"), load.p99("sharing")
    record_property("p99_ms", (round(plain * 1000), round(sharing * 1000)))
    assert not load.failures
    assert sharing < plain + WORST_S
    assert 1 >= len([r for r in caplog.records if "Redis" in r.getMessage()])

    mend(redis_server)
    put_word("openrouter")
    client = load.clients["sharing"]
    until(lambda: "openai" == client.complete("hi").served.endpoint)


def test_what_could_not_be_written_is_written_when_redis_is_back(
    simulator, make_client, redis_server, word_of
):
    client = make_client(redis_url=redis_server.url)
    client.complete("hi")
    redis_server.kill()
    simulator.outage("openrouter")
    for _ in range(3):
        client.complete("hi")

    redis_server.start()

    until(lambda: client.complete("hi") and word_of("openrouter"))
    assert "down" == word_of("openrouter")["state"]


@pytest.mark.parametrize("state", ["full", "read-only"])
def test_a_redis_that_takes_no_writes_is_still_read_and_complained_of_once(
    simulator, make_client, redis_server, put_word, caplog, state
):
    put_word("groq", "down")
    client = make_client(redis_url=redis_server.url, fallbacks=("groq", "openai:gpt-4o"))
    until(lambda: client.health()[1].state == "down")
    if state == "full":
        redis_server.fill()
        with redis_server.client() as redis:
            redis.config_set("maxmemory", 1)
    else:
        with redis_server.client() as redis:
            redis.replicaof("127.0.0.1", "1")
            redis.config_set("replica-serve-stale-data", "yes")
    simulator.outage("openrouter")

    endpoints = {client.complete("hi").served.endpoint for _ in range(5)}

    until(lambda: any("Redis at" in record.getMessage() for record in caplog.records))
    told = [r.getMessage() for r in caplog.records if "Redis at" in r.getMessage()]
    assert {"openai"} == endpoints
    assert 1 == len(told)
    assert ("OOM" if state == "full" else "read-only") in told[0]


def test_sharing_costs_a_healthy_call_less_than_20_microseconds(make_client, redis_server):
    """What a call pays more for: asking for the words, and finding nothing new."""
    client = make_client(redis_url=redis_server.url)
    client.complete("hi")
    carrier = client._carrier
    carrier.listen()
    times = 2000
    best = min(_timed(carrier.listen, times) for _ in range(20))

    assert best < 20e-6


def _timed(do, times):
    began = time.perf_counter()
    for _ in range(times):
        do()
    return (time.perf_counter() - began) / times
