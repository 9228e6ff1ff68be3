"""Attempts whose cost nobody has said yet, and how it is filled in, in memory and in a file."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, replace
from typing import Protocol

from openrouter_resilient.ledger.memory import Memory
from openrouter_resilient.ledger.prices import Price, Prices
from openrouter_resilient.ledger.sqlite import LedgerFile
from openrouter_resilient.record import CallRecord, CostSource, may_be_billed, whole_cost
from openrouter_resilient.served import AttemptRecord, UpstreamAttempt

Key = tuple[object, int]  # the call, and the attempt's number within it


@dataclass(frozen=True)
class Unsettled:
    """An attempt that may have been billed, and of which nobody has said how much.

    Attributes:
        model: as the reply named it, or else as it was asked for.
    """

    key: Key
    endpoint: str
    model: str
    generation_id: str | None
    prompt_tokens: int | None
    completion_tokens: int | None


@dataclass(frozen=True)
class Settlement:
    """What an attempt did cost, and what else was learnt of it; None where nothing was."""

    cost: float
    source: CostSource
    model: str | None = None
    provider: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    upstream: tuple[UpstreamAttempt, ...] = ()


class Store(Protocol):
    """Where records are that can be settled."""

    def unsettled(self, since: float) -> list[Unsettled]:
        """The attempts of calls that began since then."""

    def settle(self, key: Key, settlement: Settlement) -> None:
        """Fill in what an attempt did cost, and what its call costs now."""


class MemoryStore:
    """The calls in memory."""

    def __init__(self, memory: Memory) -> None:
        """Look at them."""
        self._memory = memory

    def unsettled(self, since: float) -> list[Unsettled]:
        """The attempts of calls that began since then."""
        return [
            Unsettled(
                (record.id, attempt.number),
                attempt.endpoint,
                attempt.model or attempt.models[0],
                attempt.generation_id,
                attempt.prompt_tokens,
                attempt.completion_tokens,
            )
            for record in self._memory.records()
            if record.started_at >= since
            for attempt in record.attempts
            if attempt.cost is None and may_be_billed(attempt.fault, attempt.status)
        ]

    def settle(self, key: Key, settlement: Settlement) -> None:
        """Fill in what an attempt did cost, and what its call costs now."""
        call, number = key
        record = next((record for record in self._memory.records() if record.id == call), None)
        if record is not None:
            attempts = tuple(
                _filled(attempt, settlement) if attempt.number == number else attempt
                for attempt in record.attempts
            )
            self._memory.replace(_with_cost(record, attempts))


class FileStore:
    """The calls in a file."""

    def __init__(self, file: LedgerFile) -> None:
        """Look at it."""
        self._file = file

    def unsettled(self, since: float) -> list[Unsettled]:
        """The attempts of calls that began since then."""
        with self._file.reading() as connection:
            found = connection.execute(_UNSETTLED, (since,)).fetchall()
        return [Unsettled((call, number), *rest) for call, number, *rest in found]

    def settle(self, key: Key, settlement: Settlement) -> None:
        """Fill in what an attempt did cost, and what its call costs now."""
        s = settlement
        tried = [[u.provider, u.model, u.status] for u in s.upstream]
        with self._file.transaction() as (connection, names):
            known = (s.cost, names[s.source], names[s.model], names[s.provider])
            more = (s.prompt_tokens, s.completion_tokens, json.dumps(tried) if tried else None)
            connection.execute(_SETTLE, (*known, *more, *key))
            sources = {name: names[name] for name in ("reported", "estimated", "unknown")}
            connection.execute(_SETTLE_CALL, {"call": key[0], **sources})

    def keep_prices(self, prices: Prices, read_at: float) -> None:
        """Put a list of prices in the place of the last one."""
        rows = [
            (p.model, p.canonical, p.prompt_usd, p.completion_usd, p.request_usd, read_at)
            for p in prices.all
        ]
        with self._file.transaction() as (connection, _):
            connection.execute("DELETE FROM prices")
            connection.executemany("INSERT OR REPLACE INTO prices VALUES (?, ?, ?, ?, ?, ?)", rows)

    def prices(self) -> Prices:
        """The last list that was read."""
        with self._file.reading() as connection:
            return _prices_in(connection)


def _prices_in(connection: sqlite3.Connection) -> Prices:
    found = connection.execute(
        "SELECT model, canonical, prompt_usd, completion_usd, request_usd FROM prices"
    )
    return Prices(Price(*row) for row in found)


def _filled(attempt: AttemptRecord, s: Settlement) -> AttemptRecord:
    return replace(
        attempt,
        cost=s.cost,
        estimated=s.source == "estimated",
        model=attempt.model or s.model,
        provider=attempt.provider or s.provider,
        prompt_tokens=_first(attempt.prompt_tokens, s.prompt_tokens),
        completion_tokens=_first(attempt.completion_tokens, s.completion_tokens),
        upstream=s.upstream or attempt.upstream,
    )


def _with_cost(record: CallRecord, attempts: tuple[AttemptRecord, ...]) -> CallRecord:
    cost = whole_cost(attempts)
    estimated = any(attempt.estimated for attempt in attempts)
    source: CostSource = "unknown" if cost is None else "estimated" if estimated else "reported"
    return replace(record, attempts=attempts, cost=cost, cost_source=source)


def _first(*numbers: int | None) -> int | None:
    return next((number for number in numbers if number is not None), None)


_UNSETTLED = """
SELECT a.call, a.number, (SELECT name FROM names WHERE id = a.endpoint),
    coalesce(
        (SELECT name FROM names WHERE id = a.model),
        (SELECT substr(name, instr(name, ':') + 1) FROM names WHERE id = a.route)
    ),
    a.generation_id, a.prompt_tokens, a.completion_tokens
FROM raw_attempts AS a JOIN raw_calls AS c ON c.number = a.call
WHERE a.billable AND a.cost IS NULL AND c.started_at >= ?
"""
_SETTLE = """
UPDATE raw_attempts SET cost = ?, cost_source = ?, model = coalesce(model, ?),
    provider = coalesce(provider, ?), prompt_tokens = coalesce(prompt_tokens, ?),
    completion_tokens = coalesce(completion_tokens, ?), upstream = coalesce(?, upstream)
WHERE call = ? AND number = ?
"""
_SETTLE_CALL = """
UPDATE raw_calls SET (cost, cost_source) = (
    SELECT
        CASE WHEN sum(billable AND cost IS NULL) THEN NULL ELSE total(cost) END,
        CASE WHEN sum(billable AND cost IS NULL) THEN :unknown
             WHEN sum(cost_source = :estimated) THEN :estimated ELSE :reported END
    FROM raw_attempts WHERE call = :call
) WHERE number = :call
"""
