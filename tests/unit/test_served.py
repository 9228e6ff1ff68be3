"""The truth about who answered."""

# ruff: noqa: E501  a row of a table is one line

from __future__ import annotations

from dataclasses import replace

import pytest

from openrouter_resilient.routing.faults import Kind
from openrouter_resilient.routing.plan import Route, Skipped
from openrouter_resilient.routing.step import Reported
from openrouter_resilient.served import UpstreamAttempt, make_records, make_served

from .building import START, A, B, ended, make_plan, trail

CLAUDE = "anthropic/claude-sonnet-4.5"
CANONICAL = "anthropic/claude-4.5-sonnet-20250929"


def answered(route=A, *, at=START, took=1.2, **reported):
    return replace(ended(None, route, at=at, took=took), reported=Reported(**reported))


def served(*outcomes, plan=None, now=START + 3.4, warnings=()):
    return make_served(
        plan or make_plan(A, B), trail(*outcomes), started_at=START, now=now, warnings=warnings
    )


def routing(model, **fields):
    """OpenRouter's own metadata, which says that this model was selected."""
    available = [
        {"provider": "X", "model": "some/other", "selected": False},
        {"provider": "Y", "model": model, "selected": True},
    ]
    return {"endpoints": {"total": 2, "available": available}, **fields}


# fmt: off
SUBSTITUTED = [
    # models asked of OpenRouter, the fallback that was asked, what answered, its metadata, expected
    ((CLAUDE,),                      None,              CLAUDE,                   None,                    False),
    ((CLAUDE,),                      None,              CANONICAL,                None,                    False),
    ((CLAUDE,),                      None,              "openai/gpt-4o",          None,                    True),
    ((CLAUDE,),                      None,              "anthropic/claude-sonnet-4", None,                 True),
    ((CLAUDE,),                      None,              "anthropic/claude-opus-4.5", None,                 True),
    ((CLAUDE,),                      None,              None,                     None,                    None),
    ((CLAUDE, "openai/gpt-4o"),      None,              CANONICAL,                None,                    False),
    ((CLAUDE, "openai/gpt-4o"),      None,              "openai/gpt-4o",          None,                    True),
    (("openai/gpt-4o:nitro",),       None,              "openai/gpt-4o",          None,                    False),
    (("openai/gpt-4o",),             None,              "openai/gpt-4o-2024-08-06", None,                  False),
    (("openai/gpt-4o",),             None,              "openai/gpt-4o-mini",     None,                    True),
    # OpenRouter's own account of it, where the slug says nothing
    (("z/glm-5",),                   None,              "z/permaslug-77",         routing("z/glm-5"),      False),
    (("z/glm-5",),                   None,              "z/permaslug-77",         routing("z/glm-4"),      True),
    (("z/glm-5",),                   None,              "z/permaslug-77",         None,                    True),
    (("z/glm-5",),                   None,              "z/permaslug-77",         {"endpoints": "odd"},    True),
    (("z/glm-5",),                   None,              "z/glm-5",                {"endpoints": {"available": [7]}}, False),
    # aliases, routers and presets are meant to become something else
    (("~anthropic/claude-sonnet-latest",), None,        CANONICAL,                None,                    False),
    (("openrouter/auto",),           None,              CANONICAL,                None,                    False),
    (("@preset/terse",),             None,              CANONICAL,                None,                    False),
    (("~anthropic/claude-sonnet-latest", "openai/gpt-4o"), None, CANONICAL,       None,                    False),
    (("~anthropic/claude-sonnet-latest", "openai/gpt-4o"), None, "openai/gpt-4o", None,                    True),
    (("~anthropic/claude-sonnet-latest", "openai/gpt-4o"), None, "anthropic/claude-opus-4.5", None,        True),
    (("openrouter/auto", "openai/gpt-4o"), None,        "openai/gpt-4o",          None,                    False),
    # the same model by another way, or another model
    (("openai/gpt-4o",),             "openai:gpt-4o",   "gpt-4o-2024-08-06",      None,                    False),
    ((CLAUDE,),                      "openai:gpt-4o",   "gpt-4o-2024-08-06",      None,                    True),
    ((CLAUDE,),                      "anthropic:claude-sonnet-4-5", "claude-sonnet-4-5-20250929", None,    False),
    # a date may be added to what was asked, but not exchanged
    (("openai/gpt-4",),              "openai:gpt-4",    "gpt-4-0613",             None,                    False),
    (("openai/gpt-4-0314",),         "openai:gpt-4-0314", "gpt-4-0613",           None,                    True),
    (("openai/gpt-4",),              "openai:gpt-4-turbo", "gpt-4-0613",          None,                    True),
    (("openai/gpt-4",),              None,              "openai/gpt-4-0314",      None,                    True),
    (("deepseek/deepseek-r1",),      None,              "deepseek/deepseek-r1-0528", None,                 True),
    (("openai/gpt-4o-2024-05-13",),  None,              "openai/gpt-4o-2024-08-06", None,                  True),
    (("openai/gpt-4o-2024-08-06",),  None,              "openai/gpt-4o-2024-08-06", None,                  False),
    (("openai/gpt-4o-2024-08-06",),  None,              "openai/gpt-4o",          None,                    False),
    (("~openai/gpt-latest",),        "openai:gpt-4.1",  "gpt-4.1-2025-04-14",     None,                    True),
    (("openrouter/auto",),           "openai:gpt-4.1",  "gpt-4.1-2025-04-14",     None,                    True),
]
# fmt: on


@pytest.mark.parametrize(("asked", "fallback", "model", "metadata", "expected"), SUBSTITUTED)
def test_another_model_than_the_first_asked_is_told(asked, fallback, model, metadata, expected):
    first = Route("openrouter", asked)
    route = first
    if fallback:
        name, _, wanted = fallback.partition(":")
        route = Route(name, (wanted,))

    answer = answered(route, model=model, routing=metadata)

    assert expected is served(answer, plan=make_plan(first, route)).substituted


def test_the_model_is_what_the_response_said_and_never_what_was_asked():
    assert CANONICAL == served(answered(model=CANONICAL)).model
    assert served(answered()).model is None
    assert CLAUDE == served(answered()).requested


def test_all_that_the_reply_said_is_passed_on():
    record = served(
        answered(
            model=CANONICAL, provider="Anthropic", generation_id="gen-1", request_id="req-1",
            finish_reason="stop", usage={"total_tokens": 9}, cost=0.0004, first_token_at=START + 0.5,
        ),
        warnings=("top_k was dropped",),
    )  # fmt: skip

    assert ("openrouter", "Anthropic", "gen-1", "req-1", "stop", {"total_tokens": 9}, 0.0004) == (
        record.endpoint, record.provider, record.generation_id, record.request_id,
        record.finish_reason, record.usage, record.cost,
    )  # fmt: skip
    assert (pytest.approx(3.4), 0.5) == (record.seconds, record.first_token_seconds)
    assert (("top_k was dropped",), ()) == (record.warnings, record.skipped)


def test_what_was_not_said_is_none():
    record = served(answered())

    assert [None] * 6 == [
        record.provider, record.generation_id, record.request_id, record.cost, record.usage,
        record.first_token_seconds,
    ]  # fmt: skip


def test_the_first_token_is_counted_from_the_beginning_of_the_call():
    late = answered(B, at=START + 2, first_token_at=START + 2.5)

    assert 2.5 == served(ended(Kind.REFUSED, A), late).first_token_seconds


def test_skipped_routes_are_told():
    plan = replace(make_plan(A), skipped=(Skipped(B, "it is not private"),))

    assert ("openai:gpt-4o: it is not private",) == served(answered(), plan=plan).skipped


class TestTheTrail:
    def test_has_every_attempt(self):
        failed = ended(
            Kind.RATE_LIMITED, A, message="slow down", status=429, retry_after=9.0, request_id="r"
        )

        first, second = served(failed, answered(B, model="gpt-4o")).attempts

        assert (1, f"openrouter:{CLAUDE}", "openrouter", (CLAUDE,)) == (
            first.number, first.route, first.endpoint, first.models
        )  # fmt: skip
        assert ("rate_limited", "slow down", 429, 9.0, "r", pytest.approx(0.1)) == (
            first.fault, first.message, first.status, first.retry_after, first.request_id,
            first.seconds,
        )  # fmt: skip
        assert (2, None, "", None, "gpt-4o") == (
            second.number, second.fault, second.message, second.status, second.model
        )  # fmt: skip

    def test_gives_the_reason_where_the_server_said_nothing(self):
        (record,) = make_records((ended(Kind.REFUSED, A),))

        assert "nothing accepts connections there" == record.message

    def test_holds_openrouters_own_attempts(self):
        metadata = routing(
            CLAUDE,
            attempts=[
                {"provider": "Amazon Bedrock", "model": CLAUDE, "status": 503},
                "odd",
                {"provider": "Anthropic", "model": CLAUDE, "status": 200},
            ],
        )

        (record,) = served(answered(routing=metadata)).attempts

        assert (
            UpstreamAttempt("Amazon Bedrock", CLAUDE, 503),
            UpstreamAttempt("Anthropic", CLAUDE, 200),
        ) == record.upstream

    @pytest.mark.parametrize("metadata", [None, {}, {"attempts": None}, {"attempts": "odd"}])
    def test_holds_none_where_they_were_not_told(self, metadata):
        assert () == served(answered(routing=metadata)).attempts[0].upstream


class TestInOneLine:
    @pytest.mark.parametrize(
        ("reported", "expected"),
        [
            (
                {"model": CANONICAL, "provider": "Anthropic", "cost": 0.0004},
                f"{CANONICAL} via openrouter (Anthropic), 1 attempt, 3.4 s, $0.0004",
            ),
            ({"model": "m"}, "m via openrouter, 1 attempt, 3.4 s"),
            ({}, "an unnamed model via openrouter, 1 attempt, 3.4 s"),
            ({"model": "m", "cost": 0.0}, "m via openrouter, 1 attempt, 3.4 s, $0"),
            ({"model": "m", "cost": 20.0}, "m via openrouter, 1 attempt, 3.4 s, $20"),
            ({"model": "m", "cost": 1.25}, "m via openrouter, 1 attempt, 3.4 s, $1.25"),
            ({"model": "m", "cost": 0.000012}, "m via openrouter, 1 attempt, 3.4 s, $0.000012"),
            ({"model": "m", "cost": 2e-8}, "m via openrouter, 1 attempt, 3.4 s, under $0.000001"),
        ],
    )
    def test_says_who_served_it(self, reported, expected):
        assert expected == str(served(answered(**reported)))

    def test_counts_the_attempts(self):
        record = served(ended(Kind.REFUSED, A), answered(B, model="gpt-4o"))

        assert "gpt-4o via openai, 2 attempts, 3.4 s" == str(record)

    @pytest.mark.parametrize(
        ("outcome", "expected"),
        [
            (answered(B), "openai:gpt-4o answered in 1.2 s"),
            (
                ended(Kind.SILENT, B, took=10.0),
                "openai:gpt-4o failed after 10.0 s, silent: no token came in time",
            ),
            (
                ended(Kind.NO_CREDIT, B, status=402, message="Insufficient credits"),
                "openai:gpt-4o failed after 0.1 s, no_credit (402): Insufficient credits",
            ),
        ],
    )
    def test_says_what_came_of_an_attempt(self, outcome, expected):
        assert expected == str(make_records((outcome,))[0])
