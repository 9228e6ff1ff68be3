"""Never run: `mypy --strict` reads it as a user's program would be read."""

from __future__ import annotations

from typing_extensions import assert_type

from openrouter_resilient import (
    AttemptRecord,
    Client,
    Completion,
    ConfigurationError,
    Delta,
    Endpoint,
    RequestRefused,
    ResilientError,
    Served,
    Sheet,
    Stream,
    StreamInterrupted,
    completion,
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
assert_type(completion("gpt-4o", [{"role": "user", "content": "hi"}]), Completion)
for chunk in completion("gpt-4o", [{"role": "user", "content": "hi"}], stream=True):
    assert_type(chunk.choices[0].delta.content, str | None)

try:
    client.complete("hi")
except StreamInterrupted as error:
    assert_type(error.partial, Completion | None)
except RequestRefused as refusal:
    assert_type(refusal.status, int | None)
except (ConfigurationError, ResilientError) as failure:
    assert_type(failure.history, tuple[AttemptRecord, ...])
