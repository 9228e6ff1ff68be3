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
from openrouter_resilient.routing.breaker import LONGEST_COOLDOWN_S, shows_it_up
from openrouter_resilient.routing.faults import Kind
from openrouter_resilient.routing.step import History

if TYPE_CHECKING:
    from openrouter_resilient.client import Client
    from openrouter_resilient.endpoints.table import Endpoint
    from openrouter_resilient.routing.plan import Route

PROMPT = "Say OK."
FEW_TOKENS = 16  # the fewest that every API takes
# A reasoning model may answer 400 to a limit that its thoughts alone exceed ("max_tokens or model
# output limit was reached": goclaw #245, spiceai #7126). It needs about a hundred.
ROOM_TO_THINK_TOKENS = 1_000
TTL_ROUNDS = 2.5  # a word outlives two rounds that did not come, and then nobody knows


@dataclass(frozen=True)
class Probed:
    """What came of one probe.

    Attributes:
        route, endpoint: who was asked.
        up: whether an answer came.
        endpoint_up: whether the endpoint serves, though this route may not: it said no to a model,
            or passed on that a provider behind it is down.
        fault: the kind of fault; None for an answer, and where nothing was sent.
        why: what the fault means, in our words (a server's own could hold anything), or why nothing
            was sent.
        started_at: in seconds since 1970.
        seconds: how long it took.
        asked: whether anything was sent.
        latency: seconds to the first token; None if none came.
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
    started_at: float
    seconds: float
    asked: bool = True
    latency: float | None = None
    cost: float | None = None
    tokens: int | None = None
    of_the_key: bool = False

    def __str__(self) -> str:
        """Say it in one line."""
        if self.up:
            cost = "no price named" if self.cost is None else f"${self.cost:.6f}"
            return f"{self.route} answered in {self.seconds:.1f} s ({cost})"
        if not self.asked:
            return f"{self.route} was not asked: {self.why}"
        return f"{self.route} is down: {self.fault}, {self.why} ({self.seconds:.1f} s)"


def probe(client: Client, *, seconds: float) -> tuple[Probed, ...]:
    """Ask every route of a client's plan, side by side, each within so many seconds."""
    ask = partial(probe_route, client, seconds=seconds)
    return tuple(in_parallel([partial(ask, route) for route in client.routes]))


def probe_route(client: Client, route: Route, *, seconds: float) -> Probed:
    """Ask one route, and nobody else. It is no call of the user's, and recorded as none."""
    clock = client._carrier.clock  # noqa: SLF001  one package
    started_at, until = clock.wall(), clock.now() + seconds
    try:
        history = _ask(client, route, seconds, FEW_TOKENS)
        if _wants_more_tokens(history) and clock.now() < until:
            history += _ask(client, route, until - clock.now(), ROOM_TO_THINK_TOKENS)
    except ResilientError as error:  # nothing was sent: what the set-up lacks is in the message
        return Probed(
            str(route), route.endpoint, up=False, endpoint_up=False, fault=None, why=str(error),
            started_at=started_at, seconds=0.0, asked=False,
        )  # fmt: skip
    return _probed(route, history, started_at)


def _ask(client: Client, route: Route, seconds: float, most_tokens: int) -> History:
    """What came of it.

    Raises:
        ResilientError: nothing was sent.
    """
    models = [f"{route.endpoint}:{model}" for model in route.models]
    limit, wire = {"max_tokens": most_tokens}, client._wire  # noqa: SLF001  one package
    call = client._call(  # noqa: SLF001  the same
        PROMPT, None, limit, models, (), seconds, None, wire, None, None
    )
    try:
        client._carrier.apart().run(call, drain=True)  # noqa: SLF001  the same
    except ResilientError:
        if not call.history:
            raise
    return call.history


def _wants_more_tokens(history: History) -> bool:
    fault = history[-1].fault
    return fault is not None and fault.kind is Kind.INVALID_REQUEST


def _probed(route: Route, history: History, started_at: float) -> Probed:
    last = history[-1]
    fault, reported = last.fault, last.reported
    costs = [outcome.reported.cost for outcome in history if outcome.reported.cost is not None]
    tokens = (reported.usage or {}).get("total_tokens")
    first_at = reported.first_token_at
    return Probed(
        route=str(route),
        endpoint=route.endpoint,
        up=fault is None,
        endpoint_up=shows_it_up(fault),
        fault=fault.kind.value if fault else None,
        why=fault.row.why if fault else "",
        started_at=started_at,
        seconds=last.ended_at - history[0].started_at,
        latency=None if first_at is None else first_at - last.started_at,
        cost=sum(costs) if costs else None,
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
    asked = [probed for probed in round_ if probed.asked]
    for name in dict.fromkeys(probed.endpoint for probed in asked):
        rows = [probed for probed in asked if probed.endpoint == name]
        up = any(probed.endpoint_up for probed in rows)
        faulty = next((probed for probed in rows if probed.fault is not None), None)
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
    priced = [probed.cost for probed in round_ if probed.cost is not None]
    unpriced = [probed for probed in round_ if probed.up and probed.cost is None]
    parts = [f"{_counted(priced)} cost ${sum(priced):.6f}"] if priced else []
    if unpriced:
        tokens = sum(probed.tokens or 0 for probed in unpriced)
        parts.append(f"{_counted(unpriced)} of {tokens} tokens in all had no price named")
    return "; ".join(parts) or "nobody answered, and nobody named a price"


def _counted(probes: Sequence[object]) -> str:
    return "1 probe" if len(probes) == 1 else f"{len(probes)} probes"
