"""Chaos strikes as often as it was told to, under every real policy, and says so."""

from __future__ import annotations

import logging
import pickle
import threading

import pytest

from openrouter_resilient import Chaos, Client, ConfigurationError, StreamInterrupted
from openrouter_resilient.routing.faults import Kind
from openrouter_resilient.simulator import CATALOGUE
from openrouter_resilient.transports.chaos import FAULTS, ChaosTransport

AFTER_TOKENS = sorted(name for name in FAULTS if name.endswith("_mid_stream"))


def limits(name):
    """Short ones for a fault that lasts until a limit, so that the test need not wait for long."""
    waits = getattr(FAULTS[name], "waits", False)
    return {"first_token_timeout": 1.0, "stall_timeout": 1.0} if waits else {}


def attempts(completion):
    return [(attempt.endpoint, attempt.fault) for attempt in completion.served.attempts]


@pytest.fixture
def one_strike(monkeypatch):
    """Chaos strikes the first request of a transport and no other."""
    original = ChaosTransport._struck
    seen = []

    def struck(self):
        name = original(self)
        seen.append(name)
        return name if len(seen) == 1 else None

    monkeypatch.setattr(ChaosTransport, "_struck", struck)
    return seen


@pytest.mark.parametrize("name", FAULTS)
def test_it_fails_as_the_simulator_does_under_the_same_name(name):
    """The kind in the simulator's catalogue is what the client must call it."""
    assert name in CATALOGUE
    assert CATALOGUE[name].kind in {kind.value for kind in Kind}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_survived_and_called_by_its_right_name(name, make_client, one_strike):
    client = make_client(chaos=Chaos(rate=1.0, faults=[name]), **limits(name))

    answer = client.complete("hi")

    assert answer.text
    assert CATALOGUE[name].kind == answer.served.attempts[0].fault
    assert len(answer.served.attempts) == 2


@pytest.mark.parametrize("name", AFTER_TOKENS)
def test_a_break_after_the_first_tokens_is_seen_in_a_stream(
    name, simulator, make_client, one_strike
):
    simulator.latency("openrouter", between_tokens=0.001)
    client = make_client(chaos=Chaos(rate=1.0, faults=[name]), **limits(name))

    with pytest.raises(StreamInterrupted) as caught, client.stream("hi") as stream:
        list(stream)

    assert caught.value.partial.text
    assert CATALOGUE[name].kind == caught.value.history[-1].fault


def test_a_made_up_fault_sends_nothing(simulator, make_client, one_strike):
    client = make_client(chaos=Chaos(rate=1.0, faults=["status_401"]))

    answer = client.complete("hi")

    assert [("openrouter", "unauthorized"), ("openai", None)] == attempts(answer)
    assert ["openai"] == [request.face for request in simulator.requests]
    assert "injected by chaos" in answer.served.attempts[0].message


def test_a_whole_body_is_cut_within(make_client, one_strike):
    client = make_client(chaos=Chaos(rate=1.0, faults=["cut_mid_stream"]), wire="whole")

    assert "truncated" == client.complete("hi").served.attempts[0].fault


def test_an_answer_that_fails_by_itself_is_left_as_it_is(simulator, make_client, caplog):
    simulator.play("openrouter", "status_402")
    client = make_client(chaos=Chaos(rate=1.0, faults=["cut_mid_stream"]), fallbacks=(), rounds=1)

    with pytest.raises(Exception, match="no_credit"):
        client.complete("hi")

    assert "injected" not in caplog.text


class Healthy:
    """A transport that only counts."""

    def __init__(self):
        self.asked = 0

    def post(self, url, headers, body, *, until):
        self.asked += 1
        return "a reply"

    def renew(self):
        pass

    def close(self):
        pass


def strikes(chaos, count, threads=1):
    from openrouter_resilient.routing.faults import Broken
    from openrouter_resilient.wire.clock import VirtualClock

    transport = ChaosTransport(chaos, Healthy(), VirtualClock())
    kinds = []

    def ask_once():
        try:
            transport.post("http://127.0.0.1/v1", {}, b"{}", until=2_000.0)
        except Broken as broken:
            kinds.append(broken.fault.kind.value)

    def ask():
        for _ in range(count // threads):
            ask_once()

    running = [threading.Thread(target=ask) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(30)
    return kinds


def test_the_same_seed_strikes_the_same_requests_in_the_same_way():
    faults = ["refused", "unresolved"]

    assert strikes(Chaos(0.2, faults, seed=3), 200) == strikes(Chaos(0.2, faults, seed=3), 200)
    assert strikes(Chaos(0.2, faults, seed=3), 200) != strikes(Chaos(0.2, faults, seed=4), 200)


def test_the_rate_is_the_share_of_requests_that_are_struck():
    assert 430 < len(strikes(Chaos(0.05, ["refused"], seed=1), 10_000)) < 570


def test_threads_together_get_no_more_and_no_fewer_strikes():
    chaos = Chaos(0.3, ["refused"], seed=5)

    assert len(strikes(chaos, 4_000)) == len(strikes(chaos, 4_000, threads=8))


def test_it_is_loud_at_the_start_and_at_each_strike(make_client, one_strike, caplog):
    caplog.set_level(logging.WARNING, "openrouter_resilient")
    client = make_client(chaos=Chaos(rate=1.0, faults=["refused"], seed=7))
    client.complete("hi")

    told = [record.getMessage() for record in caplog.records]
    assert "chaos is on: 100 % of requests will fail on purpose (seed 7): refused" == told[0]
    assert "chaos: refused injected into a request to 127.0.0.1" == told[1]
    assert "openrouter failed" in told[2]


def test_without_it_nothing_is_said_and_nothing_is_loaded(make_client, caplog):
    client = make_client()
    client.complete("hi")

    assert "chaos" not in caplog.text
    assert not isinstance(client._carrier._transport, ChaosTransport)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"rate": 0.0}, "rate of chaos"),
        ({"rate": 5.0}, "rate of chaos"),
        ({"rate": float("nan")}, "rate of chaos"),
        ({"faults": ["status_530"]}, "no fault 'status_530'; did you mean 'status_5"),
        ({"faults": []}, "at least one fault"),
    ],
)
def test_a_mistake_in_it_is_told_at_once(options, told):
    with pytest.raises(ConfigurationError, match=told):
        Chaos(**options)


def test_one_name_is_a_list_of_one():
    assert ("refused",) == Chaos(faults="refused").faults


def test_a_client_takes_its_chaos_along(make_client, monkeypatch, simulator):
    for name, value in simulator.environment().items():
        monkeypatch.setenv(name, value)
    client = Client(chaos=Chaos(rate=0.5, seed=9))

    copied = pickle.loads(pickle.dumps(client))

    assert isinstance(copied._carrier._transport, ChaosTransport)
    assert Chaos(rate=0.5, seed=9) == copied._carrier._transport._chaos
