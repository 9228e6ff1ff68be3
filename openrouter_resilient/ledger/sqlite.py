"""The lasting record: one SQLite file, written by many threads and processes.

A call is in the file before its answer is handed over. With the write-ahead log and
`synchronous=NORMAL`, a commit has been given to the operating system when it returns: it survives
whatever happens to the process (`kill -9` too), and costs no wait for the disk. What a power
failure or a crash of the machine may take is the commits since the last checkpoint; never the file
itself.

Trouble with the file fails no call. What could not be written waits, is tried again later, and is
counted as lost when too much of it waits.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from weakref import WeakSet

from openrouter_resilient.forking import renew_in_forked_child
from openrouter_resilient.ledger.migrations import check_version, migrate
from openrouter_resilient.ledger.rows import Names, insert_call, insert_probe
from openrouter_resilient.record import CallRecord, ProbeRecord
from openrouter_resilient.wire.clock import SystemClock, monotonic

LOG = logging.getLogger("openrouter_resilient.ledger")
BUSY_MS = 500  # what another process's writing may cost a call; one write takes a tenth of a ms
MOST_WAITING = 1_000  # records that wait for the file to be well again
FORK_WAITS_S = 2.0  # for a thread that is writing; four times what a busy file may hold it up
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0  # between two tries at a file that is in trouble
CHECKPOINT_PAGES = (
    4_000  # 16 MB; each checkpoint waits for the disk, once in about a thousand calls
)
UNWRITABLE = (
    # The record's fault, not the file's: it would fail again, and keep back all that follow it.
    OverflowError,
    UnicodeError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    sqlite3.DataError,
)


class LedgerFile:
    """A ledger's file.

    Attributes:
        path: where it is.
        lost: how many calls and probes are not in it and never will be.
    """

    def __init__(self, path: Path) -> None:
        """Open nothing yet."""
        self.path = path
        self.lost = 0
        self._waiting: deque[CallRecord | ProbeRecord] = deque()
        self._connection: sqlite3.Connection | None = None
        self._names: Names | None = None
        self._inode = (0, 0)
        self._troubled, self._pause, self._not_before = False, 0.0, 0.0
        self._lock = threading.RLock()
        self._writing = False
        renew_in_forked_child(self)
        _FILES.add(self)

    @property
    def waiting(self) -> int:
        """How many calls and probes wait to be written."""
        return len(self._waiting)

    def add(self, record: CallRecord | ProbeRecord) -> None:
        """Write it, or have it wait if that cannot be done now. Raises no error of the file."""
        self._waiting.append(record)
        with self._lock:  # held while writing: threads queue here, not in SQLite's busy handler
            if not self._writing:  # a signal handler's call; whom it interrupted writes it, too
                self._write_waiting()

    @contextmanager
    def transaction(self) -> Iterator[tuple[sqlite3.Connection, Names]]:
        """Several writes that are done together or not at all.

        Raises:
            sqlite3.Error, OSError: the file is in trouble.
        """
        with self._lock:
            connection, names = self._opened()
            self._writing = True
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection, names
                connection.execute("COMMIT")
            except BaseException:
                self._names = Names(connection)  # what was added with this transaction is not there
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            finally:
                self._writing = False

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection of one's own that sees one moment of the file and holds up nobody.

        Raises:
            sqlite3.Error, OSError: the file is in trouble.
        """
        connection = self._connected_to_read()
        try:
            connection.execute("PRAGMA query_only = 1")
            connection.execute("BEGIN")
            yield connection
        finally:
            connection.close()

    def close(self) -> None:
        """Write what waits, if that can be done, and let go of the file; the next call opens it."""
        with self._lock:
            self._catch_up()
            self._let_go()

    def __del__(self) -> None:
        """Let go of the file; from Python 3.13 on the collector would complain if it had to.

        At the interpreter's end there may be no module left to ask for anything.
        """
        if self._connection is not None:
            self._connection.close()

    def hold_for_fork(self) -> bool:
        """Let go of the file, and let no thread open it; False if one is at it for too long.

        SQLite keeps in memory which locks a process has on a file. A child would inherit that and
        no lock: its log could be deleted under it by whoever closes the file last, and if another
        thread was writing, it would wait for that one's lock for ever.
        """
        if not self._lock.acquire(timeout=FORK_WAITS_S):
            return False
        if not self._writing:  # else a signal's handler forks, in the middle of this very write
            self._let_go()
        return True

    def go_on_after_fork(self) -> None:
        """In the parent: the next call opens it again."""
        self._lock.release()

    def begin_anew(self) -> None:
        """In a forked child: the parent's connection must neither be used nor closed."""
        _PARENTS.append(self._connection)
        self._connection = self._names = None
        self._waiting.clear()
        self._lock = threading.RLock()
        self._writing = False

    def _connected_to_read(self) -> sqlite3.Connection:
        try:
            with self._lock:
                self._catch_up()
                self._opened()  # makes the file, or takes it to the present version
            return sqlite3.connect(self.path, timeout=10.0, isolation_level=None)
        except sqlite3.OperationalError:
            if os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK):
                raise
        # Somebody else's ledger. What is in its log is read if its writers are there to share it.
        log = self.path.with_name(f"{self.path.name}-wal")
        way = "mode=ro" if log.exists() else "immutable=1"
        connection = sqlite3.connect(f"{self.path.as_uri()}?{way}", uri=True, isolation_level=None)
        try:
            check_version(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _catch_up(self) -> None:
        """Write what waits, if that can be done now."""
        self._not_before = 0.0
        if self._waiting and not self._writing:
            self._write_waiting()

    def _write_waiting(self) -> None:
        if self._not_before and monotonic() < self._not_before:
            self._drop_overflow()
            return
        try:
            while self._waiting:
                self._write(self._waiting[0])
                self._waiting.popleft()
        except (sqlite3.Error, OSError) as error:
            self._in_trouble(error)
        else:
            self._well()

    def _write(self, record: CallRecord | ProbeRecord) -> None:
        """One transaction a call: an answer that is handed over waits for no other call's."""
        try:
            with self.transaction() as (connection, names):
                if isinstance(record, CallRecord):
                    insert_call(connection, names, record)
                else:
                    insert_probe(connection, names, record)
        except UNWRITABLE as error:
            self.lost += 1
            LOG.warning("a call could not be recorded: %s", error)

    def _opened(self) -> tuple[sqlite3.Connection, Names]:
        """The connection, made anew if the file was moved away or removed meanwhile."""
        if self._connection is not None and self._names is not None:
            with suppress(OSError):
                now = os.stat(self.path)  # noqa: PTH116  2 µs, not 5
                if (now.st_ino, now.st_dev) == self._inode:
                    return self._connection, self._names
            self._let_go()
        connection = sqlite3.connect(
            self.path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False
        )
        try:
            _prepare(connection)
            migrate(connection)
        except BaseException:
            connection.close()
            raise
        found = self.path.stat()
        self._inode = (found.st_ino, found.st_dev)
        self._connection, self._names = connection, Names(connection)
        return self._connection, self._names

    def _let_go(self) -> None:
        connection, self._connection, self._names = self._connection, None, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _in_trouble(self, error: Exception) -> None:
        """Complain once, and leave the file alone for a while."""
        if not self._troubled:
            LOG.warning(
                "the ledger %s cannot be written (%s); calls go on, and are recorded when it can",
                self.path,
                error,
            )
        self._troubled = True
        self._pause = min(LONGEST_PAUSE_S, self._pause * 2 or FIRST_PAUSE_S)
        self._not_before = monotonic() + self._pause
        self._let_go()
        self._drop_overflow()

    def _drop_overflow(self) -> None:
        while len(self._waiting) > MOST_WAITING:
            self._waiting.popleft()
            self.lost += 1

    def _well(self) -> None:
        if self._troubled:
            LOG.warning(
                "the ledger %s is written again; %d records were lost", self.path, self.lost
            )
        self._troubled, self._pause, self._not_before = False, 0.0, 0.0


def _prepare(connection: sqlite3.Connection) -> None:
    """Set the file up for many writers.

    SQLite does not wait for other processes when it changes the journal mode, so this does.
    """
    clock = SystemClock()
    until = clock.now() + 20 * BUSY_MS / 1000
    while not _has_wal(connection) and clock.now() < until:
        clock.sleep_until(clock.now() + 0.01)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    connection.execute("PRAGMA foreign_keys = ON")


def _has_wal(connection: sqlite3.Connection) -> bool:
    """Whether the file has its write-ahead log, now that it was asked for; not every disk can."""
    if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
        return True
    try:
        return bool(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] == "wal")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            return False
        raise


def _before_fork() -> None:
    _FORKING.held = [file for file in list(_FILES) if file.hold_for_fork()]


def _after_fork_in_parent() -> None:
    for file in getattr(_FORKING, "held", ()):
        file.go_on_after_fork()


_PARENTS: list[sqlite3.Connection | None] = []  # kept, since to collect them would close them
_FILES: WeakSet[LedgerFile] = WeakSet()
_FORKING = threading.local()
if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent)
