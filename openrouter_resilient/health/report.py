"""What is known of every route, as objects and as a table. Asks no endpoint anything."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, overload

from openrouter_resilient.health.sharing import RedisSharing
from openrouter_resilient.health.status_pages import Page, read_pages
from openrouter_resilient.routing.plan import Route
from openrouter_resilient.routing.shared import Word
from openrouter_resilient.routing.step import Outcome, State

if TYPE_CHECKING:
    from openrouter_resilient.call import Carrier
    from openrouter_resilient.client import Client

HERE = "this process"
UNKNOWN = "unknown"
_STATES = {State.CLOSED: "up", State.OPEN: "down", State.HALF_OPEN: "due for a trial"}
_COLUMNS = ("route", "state", "since", "latency", "fault", "who said so", "status page")


@dataclass(frozen=True)
class RouteHealth:
    """What is known of one route.

    Attributes:
        route: as it is written.
        endpoint: its endpoint's name.
        state: "up", "down", "due for a trial", or "unknown" if nobody has said anything.
        since: seconds for which it has been so, as far as that is known.
        latency: seconds to the first token of the last answer; None if unknown.
        fault: the kind of the last fault; None if the last attempt was answered.
        by: who said so: "this process", or "a probe" or "another process" through Redis, and where.
        checked: seconds since it was last seen to be so.
        page: what the vendor's status page says; None if it was not read.
    """

    route: str
    endpoint: str
    state: str
    since: float | None
    latency: float | None
    fault: str | None
    by: str
    checked: float | None
    page: Page | None = None


@dataclass(frozen=True, repr=False)
class HealthReport(Sequence[RouteHealth]):
    """The health of every route of a plan, in its order. Shown as a table.

    Attributes:
        routes: one row a route.
        shared: whether what other processes know is in it.
    """

    routes: tuple[RouteHealth, ...]
    shared: bool

    @overload
    def __getitem__(self, place: int) -> RouteHealth: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[RouteHealth, ...]: ...
    def __getitem__(self, place: int | slice) -> RouteHealth | tuple[RouteHealth, ...]:
        """The row at a place, or some."""
        return self.routes[place]

    def __len__(self) -> int:
        """How many routes there are."""
        return len(self.routes)

    def __iter__(self) -> Iterator[RouteHealth]:
        """The rows."""
        return iter(self.routes)

    @property
    def healthy(self) -> bool:
        """Whether no route is known to be in trouble."""
        return all(row.state in ("up", UNKNOWN) for row in self.routes)

    def __repr__(self) -> str:
        """A table in plain text."""
        return text_table(*self._table())

    def _repr_html_(self) -> str:
        """A table for a notebook."""
        return html_table(*self._table())

    def as_dicts(self) -> list[dict[str, Any]]:
        """The rows for JSON."""
        return [asdict(row) for row in self.routes]

    def _table(self) -> tuple[list[str], list[list[str]]]:
        columns = list(_COLUMNS if any(row.page for row in self.routes) else _COLUMNS[:-1])
        return columns, [_cells(row)[: len(columns)] for row in self.routes]


def report_of(
    carrier: Carrier,
    routes: Iterable[Route],
    *,
    pages: bool = False,
    urls: Mapping[str, str] | None = None,
) -> HealthReport:
    """Put together what a client's breakers and everybody else say.

    Args:
        carrier: of the client.
        routes: of its plan.
        pages: read the vendors' status pages, too.
        urls: where they are, for tests.
    """
    asked = tuple(dict.fromkeys(routes))
    sharing = carrier.shared
    words = sharing.everything() if isinstance(sharing, RedisSharing) else {}
    carrier.listen()
    read = read_pages((route.endpoint for route in asked), urls) if pages else {}
    rows = (_row(carrier, route, words.get(route.endpoint), read) for route in asked)
    return HealthReport(tuple(rows), shared=sharing is not None)


def wait_for_news(client: Client, seconds: float = 2.0) -> None:
    """Wait for what Redis holds; for a command, which may wait longer for it than a call."""
    sharing = client._carrier.shared  # noqa: SLF001  one package
    if isinstance(sharing, RedisSharing):
        sharing.wait(seconds)


def _row(
    carrier: Carrier, route: Route, word: Word | None, pages: Mapping[str, Page]
) -> RouteHealth:
    """The newest of what this process saw and what was told of the endpoint."""
    now = carrier.clock.now()
    health = carrier.board.health(route, now)
    last, opened_at = carrier.board.last(route), carrier.board.opened_at(route, now)
    page = pages.get(route.endpoint)
    state = UNKNOWN if last is None and word is None else _STATES[health.state]
    if health.state is State.CLOSED and health.not_before > now:
        state = "down"
    name, endpoint = str(route), route.endpoint
    if word is not None and (last is None or word.checked_at > last.ended_at):
        since = min(word.since, word.since if opened_at is None else opened_at)
        return RouteHealth(
            name, endpoint, state, now - since, word.latency, word.fault,
            _who(word.by), now - word.checked_at, page,
        )  # fmt: skip
    if last is None:
        return RouteHealth(name, endpoint, state, None, None, None, "nobody", None, page)
    return RouteHealth(
        name, endpoint, state, None if opened_at is None else now - opened_at, _latency(last),
        last.fault.kind.value if last.fault else None, HERE, now - last.ended_at, page,
    )  # fmt: skip


def _latency(outcome: Outcome) -> float | None:
    first = outcome.reported.first_token_at
    return None if first is None else first - outcome.started_at


def _who(by: str) -> str:
    kind, _, where = by.partition(" ")
    who = {"probe": "a probe", "call": "another process"}.get(kind)
    return f"{who or by} ({where})" if who and where else who or by


def _cells(row: RouteHealth) -> list[str]:
    checked = "" if row.checked is None else f", {duration(row.checked)} ago"
    first, *others = row.route.split(",")  # three models would fill a line by themselves
    return [
        f"{first} and {len(others)} more" if others else first,
        row.state,
        "" if row.since is None else duration(row.since),
        "" if row.latency is None else f"{row.latency:.2f} s",
        row.fault or "",
        f"{row.by}{checked}",
        str(row.page or ""),
    ]


def duration(seconds: float) -> str:
    """A length of time as people say it."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def text_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; no character that would move a cursor."""
    safe = [["".join(c if c.isprintable() else " " for c in cell) for cell in row] for row in rows]
    whole = [list(columns), *safe]
    widths = [max(len(row[n]) for row in whole) for n in range(len(columns))]
    lines = ("  ".join(cell.ljust(widths[n]) for n, cell in enumerate(row)) for row in whole)
    return "\n".join(line.rstrip() for line in lines)


def html_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose cells hold text and nothing else."""
    head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
