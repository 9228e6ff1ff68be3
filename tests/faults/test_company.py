"""One client among threads, processes and interpreters."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from openrouter_resilient import Completion, ResilientError

THREADS = 32


def test_32_threads_share_a_client_and_each_gets_the_answer_to_its_own_prompt(
    simulator, make_client
):
    simulator.play("openrouter", "share_fails", share=0.3)
    client = make_client()

    def ask(number):
        prompt = f"prompt {number} of many"
        if number % 3 == 0:
            with client.stream(prompt) as stream:
                return prompt, "".join(stream)
        wire = "whole" if number % 3 == 1 else "stream"
        return prompt, client.complete(prompt, wire=wire).text

    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(ask, range(10 * THREADS)))

    assert [] == [pair for pair in answers if pair[1] != f"Simulated answer to: {pair[0]}"]


FORKS = """
import json, logging, os, sys
logging.getLogger("openrouter_resilient").addHandler(logging.NullHandler())
from openrouter_resilient import Client
client = Client("openai/gpt-4o", fallbacks=())
mine = [client.complete(f"parent {n}").text for n in range(3)]
reading, writing = os.pipe()
child = os.fork()
name = "parent" if child else "child"
texts = [client.complete(f"{name} {n}", wire=w).text
         for n in range(3, 13) for w in ("stream", "whole")]
good = all(t == f"Simulated answer to: {name} {3 + i // 2}" for i, t in enumerate(texts))
if not child:
    os.write(writing, b"good" if good else b"mixed")
    os._exit(0)
os.waitpid(child, 0)
print(json.dumps([good, os.read(reading, 9).decode()]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
def test_a_client_goes_on_in_parent_and_child_after_a_fork(simulator):
    """Each with connections of its own: a shared one would mix up the answers."""
    assert [True, "good"] == json.loads(run(FORKS, simulator))


FORKS_WHILE_BUSY = """
import json, logging, os, signal, threading
logging.getLogger("openrouter_resilient").addHandler(logging.NullHandler())
from openrouter_resilient import Client
client = Client("openai/gpt-4o", fallbacks=())
over = threading.Event()
def busy():
    while not over.is_set():
        client.complete("busy")
threads = [threading.Thread(target=busy) for _ in range(4)]
for thread in threads: thread.start()
codes = []
for _ in range(5):
    child = os.fork()
    if not child:
        signal.alarm(10)  # a child that hangs would outlive the test
        os._exit(0 if client.complete("child").text.endswith("child") else 1)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
over.set()
for thread in threads: thread.join()
print(json.dumps(codes))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
def test_a_fork_in_the_middle_of_other_threads_calls_leaves_no_lock_behind(simulator):
    assert [0] * 5 == json.loads(run(FORKS_WHILE_BUSY, simulator))


FORKS_AT_THE_FIRST_ANSWER = """
import logging, os, signal, threading, time
logging.getLogger("openrouter_resilient").addHandler(logging.NullHandler())
from openrouter_resilient import Client
from openrouter_resilient.shapes import Completion
client = Client("openai/gpt-4o", fallbacks=())
body = {"choices": [{"index": 0, "message": {"content": "hi"}}], "usage": {"cost": 0.1}}
begin = threading.Event()
def answers():
    begin.wait()
    Completion.model_validate(body)
threads = [threading.Thread(target=answers) for _ in range(4)]
for thread in threads: thread.start()
begin.set()
fork_at = time.perf_counter() + PHASE
while time.perf_counter() < fork_at: pass
child = os.fork()
if not child:
    signal.alarm(10)
    Completion.model_validate(body)
    os._exit(0)
for thread in threads: thread.join()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
def test_a_fork_while_pydantic_makes_the_first_answer_leaves_no_lock_of_its_core_behind(simulator):
    """Where in those 30 ms is chance, so that many processes try."""
    phases = [place * 0.001 for place in range(30)]

    def fork_at(phase):
        return run(FORKS_AT_THE_FIRST_ANSWER.replace("PHASE", str(phase)), simulator)

    with ThreadPoolExecutor(2) as pool:
        codes = list(pool.map(fork_at, phases))

    assert ["0\n"] * len(phases) == codes


def run(script, simulator):
    """What a script prints whose environment is the simulator's; it must end within 20 s."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        env={
            **os.environ,
            **simulator.environment(),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout


@pytest.mark.parametrize("fault", [None, "no_headers", "slow_but_steady", "status_503"])
def test_closing_a_client_while_calls_run_hangs_none_of_them(simulator, make_client, fault):
    """Each ends in its answer or in a typed error."""
    if fault:
        simulator.play("openrouter", fault)
    client = make_client()
    begun = threading.Barrier(THREADS + 1)

    def ask(number):
        begun.wait(5)
        try:
            return client.complete(f"prompt {number}", deadline=1.0)
        except ResilientError as error:
            return error

    with ThreadPoolExecutor(THREADS) as pool:
        calls = [pool.submit(ask, number) for number in range(THREADS)]
        begun.wait(5)
        for _ in range(20):
            client.close()
        results = [call.result(timeout=5) for call in calls]

    for number, result in enumerate(results):
        assert isinstance(result, Completion | ResilientError)
        if isinstance(result, Completion):
            assert result.text == f"Simulated answer to: prompt {number}"


def test_a_closed_client_may_be_used_again(make_client):
    client = make_client()
    client.complete("hi")
    client.close()

    assert "openrouter" == client.complete("hi").served.endpoint


def test_a_pickled_client_takes_no_key_along_and_finds_it_where_it_arrives(
    simulator, make_client, monkeypatch
):
    for name, value in simulator.environment().items():
        monkeypatch.setenv(name, value)
    client = make_client(environment=None, api_key=simulator.key("openrouter"))
    client.complete("hi")

    data = pickle.dumps(client)

    assert simulator.key("openrouter").encode() not in data
    assert simulator.key("openai").encode() not in data
    assert "openrouter" == pickle.loads(data).complete("hi").served.endpoint


def test_a_subinterpreter_may_use_it_where_its_dependencies_may(simulator):
    interpreters = pytest.importorskip("_xxsubinterpreters", reason="gone or renamed in 3.13")
    inner = interpreters.create()
    try:
        interpreters.run_string(inner, "import pydantic_core")
    except interpreters.RunFailedError as error:
        interpreters.destroy(inner)
        pytest.skip(f"pydantic does not run in a subinterpreter: {error}")
    environment = simulator.environment()
    interpreters.run_string(
        inner,
        "from openrouter_resilient import Client\n"
        f"client = Client('openai/gpt-4o', environment={environment!r})\n"
        "assert client.complete('hi').text == 'Simulated answer to: hi'\n",
    )
    interpreters.destroy(inner)
