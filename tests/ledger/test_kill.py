"""`kill -9` in the middle of 10,000 recorded calls from 4 processes."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import openrouter_resilient

ROOT = Path(openrouter_resilient.__file__).parents[1]
PROCESSES, CALLS = 4, 2_500

# Whole calls through a client, whose wire answers at once; what was handed over is written down
# by the operating system before the next call begins.
WRITER = """
import json, os, sys
from openrouter_resilient import Client

class Reply:
    status, headers = 200, {"content-type": "application/json"}
    def __init__(self, body): self.body = body
    def read(self, until):
        body, self.body = self.body, b""
        return body
    def close(self, *, keep): pass

class Wire:
    number = 0
    def post(self, url, headers, body, *, until):
        Wire.number += 1
        if Wire.number % 7 == 0:
            return Reply(b'{"error": {"code": 500, "message": "no"}}')
        return Reply(json.dumps({
            "id": f"gen-{os.getpid()}-{Wire.number}", "model": "openai/gpt-4o",
            "choices": [{"message": {"content": "yes"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "cost": 0.001},
        }).encode())
    def renew(self): pass
    def close(self): pass

import logging
logging.disable()
client = Client("openai/gpt-4o", fallbacks=("openai:gpt-4o",), transport=Wire(), jitter=lambda: 0.0,
                keys={"openai": "k"}, api_key="k", ledger=sys.argv[1])
handed_over = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
for _ in range(int(sys.argv[3])):
    answer = client.complete("hi")
    os.write(handed_over, f"{answer.served.generation_id}\\n".encode())
"""


@pytest.mark.slow
def test_every_call_that_was_handed_over_is_there_and_the_file_is_whole(path, tmp_path, look):
    lists = [tmp_path / f"{number}.txt" for number in range(PROCESSES)]
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(listed), str(CALLS)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for listed in lists
    ]
    half = PROCESSES * CALLS // 2
    try:
        while sum(map(lines, lists)) < half and any(w.poll() is None for w in writers):
            writers[0].poll()
    finally:
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
            writer.wait()

    handed_over = {line for listed in lists for line in listed.read_text().splitlines()}
    kept = {row[0] for row in look("SELECT generation_id FROM attempts WHERE fault IS NULL")}
    assert {-signal.SIGKILL} == {writer.returncode for writer in writers}
    assert half <= len(handed_over) < PROCESSES * CALLS
    assert handed_over <= kept
    assert len(kept) <= len(handed_over) + PROCESSES
    assert [("ok",)] == look("PRAGMA integrity_check")
    assert [] == look("PRAGMA foreign_key_check")
    assert [] == look(
        "SELECT call FROM raw_attempts WHERE call NOT IN (SELECT number FROM raw_calls)"
    )
    assert [] == look(
        "SELECT number FROM raw_calls AS c WHERE attempts != "
        "(SELECT count(*) FROM raw_attempts WHERE call = c.number)"
    )
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def lines(listed):
    return listed.stat().st_size // 16 if listed.exists() else 0
