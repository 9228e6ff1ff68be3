"""When a second route is asked beside one that says nothing yet, and which.

Never a policy of its own: the second is the one that would be next if the first failed now.
"""

from __future__ import annotations

from dataclasses import replace

from openrouter_resilient.routing.faults import Fault, Kind
from openrouter_resilient.routing.plan import Plan
from openrouter_resilient.routing.step import (
    Attempt,
    Health,
    HealthOf,
    History,
    Outcome,
    Send,
    State,
    next_step,
)


def hedge_at(plan: Plan, sent: Attempt, started_at: float) -> float | None:
    """The instant at which to ask another route beside this attempt; None for never.

    A trial is left alone: it has to show whether its endpoint is back, and costs 2 s at most.
    """
    after = plan.limits.hedge_after
    if after is None or sent.trial or started_at + after >= sent.first_token_by:
        return None  # it will be over by then, and the next route asked in any case
    return started_at + after


def hedge_for(
    plan: Plan, history: History, sent: Attempt, health: HealthOf, now: float, *, may_retry: bool
) -> Attempt | None:
    """The attempt to make beside one that says nothing; None if no healthy route stands behind.

    Args:
        plan: the routes and limits of the call.
        history: the outcomes so far, without the attempt that is still under way.
        sent: the attempt that is still under way.
        health: what is known of a route now.
        now: the instant of the decision.
        may_retry: whether the retry budget has a token, which a hedge takes.
    """
    if not may_retry:
        return None
    healthy = tuple(
        route for route in plan.routes if route == sent.route or _well(health(route), now)
    )
    as_if_over = Outcome(sent, Fault(Kind.ABANDONED), now, now)
    step = next_step(
        replace(plan, routes=healthy), (*history, as_if_over), health, now, may_retry=False
    )
    return replace(step.attempt, charged=True) if isinstance(step, Send) else None


def _well(health: Health, now: float) -> bool:
    return health.state is State.CLOSED and not health.busy(now)
