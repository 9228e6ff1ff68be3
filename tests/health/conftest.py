"""A real Redis for a test, and what is in it."""

from __future__ import annotations

import json
import time

import pytest

from tests.health.redis_server import RedisServer


@pytest.fixture
def redis_server(tmp_path_factory):
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.close()


@pytest.fixture
def word_of(redis_server):
    """What Redis holds of an endpoint; None if nothing."""

    def read(endpoint):
        with redis_server.client() as client:
            text = client.get(f"openrouter-resilient:health:{endpoint}")
        return None if text is None else json.loads(text)

    return read


@pytest.fixture
def put_word(redis_server):
    """Write a word as another process would."""

    def write(endpoint, state="down", ttl=60, **fields):
        now = time.time()
        word = {"state": state, "since": now, "checked_at": now, "ttl": ttl, "by": "call other:1.1",
                "reopens_in": 20, "fault": None if state == "up" else "refused", **fields}  # fmt: skip
        with redis_server.client() as client:
            client.set(f"openrouter-resilient:health:{endpoint}", json.dumps(word), ex=ttl)

    return write


def until(condition, limit=10.0):
    """Wait for something to become true."""
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)
