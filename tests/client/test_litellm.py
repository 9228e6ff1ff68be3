"""LiteLLM's call as it stands: moving over is a changed import."""

from __future__ import annotations

import pytest

from openrouter_resilient import ConfigurationError, ResilientError, completion

MESSAGES = [{"role": "user", "content": "hi"}]
CALL = {
    "model": "claude-3-5-sonnet-20241022",
    "messages": MESSAGES,
    "fallbacks": ["gpt-4o", "groq/llama-3.1-70b-versatile"],
}


@pytest.fixture
def environment(simulator, monkeypatch):
    """The simulator's keys and URLs, as a process would have them; a test may take some away."""
    for name, value in simulator.environment().items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_the_model_and_its_fallbacks_ride_in_one_request_at_openrouter(simulator, environment):
    answer = completion(**CALL)

    assert ["anthropic/claude-3.5-sonnet", "openai/gpt-4o"] == simulator.requests[0].body["models"]
    assert (
        answer.text
        == answer["choices"][0]["message"]["content"]
        == answer.choices[0].message.content
    )


@pytest.mark.parametrize(
    ("down", "endpoint", "model"),
    [
        (("openrouter",), "anthropic", "claude-3-5-sonnet-20241022"),
        (("openrouter", "anthropic"), "openai", "gpt-4o"),
        (("openrouter", "anthropic", "openai"), "groq", "llama-3.1-70b-versatile"),
    ],
)
def test_behind_it_each_goes_straight_to_its_own_endpoint_in_order(
    simulator, environment, down, endpoint, model
):
    for face in down:
        simulator.outage(face)

    answer = completion(**CALL)

    assert endpoint == answer.served.endpoint
    assert model == simulator.requests[-1].body["model"]
    assert simulator.key(endpoint) == simulator.requests[-1].key


def test_without_an_openrouter_key_the_direct_endpoints_are_asked_at_once(simulator, environment):
    for name in ("OPENROUTER_API_KEY", "ANTHROPIC_API_KEY"):
        environment.delenv(name)

    assert "openai" == completion(**CALL).served.endpoint


def test_a_stream_yields_chunks_with_a_delta(simulator, environment):
    chunks = completion(**CALL, stream=True)

    texts = [chunk.choices[0].delta.content or "" for chunk in chunks]

    assert simulator.requests[0].answered.text == "".join(texts)
    assert chunks.stream.served.endpoint == "openrouter"


def test_a_chunk_says_why_the_answer_ended(simulator, environment):
    *_, last = completion(model="gpt-4o", messages=MESSAGES, stream=True)

    assert "stop" == last.choices[0].finish_reason


@pytest.mark.parametrize("down", [(), ("openrouter",), ("openrouter", "anthropic")])
def test_usage_comes_in_a_last_chunk_of_no_choice_where_it_is_asked_for(
    simulator, environment, down
):
    for face in down:
        simulator.outage(face)

    chunks = completion(**CALL, stream=True, stream_options={"include_usage": True})
    *before, last = chunks

    assert [] == last.choices
    assert chunks.stream.completion.usage == last.usage
    assert last.usage.total_tokens > 0
    assert all(len(chunk.choices) == 1 for chunk in before)
    assert {chunks.stream.completion.id} == {chunk.id for chunk in (*before, last)}


def test_a_stream_is_an_iterator_that_ends_once(simulator, environment):
    chunks = completion(**CALL, stream=True)

    first, *rest = next(chunks), *chunks

    assert all(len(chunk.choices) == 1 for chunk in (first, *rest))
    assert [] == list(chunks)


def test_a_key_given_with_the_model_reaches_its_own_endpoint_alone(simulator, environment):
    simulator.outage("openrouter")

    answer = completion(**CALL, api_key=simulator.key("anthropic"))

    assert "anthropic" == answer.served.endpoint
    assert simulator.key("openai") not in {
        request.key for request in simulator.received("anthropic")
    }


def test_api_base_makes_an_endpoint_of_its_own(simulator, environment):
    environment.setenv("CUSTOM_BASE_URL", "http://127.0.0.1:9/v1")  # somebody else's
    answer = completion(
        model="openai/gpt-4o",
        messages=MESSAGES,
        api_base=simulator.url("openai"),
        api_key=simulator.key("openai"),
    )

    assert "custom" == answer.served.endpoint
    assert "gpt-4o" == simulator.requests[0].body["model"]


@pytest.mark.parametrize("prefix", ["hosted_vllm/", "litellm_proxy/", "groq/", "openai/", ""])
def test_a_server_of_ones_own_is_asked_by_its_own_name_for_a_model(simulator, environment, prefix):
    completion(
        model=f"{prefix}gpt-4o",
        messages=MESSAGES,
        api_base=simulator.url("openai"),
        api_key=simulator.key("openai"),
    )

    assert "gpt-4o" == simulator.requests[-1].body["model"]


@pytest.mark.parametrize("of", [{"model": "openai/gpt-4o", "api_base": True}, {"model": "gpt-4o"}])
def test_two_tenants_of_one_server_each_send_their_own_key(simulator, environment, of):
    environment.delenv("OPENROUTER_API_KEY")
    if of.get("api_base"):
        of = {**of, "api_base": simulator.url("openai")}

    for key in ("key-of-a", "key-of-b", "key-of-a"):
        with pytest.raises(ResilientError):
            completion(messages=MESSAGES, api_key=key, **of)

    assert ["key-of-a", "key-of-b", "key-of-a"] == [request.key for request in simulator.requests]


@pytest.mark.parametrize(
    ("name", "at_openrouter"),
    [
        ("openrouter/openai/gpt-4o", "openai/gpt-4o"),
        ("openai/gpt-4o", "openai/gpt-4o"),
        ("gpt-4o-mini", "openai/gpt-4o-mini"),
        ("claude-sonnet-4-5-20250929", "anthropic/claude-sonnet-4.5"),
        ("anthropic/claude-3-opus-20240229", "anthropic/claude-3-opus"),
        ("gemini/gemini-2.5-pro", "google/gemini-2.5-pro"),
        ("mistral/mistral-large-2411", "mistralai/mistral-large-2411"),
        ("meta-llama/llama-3.3-70b-instruct", "meta-llama/llama-3.3-70b-instruct"),
    ],
)
def test_a_litellm_name_is_found_at_openrouter(simulator, environment, name, at_openrouter):
    simulator.play("openrouter", "status_400")

    with pytest.raises(Exception, match="refused"):
        completion(model=name, messages=MESSAGES)

    assert at_openrouter == simulator.requests[0].body["model"]


def test_the_key_that_is_missing_is_the_one_that_is_named(environment):
    environment.delenv("GROQ_API_KEY")

    with pytest.raises(ConfigurationError, match="set GROQ_API_KEY") as caught:
        completion(model="groq/llama-3.1-8b-instant", messages=MESSAGES)

    assert "OPENROUTER" not in str(caught.value)


def test_a_name_that_cannot_be_placed_is_said(environment):
    with pytest.raises(ConfigurationError, match="whose model is 'llama3'"):
        completion(model="llama3", messages=MESSAGES)


@pytest.mark.parametrize("answer", ["It is about rivers.", ""])
def test_a_mock_response_is_never_asked_for_in_earnest(simulator, environment, answer):
    with pytest.raises(ConfigurationError, match="the fixture openrouter_simulator"):
        completion(**CALL, mock_response=answer)

    assert [] == simulator.requests
    assert completion(**CALL, mock_response=None).text


def test_timeout_is_the_deadline_and_retries_are_rounds(simulator, environment):
    simulator.play("groq", "status_503")

    with pytest.raises(Exception, match="every route failed") as caught:
        completion(model="groq/llama-3.1-8b-instant", messages=MESSAGES, timeout=3, num_retries=0)

    assert len(caught.value.history) >= 2


@pytest.mark.parametrize("name", ["num_retries", "max_retries"])
@pytest.mark.parametrize(("retries", "attempts"), [(0, 2), (1, 3), (None, 3)])
def test_no_retries_are_no_further_round(simulator, environment, name, retries, attempts):
    """A 503 is asked again once within its turn in any case."""
    simulator.play("groq", "status_503")
    model, options = "groq/llama-3.1-8b-instant", {name: retries}

    with pytest.raises(Exception, match="every route failed") as caught:
        completion(model=model, messages=MESSAGES, timeout=8, **options)

    assert attempts == len(caught.value.history)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"model": None}, TypeError, "model must be a model's name, not NoneType"),
        ({"model": None, "api_base": "http://localhost/v1"}, TypeError, "not NoneType"),
        ({"num_retries": -1}, ConfigurationError, "num_retries must not be negative, but is -1"),
        ({"max_retries": "x"}, TypeError, "max_retries must be a whole number, not str"),
        ({"extra_headers": {"X-A": "b"}}, TypeError, "extra_headers is no parameter here"),
    ],
)
def test_what_it_cannot_take_is_named_before_any_request(
    simulator, environment, options, error, words
):
    with pytest.raises(error, match=words):
        completion(**{**CALL, **options})

    assert [] == simulator.requests
