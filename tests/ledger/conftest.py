"""A ledger's file, and a look into it by hand."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest


@pytest.fixture
def path(tmp_path):
    return tmp_path / "calls.db"


@pytest.fixture
def look(path):
    """The rows that a query by hand finds."""

    def rows(query, *values):
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute(query, values).fetchall()

    return rows
