"""Each face answers, and refuses, like the API it stands for."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from openrouter_resilient import Client
from openrouter_resilient.simulator import Simulator
from openrouter_resilient.simulator.faces import openrouter

from .raw import FACES, ask, body_for

TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city", "days"],
        },
    },
}
SONNET = "anthropic/claude-sonnet-5"
DATED = "anthropic/claude-sonnet-5-20260630"


@pytest.mark.parametrize("face", FACES)
def test_a_whole_answer_names_its_prompt_and_is_recorded(shared: Simulator, face: str) -> None:
    shared.forget()

    heard = ask(shared, face)

    answered = shared.received(face)[0].answered
    assert answered is not None
    assert (heard.status, heard.text()) == (200, "Simulated answer to: hello there")
    said = heard.json()
    assert (said["id"], said["model"]) == (answered.generation_id, answered.model)
    assert said["usage"] == answered.usage
    assert (heard.text(), "stop", 200) == (answered.text, answered.finish_reason, answered.status)


@pytest.mark.parametrize("face", FACES)
def test_a_stream_opens_with_a_role_brings_several_deltas_and_ends_with_done(
    shared: Simulator, face: str
) -> None:
    heard = ask(shared, face, body=body_for(face, stream=True))

    events = heard.events()
    assert events[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert sum(1 for e in events if e["choices"] and e["choices"][0]["delta"].get("content")) >= 4
    assert heard.text() == "Simulated answer to: hello there"
    assert heard.body.endswith(b"data: [DONE]\n\n")
    assert len({event["id"] for event in events}) == 1


def test_openrouter_says_who_served_and_what_it_cost(shared: Simulator) -> None:
    heard = ask(shared, X_OpenRouter_Metadata="enabled")

    said = heard.json()
    assert (said["model"], said["provider"]) == (DATED, "Anthropic")
    assert said["choices"][0]["native_finish_reason"] == "stop"
    assert said["id"].startswith("gen-")
    assert said["id"] == heard.headers["x-generation-id"]
    assert said["usage"]["cost"] > 0
    assert said["openrouter_metadata"]["attempts"] == [
        {"provider": "Anthropic", "model": DATED, "status": 200}
    ]


def test_openrouter_gives_metadata_only_when_asked(shared: Simulator) -> None:
    assert "openrouter_metadata" not in ask(shared).json()


def test_openrouters_usage_and_metadata_ride_on_the_last_chunk(shared: Simulator) -> None:
    heard = ask(shared, body=body_for("openrouter", stream=True), X_OpenRouter_Metadata="Enabled")

    last = heard.events()[-1]
    assert last["choices"] == []
    assert last["usage"]["cost"] > 0
    assert last["openrouter_metadata"]["strategy"] == "direct"


@pytest.mark.parametrize(
    ("asked", "served"),
    [
        ("~anthropic/claude-sonnet-latest", DATED),
        (f"{SONNET}:nitro", DATED),
        (DATED, DATED),
        ("anthropic/claude-haiku-4.5", "anthropic/claude-4.5-haiku-20251001"),
        ("openrouter/auto", "openai/gpt-4o"),
        ("meta-llama/llama-3.3-70b-instruct:free", "meta-llama/llama-3.3-70b-instruct:free"),
    ],
)
def test_openrouter_names_the_dated_model(shared: Simulator, asked: str, served: str) -> None:
    assert served == ask(shared, body=body_for("openrouter") | {"model": asked}).json()["model"]


def test_openrouter_knows_the_generations_it_made_and_no_others(shared: Simulator) -> None:
    made = ask(shared).json()

    found = ask(shared, path=f"/generation?id={made['id']}", method="GET")

    assert made["usage"]["cost"] == found.json()["data"]["total_cost"]
    assert ask(shared, path="/generation?id=gen-0-other", method="GET").status == 404


def test_openrouter_forgets_its_oldest_generations(monkeypatch: pytest.MonkeyPatch) -> None:
    """A simulator that runs for days does not fill the memory."""
    monkeypatch.setattr(openrouter, "MOST_GENERATIONS", 2)
    with Simulator() as simulator:
        made = [ask(simulator).json()["id"] for _ in range(3)]
        paths = [f"/generation?id={one}" for one in made]

        found = [ask(simulator, path=path, method="GET").status for path in paths]

    assert found == [404, 200, 200]


def test_openrouter_thinks_aloud_when_reasoning_is_asked(shared: Simulator) -> None:
    body = body_for("openrouter", stream=True, reasoning={"effort": "low"})

    deltas = [e["choices"][0]["delta"] for e in ask(shared, body=body).events() if e["choices"]]

    thoughts = [index for index, delta in enumerate(deltas) if delta.get("reasoning")]
    words = [index for index, delta in enumerate(deltas) if delta.get("content")]
    assert thoughts
    assert max(thoughts) < min(words)


def test_openai_sends_usage_in_a_stream_only_when_asked(shared: Simulator) -> None:
    without = ask(shared, "openai", body=body_for("openai", stream=True))
    options = {"include_usage": True}
    with_usage = ask(shared, "openai", body=body_for("openai", stream=True, stream_options=options))

    assert not any(event.get("usage") for event in without.events())
    assert list({event["usage"] for event in with_usage.events()[:-1]}) == [None]
    assert with_usage.events()[-1]["choices"] == []
    assert with_usage.events()[-1]["usage"]["total_tokens"] > 0


def test_openai_names_the_request_and_the_limits_and_no_provider_or_cost(shared: Simulator) -> None:
    shared.forget()

    heard = ask(shared, "openai")

    answered = shared.requests[0].answered
    assert answered is not None
    assert heard.headers["x-request-id"] == answered.request_id
    assert "x-ratelimit-remaining-requests" in heard.headers
    assert (answered.provider, answered.cost) == (None, None)


def test_groq_puts_usage_and_x_groq_in_its_last_chunk(shared: Simulator) -> None:
    last = ask(shared, "groq", body=body_for("groq", stream=True)).events()[-1]

    assert last["choices"][0]["finish_reason"] == "stop"
    assert last["usage"] == last["x_groq"]["usage"]


def test_anthropic_ignores_what_it_does_not_support(shared: Simulator) -> None:
    body = body_for("anthropic", logprobs=True, seed=7, frequency_penalty=1, surprise="field")

    assert ask(shared, "anthropic", body=body).status == 200


REFUSED: list[tuple[str, dict[str, Any], int, str]] = [
    ("openrouter", {"messages": []}, 400, "Input required"),
    ("openrouter", {"model": "acme/none"}, 400, "acme/none is not a valid model ID"),
    ("openrouter", {"models": ["openai/gpt-4o", "acme/none"]}, 400, "not a valid model ID"),
    (
        "openrouter",
        {"models": ["openai/gpt-4o"] * 4},
        400,
        "'models' array must have 3 items or fewer.",
    ),
    ("openai", {"messages": None}, 400, "'messages'"),
    ("openai", {"reasoning": {}}, 400, "Unrecognized request argument supplied: reasoning"),
    (
        "openai",
        {"messages": [{"role": "user", "content": "x", "reasoning": "y"}]},
        400,
        "messages[0].reasoning",
    ),
    (
        "openai",
        {
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {}}]}
            ]
        },
        400,
        "Unknown parameter: 'messages[0].content[0].cache_control'.",
    ),
    (
        "openai",
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "image_url", "image_url": {"url": "data:,", "detail": "original"}}
                    ],
                }
            ]
        },
        400,
        "Invalid value: 'original'",
    ),
    (
        "openai",
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "file", "file": {"file_data": "https://example.org/a.pdf"}}
                    ],
                }
            ]
        },
        400,
        "file_data",
    ),
    (
        "openai",
        {"messages": [{"role": "user", "content": [{"type": "video_url"}]}]},
        400,
        "video_url",
    ),
    ("openai", {"tools": [TOOL | {"cache_control": {}}]}, 400, "tools[0].cache_control"),
    ("openai", {"model": "o3", "max_tokens": 5}, 400, "Use 'max_completion_tokens' instead."),
    ("openai", {"model": "gpt-5", "temperature": 0.2}, 400, "'temperature' does not support 0.2"),
    ("openai", {"model": "openai/gpt-4o"}, 404, "does not exist"),
    ("groq", {"logprobs": True}, 400, "logprobs"),
    ("groq", {"logit_bias": {}}, 400, "logit_bias"),
    ("groq", {"top_logprobs": 1}, 400, "top_logprobs"),
    ("groq", {"n": 2}, 400, "n"),
    ("groq", {"messages": [{"role": "user", "content": "x", "name": "y"}]}, 400, "name"),
    ("groq", {"model": "gpt-4o"}, 404, "does not exist"),
    ("groq", {"response_format": {"type": "json_schema", "json_schema": {}}}, 400, "json_schema"),
    ("anthropic", {"n": 2}, 400, "n: must be 1"),
]


@pytest.mark.parametrize(("face", "change", "status", "words"), REFUSED)
def test_a_face_refuses_what_its_api_refuses(
    shared: Simulator, face: str, change: dict[str, Any], status: int, words: str
) -> None:
    heard = ask(shared, face, body=body_for(face) | change)

    assert status == heard.status
    assert words in heard.json()["error"]["message"]


ACCEPTED: list[tuple[str, dict[str, Any]]] = [
    ("openrouter", {"models": ["openai/gpt-4o"] * 3}),
    ("openrouter", {"surprise": "field"}),
    ("openai", {"model": "gpt-5", "max_completion_tokens": 5, "temperature": 1}),
    ("openai", {"model": "gpt-5-chat-latest", "temperature": 0.2}),
    ("openai", {"model": "gpt-4o", "max_tokens": 5}),
    ("groq", {"n": 1, "model": "openai/gpt-oss-120b"}),
]


@pytest.mark.parametrize(("face", "change"), ACCEPTED)
def test_a_face_accepts_what_its_api_accepts(
    shared: Simulator, face: str, change: dict[str, Any]
) -> None:
    assert ask(shared, face, body=body_for(face) | change).status == 200


@pytest.mark.parametrize("face", FACES)
def test_only_the_faces_own_key_is_accepted(shared: Simulator, face: str) -> None:
    assert ask(shared, face, key="sk-wrong").status == 401
    assert ask(shared, face, Authorization="", x_api_key=shared.key(face)).status == 200
    assert ask(shared, face, Authorization="").status == 401


@pytest.mark.parametrize("face", FACES)
def test_models_are_listed_and_other_paths_are_not_found(shared: Simulator, face: str) -> None:
    listed = ask(shared, face, path="/models", method="GET")

    assert len(listed.json()["data"]) >= 5
    assert ask(shared, face, path="/nothing").status == 404


def test_openrouters_key_page_needs_the_key(shared: Simulator) -> None:
    assert "limit_remaining" in ask(shared, path="/key", method="GET").json()["data"]
    assert ask(shared, path="/key", method="GET", key="sk-wrong").status == 401


@pytest.mark.parametrize("face", FACES)
def test_a_forced_tool_is_called_with_arguments_after_its_schema(
    shared: Simulator, face: str
) -> None:
    body = body_for(face, tools=[TOOL], tool_choice="required")

    call = ask(shared, face, body=body).json()["choices"][0]["message"]["tool_calls"][0]

    assert (
        call["function"]["name"],
        call["function"]["arguments"],
    ) == ("get_weather", '{"city": "simulated", "days": 1}')


def test_a_streamed_tool_call_brings_its_name_first_and_arguments_in_pieces(
    shared: Simulator,
) -> None:
    choice = {"type": "function", "function": {"name": "get_weather"}}
    body = body_for("openai", stream=True, tools=[TOOL], tool_choice=choice)

    events = ask(shared, "openai", body=body).events()

    calls = [
        e["choices"][0]["delta"]["tool_calls"][0]
        for e in events
        if "tool_calls" in e["choices"][0]["delta"]
    ]
    assert calls[0]["function"]["name"] == "get_weather"
    assert len(calls) > 3
    assert "".join(c["function"]["arguments"] for c in calls) == '{"city": "simulated", "days": 1}'
    assert events[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_the_answer_can_be_a_text_a_function_or_a_whole_message(simulator: Simulator) -> None:
    simulator.answer = "Always this."
    assert ask(simulator).text() == "Always this."

    simulator.answer = lambda face, body: f"{face} heard {len(body['messages'])}"
    assert ask(simulator, "groq").text() == "groq heard 1"

    simulator.answer = lambda _face, _body: {"content": "text", "refusal": "no"}
    assert ask(simulator).json()["choices"][0]["message"]["refusal"] == "no"


@pytest.mark.parametrize("wire", ["stream", "whole"])
@pytest.mark.parametrize(
    "route",
    ["openai/gpt-4o", "openai:gpt-4o", "groq:llama-3.3-70b-versatile", "anthropic:claude-sonnet-5"],
)
def test_half_a_character_is_echoed_and_no_connection_is_lost(
    shared: Simulator, route: str, wire: Literal["stream", "whole"]
) -> None:
    """A text that was cut within a surrogate pair is JSON that the real ones take, too."""
    with Client(route, fallbacks=(), environment=shared.environment()) as client:
        answer = client.complete("cut \ud83d", wire=wire)

    assert "Simulated answer to: cut \ud83d" == answer.text
    assert 1 == len(answer.served.attempts)


def test_half_a_character_is_embedded(shared: Simulator) -> None:
    with Client(environment=shared.environment()) as client:
        first, second = client.embed(["cut \ud83d", "cut \ud83e"])

    assert first != second


def test_openrouter_keeps_a_slow_answer_alive(simulator: Simulator) -> None:
    simulator.latency("openrouter", first_token=0.02, between_tokens=0.001)

    streamed = ask(simulator, body=body_for("openrouter", stream=True))
    whole = ask(simulator)

    assert streamed.body.startswith(b": OPENROUTER PROCESSING\n\n")
    assert whole.body[:1].isspace()
    assert "Simulated answer to: hello there" == streamed.text() == whole.text()
