"""How long a client waits for a first token, before the fair share cuts it."""

from __future__ import annotations

import pytest

from openrouter_resilient import Client
from openrouter_resilient.shapes import make_request


def patience(characters=10, *, client=None, given=None, wire="stream", **parameters):
    request = make_request("x" * characters, None, parameters)
    with Client(
        "openai/gpt-4o", environment={"OPENROUTER_API_KEY": "k"}, **(client or {})
    ) as asked:
        return asked._patience(request, given, wire)


@pytest.mark.parametrize(
    ("characters", "seconds"), [(40, 10.001), (40_000, 11.0), (100_000, 12.5), (400_000, 20.0)]
)
def test_it_is_10_s_and_1_s_for_every_40_000_characters_of_prompt(characters, seconds):
    assert seconds == pytest.approx(patience(characters))


@pytest.mark.parametrize(
    "parameters",
    [
        {"reasoning": {"effort": "high"}},
        {"reasoning": {"max_tokens": 2000}},
        {"reasoning_effort": "low"},
        {"include_reasoning": True},
    ],
)
def test_it_has_no_cap_for_a_request_that_reasons(parameters):
    assert patience(**parameters) is None


@pytest.mark.parametrize(
    "parameters",
    [
        {"reasoning": {"enabled": False}},
        {"reasoning": {"effort": "none"}},
        {"reasoning_effort": "none"},
        {"include_reasoning": False},
    ],
)
def test_it_has_one_where_reasoning_is_switched_off(parameters):
    assert patience(**parameters) is not None


def test_it_has_no_cap_for_one_whole_body():
    assert patience(wire="whole") is None


@pytest.mark.parametrize(
    ("client", "given", "seconds"),
    [
        ({"first_token_timeout": 3.0}, None, 3.0),
        ({"first_token_timeout": 3.0}, 7.0, 7.0),
        ({}, 7.0, 7.0),
    ],
)
def test_it_is_what_the_caller_says_even_for_a_request_that_reasons(client, given, seconds):
    assert seconds == patience(400_000, client=client, given=given, reasoning_effort="high")
