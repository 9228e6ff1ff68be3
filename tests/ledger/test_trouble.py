"""Whatever happens to the file: no call fails, one warning is given, and writing resumes."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import traceback
from contextlib import closing
from pathlib import Path

import pytest

from openrouter_resilient import ConfigurationError, Ledger
from openrouter_resilient.ledger import sqlite as ledger_sqlite
from tests.ledger.making import START, make_record

PACKAGE = Path(ledger_sqlite.__file__).parents[2]
NOBODY = 65_534


@pytest.fixture
def patient(monkeypatch):
    """The file is tried again at once, so that no test has to wait."""
    monkeypatch.setattr(ledger_sqlite, "FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr(ledger_sqlite, "LONGEST_PAUSE_S", 0.0)
    monkeypatch.setattr(ledger_sqlite, "BUSY_MS", 20)


def warnings(caplog):
    return [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]


def test_a_locked_file_fails_no_call_and_is_written_later(make_client, path, look, patient, caplog):
    client = make_client(ledger=path)
    client.complete("hi")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        client.complete("hi")
        client.complete("hi")
        waiting = client.ledger.waiting
        other.execute("ROLLBACK")
    client.complete("hi")

    assert 2 == waiting
    assert [(4,)] == look("SELECT count(*) FROM calls")
    assert (0, 0) == (client.ledger.lost, client.ledger.waiting)
    assert ["cannot be written" in w for w in warnings(caplog)] == [True, False]


def test_a_probe_of_a_locked_file_waits_like_a_call(path, look, patient):
    ledger = Ledger(path)
    ledger.add(make_record())
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        ledger.probe("groq", route="groq:llama", fault="refused", seconds=0.1)
        waiting = ledger.waiting
        other.execute("ROLLBACK")
    ledger.add(make_record())

    assert (1, 0) == (waiting, ledger.waiting)
    assert [("groq", "groq:llama", "refused")] == look("SELECT endpoint, route, fault FROM probes")


def test_a_file_that_is_none_is_left_as_it_is(make_client, path, caplog, patient):
    path.write_bytes(b"these are my holiday notes, keep them" * 50)
    before = path.read_bytes()
    client = make_client(ledger=path)

    answers = [client.complete("hi"), client.complete("hi")]

    assert all(answer.text for answer in answers)
    assert before == path.read_bytes()
    assert 1 == len(warnings(caplog))
    assert 2 == client.ledger.waiting == len(client.ledger.calls)


def test_writing_resumes_when_a_corrupt_file_was_moved_away(path, look, patient):
    path.write_bytes(b"no database" * 500)
    ledger = Ledger(path)
    ledger.add(make_record())

    path.unlink()
    ledger.add(make_record())

    assert [(2,)] == look("SELECT count(*) FROM calls")


def test_a_file_that_is_removed_while_in_use_is_made_anew(path, look):
    ledger = Ledger(path)
    ledger.add(make_record())

    for file in path.parent.glob("calls.db*"):
        file.unlink()
    ledger.add(make_record())

    assert [(1,)] == look("SELECT count(*) FROM calls")


@pytest.mark.parametrize(
    "path", ["/proc/self/calls.db", "~nosuchuser/calls.db"], ids=["takes no file", "is nobody's"]
)
def test_a_folder_that_cannot_be_written_to_fails_no_call(make_client, caplog, path):
    client = make_client(ledger=path)

    assert client.complete("hi").text
    assert client.complete("hi").text
    assert 1 == len(warnings(caplog))
    assert 2 == client.ledger.waiting


def test_a_folder_that_is_not_there_yet_fails_no_call(tmp_path, patient):
    path = tmp_path / "later" / "calls.db"
    ledger = Ledger(path)
    ledger.add(make_record())
    waiting = ledger.waiting

    path.parent.mkdir()
    ledger.add(make_record())

    assert (1, 0) == (waiting, ledger.waiting)


FULL = """
import os, signal, sys
from openrouter_resilient import Ledger
from openrouter_resilient.ledger import sqlite
from tests.ledger.making import make_record

def fill():
    try:
        with open("filler", "wb", buffering=0) as filler:
            while True:
                filler.write(bytes(1024))
    except OSError:
        pass

def limit(size=None):
    import resource
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size or resource.RLIM_INFINITY, -1))

sqlite.FIRST_PAUSE_S = sqlite.LONGEST_PAUSE_S = 0.0
ledger = Ledger("calls.db")
if sys.argv[1] != "from the beginning":
    ledger.add(make_record())
fill() if sys.argv[2] == "disk" else limit(60_000)
for _ in range(200):
    ledger.add(make_record())
waiting = ledger.waiting
os.remove("filler") if sys.argv[2] == "disk" else limit()
ledger.add(make_record())
with ledger._file.transaction() as (connection, _):
    whole = connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
print(waiting, ledger.waiting, ledger.lost, ledger.report().calls, int(whole))
"""
# A disk of 8 MB in a world of its own, which goes with the command that is run in it.
SMALL_DISK = ["unshare", "--mount", "--map-root-user", "sh", "-c",
              'mount -t tmpfs -o size=8m tmpfs "$PWD" && cd "$PWD" && exec "$@"', "sh"]  # fmt: skip


def record_on_a_full_one(folder, *arguments, inside=()):
    done = subprocess.run(
        [*inside, sys.executable, "-c", FULL, *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PACKAGE)},
        check=True,
    )
    return tuple(map(int, done.stdout.split()))


@pytest.mark.parametrize(("when", "calls"), [("from the beginning", 201), ("later", 202)])
def test_a_full_disk_fails_no_call_and_writing_resumes_when_there_is_room(tmp_path, when, calls):
    if (
        not shutil.which("unshare")
        or subprocess.run(
            [*SMALL_DISK, "true"], capture_output=True, check=False, cwd=tmp_path
        ).returncode
    ):
        pytest.skip("this user may mount no disk")

    waiting, *after = record_on_a_full_one(tmp_path, when, "disk", inside=SMALL_DISK)

    assert waiting > 0
    assert [0, 0, calls, True] == after


def test_a_file_that_may_not_grow_fails_no_call_either(tmp_path):
    """The operating system refuses it as a full disk does, in the middle of a write."""
    waiting, *after = record_on_a_full_one(tmp_path, "later", "limit")

    assert waiting > 0
    assert [0, 0, 202, True] == after


@pytest.fixture
def shown_folder():
    """A folder that everybody can look into."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def as_somebody_else(check):
    """What goes wrong with a check in a child that has no rights to what this user owns."""
    out, into = os.pipe()
    child = os.fork()
    if not child:
        try:
            if not os.geteuid():
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            check()
        except BaseException:
            os.write(into, traceback.format_exc().encode()[-4_000:])
        finally:
            os._exit(0)
    os.close(into)
    with os.fdopen(out) as said:
        wrong = said.read()
    os.waitpid(child, 0)
    return wrong


@pytest.mark.parametrize("busy", [False, True], ids=["its writer has gone", "its writer is there"])
def test_a_ledger_that_may_only_be_read_fails_no_call_and_is_reported(shown_folder, caplog, busy):
    path = shown_folder / "calls.db"
    writer = Ledger(path)
    for _ in range(3):
        writer.add(make_record(started_at=START))
    writer.report()
    there = sqlite3.connect(path)  # a writer of this process would let go of the file for a fork
    there.execute("SELECT count(*) FROM calls").fetchone()
    if not busy:
        there.close()
        writer.close()
    for file in shown_folder.iterdir():
        file.chmod(0o444)
    shown_folder.chmod(0o555)

    def check():
        reader = Ledger(path)
        reader.add(make_record())
        assert (1, 0, 1) == (reader.waiting, reader.lost, len(reader.calls))
        assert 3 == reader.report().calls
        with pytest.raises(ConfigurationError, match="cannot be used"):
            reader.prune("90d")

    wrong = as_somebody_else(check)
    shown_folder.chmod(0o755)
    there.close()
    assert not wrong


def test_a_corrupt_page_in_the_middle_fails_no_call(make_client, path, patient, caplog):
    client = make_client(ledger=path)
    for _ in range(3):
        client.complete("hi")
    client.ledger.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"rubbish" * 4_000)

    assert client.complete("hi").text
    assert 1 == client.ledger.waiting
    assert 1 == len(warnings(caplog))
    with pytest.raises(ConfigurationError, match="cannot be used"):
        client.ledger.report()


def test_what_waits_is_bounded_and_the_rest_is_counted_as_lost(monkeypatch):
    monkeypatch.setattr(ledger_sqlite, "MOST_WAITING", 3)
    ledger = Ledger("/proc/self/calls.db")

    for _ in range(10):
        ledger.add(make_record())

    assert (3, 7) == (ledger.waiting, ledger.lost)


def test_a_file_in_trouble_is_left_alone_for_a_while(path, monkeypatch):
    """A call must not wait for a locked file each time."""
    tries = []
    monkeypatch.setattr(
        ledger_sqlite, "migrate", lambda _: tries.append(1) or (_ for _ in ()).throw(OSError())
    )
    ledger = Ledger(path)

    for _ in range(10):
        ledger.add(make_record())

    assert [1] == tries


def test_a_record_that_cannot_be_written_keeps_back_no_other(path, look):
    ledger = Ledger(path)

    ledger.add(make_record(prompt_tokens=2**70))
    ledger.add(make_record())

    assert (1, 0) == (ledger.lost, ledger.waiting)
    assert [(1,)] == look("SELECT count(*) FROM calls")


def test_half_a_character_in_a_name_is_written(path, look):
    Ledger(path).add(make_record(model="model-\ud83d", finish_reason="x" * 10_000))

    ((model, reason),) = look("SELECT model, finish_reason FROM calls")
    assert "model-?" == model
    assert 200 == len(reason)


def test_a_file_of_a_newer_version_is_not_touched(path, look, caplog):
    Ledger(path).add(make_record())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    ledger = Ledger(path)

    ledger.add(make_record())

    assert 1 == ledger.waiting
    assert "99" in warnings(caplog)[0]
    assert [(1,)] == look("SELECT count(*) FROM calls")


def test_a_ledger_that_outlives_its_modules_goes_without_a_word(path, monkeypatch):
    """At the interpreter's end a module's names may be gone before the objects it made."""
    ledger = Ledger(path)
    ledger.add(make_record())
    complaints = []
    monkeypatch.setattr(sys, "unraisablehook", complaints.append)
    with monkeypatch.context() as end:
        for name in ("sqlite3", "suppress", "threading", "os"):
            end.setattr(ledger_sqlite, name, None)
        del ledger
        gc.collect()

    assert [] == complaints
