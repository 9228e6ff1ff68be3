"""OpenRouter's list of models: read with patience, kept, and shown."""

from __future__ import annotations

import json

import pytest

from openrouter_resilient import Model, Models, RoutesExhausted
from openrouter_resilient.features import models as module


@pytest.fixture(autouse=True)
def nothing_kept():
    module._FRESH.clear()
    module._LAST.clear()


def lists(entries):
    """A list of models as OpenRouter sends it."""
    return json.dumps({"data": entries})


def test_a_model_has_price_context_and_abilities(simulator, make_client):
    model = make_client().models()["anthropic/claude-sonnet-5"]

    assert (1_000_000, 2.0, 10.0) == (model.context_tokens, model.prompt_usd, model.completion_usd)
    assert model.can("tools")
    assert model.can("image")
    assert not model.can("seed")
    assert "anthropic/claude-sonnet-5-20260630" == model.slug


def test_the_list_needs_no_key_and_none_is_sent(simulator, make_client):
    make_client().models()

    (request,) = simulator.requests
    assert ("/api/v1/models", "GET", None) == (request.path, request.method, request.key)


def test_the_list_is_asked_for_once(simulator, make_client):
    first = make_client().models()
    second = make_client().models()

    assert first is second
    assert 1 == len(simulator.requests)


def test_it_is_asked_for_again_when_that_is_wanted(simulator, make_client):
    client = make_client()
    client.models()
    client.models(refresh=True)

    assert 2 == len(simulator.requests)


@pytest.mark.parametrize("fault", ["refused", "status_500", "html_200", "no_headers"])
def test_in_an_outage_the_last_list_is_given_and_says_that_it_is(simulator, make_client, fault):
    client = make_client()
    fresh = client.models()
    simulator.play("openrouter", fault)

    last = client.models(refresh=True, deadline=0.3)

    assert (fresh.listed, False, True) == (last.listed, fresh.stale, last.stale)
    assert "last list" in last._repr_html_()


def test_in_an_outage_without_a_last_list_the_error_says_why(simulator, make_client):
    simulator.outage("openrouter")

    with pytest.raises(RoutesExhausted, match="did not come: refused"):
        make_client().models()


def test_odd_entries_and_values_are_borne(make_echo, make_client):
    url = make_echo(
        200,
        lists([
            {"id": "a/b", "pricing": {"prompt": "-1", "completion": None}, "context_length": None},
            {"id": 7}, "text", {"name": "no id"},
            {"id": "c/d", "architecture": None, "supported_parameters": [1, "tools"], "new": {}},
        ])
    )  # fmt: skip

    models = make_client(base_url=url).models()

    assert ["a/b", "c/d"] == [model.id for model in models]
    assert (None, None, None) == (
        models[0].prompt_usd, models[0].completion_usd, models[0].context_tokens
    )  # fmt: skip
    assert ("tools",) == models[1].abilities


@pytest.mark.parametrize("body", ["[]", '{"data": 7}', "text", "{", ""])
def test_what_is_no_list_is_a_fault(make_echo, make_client, body):
    with pytest.raises(RoutesExhausted):
        make_client(base_url=make_echo(200, body)).models()


def test_models_can_be_searched(simulator, make_client):
    found = make_client().models().search("LLAMA", "tools")

    assert {"meta-llama/llama-3.3-70b-instruct", "meta-llama/llama-3.3-70b-instruct:free"} == {
        model.id for model in found
    }
    assert not make_client().models().search("llama", "image")


def test_they_are_a_sequence_and_can_be_had_by_id(simulator, make_client):
    models = make_client().models()

    assert models[0] in models
    assert "openai/gpt-4o" in models
    assert "openai/gpt-0" not in models
    assert isinstance(models[:2], Models)
    with pytest.raises(KeyError):
        _ = models["openai/gpt-0"]


def test_the_tables_show_them_and_let_no_markup_through():
    evil = Model(id="<script>alert(1)</script>", name="x", prompt_usd=0.25, context_tokens=1000)
    models = Models((evil,))

    assert "<script>" not in models._repr_html_()
    assert "&lt;script&gt;" in models._repr_html_()
    head, row = str(models).splitlines()
    assert head.startswith("model")
    assert ["<script>alert(1)</script>", "1,000", "0.25"] == row.split()
