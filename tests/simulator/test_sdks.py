"""The official clients take the simulator for the real thing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from .raw import MODELS

if TYPE_CHECKING:
    from openrouter_resilient.simulator import Simulator

PROMPT = [{"role": "user", "content": "hello there"}]
ANSWER = "Simulated answer to: hello there"
# What the clients warn about is theirs; here only their verdict on the replies counts.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.mark.parametrize("face", ["openrouter", "openai", "groq", "anthropic"])
def test_the_openai_client_completes_a_call_and_a_stream(shared: Simulator, face: str) -> None:
    openai = pytest.importorskip("openai", reason="the openai client is not installed")
    with openai.OpenAI(api_key=shared.key(face), base_url=shared.url(face)) as client:
        whole = client.chat.completions.create(model=MODELS[face], messages=PROMPT)
        stream = client.chat.completions.create(model=MODELS[face], messages=PROMPT, stream=True)
        text = "".join(c.choices[0].delta.content or "" for c in stream if c.choices)
        models = client.models.list()

    assert ANSWER == whole.choices[0].message.content == text
    assert models.data


def test_the_openrouter_client_completes_a_call_and_a_stream(shared: Simulator) -> None:
    openrouter = pytest.importorskip("openrouter", reason="the openrouter client is not installed")
    model = MODELS["openrouter"]
    with openrouter.OpenRouter(
        api_key=shared.key("openrouter"), server_url=shared.url("openrouter")
    ) as client:
        whole = client.chat.send(model=model, messages=PROMPT)
        with client.chat.send(model=model, messages=PROMPT, stream=True) as stream:
            text = "".join(c.choices[0].delta.content or "" for c in stream if c.choices)

    assert ANSWER == whole.choices[0].message.content == text


def groq_client(shared: Simulator) -> Any:
    groq = pytest.importorskip("groq", reason="the groq client is not installed")
    base = shared.url("groq").removesuffix("/openai/v1")  # its client adds the path itself
    return groq.Groq(api_key=shared.key("groq"), base_url=base, max_retries=0)


def test_the_groq_client_completes_a_call_and_a_stream(shared: Simulator) -> None:
    asked = {"model": MODELS["groq"], "messages": PROMPT}
    with groq_client(shared) as client:
        whole = client.chat.completions.create(**asked)
        chunks = list(client.chat.completions.create(**asked, stream=True))

    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert ANSWER == whole.choices[0].message.content == text
    assert chunks[-1].x_groq.usage.completion_tokens == whole.usage.completion_tokens > 0


def test_the_openai_client_raises_its_own_errors(shared: Simulator) -> None:
    openai = pytest.importorskip("openai", reason="the openai client is not installed")
    client = openai.OpenAI(api_key="sk-wrong", base_url=shared.url("openai"), max_retries=0)

    with client, pytest.raises(openai.AuthenticationError):
        client.chat.completions.create(model="gpt-4o", messages=PROMPT)


WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": WEATHER}}
ARGUMENTS = {"city": "simulated"}


@pytest.mark.parametrize("face", ["openrouter", "openai", "groq", "anthropic"])
def test_the_openai_client_completes_a_tool_call_whole_and_streamed(
    shared: Simulator, face: str
) -> None:
    openai = pytest.importorskip("openai", reason="the openai client is not installed")
    asked = {"model": MODELS[face], "messages": PROMPT, "tools": [TOOL], "tool_choice": "required"}
    with openai.OpenAI(api_key=shared.key(face), base_url=shared.url(face)) as client:
        whole = client.chat.completions.create(**asked).choices[0].message.tool_calls[0]
        with client.chat.completions.stream(**asked) as stream:
            streamed = stream.get_final_completion().choices[0].message.tool_calls[0]
        told = [
            *PROMPT,
            {"role": "assistant", "tool_calls": [whole.model_dump(include=SENT)]},
            {"role": "tool", "tool_call_id": whole.id, "content": "sunny"},
        ]
        after = client.chat.completions.create(model=MODELS[face], messages=told, tools=[TOOL])

    assert [ARGUMENTS, ARGUMENTS] == [json.loads(c.function.arguments) for c in (whole, streamed)]
    assert ("weather", ANSWER) == (whole.function.name, after.choices[0].message.content)


SENT = {"id", "type", "function"}


def test_the_openrouter_client_completes_a_tool_call_whole_and_streamed(shared: Simulator) -> None:
    openrouter = pytest.importorskip("openrouter", reason="the openrouter client is not installed")
    asked = {
        "model": MODELS["openrouter"], "messages": PROMPT, "tools": [TOOL],
        "tool_choice": "required",
    }  # fmt: skip
    with openrouter.OpenRouter(
        api_key=shared.key("openrouter"), server_url=shared.url("openrouter")
    ) as client:
        whole = client.chat.send(**asked).choices[0].message.tool_calls[0]
        with client.chat.send(**asked, stream=True) as stream:
            calls = [c.choices[0].delta.tool_calls for c in stream if c.choices]
        pieces = [call[0].function.arguments or "" for call in calls if call]
        models = client.models.list()

    assert ARGUMENTS == json.loads(whole.function.arguments) == json.loads("".join(pieces))
    assert MODELS["openrouter"] in {model.id for model in models.result.data}


def test_the_groq_client_completes_a_tool_call_whole_and_streamed(shared: Simulator) -> None:
    asked = {
        "model": MODELS["groq"], "messages": PROMPT, "tools": [TOOL], "tool_choice": "required",
    }  # fmt: skip
    with groq_client(shared) as client:
        whole = client.chat.completions.create(**asked).choices[0].message.tool_calls[0]
        chunks = list(client.chat.completions.create(**asked, stream=True))

    calls = [c.choices[0].delta.tool_calls for c in chunks if c.choices]
    pieces = [call[0].function.arguments or "" for call in calls if call]
    assert "weather" == whole.function.name
    assert ARGUMENTS == json.loads(whole.function.arguments) == json.loads("".join(pieces))


def anthropic_client(shared: Simulator) -> Any:
    anthropic = pytest.importorskip("anthropic", reason="the anthropic client is not installed")
    base = shared.url("anthropic").removesuffix("/v1")  # its client adds the path itself
    return anthropic.Anthropic(api_key=shared.key("anthropic"), base_url=base, max_retries=0)


def test_the_anthropic_client_completes_a_call_and_a_stream(shared: Simulator) -> None:
    asked = {"model": "claude-sonnet-5", "max_tokens": 100, "messages": PROMPT}
    with anthropic_client(shared) as client:
        whole = client.messages.create(**asked)
        with client.messages.stream(**asked) as stream:
            text = "".join(stream.text_stream)
            final = stream.get_final_message()

    assert ANSWER == whole.content[0].text == text == final.content[0].text
    assert ["end_turn", "end_turn"] == [whole.stop_reason, final.stop_reason]
    assert whole.usage.output_tokens == final.usage.output_tokens > 0


def test_the_anthropic_client_completes_a_tool_call_whole_and_streamed(shared: Simulator) -> None:
    tool = {"name": "weather", "input_schema": WEATHER}
    asked = {"model": "claude-sonnet-5", "max_tokens": 100, "tools": [tool]}
    forced = {**asked, "messages": PROMPT, "tool_choice": {"type": "any"}}
    with anthropic_client(shared) as client:
        whole = client.messages.create(**forced)
        with client.messages.stream(**forced) as stream:
            streamed = stream.get_final_message()
        call = whole.content[0]
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}
        used = {"type": "tool_use", "id": call.id, "name": call.name, "input": call.input}
        told = [
            *PROMPT,
            {"role": "assistant", "content": [used]},
            {"role": "user", "content": [result]},
        ]
        after = client.messages.create(**asked, messages=told)

    assert [ARGUMENTS, ARGUMENTS] == [call.input, streamed.content[0].input]
    assert "tool_use" == whole.stop_reason == streamed.stop_reason
    assert "end_turn" == after.stop_reason


def test_the_anthropic_client_reads_thoughts_and_schemas(shared: Simulator) -> None:
    asked = {"model": "claude-sonnet-5", "max_tokens": 100, "messages": PROMPT}
    schema = {"format": {"type": "json_schema", "schema": WEATHER}}
    with anthropic_client(shared) as client:
        with client.messages.stream(**asked, thinking={"type": "adaptive"}) as stream:
            thought = stream.get_final_message().content[0]
        formed = client.messages.create(**asked, output_config=schema)

    assert ("thinking", "Let me think about that.") == (thought.type, thought.thinking)
    assert ARGUMENTS == json.loads(formed.content[0].text)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"messages": []}, "at least one message"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "first message"),
        ({"extra_body": {"temperature": 0.5}}, "deprecated for this model"),
        ({"extra_body": {"surprise": 1}}, "Extra inputs are not permitted"),
        ({"max_tokens": 0}, "greater than or equal to 1"),
        ({"tool_choice": {"type": "any"}}, "only be specified while providing tools"),
    ],
)
def test_the_anthropic_client_is_refused_what_the_real_api_refuses(
    shared: Simulator, change: dict[str, Any], words: str
) -> None:
    anthropic = pytest.importorskip("anthropic", reason="the anthropic client is not installed")
    asked = {"model": "claude-sonnet-5", "max_tokens": 100, "messages": PROMPT, **change}

    with anthropic_client(shared) as client, pytest.raises(anthropic.BadRequestError, match=words):
        client.messages.create(**asked)


def test_the_anthropic_client_raises_its_own_errors(simulator: Simulator) -> None:
    anthropic = pytest.importorskip("anthropic", reason="the anthropic client is not installed")
    asked = {"model": "claude-sonnet-5", "max_tokens": 100, "messages": PROMPT}
    simulator.play("anthropic", "status_529", times=1)
    with anthropic_client(simulator) as client, pytest.raises(anthropic.OverloadedError):
        client.messages.create(**asked)
    simulator.play("anthropic", "error_mid_stream")

    with (
        anthropic_client(simulator) as client,
        client.messages.stream(**asked) as stream,
        pytest.raises(anthropic.APIStatusError, match="mid-stream"),
    ):
        stream.get_final_message()


@pytest.mark.parametrize(
    ("face", "model"),
    [("openrouter", "openai/text-embedding-3-small"), ("openai", "text-embedding-3-small")],
)
def test_the_openai_client_embeds(shared: Simulator, face: str, model: str) -> None:
    openai = pytest.importorskip("openai", reason="the openai client is not installed")
    with openai.OpenAI(api_key=shared.key(face), base_url=shared.url(face)) as client:
        made = client.embeddings.create(model=model, input=["a", "b"])  # as base64, its default
        plain = client.embeddings.create(model=model, input="a", encoding_format="float")
        with pytest.raises(openai.APIStatusError):
            client.embeddings.create(model="none", input="a")

    assert [0, 1] == [entry.index for entry in made.data]
    assert made.data[0].embedding == pytest.approx(plain.data[0].embedding)
    assert made.data[0].embedding != made.data[1].embedding


def test_the_openrouter_client_embeds(shared: Simulator) -> None:
    openrouter = pytest.importorskip("openrouter", reason="the openrouter client is not installed")
    with openrouter.OpenRouter(
        api_key=shared.key("openrouter"), server_url=shared.url("openrouter")
    ) as client:
        made = client.embeddings.generate(input=["a", "b"], model="openai/text-embedding-3-small")

    assert 2 == len(made.data)
