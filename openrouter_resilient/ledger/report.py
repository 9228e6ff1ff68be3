"""The numbers of a period, worked out from a ledger's file. Words are in `words`."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import merge
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

from openrouter_resilient.ledger.intervals import Share
from openrouter_resilient.ledger.outages import DAY_S, QUIET_S, Alone, Event, History, Outage

LATE_S = 0.5  # beyond the deadline; what the last byte's way to the caller may take
BUNCH_S = 300.0  # failures closer together than this are one bunch
PERCENTILES = (50, 90, 95, 99)
Name = TypeVar("Name")


@dataclass(frozen=True)
class Latency:
    """Seconds of answered calls.

    Attributes:
        calls: how many.
        seconds: of whole calls, by percentile.
        streamed: of how many of them the first token was seen coming.
        first_token_seconds: until it came, by percentile.
    """

    calls: int
    seconds: dict[int, float]
    streamed: int
    first_token_seconds: dict[int, float]


@dataclass(frozen=True)
class ModelCost:
    """What a model's attempts used and cost.

    Attributes:
        endpoint: whom they asked.
        model: as the replies named it; None where nothing came.
        attempts: how many.
        prompt_tokens, completion_tokens: as far as they were reported; None where none were.
        known_usd: what is known of the cost, None where nothing is.
        estimated_usd: of that, from a price list.
        unknown: attempts that may have been billed and of which nobody has said how much.
        failover_usd: of the known cost, what attempts did cost that gave no answer.
    """

    endpoint: str
    model: str | None
    attempts: int
    prompt_tokens: int | None
    completion_tokens: int | None
    known_usd: float | None
    estimated_usd: float
    unknown: int
    failover_usd: float


@dataclass(frozen=True)
class Report:
    """The numbers of a period. `str()` of it is a page of text.

    Attributes:
        since, until: seconds since 1970, of the first and the last call where no period was given.
        endings: calls by how they ended.
        late: answers that came after their deadline; they count as not answered.
        availability: answered by the deadline, of all that were asked. The caller's own mistakes
            (refused), and calls that the caller stopped, are left out.
        bunches: how many bunches the failures fell into.
        endpoints, models: the same for each alone, had only it been used; the most tried first.
        outages: longest first.
        saved: calls that were answered by another endpoint than the first they asked, or with an
            expired answer of the cache.
        cached, stale: calls that were answered from the cache, and of these with an expired answer.
        straight, after_failures: latency of calls that needed one attempt, and more.
        costs: by endpoint and model, the dearest first.
        served: answered calls by day (days since 1970) and endpoint; "cache" where that had it.
        sample: for a picture: start, seconds, whether an attempt of it failed; not all calls.
        ledger: the file that it was made of; None: memory.
    """

    since: float
    until: float
    endings: dict[str, int]
    late: int
    availability: Share
    bunches: int
    endpoints: dict[str, Alone]
    models: dict[tuple[str, str], Alone]
    outages: tuple[Outage, ...]
    saved: int
    cached: int
    stale: int
    straight: Latency
    after_failures: Latency
    costs: tuple[ModelCost, ...]
    served: dict[int, dict[str, int]]
    sample: tuple[tuple[float, float, bool], ...] = field(default=(), repr=False)
    ledger: Path | None = field(default=None, compare=False)

    @property
    def calls(self) -> int:
        """How many calls there were."""
        return sum(self.endings.values())

    @property
    def left_out(self) -> int:
        """Calls that say nothing of availability."""
        return self.calls - self.availability.asked

    def __str__(self) -> str:
        """A page of text."""
        from openrouter_resilient.ledger.words import as_text  # noqa: PLC0415  it imports this

        return as_text(self)

    __repr__ = __str__

    def as_json(self) -> dict[str, Any]:
        """Everything, in plain types."""
        from openrouter_resilient.ledger.words import as_json  # noqa: PLC0415  the same

        return as_json(self)

    def as_html(self) -> str:
        """One self-contained page, readable by a customer, the pictures within."""
        from openrouter_resilient.ledger.html import as_page  # noqa: PLC0415  the same

        return as_page(self)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from openrouter_resilient.ledger.html import as_section  # noqa: PLC0415  the same

        return as_section(self)


def make_report(
    connection: sqlite3.Connection,
    *,
    since: float,
    until: float,
    now: float,
    ledger: Path | None = None,
) -> Report:
    """Work the numbers out.

    Args:
        connection: of a ledger's file; what it sees must not change meanwhile.
        since, until: seconds since 1970; 0 and infinity: all that is recorded.
        now: the period of a record that is empty.
        ledger: the file, if it is one; the report says how to have its costs asked for.
    """
    window = (since, until)
    first, last = _span(connection, window, min(now, until))
    names = dict(connection.execute("SELECT id, name FROM names").fetchall())
    endings = {names[ended]: count for ended, count in connection.execute(_ENDINGS, window)}
    late, answered, asked, cached, stale = connection.execute(_ANSWERED, window).fetchone()
    history = _history(connection, window, names | {None: None})
    straight, after_failures, sample = _latencies(connection, window)
    served: dict[int, dict[str, int]] = {}
    for day, of_cache, endpoint, count in connection.execute(_SERVED, (DAY_S, *window)):
        counts = served.setdefault(day, {})
        name = "cache" if of_cache else names[endpoint]
        counts[name] = counts.get(name, 0) + count
    return Report(
        since=first if since <= 0 else since,
        until=last if since <= 0 else until,
        endings=endings,
        late=late or 0,
        availability=Share(answered or 0, asked or 0),
        bunches=_bunches(at for (at,) in connection.execute(_FAILED_AT, window)),
        endpoints=_most_tried(history.endpoints),
        models=_most_tried(history.models),
        outages=tuple(sorted(history.outages, key=lambda o: (-o.seconds, -o.faults))),
        saved=connection.execute(_SAVED, window).fetchone()[0],
        cached=cached or 0,
        stale=stale or 0,
        straight=straight,
        after_failures=after_failures,
        costs=tuple(ModelCost(*row) for row in connection.execute(_COSTS, window)),
        served=dict(sorted(served.items())),
        sample=sample,
        ledger=ledger,
    )


def percentile(ordered: Sequence[float], percent: float) -> float:
    """A percentile of sorted numbers, between two of them in proportion (numpy's default)."""
    place = (len(ordered) - 1) * percent / 100
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _span(
    connection: sqlite3.Connection, window: tuple[float, float], now: float
) -> tuple[float, float]:
    """From the first call to the last; where there are none, of the probes."""
    for span in (_SPAN, _SPAN.replace("raw_calls", "raw_probes")):
        first, last = connection.execute(span, window).fetchone()
        if first is not None:
            return first, last
    return now, now


def _most_tried(alone: dict[Name, Alone]) -> dict[Name, Alone]:
    return dict(sorted(alone.items(), key=lambda item: -item[1].share.asked))


def _history(
    connection: sqlite3.Connection, window: tuple[float, float], names: Mapping[int | None, Any]
) -> History:
    """Each endpoint by itself.

    Nearly all calls and probes are answered at once, far from any trouble; SQLite counts them, five
    times as fast. The others are gone through one by one.
    """
    history, calm_since = History(), window[0]
    for begins, ends in [*_troubles(connection, window), (window[1], window[1])]:
        for day, call, endpoint, route, model, count in connection.execute(
            _PLAIN, {"day": DAY_S, "since": calm_since, "until": begins}
        ):
            event = Event(0.0, call, names[endpoint], names[route], names[model], None)
            history.count_plain(day, event, count)
        history.read(_events(connection, (begins, ends), names))
        calm_since = ends
    return history


def _troubles(
    connection: sqlite3.Connection, window: tuple[float, float]
) -> list[tuple[float, float]]:
    """The times in which one call may bear on another: from each trouble to well after it."""
    found: list[tuple[float, float]] = []
    for (at,) in connection.execute(_TROUBLE, (*window, *window)):
        ends = min(at + QUIET_S + 1.0, window[1])
        if found and at <= found[-1][1]:
            found[-1] = (found[-1][0], ends)
        else:
            found.append((at, ends))
    return found


def _events(
    connection: sqlite3.Connection,
    window: tuple[float, float],
    names: Mapping[int | None, Any],
) -> Iterable[Event]:
    """Attempts and probes in the order of time."""

    def named(rows: Iterable[Any]) -> Iterator[Event]:
        for at, call, endpoint, route, model, fault, ended in rows:
            yield Event(
                at, call, names[endpoint], names[route], names[model], names[fault],
                names[ended] == "answered",
            )  # fmt: skip

    attempts = named(connection.execute(_ATTEMPTS, window))
    return merge(attempts, named(connection.execute(_PROBES, window)), key=_at)


_at = attrgetter("at")


def _latencies(
    connection: sqlite3.Connection, window: tuple[float, float]
) -> tuple[Latency, Latency, tuple[tuple[float, float, bool], ...]]:
    whole = {False: array("d"), True: array("d")}
    first = {False: array("d"), True: array("d")}
    sample: list[tuple[float, float, bool]] = []
    every = max(1, connection.execute(_COUNT, window).fetchone()[0] // MOST_SHOWN)
    for number, (at, seconds, token, more) in enumerate(connection.execute(_TIMES, window)):
        whole[more].append(seconds)
        if token is not None:
            first[more].append(token)
        if number % every == 0 or (more and len(sample) < 2 * MOST_SHOWN):
            sample.append((at, seconds, bool(more)))
    return _latency(whole[False], first[False]), _latency(whole[True], first[True]), tuple(sample)


def _latency(whole: array[float], first: array[float]) -> Latency:
    return Latency(len(whole), _percentiles(whole), len(first), _percentiles(first))


def _percentiles(numbers: array[float]) -> dict[int, float]:
    if not numbers:
        return {}
    ordered = sorted(numbers)
    return {percent: percentile(ordered, percent) for percent in PERCENTILES}


def _bunches(instants: Iterable[float]) -> int:
    count, last = 0, float("-inf")
    for at in instants:
        count += at - last > BUNCH_S
        last = at
    return count


MOST_SHOWN = 1_500  # points in a picture; more are not told apart

_WINDOW = "started_at >= ? AND started_at < ?"
# The number of a name; that of none, and not NULL, where it was never written: NOT of NULL is NULL.
_NAME = "(SELECT coalesce(max(id), -1) FROM names WHERE name = '{}')"
_IS_ANSWERED = f"ended = {_NAME.format('answered')}"
_IS_FAILED = f"ended IN ({_NAME.format('failed')}, {_NAME.format('interrupted')})"
_IS_STREAM = f"kind = {_NAME.format('stream')}"

# A stream is in time if its first token is: how fast the rest is read is up to the caller.
_IS_LATE = (
    f"({_IS_ANSWERED} AND CASE WHEN {_IS_STREAM} THEN coalesce(first_token_seconds, 0) "
    f"ELSE seconds END > deadline + {LATE_S})"
)
_COUNT = f"SELECT count(*) FROM raw_calls WHERE {_WINDOW}"
_SPAN = f"SELECT min(started_at), max(started_at) FROM raw_calls WHERE {_WINDOW}"
_ENDINGS = f"""
SELECT ended, count(*) FROM raw_calls WHERE {_WINDOW} GROUP BY ended
"""
_ANSWERED = f"""
SELECT sum({_IS_LATE}), sum({_IS_ANSWERED} AND NOT {_IS_LATE}), sum({_IS_ANSWERED} OR {_IS_FAILED}),
    sum(cached), sum(stale)
FROM raw_calls WHERE {_WINDOW}
"""
_FAILED_AT = f"""
SELECT started_at FROM raw_calls WHERE {_WINDOW} AND ({_IS_FAILED} OR {_IS_LATE}) ORDER BY 1
"""
_TIMES = f"""
SELECT started_at, seconds, first_token_seconds, attempts > 1
FROM raw_calls WHERE {_WINDOW} AND {_IS_ANSWERED} AND NOT cached
"""
_SERVED = f"""
SELECT CAST(started_at / ? AS INTEGER), cached, endpoint, count(*)
FROM raw_calls WHERE {_WINDOW} AND {_IS_ANSWERED} GROUP BY 1, 2, 3
"""
_SAVED = f"""
SELECT count(*) FROM raw_calls WHERE {_WINDOW} AND {_IS_ANSWERED} AND (
    stale OR attempts > 1 AND NOT cached AND endpoint != (
        SELECT endpoint FROM raw_attempts WHERE call = raw_calls.number ORDER BY number LIMIT 1
    )
)
"""
_ATTEMPTS = f"""
SELECT c.started_at, c.number, a.endpoint, a.route, a.model, a.fault, c.ended
FROM raw_calls AS c CROSS JOIN raw_attempts AS a ON a.call = c.number
WHERE c.{_WINDOW.replace("AND ", "AND c.")} ORDER BY c.started_at, c.number, a.number
"""
_PLAIN = """
SELECT CAST(c.started_at / :day AS INTEGER), c.number, a.endpoint, a.route, a.model, count(*)
FROM raw_calls AS c CROSS JOIN raw_attempts AS a ON a.call = c.number
WHERE c.started_at >= :since AND c.started_at < :until GROUP BY 1, 3, 4, 5
UNION ALL
SELECT CAST(started_at / :day AS INTEGER), NULL, endpoint, route, NULL, count(*)
FROM raw_probes WHERE started_at >= :since AND started_at < :until GROUP BY 1, 3, 4
"""
# A call that an unexpired answer of the cache was good for asked nobody, and tells nothing.
_TROUBLE = f"""
SELECT started_at FROM raw_calls
WHERE {_WINDOW} AND (attempts > 1 OR NOT {_IS_ANSWERED} OR cached AND attempts)
UNION ALL SELECT started_at FROM raw_probes WHERE {_WINDOW} AND fault IS NOT NULL ORDER BY 1
"""
_PROBES = f"""
SELECT started_at, NULL, endpoint, route, NULL, fault, NULL
FROM raw_probes WHERE {_WINDOW} ORDER BY 1
"""
_COSTS = f"""
SELECT
    (SELECT name FROM names WHERE id = a.endpoint), (SELECT name FROM names WHERE id = a.model),
    count(*), sum(a.prompt_tokens), sum(a.completion_tokens),
    CASE WHEN sum(a.billable) = 0 THEN 0.0 ELSE sum(a.cost) END,
    total(a.cost) FILTER (WHERE a.cost_source = {_NAME.format("estimated")}),
    coalesce(sum(a.billable AND a.cost IS NULL), 0),
    total(a.cost) FILTER (WHERE a.fault IS NOT NULL)
FROM raw_calls AS c JOIN raw_attempts AS a ON a.call = c.number
WHERE c.{_WINDOW.replace("AND ", "AND c.")} GROUP BY a.endpoint, a.model ORDER BY 6 DESC, 3 DESC
"""
