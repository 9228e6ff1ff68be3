"""An example as a process of its own, with nothing in its environment but what a test gives it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.health.conftest import redis_server, word_of  # noqa: F401  fixtures
from tests.processes import ROOT, clean_environment

EXAMPLES = ROOT / "examples"
LONGEST_S = 60.0


@pytest.fixture
def start(tmp_path):
    """Begin an example; those that are still running at the end are killed."""
    running = []

    def start(name, *arguments, **environment):
        process = subprocess.Popen(
            (sys.executable, EXAMPLES / name, *map(str, arguments)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=clean_environment(**environment),
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def run(start):
    """Run an example to its end."""

    def run(name, *arguments, stdin="", **environment):
        process = start(name, *arguments, **environment)
        said, warned = process.communicate(stdin, timeout=LONGEST_S)
        return subprocess.CompletedProcess(name, process.returncode, said, warned)

    return run
