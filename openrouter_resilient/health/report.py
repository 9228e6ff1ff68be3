"""What is known of every route, as objects and as a table. Asks no endpoint anything."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, overload

from openrouter_resilient.health.sharing import RedisSharing
from openrouter_resilient.health.status_pages import Page, read_pages
from openrouter_resilient.health.word import DOWN, UP
from openrouter_resilient.routing.plan import Route
from openrouter_resilient.routing.shared import Word
from openrouter_resilient.routing.step import Outcome, State

if TYPE_CHECKING:
    from openrouter_resilient.call import Carrier
    from openrouter_resilient.client import Client

HERE = "this process"
UNKNOWN = "unknown"
_STATES = {State.CLOSED: UP, State.OPEN: DOWN, State.HALF_OPEN: "due for a trial"}
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
        return all(row.state in (UP, UNKNOWN) for row in self.routes)

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


def report_of(carrier: Carrier, routes: Iterable[Route], *, pages: bool = False) -> HealthReport:
    """Put together what a client's breakers and everybody else say.

    Args:
        carrier: of the client.
        routes: of its plan.
        pages: read the vendors' status pages, too.
    """
    asked = tuple(dict.fromkeys(routes))
    sharing = carrier.shared
    words = sharing.everything() if isinstance(sharing, RedisSharing) else {}
    carrier.listen()
    read = read_pages(route.endpoint for route in asked) if pages else {}
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
    now, board = carrier.clock.now(), carrier.board
    last, health = board.last(route), board.health(route, now)
    state = DOWN if health.not_before > now else _STATES[health.state]
    own = board.since(route, now)
    told = word.since if word is not None and word.up == (state == UP) else None
    since = min((at for at in (own, told) if at is not None), default=None)
    row = RouteHealth(
        str(route), route.endpoint, state, None if since is None else now - since,
        latency=None, fault=None, by="nobody", checked=None, page=pages.get(route.endpoint),
    )  # fmt: skip
    if word is not None and (last is None or word.checked_at > last.ended_at):
        return replace(
            row, latency=word.latency, fault=word.fault, by=_who(word.by),
            checked=now - word.checked_at,
        )  # fmt: skip
    if last is not None:
        fault = last.fault.kind.value if last.fault else None
        return replace(
            row, latency=_latency(last), fault=fault, by=HERE, checked=now - last.ended_at
        )
    return replace(row, state=UNKNOWN)


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
    for size, unit, digits in ((86_400, "d", 1), (3600, "h", 1), (60, "min", 0)):
        if seconds >= 0.99 * size:  # 59.9 min is an hour
            return f"{seconds / size:.{digits}f}".removesuffix(".0") + f" {unit}"
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
