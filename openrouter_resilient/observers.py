"""Who is told of each finished call, and what. Whatever they do, the call goes on."""

from __future__ import annotations

import atexit
import json
import logging
import os
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from openrouter_resilient.record import (
    CallKind,
    CallRecord,
    Circumstances,
    Ended,
    Texts,
    record_of_error,
    record_of_served,
)
from openrouter_resilient.routing.faults import Broken
from openrouter_resilient.served import Served, make_cancelled, make_records
from openrouter_resilient.wire.clock import Clock

if TYPE_CHECKING:
    from openrouter_resilient.call import Call
    from openrouter_resilient.shapes import Completion
    from openrouter_resilient.wire.exchange import Exchange

LOG = logging.getLogger("openrouter_resilient")
Observer = Callable[[CallRecord], object]


class Observers:
    """The observers of one client, told in their order, in the thread of the call."""

    def __init__(self, observers: Sequence[Observer] = (), *, keep_text: bool = False) -> None:
        """Take them.

        Args:
            observers: called with the record of each finished call.
            keep_text: records carry prompts, answers and servers' words.
        """
        self._observers = tuple(observers)
        self._keep_text = keep_text
        self._complained = False

    def tell(self, record: CallRecord) -> None:
        """Tell everybody; one that raises is complained of once, and the others are told."""
        for observer in self._observers:
            try:
                observer(record)
            except Exception as error:  # noqa: BLE001, PERF203  the border to other people's code
                self._complain(error)

    def tell_answer(self, call: Call, served: Served, completion: Completion, clock: Clock) -> None:
        """Tell of a call whose answer is whole."""
        if self._observers:
            around = self._around(call, served.seconds, clock, lambda: completion.text)
            self.tell(record_of_served(served, "complete", "answered", around))

    def tell_stream(
        self,
        call: Call,
        served: Served,
        exchange: Exchange,
        clock: Clock,
        *,
        broken: bool = False,
        later: bool = False,
    ) -> None:
        """Tell of a stream that has ended, or will never be read to its end."""
        if not self._observers:
            return
        ended: Ended = "interrupted" if broken else "answered" if exchange.done else "left"
        around = self._around(call, served.seconds, clock, lambda: _text_of(exchange))
        record = record_of_served(served, "stream", ended, around)
        if later:
            _LATER.append((self, record))
        else:
            self.tell(record)

    def tell_error(self, call: Call, error: BaseException, clock: Clock, *, stream: bool) -> None:
        """Tell of a call that nobody answered."""
        if not self._observers:
            return
        now = clock.now()
        attempts = make_records(call.history, call.started_at)
        attempts += tuple(make_cancelled(cut, call.started_at, now) for cut in call.cut_short)
        attempts = tuple(sorted(attempts, key=lambda attempt: attempt.number))
        seconds = now - call.started_at
        around = self._around(call, seconds, clock, lambda: None)
        requested = call.plan.routes[0].models[0]
        kind: CallKind = "stream" if stream else "complete"
        self.tell(record_of_error(error, attempts, kind, requested, seconds, around))

    def _around(
        self, call: Call, seconds: float, clock: Clock, answer: Callable[[], str | None]
    ) -> Circumstances:
        texts = None
        if self._keep_text:
            prompt = json.dumps(call.request.messages, ensure_ascii=False, default=str)
            texts = Texts(prompt, answer())
        return Circumstances(clock.wall() - seconds, call.plan.deadline.seconds, texts)

    def _complain(self, error: Exception) -> None:
        if self._complained:
            return
        self._complained = True
        LOG.warning(
            "an observer of calls raised %s; calls go on, and its further errors are not reported",
            type(error).__name__,
        )


def tell_what_waits() -> None:
    """Tell of the streams that were garbage collected since."""
    while _LATER:
        try:
            observers, record = _LATER.popleft()
        except IndexError:  # another thread took the last one
            return
        observers.tell(record)


def _text_of(exchange: Exchange) -> str | None:
    try:
        return exchange.so_far().text
    except Broken:  # what came is of the wrong type, and no text
        return None


# A stream may be collected in the middle of anything, also while this very thread holds an
# observer's lock; so its record waits here for the next call, or for the end of the process.
_LATER: deque[tuple[Observers, CallRecord]] = deque()
atexit.register(tell_what_waits)
if hasattr(os, "register_at_fork"):  # what the parent has to tell, the parent tells
    os.register_at_fork(after_in_child=_LATER.clear)
