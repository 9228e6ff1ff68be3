"""Never run: `mypy --strict` reads it as a user's program would be read."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from typing_extensions import assert_type

from openrouter_resilient import (
    AttemptRecord,
    Client,
    Completion,
    ConfigurationError,
    Delta,
    Embeddings,
    Endpoint,
    Model,
    Models,
    Parsed,
    RequestRefused,
    ResilientError,
    Served,
    Stream,
    StreamInterrupted,
    ToolRun,
    completion,
    file,
    image,
    llm_complete,
)

client = Client(
    ["anthropic/claude-sonnet-4.5", "openai/gpt-4o"],
    fallbacks=["openai:gpt-4o", "vllm:llama"],
    deadline=30.0,
    endpoints=[Endpoint("vllm", "http://localhost:8000/v1", private=True)],
)

answer = client.complete("hi", system="Be brief.", temperature=0.2)
assert_type(answer, Completion)
assert_type(answer.text, str)
assert_type(answer.served, Served)
assert_type(answer.served.model, str | None)
assert_type(answer.served.cost, float | None)
assert_type(answer.served.attempts, tuple[AttemptRecord, ...])

with client.stream([{"role": "user", "content": "hi"}]) as stream:
    assert_type(stream, Stream)
    for text in stream:
        assert_type(text, str)
    for delta in stream.deltas():
        assert_type(delta, Delta)
assert_type(stream.completion, Completion)

assert_type(llm_complete("hi"), Completion)
assert_type(completion("gpt-4o", [{"role": "user", "content": "hi"}]), Completion)
for chunk in completion("gpt-4o", [{"role": "user", "content": "hi"}], stream=True):
    assert_type(chunk.choices[0].delta.content, str | None)


class River(BaseModel):
    """What `parse` makes."""

    name: str


def add(a: int, b: int = 1) -> int:
    """A tool."""
    return a + b


parsed = client.parse("hi", River, system="Be brief.")
assert_type(parsed, Parsed[River])
assert_type(parsed.value, River)
assert_type(client.parse("hi", {"type": "object"}).value, Any)

run = client.run_tools("hi", tools=[add], max_steps=3)
assert_type(run, ToolRun)
assert_type(run.served, tuple[Served, ...])
assert_type(client.complete(["What?", image("a.png"), file("a.pdf")], tools=[add]), Completion)

vectors = client.embed(["a", "b"], model="openai/text-embedding-3-small")
assert_type(vectors, Embeddings)
assert_type(vectors[0], list[float])

models = client.models()
assert_type(models, Models)
assert_type(models["openai/gpt-4o"], Model)
assert_type(models["openai/gpt-4o"].prompt_usd, float | None)

client.complete("hi", reasoning={"effort": "low"}, provider={"zdr": True, "sort": "price"})
client.complete("hi", temperature="warm")  # type: ignore[arg-type]  # the editor says so

try:
    client.complete("hi")
except StreamInterrupted as error:
    assert_type(error.partial, Completion | None)
except RequestRefused as refusal:
    assert_type(refusal.status, int | None)
except (ConfigurationError, ResilientError) as failure:
    assert_type(failure.history, tuple[AttemptRecord, ...])
