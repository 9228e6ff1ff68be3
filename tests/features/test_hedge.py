"""Hedging on real sockets: the first to speak wins, and the other is hung up on at once."""

from __future__ import annotations

import _thread
import threading
import time

import pytest

from openrouter_resilient import (
    Client,
    DeadlineExceeded,
    Endpoint,
    InvalidRequest,
    RoutesExhausted,
)
from openrouter_resilient.features import hedge
from openrouter_resilient.routing.step import State
from openrouter_resilient.wire import sockets
from openrouter_resilient.wire.exchange import Exchange

SOON_S = 5.0  # far below the 10 s that a silent route is waited for without a hedge
SILENCES = (
    "no_headers", "headers_only", "drip_headers", "endless_comments", "endless_padding",
    "drip_body", "role_then_silence", "first_token_late", "connect_hangs", "tls_stall",
)  # fmt: skip


def trail(served):
    return [(attempt.endpoint, attempt.fault) for attempt in served.attempts]


def lanes():
    return [thread for thread in threading.enumerate() if thread.name == "openrouter-hedge"]


def end_of_lanes():
    for thread in lanes():
        thread.join(SOON_S)
    return not lanes()


@pytest.mark.parametrize("silence", SILENCES)
def test_whatever_a_route_is_stuck_in_the_next_one_answers(simulator, make_client, silence):
    simulator.play("openrouter", silence)
    began = time.monotonic()

    answer = make_client(hedge_after=0.1).complete("hi")

    assert [("openrouter", "abandoned"), ("openai", None)] == trail(answer.served)
    assert [1, 2] == [attempt.number for attempt in answer.served.attempts]
    assert simulator.received("openai")[0].answered.model == answer.served.model
    assert time.monotonic() - began < SOON_S
    assert end_of_lanes()


def test_a_name_that_does_not_resolve_holds_nobody_up(simulator, make_client, monkeypatch):
    never = threading.Event()
    real = sockets.socket.getaddrinfo

    def lookup(host, port, **kwargs):
        if host == "stuck.invalid":
            never.wait(SOON_S)
        return real("127.0.0.1", port, **kwargs)

    monkeypatch.setattr(sockets, "RESOLVER", sockets.Resolver(lookup))
    stuck = Endpoint("stuck", "http://stuck.invalid:9/v1")
    client = make_client("stuck:any", endpoints=[stuck], hedge_after=0.1)
    began = time.monotonic()

    answer = client.complete("hi")

    assert [("stuck", "abandoned"), ("openai", None)] == trail(answer.served)
    assert time.monotonic() - began < 2.0
    assert end_of_lanes()
    never.set()


def test_a_route_that_speaks_in_time_is_asked_alone(simulator, make_client):
    answer = make_client(hedge_after=5.0).complete("hi")

    assert [("openrouter", None)] == trail(answer.served)
    assert 1 == len(simulator.requests)


def test_a_route_that_refuses_is_left_at_once_and_not_hedged(simulator, make_client):
    simulator.outage("openrouter")

    answer = make_client(hedge_after=5.0).complete("hi")

    assert [("openrouter", "refused"), ("openai", None)] == trail(answer.served)


def test_the_first_route_may_still_win(simulator, make_client):
    simulator.play("openrouter", "first_token_late", seconds=0.4)
    simulator.play("openai", "no_headers")

    answer = make_client(hedge_after=0.1).complete("hi")

    assert [("openrouter", None), ("openai", "abandoned")] == trail(answer.served)
    assert simulator.received("openrouter")[0].answered.generation_id == answer.served.generation_id
    assert 2 == len(simulator.requests)


def test_a_stream_is_the_winners_from_its_first_word(simulator, make_client):
    simulator.play("openrouter", "endless_comments")

    with make_client(hedge_after=0.1).stream("hi there") as stream:
        text = "".join(stream)

    assert simulator.received("openai")[0].answered.text == text
    assert [("openrouter", "abandoned"), ("openai", None)] == trail(stream.served)


def test_a_whole_body_can_be_hedged_too(simulator, make_client):
    simulator.play("openrouter", "endless_padding")

    answer = make_client(hedge_after=0.1, wire="whole").complete("hi")

    assert "openai" == answer.served.endpoint


HEADERS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


@pytest.mark.parametrize("says", [b"", HEADERS, HEADERS + b": PROCESSING\n\n"])
def test_the_loser_is_hung_up_on_at_once(make_client, listening, says):
    server = listening(says)
    client = make_client("slow:any", endpoints=[Endpoint("slow", server.url)], hedge_after=0.1)

    answer = client.complete("hi")

    assert "openai" == answer.served.endpoint
    assert server.left.wait(2.0)  # one that is not hung up on stays for 10 s


def test_a_generation_that_had_begun_stands_in_the_record(simulator, make_client):
    simulator.play("openrouter", "headers_only")

    first, _ = make_client(hedge_after=0.2).complete("hi").served.attempts

    assert simulator.received("openrouter")[0].answered.generation_id == first.generation_id
    assert "was given up" in str(first)


def test_being_hung_up_on_does_not_count_against_an_endpoint(simulator, make_client):
    simulator.play("openrouter", "no_headers")
    client = make_client(hedge_after=0.05)
    for _ in range(5):
        client.complete("hi")

    route = client._routes[0]
    assert State.CLOSED is client._carrier.board.health(route, time.monotonic()).state


def test_the_retry_budget_pays(simulator, make_client):
    simulator.play("openrouter", "first_token_late", seconds=0.3)
    client = make_client(hedge_after=0.05)
    client._carrier._budget._tokens = 0.0

    answer = client.complete("hi")

    assert [("openrouter", None)] == trail(answer.served)
    assert not simulator.received("openai")


def test_a_fault_of_the_request_ends_the_race(simulator, make_client):
    simulator.play("openrouter", "no_headers")
    simulator.play("openai", "status_422")

    with pytest.raises(InvalidRequest) as caught:
        make_client(hedge_after=0.1).complete("hi")

    assert ["abandoned", "invalid_request"] == [a.fault for a in caught.value.history]
    assert end_of_lanes()


def test_a_fault_of_the_second_leaves_the_race_to_the_first(simulator, make_client):
    simulator.play("openrouter", "first_token_late", seconds=0.4)
    simulator.play("openai", "status_401")

    answer = make_client(hedge_after=0.1).complete("hi")

    assert [("openrouter", None), ("openai", "unauthorized")] == trail(answer.served)


def test_where_both_fail_the_third_is_asked(simulator, make_client):
    simulator.play("openrouter", "first_token_late", seconds=30)
    simulator.play("openai", "status_401")
    client = make_client(
        fallbacks=["openai:gpt-4o", "groq:llama-3.3-70b-versatile"],
        hedge_after=0.1,
        first_token_timeout=0.4,
    )

    answer = client.complete("hi")

    assert "groq" == answer.served.endpoint
    assert [1, 2, 3] == [attempt.number for attempt in answer.served.attempts]


def test_an_answer_that_breaks_after_it_won_is_failed_over(simulator, make_client):
    simulator.play("openrouter", "no_headers")
    simulator.play("openai", "cut_mid_stream", times=1)

    answer = make_client(hedge_after=0.1, first_token_timeout=0.3).complete("hi")

    assert ["abandoned", "truncated"] == [a.fault for a in answer.served.attempts[:2]]
    assert "openai" == answer.served.endpoint


@pytest.mark.parametrize("silence", ["no_headers", "endless_comments", "connect_hangs"])
def test_the_deadline_holds_where_nobody_speaks(simulator, make_client, silence):
    for face in ("openrouter", "openai"):
        simulator.play(face, silence)
    began = time.monotonic()

    with pytest.raises((DeadlineExceeded, RoutesExhausted)):
        make_client(hedge_after=0.1).complete("hi", deadline=0.6)

    assert time.monotonic() - began < 0.8
    assert end_of_lanes()


def test_what_was_left_out_is_told_of_the_winner_alone(simulator, make_client):
    simulator.play("openrouter", "no_headers", times=1)
    client = make_client(hedge_after=0.1)

    assert [] != [
        w for w in client.complete("hi", session_id="s").served.warnings if "session" in w
    ]
    assert () == client.complete("hi", session_id="s").served.warnings


def test_a_call_may_hedge_where_its_client_does_not(simulator, make_client):
    simulator.play("openrouter", "no_headers")

    assert "openai" == make_client().complete("hi", hedge_after=0.1).served.endpoint


@pytest.mark.parametrize("options", [{}, {"hedge_after": 5.0, "fallbacks": ()}])
def test_a_call_that_will_not_hedge_makes_no_thread(make_client, monkeypatch, options):
    client = make_client(**options)
    client.complete("hi")
    started = []
    monkeypatch.setattr(threading.Thread, "start", lambda self: started.append(self.name))

    client.complete("hi")

    assert not [name for name in started if name.startswith("openrouter-")]


def test_without_a_thread_the_first_route_is_asked_alone(make_client, no_more_threads):
    no_more_threads("openrouter-hedge")

    assert "openrouter" == make_client(hedge_after=5.0).complete("hi").served.endpoint


def test_without_a_thread_for_the_second_the_first_route_goes_on(
    simulator, make_client, no_more_threads, monkeypatch
):
    simulator.play("openrouter", "first_token_late", seconds=0.4)
    start = hedge._Race._hedge

    def without_a_thread(race):
        no_more_threads("openrouter-hedge")
        start(race)

    monkeypatch.setattr(hedge._Race, "_hedge", without_a_thread)

    assert [("openrouter", None)] == trail(make_client(hedge_after=0.1).complete("hi").served)


@pytest.fixture
def interrupted(monkeypatch):
    """Ctrl-C, as soon as the second route is asked."""
    start = hedge._Race._hedge

    def and_interrupt(self):
        start(self)
        _thread.interrupt_main()

    monkeypatch.setattr(hedge._Race, "_hedge", and_interrupt)


def test_ctrl_c_gets_out_at_once_and_hangs_up_on_both(simulator, make_client, interrupted):
    simulator.play("openrouter", "no_headers")
    simulator.play("openai", "no_headers")
    client = make_client(hedge_after=0.05)
    began = time.monotonic()

    with pytest.raises(KeyboardInterrupt):
        client.complete("hi")

    assert time.monotonic() - began < 2.0
    assert end_of_lanes()


def test_after_ctrl_c_the_record_has_both_that_were_cut_off(simulator, make_client, interrupted):
    simulator.play("openrouter", "headers_only")
    simulator.play("openai", "no_headers")
    records = []
    client = make_client(hedge_after=0.2, on_call=records.append)

    with pytest.raises(KeyboardInterrupt):
        client.complete("hi")

    (record,) = records
    first, second = record.attempts
    assert ("cancelled", "KeyboardInterrupt") == (record.ended, record.error)
    assert [(1, "openrouter", "cancelled"), (2, "openai", "cancelled")] == [
        (a.number, a.endpoint, a.fault) for a in record.attempts
    ]
    assert simulator.received("openrouter")[0].answered.generation_id == first.generation_id
    assert 0.2 <= second.begun_seconds <= first.begun_seconds + first.seconds
    assert record.cost is None  # both may be billed, and nobody said how much


def test_after_ctrl_c_the_record_has_a_winner_that_was_cut_off(simulator, make_client, monkeypatch):
    drain = Exchange.drain

    def interrupted_drain(exchange):
        _thread.interrupt_main()
        return drain(exchange)

    monkeypatch.setattr(Exchange, "drain", interrupted_drain)
    client = make_client(hedge_after=5.0)

    with pytest.raises(KeyboardInterrupt):
        client.complete("hi")

    (record,) = client.ledger.calls
    (cut,) = record.attempts
    assert ("openrouter", "cancelled") == (cut.endpoint, cut.fault)
    assert simulator.received("openrouter")[0].answered.generation_id == cut.generation_id
    assert record.cost is None  # it may be billed


def test_a_request_that_cannot_be_written_was_refused_and_is_on_nobodys_trail(
    simulator, make_client
):
    client = make_client(hedge_after=5.0)

    with pytest.raises(ValueError, match="not JSON compliant"):
        client.complete("hi", temperature=float("nan"))

    (record,) = client.ledger.calls
    assert ("refused", (), 0.0) == (record.ended, record.attempts, record.cost)
    assert [] == simulator.requests


def test_a_handshake_that_nobody_answers_wakes_up(make_client, listening):
    server = listening()
    url = server.url.replace("http:", "https:")
    client = make_client(
        "slow:any", endpoints=[Endpoint("slow", url)], hedge_after=0.5, connect_timeout=60.0,
        first_token_timeout=60.0,
    )  # fmt: skip

    assert "openai" == client.complete("hi").served.endpoint
    assert end_of_lanes()
    assert server.left.wait(2.0) or not server.asked.is_set()  # hung up on before it connected


def test_a_silent_read_over_tls_wakes_up(simulator, make_client, tls_server, monkeypatch):
    url, bundle, left = tls_server
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    client = make_client("slow:any", endpoints=[Endpoint("slow", url)], hedge_after=0.3)

    assert "openai" == client.complete("hi").served.endpoint
    assert left.wait(2.0)  # one that is not hung up on stays for 10 s
    assert end_of_lanes()


def test_threads_that_share_a_client_each_get_their_own_answer(simulator, make_client):
    simulator.play("openrouter", "no_headers", every=2)
    client = make_client(hedge_after=0.1)
    answers = {}

    def ask(number):
        answers[number] = client.complete(f"prompt {number}.")

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON_S)

    assert all(f"prompt {number}." in answers[number].text for number in range(8))


def test_a_client_without_the_option_is_the_same_client(simulator):
    with Client(environment=simulator.environment(), hedge_after=1.0) as client:
        assert 1.0 == client._limits.hedge_after
