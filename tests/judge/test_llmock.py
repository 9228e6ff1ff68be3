"""An outside judge: LLMock sees every attempt with its timing, and finds no fault with the client.

It groups attempts by their body and calls giving up after one attempt a finding, so what is judged
is one route; that others are asked after it has tests of its own elsewhere.
"""

from __future__ import annotations

import random

import pytest

from openrouter_resilient import (
    Client,
    ContextTooLong,
    InvalidRequest,
    RoutesExhausted,
    StreamInterrupted,
)

pytest.importorskip("llmock", reason="the judge is an extra: pip install '.[judge]'")

BETWEEN_CHUNKS_MS = 20  # so that it is still sending, and sees a client that stops reading


@pytest.fixture
def make_client(llmock):
    """A client with one route, the judge."""
    made = []

    def make(route="openrouter:openai/gpt-4o", **options):
        environment = {"OPENROUTER_API_KEY": "k", "OPENROUTER_BASE_URL": llmock.base_url("openai")}
        options.setdefault("fallbacks", ())
        client = Client(route, environment=environment | options.pop("more", {}), **options)
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


def judged(llmock):
    """The findings in strict mode, warnings included; and what was injected, which must be some."""
    verdict = llmock.verdict()
    return [finding.code for finding in verdict.findings], verdict.faults


@pytest.mark.parametrize("wire", ["stream", "whole"])
@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 529])
def test_a_passing_failure_is_retried_as_it_should_be(llmock, make_client, status, wire):
    llmock.fail(status)

    assert make_client(wire=wire).complete("hi").text
    assert ([], 1) == judged(llmock)
    llmock.assert_resilient(strict=True)


@pytest.mark.parametrize("seconds", [0.3, 1.0])
def test_a_rate_limit_is_waited_for(llmock, make_client, seconds):
    llmock.rate_limit(retry_after=seconds)

    assert make_client().complete("hi").text
    assert ([], 1) == judged(llmock)


def test_two_rate_limits_in_a_row_are_waited_for(llmock, make_client):
    llmock.rate_limit(times=2, retry_after=0.5)

    assert make_client().complete("hi").text
    assert ([], 2) == judged(llmock)


@pytest.mark.parametrize("fault", ["disconnect", "truncate", "corrupt"])
@pytest.mark.parametrize("after", [0, 1, 3])
def test_no_half_answer_is_taken_for_a_whole_one(llmock, make_client, fault, after):
    llmock.pace(BETWEEN_CHUNKS_MS)
    getattr(llmock, fault)(after_chunks=after)

    answer = make_client().complete("Tell me of the Danube.")

    assert "stop" == answer.choices[0].finish_reason
    assert ([], 1) == judged(llmock)


@pytest.mark.parametrize("fault", ["disconnect", "truncate", "corrupt"])
def test_a_stream_that_breaks_says_so_and_can_be_asked_again(llmock, make_client, fault):
    llmock.pace(BETWEEN_CHUNKS_MS)
    getattr(llmock, fault)(after_chunks=3)
    client = make_client()

    with pytest.raises(StreamInterrupted) as caught, client.stream("hi") as stream:
        list(stream)
    assert 1 == len(llmock.requests)  # it waits until the judge has seen the first one's end
    with client.stream("hi") as stream:
        assert list(stream)

    assert caught.value.partial.text
    assert ([], 1) == judged(llmock)


def test_a_stall_is_not_sat_through(llmock, make_client):
    llmock.stall(after_chunks=2, seconds=5.0)

    assert make_client(stall_timeout=0.3).complete("hi").text
    assert ([], 1) == judged(llmock)


def test_a_slow_first_token_is_not_sat_through(llmock, make_client):
    llmock.slow_first_token(3.0, provider="openai")
    more = {"GROQ_API_KEY": "k", "GROQ_BASE_URL": llmock.base_url("groq")}
    client = make_client(fallbacks=["groq:llama-3.3-70b-versatile"], more=more)

    answer = client.complete("hi", first_token_timeout=0.3)

    assert "groq" == answer.served.endpoint
    assert [] == judged(llmock)[0]


@pytest.mark.parametrize("status", [400, 422])
def test_a_request_that_cannot_succeed_is_sent_once(llmock, make_client, status):
    llmock.fail(status, times=None)

    with pytest.raises(InvalidRequest):
        make_client().complete("hi")

    assert 1 == len(llmock.requests)
    assert ([], 1) == judged(llmock)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_key_or_an_id_that_is_wrong_is_not_tried_again(llmock, make_client, status):
    llmock.fail(status, times=None)

    with pytest.raises(RoutesExhausted):
        make_client().complete("hi")

    assert 1 == len(llmock.requests)
    assert ([], 1) == judged(llmock)


def test_a_prompt_that_is_too_long_is_sent_once(llmock, make_client):
    llmock.context_overflow(times=None)

    with pytest.raises(ContextTooLong):
        make_client().complete("hi")

    assert ([], 1) == judged(llmock)


@pytest.mark.parametrize("seed", range(3))
def test_a_lasting_outage_is_no_storm(llmock, make_client, seed):
    llmock.outage()

    with pytest.raises(RoutesExhausted):
        make_client(jitter=random.Random(seed).random).complete("hi")

    codes, faults = judged(llmock)
    assert [] == codes
    assert 2 <= faults <= 4


@pytest.mark.parametrize("jitter", [0.0, 0.5, 0.999])
@pytest.mark.parametrize("status", [500, 503])
def test_each_further_attempt_waits_longer(llmock, make_client, status, jitter):
    llmock.fail(status, times=None)

    with pytest.raises(RoutesExhausted):
        make_client(jitter=lambda: jitter).complete("hi")

    assert 3 == len(llmock.requests)
    llmock.assert_resilient(strict=True)


def test_a_quota_by_the_minute_is_kept_to(llmock, make_client):
    llmock.limits(rpm=60)
    client = make_client()

    assert all(client.complete(f"n {n}").text for n in range(3))
    assert [] == judged(llmock)[0]


def test_tools_and_their_results_go_through(llmock, make_client):
    llmock.call_tool("get_weather", {"city": "Paris"}).disconnect(after_chunks=2)
    tool = {
        "type": "function",
        "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}},
    }

    answer = make_client().complete("What is the weather in Paris?", tools=[tool])

    assert "get_weather" == answer.tool_calls[0].function.name
    assert [] == judged(llmock)[0]
