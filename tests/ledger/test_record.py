"""Every finished call leaves one record, however it ended, before its answer is handed over."""

from __future__ import annotations

import gc
import logging
import pickle

import pytest

from openrouter_resilient import (
    DeadlineExceeded,
    InvalidRequest,
    RoutesExhausted,
    SpendingCapReached,
    StreamInterrupted,
    llm_complete,
)
from openrouter_resilient.record import how_it_ended, whole_cost
from openrouter_resilient.routing.faults import FAULTS, Kind
from openrouter_resilient.wire.exchange import Exchange
from openrouter_resilient.wire.transport import RequestsTransport
from tests.ledger.making import make_attempt


def test_an_answer_is_recorded_with_who_gave_it(simulator, make_client):
    client = make_client()

    answer = client.complete("hi")

    (record,) = client.ledger.calls
    said = simulator.requests[0].answered
    assert ("answered", "complete", None) == (record.ended, record.kind, record.error)
    assert said.model == record.model == answer.served.model
    assert (said.cost, "reported") == (pytest.approx(record.cost), record.cost_source)
    assert answer.served.generation_id == record.generation_id
    assert answer.served.attempts == record.attempts


def test_the_record_is_there_before_the_answer_is_handed_over(simulator, make_client):
    order = []
    client = make_client(on_call=lambda record: order.append(record.ended))

    client.complete("hi")
    order.append("handed over")

    assert ["answered", "handed over"] == order


def test_it_begins_when_the_call_began(make_client):
    client = make_client()

    client.complete("hi")

    (record,) = client.ledger.calls
    now = client._carrier.clock.wall()
    assert now - 10 < record.started_at <= now - record.seconds + 0.01


@pytest.mark.parametrize(
    ("fault", "error", "ended"),
    [
        ("status_400", InvalidRequest, "refused"),
        ("status_500", RoutesExhausted, "failed"),
        ("no_headers", DeadlineExceeded, "failed"),
    ],
)
def test_a_call_that_nobody_answered_is_recorded(simulator, make_client, fault, error, ended):
    simulator.play("openrouter", fault)
    client = make_client(fallbacks=(), deadline=1.0, rounds=1)

    with pytest.raises(error) as caught:
        client.complete("hi")

    (record,) = client.ledger.calls
    assert (ended, error.__name__, None) == (record.ended, record.error, record.model)
    assert [a.fault for a in caught.value.history] == [a.fault for a in record.attempts]


def test_a_stream_is_recorded_when_it_ends(make_client):
    client = make_client()
    stream = client.stream("hi")
    before = client.ledger.calls

    list(stream)

    (record,) = client.ledger.calls
    assert () == before
    assert ("answered", "stream") == (record.ended, record.kind)
    assert record.first_token_seconds is not None


def test_a_stream_that_breaks_is_recorded_with_the_generation_to_ask_for(simulator, make_client):
    simulator.play("openrouter", "cut_mid_stream", after=2)
    client = make_client()

    with pytest.raises(StreamInterrupted):
        list(client.stream("hi there, and more"))

    (record,) = client.ledger.calls
    assert ("interrupted", "StreamInterrupted") == (record.ended, record.error)
    assert record.attempts[0].generation_id
    assert (None, "unknown") == (record.cost, record.cost_source)


def test_a_stream_that_is_closed_early_is_recorded_as_left(make_client):
    client = make_client()

    with client.stream("hi there, and more") as stream:
        next(iter(stream))

    assert ["left"] == [record.ended for record in client.ledger.calls]


def test_a_stream_that_is_dropped_is_recorded_too(make_client):
    client = make_client()
    stream = client.stream("hi there, and more")
    next(iter(stream))

    del stream
    gc.collect()

    assert ["left"] == [record.ended for record in client.ledger.calls]


def test_a_dropped_stream_tells_nobody_from_within_the_collector(make_client):
    """It may run while this thread holds an observer's lock."""
    told = []
    client = make_client(on_call=told.append)
    stream = client.stream("hi there, and more")

    del stream
    gc.collect()
    at_once = list(told)
    client.complete("hi")

    assert [] == at_once
    assert ["left", "answered"] == [record.ended for record in told]


def test_ctrl_c_is_recorded_with_the_attempt_it_cut_short(simulator, make_client, monkeypatch):
    def interrupted(_self):
        raise KeyboardInterrupt

    client = make_client()
    monkeypatch.setattr(Exchange, "drain", interrupted)

    with pytest.raises(KeyboardInterrupt):
        client.complete("hi")

    (record,) = client.ledger.calls
    assert ("cancelled", "KeyboardInterrupt") == (record.ended, record.error)
    assert ["cancelled"] == [attempt.fault for attempt in record.attempts]
    assert record.attempts[0].generation_id


def test_an_observer_that_raises_fails_no_call_and_is_complained_of_once(make_client, caplog):
    def broken(_record):
        raise RuntimeError("secret detail")

    told = []
    client = make_client(on_call=[broken, told.append])

    client.complete("hi")
    client.complete("hi")

    warnings = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert 2 == len(told) == len(client.ledger.calls)
    assert 1 == len(warnings)
    assert "RuntimeError" in warnings[0].getMessage()
    assert "secret" not in caplog.text


def test_no_text_and_no_key_is_in_a_record_unless_texts_are_kept(simulator, make_client):
    simulator.play("openrouter", "status_500")
    client = make_client()

    client.complete("a secret prompt")

    whole = repr(client.ledger.calls) + str(pickle.dumps(client.ledger.calls))
    assert "secret prompt" not in whole
    assert all(
        value not in whole for name, value in simulator.environment().items() if "KEY" in name
    )
    assert all(not attempt.message for record in client.ledger.calls for attempt in record.attempts)


def test_texts_are_kept_where_that_is_asked_for(make_client):
    client = make_client(keep_text=True)

    answer = client.complete("a prompt")

    (record,) = client.ledger.calls
    assert "a prompt" in record.texts.prompt
    assert answer.text == record.texts.answer
    assert "a prompt" not in repr(record)


def test_memory_keeps_the_last_thousand(make_client):
    client = make_client()
    client.complete("hi")
    (record,) = client.ledger.calls

    for _ in range(1_500):
        client.ledger.add(record)

    assert 1_000 == len(client.ledger.calls)


def test_the_setting_names_the_file(simulator, monkeypatch, path):
    for name, value in simulator.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OPENROUTER_RESILIENT_LEDGER", str(path))

    llm_complete("hi")

    assert path.exists()


def test_a_client_travels_with_its_ledger(make_client, path):
    client = make_client(ledger=path, keep_text=True)

    state = client.__getstate__()

    assert (path, True) == (state["ledger"], state["keep_text"])


@pytest.mark.parametrize(
    ("attempts", "cost"),
    [
        ([{"cost": 0.5}], 0.5),
        ([{}], None),
        ([{"fault": "server_error", "status": 500}, {"cost": 0.5}], 0.5),
        ([{"fault": "refused"}, {"cost": 0.5}], 0.5),
        ([{"fault": "truncated", "cost": 0.25}, {"cost": 0.5}], 0.75),
        ([{"fault": "silent"}, {"cost": 0.5}], None),
        ([{"fault": "a fault of next year"}, {"cost": 0.5}], None),
        ([{"fault": "server_error", "status": 500}], 0.0),
        ([], 0.0),
    ],
)
def test_what_failed_attempts_cost_is_part_of_it_and_unknown_is_none(attempts, cost):
    assert cost == whole_cost([make_attempt(**fields) for fields in attempts])


def test_only_what_never_left_this_machine_was_surely_not_billed():
    unsent = {kind for kind, row in FAULTS.items() if not row.sent}

    assert {
        Kind.REFUSED, Kind.UNRESOLVED, Kind.TLS, Kind.CONNECT_TIMEOUT, Kind.STALE_CONNECTION,
    } == unsent  # fmt: skip


def test_a_parameter_that_cannot_be_sent_is_the_callers_own_mistake(make_client):
    """Nothing was sent: no attempt, no cost, and nothing that counts against availability."""
    client = make_client()

    with pytest.raises(TypeError):
        client.complete("hi", temperature=object())

    (record,) = client.ledger.calls
    assert ("refused", "TypeError", (), 0.0) == (
        record.ended, record.error, record.attempts, record.cost,
    )  # fmt: skip


class TimeIsUpError(Exception):
    """What Celery and others raise in a signal's handler, in the middle of a call."""


def test_whatever_a_signal_raises_a_request_that_was_sent_is_in_the_record(
    make_client, monkeypatch
):
    def time_is_up(*_args, **_kwargs):
        raise TimeIsUpError

    client = make_client()
    monkeypatch.setattr(RequestsTransport, "post", time_is_up)

    with pytest.raises(TimeIsUpError):
        client.complete("hi")

    (record,) = client.ledger.calls
    assert [("openrouter", "cancelled")] == [(a.endpoint, a.fault) for a in record.attempts]
    assert ("failed", None, "unknown") == (record.ended, record.cost, record.cost_source)


def test_a_cap_that_was_reached_before_anything_was_sent_is_the_callers_own_limit(make_client):
    client = make_client(max_cost=1e-9)
    client.complete("hi")

    with pytest.raises(SpendingCapReached):
        client.complete("hi")

    assert ["answered", "cancelled"] == [record.ended for record in client.ledger.calls]
    assert 1 == client.ledger.report().availability.asked


def test_a_cap_that_cut_off_the_way_out_of_a_fault_leaves_a_call_unanswered():
    error = SpendingCapReached("no")

    assert "failed" == how_it_ended(error, sent=True)
    assert "cancelled" == how_it_ended(error, sent=False)


def test_vectors_are_recorded_as_what_they_are(make_client):
    client = make_client()

    client.embed(["a", "b", "c"], batch_size=2)

    assert ["embed", "embed"] == [record.kind for record in client.ledger.calls]


def test_a_replay_leaves_the_file_of_the_setting_alone(make_client, simulator, path, tmp_path):
    """Nobody was asked and nobody was paid: it would make the record untrue."""
    environment = {**simulator.environment(), "OPENROUTER_RESILIENT_LEDGER": str(path)}
    lesson = tmp_path / "lesson.jsonl"
    with make_client(environment=environment, record=lesson) as client:
        client.complete("hi")
        told = client.ledger.path

    with make_client(environment=environment, replay=lesson) as client:
        assert client.complete("hi").served.replayed
        assert 1 == len(client.ledger.calls)
        untold = client.ledger.path

    assert (path, None) == (told, untold)


def test_an_empty_name_keeps_the_record_in_memory(make_client, simulator, path):
    environment = {**simulator.environment(), "OPENROUTER_RESILIENT_LEDGER": str(path)}

    assert make_client(environment=environment, ledger="").ledger.path is None
