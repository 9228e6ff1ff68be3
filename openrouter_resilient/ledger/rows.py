"""A call record as rows of a ledger's file. Runs inside the transaction of its caller."""

from __future__ import annotations

import json
import sqlite3

from openrouter_resilient.record import CallRecord, ProbeRecord, may_be_billed
from openrouter_resilient.served import AttemptRecord

LONGEST_NAME = 200  # characters; whatever a server may say, a name stays one

_INSERT_CALL = f"INSERT INTO raw_calls VALUES (NULL, {', '.join('?' * 21)})"
_INSERT_ATTEMPT = f"INSERT INTO raw_attempts VALUES ({', '.join('?' * 19)})"


class Names:
    """The numbers under which a file keeps names; remembered, so that a call asks for none."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Remember nothing yet."""
        self._connection = connection
        self._known: dict[str | None, int | None] = {None: None}

    def __getitem__(self, name: str | None) -> int | None:
        """The number of a name; None for None."""
        try:
            return self._known[name]
        except KeyError:
            number = self._known[name] = self._look_up(_writable(str(name))[:LONGEST_NAME])
            return number

    def _look_up(self, name: str) -> int:
        self._connection.execute("INSERT OR IGNORE INTO names (name) VALUES (?)", (name,))
        found = self._connection.execute("SELECT id FROM names WHERE name = ?", (name,))
        number: int = found.fetchone()[0]
        return number


def insert_call(connection: sqlite3.Connection, names: Names, record: CallRecord) -> None:
    """Add a call, its attempts, and its texts if they are kept."""
    call = connection.execute(
        _INSERT_CALL,
        (
            record.id, record.started_at, names[record.kind], names[record.ended],
            names[record.error], names[record.requested], record.deadline, record.seconds,
            record.first_token_seconds, names[record.model], names[record.endpoint],
            names[record.provider], names[record.finish_reason], record.substituted, record.cost,
            names[record.cost_source], record.prompt_tokens, record.completion_tokens,
            len(record.attempts), record.cached, record.stale,
        ),
    ).lastrowid  # fmt: skip
    for attempt in record.attempts:
        connection.execute(_INSERT_ATTEMPT, _attempt_row(call, names, attempt))
    if record.texts is not None:
        messages = json.dumps([attempt.message for attempt in record.attempts])
        prompt, answer = record.texts.prompt, record.texts.answer
        row = (call, _writable(prompt), answer and _writable(answer), messages)
        connection.execute("INSERT INTO texts VALUES (?, ?, ?, ?)", row)


def insert_probe(connection: sqlite3.Connection, names: Names, record: ProbeRecord) -> None:
    """Add what a health check found."""
    connection.execute(
        "INSERT INTO raw_probes VALUES (NULL, ?, ?, ?, ?, ?)",
        (
            record.started_at, names[record.route], names[record.endpoint], names[record.fault],
            record.seconds,
        ),
    )  # fmt: skip


def _attempt_row(call: int | None, names: Names, attempt: AttemptRecord) -> tuple[object, ...]:
    billable = may_be_billed(attempt.fault, attempt.status)
    known = "estimated" if attempt.estimated else "reported"
    source = known if attempt.cost is not None else "unknown" if billable else None
    return (
        call, attempt.number, attempt.begun_seconds, attempt.seconds, names[attempt.route],
        names[attempt.endpoint], names[attempt.model], names[attempt.provider],
        names[attempt.fault], attempt.status, _id(attempt.generation_id), _id(attempt.request_id),
        billable, attempt.cost, names[source], attempt.prompt_tokens, attempt.completion_tokens,
        attempt.retry_after, _upstream(attempt),
    )  # fmt: skip


def _upstream(attempt: AttemptRecord) -> str | None:
    """What OpenRouter tried in its turn, where that was more than the one who answered."""
    if len(attempt.upstream) < 2 and attempt.fault is None:
        return None
    tried = [[entry.provider, entry.model, entry.status] for entry in attempt.upstream]
    return json.dumps(tried) if tried else None


def _id(text: str | None) -> str | None:
    return None if text is None else _writable(text[:LONGEST_NAME])


def _writable(text: str) -> str:
    """A text without the half characters that JSON may hold and UTF-8 may not."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
