"""Every fault can be played on every face, and does what its row says."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from openrouter_resilient.simulator import CATALOGUE, Received, Simulator
from openrouter_resilient.simulator.catalogue import by_name, find_row

from .raw import FACES, Heard, ask, body_for

# Enough to see the fault, without waiting for it or moving 200 megabytes.
QUICK: dict[str, dict[str, Any]] = {
    "huge_body": {"megabytes": 1},
    "gzip_bomb": {"megabytes": 1},
    "big_line": {"megabytes": 1},
    "just_before": {"seconds": 0.06, "margin": 0.03},
    "just_after": {"seconds": 0.03, "margin": 0.03},
    "first_token_late": {"seconds": 0.05},
    "slow_accept": {"seconds": 0.03},
    "slow_but_steady": {"interval": 0.003},
}
HANGS = {name for name, row in CATALOGUE.items() if row.family == "time" and row.kind}
HANGS |= {"connect_hangs", "tls_stall", "finish_then_silence"}
KINDS = {
    "refused", "unresolved", "tls", "connect_timeout", "reset", "stale_connection", "silent",
    "stalled", "invalid_request", "context_too_long", "blocked", "unknown_model", "no_provider",
    "free_quota", "unauthorized", "forbidden", "no_credit", "quota", "rate_limited",
    "upstream_timeout", "server_error", "unavailable", "overloaded", "redirected",
    "unexpected_status", "unreadable",
    "truncated", "empty", "too_big",
}  # fmt: skip
ANSWERED = sorted(name for name, row in CATALOGUE.items() if not row.kind)
STATUSES = sorted(name for name, row in CATALOGUE.items() if row.status)
BROKEN_OFF = sorted(
    name for name, row in CATALOGUE.items() if row.kind in ("truncated", "reset", "silent")
)
# On a connection of its own, over http, and without a limit of size, these show nothing.
UNSEEN = {"stale_connection", "tls_to_plain", "big_line"}
SPOILED = sorted(name for name, row in CATALOGUE.items() if row.kind and name not in HANGS | UNSEEN)
BOTH_FORMS = list(product(FACES, (True, False)))
pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")


def play_everywhere(simulator: Simulator, name: str) -> dict[tuple[str, bool], Heard]:
    """Play one fault on all faces, streamed and not, and heal."""
    patience = 0.15 if name in HANGS - {"just_after", "first_token_late"} else 5.0
    simulator.forget()
    for face in FACES:
        simulator.play(face, name, **QUICK.get(name, {}))
    with ThreadPoolExecutor(len(BOTH_FORMS)) as pool:
        answers = pool.map(
            lambda form: ask(
                simulator, form[0], body=body_for(form[0], stream=form[1]), patience=patience
            ),
            BOTH_FORMS,
        )
        heard = dict(zip(BOTH_FORMS, answers, strict=True))
    simulator.heal()
    return heard


def record_of(simulator: Simulator, face: str, *, stream: bool) -> Received:
    """Return the record of the request that `play_everywhere` sent."""
    return next(r for r in simulator.received(face) if (r.body or {})["stream"] is stream)


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_every_fault_plays_on_every_face_and_heals(shared: Simulator, name: str) -> None:
    play_everywhere(shared, name)

    for face in FACES:
        healthy = ask(shared, face)
        assert (healthy.status, healthy.whole) == (200, True)


@pytest.mark.parametrize("name", ANSWERED)
def test_what_is_no_fault_gives_the_answer_and_records_it(shared: Simulator, name: str) -> None:
    heard = play_everywhere(shared, name)

    for (face, stream), answer in heard.items():
        assert answer.text() == "Simulated answer to: hello there", (face, stream)
        record = record_of(shared, face, stream=stream)
        assert record.answered is not None
        assert answer.text() == record.answered.text


@pytest.mark.parametrize("name", STATUSES)
def test_a_status_comes_with_a_body_of_the_faces_form(shared: Simulator, name: str) -> None:
    heard = play_everywhere(shared, name)

    assert {CATALOGUE[name].status} == {
        heard["openrouter", stream].status for stream in (True, False)
    }
    for (face, stream), answer in heard.items():
        record = record_of(shared, face, stream=stream).answered
        assert record is not None
        assert answer.status == record.status
        if answer.headers["content-type"] == "application/json":
            wanted = (
                {"message", "code"}
                if face == "openrouter"
                else {"message", "type", "param", "code"}
            )
            assert wanted <= set(answer.json()["error"])


@pytest.mark.parametrize("name", BROKEN_OFF)
def test_the_record_of_a_break_holds_what_was_heard(shared: Simulator, name: str) -> None:
    heard = play_everywhere(shared, name)

    for face in FACES:
        answer = heard[face, True]
        records = [r for r in shared.received(face) if (r.body or {})["stream"]]
        said = records[0].answered if records else None
        if said and "text/event-stream" in answer.headers.get("content-type", ""):
            assert answer.text() == (said.text or "")
        else:
            assert said is None or said.text in (None, "", "Simulated answer to: hello there")


@pytest.mark.parametrize("name", SPOILED)
def test_a_fault_never_gives_the_whole_answer(shared: Simulator, name: str) -> None:
    heard = play_everywhere(shared, name)

    for form, answer in heard.items():
        assert not is_whole(answer), form


def is_whole(answer: Heard) -> bool:
    """Tell whether a careful client would take this for a good answer."""
    try:
        text = answer.text()
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):  # no answer
        return False
    sse = answer.headers["content-type"].startswith("text/event-stream")
    choices = [event["choices"] for event in answer.events()] if sse else [answer.json()["choices"]]
    reasons = [choice[0]["finish_reason"] for choice in choices if choice]
    finished = any(reason not in (None, "error") for reason in reasons)
    return answer.whole and finished and text not in ("", "None")


def test_the_catalogue_is_large_and_speaks_known_words_only() -> None:
    assert len(CATALOGUE) >= 75
    assert {row.kind for row in CATALOGUE.values()} <= KINDS | {""}
    assert all(row.seen and row.name == name for name, row in CATALOGUE.items())
    families = {"connection", "time", "status", "body", "stream", "limits", "pattern"}
    assert families == {row.family for row in CATALOGUE.values()}


def test_every_kind_can_be_played() -> None:
    assert {row.kind for row in CATALOGUE.values()} - {""} == KINDS


def test_two_faults_of_one_name_are_refused() -> None:
    row = CATALOGUE["status_500"]

    with pytest.raises(ValueError, match="two faults are called 'status_500'"):
        by_name([row, replace(row, kind="unavailable")])


def test_a_name_that_is_like_no_other_is_told_some_there_are() -> None:
    with pytest.raises(ValueError, match=r"'nonsense'; there are refused, .* and 183 more"):
        find_row("nonsense")
