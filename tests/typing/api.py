"""Never run: mypy and pyright, both strict, read it as they would read a user's program."""

# pyright: strict

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from typing_extensions import assert_type

from openrouter_resilient import (
    AttemptRecord,
    CallRecord,
    Chaos,
    Client,
    Completion,
    ConfigurationError,
    Delta,
    Embeddings,
    Endpoint,
    Model,
    Models,
    NotRecorded,
    Parsed,
    Replay,
    RequestRefused,
    ResilientError,
    Served,
    Sheet,
    Stream,
    StreamInterrupted,
    ToolRun,
    completion,
    file,
    image,
    llm_complete,
    simulated,
)
from openrouter_resilient.health.report import HealthReport, RouteHealth
from openrouter_resilient.simulator import Received, Simulator

client = Client(
    ["anthropic/claude-sonnet-5", "openai/gpt-4o"],
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

assert_type(client.map(["hi"], workers=2, temperature=0.2), list[Completion | Exception])
assert_type(client.explain("hi", deadline=3.0), Sheet)
assert_type(answer.served.explain(), Sheet)
assert_type(client.complete("hi", hedge_after=1.0, cache_seconds=60, max_cost=1.0), Completion)

with client.stream([{"role": "user", "content": "hi"}]) as stream:
    assert_type(stream, Stream)
    for text in stream:
        assert_type(text, str)
    for delta in stream.deltas():
        assert_type(delta, Delta)
assert_type(stream.completion, Completion)

assert_type(llm_complete("hi"), Completion)
assert_type(llm_complete(["What does this show?", image("chart.png")]), Completion)

recorded = Client(ledger="calls.db", on_call=lambda record: record.cost)
assert_type(recorded.ledger.calls, tuple[CallRecord, ...])
assert_type(recorded.ledger.report("30d").availability.value, float | None)
assert_type(recorded.ledger.prune("90d"), int)
assert_type(completion("gpt-4o", [{"role": "user", "content": "hi"}]), Completion)
for chunk in completion("gpt-4o", [{"role": "user", "content": "hi"}], stream=True):
    assert_type(chunk.choices[0].delta.content, str | None)

staging = Client(chaos=Chaos(rate=0.05, faults=["refused", "cut_mid_stream"], seed=1))
teacher = Client(record="lesson.jsonl")
pupil = Client(replay=Replay("lesson.jsonl", pace=1.0))
assert_type(pupil.complete("hi").served.replayed, bool)

with Simulator() as simulator:
    simulator.play("cut_mid_stream", after=2)
    simulator.outage("openrouter")
    assert_type(simulator.requests, list[Received])


def test_of_a_user(openrouter_simulator: Simulator) -> None:
    """The fixture has a type to write down."""
    assert_type(openrouter_simulator.url("openai"), str)


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

health = client.health(pages=True)
assert_type(health, HealthReport)
assert_type(health[0], RouteHealth)
assert_type([row.latency for row in health], list[float | None])

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
except NotRecorded as missing:
    assert_type(missing.line, int)
except StreamInterrupted as error:
    assert_type(error.partial, Completion | None)
except RequestRefused as refusal:
    assert_type(refusal.status, int | None)
except (ConfigurationError, ResilientError) as failure:
    assert_type(failure.history, tuple[AttemptRecord, ...])

with simulated() as upstreams:
    assert_type(upstreams, Simulator | None)
