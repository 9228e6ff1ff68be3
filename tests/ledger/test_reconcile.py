"""Every cent is found, even of a generation that was abandoned half-way."""

from __future__ import annotations

import pytest

from openrouter_resilient import ConfigurationError, Ledger, StreamInterrupted
from openrouter_resilient.ledger.prices import Price, Prices, read_prices
from openrouter_resilient.ledger.reconcile import _Api as Api
from openrouter_resilient.simulator.models import OPENROUTER
from tests.ledger.making import make_record

GPT = OPENROUTER["openai/gpt-4o"]


@pytest.fixture(params=["memory", "file"])
def client(request, make_client, path):
    return make_client(ledger=path if request.param == "file" else None)


def generation_cost(simulator, record):
    """What OpenRouter's own record of the generation says."""
    face = simulator._faces["openrouter"]
    return face._generations[record.attempts[0].generation_id]["total_cost"]


def test_an_interrupted_streams_cost_is_asked_for(simulator, client):
    simulator.play("openrouter", "cut_mid_stream", after=2)
    with pytest.raises(StreamInterrupted):
        list(client.stream("hi there, and more"))
    simulator.heal()

    found = client.ledger.reconcile()

    (record,) = client.ledger.calls
    cost = generation_cost(simulator, record)
    assert (1, 1, 0, None) == (found.looked_at, found.reported, found.unknown, found.problem)
    assert cost == pytest.approx(found.cost) == pytest.approx(record.cost)
    assert "reported" == record.cost_source
    assert cost == pytest.approx(sum(c.known_usd for c in client.ledger.report().costs))


def test_a_stream_that_was_left_is_settled_too(simulator, client):
    with client.stream("hi there, and more") as stream:
        next(iter(stream))

    client.ledger.reconcile()

    (record,) = client.ledger.calls
    assert generation_cost(simulator, record) == pytest.approx(record.cost)


def test_a_failed_attempts_cost_joins_its_calls(simulator, client):
    """The answer was cut off and asked for again elsewhere; both are paid."""
    simulator.play("openrouter", "cut_mid_stream", after=2)
    client.complete("hi there, and more")
    simulator.heal()

    found = client.ledger.reconcile()

    (record,) = client.ledger.calls
    paid = [attempt.cost for attempt in record.attempts]
    assert found.reported >= 1
    assert found.estimated == 1
    assert None not in paid
    assert sum(paid) == pytest.approx(record.cost)
    assert "estimated" == record.cost_source


def test_a_direct_answer_is_estimated_from_the_price_list_and_marked(simulator, client):
    simulator.outage("openrouter")
    client.complete("hi")
    (before,) = client.ledger.calls
    simulator.heal()

    client.ledger.reconcile()

    (record,) = client.ledger.calls
    expected = (
        record.prompt_tokens * GPT.prompt_usd + record.completion_tokens * GPT.completion_usd
    ) / 1e6
    assert (None, "unknown") == (before.cost, before.cost_source)
    assert (pytest.approx(expected), "estimated") == (record.cost, record.cost_source)


def test_the_last_price_list_is_kept_in_the_file(simulator, make_client, path, look):
    client = make_client(ledger=path)
    simulator.outage("openrouter")
    client.complete("hi")
    simulator.heal()
    client.ledger.reconcile()

    simulator.outage("openrouter")
    make_client(ledger=path).complete("hi")
    found = make_client(ledger=path).ledger.reconcile()

    assert 1 == found.estimated
    assert "could not be asked" in found.problem
    assert [(pytest.approx(2.5e-6),)] == look(
        "SELECT prompt_usd FROM prices WHERE model = 'openai/gpt-4o'"
    )


def test_file_and_memory_agree_after_it(simulator, make_client, path, look):
    client = make_client(ledger=path)
    simulator.play("openrouter", "cut_mid_stream", after=2)
    client.complete("hi there, and more")
    simulator.heal()

    client.ledger.reconcile()

    (record,) = client.ledger.calls
    assert [(pytest.approx(record.cost), record.cost_source)] == look(
        "SELECT cost, cost_source FROM calls"
    )
    assert [(a.number, pytest.approx(a.cost)) for a in record.attempts] == look(
        "SELECT number, cost FROM attempts ORDER BY number"
    )


def test_what_is_estimated_stays_so_when_the_rest_is_reported_later(simulator, client):
    """The abandoned generation is not known yet at the first time of asking."""
    simulator.play("openrouter", "cut_mid_stream", after=2)
    client.complete("hi there, and more")
    generations = simulator._faces["openrouter"]._generations
    kept = dict(generations)
    generations.clear()
    simulator.heal()
    client.ledger.reconcile()
    (before,) = client.ledger.calls

    generations.update(kept)
    client.ledger.reconcile()

    (after,) = client.ledger.calls
    assert ("unknown", "estimated") == (before.cost_source, after.cost_source)
    assert [False, True] == [attempt.estimated for attempt in after.attempts][-2:]
    answered = after.attempts[-1].cost
    assert answered == pytest.approx(sum(c.estimated_usd for c in client.ledger.report().costs))


def test_what_was_found_is_kept_when_the_asking_is_interrupted(simulator, client, monkeypatch):
    for _ in range(2):
        with client.stream("hi there, and more") as stream:
            next(iter(stream))
    ask, asked = Api.generation, []

    def interrupted(self, generation_id):
        asked.append(generation_id)
        if len(set(asked)) == 2:
            raise KeyboardInterrupt
        return ask(self, generation_id)

    monkeypatch.setattr(Api, "generation", interrupted)
    with pytest.raises(KeyboardInterrupt):
        client.ledger.reconcile()

    assert [True, False] == [record.cost is not None for record in client.ledger.calls]


def test_what_was_reported_is_never_asked_for_again(simulator, client):
    client.complete("hi")

    found = client.ledger.reconcile()

    assert 0 == found.looked_at
    assert all(request.path.endswith("/chat/completions") for request in simulator.requests)


def test_a_generation_that_is_not_known_yet_stays_unknown(simulator, client):
    client.complete("hi")
    simulator.play("openrouter", "cut_mid_stream", after=1)
    with pytest.raises(StreamInterrupted):
        list(client.stream("hi there, and more"))
    simulator._faces["openrouter"]._generations.clear()
    simulator.heal()

    found = client.ledger.reconcile()

    assert (1, 0, 1, None) == (found.looked_at, found.reported, found.unknown, found.problem)
    assert client.ledger.calls[-1].cost is None


def test_a_key_that_is_refused_is_a_problem_that_is_told(simulator, make_client):
    environment = simulator.environment()
    client = make_client(environment=environment)
    simulator.play("openrouter", "cut_mid_stream", after=1)
    with pytest.raises(StreamInterrupted):
        list(client.stream("hi there, and more"))
    records = client.ledger.calls
    simulator.heal()
    stranger = make_client(environment={**environment, "OPENROUTER_API_KEY": "sk-or-v1-other"})
    for record in records:
        stranger.ledger.add(record)

    found = stranger.ledger.reconcile()

    assert "401" in str(found)
    assert "sk-or" not in str(found)


def test_a_ledger_without_a_client_knows_nobody_to_ask(path):
    ledger = Ledger(path)
    ledger.add(make_record())

    with pytest.raises(ConfigurationError, match=r"client\.ledger"):
        ledger.reconcile()


def test_prices_are_found_as_a_direct_endpoint_names_its_models():
    prices = Prices([Price("openai/gpt-4o", "openai/gpt-4o-2024-11-20", 2.0, 3.0, 1.0)])

    assert 2 * 10 + 3 * 5 + 1 == prices.estimate("gpt-4o-2024-08-06", "openai", 10, 5)
    assert 36.0 == prices.estimate("openai/gpt-4o", None, 10, 5)
    assert prices.estimate("gpt-4o", "anthropic", 10, 5) is None
    assert prices.estimate("llama3.2", None, 10, 5) is None


@pytest.mark.parametrize(
    "listed",
    [
        None,
        [],
        {"data": None},
        {"data": [None, {}, {"id": "a/b"}, {"id": "a/b", "pricing": {}}]},
        {"data": [{"id": "a/b", "pricing": {"prompt": "much", "completion": "1"}}]},
        {"data": [{"id": "openrouter/auto", "pricing": {"prompt": "-1", "completion": "-1"}}]},
        {"data": [{"id": 7, "pricing": {"prompt": "1", "completion": "1"}}]},
    ],
)
def test_a_price_that_cannot_be_used_is_left_out(listed):
    assert not read_prices(listed)


def test_a_price_list_is_read_as_texts():
    row = {"id": "a/b", "pricing": {"prompt": "0.5", "completion": "0.25", "image": "x"}}

    (price,) = read_prices({"data": [row]}).all

    assert Price("a/b", None, 0.5, 0.25) == price
