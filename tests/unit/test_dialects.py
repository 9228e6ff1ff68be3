"""What each API is sent of a request, row by row, and which requests may not go there."""

# ruff: noqa: E501  a row of a table is one line

from __future__ import annotations

import pytest

from openrouter_resilient.endpoints.dialects import COLUMNS as ALL_COLUMNS
from openrouter_resilient.endpoints.dialects import FIELDS, PARAMETERS, PARTS
from openrouter_resilient.endpoints.forms import objection, to_wire
from openrouter_resilient.endpoints.table import Endpoint
from openrouter_resilient.endpoints.verdicts import Ask, Drop, Exclude, Put
from openrouter_resilient.routing.plan import Route
from openrouter_resilient.shapes import make_request

# Anthropic's own API says everything in other words: tests/features/test_anthropic.py.
COLUMNS = tuple(column for column in ALL_COLUMNS if column != "anthropic")
MODELS = {
    "openai": "gpt-4.1",
    "groq": "llama-3.3-70b-versatile",
    "anthropic-openai": "claude-sonnet-4-5",
    "generic": "any-model",
}
PDF = {"file_data": "data:application/pdf;base64,AA"}
KEPT, DROPPED, EXCLUDED, UNSAID = "kept", "dropped", "excluded", "dropped without a word"
FUNCTION = [{"type": "function", "function": {"name": "f"}}]
SERVER_TOOL = [*FUNCTION, {"type": "openrouter:web_search"}]
SCHEMA = {"type": "json_schema", "json_schema": {"name": "s"}}

# fmt: off
VERDICTS = [
    # parameter, value                            openai                     groq                     -openai              generic
    ("temperature", 0.7,                          KEPT,                      KEPT,                    KEPT,                KEPT),
    ("temperature", 1.5,                          KEPT,                      KEPT,                    ("temperature", 1.0), KEPT),
    ("top_p", 0.9,                                KEPT,                      KEPT,                    KEPT,                KEPT),
    ("frequency_penalty", 0.5,                    KEPT,                      DROPPED,                 DROPPED,             KEPT),
    ("presence_penalty", 0.5,                     KEPT,                      DROPPED,                 DROPPED,             KEPT),
    ("logit_bias", {"1": 2},                      KEPT,                      DROPPED,                 DROPPED,             KEPT),
    ("logprobs", True,                            KEPT,                      EXCLUDED,                EXCLUDED,            KEPT),
    ("logprobs", False,                           KEPT,                      DROPPED,                 DROPPED,             KEPT),
    ("top_logprobs", 3,                           KEPT,                      EXCLUDED,                EXCLUDED,            KEPT),
    ("seed", 7,                                   KEPT,                      KEPT,                    DROPPED,             KEPT),
    ("stop", ["\n"],                              KEPT,                      KEPT,                    KEPT,                KEPT),
    ("n", 1,                                      KEPT,                      KEPT,                    KEPT,                KEPT),
    ("n", 2,                                      KEPT,                      EXCLUDED,                EXCLUDED,            KEPT),
    ("max_tokens", 99,                            ("max_completion_tokens", 99), ("max_completion_tokens", 99), KEPT,      KEPT),
    ("max_completion_tokens", 99,                 KEPT,                      KEPT,                    KEPT,                KEPT),
    ("tools", FUNCTION,                           KEPT,                      KEPT,                    KEPT,                KEPT),
    ("tools", SERVER_TOOL,                        EXCLUDED,                  EXCLUDED,                EXCLUDED,            EXCLUDED),
    ("tool_choice", "auto",                       KEPT,                      KEPT,                    KEPT,                KEPT),
    ("parallel_tool_calls", False,                KEPT,                      KEPT,                    KEPT,                KEPT),
    ("response_format", {"type": "text"},         KEPT,                      KEPT,                    DROPPED,             KEPT),
    ("response_format", {"type": "json_object"},  KEPT,                      KEPT,                    EXCLUDED,            KEPT),
    ("response_format", SCHEMA,                   KEPT,                      EXCLUDED,                EXCLUDED,            KEPT),
    ("response_format", {"type": "grammar"},      EXCLUDED,                  EXCLUDED,                EXCLUDED,            EXCLUDED),
    ("reasoning", {"effort": "high"},             DROPPED,                   DROPPED,                 DROPPED,             DROPPED),
    ("reasoning_effort", "high",                  DROPPED,                   DROPPED,                 DROPPED,             KEPT),
    ("include_reasoning", True,                   DROPPED,                   DROPPED,                 DROPPED,             DROPPED),
    ("verbosity", "low",                          DROPPED,                   DROPPED,                 DROPPED,             KEPT),
    ("modalities", ["text"],                      KEPT,                      DROPPED,                 DROPPED,             DROPPED),
    ("modalities", ["text", "audio"],             KEPT,                      EXCLUDED,                EXCLUDED,            EXCLUDED),
    ("modalities", ["text", "image"],             EXCLUDED,                  EXCLUDED,                EXCLUDED,            EXCLUDED),
    ("audio", {"voice": "a"},                     KEPT,                      EXCLUDED,                EXCLUDED,            KEPT),
    ("prediction", {"type": "content"},           KEPT,                      DROPPED,                 DROPPED,             DROPPED),
    ("service_tier", "flex",                      KEPT,                      DROPPED,                 DROPPED,             DROPPED),
    ("user", "u",                                 KEPT,                      KEPT,                    DROPPED,             KEPT),
    ("store", True,                               KEPT,                      DROPPED,                 DROPPED,             DROPPED),
    ("metadata", {"a": "b"},                      DROPPED,                   DROPPED,                 DROPPED,             DROPPED),
    ("prompt_cache_key", "k",                     KEPT,                      DROPPED,                 DROPPED,             DROPPED),
    ("prompt_cache_options", {"ttl": "30m"},      DROPPED,                   DROPPED,                 DROPPED,             DROPPED),
    ("web_search_options", {"a": 1},              EXCLUDED,                  EXCLUDED,                EXCLUDED,            EXCLUDED),
    ("top_k", 40,                                 DROPPED,                   DROPPED,                 DROPPED,             KEPT),
    ("min_p", 0.1,                                DROPPED,                   DROPPED,                 DROPPED,             KEPT),
    ("top_a", 0.1,                                DROPPED,                   DROPPED,                 DROPPED,             DROPPED),
    ("repetition_penalty", 1.1,                   DROPPED,                   DROPPED,                 DROPPED,             KEPT),
    ("provider", {"sort": "price"},               DROPPED,                   DROPPED,                 DROPPED,             DROPPED),
    ("plugins", [{"id": "context-compression"}],  DROPPED,                   DROPPED,                 DROPPED,             DROPPED),
    ("plugins", [{"id": "response-healing"}],     DROPPED,                   DROPPED,                 DROPPED,             DROPPED),
    ("plugins", [{"id": "moderation"}],           DROPPED,                   DROPPED,                 DROPPED,             DROPPED),
    ("plugins", [{"id": "web"}],                  EXCLUDED,                  EXCLUDED,                EXCLUDED,            EXCLUDED),
    ("plugins", [{"id": "web", "enabled": False}], DROPPED,                  DROPPED,                 DROPPED,             DROPPED),
    ("preset", "terse",                           EXCLUDED,                  EXCLUDED,                EXCLUDED,            EXCLUDED),
    ("image_config", {"a": 1},                    EXCLUDED,                  EXCLUDED,                EXCLUDED,            EXCLUDED),
    ("stop_server_tools_when", [1],               EXCLUDED,                  EXCLUDED,                EXCLUDED,            EXCLUDED),
    ("deferred_tools", [1],                       EXCLUDED,                  EXCLUDED,                EXCLUDED,            EXCLUDED),
    ("route", "fallback",                         DROPPED,                   DROPPED,                 DROPPED,             DROPPED),
    ("transforms", ["middle-out"],                DROPPED,                   DROPPED,                 DROPPED,             DROPPED),
    ("session_id", "s",                           DROPPED,                   DROPPED,                 DROPPED,             DROPPED),
    ("trace", {"trace_id": "t"},                  DROPPED,                   DROPPED,                 DROPPED,             DROPPED),
    ("debug", {"echo_upstream_body": True},       DROPPED,                   DROPPED,                 DROPPED,             DROPPED),
    ("cache_control", {"type": "ephemeral"},      DROPPED,                   DROPPED,                 DROPPED,             DROPPED),
    ("structured_outputs", True,                  DROPPED,                   DROPPED,                 DROPPED,             DROPPED),
    ("usage", {"include": True},                  DROPPED,                   DROPPED,                 DROPPED,             DROPPED),
    ("brand_new", 1,                              DROPPED,                   DROPPED,                 DROPPED,             KEPT),
]

BY_MODEL = [
    # dialect, model, parameter, value, verdict
    ("openai", "o3",                 "temperature", 0.2, DROPPED),
    ("openai", "gpt-5",              "temperature", 0.2, DROPPED),
    ("openai", "gpt-6-mini",         "temperature", 0.2, DROPPED),
    ("openai", "gpt-5-chat-latest",  "temperature", 0.2, KEPT),
    ("openai", "gpt-4o",             "temperature", 0.2, KEPT),
    ("openai", "gpt-5",              "logprobs",    True, EXCLUDED),
    ("openai", "gpt-5",              "logprobs",    False, DROPPED),
    ("openai", "o3",                 "stop",        "x", EXCLUDED),
    ("openai", "o4-mini",            "stop",        "x", EXCLUDED),
    ("openai", "o1",                 "stop",        "x", KEPT),
    ("openai", "gpt-5",              "reasoning",   {"effort": "high"}, ("reasoning_effort", "high")),
    ("openai", "gpt-5",              "reasoning",   {"max_tokens": 9}, DROPPED),
    ("openai", "gpt-5",              "reasoning_effort", "low", KEPT),
    ("groq",   "openai/gpt-oss-120b", "reasoning",  {"effort": "low"}, ("reasoning_effort", "low")),
    ("generic", "gpt-oss-20b",       "reasoning",   {"effort": "low"}, ("reasoning_effort", "low")),
    ("openai", "gpt-5",              "verbosity",   "low", KEPT),
    ("groq",   "openai/gpt-oss-120b", "response_format", SCHEMA, KEPT),
    ("groq",   "llama-3.1-8b-instant", "response_format", SCHEMA, EXCLUDED),
    ("openai", "gpt-4o", "provider", {"require_parameters": True}, UNSAID),
]

MESSAGES = [
    # a field of a message      openai  groq   anthropic generic
    ("name",                    True,   False, True,     True),
    ("tool_calls",              True,   True,  True,     True),
    ("tool_call_id",            True,   True,  True,     True),
    ("refusal",                 True,   False, False,    True),
    ("function_call",           True,   False, False,    True),
    ("audio",                   True,   False, False,    True),
    ("reasoning",               False,  False, False,    False),
    ("reasoning_details",       False,  False, False,    False),
    ("images",                  False,  False, False,    False),
    ("model",                   False,  False, False,    False),
    ("brand_new",               False,  False, False,    False),
]

PIECES = [
    # a part of a message       openai  groq   anthropic generic
    ("text",                    True,   True,  True,     True),
    ("refusal",                 True,   False, False,    True),
    ("image_url",               True,   False, True,     True),
    ("input_audio",             True,   False, False,    True),
    ("file",                    True,   False, False,    False),
    ("video_url",               False,  False, False,    True),
    ("brand_new",               False,  False, False,    False),
]
# fmt: on


def spread(rows, given):
    """One case for each column of each row."""
    return [
        pytest.param(dialect, *row[:given], row[given + place], id=f"{dialect}-{row[0]}-{number}")
        for number, row in enumerate(rows)
        for place, dialect in enumerate(COLUMNS)
    ]


def put(dialect, parameters=None, *, model=None, messages="hi", stream=False, private=False):
    """What goes over the wire, the warnings, and the objection."""
    endpoint = Endpoint("there", "http://localhost", dialect=dialect, private=private)
    route = Route("there", (model or MODELS[dialect],))
    request = make_request(messages, None, parameters or {})
    return *to_wire(request, endpoint, route, stream=stream), objection(request, endpoint, route)


def verdict_of(dialect, name, value, model=None):
    """What becomes of one parameter."""
    body, warnings, why = put(dialect, {name: value}, model=model)
    left = {key: body[key] for key in body if key not in ("model", "messages")}
    if why is not None:
        assert ({}, ()) == (left, warnings)
        return EXCLUDED
    if not left and not warnings:
        return UNSAID
    if not left:
        assert name in warnings[0]
        return DROPPED
    assert () == warnings
    return KEPT if left == {name: value} else next(iter(left.items()))


class TestAParameter:
    @pytest.mark.parametrize(("dialect", "name", "value", "verdict"), spread(VERDICTS, 2))
    def test_is_kept_renamed_dropped_or_excludes_the_route(self, dialect, name, value, verdict):
        assert verdict == verdict_of(dialect, name, value)

    @pytest.mark.parametrize(("dialect", "model", "name", "value", "verdict"), BY_MODEL)
    def test_is_judged_by_the_model(self, dialect, model, name, value, verdict):
        assert verdict == verdict_of(dialect, name, value, model)

    def test_of_every_row_has_an_example(self):
        assert {name for name, *_ in VERDICTS} - {"brand_new"} == set(PARAMETERS)

    @pytest.mark.parametrize(
        "rule", sorted({r for row in PARAMETERS.values() for r in row}, key=str)
    )
    @pytest.mark.parametrize("odd", [None, 0, "text", [], [7], [{}], {}, {"a": 1}, True])
    def test_of_an_odd_type_is_judged_without_failing(self, rule, odd):
        assert isinstance(rule("name", odd, "gpt-5"), Put | Drop | Exclude | Ask)


class TestMessages:
    @pytest.mark.parametrize(("dialect", "name", "kept"), spread(MESSAGES, 1))
    def test_lose_the_fields_that_others_answer_400_to(self, dialect, name, kept):
        message = {"role": "assistant", "content": "hi", name: "x"}

        body, _, why = put(dialect, messages=[message])

        assert [message if kept else {"role": "assistant", "content": "hi"}] == body["messages"]
        assert why is None

    def test_lose_the_cache_marks_of_their_parts(self):
        part = {"type": "text", "text": "hi"}

        body, _, _ = put(
            "openai",
            messages=[
                {"role": "user", "content": [{**part, "cache_control": {"type": "ephemeral"}}]}
            ],
        )

        assert [{"role": "user", "content": [part]}] == body["messages"]

    @pytest.mark.parametrize("dialect", COLUMNS)
    def test_have_ids_of_tool_calls_that_openai_takes_and_that_still_belong_together(self, dialect):
        """Gemini's and others' are longer than its 40 characters."""
        long, function = (
            "tool_search_customer_orders_by_email_8fJk2LmQ",
            {"name": "f", "arguments": "{}"},
        )
        messages = [
            {"role": "assistant", "content": None, "tool_calls": [
                {"id": long, "type": "function", "function": function},
                {"id": f"{long}2", "type": "function", "function": function},
                {"id": "call_1", "type": "function", "function": function},
            ]},
            *({"role": "tool", "tool_call_id": of, "content": "x"} for of in (long, f"{long}2", "call_1")),
        ]  # fmt: skip

        body, _, _ = put(dialect, messages=messages)

        said, *results = body["messages"]
        ids = [call["id"] for call in said["tool_calls"]]
        assert ids == [result["tool_call_id"] for result in results]
        assert 3 == len(set(ids))
        assert max(map(len, ids)) <= 40
        assert "call_1" == ids[2]
        assert long == messages[0]["tool_calls"][0]["id"]

    def test_keep_every_field_of_the_table(self):
        assert {name for name, *row in MESSAGES if any(row)} | {"role", "content"} == set(FIELDS)

    @pytest.mark.parametrize(("dialect", "kind", "taken"), spread(PIECES, 1))
    def test_with_parts_that_an_api_cannot_take_do_not_go_there(self, dialect, kind, taken):
        _, _, why = put(
            dialect, messages=[{"role": "user", "content": [{"type": kind, "file": PDF}]}]
        )

        assert (None if taken else f"it cannot take a part of type {kind}") == why

    def test_have_parts_for_every_row_of_the_table(self):
        assert {kind for kind, *row in PIECES if any(row)} == set(PARTS)

    def test_are_left_as_the_caller_made_them(self):
        message = {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {}}]}
        request = make_request([message], None, {})
        to_wire(
            request,
            Endpoint("there", "http://x", dialect="groq"),
            Route("there", ("m",)),
            stream=True,
        )

        assert "cache_control" in message["content"][0]


class TestPrivacy:
    @pytest.mark.parametrize(
        ("provider", "private", "may_go"),
        [
            ({"data_collection": "deny"}, False, False),
            ({"zdr": True}, False, False),
            ({"data_collection": "deny"}, True, True),
            ({"zdr": True}, True, True),
            ({"data_collection": "allow"}, False, True),
            ({"zdr": False}, False, True),
            ({"sort": "price"}, False, True),
            (None, False, True),
            ("deny", False, True),
        ],
    )
    @pytest.mark.parametrize("dialect", COLUMNS)
    def test_a_request_that_must_not_be_stored_goes_to_private_endpoints_only(
        self, dialect, provider, private, may_go
    ):
        _, _, why = put(dialect, {"provider": provider}, private=private)

        assert may_go == (why is None)
        assert may_go or "forbids data collection" in why


class TestTheBody:
    def test_asks_a_direct_endpoint_for_its_model_and_for_usage_in_a_stream(self):
        body, _, _ = put("openai", {"seed": 1}, stream=True)

        assert {
            "model": "gpt-4.1",
            "messages": [{"role": "user", "content": "hi"}],
            "seed": 1,
            "stream": True,
            "stream_options": {"include_usage": True},
        } == body

    def test_of_a_whole_answer_says_nothing_of_streams(self):
        body, _, _ = put("openai")

        assert {"model", "messages"} == set(body)

    def test_for_openrouter_holds_everything_as_it_was_given(self):
        parameters = {"provider": {"zdr": True}, "plugins": [{"id": "web"}], "brand_new": 1}
        messages = [{"role": "assistant", "content": "hi", "reasoning": "hm"}]
        endpoint = Endpoint("openrouter", "http://x", dialect="openrouter", private=True)
        request = make_request(messages, None, parameters)

        route = Route("openrouter", ("a/1",))

        assert ({"model": "a/1", "messages": messages, **parameters}, ()) == (
            to_wire(request, endpoint, route, stream=False)
        )
        assert objection(request, endpoint, route) is None

    def test_for_several_models_names_them_in_models_alone(self):
        """A model beside them may count among the three that are allowed."""
        endpoint = Endpoint("openrouter", "http://x", dialect="openrouter")
        request = make_request("hi", None, {})

        body, _ = to_wire(request, endpoint, Route("openrouter", ("a/1", "a/2")), stream=True)

        assert ["a/1", "a/2"] == body["models"]
        assert "model" not in body
        assert body["stream"] is True

    def test_lists_every_drop(self):
        _, warnings, _ = put("groq", {"seed": 1, "top_k": 3, "session_id": "s"})

        assert (
            "top_k was dropped: this API has no such parameter",
            "session_id was dropped: this API has no such parameter",
        ) == warnings
