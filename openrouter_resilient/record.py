"""What stays of a finished call, for whoever keeps a record: the ledger, telemetry, `on_call`.

Never a key; no prompt, no answer and no server's words (which may quote them) unless they were
asked for.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from openrouter_resilient.errors import CallFailed, RequestRefused, SpendingCapReached
from openrouter_resilient.routing.faults import FAULTS, Kind
from openrouter_resilient.served import AttemptRecord, Served, counted

Ended = Literal["answered", "refused", "failed", "interrupted", "left", "cancelled"]
CallKind = Literal["complete", "stream", "embed"]
CostSource = Literal["reported", "estimated", "unknown"]


@dataclass(frozen=True)
class Texts:
    """What was said, kept only where `keep_text=True` asks for it.

    Attributes:
        prompt: the messages as JSON.
        answer: the text that came, as far as it came.
    """

    prompt: str = field(repr=False)
    answer: str | None = field(repr=False)


@dataclass(frozen=True)
class CallRecord:
    """One finished call.

    Attributes:
        id: tells it from all others.
        started_at: seconds since 1970 when it began.
        kind: "complete", "stream" or "embed".
        ended: "answered"; "refused" (the request itself was at fault); "failed" (nobody answered);
            "interrupted" (a stream broke half-way); "left" (the caller closed a stream before its
            end); "cancelled" (Ctrl-C, or `max_cost` was reached before anything was sent).
        error: the name of the exception's class; None if there was none.
        requested: the first model that was asked for.
        deadline: seconds that the call was given.
        seconds: how long it took; a stream's, until it ended.
        first_token_seconds: until the first token; None where none, or a whole body, came.
        model, endpoint, provider, generation_id: who answered, as the reply said; None if nobody.
        finish_reason: as the reply said.
        substituted: another model than the first asked answered; None if nobody can say.
        cost: USD for the whole call, failed attempts included; None while any part is unknown.
        cost_source: "reported" by the replies, "estimated" from a price list, or "unknown".
        prompt_tokens, completion_tokens: of the answer, as reported.
        attempts: every request of the call, oldest first; none where a cached answer was used, but
            those that failed before it was.
        texts: prompt and answer, if they are kept.
        cached: the answer was known already, and nobody was paid for it: what is said of the model
            and the tokens is what was said when it was given.
        stale: it had expired, and was used because nobody answered.
    """

    id: str
    started_at: float
    kind: CallKind
    ended: Ended
    error: str | None
    requested: str
    deadline: float
    seconds: float
    first_token_seconds: float | None
    model: str | None
    endpoint: str | None
    provider: str | None
    generation_id: str | None
    finish_reason: str | None
    substituted: bool | None
    cost: float | None
    cost_source: CostSource
    prompt_tokens: int | None
    completion_tokens: int | None
    attempts: tuple[AttemptRecord, ...]
    texts: Texts | None = None
    cached: bool = False
    stale: bool = False


@dataclass(frozen=True)
class ProbeRecord:
    """One health check.

    Attributes:
        started_at: seconds since 1970 when it began.
        endpoint: whom it asked.
        route: the same with the model, such as `openai:gpt-4o`; None: no model was asked.
        fault: the kind of fault; None if it was well.
        seconds: how long it took.
    """

    started_at: float
    endpoint: str
    route: str | None
    fault: str | None
    seconds: float


@dataclass(frozen=True)
class Circumstances:
    """What surrounds a call, whatever came of it.

    Attributes:
        kind: what was asked for.
        started_at: seconds since 1970.
        deadline: seconds that it was given.
        texts: prompt and answer, if they are kept.
    """

    kind: CallKind
    started_at: float
    deadline: float
    texts: Texts | None = None


def how_it_ended(error: BaseException, *, sent: bool) -> Ended:
    """The word for a call that raised this before anything was handed over.

    Args:
        error: what it raised.
        sent: whether a request had left by then.
    """
    if isinstance(error, RequestRefused):
        return "refused"
    if not isinstance(error, Exception):
        return "cancelled"
    if sent or isinstance(error, CallFailed):
        return "failed"
    # Nothing was sent: the caller's own limit, or something in the request that cannot be written.
    return "cancelled" if isinstance(error, SpendingCapReached) else "refused"


def record_of_served(served: Served, ended: Ended, around: Circumstances) -> CallRecord:
    """The record of a call that somebody served, if only in part."""
    attempts = _kept(served.attempts, around)
    cost = whole_cost(attempts)
    return CallRecord(
        secrets.token_hex(8), around.started_at, around.kind, ended,
        "StreamInterrupted" if ended == "interrupted" else None,
        served.requested, around.deadline, served.seconds, served.first_token_seconds,
        served.model, served.endpoint, served.provider, served.generation_id,
        served.finish_reason, served.substituted, cost, "unknown" if cost is None else "reported",
        counted(served.usage, "prompt_tokens"), counted(served.usage, "completion_tokens"),
        attempts, around.texts, served.cached, served.stale,
    )  # fmt: skip


def record_of_error(
    error: BaseException,
    attempts: tuple[AttemptRecord, ...],
    requested: str,
    seconds: float,
    around: Circumstances,
) -> CallRecord:
    """The record of a call that nobody served."""
    attempts = _kept(attempts, around)
    cost = whole_cost(attempts)
    ended = how_it_ended(error, sent=bool(attempts))
    return CallRecord(
        secrets.token_hex(8), around.started_at, around.kind, ended, type(error).__name__,
        requested, around.deadline, seconds, None, None, None, None, None, None, None,
        cost, "unknown" if cost is None else "reported", None, None, attempts, around.texts,
    )  # fmt: skip


def may_be_billed(fault: str | None, status: int | None) -> bool:
    """Whether somebody may have to pay for an attempt: not if it was refused, or never sent.

    Source: https://openrouter.ai/docs (a reply with an error status is not billed; a generation
    whose reader went away may be).
    """
    if fault is None:
        return True
    return status is None and (fault not in _KINDS or FAULTS[Kind(fault)].sent)


def whole_cost(attempts: Sequence[AttemptRecord]) -> float | None:
    """USD for all attempts; None while that of one that may be billed is unknown."""
    if len(attempts) == 1 and attempts[0].fault is None:
        return attempts[0].cost
    parts = [a.cost for a in attempts if a.cost is not None or may_be_billed(a.fault, a.status)]
    return None if None in parts else sum((part for part in parts if part is not None), 0.0)


def _kept(attempts: tuple[AttemptRecord, ...], around: Circumstances) -> tuple[AttemptRecord, ...]:
    """Without the servers' words, unless texts are kept: an error message may quote the prompt."""
    if around.texts is not None or not any(attempt.message for attempt in attempts):
        return attempts
    return tuple(replace(attempt, message="") for attempt in attempts)


_KINDS = frozenset(kind.value for kind in Kind)
