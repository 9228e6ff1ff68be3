"""Had you used only this one: what counts as a trial of an endpoint, and what as an outage."""

from __future__ import annotations

import pytest

from openrouter_resilient.ledger.outages import NEAR_S, QUIET_S, Event, History

ROUTE = "openrouter:a/one,b/two,c/three"


def ok(at, call, endpoint="openrouter", route="openrouter:a/one", model="a/one"):
    return Event(at, call, endpoint, route, model, None, answered=True)


def bad(at, call, fault="server_error", endpoint="openrouter", route="openrouter:a/one"):
    return Event(at, call, endpoint, route, None, fault, answered=True)


def fallback(at, call):
    return ok(at, call, "openai", "openai:gpt-4o", "gpt-4o")


def counts(alone):
    return alone.good, alone.bad, alone.inferred


def test_a_call_counts_once_however_often_it_asked():
    history = History().read([bad(0, 1), bad(0, 1), fallback(0, 1), bad(1, 2), ok(1, 2)])

    assert (1, 1, 0) == counts(history.endpoints["openrouter"])
    assert (1, 0, 0) == counts(history.endpoints["openai"])


def test_calls_that_skipped_a_dead_endpoint_count_against_it():
    events = [
        bad(0, 1),
        fallback(0, 1),
        fallback(5, 2),
        fallback(10, 3),
        bad(20, 4),
        fallback(20, 4),
    ]

    history = History().read(events)

    assert (0, 4, 2) == counts(history.endpoints["openrouter"])
    assert (4, 0, 0) == counts(history.endpoints["openai"])


def test_calls_between_a_fault_and_an_answer_are_unknown():
    history = History().read([bad(0, 1), fallback(0, 1), fallback(5, 2), ok(10, 3)])

    assert (1, 1, 0) == counts(history.endpoints["openrouter"])


def test_calls_between_faults_far_apart_are_unknown():
    """A fallback that is seldom asked and failed twice was not down all the days between."""
    events = [bad(0, 1), *(fallback(at, at) for at in range(2, 50)), bad(NEAR_S + 1, 60)]

    assert (0, 2, 0) == counts(History().read(events).endpoints["openrouter"])


@pytest.mark.parametrize(
    "fault", ["invalid_request", "blocked", "context_too_long", "cancelled", "abandoned"]
)
def test_the_callers_own_doing_says_nothing_of_an_endpoint_or_model(fault):
    history = History().read([bad(0, 1, fault)])

    assert ({}, {}) == (history.endpoints, history.models)


def test_a_model_that_is_not_there_is_down_and_its_endpoint_is_not():
    history = History().read([bad(0, 1, "unknown_model")])

    assert {} == history.endpoints
    assert (0, 1, 0) == counts(history.models["openrouter", "a/one"])


def test_a_key_that_is_refused_counts_against_the_endpoint():
    """OpenRouter answered 401 to valid keys for the length of two outages."""
    history = History().read([bad(0, 1, "unauthorized")])

    assert (0, 1, 0) == counts(history.endpoints["openrouter"])


def test_a_fault_of_a_newer_version_counts():
    assert (0, 1, 0) == counts(History().read([bad(0, 1, "melted")]).endpoints["openrouter"])


def test_the_models_before_the_one_that_answered_had_failed():
    history = History().read([ok(0, 1, route=ROUTE, model="b/two-2025-01-01")])

    assert (0, 1, 0) == counts(history.models["openrouter", "a/one"])
    assert (1, 0, 0) == counts(history.models["openrouter", "b/two"])
    assert ("openrouter", "c/three") not in history.models


def test_a_route_that_failed_is_held_against_its_first_model_alone():
    """The others answer only where the first does not: theirs would be the failures alone."""
    history = History().read([bad(0, 1, route=ROUTE)])

    assert ["a/one"] == [model for _, model in history.models]


def test_an_alias_is_the_model_that_it_stands_for():
    route = "openrouter:~anthropic/claude-sonnet-latest,openai/gpt-4o"
    answer = bad(0, 1, route=route)._replace(fault=None, model="anthropic/claude-sonnet-5-20260630")

    history = History().read([answer, bad(1, 2, route=route)])

    alone = history.models["openrouter", "~anthropic/claude-sonnet-latest"]
    assert (1, 1, 0) == counts(alone)


def test_a_probe_is_a_trial_too():
    probe = Event(0.0, None, "groq", None, None, "refused")

    history = History().read([probe, probe._replace(at=300.0, fault=None)])

    assert (1, 1, 0) == counts(history.endpoints["groq"])


def probe(at, fault=None, endpoint="openrouter"):
    return Event(at, None, endpoint, f"{endpoint}:a/one", None, fault)


def test_calls_that_skipped_an_endpoint_between_a_bad_call_and_a_bad_probe_count_against_it():
    """A probe is no call itself, so none is lost to it and none is counted twice."""
    events = [
        bad(0, 1), fallback(0, 1), fallback(5, 2), fallback(6, 3), probe(10, "refused"),
        fallback(15, 4), bad(20, 5), fallback(20, 5),
    ]  # fmt: skip

    alone = History().read(events).endpoints["openrouter"]

    assert (0, 6, 3) == counts(alone)
    assert 1 == alone.probes


def test_probes_alone_show_an_outage_that_calls_were_spared():
    events = [
        probe(0), fallback(100, 1), probe(300, "refused"), fallback(400, 2), fallback(500, 3),
        probe(600, "refused"), probe(900),
    ]  # fmt: skip

    history = History().read(events)

    (outage,) = history.outages
    assert ("openrouter", 300.0, 2, 2) == (
        outage.endpoint, outage.seconds, outage.faults, outage.saved,
    )  # fmt: skip
    assert (2, 2, 0) == counts(history.endpoints["openrouter"])


def test_a_probe_that_met_an_unknown_model_says_nothing_of_the_endpoint():
    history = History().read([probe(0, "unknown_model")])

    assert {} == history.endpoints
    assert (0, 1, 0) == counts(history.models["openrouter", "a/one"])


def test_a_probe_of_a_route_of_several_models_is_a_trial_of_its_endpoint_alone():
    """What answered it is not known, so that a model would show the failures alone."""
    down = probe(0, "server_error")._replace(route=ROUTE)

    history = History().read([down, down._replace(at=300.0, fault=None)])

    assert {} == history.models
    assert (1, 1, 0) == counts(history.endpoints["openrouter"])


def test_an_outage_lasts_from_its_first_fault_to_its_last_and_saved_calls_are_counted():
    events = [ok(0, 1), bad(10, 2), fallback(10, 2), fallback(20, 3), bad(70, 4), fallback(70, 4),
              fallback(80, 5), ok(90, 6)]  # fmt: skip

    (outage,) = History().read(events).outages

    assert ("openrouter", 10.0, 60.0, 2, 3) == (
        outage.endpoint, outage.began_at, outage.seconds, outage.faults, outage.saved,
    )  # fmt: skip


def test_faults_far_apart_are_two_outages():
    history = History().read([bad(0, 1), bad(QUIET_S + 1, 2)])

    assert [1, 1] == [outage.faults for outage in history.outages]


def test_days_are_kept_apart():
    history = History().read([ok(10, 1), ok(86_400 + 10, 2), bad(86_400 + 20, 3)])

    assert {0: [1, 0], 1: [1, 1]} == history.endpoints["openrouter"].days
