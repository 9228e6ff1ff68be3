"""One call on its way: carries out what routing decides. The only loop, the only sleep."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from weakref import WeakSet

from pydantic import SecretStr

from openrouter_resilient._version import __version__
from openrouter_resilient.endpoints.forms import dialect_of, form_of, to_wire
from openrouter_resilient.endpoints.table import Endpoint
from openrouter_resilient.routing.breaker import BreakerBoard, RetryBudget
from openrouter_resilient.routing.faults import Broken, Fault
from openrouter_resilient.routing.plan import Plan
from openrouter_resilient.routing.step import Attempt, Outcome, Reported, Stop, Wait, next_step
from openrouter_resilient.served import Served, make_served
from openrouter_resilient.shapes import Completion, Delta, Request
from openrouter_resilient.telling import error_for, log_fault, log_served
from openrouter_resilient.wire.clock import Clock
from openrouter_resilient.wire.exchange import Exchange, Reply
from openrouter_resilient.wire.masking import masked
from openrouter_resilient.wire.transport import Transport


@dataclass
class Call:
    """One call: what was asked, and what has come of it so far."""

    request: Request
    plan: Plan
    stream: bool
    started_at: float
    history: tuple[Outcome, ...] = ()
    warnings: tuple[str, ...] = ()


class Carrier:
    """Carries calls out. What they share (breakers, retry budget, connections) is here."""

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        *,
        transport: Transport,
        clock: Clock,
        jitter: Callable[[], float],
    ) -> None:
        """Take what calls need of the world."""
        self.clock = clock
        self.board = BreakerBoard()
        self._budget = RetryBudget()
        self._endpoints = endpoints
        self._transport = transport
        self._jitter = jitter
        self._headers = {name: _headers(row) for name, row in endpoints.items()}
        self._keys = tuple(filter(None, map(_bare_key, endpoints.values())))
        _CARRIERS.add(self)

    def run(self, call: Call, *, drain: bool) -> tuple[Exchange, list[Delta]]:
        """Go on until an attempt counts: all of a whole answer, the first token of a stream."""
        self._budget.pay_in()
        while True:
            now = self.clock.now()
            health = {route: self.board.health(route, now) for route in call.plan.routes}
            may_retry = self._budget.may_take(now)
            step = next_step(call.plan, call.history, health.__getitem__, now, may_retry=may_retry)
            if isinstance(step, Stop):
                raise error_for(step, call.plan, call.history)
            if isinstance(step, Wait):
                self.clock.sleep_until(step.until)
            elif self._begin(step.attempt, now):
                answer = self._attempt(call, step.attempt, drain=drain)
                if answer is not None:
                    return answer

    def _begin(self, attempt: Attempt, now: float) -> bool:
        """Take what the attempt needs; False if another call was faster: look again."""
        if not self.board.begin(attempt, now):
            return False
        if attempt.charged and not self._budget.take(now):
            self.board.abandon(attempt)
            return False
        return True

    def _attempt(
        self, call: Call, attempt: Attempt, *, drain: bool
    ) -> tuple[Exchange, list[Delta]] | None:
        """Make one attempt and record what it ended in; None if that is a fault."""
        started_at = self.clock.now()
        exchange: Exchange | None = None
        try:
            exchange = self._open(call, attempt)
            ready = self._receive(exchange, drain=drain)
        except Broken as broken:
            if exchange is not None:
                exchange.close()
            self._record(call, attempt, exchange, started_at, masked(broken.fault, self._keys))
            return None
        except BaseException:  # Ctrl-C above all: leave nothing behind, and let it through
            self.board.abandon(attempt)
            if exchange is not None:
                exchange.close()
            raise
        self._record(call, attempt, exchange, started_at, None, ended=drain)
        if drain:
            exchange.close()
        exchange.commit(call.plan.limits.stall)
        return exchange, ready

    def _open(self, call: Call, attempt: Attempt) -> Exchange:
        """Send the request, in its endpoint's dialect."""
        endpoint = self._endpoints[attempt.route.endpoint]
        form = form_of(call.request, endpoint)
        body, call.warnings = to_wire(call.request, endpoint, attempt.route, stream=call.stream)
        reply = self._transport.post(
            f"{endpoint.base_url}{form.path}",
            self._headers[endpoint.name],
            json.dumps(body, allow_nan=False).encode(),
            until=min(attempt.first_token_by, call.plan.deadline.at),
        )
        reader = form.read(attempt.route)
        return Exchange(reply, attempt, call.plan.deadline, self.clock, reader)

    def _receive(self, exchange: Exchange, *, drain: bool) -> list[Delta]:
        """Read as much as must be good before the attempt counts."""
        exchange.begin()
        if drain:
            exchange.drain()
            return []
        ready: list[Delta] = []
        while not ready and not exchange.done:
            ready = exchange.advance()
        if exchange.done:
            exchange.completion()  # an answer of tool calls or of nothing has its end at once
        return ready

    def _record(
        self,
        call: Call,
        attempt: Attempt,
        exchange: Exchange | None,
        started_at: float,
        fault: Fault | None,
        *,
        ended: bool = True,
    ) -> None:
        """Add an outcome to the history, and let the breakers learn from it.

        A stream that has only begun proves a trial, and nothing else before it has `ended`.
        """
        outcome = Outcome(
            attempt,
            fault,
            started_at,
            self.clock.now(),
            self._jitter(),
            masked(exchange.reported(), self._keys) if exchange else Reported(),
        )
        call.history = (*call.history, outcome)
        if ended or attempt.trial:
            self.board.record(outcome)
        log_fault(outcome)

    def get(self, url: str, headers: Mapping[str, str], *, until: float) -> Reply:
        """Ask for a page beside the calls."""
        return self._transport.get(url, headers, until=until)

    def served(self, call: Call) -> Served:
        """What the call has to say of itself, now that it is over."""
        return make_served(
            call.plan,
            call.history,
            started_at=call.started_at,
            now=self.clock.now(),
            warnings=call.warnings,
        )

    def stream_ended(self, call: Call, exchange: Exchange, fault: Fault | None) -> Served:
        """Put the end of a stream in the place of its beginning, and say who served it."""
        exchange.close()
        begun = call.history[-1]
        outcome = replace(
            begun,
            fault=masked(fault, self._keys) if fault else None,
            ended_at=self.clock.now(),
            reported=masked(exchange.reported(), self._keys),
        )
        call.history = (*call.history[:-1], outcome)
        self.board.record(outcome)
        log_fault(outcome)
        served = self.served(call)
        if fault is None:
            log_served(served)
        return served

    def close(self) -> None:
        """Close every connection."""
        self._transport.close()

    def begin_anew(self) -> None:
        """In a forked child: no lock and no socket of the parent's is of any use."""
        self.board.renew_lock()
        self._budget.renew_lock()
        self._transport.renew()


def _headers(endpoint: Endpoint) -> dict[str, str]:
    """What goes with every request; the key goes to this endpoint's URL and nowhere else."""
    dialect = dialect_of(endpoint)
    headers = {
        "Content-Type": "application/json",
        "Accept": "text/event-stream, application/json",
        "Accept-Encoding": "identity",  # compressing a stream only holds its tokens back
        "User-Agent": f"openrouter_resilient/{__version__}",
        **dialect.headers,
        **endpoint.headers,
    }
    key = _bare_key(endpoint)
    return {**headers, **dialect.sign(key)} if key else headers


def _bare_key(endpoint: Endpoint) -> str | None:
    return endpoint.key.get_secret_value() if isinstance(endpoint.key, SecretStr) else None


_CARRIERS: WeakSet[Carrier] = WeakSet()


def _before_fork() -> None:
    """Let no other thread be building the shape of an answer: the child would wait for its lock."""
    if _CARRIERS:
        Completion.model_rebuild()


def _after_fork() -> None:
    for carrier in _CARRIERS:
        carrier.begin_anew()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork)
