"""An answer from the cache is a call that the user made: it is recorded, and as what it is."""

from __future__ import annotations

import threading
import time

import pytest

from openrouter_resilient import DeadlineExceeded, InvalidRequest
from openrouter_resilient.wire.clock import VirtualClock
from tests.ledger.making import START, answered_by_fallback, make_record


@pytest.fixture
def clock():
    """Stands still until the test moves it; so far ahead that no socket's limit ever comes."""
    return VirtualClock(time.monotonic() + 1e6, wall=START)


def test_a_cached_answer_is_a_call_of_its_own_that_cost_nothing(make_client, path, look):
    told = []
    client = make_client(ledger=path, cache_seconds=60, on_call=told.append)

    first, second = client.complete("hi"), client.complete("hi")

    asked, cached = client.ledger.calls
    assert (asked, cached) == tuple(told)
    assert (False, True) == (asked.cached, cached.cached)
    assert ("answered", "complete", 0.0, "reported", ()) == (
        cached.ended, cached.kind, cached.cost, cached.cost_source, cached.attempts,
    )  # fmt: skip
    assert (second.served.model, first.served.generation_id) == (cached.model, cached.generation_id)
    assert cached.deadline == asked.deadline
    assert [(0, 1), (1, 0)] == look("SELECT cached, attempts FROM calls ORDER BY number")
    assert [(2, 2, 1)] == look("SELECT calls, answered, from_cache FROM by_day")
    assert [("openrouter", 2, 1, pytest.approx(asked.cost))] == look(
        "SELECT endpoint, calls, from_cache, known_cost FROM served_by"
    )


def test_the_record_is_there_before_the_cached_answer_is_handed_over(make_client):
    order = []
    client = make_client(cache_seconds=60, on_call=lambda record: order.append(record.cached))

    client.complete("hi")
    client.complete("hi")
    order.append("handed over")

    assert [False, True, "handed over"] == order


def test_an_expired_answer_in_an_outage_is_one_call_that_was_answered(
    simulator, make_client, clock
):
    """What had to fail before the cache was asked is part of it."""
    client = make_client(clock=clock, deadline=9e6, cache_seconds=60, stale_if_error=3600, rounds=1)
    client.complete("hi")
    for face in ("openrouter", "openai"):
        simulator.outage(face)
    clock.advance(100)
    client.complete("hi")

    (_, record) = client.ledger.calls
    assert ("answered", None, True, True) == (
        record.ended, record.error, record.cached, record.stale,
    )  # fmt: skip
    assert [("openrouter", "refused"), ("openai", "refused")] == [
        (attempt.endpoint, attempt.fault) for attempt in record.attempts
    ]
    report = client.ledger.report()
    assert (2, 2) == (report.availability.good, report.availability.asked)
    assert (1, 1, 1) == (report.cached, report.stale, report.saved)
    assert (1, 1) == (report.endpoints["openrouter"].good, report.endpoints["openrouter"].bad)


def together(count, ask):
    """Have so many threads do it, and wait for them."""
    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)


def test_who_waited_for_anothers_answer_is_recorded_and_pays_nothing(simulator, make_client):
    simulator.latency("openrouter", first_token=0.3)
    client = make_client(cache_seconds=60)

    together(8, lambda: client.complete("hi"))

    records = client.ledger.calls
    assert [False] + [True] * 7 == sorted(record.cached for record in records)
    assert 1 == sum(len(record.attempts) for record in records)
    assert simulator.requests[0].answered.cost == pytest.approx(sum(r.cost for r in records))


def test_a_refusal_that_was_shared_is_recorded_for_each_and_sent_for_one(simulator, make_client):
    simulator.play("openrouter", "status_400")
    simulator.latency("openrouter", first_token=0.3)
    client = make_client(cache_seconds=60)

    def ask():
        with pytest.raises(InvalidRequest):
            client.complete("hi")

    together(8, ask)

    records = client.ledger.calls
    assert ["refused"] * 8 == [record.ended for record in records]
    assert len(simulator.requests) == sum(len(record.attempts) for record in records)


def test_who_waited_in_vain_is_recorded_as_unanswered(simulator, make_client):
    simulator.play("openrouter", "no_headers")
    client = make_client(fallbacks=(), cache_seconds=60)

    def lead():
        with pytest.raises(DeadlineExceeded):
            client.complete("hi", deadline=3)

    leader = threading.Thread(target=lead)
    leader.start()
    while not simulator.requests:
        leader.join(0.01)
    with pytest.raises(DeadlineExceeded):
        client.complete("hi", deadline=0.2)
    leader.join()

    waiter, led = client.ledger.calls
    assert ("failed", "DeadlineExceeded", (), 0.2) == (
        waiter.ended, waiter.error, waiter.attempts, waiter.deadline,
    )  # fmt: skip
    assert ("failed", 1) == (led.ended, len(led.attempts))


def test_a_report_keeps_cached_answers_apart(make_client, path):
    """They are no latency of anybody's, no trial, and nobody's share of the answers."""
    client = make_client(ledger=path)
    for at in range(5):
        client.ledger.add(make_record(started_at=START + at, seconds=2.0))
    client.ledger.add(answered_by_fallback(START + 10))
    for at in range(20, 24):
        hit = make_record(started_at=START + at, seconds=0.0, cached=True, cost=0.0)
        client.ledger.add(hit.__class__(**{**hit.__dict__, "attempts": ()}))

    report = client.ledger.report()

    assert (10, 4, 0, 1) == (report.availability.good, report.cached, report.stale, report.saved)
    assert (5, 2.0) == (report.straight.calls, report.straight.seconds[50])
    assert 6 == report.endpoints["openrouter"].share.asked
    assert {"openrouter": 5, "openai": 1, "cache": 4} == next(iter(report.served.values()))
    assert "From the cache: 4 of the answers." in str(report)
