"""One call on its way: carries out what routing decides. The only loop, the only sleep."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol
from weakref import WeakSet

from pydantic import SecretStr

from openrouter_resilient._version import __version__
from openrouter_resilient.endpoints.forms import dialect_of, form_of
from openrouter_resilient.endpoints.table import Endpoint
from openrouter_resilient.errors import ResilientError
from openrouter_resilient.forking import renew_in_forked_child
from openrouter_resilient.observers import Observers, tell_what_waits
from openrouter_resilient.routing.breaker import BreakerBoard, RetryBudget
from openrouter_resilient.routing.faults import Broken, Fault
from openrouter_resilient.routing.plan import Plan
from openrouter_resilient.routing.shared import SharedHealth, Word
from openrouter_resilient.routing.step import (
    Attempt,
    History,
    Outcome,
    Reported,
    Stop,
    Wait,
    next_step,
)
from openrouter_resilient.served import Begun, Served, make_served
from openrouter_resilient.shapes import Completion, Delta, Request, finish_shapes
from openrouter_resilient.telling import error_for, log_fault, log_served
from openrouter_resilient.wire.clock import Clock
from openrouter_resilient.wire.exchange import Exchange, Reply
from openrouter_resilient.wire.masking import masked
from openrouter_resilient.wire.transport import Transport

Answer = tuple[Exchange, list[Delta]]
ENCODER = json.JSONEncoder(allow_nan=False)  # `json.dumps` would make one for each call


class Meter(Protocol):
    """What counts the money that calls cost, and may forbid the next request."""

    def check(self, history: History) -> None:
        """Before a request is sent: raise to forbid it."""

    def add(self, cost: float | None) -> None:
        """After it: what it cost as reported, None if nobody said."""


@dataclass(frozen=True)
class Spoken:
    """An attempt whose first token has come, made elsewhere.

    Attributes:
        exchange: of the attempt.
        ready: what has come of it.
        started_at: the instant at which it was sent.
    """

    exchange: Exchange
    ready: list[Delta] = field(repr=False)
    started_at: float


class Race(Protocol):
    """Makes an attempt, and others beside it, until one of them speaks."""

    def __call__(
        self, carrier: Carrier, call: Call, attempt: Attempt, *, drain: bool
    ) -> Answer | None:
        """Make them and record what they ended in; None if all that spoke are faults."""


@dataclass
class Call:
    """One call: what was asked, and what has come of it so far.

    Attributes:
        meters: what counts its cost.
        race: what makes its attempts; None for one after the other.
        sending: the request of the latest attempt may have left.
        cut_short: the attempts that were under way when Ctrl-C came.
        told: whoever keeps a record has been told how it ended.
    """

    request: Request
    plan: Plan
    stream: bool
    started_at: float
    history: tuple[Outcome, ...] = ()
    warnings: tuple[str, ...] = ()
    meters: tuple[Meter, ...] = ()
    race: Race | None = None
    sending: bool = False
    cut_short: tuple[Begun, ...] = ()
    told: bool = False


class Carrier:
    """Carries calls out. What they share (breakers, retry budget, connections) is here."""

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        *,
        transport: Transport,
        clock: Clock,
        jitter: Callable[[], float],
        observers: Observers | None = None,
        shared: SharedHealth | None = None,
    ) -> None:
        """Take what calls need of the world.

        Args:
            endpoints, transport, clock, jitter: those of the client.
            shared: what other processes know and are told; None keeps this client to itself.
        """
        self.clock = clock
        self.observers = Observers() if observers is None else observers
        self.board = BreakerBoard()
        self._budget = RetryBudget()
        self._endpoints = endpoints
        self._transport = transport
        self._jitter = jitter
        self.shared = shared
        self._words: Mapping[str, Word] = {}
        self._headers = {name: _headers(row) for name, row in endpoints.items()}
        self._keys = tuple(filter(None, map(_bare_key, endpoints.values())))
        _CARRIERS.add(self)
        renew_in_forked_child(self)

    def apart(self) -> Carrier:
        """One over the same connections that knows nothing yet and tells nobody: for a check."""
        return Carrier(
            self._endpoints, transport=self._transport, clock=self.clock, jitter=self._jitter
        )

    def run(self, call: Call, *, drain: bool) -> Answer:
        """Go on until an attempt counts: all of a whole answer, the first token of a stream."""
        tell_what_waits()
        self._budget.pay_in()
        while True:
            self.listen()
            now = self.clock.now()
            health = {route: self.board.health(route, now) for route in call.plan.routes}
            may_retry = self._budget.may_take(now)
            step = next_step(call.plan, call.history, health.__getitem__, now, may_retry=may_retry)
            if isinstance(step, Stop):
                raise error_for(step, call.plan, call.history)
            if isinstance(step, Wait):
                self.clock.sleep_until(step.until)
                continue
            for meter in call.meters:
                meter.check(call.history)
            if self._begin(step.attempt, now):
                make = call.race or Carrier._attempt
                answer = make(self, call, step.attempt, drain=drain)
                if answer is not None:
                    return answer

    def listen(self) -> None:
        """Let the breakers learn what other processes say, if there is anything new."""
        if self.shared is not None and (words := self.shared.words()) is not self._words:
            self._words = words
            self.board.hear(words, self.clock.now())

    def _begin(self, attempt: Attempt, now: float) -> bool:
        """Take what the attempt needs; False if another call was faster: look again."""
        if not self.board.begin(attempt, now):
            return False
        if attempt.trial and self.shared and not self.shared.grants(attempt.route.endpoint):
            self.board.hold(attempt, self.clock.now())
            return False
        if attempt.charged and not self._budget.take(now):
            self._abandon(attempt)
            return False
        return True

    def _abandon(self, attempt: Attempt) -> None:
        """Give back what an attempt took that came to nothing."""
        self.board.abandon(attempt)
        if attempt.trial and self.shared:
            self.shared.tell(attempt.route.endpoint, None)

    def _attempt(
        self, call: Call, attempt: Attempt, *, drain: bool, spoken: Spoken | None = None
    ) -> Answer | None:
        """Make one attempt, or go on with one, and record how it ended; None if in a fault."""
        started_at = spoken.started_at if spoken else self.clock.now()
        exchange = spoken.exchange if spoken else None
        call.sending = False
        try:
            if exchange is None:
                exchange = self._open(call, attempt)
                exchange.begin()
            ready = self._receive(exchange, spoken.ready if spoken else [], drain=drain)
        except Broken as broken:
            if exchange is not None:
                exchange.close()
            self._record(call, attempt, exchange, started_at, masked(broken.fault, self._keys))
            return None
        except BaseException as error:  # Ctrl-C above all: leave nothing behind, let it through
            self._abandon(attempt)
            if exchange is not None or (call.sending and not isinstance(error, ResilientError)):
                # Else it was not sent: it cannot be written, or the set-up lacks something.
                call.cut_short = (self._begun(attempt, exchange, started_at),)
            if exchange is not None:
                exchange.close()
            raise
        self._record(call, attempt, exchange, started_at, None, ended=drain)
        if drain:
            exchange.close()
        else:
            exchange.commit(call.plan.limits.stall)
        return exchange, ready

    def _open(self, call: Call, attempt: Attempt) -> Exchange:
        """Send the request, in its endpoint's dialect."""
        request, route = call.request, attempt.route
        endpoint = self._endpoints[route.endpoint]
        form = form_of(request, endpoint)
        body, call.warnings = form.write(request, route, endpoint.dialect, stream=call.stream)
        data = _encoded(body)
        call.sending = True
        reply = self._transport.post(
            f"{endpoint.base_url}{form.path}",
            self._headers[endpoint.name],
            data,
            until=min(attempt.first_token_by, call.plan.deadline.at),
        )
        reader, asked = form.read(request, route), body.get("n")
        choices = asked if isinstance(asked, int) else 1
        return Exchange(reply, attempt, call.plan.deadline, self.clock, reader, choices)

    def _receive(self, exchange: Exchange, ready: list[Delta], *, drain: bool) -> list[Delta]:
        """Read on, until as much is there as must be good before the attempt counts."""
        if drain:
            exchange.drain()
            return []
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
        begun = self._begun(attempt, exchange, started_at)
        outcome = Outcome(
            attempt, fault, started_at, self.clock.now(), self._jitter(), begun.reported
        )
        call.history = (*call.history, outcome)
        if ended or attempt.trial:
            self._learn(outcome)
        if ended:
            self._count(call, outcome)
        log_fault(outcome)

    def _begun(self, attempt: Attempt, exchange: Exchange | None, started_at: float) -> Begun:
        """An attempt with what its reply has said of itself so far."""
        reported = masked(exchange.reported(), self._keys) if exchange else Reported()
        return Begun(attempt, started_at, reported)

    def _count(self, call: Call, outcome: Outcome) -> None:
        for meter in call.meters:
            meter.add(outcome.reported.cost)

    def answered(self, call: Call, completion: Completion) -> Served:
        """What the call has to say of itself, told to whoever keeps a record of it."""
        served = self._served(call)
        self.observers.tell_answer(call, served, completion, self.clock)
        return served

    def _learn(self, outcome: Outcome) -> None:
        """Let the breakers learn from an outcome, and tell others if one opened or closed."""
        turn, attempt = self.board.record(outcome), outcome.attempt
        if self.shared and (turn or attempt.trial):
            self.shared.tell(attempt.route.endpoint, turn)

    def get(self, url: str, headers: Mapping[str, str], *, until: float) -> Reply:
        """Ask for a page beside the calls."""
        return self._transport.get(url, headers, until=until)

    def _served(self, call: Call) -> Served:
        return make_served(
            call.plan,
            call.history,
            started_at=call.started_at,
            now=self.clock.now(),
            warnings=call.warnings,
            replayed=getattr(self._transport, "replayed", False),
        )

    def stream_ended(
        self, call: Call, exchange: Exchange, fault: Fault | None
    ) -> tuple[Served, Fault | None]:
        """Put the end of a stream in the place of its beginning, and say who served it.

        Returns:
            The record, and the fault without any key.
        """
        exchange.close()
        begun = call.history[-1]
        outcome = replace(
            begun,
            fault=masked(fault, self._keys) if fault else None,
            ended_at=self.clock.now(),
            reported=masked(exchange.reported(), self._keys),
        )
        call.history = (*call.history[:-1], outcome)
        self._learn(outcome)
        self._count(call, outcome)
        log_fault(outcome)
        served = self._served(call)
        if fault is None:
            log_served(served)
        self.observers.tell_stream(call, served, exchange, self.clock, broken=fault is not None)
        return served, outcome.fault

    def stream_dropped(self, call: Call, exchange: Exchange) -> None:
        """Keep the record of a stream that nobody closed. Takes no lock: it is the collector's."""
        begun = call.history[-1]
        reported = masked(exchange.reported(), self._keys)
        outcome = replace(begun, ended_at=self.clock.now(), reported=reported)
        call.history = (*call.history[:-1], outcome)
        self.observers.tell_stream(call, self._served(call), exchange, self.clock, later=True)

    def close(self) -> None:
        """Close every connection."""
        tell_what_waits()
        self._transport.close()
        if self.shared:
            self.shared.close()

    def begin_anew(self) -> None:
        """In a forked child: no lock and no socket of the parent's is of any use."""
        self.board.renew_lock()
        self._budget.renew_lock()
        self._transport.renew()


def _encoded(body: Mapping[str, object]) -> bytes:
    try:
        return ENCODER.encode(body).encode()
    except RecursionError as error:
        raise ValueError("the request is nested too deeply to be written; not sent") from error


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
    signed = {**headers, **dialect.sign(key)} if key else headers
    once = {name.lower(): (name, value) for name, value in signed.items()}  # the last one counts
    return dict(once.values())


def _bare_key(endpoint: Endpoint) -> str | None:
    return endpoint.key.get_secret_value() if isinstance(endpoint.key, SecretStr) else None


_CARRIERS: WeakSet[Carrier] = WeakSet()


def _before_fork() -> None:
    """Make and load now what a first answer needs: a child would wait for another thread's lock."""
    if _CARRIERS:
        from openrouter_resilient.wire import channel  # noqa: F401, PLC0415  and requests with it

        finish_shapes()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(before=_before_fork)
