"""What would be sent where, and nothing sent: the real policy played through on paper.

Shows the names of fields and never what is in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from openrouter_resilient.call import Call
from openrouter_resilient.endpoints.forms import objection, to_wire
from openrouter_resilient.endpoints.table import Endpoint, nearest_route
from openrouter_resilient.given import models_of
from openrouter_resilient.routing.breaker import BreakerBoard
from openrouter_resilient.routing.faults import Fault, Kind
from openrouter_resilient.routing.hedging import hedge_at, hedge_for
from openrouter_resilient.routing.step import (
    Attempt,
    HealthOf,
    Outcome,
    State,
    Stop,
    Wait,
    next_step,
)
from openrouter_resilient.sheet import Sheet

if TYPE_CHECKING:
    from openrouter_resilient.client import Client

OF_A_CALL = ("system", "model", "models", "fallbacks", "deadline", "first_token_timeout", "wire",
             "hedge_after", "max_cost", "cache_seconds", "stale_if_error")  # fmt: skip
COLUMNS = ("", "route", "from", "first token by", "then silent at most", "breaker", "body")


@dataclass(frozen=True)
class _Sending:
    """An attempt, the instant at which it would be sent, and the one it would stand beside."""

    attempt: Attempt
    at: float
    beside: int = 0


def explain(client: Client, prompt: Any, params: Mapping[str, Any]) -> Sheet:
    """See `Abilities.explain`."""
    given = dict(params)
    own = {name: given.pop(name, None) for name in OF_A_CALL}
    call = client._call(
        prompt, own["system"], given, models_of(own), own["fallbacks"], own["deadline"],
        own["first_token_timeout"], own["wire"] or client._wire, own["hedge_after"],
        own["max_cost"],
    )  # fmt: skip
    fresh = client._cache_seconds if own["cache_seconds"] is None else own["cache_seconds"]
    age = client._cache.age(call, fresh) if client._cache and fresh else None
    return _told(call, client._carrier.board, client.endpoints, cached_seconds=age)


def _told(
    call: Call,
    board: BreakerBoard,
    endpoints: Mapping[str, Endpoint],
    *,
    cached_seconds: float | None,
) -> Sheet:
    """How a call would go if every route that is asked said nothing until its limit.

    Args:
        call: planned and not yet made.
        board: what is known of the endpoints now.
        endpoints: those that the routes name.
        cached_seconds: how old the answer is that the cache has; None if it has none.
    """
    sends = _played_through(call, board)
    rows = tuple(_row(sending, call, board, endpoints) for sending in sends)
    deadline = call.plan.deadline.seconds
    title = f"Nothing is sent. Within {deadline:g} s, each route in its turn until one answers:"
    notes = [
        *_cache_note(cached_seconds),
        *(f"Skipped {skipped}." for skipped in call.plan.skipped),
        *_dropped(call, endpoints),
        *_nearer(call, endpoints),
        "Times are for a route that says nothing at all; one that refuses is left at once.",
    ]
    return Sheet(title, COLUMNS, rows, tuple(notes))


def _played_through(call: Call, board: BreakerBoard) -> list[_Sending]:
    """The attempts of the worst case: whoever is asked says nothing until the limit."""
    now = call.started_at
    history: tuple[Outcome, ...] = ()
    sends: list[_Sending] = []
    while True:
        step = next_step(call.plan, history, _health_at(board, now), now)
        if isinstance(step, Stop):
            return sends
        if isinstance(step, Wait):
            now = step.until
            continue
        sent = [_Sending(step.attempt, now), *_beside(call, history, step.attempt, board, now)]
        sends += sent
        history = (*history, *map(_silent, sent))
        now = max(sending.attempt.first_token_by for sending in sent)


def _beside(
    call: Call, history: tuple[Outcome, ...], sent: Attempt, board: BreakerBoard, now: float
) -> list[_Sending]:
    """The attempt that would be made beside this one while it says nothing."""
    at = hedge_at(call.plan, sent, now)
    if at is None:
        return []
    hedge = hedge_for(call.plan, history, sent, _health_at(board, at), at, may_retry=True)
    return [] if hedge is None else [_Sending(hedge, at, beside=sent.number)]


def _health_at(board: BreakerBoard, now: float) -> HealthOf:
    return lambda route: board.health(route, now)


def _silent(sending: _Sending) -> Outcome:
    attempt = sending.attempt
    return Outcome(attempt, Fault(Kind.SILENT), sending.at, attempt.first_token_by, 0.5)


def _row(
    sending: _Sending, call: Call, board: BreakerBoard, endpoints: Mapping[str, Endpoint]
) -> tuple[str, ...]:
    sent = sending.attempt
    body, _ = to_wire(call.request, endpoints[sent.route.endpoint], sent.route, stream=call.stream)
    state = board.health(sent.route, sending.at).state
    beside = f", beside {sending.beside}" if sending.beside else ""
    return (
        str(sent.number),
        str(sent.route),
        f"{sending.at - call.started_at:.1f} s{beside}",
        f"{sent.first_token_by - call.started_at:.1f} s",
        f"{sent.stall:.1f} s",
        "a trial" if sent.trial else "" if state is State.CLOSED else state.value,
        ", ".join(body),
    )


def _cache_note(seconds: float | None) -> list[str]:
    if seconds is None:
        return []
    return [f"The cache has an answer of {seconds:.1f} s ago: it would be given, and none asked."]


def _dropped(call: Call, endpoints: Mapping[str, Endpoint]) -> list[str]:
    """What each endpoint would not be sent, each once."""
    notes = [
        f"{route.endpoint}: {why}."
        for route in call.plan.routes
        for why in to_wire(call.request, endpoints[route.endpoint], route, stream=call.stream)[1]
    ]
    return list(dict.fromkeys(notes))


def _nearer(call: Call, endpoints: Mapping[str, Endpoint]) -> list[str]:
    """The first model straight from its maker, where it could be asked and is not asked next."""
    route = nearest_route(call.plan.routes, endpoints)
    if route is None or objection(call.request, endpoints[route.endpoint], route) is not None:
        return []
    nearest = f"{route} would be nearest to your first choice, and its key is set"
    return [f"{nearest}: make it the first of the fallbacks."]
