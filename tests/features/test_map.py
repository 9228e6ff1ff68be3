"""Many prompts at once: in order, none lost, none asked twice without cause."""

from __future__ import annotations

import _thread
import json
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from openrouter_resilient import (
    BatchInterrupted,
    Client,
    Completion,
    ConfigurationError,
    RoutesExhausted,
    SpendingCapReached,
)
from openrouter_resilient.features import progress
from openrouter_resilient.routing.faults import FAULTS, Kind, Scope
from openrouter_resilient.simulator import CATALOGUE

ROOT = Path(__file__).parents[2]
SLOW = {Kind.SILENT, Kind.STALLED, Kind.CONNECT_TIMEOUT, Kind.TOO_BIG, Kind.RATE_LIMITED}
STRIKING = [
    name
    for name, row in CATALOGUE.items()
    if row.kind and row.when != "port" and row.family != "pattern"
    and Kind(row.kind) not in SLOW and FAULTS[Kind(row.kind)].scope is Scope.ENDPOINT
]  # fmt: skip


def prompts(count):
    return [f"prompt {number:05}." for number in range(count)]


def right(prompt, result):
    """Whether it is the answer to this prompt, and its trail says why anything was asked again."""
    return (
        isinstance(result, Completion)
        and prompt in result.text
        and all(attempt.fault for attempt in result.served.attempts[:-1])
    )


def striking(simulator, chance):
    """Every fifth request to OpenRouter meets a fault that is drawn from the catalogue."""
    lock, answered = threading.Lock(), Counter()

    def answer(face, body):
        with lock:
            answered[face] += 1
            due = face == "openrouter" and answered[face] % 4 == 0  # four answers, then a fault
        if due:
            simulator.play("openrouter", chance.choice(STRIKING), times=1)
        return f"Simulated answer to: {body['messages'][-1]['content']}"

    return answer


def test_results_come_in_the_order_of_the_prompts(simulator, make_client, asked):
    simulator.play("openrouter", "first_token_late", every=3, seconds=0.05)
    asking = prompts(40)

    results = make_client().map(asking, progress=False)

    assert all(map(right, asking, results))
    assert dict.fromkeys(asking, 1) == asked()


def test_in_an_outage_that_begins_half_way_all_are_answered(simulator, make_client):
    simulator.play("openrouter", "fails_after_k", k=20, fault="reset_before_headers")
    asking = prompts(60)

    results = make_client().map(asking, progress=False)

    served = Counter(result.served.endpoint for result in results)
    assert all(map(right, asking, results))
    assert 20 <= served["openrouter"] < 60
    assert 60 == served["openrouter"] + served["openai"]


def test_what_cannot_be_answered_is_an_error_in_its_place(simulator, make_client):
    simulator.play("openrouter", "status_422")

    good, empty, refused = make_client(fallbacks=()).map(["", 7, "hi"], progress=False, workers=2)

    assert [ValueError, TypeError] == [type(good), type(empty)]
    assert "InvalidRequest" == type(refused).__name__


def test_a_prompt_that_is_an_iterator_is_asked_whole_in_every_turn(
    simulator, make_client, tmp_path
):
    simulator.play("openrouter", "rate_limit_seconds", seconds=0.05, times=2)
    asking = [iter([{"role": "user", "content": text}]) for text in prompts(2)]

    results = make_client(fallbacks=(), rounds=1).map(
        asking, checkpoint=tmp_path / "run.jsonl", progress=False, workers=1
    )

    assert all(map(right, prompts(2), results))


def test_what_a_prompt_raises_as_it_is_read_is_an_error_in_its_place(simulator, make_client):
    def spoilt():
        yield {"role": "user", "content": "hi"}
        raise KeyError("gone")

    wrong, good = make_client().map([spoilt(), "hi"], progress=False)

    assert isinstance(wrong, KeyError)
    assert "hi" in good.text


def test_every_prompt_is_asked_with_the_same_parameters(simulator, make_client):
    make_client().map(prompts(3), progress=False, system="Be brief.", temperature=0.5)

    assert {0.5} == {request.body["temperature"] for request in simulator.requests}
    assert {"Be brief."} == {r.body["messages"][0]["content"] for r in simulator.requests}


def test_no_more_are_under_way_than_there_are_workers(simulator, make_client):
    lock, under_way = threading.Lock(), Counter()

    def answer(_face, _body):
        with lock:
            under_way["now"] += 1
            under_way["most"] = max(under_way["most"], under_way["now"])
        time.sleep(0.01)  # so that requests overlap
        with lock:
            under_way["now"] -= 1
        return "ok"

    simulator.answer = answer
    make_client().map(prompts(24), progress=False, workers=3)

    assert 2 <= under_way["most"] <= 3


def test_nothing_to_ask_is_no_error(make_client):
    assert [] == make_client().map([], progress=False)


@pytest.mark.parametrize("workers", [0, -1, 1.5, "8"])
def test_workers_are_a_number(make_client, workers):
    with pytest.raises(ConfigurationError, match="workers"):
        make_client().map(["hi"], workers=workers)


@pytest.mark.parametrize("cap", [0, -1])
def test_a_cap_is_a_positive_amount(simulator, make_client, cap):
    with pytest.raises(ConfigurationError, match="max_cost"):
        make_client().map(["hi"], max_cost=cap)

    assert not simulator.requests


def test_one_text_is_no_list_of_prompts(make_client):
    with pytest.raises(TypeError, match="complete"):
        make_client().map("hi")


def no_thread_stays():
    for thread in threading.enumerate():
        if thread.name == "openrouter-map":
            thread.join(5)
    return "openrouter-map" not in {thread.name for thread in threading.enumerate()}


def test_its_threads_end_with_it(make_client):
    make_client().map(prompts(10), progress=False)

    assert no_thread_stays()


def test_a_limit_slows_everybody_down_and_loses_nobody(simulator, make_client):
    """OpenRouter answers 429, and asks to be left alone for a second."""
    simulator.play("openrouter", "rate_limit_seconds", seconds=1.0, times=12)
    asking = prompts(24)
    client = make_client(fallbacks=(), rounds=1)
    client._carrier._budget._tokens = 0.0

    results = client.map(asking, progress=False, workers=8)

    refused = [request.at for request in simulator.requests if request.fault]
    assert all(isinstance(result, Completion) for result in results)
    assert all(prompt in result.text for prompt, result in zip(asking, results, strict=True))
    assert 12 == len(refused)
    assert refused[8] - refused[7] > 0.5  # after the first volley nobody asks
    assert 12 + 24 == len(simulator.requests)


def test_a_limit_that_a_fallback_bridges_stops_nobody(simulator, make_client):
    simulator.play("openrouter", "rate_limit_seconds", seconds=60.0)
    began = time.monotonic()
    asking = prompts(16)

    results = make_client().map(asking, progress=False)

    assert all(map(right, asking, results))
    assert time.monotonic() - began < 5


def test_a_limit_until_tomorrow_is_an_error_and_not_a_wait(simulator, make_client):
    simulator.play("openrouter", "rate_limit_seconds", seconds=3600.0)
    began = time.monotonic()

    results = make_client(fallbacks=(), rounds=1).map(prompts(4), progress=False)

    assert {RoutesExhausted} == set(map(type, results))
    assert time.monotonic() - began < 5


def test_a_cap_ends_a_batch_and_keeps_what_is_paid_for(simulator, make_client):
    one = make_client().complete("prompt 00000.").served.cost
    simulator.forget()

    results = make_client().map(prompts(30), progress=False, workers=4, max_cost=one * 8.5)

    answered = [result for result in results if isinstance(result, Completion)]
    assert 9 <= len(answered) == len(simulator.requests) <= 9 + 3
    assert {SpendingCapReached} == {type(r) for r in results if not isinstance(r, Completion)}


def test_ctrl_c_keeps_what_is_done_and_gets_out_at_once(simulator, make_client):
    simulator.play("openrouter", "fails_after_k", k=10, fault="no_headers")
    waiting = threading.Event()

    def interrupt():
        while len(simulator.requests) < 14:
            waiting.wait(0.01)
        _thread.interrupt_main()

    threading.Thread(target=interrupt, daemon=True).start()
    client = make_client(fallbacks=())
    began = time.monotonic()

    with pytest.raises(BatchInterrupted) as caught:
        client.map(prompts(40), progress=False, workers=4)

    done = [result for result in caught.value.results if result is not None]
    assert 40 == len(caught.value.results)
    assert 10 == len(done)
    assert all(isinstance(result, Completion) for result in done)
    assert isinstance(caught.value, KeyboardInterrupt)
    assert "10 of 40" in str(caught.value)
    assert time.monotonic() - began < 5
    assert no_thread_stays()  # each was hung up on, and does not wait for its answer any more
    simulator.heal()
    assert client.complete("still").served.endpoint == "openrouter"  # no breaker has heard of it


def test_a_bar_is_shown_where_tqdm_is(make_client, capsys):
    make_client().map(prompts(5))

    shown = capsys.readouterr().err
    assert "5/5" in shown
    assert "openrouter 5; $0.00" in shown


def test_plain_lines_are_shown_where_it_is_not(simulator, make_client, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setattr(progress, "EVERY_S", 0.0)
    simulator.play("openrouter", "status_422", times=1)

    make_client().map(prompts(3), workers=1)

    lines = capsys.readouterr().err.splitlines()
    assert "1 of 3: 1 failed; $0.0000" == lines[0]
    assert lines[-1].startswith("3 of 3: openrouter 2; 1 failed; $0.00")


def test_it_can_be_told_to_be_quiet(make_client, capsys):
    make_client().map(prompts(3), progress=False)

    assert ("", "") == capsys.readouterr()


def test_any_executor_will_do_and_threads_share_the_client(simulator):
    """Its key was given in code, so that a client unpacked from a pickle would have none."""
    environment = simulator.environment()
    client = Client(
        "anthropic/claude-sonnet-5",
        fallbacks=(),
        api_key=environment.pop("OPENROUTER_API_KEY"),
        base_url=environment.pop("OPENROUTER_BASE_URL"),
        environment={},
    )
    with client, ThreadPoolExecutor(2) as pool:
        results = client.map(prompts(10), executor=pool, progress=False)

    assert all(map(right, prompts(10), results))


def test_a_process_pool_asks_with_the_keys_of_its_own_environment(
    simulator, make_client, monkeypatch
):
    for name, value in simulator.environment().items():
        monkeypatch.setenv(name, value)
    client = make_client(environment=None)
    simulator.outage("openrouter")
    asking = ["same"] * 4 + prompts(20)

    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        results = client.map(asking, executor=pool, progress=False)

    assert all(map(right, asking, results))
    assert {"openai"} == {result.served.endpoint for result in results}
    assert 24 == len(simulator.received("openai"))


def test_a_pool_that_is_gone_is_an_error_for_each(make_client):
    with ThreadPoolExecutor(1) as pool:
        pass

    results = make_client().map(prompts(3), executor=pool, progress=False)

    assert [RuntimeError] * 3 == list(map(type, results))


def test_the_client_travels_without_its_keys(simulator, make_client):
    client = make_client(keys={"groq": "gsk-canary"}, api_key="sk-or-canary")

    packed = pickle.dumps(client)

    assert b"canary" not in packed
    assert simulator.key("openrouter").encode() not in packed


RUN = """
import sys
from openrouter_resilient import Client

asking = [f"prompt {number:05}." for number in range(int(sys.argv[1]))]
client = Client("anthropic/claude-sonnet-5", fallbacks=["openai:gpt-4o"], first_token_timeout=1.0)
client.map(asking, workers=8, checkpoint=sys.argv[2], progress=False)
"""


@pytest.mark.slow
def test_two_thousand_prompts_with_a_fault_on_every_fifth_request_survive_kill_9(
    simulator, make_client, tmp_path, asked, request
):
    """Every result right and in order; nothing asked twice but what the faults or the kill lost."""
    seed = time.time_ns()  # another moment and other faults in each run; shown if it fails
    chance = random.Random(seed)
    request.node.add_report_section("call", "seed", str(seed))
    simulator.answer = striking(simulator, chance)
    path, asking, workers = tmp_path / "run.jsonl", prompts(2_000), 8
    kill_at = chance.randrange(200, 1_500)
    environment = {**os.environ, **simulator.environment(), "PYTHONPATH": str(ROOT)}
    run = subprocess.Popen([sys.executable, "-c", RUN, "2000", str(path)], env=environment)
    pause = threading.Event()
    while run.poll() is None and len(simulator.requests) < kill_at:
        pause.wait(0.005)
    run.send_signal(signal.SIGKILL)
    run.wait()
    before = asked("openrouter", "openai")
    kept = path.read_bytes().rpartition(b"\n")[0].splitlines()
    known = {json.loads(line)["completion"]["choices"][0]["message"]["content"] for line in kept}
    simulator.forget()

    client = make_client(first_token_timeout=1.0)
    results = client.map(asking, workers=workers, checkpoint=path, progress=False)

    after = asked("openrouter", "openai")
    assert all(map(right, asking, results)), f"killed after {kill_at} requests"
    assert 0 < len(known) < 2_000
    assert not [prompt for prompt in after if f"Simulated answer to: {prompt}" in known]
    lost = [prompt for prompt in after if prompt in before]
    assert len(lost) <= workers  # what was under way when it was killed
    for prompt, result in zip(asking, results, strict=True):
        of_this_run = after[prompt] or before[prompt]
        *failed, answered = result.served.attempts
        # A connection that is closed, or answered by noise, at once brings no request.
        assert 1 <= of_this_run <= len(failed) + 1
        assert answered.fault is None
        assert all(attempt.fault for attempt in failed)  # the cause of each further one
    reached = simulator.received("openrouter")
    strikes = sum(1 for request in reached if request.fault)
    assert 0.1 < strikes / len(reached) < 0.3
