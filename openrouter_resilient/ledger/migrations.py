"""The schema of a ledger's file, as the ordered list of steps that lead to it.

A step is never changed once it was released; a new one is appended. `PRAGMA user_version` says how
many a file has behind it. Words that repeat (models, endpoints, faults) are kept once, in `names`;
the views without `raw_` put them back and are what people query by hand. Times are seconds since
1970, UTC; costs are USD.
"""

from __future__ import annotations

import sqlite3

_TABLES = """
CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);

CREATE TABLE raw_calls (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    started_at REAL NOT NULL,
    kind INTEGER NOT NULL REFERENCES names,
    ended INTEGER NOT NULL REFERENCES names,
    error INTEGER REFERENCES names,
    requested INTEGER NOT NULL REFERENCES names,
    deadline REAL NOT NULL,
    seconds REAL NOT NULL,
    first_token_seconds REAL,
    model INTEGER REFERENCES names,
    endpoint INTEGER REFERENCES names,
    provider INTEGER REFERENCES names,
    finish_reason INTEGER REFERENCES names,
    substituted INTEGER,
    cost REAL,
    cost_source INTEGER NOT NULL REFERENCES names,
    prompt_tokens INTEGER,
    completion_tokens INTEGER,
    attempts INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    stale INTEGER NOT NULL
);
CREATE INDEX calls_by_time ON raw_calls (started_at);

CREATE TABLE raw_attempts (
    call INTEGER NOT NULL REFERENCES raw_calls ON DELETE CASCADE,
    number INTEGER NOT NULL,
    begun_seconds REAL NOT NULL,
    seconds REAL NOT NULL,
    route INTEGER NOT NULL REFERENCES names,
    endpoint INTEGER NOT NULL REFERENCES names,
    model INTEGER REFERENCES names,
    provider INTEGER REFERENCES names,
    fault INTEGER REFERENCES names,
    status INTEGER,
    generation_id TEXT,
    request_id TEXT,
    billable INTEGER NOT NULL,
    cost REAL,
    cost_source INTEGER REFERENCES names,
    prompt_tokens INTEGER,
    completion_tokens INTEGER,
    retry_after REAL,
    upstream TEXT,
    PRIMARY KEY (call, number)
) WITHOUT ROWID;
CREATE INDEX unsettled_attempts ON raw_attempts (call) WHERE billable AND cost IS NULL;

CREATE TABLE raw_probes (
    number INTEGER PRIMARY KEY,
    started_at REAL NOT NULL,
    route INTEGER REFERENCES names,
    endpoint INTEGER NOT NULL REFERENCES names,
    fault INTEGER REFERENCES names,
    seconds REAL NOT NULL
);
CREATE INDEX probes_by_time ON raw_probes (started_at);

CREATE TABLE texts (
    call INTEGER PRIMARY KEY REFERENCES raw_calls ON DELETE CASCADE,
    prompt TEXT NOT NULL,
    answer TEXT,
    messages TEXT
);

CREATE TABLE prices (
    model TEXT PRIMARY KEY,
    canonical TEXT,
    prompt_usd REAL NOT NULL,
    completion_usd REAL NOT NULL,
    request_usd REAL NOT NULL,
    read_at REAL NOT NULL
);
"""


def _named(*columns: str, of: str) -> str:
    """SQL that puts names back in the place of their numbers."""
    return ", ".join(
        f"(SELECT name FROM names WHERE names.id = {of}.{column}) AS {column}" for column in columns
    )


_VIEWS = f"""
CREATE VIEW calls AS SELECT
    number, id, datetime(started_at, 'unixepoch') AS at, started_at,
    {_named("kind", "ended", "error", "requested", of="c")},
    deadline, seconds, first_token_seconds,
    {_named("model", "endpoint", "provider", "finish_reason", of="c")},
    substituted, cost, {_named("cost_source", of="c")}, prompt_tokens, completion_tokens, attempts,
    cached, stale
FROM raw_calls AS c;

CREATE VIEW attempts AS SELECT
    a.call, a.number, datetime(c.started_at + a.begun_seconds, 'unixepoch') AS at,
    c.started_at + a.begun_seconds AS started_at, a.seconds,
    {_named("route", "endpoint", "model", "provider", "fault", of="a")},
    a.status, a.generation_id, a.request_id, a.billable, a.cost, {_named("cost_source", of="a")},
    a.prompt_tokens, a.completion_tokens, a.retry_after, a.upstream
FROM raw_attempts AS a JOIN raw_calls AS c ON c.number = a.call;

CREATE VIEW probes AS SELECT
    number, datetime(started_at, 'unixepoch') AS at, started_at, seconds,
    {_named("route", "endpoint", "fault", of="p")}
FROM raw_probes AS p;

CREATE VIEW served_by AS SELECT
    endpoint, model, provider, count(*) AS calls, sum(cached) AS from_cache,
    round(avg(seconds) FILTER (WHERE NOT cached), 3) AS mean_seconds,
    sum(cost) AS known_cost, sum(cost IS NULL) AS calls_of_unknown_cost
FROM calls WHERE ended = 'answered' GROUP BY endpoint, model, provider ORDER BY calls DESC;

CREATE VIEW by_day AS SELECT
    date(started_at, 'unixepoch') AS day, count(*) AS calls, sum(ended = 'answered') AS answered,
    sum(ended IN ('failed', 'interrupted')) AS failed,
    sum(ended = 'answered' AND attempts > 1) AS after_failures, sum(cached) AS from_cache,
    sum(cost) AS known_cost, sum(cost IS NULL) AS calls_of_unknown_cost
FROM calls GROUP BY day ORDER BY day;

CREATE VIEW failures AS SELECT
    at, call, number, route, endpoint, fault, status, seconds, generation_id, request_id, cost
FROM attempts WHERE fault IS NOT NULL ORDER BY call, number;

CREATE VIEW costs AS SELECT
    date(started_at, 'unixepoch') AS day, endpoint, model, count(*) AS attempts,
    sum(prompt_tokens) AS prompt_tokens, sum(completion_tokens) AS completion_tokens,
    sum(cost) AS known_cost, sum(billable AND cost IS NULL) AS attempts_of_unknown_cost
FROM attempts GROUP BY day, endpoint, model ORDER BY day, known_cost DESC;
"""

MIGRATIONS: tuple[str, ...] = (_TABLES + _VIEWS,)


class OtherVersion(sqlite3.DatabaseError):
    """Another version of this package made the file, and this one cannot take it further."""


def migrate(connection: sqlite3.Connection) -> None:
    """Take a file through the steps it does not have behind it; several processes may try at once.

    Raises:
        OtherVersion: it has steps behind it that this version does not know.
        sqlite3.Error: it cannot be read or written.
    """
    if _version(connection) == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        done = _version(connection)  # again, now that nobody else can be at it
        check_not_newer(connection)
        for step in MIGRATIONS[done:]:
            for statement in filter(str.strip, step.split(";\n")):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def check_not_newer(connection: sqlite3.Connection) -> None:
    """See whether a file can be used, or taken to the version that can.

    Raises:
        OtherVersion: it cannot.
        sqlite3.Error: it cannot be read.
    """
    if _version(connection) > len(MIGRATIONS):
        check_version(connection)


def check_version(connection: sqlite3.Connection) -> None:
    """See whether a file can be used as it is.

    Raises:
        OtherVersion: it cannot.
        sqlite3.Error: it cannot be read.
    """
    done = _version(connection)
    if done != len(MIGRATIONS):
        raise OtherVersion(f"its version is {done}, and this package knows {len(MIGRATIONS)}")


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version
