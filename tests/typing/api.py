"""Never run: `mypy --strict` reads it as a user's program would be read."""

from __future__ import annotations

from typing_extensions import assert_type

from openrouter_resilient import (
    AttemptRecord,
    CallRecord,
    Client,
    Completion,
    ConfigurationError,
    Delta,
    Endpoint,
    RequestRefused,
    ResilientError,
    Served,
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

with client.stream([{"role": "user", "content": "hi"}]) as stream:
    assert_type(stream, Stream)
    for text in stream:
        assert_type(text, str)
    for delta in stream.deltas():
        assert_type(delta, Delta)
assert_type(stream.completion, Completion)

assert_type(llm_complete("hi"), Completion)

recorded = Client(ledger="calls.db", on_call=lambda record: record.cost)
assert_type(recorded.ledger.calls, tuple[CallRecord, ...])
assert_type(recorded.ledger.report("30d").availability.value, float | None)
assert_type(recorded.ledger.prune("90d"), int)
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
