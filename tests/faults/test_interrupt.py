"""Ctrl-C gets out at once and leaves nothing behind; nothing keeps a process from ending."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
AT_ONCE_S = 0.5
ENDS_S = 3.0  # the interpreter's own end, on a busy machine; what hangs would hang for a minute


def python(*arguments):
    """Start Python in this project's folder, whatever the working directory is."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.mark.skipif(os.name == "nt", reason="SIGINT cannot be sent to another process there")
@pytest.mark.parametrize(
    ("where", "breaker"),
    [
        ("headers", "closed"),
        ("backoff", "closed"),
        ("stream", "closed"),
        ("trial", "half-open"),  # given back: the next call may try
    ],
)
def test_an_interrupted_call_ends_at_once_and_leaves_no_socket_and_no_trial(where, breaker):
    with python("-m", "tests.faults.interrupted", where) as process:
        while (line := process.stdout.readline().strip()) not in ("waiting", ""):
            pass
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        left = json.loads(process.stdout.readline())
        seconds = time.monotonic() - began

    assert "waiting" == line
    assert {"open_sockets": 0, "breaker": breaker} == left
    assert seconds < AT_ONCE_S
    assert 0 == process.returncode


EXITS = """
import logging, socket, threading, time
logging.getLogger("openrouter_resilient").addHandler(logging.NullHandler())
from openrouter_resilient import Client, ResilientError
from openrouter_resilient.simulator import Simulator
from openrouter_resilient.wire.sockets import RESOLVER
simulator = Simulator(("openrouter",)).start()
simulator.play("openrouter", "no_headers")
environment = simulator.environment()
{hang}
client = Client("openai/gpt-4o", fallbacks=(), environment=environment, deadline=0.3)
try:
    client.complete("hi")
except ResilientError as error:
    print(type(error).__name__, flush=True)
"""
HANGING_RESOLVER = """
RESOLVER._lookup = lambda *_, **__: threading.Event().wait(60)
environment["OPENROUTER_BASE_URL"] = "http://hangs.example/api/v1"
"""


@pytest.mark.parametrize("hang", ["", HANGING_RESOLVER], ids=["headers", "resolver"])
def test_a_process_ends_right_after_a_call_that_hung(hang):
    with python("-c", EXITS.format(hang=hang)) as process:
        said = process.stdout.readline().strip()
        began = time.monotonic()
        process.wait(20)
        seconds = time.monotonic() - began

    assert "DeadlineExceeded" == said
    assert (0, True) == (process.returncode, seconds < ENDS_S)
