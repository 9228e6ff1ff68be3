"""The cache: the same request, the same answer, one flight; and a record that says so."""

from __future__ import annotations

import os
import pickle
import threading
import time
from dataclasses import replace

import pytest

from openrouter_resilient import ConfigurationError, DeadlineExceeded, RoutesExhausted
from openrouter_resilient.wire.clock import VirtualClock


@pytest.fixture
def clock():
    """Stands still until the test moves it; so far ahead that no socket's limit ever comes."""
    return VirtualClock(time.monotonic() + 1e6)


def test_the_same_request_is_asked_once(simulator, make_client):
    client = make_client(cache_seconds=60)

    first, second = client.complete("hi"), client.complete("hi")

    assert 1 == len(simulator.requests)
    assert first.model_dump() == second.model_dump()
    assert first is not second


def test_what_is_cached_says_so_and_what_it_says_is_true(simulator, make_client):
    client = make_client(cache_seconds=60)
    first, second = client.complete("hi").served, client.complete("hi").served

    said = simulator.requests[0].answered
    assert (False, None) == (first.cached, first.age_seconds)
    assert second.cached
    assert not second.stale
    assert 0 <= second.age_seconds < 60
    assert () == second.attempts
    assert 0.0 == second.cost
    assert (said.model, said.provider, said.generation_id) == (
        second.model, second.provider, second.generation_id,
    )  # fmt: skip
    assert second.seconds < first.seconds + 1
    assert "an answer of 0." in str(second)


@pytest.mark.parametrize(
    "other",
    [
        {"prompt": "ho"},
        {"temperature": 0.5},
        {"system": "Be brief."},
        {"model": "openai/gpt-4o"},
        {"fallbacks": ()},
        {"provider": {"zdr": True}},
    ],
)
def test_another_request_is_another_answer(simulator, make_client, other):
    client = make_client(cache_seconds=60)

    client.complete("hi")
    client.complete(**{"prompt": "hi", **other})

    assert 2 == len(simulator.requests)


def test_a_copy_that_was_changed_changes_nothing(make_client):
    client = make_client(cache_seconds=60)
    text = client.complete("hi").text

    client.complete("hi").choices[0].message.content = "mine"

    assert text == client.complete("hi").text


def test_an_answer_expires(simulator, make_client, clock):
    client = make_client(cache_seconds=60, clock=clock, deadline=9e6)
    client.complete("hi")

    clock.advance(61)
    answer = client.complete("hi")

    assert not answer.served.cached
    assert 2 == len(simulator.requests)


def test_a_call_may_want_it_fresher_or_not_at_all(simulator, make_client, clock):
    client = make_client(cache_seconds=60, clock=clock, deadline=9e6)
    client.complete("hi")
    clock.advance(10)

    assert client.complete("hi").served.cached
    assert 10 == pytest.approx(client.complete("hi", cache_seconds=20).served.age_seconds)
    assert not client.complete("hi", cache_seconds=5).served.cached
    assert not client.complete("hi", cache_seconds=0).served.cached


def test_a_call_may_use_the_cache_where_its_client_does_not(simulator, make_client):
    client = make_client()

    client.complete("hi", cache_seconds=60)

    assert client.complete("hi", cache_seconds=60).served.cached
    assert not client.complete("hi").served.cached


def test_in_an_outage_of_everybody_an_expired_answer_is_given_and_marked(
    simulator, make_client, clock
):
    options = {"cache_seconds": 60, "stale_if_error": 3600, "rounds": 1}
    client = make_client(clock=clock, deadline=9e6, **options)
    text = client.complete("hi").text
    for face in ("openrouter", "openai"):
        simulator.outage(face)
    clock.advance(100)

    answer = client.complete("hi")

    assert text == answer.text
    assert (True, True) == (answer.served.cached, answer.served.stale)
    assert 100 == pytest.approx(answer.served.age_seconds)
    assert [("openrouter", "refused"), ("openai", "refused")] == [
        (attempt.endpoint, attempt.fault) for attempt in answer.served.attempts
    ]
    assert "an expired answer" in str(answer.served)


def test_in_an_outage_of_openrouter_alone_openai_answers_and_not_the_past(
    simulator, make_client, clock
):
    client = make_client(clock=clock, deadline=9e6, cache_seconds=60, stale_if_error=3600)
    client.complete("hi")
    simulator.outage("openrouter")
    clock.advance(100)

    answer = client.complete("hi")

    assert ("openai", False) == (answer.served.endpoint, answer.served.cached)
    assert answer.text == simulator.received("openai")[0].answered.text


def test_what_is_too_old_even_for_that_is_not_given(simulator, make_client, clock):
    client = make_client(
        fallbacks=(), clock=clock, deadline=9e6, cache_seconds=60, stale_if_error=100, rounds=1
    )
    client.complete("hi")
    simulator.outage("openrouter")
    clock.advance(161)

    with pytest.raises(RoutesExhausted):
        client.complete("hi")


def test_a_refused_request_is_never_answered_from_the_past(simulator, make_client, clock):
    client = make_client(clock=clock, deadline=9e6, cache_seconds=60, stale_if_error=1e6)
    client.complete("hi")
    simulator.play("openrouter", "status_400")
    clock.advance(61)

    with pytest.raises(Exception, match="refused the request"):
        client.complete("hi")


def together(count, ask):
    """What so many threads got, all started before the first answer."""
    results, ready = [None] * count, threading.Barrier(count)

    def run(place):
        ready.wait()
        try:
            results[place] = ask()
        except Exception as error:
            results[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return results


def test_a_hundred_threads_that_ask_the_same_make_one_request(simulator, make_client):
    simulator.latency("openrouter", first_token=0.3)
    client = make_client(cache_seconds=60)

    answers = together(100, lambda: client.complete("hi"))

    assert 1 == len(simulator.requests)
    assert {simulator.requests[0].answered.text} == {answer.text for answer in answers}
    assert [False] + [True] * 99 == sorted(answer.served.cached for answer in answers)
    spent = sum(answer.served.cost for answer in answers)
    assert simulator.requests[0].answered.cost == pytest.approx(spent)


def test_a_failure_is_everybodys_and_was_asked_for_once(simulator, make_client):
    simulator.play("openrouter", "just_before", seconds=0.5, margin=0.2)
    simulator.answer = lambda _face, _body: {"content": ""}
    client = make_client(fallbacks=(), cache_seconds=60, rounds=1)
    client._carrier._budget._tokens = 0.0

    errors = together(20, lambda: client.complete("hi"))

    assert {RoutesExhausted} == set(map(type, errors))
    assert 20 == len({id(error) for error in errors})
    assert 1 == len(simulator.requests)


def leading(simulator, client, deadline):
    """A thread whose request has arrived, and that nobody will answer."""

    def ask():
        with pytest.raises(DeadlineExceeded):
            client.complete("hi", deadline=deadline)

    thread = threading.Thread(target=ask)
    thread.start()
    while not [request for request in simulator.requests if request.fault]:
        thread.join(0.01)
    return thread


def test_who_waits_for_anothers_flight_keeps_to_its_own_deadline(simulator, make_client):
    simulator.play("openrouter", "no_headers")
    client = make_client(fallbacks=(), cache_seconds=60)
    leader = leading(simulator, client, deadline=1.5)

    with pytest.raises(DeadlineExceeded) as caught:
        client.complete("hi", deadline=0.2)

    assert () == caught.value.history
    assert 1 == len(simulator.requests)
    leader.join()


def test_after_a_flight_that_ran_out_of_time_the_next_one_asks(simulator, make_client):
    simulator.play("openrouter", "no_headers", times=1)
    client = make_client(fallbacks=(), cache_seconds=60)
    leader = leading(simulator, client, deadline=0.5)

    assert not client.complete("hi", deadline=10).served.cached
    assert 2 == len(simulator.requests)
    leader.join()


def test_it_holds_no_more_answers_than_it_may(simulator, make_client):
    client = make_client(cache_seconds=60, cache_entries=2)
    for prompt in ("one", "two", "three"):
        client.complete(prompt)

    assert 2 == len(client._cache._kept)
    assert client.complete("three").served.cached
    assert not client.complete("one").served.cached


def test_it_holds_no_more_bytes_than_it_may(simulator, make_client):
    simulator.answer = lambda _face, body: "x" * int(body["messages"][-1]["content"])
    client = make_client(cache_seconds=60, cache_bytes=20_000)

    for size in (4_000, 4_001, 4_002, 4_003, 4_004, 50_000):
        client.complete(str(size))

    assert 0 < client._cache._kept.currsize <= 20_000
    assert not client.complete("50000").served.cached
    assert client.complete("4004").served.cached


def test_neither_a_prompt_nor_an_answer_shows_or_travels(make_client):
    client = make_client(cache_seconds=60)
    answer = client.complete("a secret plan")

    assert "secret" not in repr(vars(client._cache))
    assert answer.text.encode() not in pickle.dumps(client)


def test_an_answer_with_odd_characters_is_cached_as_it_is(simulator, make_client):
    simulator.answer = "a lone \udcff surrogate? no: \U0001f600 and \x00"[13:]
    client = make_client(cache_seconds=60)

    assert client.complete("hi").text == client.complete("hi").text


@pytest.mark.parametrize("name", ["cache_seconds", "stale_if_error"])
def test_an_age_is_no_negative_number(make_client, name):
    with pytest.raises(ConfigurationError, match=name):
        make_client(**{name: -1})
    with pytest.raises(ConfigurationError, match=name):
        make_client().complete("hi", **{name: -1})


def test_the_record_of_a_cached_answer_explains_itself(make_client):
    client = make_client(cache_seconds=60)
    client.complete("hi")

    sheet = client.complete("hi").served.explain()

    assert "an answer of" in str(sheet)
    assert replace(sheet, rows=()) == sheet


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_waits_for_no_flight_and_no_lock_of_its_parents(simulator, make_client):
    """While the parent asks, and while it holds the lock, a child asks the same."""
    simulator.play("openrouter", "no_headers", times=1)
    client = make_client(fallbacks=(), cache_seconds=60, max_cost=1.0)
    leader = leading(simulator, client, deadline=3.0)
    with client._cache._lock, client._spending._lock:
        child = os.fork()
        if child == 0:
            try:
                os._exit(0 if "hi" in client.complete("hi", deadline=10.0).text else 1)
            finally:
                os._exit(2)

    assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    leader.join()


def test_what_is_forgotten_is_the_answer_of_which_the_copy_was_made(simulator, make_client):
    client = make_client(cache_seconds=60)
    client.complete("hi")
    old = client.complete("hi")
    client._cache.forget(old)
    client.complete("hi")

    client._cache.forget(old)  # another has come since

    assert client.complete("hi").served.cached
    assert 2 == len(simulator.requests)


def test_a_request_nested_too_deeply_is_refused_before_it_is_looked_up(simulator, make_client):
    deep = {}
    for _ in range(100_000):
        deep = {"a": deep}

    with pytest.raises(ValueError, match="nested too deeply"):
        make_client(cache_seconds=60).complete("hi", logit_bias=deep)

    assert [] == simulator.requests
