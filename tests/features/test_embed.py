"""Vectors: all of them, in order, under one deadline, and of one model."""

from __future__ import annotations

import json
import time

import pytest

from openrouter_resilient import (
    ConfigurationError,
    DeadlineExceeded,
    Embeddings,
    Endpoint,
    RoutesExhausted,
    SpendingCapReached,
)
from openrouter_resilient.simulator.embeddings import vector

TEXTS = [f"river {number}" for number in range(10)]
EXPECTED = [vector(text, 96) for text in TEXTS]
SMALL = "openai/text-embedding-3-small"


@pytest.mark.parametrize("batch_size", [1, 3, 10, 100])
def test_vectors_come_in_the_order_of_their_texts(simulator, make_client, served_by, batch_size):
    vectors = make_client().embed(TEXTS, batch_size=batch_size)

    assert EXPECTED == list(vectors)
    assert {served_by} == {served.endpoint for served in vectors.served}
    assert len(vectors.served) == -(-len(TEXTS) // batch_size)
    assert "text-embedding-3-small" == vectors.model


def test_the_order_is_that_of_the_indexes_not_of_the_reply(make_echo, make_client):
    entries = [{"index": place, "embedding": [float(place)]} for place in (2, 0, 1)]
    url = make_echo(200, json.dumps({"data": entries, "model": "text-embedding-3-small"}))

    vectors = make_client(base_url=url).embed(["a", "b", "c"])

    assert [[0.0], [1.0], [2.0]] == vectors.vectors


def test_one_text_is_a_list_of_one(simulator, make_client):
    vectors = make_client().embed("river 0")

    assert (1, EXPECTED[0], EXPECTED[:1]) == (len(vectors), vectors[0], vectors[:1])


def test_vectors_that_come_packed_are_unpacked(simulator, make_client):
    assert EXPECTED == make_client().embed(TEXTS, encoding_format="base64").vectors


def test_the_cost_is_the_sum_of_what_was_reported(simulator, make_client):
    vectors = make_client().embed(TEXTS, batch_size=3)

    answered = [request.answered.cost for request in simulator.requests]
    assert sum(answered) == pytest.approx(vectors.cost)


def test_where_a_cost_is_unknown_so_is_the_sum(simulator, make_client):
    simulator.outage("openrouter")

    assert make_client().embed(TEXTS).cost is None


def test_an_outage_between_two_batches_changes_the_endpoint_and_not_the_vectors(
    simulator, make_client
):
    simulator.play("openrouter", "status_503", every=2)

    vectors = make_client().embed(TEXTS, batch_size=2)

    assert EXPECTED == vectors.vectors


def test_openai_is_asked_for_the_same_model_by_its_own_name(simulator, make_client):
    simulator.outage("openrouter")

    make_client().embed(TEXTS, dimensions=24, provider={"sort": "price"})

    (request,) = simulator.requests
    assert ("openai", "/v1/embeddings") == (request.face, request.path)
    assert {"model": "text-embedding-3-small", "input": TEXTS, "dimensions": 24} == request.body


def test_openrouter_stands_behind_openai_as_well(simulator, make_client):
    simulator.outage("openai")

    vectors = make_client().embed(TEXTS, model="openai:text-embedding-3-small")

    assert EXPECTED == vectors.vectors
    assert "openrouter" == vectors.served[0].endpoint


def test_nobody_else_is_ever_asked(simulator, make_client):
    for face in ("openrouter", "openai"):
        simulator.outage(face)

    with pytest.raises(RoutesExhausted):
        make_client(fallbacks=None, rounds=1).embed(TEXTS)

    assert [] == simulator.requests


def test_a_fallback_with_another_model_is_refused_at_once(simulator, make_client):
    with pytest.raises(ConfigurationError, match="vectors of two models do not mix"):
        make_client().embed(TEXTS, fallbacks=["openai:text-embedding-3-large"])

    assert [] == simulator.requests


def test_a_server_of_ones_own_may_serve_the_same_model(simulator, make_client):
    simulator.outage("openrouter")
    own = Endpoint("own", simulator.url("openai"), key=simulator.key("openai"))
    client = make_client(endpoints=[own])

    vectors = client.embed(TEXTS, fallbacks=["own:text-embedding-3-small"])

    assert {"own"} == {served.endpoint for served in vectors.served}


@pytest.mark.parametrize("said", ["text-embedding-3-large", "nomic-embed-text"])
def test_a_reply_of_another_model_is_a_fault(simulator, make_echo, make_client, said):
    url = make_echo(200, json.dumps({"data": [{"embedding": [1.0]}], "model": said}))

    vectors = make_client(base_url=url).embed("river 0")

    assert EXPECTED[:1] == vectors.vectors
    assert "unreadable" == vectors.served[0].attempts[0].fault


@pytest.mark.parametrize(
    "entry",
    [{}, {"embedding": []}, {"embedding": ["a"]}, {"embedding": "***"}, {"embedding": None}, 7],
)
def test_what_is_no_vector_is_a_fault(simulator, make_echo, make_client, entry):
    url = make_echo(200, json.dumps({"data": [entry], "model": "text-embedding-3-small"}))

    assert "openai" == make_client(base_url=url).embed("river 0").served[0].endpoint


@pytest.mark.parametrize("vectors", [[[1.0]], [[1.0]] * 3, [[1.0], [1.0, 2.0]]])
def test_too_few_or_too_many_or_vectors_of_two_lengths_are_a_fault(make_echo, make_client, vectors):
    data = [{"embedding": one} for one in vectors]
    url = make_echo(200, json.dumps({"data": data, "model": "text-embedding-3-small"}))

    made = make_client(base_url=url).embed(TEXTS[:2])

    assert "unreadable" == made.served[0].attempts[0].fault
    assert EXPECTED[:2] == made.vectors


@pytest.mark.parametrize(
    "indices",
    [[2, 2, 2], [0, 1, 3], [1, 2, 3], [-1, 0, 1], ["0", "1", "2"], [0.0, 1.0, 2.0],
     [False, True, 2], [0, None, 2]],
)  # fmt: skip
def test_indices_that_do_not_say_whose_each_vector_is_are_a_fault(
    simulator, make_echo, make_client, indices
):
    data = [{"index": index, "embedding": [1.0]} for index in indices]
    url = make_echo(200, json.dumps({"data": data, "model": "text-embedding-3-small"}))

    made = make_client(base_url=url).embed(TEXTS[:3])

    assert "unreadable" == made.served[0].attempts[0].fault
    assert EXPECTED[:3] == made.vectors


def test_batches_of_two_lengths_are_never_handed_over(simulator, make_echo, make_client):
    """A server of one's own has another model under the same name."""
    odd = {"data": [{"embedding": [1.0]}], "model": "text-embedding-3-small"}
    own = Endpoint("own", make_echo(200, json.dumps(odd)))
    simulator.play("openrouter", "fails_after_k", k=1, fault="status_401")

    with pytest.raises(RoutesExhausted, match=r"different lengths came \(\[1, 96\]\)"):
        make_client(endpoints=[own]).embed(
            TEXTS[:2], batch_size=1, fallbacks=["own:text-embedding-3-small"]
        )


def test_no_batch_is_sent_past_the_cap(simulator, make_client):
    one = make_client().embed(TEXTS[:2]).cost
    simulator.forget()

    with pytest.raises(SpendingCapReached, match="these vectors"):
        make_client().embed(TEXTS, batch_size=2, max_cost=one * 2.5)

    assert 3 == len(simulator.requests)
    assert all("max_cost" not in request.body for request in simulator.requests)


def test_a_server_of_ones_own_may_want_no_key_whatever_it_speaks(simulator, make_echo, make_client):
    reply = {"data": [{"embedding": [1.0]}], "model": "bge-m3"}
    own = Endpoint("own", make_echo(200, json.dumps(reply)), dialect="openai")

    assert [[1.0]] == make_client(endpoints=[own]).embed("river", model="own:bge-m3").vectors


def test_a_fallback_whose_key_is_not_set_is_refused_at_once(simulator, make_client):
    environment = simulator.environment()
    del environment["OPENAI_API_KEY"]
    client = make_client(fallbacks=(), environment=environment)

    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY"):
        client.embed(TEXTS, fallbacks=["openai:text-embedding-3-small"])
    assert {"openrouter"} == {served.endpoint for served in client.embed(TEXTS).served}


@pytest.mark.parametrize("fault", ["status_500", "status_401", "html_200", "cut_mid_stream"])
def test_faults_are_told_as_for_any_call(simulator, make_client, fault):
    simulator.play("openrouter", fault)

    vectors = make_client().embed("river 0")

    assert EXPECTED[:1] == vectors.vectors
    assert vectors.served[0].attempts[0].fault is not None
    assert "openai" == vectors.served[0].endpoint


def test_the_deadline_holds_for_all_batches_together(simulator, make_client):
    for face in ("openrouter", "openai"):
        simulator.play(face, "no_headers")
    began = time.monotonic()

    with pytest.raises(DeadlineExceeded):
        make_client().embed(TEXTS, batch_size=2, deadline=0.6)

    assert time.monotonic() - began < 0.8


def test_a_kind_of_input_that_an_endpoint_does_not_know_excludes_it(simulator, make_client):
    """The vectors would be others."""
    served = make_client().embed(TEXTS, input_type="search_query").served[0]

    assert ("openai:text-embedding-3-small: it cannot do input_type",) == served.skipped


@pytest.mark.parametrize(
    ("texts", "error"),
    [([], ValueError), (["a", ""], ValueError), ([7], TypeError), ("  ", ValueError)],
)
def test_what_cannot_be_embedded_is_refused_at_once(make_client, texts, error):
    with pytest.raises(error):
        make_client().embed(texts)


def test_a_batch_has_at_least_one_text(make_client):
    with pytest.raises(ValueError, match="batch_size"):
        make_client().embed(TEXTS, batch_size=0)


def test_a_repr_shows_who_and_how_many_and_no_number(simulator, make_client):
    vectors = make_client().embed(TEXTS)

    assert isinstance(vectors, Embeddings)
    assert "<Embeddings: 10 of 96 numbers, text-embedding-3-small via openrouter>" == repr(vectors)
