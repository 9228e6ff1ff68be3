"""Records made by hand, for tests that need a certain history."""

from __future__ import annotations

from secrets import token_hex

from openrouter_resilient.record import CallRecord, whole_cost
from openrouter_resilient.served import AttemptRecord

START = 1_790_000_000.0
MODEL = "anthropic/claude-sonnet-4.5"
SERVED = "anthropic/claude-4.5-sonnet-20250929"


def make_attempt(  # one attempt of OpenRouter that answered, unless told else
    *, number=1, endpoint="openrouter", models=(MODEL,), fault=None, model=SERVED, **fields
):
    fields.setdefault("seconds", 1.0)
    fields.setdefault("status", None)
    if fault is None:
        fields.setdefault("provider", "Anthropic" if endpoint == "openrouter" else None)
    return AttemptRecord(
        number=number,
        route=f"{endpoint}:{','.join(models)}",
        endpoint=endpoint,
        models=models,
        fault=fault,
        message="",
        model=model if fault is None else None,
        **fields,
    )


def make_record(*, attempts=(), started_at=START, ended="answered", **fields):
    attempts = attempts or (make_attempt(cost=0.001, prompt_tokens=10, completion_tokens=20),)
    last = attempts[-1] if ended in ("answered", "left", "interrupted") else None
    cost = whole_cost(attempts)
    values = {
        "id": token_hex(8),
        "kind": "complete",
        "error": None,
        "requested": MODEL,
        "deadline": 120.0,
        "seconds": sum(attempt.seconds for attempt in attempts),
        "first_token_seconds": None,
        "model": last and last.model,
        "endpoint": last and last.endpoint,
        "provider": last and last.provider,
        "generation_id": last and last.generation_id,
        "finish_reason": "stop" if ended == "answered" else None,
        "substituted": False,
        "cost": cost,
        "cost_source": "unknown" if cost is None else "reported",
        "prompt_tokens": last and last.prompt_tokens,
        "completion_tokens": last and last.completion_tokens,
    }
    return CallRecord(
        started_at=started_at, ended=ended, attempts=tuple(attempts), **values | fields
    )


def answered_by_fallback(at, *, fault="server_error", status=500):
    """OpenRouter failed, OpenAI answered."""
    bad = make_attempt(fault=fault, status=status, seconds=0.3)
    good = make_attempt(number=2, endpoint="openai", models=("gpt-4o",), model="gpt-4o-2024-08-06",
                        begun_seconds=0.3, prompt_tokens=10, completion_tokens=20)  # fmt: skip
    return make_record(attempts=(bad, good), started_at=at)


def unanswered(at):
    """Nobody answered."""
    bad = make_attempt(fault="server_error", status=500)
    return make_record(attempts=(bad,), started_at=at, ended="failed", error="RoutesExhausted")
