"""One round of probes: each route is asked one tiny real prompt, and judged by its answer.

Decides nothing about alerts and prints nothing. A probe's client shares nothing, so that what
others say cannot colour what is seen.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from openrouter_resilient.errors import ResilientError
from openrouter_resilient.health.parallel import in_parallel
from openrouter_resilient.health.sharing import HOST
from openrouter_resilient.health.word import (
    DOWN,
    UP,
    Said,
    is_about_the_key,
    mark_of,
    place_of,
)
from openrouter_resilient.routing.breaker import LONGEST_COOLDOWN_S
from openrouter_resilient.routing.faults import Fault, Scope
from openrouter_resilient.routing.step import Outcome
from openrouter_resilient.wire.clock import monotonic

if TYPE_CHECKING:
    from openrouter_resilient.client import Client
    from openrouter_resilient.endpoints.table import Endpoint
    from openrouter_resilient.routing.plan import Route

PROMPT = "Say OK."
MOST_TOKENS = 16  # the fewest that every API takes
TTL_ROUNDS = 2.5  # a word outlives two rounds that did not come, and then nobody knows


@dataclass(frozen=True)
class Probed:
    """What came of one probe.

    Attributes:
        route, endpoint: who was asked.
        up: whether an answer came.
        endpoint_up: whether the endpoint serves, though this route may not: it said no to a model,
            or passed on that a provider behind it is down.
        fault: the kind of fault; None for an answer.
        why: what the fault means, in our words; a server's own could hold anything.
        latency: seconds to the first token; None if none came.
        seconds: how long it took.
        cost: in USD, as reported; None if nobody said.
        tokens: as reported; None if nobody said.
        of_the_key: the fault may be this key's alone.
    """

    route: str
    endpoint: str
    up: bool
    endpoint_up: bool
    fault: str | None
    why: str
    latency: float | None
    seconds: float
    cost: float | None
    tokens: int | None
    of_the_key: bool = False

    def __str__(self) -> str:
        """Say it in one line."""
        if not self.up:
            return f"{self.route} is down: {self.fault}, {self.why} ({self.seconds:.1f} s)"
        cost = "no price said" if self.cost is None else f"${self.cost:.6f}"
        return f"{self.route} answered in {self.seconds:.1f} s ({cost})"


def probe(client: Client, *, seconds: float) -> tuple[Probed, ...]:
    """Ask every route of a client's plan, side by side, each within so many seconds.

    Args:
        client: one that shares nothing (`redis_url=""`).
        seconds: for each.
    """
    ask = partial(probe_route, client, seconds=seconds)
    return tuple(in_parallel([partial(ask, route) for route in client.routes]))


def probe_route(client: Client, route: Route, *, seconds: float) -> Probed:
    """Ask one route, and nobody else."""
    name, endpoint = str(route), route.endpoint
    models = [f"{endpoint}:{model}" for model in route.models]
    began = monotonic()
    fault: Fault | None = None
    cost = tokens = None
    try:
        served = client.complete(
            PROMPT, models=models, fallbacks=(), deadline=seconds, max_tokens=MOST_TOKENS
        ).served
        usage = served.usage or {}
        cost, tokens = served.cost, usage.get("total_tokens")
    except ResilientError as error:
        last = _last(client, route)
        fault = last.fault if last is not None else None
        if fault is None:  # nothing was sent: what the set-up lacks is in the message
            return Probed(
                name, endpoint, up=False, endpoint_up=True, fault="not_asked", why=str(error),
                latency=None, seconds=monotonic() - began, cost=None, tokens=None,
            )  # fmt: skip
    last = _last(client, route)
    first = last.reported.first_token_at if last else None
    return Probed(
        route=name,
        endpoint=endpoint,
        up=fault is None,
        endpoint_up=fault is None or fault.relayed or fault.scope in (Scope.REQUEST, Scope.MODEL),
        fault=fault.kind.value if fault else None,
        why=fault.row.why if fault else "",
        latency=first - last.started_at if last and first is not None else None,
        seconds=monotonic() - began,
        cost=cost,
        tokens=tokens if isinstance(tokens, int) else None,
        of_the_key=fault is not None and is_about_the_key(fault.kind),
    )


def words_of(
    round_: Sequence[Probed],
    endpoints: Mapping[str, Endpoint],
    before: Mapping[str, Said],
    *,
    wall: float,
    every: float,
) -> dict[str, Said]:
    """What a round has to say of each endpoint: it serves if any of its routes shows that.

    Args:
        round_: what came of the probes.
        endpoints: of the client that probed.
        before: what was said of them before, so that `since` stays true.
        wall: the time of day.
        every: seconds between two rounds.
    """
    words = {}
    for name in dict.fromkeys(probed.endpoint for probed in round_):
        rows = [probed for probed in round_ if probed.endpoint == name]
        up = any(probed.endpoint_up for probed in rows)
        faulty = next((probed for probed in rows if probed.fault), None)
        state, old = UP if up else DOWN, before.get(name)
        row = endpoints[name]
        about_the_key = not up and all(probed.of_the_key for probed in rows)
        words[name] = Said(
            state=state,
            since=old.since if old is not None and old.state == state else wall,
            checked_at=wall,
            ttl=every * TTL_ROUNDS,
            by=f"probe {HOST}:{os.getpid()}",
            latency=min((p.latency for p in rows if p.latency is not None), default=None),
            fault=None if up or faulty is None else faulty.fault,
            reopens_in=0.0 if up else LONGEST_COOLDOWN_S,
            place=place_of(row),
            account=mark_of(row) if about_the_key else None,
        )
    return words


def bill(round_: Sequence[Probed]) -> str:
    """What a round cost, as far as anybody said."""
    said = [probed.cost for probed in round_ if probed.cost is not None]
    unsaid = [probed for probed in round_ if probed.up and probed.cost is None]
    parts = [f"{len(said)} probes cost ${sum(said):.6f}"] if said else []
    if unsaid:
        tokens = sum(probed.tokens or 0 for probed in unsaid)
        parts.append(f"{len(unsaid)} of {tokens} tokens in all said no price")
    return "; ".join(parts) or "nobody answered, and nobody said a price"


def _last(client: Client, route: Route) -> Outcome | None:
    return client._carrier.board.last(route)  # noqa: SLF001  one package
