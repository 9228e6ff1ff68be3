"""A spending cap: nothing is sent once what was reported has reached it."""

from __future__ import annotations

import pickle
import threading

import pytest

from openrouter_resilient import ConfigurationError, SpendingCapReached
from openrouter_resilient.features.spending import Spending


def test_a_client_sends_nothing_more_once_its_cap_is_reached(simulator, make_client):
    client = make_client(max_cost=1e-9)
    cost = client.complete("hi").served.cost
    sent = len(simulator.requests)

    with pytest.raises(SpendingCapReached) as caught:
        client.complete("hi")

    assert sent == len(simulator.requests)
    assert 1e-9 == caught.value.cap
    assert cost == pytest.approx(caught.value.spent)
    assert () == caught.value.history
    assert "max_cost" in str(caught.value)
    assert cost == pytest.approx(pickle.loads(pickle.dumps(caught.value)).spent)


def test_below_the_cap_it_goes_on(simulator, make_client):
    client = make_client(max_cost=1.0)

    for _ in range(3):
        client.complete("hi")

    spent = sum(request.answered.cost for request in simulator.requests)
    assert spent == pytest.approx(client._spending.spent)


def test_a_call_with_a_cap_makes_no_further_attempt_once_it_is_reached(simulator, make_client):
    """What a broken answer reported as its cost counts, too."""
    simulator.play("openrouter", "finish_error")
    simulator.answer = "words"
    client = make_client()

    try:
        answer = client.complete("hi", max_cost=1e-9)
    except SpendingCapReached as error:
        reported = [attempt.cost for attempt in error.history]
        assert any(reported)
        assert len(reported) == len(simulator.requests)
    else:
        assert not any(attempt.cost for attempt in answer.served.attempts[:-1])


def test_a_stream_counts_when_it_ends(simulator, make_client):
    client = make_client(max_cost=1e-9)
    with client.stream("hi") as stream:
        "".join(stream)

    with pytest.raises(SpendingCapReached):
        client.stream("hi")
    assert simulator.requests[0].answered.cost == pytest.approx(client._spending.spent)


def test_in_an_outage_of_openrouter_what_reports_no_cost_counts_as_nothing(simulator, make_client):
    simulator.outage("openrouter")
    client = make_client(max_cost=1e-9)

    for _ in range(2):
        assert "openai" == client.complete("hi").served.endpoint


def test_a_cached_answer_costs_nothing_and_needs_nothing(simulator, make_client):
    client = make_client(max_cost=1e-9, cache_seconds=60)
    client.complete("hi")

    assert client.complete("hi").served.cached
    with pytest.raises(SpendingCapReached):
        client.complete("something else")


def test_calls_at_once_pass_the_cap_by_what_is_in_flight_and_no_more(simulator, make_client):
    simulator.latency("openrouter", first_token=0.2)
    client = make_client(fallbacks=(), max_cost=1e-9)
    refused = []

    def once():
        try:
            client.complete("hi")
        except SpendingCapReached as error:
            refused.append(error)

    def ask():
        for _ in range(3):
            once()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert len(simulator.requests) <= 8
    assert 24 == len(refused) + len(simulator.requests)


def test_a_hedge_is_not_sent_past_the_cap(simulator, make_client):
    """The cap is reached by another call while this one waits for its first token."""
    client = make_client(max_cost=1e-9, hedge_after=0.2)
    simulator.play("openrouter", "first_token_late", seconds=0.5)
    waiting = threading.Thread(target=lambda: answers.append(client.complete("hi")))
    answers = []
    waiting.start()
    while not simulator.requests:
        waiting.join(0.01)

    client._spending.add(1.0)
    waiting.join(10)

    assert [("openrouter", None)] == [(a.endpoint, a.fault) for a in answers[0].served.attempts]
    assert not simulator.received("openai")


def test_openrouters_own_price_limit_is_set_where_asked(simulator, make_client):
    price = {"prompt": 1, "completion": 2}
    make_client(max_price=price).complete("hi", provider={"sort": "price"})

    assert {"max_price": price, "sort": "price"} == simulator.requests[0].body["provider"]


def test_a_calls_own_price_limit_outranks_the_clients(simulator, make_client):
    client = make_client(max_price={"prompt": 1})

    client.complete("hi", provider={"max_price": {"prompt": 5}})

    assert {"max_price": {"prompt": 5}} == simulator.requests[0].body["provider"]


def test_no_price_limit_is_set_where_none_was_asked(simulator, make_client):
    make_client(max_cost=1.0).complete("hi")

    assert "provider" not in simulator.requests[0].body


@pytest.mark.parametrize("cap", [0, -1, float("nan"), float("inf")])
def test_a_cap_is_a_positive_amount(make_client, cap):
    with pytest.raises(ConfigurationError, match="max_cost"):
        make_client(max_cost=cap)
    with pytest.raises(ConfigurationError, match="max_cost"):
        make_client().complete("hi", max_cost=cap)


@pytest.mark.parametrize("cap", ["1", True])
def test_a_cap_is_a_number(cap):
    with pytest.raises(TypeError, match="max_cost"):
        Spending(cap, "this client")


def test_the_cap_travels_with_the_client_and_what_was_spent_does_not(
    simulator, make_client, monkeypatch
):
    for name, value in simulator.environment().items():
        monkeypatch.setenv(name, value)
    client = make_client(max_cost=1e-9)
    client.complete("hi")

    with pickle.loads(pickle.dumps(client)) as other:
        assert (1e-9, 0.0) == (other._spending.cap, other._spending.spent)
