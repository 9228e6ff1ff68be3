"""Intervals against published values, and the claims they support."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrouter_resilient.ledger.intervals import (
    Share,
    best_claim,
    calls_needed,
    interval,
    next_claim,
)


@pytest.mark.parametrize(
    ("good", "asked", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998), table I, method 3 (Wilson's score).
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_an_interval_is_wilsons(good, asked, low, high):
    assert (low, high) == pytest.approx(interval(good, asked), abs=5e-5)


@pytest.mark.parametrize(
    ("asked", "most_failing"),
    # Hanley and Lippman-Hand, JAMA 249 (1983): the exact bound beside the rule of three.
    [(10, 0.259), (20, 0.139), (30, 0.095), (50, 0.058), (100, 0.030), (1_000, 0.0030)],
)
def test_without_a_failure_the_bound_is_exact_and_close_to_three_in_so_many(asked, most_failing):
    low, high = interval(asked, asked)

    assert high == 1.0
    assert most_failing == pytest.approx(1 - low, abs=6e-4)
    assert 3 / asked >= 1 - low


def test_where_all_failed_the_bound_is_the_same_from_below():
    assert interval(0, 50) == (0.0, pytest.approx(1 - interval(50, 50)[0]))


def test_of_nothing_nothing_is_known():
    assert (0.0, 1.0) == interval(0, 0)
    assert Share(0, 0).value is None
    assert best_claim(Share(0, 0)) is None


@given(asked=st.integers(1, 10**7), data=st.data())
def test_an_interval_holds_its_share_and_stays_within_nought_and_one(asked, data):
    good = data.draw(st.integers(0, asked))

    low, high = interval(good, asked)

    assert 0.0 <= low <= good / asked <= high <= 1.0


def test_three_nines_need_2995_calls_without_a_failure():
    """log 0.05 / log 0.999 = 2994.2."""
    assert best_claim(Share(2_994, 2_994)) == 0.995
    assert best_claim(Share(2_995, 2_995)) == 0.999
    assert 2_995 == calls_needed(Share(0, 0), 0.999)


@given(asked=st.integers(0, 5_000), failed=st.integers(0, 30))
def test_the_calls_needed_are_enough_and_one_less_is_not(asked, failed):
    share = Share(max(0, asked - failed), asked)
    claim = next_claim(share)

    more = calls_needed(share, claim)

    assert interval(share.good + more, share.asked + more)[0] >= claim
    assert interval(share.good + more - 1, share.asked + more - 1)[0] < claim
    assert 0 == calls_needed(share, best_claim(share) or 0.0)
