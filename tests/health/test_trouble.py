"""Redis is never a new single point of failure: killed, paused or full, calls go on as before."""

from __future__ import annotations

import threading
import time

import pytest

from openrouter_resilient.routing import breaker
from tests.health.conftest import until
from tests.health.redis_server import RedisServer

THREADS = 16
CALLS = 20  # of each thread on each client, while Redis is in trouble
WORST_S = 0.05
TRIES = 3  # what a busy machine adds comes and goes; what sharing adds would be there each time


class Load:
    """Sixteen threads that call on several clients by turns, and time every call."""

    def __init__(self, **clients):
        self.clients = clients
        self.failures = []
        self.took = {}

    def run(self, calls):
        self.took = {name: [] for name in self.clients}
        threads = [threading.Thread(target=self._call, args=(calls,)) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _call(self, calls):
        for _ in range(calls):
            for name, client in self.clients.items():
                began = time.monotonic()
                try:
                    client.complete("hi")
                except Exception as error:
                    self.failures.append(error)
                self.took[name].append(time.monotonic() - began)

    def p99(self, name):
        return p99(self.took[name])


def p99(took):
    return sorted(took)[int(len(took) * 0.99)]


TROUBLES = [
    pytest.param(RedisServer.kill, RedisServer.start, id="killed"),
    pytest.param(RedisServer.pause, RedisServer.go_on, id="paused"),
    pytest.param(RedisServer.fill, RedisServer.empty, id="full"),
]


@pytest.fixture
def calm_redis(tmp_path_factory):
    """Another Redis, which is well all the time."""
    server = RedisServer(tmp_path_factory.mktemp("calm"))
    yield server
    server.close()


@pytest.mark.slow
@pytest.mark.parametrize(("trouble", "mend"), TROUBLES)
def test_with_redis_in_trouble_no_call_fails_and_none_is_slower_and_sharing_resumes(
    simulator, make_client, redis_server, calm_redis, put_word, record_property, caplog,
    trouble, mend,
):  # fmt: skip
    """Slower than with a Redis that is well, in the same threads at the same time."""
    simulator.latency("openrouter", first_token=0.05)
    load = Load(
        calm=make_client(redis_url=calm_redis.url), troubled=make_client(redis_url=redis_server.url)
    )
    slower = []
    while not slower or (slower[-1] > WORST_S and len(slower) < TRIES):
        load.run(3)
        trouble(redis_server)
        load.run(CALLS)
        slower.append(load.p99("troubled") - load.p99("calm"))
        mend(redis_server)
        sharing_resumes(load.clients["troubled"], put_word)

    record_property("slower_at_p99_ms", [round(seconds * 1000) for seconds in slower])
    assert not load.failures
    assert min(slower) <= WORST_S
    assert 1 >= len([r for r in caplog.records if "Redis" in r.getMessage()])


def sharing_resumes(client, put_word):
    put_word("openrouter")
    until(lambda: "openai" == client.complete("hi").served.endpoint)
    put_word("openrouter", "up")
    until(lambda: "openrouter" == client.complete("hi").served.endpoint)


class Timed:
    """What a client shares through, and how long each thread waited for it in a call."""

    def __init__(self, sharing):
        self._sharing = sharing
        self._waited = threading.local()
        self.asked = {"words": 0, "tell": 0, "grants": 0}

    def __getattr__(self, name):
        method = getattr(self._sharing, name)

        def timed(*arguments):
            began = time.monotonic()
            try:
                return method(*arguments)
            finally:
                self.asked[name] = self.asked.get(name, 0) + 1
                self._waited.seconds = getattr(self._waited, "seconds", 0.0) + (
                    time.monotonic() - began
                )

        return timed

    def take(self):
        waited, self._waited.seconds = getattr(self._waited, "seconds", 0.0), 0.0
        return waited


@pytest.mark.slow
@pytest.mark.parametrize(("trouble", "mend"), TROUBLES)
def test_with_redis_and_an_endpoint_in_trouble_no_call_waits_for_redis(
    simulator, make_client, redis_server, monkeypatch, record_property, trouble, mend
):
    """Breakers open and close all the time, so that there is much to tell and to ask for."""
    monkeypatch.setattr(breaker, "FIRST_COOLDOWN_S", 0.02)
    monkeypatch.setattr(breaker, "LONGEST_COOLDOWN_S", 0.02)
    monkeypatch.setattr(breaker, "HELD_S", 0.02)
    simulator.play("openrouter", "status_503", rate=0.7)
    simulator.latency("openai", first_token=0.05)
    client = make_client(redis_url=redis_server.url)
    timed = client._carrier.shared = Timed(client._carrier.shared)
    waits = []

    class Waits:
        def complete(self, prompt):
            timed.take()
            client.complete(prompt)
            waited.append(timed.take())

    load = Load(troubled=Waits())
    while not waits or (waits[-1] > WORST_S and len(waits) < TRIES):
        waited = []
        load.run(3)
        trouble(redis_server)
        waited.clear()
        load.run(CALLS)
        waits.append(p99(waited))
        mend(redis_server)

    record_property("waited_at_p99_ms", [round(seconds * 1000, 1) for seconds in waits])
    assert not load.failures
    assert min(waits) <= WORST_S
    assert timed.asked["tell"] > 10
    assert timed.asked["grants"] > 10


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
