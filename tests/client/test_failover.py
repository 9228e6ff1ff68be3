"""When a provider fails: who is asked next, who is not, and what the caller is told."""

from __future__ import annotations

import json
import logging
import time

import pytest

from openrouter_resilient import (
    ContentBlocked,
    ContextTooLong,
    DeadlineExceeded,
    InvalidRequest,
    RoutesExhausted,
    llm_complete,
)
from openrouter_resilient.wire.clock import VirtualClock

ONLY_OPENROUTERS = {"models", "provider", "plugins", "route", "transforms", "session_id", "usage"}


def test_with_openrouter_at_a_closed_port_and_nothing_else_set_openai_answers(
    simulator, monkeypatch
):
    simulator.outage("openrouter")
    environment = simulator.environment()
    for name in ("OPENROUTER_API_KEY", "OPENROUTER_BASE_URL", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.setenv(name, environment[name])

    answer = llm_complete("hi")

    (request,) = simulator.requests
    assert "openai" == answer.served.endpoint == request.face
    assert simulator.key("openai") == request.key
    assert "/" not in request.body["model"]
    assert not ONLY_OPENROUTERS & set(request.body)
    assert not [name for name in request.headers if "openrouter" in name]
    assert [("openrouter", "refused"), ("openai", None)] == [
        (attempt.endpoint, attempt.fault) for attempt in answer.served.attempts
    ]


def test_with_only_an_openai_key_set_openai_is_asked_at_once(simulator, monkeypatch):
    environment = simulator.environment()
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.setenv(name, environment[name])

    assert "openai" == llm_complete("hi").served.endpoint


def test_with_openrouter_hanging_and_2_seconds_the_answer_comes_from_openai_in_time(
    simulator, make_client
):
    simulator.play("openrouter", "no_headers")
    client = make_client()
    began = time.monotonic()

    answer = client.complete("hi", deadline=2.0)

    assert "openai" == answer.served.endpoint
    assert time.monotonic() - began < 2.0


def test_with_everything_hanging_a_typed_error_comes_by_the_deadline(simulator, make_client):
    simulator.play("openrouter", "no_headers")
    simulator.play("openai", "no_headers")
    client = make_client()
    began = time.monotonic()

    with pytest.raises(DeadlineExceeded, match="nobody answered within 2 s") as caught:
        client.complete("hi", deadline=2.0)

    assert time.monotonic() - began < 2.1
    assert isinstance(caught.value, TimeoutError)
    assert ["silent", "silent"] == [attempt.fault for attempt in caught.value.history]


def test_a_400_is_raised_after_one_request_with_the_servers_own_words(simulator, make_client):
    simulator.play("openrouter", "status_400_too_many_models")

    with pytest.raises(InvalidRequest, match="'models' array must have 3 items") as caught:
        make_client().complete("hi")

    assert ["openrouter"] == [request.face for request in simulator.requests]
    error = caught.value
    assert (400, "openrouter", "400", 1) == (
        error.status,
        error.endpoint,
        error.code,
        len(error.history),
    )


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("status_400", InvalidRequest),
        ("status_413", InvalidRequest),
        ("status_422", InvalidRequest),
        ("status_403_moderation", ContentBlocked),
        ("status_403_guardrail", ContentBlocked),
    ],
)
def test_the_callers_mistake_is_raised_at_once_and_no_fallback_is_asked(
    simulator, make_client, fault, error
):
    simulator.play("openrouter", fault)

    with pytest.raises(error):
        make_client().complete("hi")

    assert ["openrouter"] == [request.face for request in simulator.requests]


ACCOUNTS = [
    ("anthropic:claude-sonnet-5", "Your credit balance is too low to access the Anthropic API."),
    ("anthropic:claude-sonnet-5", "You have reached your specified API usage limits."),
    ("openai:gpt-5", "Your organization must be verified to stream this model."),
]


@pytest.mark.parametrize(("route", "words"), ACCOUNTS)
def test_an_account_that_is_refused_as_if_the_request_were_wrong_is_nobodys_mistake(
    make_client, make_echo, route, words
):
    error = {"type": "invalid_request_error", "message": words}
    url = make_echo(400, json.dumps({"type": "error", "error": error}))
    client = make_client(
        route, ("groq:llama-3.3-70b-versatile",), base_urls={route.partition(":")[0]: url}
    )

    assert "groq" == client.complete("hi").served.endpoint


def test_a_prompt_too_long_for_one_model_goes_to_another(simulator, make_client):
    simulator.play("openrouter", "status_400_context")

    answer = make_client("anthropic/claude-sonnet-5").complete("hi")

    assert ["context_too_long", None] == [attempt.fault for attempt in answer.served.attempts]


def test_a_prompt_too_long_for_a_model_is_not_sent_to_the_same_model_elsewhere(
    simulator, make_client
):
    simulator.play("openrouter", "status_400_context")

    with pytest.raises(ContextTooLong):
        make_client("openai/gpt-4o").complete("hi")

    assert ["openrouter"] == [request.face for request in simulator.requests]


@pytest.mark.parametrize("fault", ["status_401_user_not_found", "status_402"])
def test_an_account_fault_fails_over_and_warns(simulator, make_client, caplog, fault):
    simulator.play("openrouter", fault)

    answer = make_client().complete("hi")

    assert "openai" == answer.served.endpoint
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.getMessage().startswith("openrouter failed")


def test_an_unknown_model_fails_over_and_the_warning_names_the_id(simulator, make_client, caplog):
    answer = make_client("anthropic/claude-sonet-4.5").complete("hi")

    assert "openai" == answer.served.endpoint
    assert "anthropic/claude-sonet-4.5" in caplog.text


def test_an_unknown_model_is_remembered_and_stands_behind_the_others(simulator, make_client):
    client = make_client("anthropic/claude-sonet-4.5")
    client.complete("hi")
    simulator.forget()

    client.complete("hi")

    assert ["openai"] == [request.face for request in simulator.requests]


def test_a_passing_fault_is_tried_once_more_on_the_preferred_route(simulator, make_client):
    simulator.play("openrouter", "status_502", times=1)

    answer = make_client().complete("hi")

    assert ["unavailable", None] == [attempt.fault for attempt in answer.served.attempts]
    assert "openrouter" == answer.served.endpoint


def test_an_open_breaker_spares_the_next_call_the_dead_endpoint(simulator, make_client):
    client = make_client()
    simulator.outage("openrouter")
    for _ in range(3):
        client.complete("hi")

    served = client.complete("hi").served

    assert ["openai"] == [attempt.endpoint for attempt in served.attempts]


def test_a_recovered_endpoint_is_back_in_use_after_its_cooldown(simulator, make_client):
    clock = VirtualClock(at=time.monotonic())
    clock.now = lambda: time.monotonic() + clock.offset
    clock.offset = 0.0
    client = make_client(clock=clock)
    simulator.outage("openrouter")
    for _ in range(3):
        client.complete("hi")
    simulator.heal("openrouter")

    clock.offset = 5.1

    assert "openrouter" == client.complete("hi").served.endpoint


def test_a_retry_after_of_half_a_minute_sends_this_call_and_the_next_elsewhere(
    simulator, make_client
):
    simulator.play("openrouter", "rate_limit_seconds", seconds=30)
    client = make_client()

    first, second = client.complete("hi").served, client.complete("hi").served

    assert ["rate_limited", None] == [attempt.fault for attempt in first.attempts]
    assert 30 == first.attempts[0].retry_after
    assert ["openai"] == [attempt.endpoint for attempt in second.attempts]


def test_a_retry_after_beyond_the_deadline_stops_at_once_and_says_so(simulator, make_client):
    simulator.play("openrouter", "rate_limit_seconds", seconds=30)
    began = time.monotonic()

    with pytest.raises(RoutesExhausted, match="asks to wait 30 s") as caught:
        make_client(fallbacks=()).complete("hi", deadline=10.0)

    assert time.monotonic() - began < 1.0
    assert 29 < caught.value.retry_after <= 30


def test_constraints_travel_so_that_a_direct_endpoint_is_not_asked(simulator, make_client):
    simulator.outage("openrouter")

    with pytest.raises(RoutesExhausted, match="not declared private"):
        make_client(rounds=1).complete("hi", provider={"data_collection": "deny"})

    assert [] == simulator.received("openai")


def test_what_a_direct_endpoint_cannot_express_is_dropped_and_said(simulator, make_client):
    simulator.outage("openrouter")

    served = make_client().complete("hi", session_id="s", top_k=4, max_tokens=9).served

    assert 2 == len(served.warnings)
    assert 9 == simulator.requests[0].body["max_completion_tokens"]


def test_what_a_direct_endpoint_cannot_do_excludes_it_and_is_said(simulator, make_client):
    answer = make_client().complete("hi", plugins=[{"id": "web"}])

    assert ("openai:gpt-4o: the plugin web runs at OpenRouter only",) == answer.served.skipped


def test_groq_then_anthropic_stand_behind_openai(simulator, make_client):
    for face in ("openrouter", "openai"):
        simulator.outage(face)
    client = make_client(fallbacks=None)

    assert "groq" == client.complete("hi").served.endpoint
    simulator.outage("groq")
    assert "anthropic" == client.complete("hi").served.endpoint


def test_no_redirect_is_followed(simulator, make_client):
    simulator.play("openrouter", "redirect_other_host")

    answer = make_client().complete("hi")

    assert "redirected" == answer.served.attempts[0].fault
    assert ["openrouter", "openai"] == [request.face for request in simulator.requests]


def test_what_happened_to_a_route_again_is_not_told_again(simulator, make_client):
    simulator.outage("openrouter")
    simulator.outage("openai")

    with pytest.raises(RoutesExhausted) as caught:
        make_client().complete("hi")

    assert str(caught.value).count("openai:gpt-4o failed 2 times, refused") == 1
    assert "Not asked" not in str(caught.value)


def test_a_route_that_had_no_turn_is_named(simulator, make_client):
    simulator.play("openai", "rate_limit_seconds", seconds=60)
    simulator.play("openrouter", "status_401")
    client = make_client()
    with pytest.raises(RoutesExhausted):
        client.complete("hi", deadline=5.0)

    with pytest.raises(RoutesExhausted, match=r"Not asked, .*: openai:gpt-4o"):
        client.complete("hi", deadline=5.0)
