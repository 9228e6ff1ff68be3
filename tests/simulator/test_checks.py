"""The simulator refuses what OpenRouter would: the official client's request model is the judge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from openrouter_resilient.simulator.checks import REQUEST, problem
from tests.official import TYPES, objection

from .raw import ask, body_for

if TYPE_CHECKING:
    from openrouter_resilient.simulator import Simulator

USER = {"role": "user", "content": "hi"}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}

BODIES: list[tuple[bool, dict[str, Any]]] = [
    # fine?  what is put into a healthy body
    (True, {}),
    (True, {"surprise": "field"}),
    (True, {"temperature": 0.5, "top_p": 1, "top_k": 3, "seed": 1, "max_tokens": 5}),
    (True, {"temperature": None, "stop": None}),
    (True, {"stop": "x"}),
    (True, {"stop": ["x", "y"]}),
    (True, {"tools": [TOOL], "tool_choice": "auto"}),
    (True, {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "f"}}}),
    (True, {"response_format": SCHEMA}),
    (True, {"response_format": {"type": "json_object"}}),
    (True, {"reasoning": {"effort": "low"}}),
    (True, {"provider": {"order": ["a"], "zdr": True, "data_collection": "deny"}}),
    (True, {"plugins": [{"id": "response-healing"}]}),
    (True, {"messages": [{"role": "system", "content": "x"}, USER]}),
    (True, {"messages": [USER, {"role": "assistant", "content": None, "tool_calls": [CALL]},
                         {"role": "tool", "tool_call_id": "c", "content": "1"}]}),
    (True, {"messages": [{"role": "user", "content": [
        {"type": "text", "text": "x"},
        {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:,"}}]}]}),
    (False, {"temperature": "warm"}),
    (False, {"temperature": [1]}),
    (False, {"max_tokens": "many"}),
    (False, {"max_tokens": 1.5}),
    (False, {"logprobs": "perhaps"}),
    (False, {"models": "openai/gpt-4o"}),
    (False, {"messages": "hi"}),
    (False, {"messages": [USER, {"content": "no role"}]}),
    (False, {"messages": [{"role": "user"}]}),
    (False, {"messages": [{"role": "user", "content": 7}]}),
    (False, {"messages": [{"role": "tool", "content": "1"}]}),
    (False, {"messages": [USER, {"role": "assistant", "tool_calls": [{"id": "c"}]}]}),
    (False, {"tools": TOOL}),
    (False, {"response_format": {"type": "json_schema"}}),
    (False, {"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}}),
    (False, {"reasoning": "low"}),
    (False, {"provider": "Anthropic"}),
    (False, {"plugins": ["web"]}),
    (False, {"user": 7}),
    (False, {"stream": "perhaps"}),
]  # fmt: skip


# What the client takes for something newer than itself, and OpenRouter's OpenAPI document refuses.
STRICTER: list[dict[str, Any]] = [
    {"seed": {}},
    {"stop": {"a": 1}},
    {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
    {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
    {"tools": [{"type": "function", "function": {"parameters": {}}}]},
    {"provider": {"order": "Anthropic"}},
]
REFUSED = [*(change for fine, change in BODIES if not fine), *STRICTER]


def made(change: dict[str, Any]) -> dict[str, Any]:
    return {**body_for("openrouter"), **change}


@pytest.mark.parametrize(("fine", "change"), BODIES)
def test_a_body_is_judged_as_by_the_official_request_model(
    fine: bool, change: dict[str, Any]
) -> None:
    components = pytest.importorskip(
        "openrouter.components", reason="the openrouter client is not installed"
    )
    try:
        components.ChatRequest.model_validate(made(change))
    except ValueError:
        official = False
    else:
        official = True

    assert fine == official == (problem(made(change)) is None)


def test_every_field_of_the_table_is_one_of_the_official_model() -> None:
    components = pytest.importorskip(
        "openrouter.components", reason="the openrouter client is not installed"
    )

    assert set(REQUEST) <= set(components.ChatRequest.model_fields)


@pytest.mark.parametrize("change", REFUSED)
def test_openrouters_face_refuses_it(shared: Simulator, change: dict[str, Any]) -> None:
    heard = ask(shared, body=made(change))

    assert heard.status == 400
    assert heard.json()["error"]["code"] == 400


def test_the_refusal_says_where(shared: Simulator) -> None:
    heard = ask(shared, body=made({"messages": [USER, {"role": "user", "content": [{}]}]}))

    assert "messages.1.content: Invalid input" in heard.json()["error"]["message"]


BROKEN: dict[tuple[str, str], dict[str, Any]] = {
    ("openrouter", "/chat/completions"): {"messages": [{"role": "user", "content": 7}]},
    ("openrouter", "/embeddings"): {"model": "m", "input": {"a": 1}},
    ("openai", "/chat/completions"): {"model": "m", "messages": [{"role": "user", "content": 7}]},
    ("openai", "/embeddings"): {"model": "m"},
    ("groq", "/chat/completions"): {"model": "m", "messages": [{"role": "user", "content": 7}]},
    ("anthropic", "/messages"): {
        "model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": 7}]}],
    },
}  # fmt: skip
FINE: dict[str, dict[str, Any]] = {
    "/chat/completions": {"model": "m", "messages": [USER]},
    "/embeddings": {"model": "m", "input": ["a"]},
    "/messages": {"model": "m", "max_tokens": 1, "messages": [USER]},
}


@pytest.mark.parametrize(("face", "path"), TYPES)
def test_the_judge_of_all_other_tests_knows_right_from_wrong(face: str, path: str) -> None:
    """Deep inside, too: the official types are lazy there."""
    pytest.importorskip(face, reason=f"the {face} client is not installed")

    assert objection(face, path, FINE[path]) is None
    assert objection(face, path, BROKEN[face, path]) is not None
