"""A second route beside one that is silent: the first to speak wins, the other is hung up on.

Where a second route is worth asking, each attempt runs in a thread of its own up to its first
token, from the beginning: the caller's thread must notice the time, and go on with whoever has
spoken, whatever an attempt is stuck in. Asking first in the caller's thread would save 0.3 ms a
call, and make the winner wait for the loser wherever shutting a socket down does not wake a thread
that connects, shakes hands or sends on it, which no standard promises. A call without
`hedge_after`, or with nobody to turn to, makes no thread.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from queue import Empty, SimpleQueue

from openrouter_resilient.call import Answer, Call, Carrier, Spoken
from openrouter_resilient.errors import ResilientError
from openrouter_resilient.routing.faults import Broken, Fault, Kind, Scope
from openrouter_resilient.routing.hedging import hedge_at, hedge_for
from openrouter_resilient.routing.step import Attempt
from openrouter_resilient.served import Begun
from openrouter_resilient.shapes import Delta
from openrouter_resilient.wire.exchange import Exchange
from openrouter_resilient.wire.line import Line
from openrouter_resilient.wire.masking import masked
from openrouter_resilient.wire.sockets import LIMIT

GRACE_S = 0.05  # what a lane may take to say that its limit has passed


def race(carrier: Carrier, call: Call, attempt: Attempt, *, drain: bool) -> Answer | None:
    """Make an attempt, and another beside it when `hedge_after` has passed without a token.

    Args:
        carrier: whose call it is.
        call: the call; every attempt is added to its history.
        attempt: what routing decided to send.
        drain: whether the whole answer is wanted before it counts.

    Returns:
        The answer of the first to speak; None if all that were asked failed.
    """
    the_race = _Race(carrier, call, drain=drain)
    now = carrier.clock.now()
    if hedge_at(call.plan, attempt, now) is None or the_race.beside(attempt, now) is None:
        return carrier._attempt(call, attempt, drain=drain)
    return the_race.run(attempt)


class _Lane:
    """One attempt, up to its first token, in a thread of its own."""

    def __init__(
        self, carrier: Carrier, call: Call, attempt: Attempt, bell: SimpleQueue[_Lane]
    ) -> None:
        self.attempt = attempt
        self.call = replace(call)  # what is left out on the way to this endpoint is noted in it
        self.started_at = carrier.clock.now()
        self.exchange: Exchange | None = None
        self.ready: list[Delta] = []
        self.fault: Fault | None = None
        self.error: BaseException | None = None
        self._carrier = carrier
        self._bell = bell
        self._line = Line(LIMIT.line)  # whoever hangs up on the caller hangs up on this, too
        self._lock = threading.Lock()
        self._over = self._unwanted = False
        threading.Thread(target=self._run, name="openrouter-hedge", daemon=True).start()

    def hang_up(self) -> None:
        """Nobody wants it any more: close its connection, now."""
        with self._lock:
            self._unwanted, over = True, self._over
        self._line.hang_up()
        if over:
            self.close()

    def close(self) -> None:
        if self.exchange is not None:
            self.exchange.close()

    def may_be_sent(self) -> bool:
        """Whether the request may have left; not if it holds what cannot be written."""
        return self.exchange is not None or not isinstance(self.error, Exception)

    def _run(self) -> None:
        LIMIT.line = self._line
        try:
            self._speak()
        except Broken as broken:
            self.fault = broken.fault
        except BaseException as error:  # noqa: BLE001  raised where the caller waits
            self.error = error
        LIMIT.line = None
        with self._lock:
            self._over, unwanted = True, self._unwanted
        if unwanted:
            self.close()
        else:
            self._bell.put(self)

    def _speak(self) -> None:
        self.exchange = self._carrier._open(self.call, self.attempt)
        self.exchange.begin()
        self.ready = self._carrier._receive(self.exchange, [], drain=False)


class _Race:
    """The lanes of one attempt and of the one beside it, watched by the caller's thread."""

    def __init__(self, carrier: Carrier, call: Call, *, drain: bool) -> None:
        self._carrier = carrier
        self._call = call
        self._drain = drain
        self._bell: SimpleQueue[_Lane] = SimpleQueue()
        self._flying: list[_Lane] = []
        self._hedge_at: float | None = None

    def run(self, attempt: Attempt) -> Answer | None:
        try:
            first = self._start(attempt)
        except RuntimeError:  # the process may have no more threads: one route is better than none
            return self._carrier._attempt(self._call, attempt, drain=self._drain)
        self._hedge_at = hedge_at(self._call.plan, attempt, first.started_at)
        try:
            return self._watch()
        except BaseException:  # Ctrl-C above all: leave nothing behind, and let it through
            for lane in self._flying:
                self._carrier._abandon(lane.attempt)
                lane.hang_up()
            sent = [lane for lane in self._flying if lane.may_be_sent()]
            self._call.cut_short += tuple(map(self._cut_off, sent))  # beside a winner's own
            raise

    def _watch(self) -> Answer | None:
        while self._flying:
            lane = self._next_to_report()
            if lane is not None and self._ends_it(lane):
                return self._settled(lane)
        return None

    def beside(self, attempt: Attempt, now: float) -> Attempt | None:
        """What would be asked beside this attempt now."""
        carrier, call = self._carrier, self._call
        health = {route: carrier.board.health(route, now) for route in call.plan.routes}
        may_retry = carrier._budget.may_take(now)
        return hedge_for(
            call.plan, call.history, attempt, health.__getitem__, now, may_retry=may_retry
        )

    def _start(self, attempt: Attempt) -> _Lane:
        lane = _Lane(self._carrier, self._call, attempt, self._bell)
        self._flying.append(lane)
        return lane

    def _next_to_report(self) -> _Lane | None:
        """A lane that has spoken or failed; None if something was done about the time instead."""
        late_at = max(lane.attempt.first_token_by for lane in self._flying) + GRACE_S
        until = late_at if self._hedge_at is None else min(late_at, self._hedge_at)
        now = self._carrier.clock.now()
        try:
            lane = self._bell.get(timeout=max(0.0, until - now))
        except Empty:
            if self._carrier.clock.now() >= late_at:
                self._end_all(Fault(Kind.SILENT))
            else:
                self._hedge()
            return None
        if lane.error is not None:
            raise lane.error
        self._flying.remove(lane)
        return lane

    def _hedge(self) -> None:
        """Ask another route beside the one that says nothing, if there is one worth it."""
        self._hedge_at = None
        now = self._carrier.clock.now()
        attempt = self.beside(self._flying[0].attempt, now)
        if attempt is not None and self._may_spend() and self._carrier._begin(attempt, now):
            with suppress(RuntimeError):  # as in `run`; the first goes on alone
                self._start(attempt)

    def _may_spend(self) -> bool:
        try:
            for meter in self._call.meters:
                meter.check(self._call.history)
        except ResilientError:
            return False
        return True

    def _ends_it(self, lane: _Lane) -> bool:
        """Whether this decides the race; a fault of the endpoint leaves it to the other lane."""
        if lane.fault is None or lane.fault.scope is Scope.REQUEST:
            return True
        self._record(lane, lane.fault)
        lane.close()
        return False

    def _settled(self, lane: _Lane) -> Answer | None:
        """Hang up on all others, and go on with this one where it stands."""
        self._end_all(Fault(Kind.ABANDONED))
        self._call.warnings = lane.call.warnings
        if lane.fault is not None:
            self._record(lane, lane.fault)
            lane.close()
            return None
        assert lane.exchange is not None  # noqa: S101  it has spoken
        spoken = Spoken(lane.exchange, lane.ready, lane.started_at)
        return self._carrier._attempt(self._call, lane.attempt, drain=self._drain, spoken=spoken)

    def _end_all(self, fault: Fault) -> None:
        while self._flying:
            lane = self._flying.pop()
            lane.hang_up()
            self._record(lane, fault)

    def _cut_off(self, lane: _Lane) -> Begun:
        return self._carrier._begun(lane.attempt, lane.exchange, lane.started_at)

    def _record(self, lane: _Lane, fault: Fault) -> None:
        fault = masked(fault, self._carrier._keys)
        self._carrier._record(self._call, lane.attempt, lane.exchange, lane.started_at, fault)
