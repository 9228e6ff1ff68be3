"""Whatever hedging and caching do: `served` stays true, and the deadline holds."""

from __future__ import annotations

import threading
import time
from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from openrouter_resilient import Client, Completion, ResilientError
from openrouter_resilient.simulator import Simulator

DEADLINE_S = 0.6
MARGIN_S = 0.25  # what a machine busy with other tests may need to wake a thread
WORDS = ("one", "two")
FAULTS = (
    None, "refused", "status_503", "status_401", "status_422", "rate_limit", "no_headers",
    "endless_comments", "cut_mid_stream", "error_first", "stall_mid_stream", "missing_usage",
    "missing_model", "reset_before_headers", "status_400_context", "empty_content",
)  # fmt: skip
WEATHER = st.fixed_dictionaries(
    {
        "openrouter": st.sampled_from(FAULTS),
        "openai": st.sampled_from(FAULTS),
        "late": st.sampled_from([0.0, 0.03, 0.1]),  # until OpenRouter's first token
        "hedge_after": st.sampled_from([None, 0.02, 0.05]),
        "cache_seconds": st.sampled_from([0, 0.05, 60]),
        "stale_if_error": st.sampled_from([0, 60]),
        "streams": st.booleans(),
        "prompts": st.lists(st.sampled_from(WORDS), min_size=1, max_size=4),
        "together": st.booleans(),
    }
)


@pytest.fixture(scope="module")
def world():
    with Simulator(["openrouter", "openai"]) as simulator:
        yield simulator


def ask(client, prompt, weather):
    """What came of one call, and how long it took."""
    began = time.monotonic()
    options = {"deadline": DEADLINE_S, "hedge_after": weather["hedge_after"]}
    try:
        if weather["streams"]:
            with client.stream(prompt, **options) as stream:
                result = stream.completion
        else:
            cache = {name: weather[name] for name in ("cache_seconds", "stale_if_error")}
            result = client.complete(prompt, **options, **cache)
    except ResilientError as error:
        result = error
    return prompt, result, time.monotonic() - began


def ask_all(client, weather):
    """One after the other, or all at once."""
    results = []

    def one(prompt):
        results.append(ask(client, prompt, weather))

    threads = [threading.Thread(target=one, args=(prompt,)) for prompt in weather["prompts"]]
    for thread in threads:
        thread.start()
        if not weather["together"]:
            thread.join()
    for thread in threads:
        thread.join()
    return results


def assert_true(completion, prompt, said):
    """Each claim is what the wire said about the very answer that was handed over."""
    served = completion.served
    assert prompt in completion.text
    answer = said[served.generation_id]
    assert answer.text == completion.text
    assert (answer.model, answer.provider) == (served.model, served.provider)
    assert answer.usage == served.usage
    assert answer.finish_reason == served.finish_reason
    assert (served.age_seconds is not None) == served.cached
    assert served.cached or not served.stale
    if served.cached:
        assert 0.0 == served.cost
        assert all(attempt.fault for attempt in served.attempts)
    else:
        assert answer.cost == (None if served.cost is None else pytest.approx(served.cost))
        assert [None] == [
            a.fault for a in served.attempts if a.generation_id == served.generation_id
        ]


@pytest.mark.slow
@settings(
    max_examples=40, deadline=None, derandomize=True, phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(weather=WEATHER)
def test_nothing_makes_served_untrue_or_breaks_the_deadline(world, weather):
    world.heal()
    world.forget()
    world.latency("openrouter", first_token=weather["late"])
    for face in ("openrouter", "openai"):
        if weather[face] is not None:
            world.play(face, weather[face])
    client = Client(
        "anthropic/claude-sonnet-4.5",
        fallbacks=["openai:gpt-4o"],
        environment=world.environment(),
        first_token_timeout=0.2,
        stall_timeout=0.1,
    )

    with client:
        results = ask_all(client, weather)

    said = {
        request.answered.generation_id: request.answered
        for request in world.requests
        if request.answered
    }
    assert len(weather["prompts"]) == len(results)
    for prompt, result, seconds in results:
        assert seconds < DEADLINE_S + MARGIN_S
        if isinstance(result, Completion):
            assert_true(result, prompt, said)


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault])
def test_requests_that_reached_a_server_are_the_attempts_of_the_trail(world, fault):
    """Also where both were asked at once: none is hidden and none made up."""
    world.heal()
    world.forget()
    world.latency("openrouter")
    world.play("openrouter", fault)
    with Client(
        "anthropic/claude-sonnet-4.5",
        fallbacks=["openai:gpt-4o"],
        environment=world.environment(),
        first_token_timeout=0.3,
        stall_timeout=0.1,
        hedge_after=0.1,
    ) as client:
        try:
            attempts = client.complete("one", deadline=2.0).served.attempts
        except ResilientError as error:
            attempts = error.history

    numbers = [attempt.number for attempt in attempts]
    certain = [a for a in attempts if a.fault not in ("refused", "abandoned")]
    given_up = [a for a in attempts if a.fault == "abandoned"]  # perhaps before it was sent
    seen = Counter(request.face for request in world.requests)
    assert list(range(1, len(attempts) + 1)) == numbers
    assert Counter(a.endpoint for a in certain) <= seen
    assert seen <= Counter(a.endpoint for a in (*certain, *given_up))
