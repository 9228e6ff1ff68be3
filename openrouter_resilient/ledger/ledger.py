"""The ledger as a user has it: `client.ledger`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from openrouter_resilient.endpoints.table import Endpoint
from openrouter_resilient.errors import ConfigurationError
from openrouter_resilient.ledger.memory import Memory
from openrouter_resilient.record import CallRecord, ProbeRecord
from openrouter_resilient.wire.clock import SystemClock

if TYPE_CHECKING:
    import sqlite3

    from openrouter_resilient.ledger.prices import Prices
    from openrouter_resilient.ledger.reconcile import Reconciled
    from openrouter_resilient.ledger.report import Report
    from openrouter_resilient.ledger.sqlite import LedgerFile

RECONCILED = "30d"  # how far back costs are asked for


class Ledger:
    """The record of all calls: the last 1,000 in memory, and all of them in a file if one is named.

    Thread-safe. Nothing that happens to the file fails a call.
    """

    def __init__(
        self, path: str | Path | None = None, endpoints: Mapping[str, Endpoint] | None = None
    ) -> None:
        """Keep a record.

        Args:
            path: the file; None or "": memory alone.
            endpoints: who can be asked what generations did cost; None: nobody.
        """
        self._memory = Memory()
        self._file = _file(path)
        self._endpoints = endpoints
        self._prices: Prices | None = None

    def add(self, record: CallRecord) -> None:
        """Take the record of a finished call; once this returns, it is in the file."""
        self._memory.add(record)
        if self._file is not None:
            self._file.add(record)

    @property
    def calls(self) -> tuple[CallRecord, ...]:
        """The last 1,000 calls of this process, oldest first."""
        return self._memory.records()

    @property
    def path(self) -> Path | None:
        """The file; None where there is none."""
        return self._file.path if self._file else None

    @property
    def lost(self) -> int:
        """How many calls and probes could not be written to the file, and never will be."""
        return self._file.lost if self._file else 0

    @property
    def waiting(self) -> int:
        """How many calls and probes wait for the file to be writable again."""
        return self._file.waiting if self._file else 0

    def probe(
        self,
        endpoint: str,
        *,
        route: str | None = None,
        fault: str | None = None,
        seconds: float,
        started_at: float | None = None,
    ) -> None:
        """Keep what a health check found, as a trial of whom it asked; only a file keeps it.

        It is no call: it counts for "had you used only this one", and not for availability.

        Args:
            endpoint: whom it asked.
            route: the same with the model, such as `openai:gpt-4o`; None: no model was asked.
            fault: the kind of fault; None if it was well.
            seconds: how long the check took.
            started_at: seconds since 1970; None: it ended just now.
        """
        if self._file is not None:
            began = SystemClock().wall() - seconds if started_at is None else started_at
            self._file.add(ProbeRecord(began, endpoint, route, fault, seconds))

    def report(self, since: str | float | None = None, *, until: float | None = None) -> Report:
        """The numbers of a period: availability, who served, latency, cost.

        Args:
            since: such as `30d` or `2026-11-01`, or seconds since 1970; None: all that is recorded.
            until: seconds since 1970; None: now, or the end of all that is recorded.

        Raises:
            ConfigurationError: since is no period, or the file cannot be read.
        """
        from openrouter_resilient.ledger.periods import beginning  # noqa: PLC0415  a call needs none
        from openrouter_resilient.ledger.report import make_report  # noqa: PLC0415  the same

        now = SystemClock().wall()
        if until is None:  # a clock may have been set back since a call was recorded
            until = math.inf if since is None else now
        with self._reading() as connection:
            return make_report(
                connection, since=beginning(since, now), until=until, now=now, ledger=self.path
            )

    def reconcile(self, since: str | float | None = RECONCILED) -> Reconciled:
        """Ask what calls of unknown cost did cost, abandoned ones included.

        OpenRouter is asked for each generation that was abandoned or whose reply named no cost;
        answers of direct endpoints are estimated from OpenRouter's price list and marked so.

        Args:
            since: how far back, as for `report`; OpenRouter does not keep generations for ever. In
                seconds since 1970, if it is a number.

        Raises:
            ConfigurationError: the ledger has no client, or its file cannot be used.
        """
        from openrouter_resilient.ledger.periods import beginning  # noqa: PLC0415  see report
        from openrouter_resilient.ledger.prices import Prices  # noqa: PLC0415  the same
        from openrouter_resilient.ledger.reconcile import reconcile  # noqa: PLC0415  the same
        from openrouter_resilient.ledger.settling import (  # noqa: PLC0415  the same
            FileStore,
            MemoryStore,
            Store,
        )

        if self._endpoints is None:
            raise ConfigurationError("only the ledger of a client knows whom to ask: client.ledger")
        now = SystemClock().wall()
        stores: list[Store] = [MemoryStore(self._memory)]
        prices = self._prices or Prices()
        with self._usable():
            if self._file is not None:
                file = FileStore(self._file)
                prices = prices or file.prices()
                stores.append(file)
            found, self._prices = reconcile(
                stores, self._endpoints, since=beginning(since, now), now=now, prices=prices
            )
        return found

    def prune(self, keep: str) -> int:
        """Delete the calls and probes that are older than a period, and give their space back.

        Args:
            keep: such as `90d`.

        Returns:
            How many calls were deleted.

        Raises:
            ConfigurationError: keep is no period, there is no file, or it cannot be used.
        """
        from openrouter_resilient.ledger.periods import seconds_of  # noqa: PLC0415  see report
        from openrouter_resilient.ledger.prune import prune  # noqa: PLC0415  the same

        before = SystemClock().wall() - seconds_of(keep)
        if self._file is None:
            raise ConfigurationError('there is no file to prune; name one with ledger="calls.db"')
        with self._usable():
            return prune(self._file, before)

    def close(self) -> None:
        """Let go of the file; the next call opens it again."""
        if self._file is not None:
            self._file.close()

    def __repr__(self) -> str:
        """Say where it is kept."""
        return f"<Ledger {self.path or 'in memory'}: {len(self.calls)} calls of this process>"

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """The file, or what is in memory in the form of one: a report is worked out one way."""
        with self._usable():
            if self._file is not None:
                with self._file.reading() as connection:
                    yield connection
                return
            connection = _as_file(self.calls)
            try:
                yield connection
            finally:
                connection.close()

    @contextmanager
    def _usable(self) -> Iterator[None]:
        """Turn trouble with the file into words, for who asked for it."""
        import sqlite3  # noqa: PLC0415  only a file or a report needs it

        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise ConfigurationError(f"the ledger {self.path} cannot be used: {error}") from error


def _file(path: str | Path | None) -> LedgerFile | None:
    if not path:
        return None
    from openrouter_resilient.ledger.sqlite import LedgerFile  # noqa: PLC0415  memory needs none

    return LedgerFile(expanded(path).absolute())


def expanded(path: str | Path) -> Path:
    """A path with its `~` resolved; as it is, where nobody knows whose home that is."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # a ledger that cannot be written stops nobody
        return Path(path)


def _as_file(records: tuple[CallRecord, ...]) -> sqlite3.Connection:
    import sqlite3  # noqa: PLC0415  only a file or a report needs it

    from openrouter_resilient.ledger.migrations import migrate  # noqa: PLC0415  the same
    from openrouter_resilient.ledger.rows import Names, insert_call  # noqa: PLC0415  the same

    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    names = Names(connection)
    connection.execute("BEGIN")
    for record in records:
        insert_call(connection, names, record)
    connection.execute("COMMIT")
    return connection
