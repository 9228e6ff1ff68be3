"""Claude straight from Anthropic, through its own Messages API: nothing is lost on the way."""

from __future__ import annotations

import json
from typing import ClassVar

import pytest

from openrouter_resilient import (
    Client,
    ConfigurationError,
    Endpoint,
    InvalidRequest,
    ResilientError,
    RoutesExhausted,
    StreamInterrupted,
)
from openrouter_resilient.endpoints.anthropic import VERSION
from openrouter_resilient.endpoints.anthropic_reply import MessagesReader
from openrouter_resilient.endpoints.forms import objection, to_wire
from openrouter_resilient.routing.deadline import Deadline
from openrouter_resilient.routing.faults import Broken
from openrouter_resilient.routing.plan import Route
from openrouter_resilient.routing.step import Attempt
from openrouter_resilient.shapes import make_request
from openrouter_resilient.simulator import CATALOGUE
from openrouter_resilient.wire.clock import VirtualClock
from openrouter_resilient.wire.exchange import Exchange

ANTHROPIC = Endpoint("anthropic", "https://api.anthropic.com/v1", dialect="anthropic")
OLD, NEW = "claude-haiku-4-5", "claude-sonnet-5"
ANSWER = "Simulated answer to: hello there"
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
CALL = {"id": "call:1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
USER = {"role": "user", "content": "hi"}
RESULT = {"role": "tool", "tool_call_id": "call:1", "content": "2"}
ASKS = {"role": "assistant", "content": None, "tool_calls": [CALL]}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


def put(messages="hi", *, model=OLD, system=None, **parameters):
    """What would go over the wire, what is left out, and why it would not go at all."""
    request = make_request(messages, system, parameters)
    route = Route("anthropic", (model,))
    why = objection(request, ANTHROPIC, route)
    if why is not None:
        return {}, (), why
    return *to_wire(request, ANTHROPIC, route, stream=False), None


@pytest.fixture
def claude(simulator, make_client):
    """A client in an outage of OpenRouter, with Claude straight behind it."""
    simulator.outage("openrouter")

    def make(model=OLD, **options):
        return make_client(fallbacks=[f"anthropic:{model}"], **options)

    return make


# --- calls


@pytest.mark.parametrize("wire", ["stream", "whole"])
def test_claude_answers_in_an_outage_of_openrouter(simulator, claude, wire):
    answer = claude().complete("hello there", wire=wire)

    (request,) = simulator.requests
    assert (ANSWER, "stop") == (answer.text, answer.choices[0].finish_reason)
    assert "/v1/messages" == request.path
    assert simulator.key("anthropic") == request.headers["x-api-key"]
    assert "authorization" not in request.headers
    assert VERSION == request.headers["anthropic-version"]
    served = answer.served
    said = request.answered
    assert (said.model, said.request_id, said.generation_id) == (
        served.model, served.request_id, served.generation_id
    )  # fmt: skip
    assert (said.usage["prompt_tokens"], said.usage["completion_tokens"]) == (
        answer.usage.prompt_tokens, answer.usage.completion_tokens
    )  # fmt: skip
    assert served.cost is None


def test_claude_streams_in_an_outage_of_openrouter(simulator, claude):
    with claude().stream("hello there") as stream:
        pieces = list(stream)

    assert len(pieces) > 3
    assert "".join(pieces) == ANSWER == stream.completion.text
    assert "anthropic" == stream.served.endpoint
    assert stream.completion.usage.completion_tokens > 0


@pytest.mark.parametrize("wire", ["stream", "whole"])
@pytest.mark.parametrize("model", [OLD, NEW])
def test_its_thoughts_come_signed_and_are_given_back(simulator, claude, wire, model):
    client = claude(model)
    answer = client.complete("hello there", reasoning={"effort": "low"}, wire=wire)
    message = answer.choices[0].message

    client.complete([USER, message.model_dump(exclude_none=True), USER])

    assert ("Let me think about that.", ANSWER) == (message.reasoning, answer.text)
    thought = simulator.requests[-1].body["messages"][1]["content"][0]
    assert ("thinking", "Let me think about that.", "c2ltdWxhdGVk") == (
        thought["type"], thought["thinking"], thought["signature"]
    )  # fmt: skip


def test_the_official_default_route_to_anthropic_is_the_native_one(simulator):
    environment = simulator.environment()
    simulator.outage("openrouter")
    keys = ("OPENROUTER", "ANTHROPIC")
    settings = {name: value for name, value in environment.items() if name.startswith(keys)}

    with Client("anthropic/claude-haiku-4.5", environment=settings) as client:
        answer = client.complete("hello there")

    assert ("anthropic", OLD) == (answer.served.endpoint, simulator.requests[0].body["model"])
    assert answer.served.substituted is False


def test_the_imitation_of_openais_api_can_still_be_had(simulator, make_client):
    simulator.outage("openrouter")
    own = Endpoint(
        "imitation", simulator.url("anthropic"), key=simulator.key("anthropic"),
        dialect="anthropic-openai",
    )  # fmt: skip

    answer = make_client(endpoints=[own], fallbacks=[f"imitation:{OLD}"]).complete("hello there")

    assert ANSWER == answer.text
    assert "/v1/chat/completions" == simulator.requests[0].path


def test_an_unknown_dialect_is_refused_when_the_client_is_made(simulator, make_client):
    with pytest.raises(ConfigurationError, match="no dialect is called 'klingon'"):
        make_client(endpoints=[Endpoint("own", "http://localhost", dialect="klingon")])


# --- faults


SAID_BY_STATUS = [
    ("status_529", "overloaded"),
    ("status_401", "unauthorized"),
    ("status_500", "server_error"),
    ("rate_limit_seconds", "rate_limited"),
    ("status_504", "upstream_timeout"),
]


@pytest.mark.parametrize(("fault", "kind"), SAID_BY_STATUS)
def test_its_errors_are_known_by_their_names(simulator, claude, fault, kind):
    simulator.play("anthropic", fault)

    with pytest.raises(RoutesExhausted) as caught:
        claude(rounds=1).complete("hello there")

    attempt = caught.value.history[1]
    assert kind == attempt.fault
    assert attempt.request_id.startswith("req_")


def test_an_invalid_request_is_raised_in_its_own_words(simulator, claude):
    with pytest.raises(InvalidRequest, match="should match pattern"):
        claude().complete("hi", tools=[{**TOOL, "function": {"name": "no spaces please"}}])


HUGE = {"big_line", "huge_body", "gzip_bomb"}
FAULTS = sorted(
    name
    for name, row in CATALOGUE.items()
    if row.family in ("stream", "status", "body", "limits") and name != "finish_then_silence"
)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_its_is_never_an_answer_and_an_oddity_always_one(simulator, claude, name):
    simulator.play("anthropic", name, **({"megabytes": 40} if name in HUGE else {}))
    client = claude(rounds=1)

    if CATALOGUE[name].kind:
        with pytest.raises(ResilientError):
            client.complete("hello there")
    else:
        assert ANSWER == client.complete("hello there").text


@pytest.mark.parametrize("name", ["cut_mid_stream", "error_mid_stream", "reset_mid_stream"])
def test_a_break_after_words_hands_over_what_came(simulator, claude, name):
    simulator.play("anthropic", name, after=2)

    with claude().stream("hello there") as stream, pytest.raises(StreamInterrupted) as caught:
        list(stream)

    said = simulator.requests[-1].answered.text
    assert said
    assert said == caught.value.partial.text


def test_an_error_in_the_stream_is_known_by_its_name():
    reader = MessagesReader()

    (chunk,) = reader.chunks(
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    )

    assert "overloaded_error" == chunk["error"]["type"]


# --- requests


def test_system_texts_stand_apart():
    body, _, _ = put(
        [{"role": "developer", "content": "b"}, USER, {"role": "system", "content": "c"}],
        system="a",
    )

    assert ["a", "b", "c"] == [block["text"] for block in body["system"]]
    assert ["user"] == [turn["role"] for turn in body["messages"]]


def test_a_call_of_a_tool_and_its_result_go_there_and_back():
    body, _, _ = put([USER, ASKS, RESULT, USER], tools=[TOOL])

    _, asks, told = body["messages"]
    assert [{"type": "tool_use", "id": "call_1", "name": "add", "input": {"a": 1}}] == (
        asks["content"]
    )
    assert {"type": "tool_result", "tool_use_id": "call_1", "content": "2"} == told["content"][0]
    assert "text" == told["content"][1]["type"]  # neighbours of one role are one turn
    assert [{"name": "add", "input_schema": {"type": "object"}}] == body["tools"]


@pytest.mark.parametrize("written", ["{", '{"a": ', "[1]", "null", "[" * 100_000])
def test_arguments_that_are_no_object_do_not_keep_the_conversation_from_it(written):
    wrong = {**CALL, "function": {"name": "add", "arguments": written}}

    body, _, why = put([USER, {**ASKS, "tool_calls": [wrong]}, RESULT], tools=[TOOL])

    assert why is None
    assert {} == body["messages"][1]["content"][0]["input"]


def test_a_call_that_was_cut_off_at_claude_is_told_to_it_and_the_run_goes_on(simulator, claude):
    def now() -> str:
        return "noon"

    cut = {"id": "a", "type": "function", "function": {"name": "now", "arguments": '{"pla'}}
    simulator.answer = lambda _face, body: (
        "sorry" if len(body["messages"]) > 1 else {"content": None, "tool_calls": [cut]}
    )

    run = claude().run_tools("hi", tools=[now])

    assert ("sorry", 2) == (run.text, len(run.steps))
    assert "error: " in run.messages[-2]["content"]


def test_thoughts_go_there_only_if_they_are_its_own():
    thoughts = [
        {"type": "reasoning.text", "text": "a", "signature": "s", "format": "anthropic-claude-v1"},
        {"type": "reasoning.encrypted", "data": "b", "format": "anthropic-claude-v1"},
        {"type": "reasoning.text", "text": "c", "signature": "s", "format": "google-gemini-v1"},
        {"type": "reasoning.encrypted", "data": "d", "format": "openai-responses-v1"},
        {"type": "reasoning.encrypted", "data": "e"},
    ]

    body, _, _ = put([USER, {**ASKS, "reasoning_details": thoughts}, RESULT], tools=[TOOL])

    assert [
        {"type": "thinking", "thinking": "a", "signature": "s"},
        {"type": "redacted_thinking", "data": "b"},
    ] == body["messages"][1]["content"][:-1]


def test_results_of_calls_made_at_once_are_in_one_turn():
    two = {**ASKS, "tool_calls": [CALL, {**CALL, "id": "b"}]}

    body, _, _ = put([USER, two, RESULT, {**RESULT, "tool_call_id": "b"}], tools=[TOOL])

    assert ["call_1", "b"] == [block["tool_use_id"] for block in body["messages"][2]["content"]]


def test_pictures_files_and_marks_for_the_cache_are_said_in_its_words():
    mark = {"type": "ephemeral"}
    parts = [
        {"type": "text", "text": "What?", "cache_control": mark},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "file", "file": {"filename": "a", "file_data": "data:application/pdf;base64,AA"}},
    ]

    body, _, _ = put([{"role": "user", "content": parts}])

    text, by_url, by_bytes, document = body["messages"][0]["content"]
    assert mark == text["cache_control"]
    assert {"type": "url", "url": "https://example.org/a.png"} == by_url["source"]
    assert {"type": "base64", "media_type": "image/png", "data": "AAAA"} == by_bytes["source"]
    assert ("document", "a") == (document["type"], document["title"])


@pytest.mark.parametrize("blank", ["", "\n", " \t"])
def test_parts_of_white_space_only_are_left_out(blank):
    parts = [{"type": "text", "text": blank}, {"type": "text", "text": "x "}]
    roles = ("system", "user", "assistant", "user")

    body, _, _ = put([{"role": role, "content": parts} for role in roles])

    said = [body["system"], *(turn["content"] for turn in body["messages"])]
    assert [["x "]] * 4 == [[block["text"] for block in blocks] for blocks in said]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        ({"type": "function", "function": {"name": "add"}}, {"type": "tool", "name": "add"}),
    ],
)
def test_the_choice_of_a_tool_has_its_own_names(given, sent):
    assert sent == put(tools=[TOOL], tool_choice=given)[0]["tool_choice"]


def test_one_tool_at_a_time_is_part_of_the_choice():
    body, _, _ = put(tools=[TOOL], parallel_tool_calls=False)

    assert {"type": "auto", "disable_parallel_tool_use": True} == body["tool_choice"]
    assert "parallel_tool_calls" not in body


def test_a_choice_without_tools_is_left_out():
    assert "tool_choice" not in put(tool_choice="auto")[0]


@pytest.mark.parametrize(
    ("model", "given", "sent"),
    [
        (OLD, {}, 16_000),
        ("claude-3-5-haiku-20241022", {}, 4_096),
        (OLD, {"max_tokens": 9}, 9),
        (OLD, {"max_completion_tokens": 9}, 9),
    ],
)
def test_a_limit_is_always_given_since_it_must_be(model, given, sent):
    assert sent == put(model=model, **given)[0]["max_tokens"]


@pytest.mark.parametrize(
    ("model", "takes"),
    [
        ("claude-3-5-sonnet-20241022", True),
        ("claude-sonnet-4-5", True),
        ("claude-sonnet-4-5-20250929", True),
        ("claude-opus-4-6", True),
        ("claude-opus-4-7", False),
        ("claude-sonnet-5", False),
        ("claude-haiku-5-5", False),
    ],
)
@pytest.mark.parametrize("name", ["temperature", "top_p", "top_k"])
def test_models_that_refuse_sampling_parameters_are_not_sent_any(model, takes, name):
    body, warnings, _ = put(model=model, **{name: 1})

    assert takes == (name in body)
    assert takes == (warnings == ())


def test_of_temperature_and_top_p_one_is_sent():
    body, warnings, _ = put(temperature=1.8, top_p=0.5)

    assert 1.0 == body["temperature"]
    assert "top_p" not in body
    assert warnings[0].startswith("top_p was dropped")


@pytest.mark.parametrize(
    ("model", "wish", "thinking", "effort"),
    [
        (OLD, {"effort": "high"}, {"type": "enabled", "budget_tokens": 12_800}, None),
        (OLD, {"max_tokens": 2000}, {"type": "enabled", "budget_tokens": 2000}, None),
        (OLD, {"max_tokens": 10}, {"type": "enabled", "budget_tokens": 1024}, None),
        (OLD, {"effort": "none"}, None, None),
        (OLD, {"enabled": False}, None, None),
        (NEW, {"effort": "minimal"}, {"type": "adaptive", "display": "summarized"}, "low"),
        (NEW, {"enabled": True}, {"type": "adaptive", "display": "summarized"}, None),
        (
            NEW,
            {"effort": "max", "exclude": True},
            {"type": "adaptive", "display": "omitted"},
            "max",
        ),
        ("claude-3-5-sonnet-20241022", {"effort": "high"}, None, None),
    ],
)
def test_reasoning_is_a_budget_or_an_effort_by_the_model(model, wish, thinking, effort):
    body, _, why = put(model=model, reasoning=wish)

    assert why is None
    assert thinking == body.get("thinking")
    assert effort == body.get("output_config", {}).get("effort")


def test_a_budget_leaves_out_what_does_not_go_with_it():
    body, _, _ = put(reasoning={"effort": "low"}, temperature=0.2)

    assert "temperature" not in body


@pytest.mark.parametrize(
    ("messages", "given"),
    [
        ("hi", {"tools": [TOOL], "tool_choice": "required"}),
        ([USER, ASKS, RESULT], {"tools": [TOOL]}),
        ("hi", {"max_tokens": 500}),
    ],
)
def test_where_thinking_would_be_refused_it_is_left_out_and_said(messages, given):
    body, warnings, _ = put(messages, reasoning={"effort": "high"}, **given)

    assert "thinking" not in body
    assert any("reasoning was dropped" in warning for warning in warnings)


def test_a_schema_is_sent_in_the_form_it_takes():
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}

    body, _, _ = put(response_format=wanted)

    made = body["output_config"]["format"]
    assert "json_schema" == made["type"]
    assert made["schema"]["additionalProperties"] is False


EXCLUDED = [
    ({"n": 2}, "gives one answer"),
    ({"logprobs": True}, "cannot do logprobs"),
    ({"stop": ["\n"]}, "white space"),
    ({"tools": [{"type": "openrouter:web_search"}]}, "runs at OpenRouter only"),
    ({"plugins": [{"id": "web"}]}, "runs at OpenRouter only"),
    ({"response_format": {"type": "json_object"}}, "cannot hold an answer"),
    ({"response_format": {"type": "grammar", "grammar": "x"}}, "cannot hold an answer"),
    ({"tools": [TOOL], "tool_choice": "sometimes"}, "knows no tool_choice"),
    ({"modalities": ["image"]}, "cannot answer in image"),
]


@pytest.mark.parametrize(("given", "words"), EXCLUDED)
def test_what_it_cannot_do_excludes_it(given, words):
    assert words in put(**given)[2]


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([{"role": "function", "name": "f", "content": "x"}], "no messages of the role function"),
        ([{"role": "system", "content": "x"}], "begin with a message of the user"),
        ([{"role": "assistant", "content": "x"}, USER], "begin with a message of the user"),
        ([{"role": "user", "content": [{"type": "input_audio"}]}], "input_audio"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {
            "url": "data:image/tiff;base64,AA"}}]}], "image_url"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {
            "url": "http://example.org/a.png"}}]}], "image_url"),
    ],
)  # fmt: skip
def test_messages_that_cannot_be_said_there_exclude_it(messages, words):
    assert words in put(messages)[2]


@pytest.mark.parametrize(("model", "goes"), [(OLD, True), (NEW, False)])
def test_the_beginning_of_an_answer_goes_to_models_that_go_on_with_it(model, goes):
    _, _, why = put([USER, {"role": "assistant", "content": "The river is"}], model=model)

    assert goes == (why is None)


def test_what_the_caller_gave_is_left_as_it_was():
    messages = [USER, ASKS, RESULT]
    before = json.dumps(messages)

    put(messages, tools=[TOOL], parallel_tool_calls=False)

    assert before == json.dumps(messages)


# --- replies


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"), ("stop_sequence", "stop"), ("max_tokens", "length"),
        ("tool_use", "tool_calls"), ("refusal", "content_filter"), ("brand_new", "brand_new"),
        ("model_context_window_exceeded", "length"),
    ],
)  # fmt: skip
def test_why_it_stopped_is_told_in_the_words_of_chat_completions(reason, finish):
    body = {"type": "message", "content": [], "stop_reason": reason, "usage": {}}

    (choice,) = MessagesReader().whole(body)["choices"]

    assert (finish, reason) == (choice["finish_reason"], choice["native_finish_reason"])


def test_what_came_from_its_cache_counts_as_prompt():
    usage = {"input_tokens": 5, "cache_read_input_tokens": 70, "cache_creation_input_tokens": 25,
             "output_tokens": 3}  # fmt: skip
    body = {"type": "message", "content": [{"type": "text", "text": "x"}], "usage": usage}

    said = MessagesReader().whole(body)["usage"]

    assert (100, 3, 103) == (
        said["prompt_tokens"], said["completion_tokens"], said["total_tokens"]
    )  # fmt: skip
    assert {"cached_tokens": 70, "cache_write_tokens": 25} == said["prompt_tokens_details"]


@pytest.mark.parametrize(
    ("usage", "counts"),
    [(None, None), ({}, None), ({"input_tokens": 5}, (5, None, None)),
     ({"output_tokens": 3}, (None, 3, None))],
)  # fmt: skip
def test_what_was_not_counted_is_unknown_and_not_nothing(usage, counts):
    content = [{"type": "text", "text": "x"}]
    names = ("prompt_tokens", "completion_tokens", "total_tokens")

    said = MessagesReader().whole({"type": "message", "content": content, "usage": usage})["usage"]

    assert counts == (said and tuple(said[name] for name in names))


def test_arguments_that_came_in_no_piece_are_an_empty_object():
    block = {"type": "tool_use", "id": "a", "name": "now", "input": {}}
    events = [
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0,
         "delta": {"type": "input_json_delta", "partial_json": ""}},
        {"type": "content_block_stop", "index": 0},
    ]  # fmt: skip
    reader = MessagesReader()

    chunks = [chunk for event in events for chunk in reader.chunks(event)]

    pieces = [c["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"] for c in chunks]
    assert ["", "{}"] == pieces


def test_tools_that_run_at_its_own_place_are_passed_over():
    def event(kind, **fields):
        return {"type": f"content_block_{kind}", **fields}

    used = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}}
    piece = {"type": "input_json_delta", "partial_json": '{"query": "Aare"}'}
    found = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}
    events = [
        event("start", index=0, content_block=used),
        event("delta", index=0, delta=piece),
        event("stop", index=0),
        event("start", index=1, content_block=found),
        event("stop", index=1),
        event("start", index=2, content_block={"type": "text", "text": ""}),
        event("delta", index=2, delta={"type": "text_delta", "text": "hi"}),
    ]
    reader = MessagesReader()

    chunks = [chunk for event in events for chunk in reader.chunks(event)]

    assert [{"content": "hi"}] == [chunk["choices"][0]["delta"] for chunk in chunks]


class OneRead:
    """A reply that gives its bytes at once, and may not be waited for after them."""

    status = 200
    headers: ClassVar[dict[str, str]] = {}

    def __init__(self, *events):
        self.left = [b"".join(f"data: {json.dumps(event)}\n\n".encode() for event in events)]

    def read(self, _until):
        return self.left.pop()


def test_its_stream_is_over_when_it_says_so():
    reply = OneRead(
        {"type": "message_start", "message": {"id": "msg_1", "model": OLD}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}},
        {"type": "message_stop"},
    )
    clock = VirtualClock()
    attempt = Attempt(1, 1, Route("anthropic", (OLD,)), clock.now() + 9, 9.0)
    exchange = Exchange(reply, attempt, Deadline.after(9, clock.now()), clock, MessagesReader())

    exchange.begin()

    assert "hi" == exchange.drain().text


@pytest.mark.parametrize(
    "event",
    [{"type": "ping"}, {"type": "brand_new", "x": 1}, {"no": "type"}, {"type": "message_stop"}],
)
def test_events_that_say_nothing_bring_nothing(event):
    assert [] == MessagesReader().chunks(event)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "message_start"},
        {"type": "message_start", "message": 7},
        {"type": "content_block_start", "index": 0, "content_block": None},
        {"type": "content_block_delta", "index": 3, "delta": {"type": "text_delta", "text": "x"}},
        {"type": "content_block_stop"},
    ],
)
def test_events_that_are_malformed_are_faults(event):
    with pytest.raises(Broken):
        MessagesReader().chunks(event)
