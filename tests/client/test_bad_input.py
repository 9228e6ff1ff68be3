"""What is wrong is said at once, before any request, with the way to put it right."""

from __future__ import annotations

import pytest

from openrouter_resilient import Client, ConfigurationError, Endpoint
from openrouter_resilient.routing.plan import Route


def client(**options):
    return Client(**{"api_key": "k", "environment": {}, **options})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"models": "gpt-4o"}, "write author/model"),
        ({"models": []}, "models must be one or more ids"),
        ({"models": [""]}, "models must be one or more ids"),
        ({"models": 7}, "models must be one or more ids"),
        ({"fallbacks": ["opnai:gpt-4o"]}, "no endpoint is called 'opnai'"),
        ({"fallbacks": "opnai:gpt-4o"}, "no endpoint is called 'opnai'"),
        ({"fallbacks": [7]}, "a route is a text such as openai:gpt-4o, not int"),
        ({"fallbacks": [Route("openai", ("gpt-4o",))]}, "not Route; str"),
        ({"fallbacks": ["openai:gpt-4o"]}, "set OPENAI_API_KEY"),
        ({"base_url": "openrouter.ai/api/v1"}, "needs a scheme and a host"),
        ({"base_url": "ftp://openrouter.ai"}, "needs a scheme and a host"),
        ({"base_url": "https://"}, "needs a scheme and a host"),
        ({"base_url": "https://user:secret@host/v1"}, "may hold no credentials"),
        ({"deadline": -1}, "deadline must be a positive number of seconds"),
        ({"deadline": 0}, "deadline must be a positive number of seconds"),
        ({"deadline": float("nan")}, "deadline must be a positive number of seconds"),
        ({"stall_timeout": 0}, "stall_timeout must be a positive"),
        ({"rounds": 0}, "rounds must be at least 1"),
        ({"wire": "carrier pigeon"}, "wire must be"),
        ({"api_key": "two words"}, "OPENROUTER_API_KEY holds spaces"),
        ({"api_key": None}, "Set OPENROUTER_API_KEY"),
        ({"environment": {"OPENROUTER_RESILIENT_DEADLINE": "soon"}}, "number of seconds"),
        ({"environment": {"OPENROUTER_RESILIENT_DEADLINE": "-3"}}, "a positive number of seconds"),
        (
            {"environment": {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "x"}},
            "the base URL of openai",
        ),
        ({"keys": {"opnai": "secret"}}, "no endpoint is called 'opnai'"),
        ({"base_urls": {"opnai": "http://secret/v1"}}, "no endpoint is called 'opnai'"),
        ({"fallbacks": [5]}, "a route is a text"),
        ({"cache_entries": -1}, "cache_entries must not be negative"),
        ({"cache_bytes": -1}, "cache_bytes must not be negative"),
        ({"fallbacks": ["mine"], "endpoints": [Endpoint("mine", "http://h/v1")]}, "which model of"),
    ],
)
def test_a_wrong_setting_is_a_configuration_error(options, words):
    with pytest.raises(ConfigurationError, match=words) as caught:
        client(**options)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"stall_timeout": None}, "stall_timeout must be a number of seconds, not None"),
        ({"connect_timeout": None}, "connect_timeout must be a number of seconds, not None"),
        ({"api_key": 5}, "OPENROUTER_API_KEY must be a text, not int"),
        ({"keys": {"openai": 5}}, "OPENAI_API_KEY must be a text, not int"),
        ({"base_urls": {"openai": 5}}, "OPENAI_BASE_URL must be a text, not int"),
        ({"endpoints": ["mine"]}, "endpoints must be a list of Endpoint.*, not of str"),
        ({"chaos": 0.1}, "chaos must be a Chaos.*, not float"),
        ({"redis_url": 5}, "redis_url must be a text, not int"),
        ({"rounds": "2"}, "rounds must be a whole number, not str"),
        ({"cache_entries": 0.5}, "cache_entries must be a whole number, not float"),
    ],
)
def test_a_setting_of_a_wrong_type_is_a_type_error(options, words):
    with pytest.raises(TypeError, match=words):
        client(**options)


def test_an_executor_that_is_none_is_a_type_error_before_any_request(simulator, make_client):
    with pytest.raises(TypeError, match=r"a concurrent\.futures\.Executor, not int"):
        make_client().map(["hi"], executor=5, progress=False)

    assert [] == simulator.requests


def test_a_key_may_be_given_by_the_name_of_any_endpoint_that_is_there():
    mine = Endpoint("my-own", "http://localhost:9/v1")
    there = client(
        keys={"openai": "a", "my-own": "b"},
        base_urls={"openai": "http://localhost:8/v1"},
        endpoints=[mine],
    ).endpoints

    assert ("a", "b") == tuple(there[name].key.get_secret_value() for name in ("openai", "my-own"))
    assert "http://localhost:8/v1" == there["openai"].base_url


def test_one_fallback_may_be_given_as_a_text_like_one_model(simulator):
    with Client(
        "openai/gpt-4o", fallbacks="groq:llama-3.3-70b-versatile",
        environment=simulator.environment(),
    ) as client:  # fmt: skip
        simulator.outage("openrouter")
        first = client.complete("hi").served
        other = client.complete("hi", fallbacks="openai").served

    assert ("groq", "openai") == (first.endpoint, other.endpoint)


@pytest.mark.parametrize(
    ("prompt", "error", "words"),
    [
        ("", ValueError, "the prompt is empty"),
        ("  \n", ValueError, "the prompt is empty"),
        ([], ValueError, "the prompt is empty"),
        (None, TypeError, "a text or a list of messages"),
        (7, TypeError, "a text or a list of messages"),
        (b"hi", TypeError, "a text or a list of messages"),
        ({"role": "user", "content": "hi"}, TypeError, "a text or a list of messages"),
        (["hi"], TypeError, "message 0 must be a dict"),
        ([{"content": "hi"}], ValueError, "message 0 needs a role"),
        ([{"role": "usr", "content": "hi"}], ValueError, "message 0 needs a role"),
        ([{"role": "user"}], TypeError, "message 0 .user. needs a content"),
        ([{"role": "user", "content": 3}], TypeError, "message 0 .user. needs a content"),
        ([{"role": "user", "content": [{"text": "hi"}]}], TypeError, 'needs a "type"'),
    ],
)
def test_a_wrong_prompt_is_refused_before_any_request(simulator, make_client, prompt, error, words):
    with pytest.raises(error, match=words):
        make_client().complete(prompt)

    assert [] == simulator.requests


def nested(depth):
    """A list in a list, and so on."""
    value = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("params", "error", "words"),
    [
        ({"deadline": -1}, ConfigurationError, "deadline must be a positive"),
        ({"deadline": "2"}, TypeError, "deadline must be a number"),
        ({"stream": True}, TypeError, "call client.stream"),
        ({"messages": []}, TypeError, "give them as the prompt"),
        ({"timeout": 3}, TypeError, "deadline=… bounds the whole call"),
        ({"extra_body": {"top_k": 1}}, TypeError, "give its fields as parameters"),
        ({"system": 3}, TypeError, "system must be a text"),
        ({"temperature": object()}, TypeError, "JSON"),
        ({"temperature": float("nan")}, ValueError, "JSON"),
        ({"logit_bias": nested(100_000)}, ValueError, "nested too deeply"),
        ({"models": ["gpt-4o"]}, ConfigurationError, "write author/model"),
        ({"wire": "carrier pigeon"}, ConfigurationError, "wire must be"),
        ({"fallbacks": [5]}, ConfigurationError, "a route is a text"),
        ({"fallbacks": "x:y"}, ConfigurationError, "no endpoint is called 'x'"),
        ({"fallbacks": ["x:y"]}, ConfigurationError, "no endpoint is called 'x'"),
    ],
)
def test_a_wrong_parameter_is_refused_before_any_request(
    simulator, make_client, params, error, words
):
    with pytest.raises(error, match=words):
        make_client().complete("hi", **params)

    assert [] == simulator.requests


def test_a_request_that_no_route_can_carry_says_why(simulator):
    client = Client(fallbacks=["openai:gpt-4o"], environment=simulator.environment())
    only_openai = client.complete("hi", models=["openai:gpt-4o"], fallbacks=())
    assert "openai" == only_openai.served.endpoint

    with pytest.raises(ConfigurationError, match="the plugin web runs at OpenRouter only"):
        client.complete("hi", models=["openai:gpt-4o"], fallbacks=(), plugins=[{"id": "web"}])
