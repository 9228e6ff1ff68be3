"""What one process learns of an endpoint, every process knows; a real Redis stands between them."""

from __future__ import annotations

import json
import logging
import os
import pickle
import subprocess
import sys
import threading
import time
from contextlib import suppress

import pytest

from openrouter_resilient import Client, ConfigurationError
from tests.health.conftest import until

pytestmark = pytest.mark.usefixtures("patient")


def informed(client, state="down"):
    """The client, once it has read what Redis holds of OpenRouter."""
    until(lambda: client.health()[0].state == state)
    return client


CHILD = """
import json, sys
from openrouter_resilient import Client
from openrouter_resilient.health import redis_store
redis_store.LONGEST_WAIT_S = 10.0  # a machine that is busy with twenty processes is no late Redis
client = Client("anthropic/claude-sonnet-4.5", fallbacks=["openai:gpt-4o"], wire="whole")
print("ready", flush=True)
for line in sys.stdin:
    answers = [client.complete("hi").served for _ in range(int(line))]
    print(json.dumps([(s.endpoint, [a.endpoint for a in s.attempts]) for s in answers]), flush=True)
"""


class Process:
    """A process with a client of its own, which calls when it is told to."""

    def __init__(self, environment):
        self._process = subprocess.Popen(
            [sys.executable, "-c", CHILD], env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def wait_until_ready(self):
        assert "ready\n" == self._process.stdout.readline()

    def begin(self, calls=1):
        self._process.stdin.write(f"{calls}\n")
        self._process.stdin.flush()

    def end(self):
        return json.loads(self._process.stdout.readline())

    def call(self, calls=1):
        self.begin(calls)
        return self.end()

    def close(self):
        self._process.kill()
        self._process.wait(10)
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()


@pytest.fixture
def make_process(simulator, redis_server, tmp_path):
    made = []

    def make():
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(sys.path),
            **simulator.environment(),
            "REDIS_URL": redis_server.url,
        }
        made.append(Process(environment))
        return made[-1]

    yield make
    for process in made:
        process.close()


def test_a_process_that_met_no_outage_goes_straight_past_it(simulator, make_process, word_of):
    first, second = make_process(), make_process()
    first.wait_until_ready()
    second.wait_until_ready()
    assert [["openrouter", ["openrouter"]]] == second.call()
    simulator.play("openrouter", "status_503")
    first.call(3)
    until(lambda: word_of("openrouter"))
    time.sleep(1.0)  # what the second has read is now a second old
    simulator.forget()

    answers = second.call()

    assert [["openai", ["openai"]]] == answers
    assert ["openai"] == [request.face for request in simulator.requests]


@pytest.mark.slow
def test_after_recovery_exactly_one_of_20_processes_tries_first(simulator, make_process, put_word):
    processes = [make_process() for _ in range(20)]
    for process in processes:
        process.wait_until_ready()
    due = have_all_heard_of_an_outage(processes, put_word, simulator)
    gate = threading.Event()
    simulator.answer = lambda face, _body: str(face == "openai" or gate.wait(60))
    time.sleep(max(0.0, due - time.monotonic()))  # until a trial is due

    for process in processes:
        process.begin()
    until(lambda: 19 == len(simulator.received("openai")), limit=30)  # while the one still waits
    tried = len(simulator.received("openrouter"))
    gate.set()
    answers = [answer for process in processes for answer in process.end()]

    assert 1 == tried
    assert 1 == answers.count(["openrouter", ["openrouter"]])
    assert 19 == answers.count(["openai", ["openai"]])


@pytest.mark.slow
def test_once_the_trial_was_answered_all_processes_are_back(simulator, make_process, put_word):
    processes = [make_process() for _ in range(3)]
    for process in processes:
        process.wait_until_ready()
    due = have_all_heard_of_an_outage(processes, put_word, simulator)
    time.sleep(max(0.0, due - time.monotonic()))  # until a trial is due

    until(lambda: [["openrouter", ["openrouter"]]] == processes[0].call())
    time.sleep(1.0)  # what the others may have read is now a second old

    for process in processes[1:]:
        until(lambda process=process: [["openrouter", ["openrouter"]]] == process.call(), limit=3)


def have_all_heard_of_an_outage(processes, put_word, simulator):
    """Let every process learn that OpenRouter is down; the instant at which a trial is due."""
    for seconds in (5.0, 15.0, 45.0):  # on a busy machine it takes them longer to hear of it
        due = time.monotonic() + seconds
        put_word("openrouter", ttl=120, reopens_in=seconds)
        until(lambda: {"openai"} == {endpoint for endpoint, _ in call_all(processes)}, limit=40)
        if time.monotonic() < due:
            simulator.forget()
            return due
    raise AssertionError("this machine is too slow for the test")


def call_all(processes):
    for process in processes:
        process.begin()
    return [answer for process in processes for answer in process.end()]


def test_an_opening_is_written_in_a_small_json_with_an_end(
    simulator, make_client, redis_server, word_of
):
    simulator.outage("openrouter")
    client = make_client(redis_url=redis_server.url)
    began = time.time()

    for _ in range(3):
        client.complete("hi")

    until(lambda: word_of("openrouter"))
    word = word_of("openrouter")
    assert ("down", "refused", 1, None) == (
        word["state"], word["fault"], word["version"], word["latency"],
    )  # fmt: skip
    assert began - 1 < word["since"] <= word["checked_at"] < time.time() + 1
    assert word["by"].startswith("call ")
    with redis_server.client() as redis:
        assert 50 < redis.ttl("openrouter-resilient:health:openrouter") <= 60
    assert simulator.key("openrouter") not in json.dumps(word)


def test_what_a_script_finds_in_its_last_moment_is_written(simulator, redis_server, word_of):
    code = """
from openrouter_resilient import Client
client = Client("anthropic/claude-sonnet-4.5", fallbacks=["openai:gpt-4o"])
for _ in range(3):
    client.complete("hi")
"""
    simulator.outage("openrouter")
    environment = {**os.environ, **simulator.environment(), "REDIS_URL": redis_server.url,
                   "PYTHONPATH": os.pathsep.join(sys.path)}  # fmt: skip

    subprocess.run([sys.executable, "-c", code], env=environment, timeout=60, check=True)

    assert "down" == word_of("openrouter")["state"]


def test_a_recovery_is_written_too(simulator, make_client, redis_server, put_word, word_of):
    put_word("openrouter", reopens_in=0)
    client = informed(make_client(redis_url=redis_server.url), "due for a trial")

    answer = client.complete("hi")

    assert "openrouter" == answer.served.endpoint
    until(lambda: "up" == word_of("openrouter")["state"])


def test_a_trial_that_fails_says_so_and_gives_the_trial_back(
    simulator, make_client, redis_server, put_word, word_of
):
    simulator.outage("openrouter")
    put_word("openrouter", reopens_in=0, by="probe other:1")
    client = informed(make_client(redis_url=redis_server.url), "due for a trial")

    answer = client.complete("hi")

    assert "openai" == answer.served.endpoint
    assert 1 == [attempt.endpoint for attempt in answer.served.attempts].count("openrouter")
    until(lambda: word_of("openrouter")["by"].startswith("call "))
    assert "down" == word_of("openrouter")["state"]
    with redis_server.client() as redis:
        until(lambda: not redis.exists("openrouter-resilient:trial:openrouter"))


def test_a_trial_that_another_process_has_is_left_to_it(
    simulator, make_client, redis_server, put_word
):
    put_word("openrouter", reopens_in=0)
    with redis_server.client() as redis:
        redis.set("openrouter-resilient:trial:openrouter", "somebody", px=30_000)
    client = informed(make_client(redis_url=redis_server.url), "due for a trial")

    answer = client.complete("hi")

    assert ["openai"] == [attempt.endpoint for attempt in answer.served.attempts]


def test_with_no_other_route_an_endpoint_that_is_said_to_be_down_is_asked_all_the_same(
    simulator, make_client, redis_server, put_word
):
    put_word("openrouter")
    client = informed(make_client(fallbacks=(), redis_url=redis_server.url))

    assert "openrouter" == client.complete("hi").served.endpoint


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("place", "elsewhere.example:443"),
        ("account", "00000000"),
    ],
)
def test_a_word_about_another_server_or_another_key_is_not_heeded(
    make_client, redis_server, put_word, field, value
):
    put_word("openai", "up")
    put_word("openrouter", **{field: value})
    client = make_client(redis_url=redis_server.url)
    until(lambda: client.health()[1].state == "up")

    assert "openrouter" == client.complete("hi").served.endpoint


def test_a_key_that_is_refused_is_shared_with_those_who_use_the_same_key(
    simulator, make_client, redis_server, word_of
):
    simulator.play("openrouter", "status_401")
    first = make_client(redis_url=redis_server.url)
    for _ in range(3):
        first.complete("hi")
    simulator.heal()
    simulator.forget()
    until(lambda: word_of("openrouter"))

    same = make_client(redis_url=redis_server.url).complete("hi")
    other = make_client(
        redis_url=redis_server.url,
        keys={"openrouter": "sk-or-another"},
        fallbacks=("openai:gpt-4o",),
    ).complete("hi")

    assert 8 == len(word_of("openrouter")["account"])
    assert ["openai"] == [attempt.endpoint for attempt in same.served.attempts]
    assert ["openrouter", "openai"] == [attempt.endpoint for attempt in other.served.attempts]


def test_a_word_that_says_up_after_our_own_failures_is_tried_at_once(
    simulator, make_client, redis_server, put_word
):
    simulator.outage("openrouter")
    client = make_client(redis_url=redis_server.url)
    for _ in range(3):
        client.complete("hi")
    simulator.heal()
    time.sleep(1.0)  # what the client has read is now a second old
    put_word("openrouter", "up", by="probe other:1")

    assert "openrouter" == client.complete("hi").served.endpoint


def test_a_word_that_has_lapsed_counts_for_nothing(make_client, redis_server, put_word):
    put_word("openrouter", ttl=1)
    client = informed(make_client(redis_url=redis_server.url))
    assert "openai" == client.complete("hi").served.endpoint
    time.sleep(1.1)

    assert "openrouter" == client.complete("hi").served.endpoint


def test_a_process_reads_at_most_once_a_second_however_many_clients_it_has(
    make_client, redis_server
):
    clients = [make_client(redis_url=redis_server.url) for _ in range(3)]
    began = time.monotonic()

    while time.monotonic() - began < 2.5:
        for client in clients:
            client.complete("hi")

    with redis_server.client() as redis:
        reads = redis.info("commandstats")["cmdstat_getrange"]["calls"]
        connections = redis.info("stats")["total_connections_received"]
    assert 8 <= reads <= 3 * 4  # four endpoints a reading
    assert connections <= 4  # one is this test's, one its start's


RUBBISH = {
    "no text": b"\xff\xfe\x00",
    "no JSON": b"hello",
    "another JSON": b"[1, 2]",
    "another state": b'{"state": "asleep", "checked_at": 1}',
    "no time": b'{"state": "down"}',
    "odd time": b'{"state": "down", "checked_at": "now"}',
    "huge time": b'{"state": "down", "checked_at": 1e999}',
    "deep": b"[" * 4000,
    "long": b'{"state": "down", "checked_at": 1, "x": "' + b"x" * 100_000 + b'"}',
}


@pytest.mark.parametrize("rubbish", RUBBISH.values(), ids=RUBBISH)
def test_rubbish_under_our_key_is_passed_over_with_one_warning(
    make_client, redis_server, caplog, rubbish
):
    with redis_server.client() as redis:
        redis.set("openrouter-resilient:health:openrouter", rubbish)
    client = make_client(redis_url=redis_server.url)

    until(lambda: client.health() and caplog.records)
    time.sleep(1.0)  # what was read is now a second old

    assert "openrouter" == client.complete("hi").served.endpoint
    assert 1 == len([r for r in caplog.records if "passed over" in r.getMessage()])


def test_a_list_under_our_key_is_passed_over_too(make_client, redis_server, caplog):
    with redis_server.client() as redis:
        redis.lpush("openrouter-resilient:health:openrouter", "a")

    client = make_client(redis_url=redis_server.url)

    until(lambda: client.health() and "passed over" in caplog.text)
    assert "openrouter" == client.complete("hi").served.endpoint


def test_options_of_the_url_change_nothing_of_what_is_relied_on(
    make_client, redis_server, put_word, caplog
):
    put_word("openrouter")

    client = make_client(
        redis_url=f"{redis_server.url}?decode_responses=True&socket_timeout=99&encoding=x"
    )

    until(lambda: "openai" == client.complete("hi").served.endpoint)
    assert not caplog.records


def test_a_wrong_password_is_said_once_and_nowhere_shown(redis_server, make_client, caplog):
    with redis_server.client() as redis:
        redis.config_set("requirepass", "sesame")
    url = f"redis://user:open-wide@127.0.0.1:{redis_server.port}/0"
    client = make_client(redis_url=url)

    for _ in range(3):
        client.complete("hi")
        time.sleep(0.5)

    warnings = [record.getMessage() for record in caplog.records]
    assert 1 == len(warnings)
    assert "does not accept the user or password" in warnings[0]
    assert f"127.0.0.1:{redis_server.port}" in warnings[0]
    assert "open-wide" not in caplog.text + repr(client)


def test_a_redis_url_given_in_code_must_be_one(make_client):
    with pytest.raises(ConfigurationError, match="the Redis URL is malformed") as caught:
        make_client(redis_url="http://user:secret@localhost")

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("option", ["foo=bar", "db=x", "ssl_cert_reqs=s3cret"])
def test_an_option_that_redis_does_not_know_is_the_urls_fault(make_client, option):
    with pytest.raises(ConfigurationError, match="the Redis URL is malformed") as caught:
        make_client(redis_url=f"redis://127.0.0.1:1/0?{option}")

    assert "s3cret" not in str(caught.value)


def test_a_redis_url_of_the_environment_that_is_none_is_warned_of(simulator, caplog):
    environment = {**simulator.environment(), "REDIS_URL": "sentinel://user:secret@here"}

    with Client("openai/gpt-4o", environment=environment) as client:
        assert "openrouter" == client.complete("hi").served.endpoint

    assert "REDIS_URL is set, and cannot be used" in caplog.text
    assert "secret" not in caplog.text


def test_an_empty_redis_url_shares_nothing_here_and_where_the_client_travels(
    simulator, redis_server, monkeypatch
):
    for name, value in {**simulator.environment(), "REDIS_URL": redis_server.url}.items():
        monkeypatch.setenv(name, value)

    with Client("openai/gpt-4o", redis_url="") as client:
        client.complete("hi")
        assert not client.health().shared
        with pickle.loads(pickle.dumps(client)) as arrived:
            assert not arrived.health().shared


def test_the_password_of_a_redis_does_not_travel(redis_server, make_client):
    url = f"redis://user:open-wide@127.0.0.1:{redis_server.port}/0"

    assert b"open-wide" not in pickle.dumps(make_client(redis_url=url))


def test_without_the_extra_the_way_to_get_it_is_said(make_client, monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'openrouter_resilient\[redis\]'"):
        make_client(redis_url="redis://localhost")


def test_a_client_without_redis_never_imports_it():
    code = (
        "import sys; from openrouter_resilient import Client; "
        "client = Client('openai/gpt-4o', api_key='sk-or-x', fallbacks=(), redis_url=''); "
        "client.health(); print('redis' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert ("False\n", "") == (done.stdout, done.stderr)


def test_a_forked_child_shares_with_a_connection_of_its_own(redis_server, simulator):
    code = """
import os, sys
from openrouter_resilient import Client
client = Client("anthropic/claude-sonnet-4.5", fallbacks=["openai:gpt-4o"])
client.complete("hi")
child = os.fork()
if child == 0:
    endpoints = {client.complete("hi").served.endpoint for _ in range(5)}
    os._exit(0 if endpoints == {"openrouter"} and client.health().shared else 1)
assert os.waitpid(child, 0)[1] == 0
assert client.complete("hi").served.endpoint == "openrouter"
"""
    environment = {
        **os.environ, **simulator.environment(), "REDIS_URL": redis_server.url,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }  # fmt: skip

    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert (0, "") == (done.returncode, done.stderr)


def test_what_is_logged_of_a_redis_in_trouble_is_a_warning(make_client, caplog):
    client = make_client(redis_url="redis://127.0.0.1:1/0")

    client.complete("hi")
    until(lambda: caplog.records)

    assert [logging.WARNING] == [record.levelno for record in caplog.records]
