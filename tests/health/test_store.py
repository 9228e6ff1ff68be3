"""What a process holds for a Redis, and how it waits for one that is late."""

from __future__ import annotations

import json
import time

import pytest

from openrouter_resilient.health.redis_store import RedisStore
from openrouter_resilient.wire.clock import monotonic
from tests.health.conftest import until

WORD = json.dumps({"state": "down", "checked_at": 1.0})
TRIAL = "openrouter-resilient:trial:openrouter"


@pytest.fixture
def store(redis_server):
    """A store that has read once, so that Redis is known to be quick."""
    made = RedisStore(redis_server.url)
    made.follow(["openrouter"])
    made.wait(10)
    yield made
    made.close()


def test_what_waits_for_a_redis_that_hangs_does_not_grow(store, redis_server):
    redis_server.pause()

    for number in range(1_000):
        store.write("openrouter", WORD, monotonic() + 60 + number)
        store.give_trial_back("openrouter", "me")
        store.found()

    assert len(store._jobs) <= 2  # to read, and to write


@pytest.mark.usefixtures("patient")
def test_what_cannot_be_written_counts_in_this_process_all_the_same(store, redis_server):
    with redis_server.client() as redis:
        redis.config_set("maxmemory", 1)
    store.write("openrouter", WORD, monotonic() + 60)
    store._asked_at = float("-inf")  # what was read is old

    store.found()
    store.wait(10)

    assert WORD.encode() == store.found().words["openrouter"][0]
    with redis_server.client() as redis:
        assert not redis.exists("openrouter-resilient:health:openrouter")


def test_a_word_that_nobody_could_write_in_its_time_is_forgotten(store, redis_server):
    redis_server.kill()
    store.write("openrouter", WORD, monotonic() + 0.01)
    time.sleep(0.02)  # its time
    redis_server.start()
    store._asked_at = float("-inf")

    store.found()

    until(lambda: not store._words)
    with redis_server.client() as redis:
        assert not redis.exists("openrouter-resilient:health:openrouter")


def test_without_a_thread_nothing_is_shared_and_with_one_all_of_it(
    redis_server, no_more_threads, caplog
):
    end = no_more_threads("openrouter-redis")
    store = RedisStore(redis_server.url)

    store.follow(["openrouter"])
    store.write("openrouter", WORD, monotonic() + 60)
    assert store.take_trial("openrouter", "me", 30.0)  # each goes by what it knows
    assert WORD.encode() == store.found().words["openrouter"][0]
    store.close()
    assert 1 == caplog.text.count("no thread can be started")

    end()
    store._asked_at = float("-inf")
    store.found()
    until(lambda: not store._words)
    store.close()
    with redis_server.client() as redis:
        assert WORD.encode() == redis.get("openrouter-resilient:health:openrouter")


def test_a_trial_that_is_granted_too_late_is_given_back(store, redis_server):
    redis_server.pause()

    assert not store.take_trial("openrouter", "me", 30.0)  # somebody else may well be trying
    assert store.take_trial("openrouter", "me", 30.0)  # and now each goes by what it knows

    redis_server.go_on()
    with redis_server.client() as redis:
        until(lambda: redis.info("commandstats").get("cmdstat_eval"))
        until(lambda: not redis.exists(TRIAL))


@pytest.mark.usefixtures("patient")
def test_a_trial_is_one_processs_until_it_gives_it_back(store, redis_server):
    other = RedisStore(redis_server.url)

    assert store.take_trial("openrouter", "me", 30.0)
    assert not other.take_trial("openrouter", "you", 30.0)
    other.give_trial_back("openrouter", "you")
    assert not other.take_trial("openrouter", "you", 30.0)
    store.give_trial_back("openrouter", "me")
    until(lambda: other.take_trial("openrouter", "you", 30.0))
    other.close()
