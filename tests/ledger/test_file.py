"""The file: a row a call and one an attempt, many writers, and a schema that can grow."""

from __future__ import annotations

import json
import os
import shutil
import threading
from pathlib import Path

import pytest

from openrouter_resilient import Ledger
from openrouter_resilient.ledger import sqlite as ledger_sqlite
from openrouter_resilient.ledger.migrations import MIGRATIONS
from tests.ledger.making import START, answered_by_fallback, make_attempt, make_record

PACKAGE = Path(ledger_sqlite.__file__).parents[2]


def test_a_call_is_a_row_and_so_is_each_attempt(path, look):
    record = answered_by_fallback(START)

    Ledger(path).add(record)

    assert [("answered", "openai", "gpt-4o-2024-08-06", 2)] == look(
        "SELECT ended, endpoint, model, attempts FROM calls"
    )
    assert [(1, "server_error", 500), (2, None, None)] == look(
        "SELECT number, fault, status FROM attempts ORDER BY number"
    )


def test_a_real_call_is_in_the_file_when_its_answer_is_handed_over(make_client, path, look):
    client = make_client(ledger=path)

    answer = client.complete("hi")

    assert [(answer.served.generation_id, pytest.approx(answer.served.cost))] == look(
        "SELECT generation_id, cost FROM attempts"
    )


def test_the_views_answer_the_common_questions(path, look):
    ledger = Ledger(path)
    for record in (make_record(), make_record(), answered_by_fallback(START + 86_400)):
        ledger.add(record)

    assert [("openrouter", 2), ("openai", 1)] == look("SELECT endpoint, calls FROM served_by")
    assert [(2, 2, 0, 0), (1, 1, 0, 1)] == look(
        "SELECT calls, answered, failed, after_failures FROM by_day"
    )
    assert [("openrouter", "server_error", 500)] == look(
        "SELECT endpoint, fault, status FROM failures"
    )
    assert (pytest.approx(0.002), 0) == look(
        "SELECT known_cost, attempts_of_unknown_cost FROM costs"
    )[0]


def test_unknown_is_null_and_never_nought(path, look):
    Ledger(path).add(make_record(attempts=(make_attempt(cost=None),)))

    assert [(None, "unknown", None, None)] == look(
        "SELECT cost, cost_source, prompt_tokens, first_token_seconds FROM calls"
    )


def test_texts_are_in_the_file_only_if_they_are_kept(make_client, path, look):
    make_client(ledger=path).complete("an unkept prompt")
    before = path.read_bytes() + path.with_name("calls.db-wal").read_bytes()
    make_client(ledger=path, keep_text=True).complete("a kept prompt")

    ((prompt, answer),) = look("SELECT prompt, answer FROM texts")
    assert b"unkept" not in before
    assert "a kept prompt" == json.loads(prompt)[0]["content"]
    assert answer


def test_threads_write_to_one_file(path, look):
    ledger = Ledger(path)

    def write():
        for _ in range(50):
            ledger.add(make_record())

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [(400,)] == look("SELECT count(*) FROM calls")
    assert (0, 0) == (ledger.lost, ledger.waiting)


def test_a_forked_child_writes_through_a_connection_of_its_own(path, look):
    ledger = Ledger(path)
    ledger.add(make_record())

    child = os.fork()
    if not child:
        ledger.add(make_record())
        os._exit(0 if not ledger.waiting else 1)
    _, status = os.waitpid(child, 0)
    ledger.add(make_record())

    assert 0 == status
    assert [(3,)] == look("SELECT count(*) FROM calls")


def test_what_a_forked_child_writes_is_there_though_its_parent_closed_the_file(path, look):
    ledger = Ledger(path)
    ledger.add(make_record())
    (written, write), (read, closed) = os.pipe(), os.pipe()

    child = os.fork()
    if not child:
        ledger.add(make_record())
        os.write(write, b"x")
        os.read(read, 1)
        ledger.add(make_record())
        os._exit(ledger.waiting)
    os.read(written, 1)
    ledger.close()
    os.write(closed, b"x")
    _, status = os.waitpid(child, 0)

    assert 0 == status
    assert [(3,)] == look("SELECT count(*) FROM calls")


def test_a_child_that_is_forked_while_another_thread_writes_can_write(path, look, monkeypatch):
    ledger = Ledger(path)
    ledger.add(make_record())
    forking, writing = threading.Event(), threading.Event()
    hold = ledger_sqlite.LedgerFile.hold_for_fork

    def tell_and_hold(file):
        forking.set()
        return hold(file)

    def write():
        with ledger._file.transaction():
            writing.set()
            forking.wait(5.0)

    monkeypatch.setattr(ledger_sqlite.LedgerFile, "hold_for_fork", tell_and_hold)
    thread = threading.Thread(target=write)
    thread.start()
    writing.wait(5.0)

    child = os.fork()
    if not child:
        ledger.add(make_record())
        os._exit(ledger.waiting)
    _, status = os.waitpid(child, 0)
    thread.join()
    ledger.add(make_record())

    assert 0 == status
    assert [(3,)] == look("SELECT count(*) FROM calls")


def test_an_old_file_is_taken_through_the_steps_it_lacks(path, look, monkeypatch):
    Ledger(path).add(make_record())
    later = (*MIGRATIONS, "ALTER TABLE raw_calls ADD COLUMN note TEXT")
    monkeypatch.setattr("openrouter_resilient.ledger.migrations.MIGRATIONS", later)

    Ledger(path).report()

    assert [(None,)] == look("SELECT note FROM raw_calls")
    assert [(len(later),)] == look("PRAGMA user_version")


def test_a_step_that_fails_leaves_nothing_half_done(path, look, monkeypatch):
    Ledger(path).add(make_record())
    broken = (*MIGRATIONS, "CREATE TABLE half (a);\nCREATE TABLE raw_calls (b)")
    monkeypatch.setattr("openrouter_resilient.ledger.migrations.MIGRATIONS", broken)
    ledger = Ledger(path)

    ledger.add(make_record())

    assert 1 == ledger.waiting
    assert [] == look("SELECT name FROM sqlite_master WHERE name = 'half'")
    assert [(len(MIGRATIONS),)] == look("PRAGMA user_version")


def test_prune_forgets_what_is_old_and_gives_its_space_back(path, look):
    ledger = Ledger(path)
    now = ledger_sqlite.SystemClock().wall()
    for at in range(2_000):
        ledger.add(make_record(started_at=now - 91 * 86_400 - at))
    ledger.add(make_record(started_at=now - 89 * 86_400))
    ledger.probe("openai", seconds=0.1, started_at=now - 91 * 86_400)
    ledger.close()
    size = path.stat().st_size

    deleted = ledger.prune(keep="90d")

    assert 2_000 == deleted
    assert [(1,)] == look("SELECT count(*) FROM calls") == look("SELECT count(*) FROM attempts")
    assert [(0,)] == look("SELECT count(*) FROM probes")
    assert path.stat().st_size < size / 3


def test_the_file_grows_by_less_than_500_bytes_a_call(path):
    ledger = Ledger(path)
    for number in range(3_000):
        ident = f"gen-1795461183-{number:020d}"
        attempt = make_attempt(generation_id=ident, cost=0.001, prompt_tokens=900,
                               completion_tokens=100, seconds=1.2345)  # fmt: skip
        ledger.add(make_record(attempts=(attempt,), first_token_seconds=0.4321))
    ledger.close()

    assert path.stat().st_size / 3_000 < 500


def test_two_ledgers_of_one_file_agree(path):
    one, other = Ledger(path), Ledger(path)

    one.add(make_record())
    other.add(make_record())

    assert 2 == one.report().calls == other.report().calls


def test_a_copy_can_be_read_while_it_is_written(path, tmp_path):
    ledger = Ledger(path)
    ledger.add(make_record())
    ledger.close()

    shutil.copy(path, tmp_path / "copy.db")

    assert 1 == Ledger(tmp_path / "copy.db").report().calls
