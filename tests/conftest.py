"""A clean environment for every test: no keys, no `.env`, no network but this machine."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import threading

import pytest
from hypothesis import HealthCheck, settings

from openrouter_resilient import Client
from openrouter_resilient.simulator import Simulator

pytest_plugins = ("pytester", "openrouter_resilient.simulator.pytest_plugin")

# A run in the background begins with Ctrl-C ignored, and some tests press it.
signal.signal(signal.SIGINT, signal.default_int_handler)

PREFIXES = ("OPENROUTER", "OPENAI", "GROQ", "ANTHROPIC", "REDIS")
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")

# Properties see the same examples each time; `HYPOTHESIS_PROFILE=search pytest tests/properties`
# looks for new ones. A fixture that only keeps the machine's settings away may stay the same.
COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}
settings.register_profile("same", derandomize=True, database=None, max_examples=200, **COMMON)
settings.register_profile("search", max_examples=5_000, print_blob=True, database=None, **COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    """Nothing of the machine's own settings reaches a test."""
    for name in list(os.environ):
        if name.startswith(PREFIXES) or name.lower() in PROXIES:
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch):
    """A test that would reach the network fails instead."""
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = address[0]
            assert ipaddress.ip_address(host.partition("%")[0]).is_loopback, f"not loopback: {host}"
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def no_more_threads(monkeypatch):
    """Lets the process have no more threads of a name; what that gives ends it."""
    start, refused = threading.Thread.start, set()

    def start_unless_refused(thread):
        if thread.name in refused:
            raise RuntimeError("can't start new thread")
        start(thread)

    def refuse(name):
        refused.add(name)
        return refused.clear

    monkeypatch.setattr(threading.Thread, "start", start_unless_refused)
    return refuse


@pytest.fixture
def simulator():
    """The four upstreams, healthy."""
    with Simulator() as running:
        yield running


@pytest.fixture
def make_client(simulator):
    """A client of the simulator's upstreams: OpenRouter, and OpenAI behind it, unless told else."""
    made = []

    def make(models="anthropic/claude-sonnet-5", fallbacks=("openai:gpt-4o",), **options):
        options.setdefault("environment", simulator.environment())
        client = Client(models, fallbacks=fallbacks, **options)
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()
