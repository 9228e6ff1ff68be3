"""How a call is told: the exception that fits its end, and the log lines on the way.

Nothing here holds a prompt or an answer; a server's words appear in exceptions, with keys masked,
and never in the log.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from openrouter_resilient.errors import (
    CallFailed,
    ContextTooLong,
    DeadlineExceeded,
    RequestRefused,
    ResilientError,
    RoutesExhausted,
)
from openrouter_resilient.routing.faults import Kind, Scope
from openrouter_resilient.routing.plan import Plan
from openrouter_resilient.routing.step import History, Outcome, Reason, Stop
from openrouter_resilient.served import AttemptRecord, Served, make_records

LOG = logging.getLogger("openrouter_resilient")


def error_for(stop: Stop, plan: Plan, history: History) -> ResilientError:
    """The exception for a call that ended without an answer."""
    if stop.reason in (Reason.REFUSED, Reason.TOO_LONG):
        return _refused(history)
    records = make_records(history)
    trail = _in_one_line(records) or "nothing was sent"
    error: CallFailed
    if stop.reason is Reason.DEADLINE:
        error = DeadlineExceeded(
            f"nobody answered within {plan.deadline.seconds:g} s: {trail}. "
            "Give a longer deadline, or add a fallback",
            history=records,
        )
    else:
        wait = f" A server asks to wait {stop.retry_after:.0f} s." if stop.retry_after else ""
        skipped = f" Skipped: {'; '.join(map(str, plan.skipped))}." if plan.skipped else ""
        error = RoutesExhausted(
            f"every route failed: {trail}.{wait}{skipped}{_not_asked(plan, history)} "
            "Mend what they say, or add a fallback",
            history=records,
        )
    error.retry_after = stop.retry_after
    return error


def _in_one_line(records: Sequence[AttemptRecord]) -> str:
    """The trail; what happened to a route again is not told again."""
    alike: dict[tuple[str, str], list[AttemptRecord]] = {}
    for record in records:
        alike.setdefault((record.route, record.why), []).append(record)
    return "; ".join(
        _unended(str(same[0]) if len(same) == 1 else f"{route} failed {len(same)} times, {why}")
        for (route, why), same in alike.items()
    )


def _unended(words: str) -> str:
    """A server's words without the full stop that they often bring: the sentence goes on."""
    return words.removesuffix(".")


def _not_asked(plan: Plan, history: History) -> str:
    """The routes that had no turn: the retry budget was spent, or they asked for a rest."""
    asked = {outcome.attempt.route for outcome in history}
    left = ", ".join(str(route) for route in plan.routes if route not in asked)
    return f" Not asked, after failures of late or at its own wish: {left}." if left else ""


def log_fault(outcome: Outcome) -> None:
    """Warn that an attempt failed: a wrong key or a mistyped id must not hide behind a fallback."""
    fault = outcome.fault
    if fault is None or fault.scope in (Scope.REQUEST, Scope.NOBODY):
        return
    route = outcome.attempt.route
    status = f" ({fault.status})" if fault.status else ""
    names = f", asked for {', '.join(route.models)}" if fault.kind is Kind.UNKNOWN_MODEL else ""
    LOG.warning(
        "%s failed after %.1f s, %s%s: %s%s",
        route.endpoint,
        outcome.ended_at - outcome.started_at,
        fault.kind.value,
        status,
        fault.row.why,
        names,
    )


def log_served(served: Served) -> None:
    """Say who answered."""
    if LOG.isEnabledFor(logging.INFO):
        LOG.info("served by %s", served)


def _refused(history: History) -> RequestRefused:
    """The refusal in the server's own words."""
    outcome = history[-1]
    fault = outcome.fault
    assert fault is not None  # noqa: S101  the policy stops here for a fault only
    kind = fault.row.raises or ContextTooLong
    endpoint = outcome.attempt.route.endpoint
    status = f" {fault.status}" if fault.status else ""
    asked = "no fallback was asked" if len(history) == 1 else "so did all who were asked before"
    error = kind(
        f"{endpoint} refused the request{status} ({fault.row.why}): {_unended(fault.message)}. "
        f"Change the request; {asked}",
        history=make_records(history),
    )
    error.endpoint = endpoint
    error.status = fault.status
    error.code = fault.code
    error.error_type = fault.error_type
    error.server_message = fault.message
    error.request_id = fault.request_id or outcome.reported.request_id
    return error
