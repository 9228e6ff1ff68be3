"""The command line as a process of its own, with nothing in its environment but the simulator."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.processes import clean_environment

LONGEST_S = 30.0
MODULE = ("-m", "openrouter_resilient")


@pytest.fixture
def environment(simulator):
    """What a process needs to find Python, this package and the simulator."""
    return clean_environment(**simulator.environment())


@pytest.fixture
def start(environment):
    """Begin a process; those that are still running at the end are killed."""
    running = []

    def start(*arguments, python=MODULE, **changes):
        process = subprocess.Popen(
            (sys.executable, *python, *arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**environment, **changes},
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def run(environment):
    """Run a command line to its end; what it wrote is text."""

    def run(*arguments, python=MODULE, stdin=b"", **changes):
        ended = subprocess.run(
            (sys.executable, *python, *arguments),
            input=stdin,
            capture_output=True,
            env={**environment, **changes},
            timeout=LONGEST_S,
            check=False,
        )
        ended.stdout, ended.stderr = ended.stdout.decode(), ended.stderr.decode()
        return ended

    return run


@pytest.fixture
def settings(monkeypatch, simulator):
    """This process's own environment points at the simulator, too."""
    for name, value in simulator.environment().items():
        monkeypatch.setenv(name, value)
