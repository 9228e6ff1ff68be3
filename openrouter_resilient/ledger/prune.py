"""Forget what is old, a piece at a time, so that calls are recorded meanwhile."""

from __future__ import annotations

import sqlite3
from contextlib import suppress

from openrouter_resilient.ledger.sqlite import LedgerFile

A_PIECE = 5_000  # calls; what is deleted in well under a call's patience with a busy file


def prune(file: LedgerFile, before: float) -> int:
    """Delete calls and probes that began before an instant, and give their space back.

    Args:
        file: the ledger's.
        before: seconds since 1970.

    Returns:
        How many calls were deleted.

    Raises:
        sqlite3.Error, OSError: the file is in trouble.
    """
    deleted = 0
    while piece := _delete_piece(file, before):
        deleted += piece
    with file.transaction() as (connection, _):
        connection.execute("DELETE FROM raw_probes WHERE started_at < ?", (before,))
    if deleted:
        _give_space_back(file)
    return deleted


def _delete_piece(file: LedgerFile, before: float) -> int:
    with file.transaction() as (connection, _):
        return connection.execute(
            "DELETE FROM raw_calls WHERE number IN "
            "(SELECT number FROM raw_calls WHERE started_at < ? LIMIT ?)",
            (before, A_PIECE),
        ).rowcount


def _give_space_back(file: LedgerFile) -> None:
    """Rewrite the file; where another process is in the way, free pages are used again later."""
    with suppress(sqlite3.OperationalError):
        connection = sqlite3.connect(file.path, timeout=5.0, isolation_level=None)
        try:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()
