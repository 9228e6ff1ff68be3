"""What is written under a key, and what a reader makes of it and of its age."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openrouter_resilient import Endpoint
from openrouter_resilient.health.word import (
    LONGEST_WORD,
    Rubbish,
    Said,
    heard,
    is_about_the_key,
    mark_of,
    read_word,
)
from openrouter_resilient.routing.faults import FAULTS, Kind, Scope

# How quick the machine is at making examples up is no matter.
ANYHOW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
SAID = Said("down", 1000.0, 1010.0, 60.0, "probe a:1", None, "refused", 20.0, "h:443", None)


def test_what_is_written_is_read_as_it_was():
    assert SAID == read_word(SAID.json().encode())


def test_it_is_small_and_plain():
    assert len(SAID.json()) < 400 < LONGEST_WORD
    assert {"state", "since", "checked_at", "latency", "fault", "by", "version"} <= set(
        json.loads(SAID.json())
    )


def test_another_language_needs_to_say_only_the_state_and_when():
    said = read_word(b'{"state": "down", "checked_at": 5, "mood": "bad"}')

    assert ("down", 5.0, 5.0, "unknown") == (said.state, said.since, said.checked_at, said.by)


@ANYHOW
@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_whatever_stands_there_it_is_a_word_or_rubbish(data):
    try:
        read_word(data)
    except Rubbish:
        return


JSON = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20),
    st.just([1, {"a": None}]), st.just({"a": [1]}),
)  # fmt: skip
FIELDS = ("since", "checked_at", "ttl", "by", "latency", "fault", "reopens_in", "place", "account")


@ANYHOW
@given(st.fixed_dictionaries({"state": st.sampled_from(["up", "down"])},
                             optional=dict.fromkeys(FIELDS, JSON)),
       st.floats(-1, 1e6), st.floats(0, 2e9))  # fmt: skip
def test_whatever_the_fields_hold_a_word_that_counts_has_not_expired(fields, left, wall):
    try:
        said = read_word(json.dumps(fields).encode())
    except Rubbish:
        return

    word = heard(said, left=left, now=1000.0, wall=wall)

    assert word is None or (word.expires_at > 1000.0 and word.since <= word.checked_at <= 1000.0)


def test_its_age_is_what_its_time_to_live_has_lost_whatever_the_clocks_say():
    word = heard(SAID, left=50.0, now=500.0, wall=99_999_999.0)

    assert (490.0, 480.0, 510.0, 550.0) == (
        word.checked_at,
        word.since,
        word.reopens_at,
        word.expires_at,
    )


def test_one_without_an_end_is_as_old_as_its_time_of_day_says():
    word = heard(SAID, left=-1.0, now=500.0, wall=1030.0)

    assert (480.0, 540.0) == (word.checked_at, word.expires_at)
    assert heard(SAID, left=-1.0, now=500.0, wall=1071.0) is None


def test_a_mark_tells_keys_apart_and_gives_none_away():
    one, same, other = (Endpoint("a", "https://h/v1", key=key) for key in ("k1", "k1", "k2"))

    assert mark_of(one) == mark_of(same) != mark_of(other)
    assert 8 == len(mark_of(one))


@pytest.mark.parametrize("kind", list(Kind), ids=lambda kind: kind.value)
def test_what_is_about_the_key_is_what_the_fault_table_says_and_too_many_requests(kind):
    expected = FAULTS[kind].scope is Scope.ACCOUNT or kind is Kind.RATE_LIMITED

    assert expected is is_about_the_key(kind)
