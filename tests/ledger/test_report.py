"""The report's numbers, worked out again by other means."""

from __future__ import annotations

import html
import json
import math
import random
import statistics
import time

import pytest

from openrouter_resilient import ConfigurationError, Ledger
from openrouter_resilient.ledger.outages import Event, History
from openrouter_resilient.ledger.periods import beginning, seconds_of
from openrouter_resilient.ledger.report import percentile
from openrouter_resilient.ledger.words import headline, percent, what_is_missing
from tests.ledger.making import (
    MODEL,
    SERVED,
    START,
    answered_by_fallback,
    make_attempt,
    make_record,
    unanswered,
)

DAY_S = 86_400.0


def a_history(seed=7, calls=600):
    """Calls of ten days, in disorder of every kind."""
    chance = random.Random(seed)
    for number in range(calls):
        at = START + number * 10 * DAY_S / calls
        draw = chance.random()
        if draw < 0.10:
            yield answered_by_fallback(at)
        elif draw < 0.13:
            yield unanswered(at)
        elif draw < 0.15:
            bad = make_attempt(fault="invalid_request", status=400)
            yield make_record(
                attempts=(bad,), started_at=at, ended="refused", error="InvalidRequest"
            )
        elif draw < 0.17:
            yield make_record(started_at=at, ended="left", kind="stream", first_token_seconds=0.5)
        elif draw < 0.19:
            yield make_record(started_at=at, seconds=500.0)
        else:
            cost = chance.choice([0.001, 0.002, None])
            attempt = make_attempt(seconds=chance.expovariate(0.5), cost=cost, prompt_tokens=10,
                                   completion_tokens=chance.randrange(100))  # fmt: skip
            yield make_record(attempts=(attempt,), started_at=at, kind="stream",
                              first_token_seconds=attempt.seconds / 2)  # fmt: skip


@pytest.fixture
def ledger(path):
    ledger = Ledger(path)
    for record in a_history():
        ledger.add(record)
    return ledger


@pytest.fixture
def report(ledger):
    return ledger.report()


def test_availability_is_what_sql_counts(report, look):
    ((answered, asked),) = look(
        "SELECT sum(ended = 'answered' AND iif(kind = 'stream', first_token_seconds, seconds)"
        " <= deadline), sum(ended IN ('answered', 'failed', 'interrupted')) FROM calls"
    )

    assert (answered, asked) == (report.availability.good, report.availability.asked)
    assert 600 == report.calls == sum(report.endings.values())
    assert 600 - asked == report.left_out > 0
    assert look("SELECT count(*) FROM calls WHERE seconds > 400") == [(report.late,)]


def test_percentiles_are_those_of_the_standard_library(report, look):
    rows = look("SELECT seconds FROM calls WHERE ended = 'answered' AND attempts = 1")
    cuts = statistics.quantiles([row[0] for row in rows], n=100, method="inclusive")

    assert len(rows) == report.straight.calls
    for percent_, value in report.straight.seconds.items():
        assert cuts[percent_ - 1] == pytest.approx(value)


def test_latency_with_failover_stands_apart(report, look):
    rows = look("SELECT seconds FROM calls WHERE ended = 'answered' AND attempts > 1")

    assert len(rows) == report.after_failures.calls == report.saved
    assert statistics.median(row[0] for row in rows) == pytest.approx(
        report.after_failures.seconds[50]
    )


def test_each_endpoint_alone_is_what_sql_counts_where_none_was_skipped(report, look):
    for endpoint in ("openrouter", "openai"):
        ((good, asked),) = look(
            "SELECT sum(good), count(*) FROM (SELECT max(fault IS NULL) AS good FROM attempts "
            "WHERE endpoint = ? AND fault IS NOT 'invalid_request' GROUP BY call)",
            endpoint,
        )
        alone = report.endpoints[endpoint]
        assert (good, asked) == (alone.good, alone.good + alone.bad)
        assert asked == sum(good + bad for good, bad in alone.days.values())


def test_calls_far_from_trouble_are_counted_as_those_near_it(path):
    """They are counted another way; it must not change what they add up to."""
    ledger, events = Ledger(path), []
    for number in range(400):
        at = START + 1_000.0 * number
        bad = number % 97 == 5
        fault = "refused" if number % 89 == 7 else None
        for name, found in (("openrouter", fault), ("groq", None)):
            route = f"{name}:{MODEL}"
            ledger.probe(name, route=route, fault=found, seconds=0.1, started_at=at - 500)
            events.append(Event(at - 500, None, name, route, None, found))
        ledger.add(answered_by_fallback(at) if bad else make_record(started_at=at))
        first = Event(at, number, "openrouter", f"openrouter:{MODEL}", SERVED, None, answered=True)
        if bad:
            second = first._replace(endpoint="openai", route="openai:gpt-4o")
            events += [first._replace(fault="server_error"), second]
        else:
            events.append(first)
    history = History().read(events)

    report = ledger.report()

    assert history.endpoints == report.endpoints
    assert history.models == report.models
    assert len(history.outages) == len(report.outages) == 10
    assert 400 == report.endpoints["groq"].probes == report.endpoints["groq"].good
    assert history.outages == sorted(report.outages, key=lambda outage: outage.began_at)


@pytest.mark.parametrize("kept", ["in memory", "in a file"])
def test_a_record_in_which_nothing_was_ever_answered_shows_that_nothing_was(path, kept):
    ledger = Ledger(path if kept == "in a file" else None)
    for number in range(4):
        ledger.add(unanswered(START + 60 * number))

    report = ledger.report()

    for alone in (report.endpoints["openrouter"], report.models["openrouter", MODEL]):
        assert (0, 4) == (alone.good, alone.bad)
    assert [4] == [outage.faults for outage in report.outages]
    assert (0, 4) == (report.availability.good, report.availability.asked)


def test_costs_are_what_sql_sums(report, look):
    rows = look(
        "SELECT endpoint, model, count(*), sum(prompt_tokens), sum(completion_tokens), "
        "sum(billable AND cost IS NULL) FROM attempts GROUP BY endpoint, model"
    )
    found = {
        (c.endpoint, c.model, c.attempts, c.prompt_tokens, c.completion_tokens, c.unknown)
        for c in report.costs
    }
    ((total,),) = look("SELECT total(cost) FROM attempts")

    assert set(rows) == found
    assert total == pytest.approx(sum(c.known_usd or 0.0 for c in report.costs))


def test_who_served_is_what_sql_counts(report, look):
    rows = look(
        "SELECT CAST(started_at / 86400 AS INTEGER), endpoint, count(*) FROM calls "
        "WHERE ended = 'answered' GROUP BY 1, 2"
    )

    assert {(d, e, n) for d, counts in report.served.items() for e, n in counts.items()} == set(
        rows
    )


def test_a_period_leaves_out_what_was_before(ledger, look):
    since = START + 5 * DAY_S

    report = ledger.report(since)

    assert look("SELECT count(*) FROM calls WHERE started_at >= ?", since) == [(report.calls,)]
    assert set(report.served) == {int(since // DAY_S) + n for n in range(6)} & set(report.served)


def test_all_that_is_recorded_takes_in_calls_that_are_dated_later_than_now(path):
    ledger = Ledger(path)
    later = time.time() + 30 * DAY_S
    for at in (START, later, later + 60):
        ledger.add(unanswered(at))

    report = ledger.report()

    assert (3, START, later + 60) == (report.calls, report.since, report.until)
    assert 3 == report.endpoints["openrouter"].bad
    assert 1 == ledger.report(START, until=later).calls


def test_the_period_of_an_empty_record_is_now():
    before = time.time()

    report = Ledger().report()

    assert before <= report.since == report.until <= time.time()


def test_the_period_of_probes_alone_is_theirs(path):
    ledger = Ledger(path)
    for at in (START, START + 300):
        ledger.probe("groq", seconds=0.2, started_at=at)

    report = ledger.report()

    assert (START, START + 300) == (report.since, report.until)


def test_memory_and_file_report_the_same(path):
    in_memory, in_file = Ledger(), Ledger(path)
    for record in a_history(calls=300):
        in_memory.add(record)
        in_file.add(record)

    assert in_memory.report() == in_file.report()


def test_an_empty_record_makes_a_report_that_claims_nothing():
    report = Ledger().report()

    assert "No call in this period" in str(report)
    assert json.dumps(report.as_json())
    assert "No call in this period" in report.as_html()


def test_the_words_say_what_the_record_supports(path):
    ledger = Ledger()
    report = ledger.report()
    many = type(report)(
        **{**report.__dict__, "availability": type(report.availability)(41_207, 41_215)}
    )

    assert (
        "Answered 41,207 of 41,215: 99.98 % (95 %: 99.96–99.99). You can claim 99.9 %."
        == headline(many)
    )
    assert what_is_missing(many).startswith("To claim 99.99 %, ")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "100 %"),
        (0.99999, "99.999 %"),
        (0.9999999, "99.99999 %"),
        (0.5, "50.00 %"),
        (None, "–"),
    ],
)
def test_a_share_is_never_rounded_up_to_all(value, text):
    assert text == percent(value)


def test_unknown_costs_are_said_and_not_counted_as_nought(path):
    ledger = Ledger(path)
    ledger.add(make_record(attempts=(make_attempt(cost=None),)))

    report = ledger.report()

    assert (None, 1) == (report.costs[0].known_usd, report.costs[0].unknown)
    assert "cost of 1 attempt is not known" in str(report)


def test_a_report_says_how_to_ask_for_the_costs_of_the_very_record_it_is_made_of(tmp_path):
    path = tmp_path / "our calls.db"
    in_memory, in_file = Ledger(), Ledger(path)
    for ledger in (in_memory, in_file):
        ledger.add(make_record(attempts=(make_attempt(cost=None),)))

    page = html.unescape(in_file.report().as_html())

    assert "; `client.ledger.reconcile()` asks." in str(in_memory.report())
    for said in (str(in_file.report()), page):
        assert "; `openrouter-resilient reconcile --ledger 'our calls.db'` asks." in said
    assert str(tmp_path) not in page


def test_what_failed_attempts_cost_is_what_failover_cost(path):
    ledger = Ledger(path)
    broken = make_attempt(fault="truncated", cost=0.25)
    ledger.add(make_record(attempts=(broken, make_attempt(number=2, cost=0.5))))

    costs = ledger.report().costs

    assert 0.25 == sum(cost.failover_usd for cost in costs)
    assert 0.75 == sum(cost.known_usd for cost in costs)


def test_late_answers_fall_into_bunches_like_all_that_were_not_in_time(path):
    ledger = Ledger(path)
    for at in (0, 1, 2, 1_000):
        ledger.add(make_record(started_at=START + at, seconds=500.0))

    report = ledger.report()

    assert (0, 4, 2) == (report.availability.good, report.late, report.bunches)
    assert "Not answered: 4, 4 of them too late, in 2 bunches." in str(report)


def test_first_tokens_are_counted_by_the_calls_that_showed_one(path):
    ledger = Ledger(path)
    ledger.add(make_record(first_token_seconds=0.5))
    ledger.add(make_record())

    report = ledger.report()

    assert (2, 1) == (report.straight.calls, report.straight.streamed)
    assert {0.5} == set(report.straight.first_token_seconds.values())


def test_a_probe_of_a_route_is_a_trial_of_its_endpoint_and_model(path, look):
    ledger = Ledger(path)
    for at, fault in ((0, None), (300, "refused"), (600, "unauthorized"), (900, None)):
        ledger.probe("groq", route="groq:llama", fault=fault, seconds=0.2, started_at=START + at)

    report = ledger.report()

    ((good, asked),) = look("SELECT sum(fault IS NULL), count(*) FROM probes WHERE endpoint='groq'")
    for alone in (report.endpoints["groq"], report.models["groq", "llama"]):
        assert (good, asked, asked) == (alone.good, alone.share.asked, alone.probes)
    assert (0, 0) == (report.calls, report.availability.asked)
    assert "probes among them: 4." in str(report)
    assert 4 == report.as_json()["endpoints"]["groq"]["probes"]


def test_probes_are_trials_and_calls_are_not_counted_by_them(path):
    ledger = Ledger(path)
    ledger.add(make_record())
    ledger.probe("groq", route="groq:llama", fault="refused", seconds=0.1, started_at=START + 1)

    report = ledger.report()

    assert (0, 1) == (report.endpoints["groq"].good, report.endpoints["groq"].bad)
    assert 1 == report.calls


def test_json_is_strict(report):
    plain = json.dumps(report.as_json(), allow_nan=False)

    assert report.availability.good == json.loads(plain)["availability"]["good"]


def test_percentiles_of_one_number_are_that_number():
    assert 3.0 == percentile([3.0], 50) == percentile([3.0], 99)


@pytest.mark.parametrize(
    ("text", "seconds"), [("30d", 2_592_000), ("12h", 43_200), ("90m", 5_400), (" 1.5 w", 907_200)]
)
def test_a_period_is_read_as_people_write_it(text, seconds):
    assert seconds == seconds_of(text)
    assert 1e9 - seconds == beginning(text, now=1e9)


@pytest.mark.parametrize("text", ["", "30", "d", "-3d", "30 years", "2026-13-01"])
def test_what_is_no_period_is_refused(text):
    with pytest.raises(ConfigurationError, match="no period"):
        beginning(text, now=1e9)


@pytest.mark.parametrize(
    "period",
    ["9999-12-31T23:59-23:59", "99999999999999999999d", "9" * 400 + "d", math.inf, math.nan],
    ids=lambda period: str(period)[:25],
)
def test_a_period_beyond_the_calendar_is_refused(period):
    with pytest.raises(ConfigurationError, match="no period"):
        beginning(period, now=1e9)


def test_a_day_begins_at_midnight_utc():
    assert 1_793_491_200.0 == beginning("2026-11-01", now=0.0)
    assert math.isclose(0.0, beginning(None, now=5.0))
