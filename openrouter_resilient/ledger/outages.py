"""Had you used only this one: what the record says of each endpoint and model by itself.

A call is a trial of an endpoint if it asked it; a probe is one, too. Calls in between that did not
ask it, because its breaker was open, are counted as failures only if it had failed shortly
before and failed again shortly after: they met the same outage. All else is unknown and
left out.
Goes through the record once, in the order of time; no file, no clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from openrouter_resilient.ledger.intervals import Share
from openrouter_resilient.routing.faults import FAULTS, Kind, Scope
from openrouter_resilient.served import CANCELLED, same_model

NEAR_S = 60.0  # a breaker lets a trial through after 20 s at the latest; so much and twice again
QUIET_S = 3_600.0  # two faults further apart than this are not said to be one outage
DAY_S = 86_400.0
GOOD, BAD, NEITHER = True, False, None


class Event(NamedTuple):
    """A call's attempt, or a probe, as far as it matters here.

    Attributes:
        at: seconds since 1970.
        call: tells calls apart; None for a probe.
        route: as it is written, `endpoint:model,model`.
        model: who answered, as the reply said.
        answered: whether the call as a whole was answered.
    """

    at: float
    call: int | None
    endpoint: str
    route: str | None
    model: str | None
    fault: str | None
    answered: bool = False


@dataclass(frozen=True)
class Outage:
    """Faults in a row of one endpoint, with nothing good from it in between.

    Attributes:
        began_at: of the first fault, in seconds since 1970.
        seconds: to the last fault; it lasted at least so long.
        faults: trials that failed.
        saved: calls that were answered by others meanwhile.
    """

    endpoint: str
    began_at: float
    seconds: float
    faults: int
    saved: int


@dataclass
class Alone:
    """One endpoint, or one model at an endpoint, by itself.

    Attributes:
        good, bad: trials.
        probes: of these, how many are probes.
        inferred: of the bad ones, how many are calls that did not ask it.
        days: good and bad trials by day (days since 1970).
    """

    good: int = 0
    bad: int = 0
    probes: int = 0
    inferred: int = 0
    days: dict[int, list[int]] = field(default_factory=dict)
    _bad_at: float | None = field(default=None, compare=False)
    _bad_after: int = field(default=0, compare=False)  # so many calls

    @property
    def share(self) -> Share:
        """How often it would have answered."""
        return Share(self.good, self.good + self.bad)

    def tried(self, at: float, calls: tuple[int, int], *, good: bool) -> None:
        """Count a trial.

        Args:
            at: seconds since 1970.
            calls: how many calls there were before it, and with it; a probe is none.
            good: what came of it.
        """
        before, after = calls
        day = int(at // DAY_S)
        self.count(day, 1, good=good)
        self.probes += before == after
        if good:
            self._bad_at = None
            return
        if self._bad_at is not None and at - self._bad_at <= NEAR_S:
            skipped = before - self._bad_after
            self.count(day, skipped, good=False)
            self.inferred += skipped
        self._bad_at, self._bad_after = at, after

    def count(self, day: int, times: int, *, good: bool) -> None:
        """Count trials of one day."""
        if not times:
            return
        self.days.setdefault(day, [0, 0])[0 if good else 1] += times
        if good:
            self.good += times
        else:
            self.bad += times


@dataclass
class _Run:
    began_at: float
    last_at: float
    faults: int = 0
    saved: int = 0
    pending: int = 0  # answered calls since the last fault, which may turn out to lie within


class History:
    """What the events add up to."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.endpoints: dict[str, Alone] = {}
        self.models: dict[tuple[str, str], Alone] = {}
        self.outages: list[Outage] = []
        self._runs: dict[str, _Run] = {}
        self._calls = 0

    def read(self, events: Iterable[Event]) -> History:
        """Go through events in the order of time; those of one call follow each other."""
        together: list[Event] = []
        for event in events:
            if together and (event.call is None or event.call != together[0].call):
                self._take(together)
                together = []
            together.append(event)
        if together:
            self._take(together)
        for endpoint in list(self._runs):
            self._end(endpoint)
        return self

    def count_plain(self, day: int, event: Event, count: int) -> None:
        """Count good trials of one day, far from all trouble, all at once.

        Args:
            day: counted from 1970.
            event: what they have in common; its `call` is None if they are probes.
            count: how many they are.
        """
        alone = [(self.endpoints.setdefault(event.endpoint, Alone()), True)]
        for name, good in _models(event):
            alone.append((self.models.setdefault((event.endpoint, name), Alone()), good))
        for one, good in alone:
            one.count(day, count, good=good)
            one.probes += count * (event.call is None)

    def _take(self, events: list[Event]) -> None:
        first = events[0]
        before = self._calls
        self._calls += first.call is not None
        calls = before, self._calls
        results: dict[str, bool] = {}
        models: dict[tuple[str, str], bool] = {}
        for event in events:
            verdict = _verdict(event.fault)
            if verdict is not NEITHER:
                results[event.endpoint] = results.get(event.endpoint, False) or verdict
            for model, good in _models(event):
                key = (event.endpoint, model)
                models[key] = models.get(key, False) or good
        for endpoint, good in results.items():
            self.endpoints.setdefault(endpoint, Alone()).tried(first.at, calls, good=good)
        for key, good in models.items():
            self.models.setdefault(key, Alone()).tried(first.at, calls, good=good)
        self._follow_outages(first, results)

    def _follow_outages(self, first: Event, results: dict[str, bool]) -> None:
        for endpoint, old in list(self._runs.items()):
            if first.at - old.last_at > QUIET_S:
                self._end(endpoint)
        for endpoint, good in results.items():
            run = self._runs.get(endpoint)
            if run is not None and good:
                self._end(endpoint)
                run = None
            if not good:
                run = run or self._runs.setdefault(endpoint, _Run(first.at, first.at))
                run.saved += run.pending
                run.pending, run.last_at, run.faults = 0, first.at, run.faults + 1
        if first.answered and self._runs:
            for endpoint, current in self._runs.items():
                if endpoint in results:
                    current.saved += 1
                else:
                    current.pending += 1

    def _end(self, endpoint: str) -> None:
        run = self._runs.pop(endpoint)
        seconds = run.last_at - run.began_at
        self.outages.append(Outage(endpoint, run.began_at, seconds, run.faults, run.saved))


def _verdict(fault: str | None) -> bool | None:
    """What an attempt says of its endpoint's availability."""
    if fault is None:
        return GOOD
    if fault in _NOBODYS:
        return NEITHER
    row = _ROWS.get(fault)  # a fault that a newer version of this package named counts as one
    return NEITHER if row is not None and row.scope in _NOT_ITS_OWN else BAD


def _models(event: Event) -> Iterable[tuple[str, bool]]:
    """What an attempt says of the models that it asked for.

    A route that failed failed for its first model; of the others, which answer only where the first
    does not, it would show the failures alone. One that answered speaks for the model that did, and
    against those that stand before it, which OpenRouter passed over. A probe does not say which one
    answered: where there are several, its failures would be all that counts.
    """
    listed = event.route.partition(":")[2].split(",") if event.route else []
    if event.call is None and len(listed) > 1:
        return ()
    if event.fault is None:
        if len(listed) == 1:
            return [(listed[0], True)]
        said = event.model
        place = next((n for n, name in enumerate(listed) if said and same_model(name, said)), None)
        if place is None:
            return ()
        return [*((name, False) for name in listed[:place]), (listed[place], True)]
    row = _ROWS.get(event.fault)
    silent = event.fault in _NOBODYS or (row is not None and row.scope is Scope.REQUEST)
    if silent or event.fault == Kind.CONTEXT_TOO_LONG.value:
        return ()
    return [(name, False) for name in listed[:1]]


_ROWS = {kind.value: row for kind, row in FAULTS.items()}
_NOT_ITS_OWN = (Scope.REQUEST, Scope.MODEL)
_NOBODYS = (CANCELLED, Kind.ABANDONED.value)  # its caller, or a faster route, cut it short
