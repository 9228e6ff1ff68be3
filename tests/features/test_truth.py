"""Whatever hedging, caching and parsing do: `served` stays true, and the deadline holds."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from openrouter_resilient import (
    Client,
    Completion,
    InvalidStructuredOutput,
    Parsed,
    ResilientError,
)
from openrouter_resilient.simulator import Simulator

DEADLINE_S = 0.6
MARGIN_S = 0.5  # what a machine busy with other tests may need; each fault lasts far longer
FACES = ("openrouter", "openai", "anthropic")
WORDS = ("one", "two")
FAULTS = (
    None, "refused", "status_503", "status_401", "status_422", "rate_limit", "no_headers",
    "endless_comments", "cut_mid_stream", "error_first", "stall_mid_stream", "missing_usage",
    "missing_model", "reset_before_headers", "status_400_context", "empty_content",
    "status_404_no_endpoints", "half_json", "html_200",
)  # fmt: skip
SAYINGS = (  # of the right form, wrapped, and of others
    '{{"name": "{}"}}', '```json\n{{"name": "{}"}}\n```', 'It is {{"name": "{}"}}.',
    "no idea of {}", '{{"name": ["{}"]}}', '{{"name": "{}"',
)  # fmt: skip
WEATHER = st.fixed_dictionaries(
    {
        "faults": st.fixed_dictionaries({face: st.sampled_from(FAULTS) for face in FACES}),
        "times": st.sampled_from([1, 2, None]),
        "late": st.sampled_from([0.0, 0.03, 0.1]),  # until OpenRouter's first token
        "hedge_after": st.sampled_from([None, 0.02, 0.05]),
        "cache_seconds": st.sampled_from([0, 0.05, 60]),
        "stale_if_error": st.sampled_from([0, 60]),
        "sayings": st.lists(st.sampled_from(SAYINGS), min_size=1, max_size=4),
        "repairs": st.integers(0, 3),
        "calls": st.lists(
            st.tuples(st.sampled_from(["complete", "stream", "parse"]), st.sampled_from(WORDS)),
            min_size=1,
            max_size=4,
        ),
        "together": st.booleans(),
    }
)


class Answer(BaseModel):
    name: str


@pytest.fixture(scope="module")
def world():
    with Simulator(FACES) as simulator:
        yield simulator


def make(world, **options):
    return Client(
        "anthropic/claude-sonnet-5",
        fallbacks=["openai:gpt-4o", "anthropic:claude-sonnet-5"],
        environment=world.environment(),
        first_token_timeout=0.2,
        stall_timeout=0.1,
        **options,
    )


def prompt_of(body):
    """What was asked first, before anybody was told that an answer was wrong."""
    content = next(m for m in body["messages"] if m["role"] == "user")["content"]
    return content if isinstance(content, str) else content[0]["text"]


def saying(sayings):
    """Each request is answered by the next of the sayings, about its own prompt."""
    following = itertools.cycle(sayings)
    return lambda _face, body: next(following).format(prompt_of(body))


def ask(client, kind, prompt, weather):
    """What came of one call, and how long it took."""
    began = time.monotonic()
    options = {"deadline": DEADLINE_S, "hedge_after": weather["hedge_after"]}
    cache = {name: weather[name] for name in ("cache_seconds", "stale_if_error")}
    try:
        if kind == "stream":
            with client.stream(prompt, **options) as stream:
                result = stream.completion
        elif kind == "complete":
            result = client.complete(prompt, **options, **cache)
        else:
            repairs = weather["repairs"]
            result = client.parse(prompt, Answer, repairs=repairs, **options, **cache)
    except ResilientError as error:
        result = error
    return prompt, result, time.monotonic() - began


def ask_all(client, weather):
    """One after the other, or all at once."""
    results = []

    def one(kind, prompt):
        results.append(ask(client, kind, prompt, weather))

    threads = [threading.Thread(target=one, args=call) for call in weather["calls"]]
    for thread in threads:
        thread.start()
        if not weather["together"]:
            thread.join()
    for thread in threads:
        thread.join()
    return results


def counts(usage):
    return usage and (usage["prompt_tokens"], usage["completion_tokens"])


def assert_true(completion, prompt, said):
    """Each claim is what the wire said about the very answer that was handed over."""
    served = completion.served
    assert prompt in completion.text
    answer = said[served.generation_id]
    assert answer.text == completion.text
    assert (answer.model, answer.provider) == (served.model, served.provider)
    assert counts(answer.usage) == counts(served.usage)
    assert answer.finish_reason == served.finish_reason
    assert (served.age_seconds is not None) == served.cached
    assert served.cached or not served.stale
    answered = [a.generation_id for a in served.attempts if a.fault is None]
    if served.cached:
        assert 0.0 == served.cost
    else:
        assert answer.cost == (None if served.cost is None else pytest.approx(served.cost))
        assert served.generation_id == answered.pop()
    if isinstance(completion, Parsed):
        assert prompt == completion.value.name
    else:
        assert [] == answered
    assert set(answered) <= set(said)  # of a form: answers that were wrong
    assert list(range(1, len(served.attempts) + 1)) == [a.number for a in served.attempts]


@pytest.mark.slow
@settings(
    max_examples=80, deadline=None, derandomize=True, phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(weather=WEATHER)
def test_nothing_makes_served_untrue_or_breaks_the_deadline(world, weather):
    world.heal()
    world.forget()
    world.answer = saying(weather["sayings"])
    world.latency("openrouter", first_token=weather["late"])
    for face, fault in weather["faults"].items():
        if fault is not None:
            counted = None if fault == "refused" else weather["times"]  # it closes the port
            world.play(face, fault, times=counted)

    with make(world) as client:
        results = ask_all(client, weather)

    said = {
        request.answered.generation_id: request.answered
        for request in world.requests
        if request.answered
    }
    assert len(weather["calls"]) == len(results)
    for prompt, result, seconds in results:
        assert seconds < DEADLINE_S + MARGIN_S
        if isinstance(result, Completion):
            assert_true(result, prompt, said)
        elif isinstance(result, InvalidStructuredOutput):
            assert result.text in {answer.text for answer in said.values()}


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault])
def test_requests_that_reached_a_server_are_the_attempts_of_the_trail(world, fault):
    """Also where both were asked at once: none is hidden and none made up."""
    world.heal()
    world.forget()
    world.answer = saying(['{{"name": "{}"}}'])
    world.latency("openrouter")
    world.play("openrouter", fault)
    with make(world, hedge_after=0.1) as client:
        try:
            attempts = client.parse("one", Answer, deadline=2.0).served.attempts
        except ResilientError as error:
            attempts = error.history

    numbers = [attempt.number for attempt in attempts]
    certain = [a for a in attempts if a.fault not in ("refused", "abandoned")]
    given_up = [a for a in attempts if a.fault == "abandoned"]  # perhaps before it was sent
    seen = Counter(request.face for request in world.requests)
    assert list(range(1, len(attempts) + 1)) == numbers
    assert Counter(a.endpoint for a in certain) <= seen
    assert seen <= Counter(a.endpoint for a in (*certain, *given_up))
