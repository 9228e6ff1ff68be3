"""Which routes a call has, in which order, and when two ids mean one model."""

from __future__ import annotations

from itertools import combinations

import pytest

from openrouter_resilient.routing.deadline import Deadline
from openrouter_resilient.routing.plan import (
    Limits,
    Plan,
    Route,
    Skipped,
    bare_model,
    in_groups,
    make_plan,
)

from .building import A, B, C

DEADLINE = Deadline.after(10.0, 0.0)
LIMITS = Limits()

ONE_MODEL = (
    # ids that mean the same model, however they are spelled
    ("openai/gpt-4o", "gpt-4o", "gpt-4o-2024-08-06", "openai/gpt-4o:nitro", "GPT-4o"),
    ("openai/gpt-4", "openai/gpt-4@preset/terse", "openai/gpt-4:floor@preset/terse"),
    (
        "anthropic/claude-sonnet-4.5",
        "anthropic/claude-4.5-sonnet-20250929",
        "claude-sonnet-4-5",
        "claude-sonnet-4-5-20250929",
    ),
    ("anthropic/claude-3.5-haiku", "claude-3-5-haiku-20241022"),
    ("openai/o1", "o1-2024-12-17"),
    ("meta-llama/llama-3.3-70b-instruct", "meta-llama/llama-3.3-70b-instruct:free"),
    ("qwen/qwen3-32b", "qwen3-32b"),
    ("openai/gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
    ("openai/gpt-4.1", "gpt-4.1-2025-04-14"),
    ("anthropic/claude-sonnet-4", "claude-sonnet-4-20250514"),
    ("@preset/terse",),
    ("@preset/long",),
)


def test_keeps_the_routes_in_their_order():
    plan = make_plan((C, A, B), deadline=DEADLINE, limits=LIMITS, objection=lambda _: None)

    assert Plan((C, A, B), DEADLINE, LIMITS, ()) == plan


def test_asks_a_route_that_is_named_twice_once():
    plan = make_plan((A, B, A), deadline=DEADLINE, limits=LIMITS, objection=lambda _: None)

    assert (A, B) == plan.routes


def test_says_which_routes_were_skipped_and_why():
    objections = {A: None, B: "it is not private", C: None}

    plan = make_plan((A, B, C), deadline=DEADLINE, limits=LIMITS, objection=objections.get)

    assert (A, C) == plan.routes
    assert (Skipped(B, "it is not private"),) == plan.skipped
    assert "openai:gpt-4o: it is not private" == str(plan.skipped[0])


def test_limits_are_10_s_15_s_and_2_rounds_unless_told_else():
    assert (10.0, 15.0, 2) == (LIMITS.first_token, LIMITS.stall, LIMITS.rounds)


def test_a_route_is_written_as_it_is_read():
    assert "openai:gpt-4o" == str(B)
    assert "openrouter:a/one,b/two" == str(Route("openrouter", ("a/one", "b/two")))


@pytest.mark.parametrize(
    ("models", "most", "expected"),
    [
        ([], 3, []),
        (["a"], 3, [("a",)]),
        (["a", "b", "c"], 3, [("a", "b", "c")]),
        (["a", "b", "c", "d"], 3, [("a", "b", "c"), ("d",)]),
        (["a", "b"], 1, [("a",), ("b",)]),
    ],
)
def test_cuts_a_list_of_models_into_as_few_requests_as_allowed(models, most, expected):
    assert expected == in_groups(models, most)


@pytest.mark.parametrize("ids", ONE_MODEL, ids=lambda ids: ids[0])
def test_ids_that_mean_one_model_are_one(ids):
    assert 1 == len({bare_model(model) for model in ids}), {m: bare_model(m) for m in ids}


@pytest.mark.parametrize(("one", "other"), list(combinations(ONE_MODEL, 2)))
def test_ids_that_mean_different_models_are_different(one, other):
    assert bare_model(one[0]) != bare_model(other[0])
