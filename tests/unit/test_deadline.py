"""When a call must be over."""

from __future__ import annotations

import pytest

from openrouter_resilient.routing.deadline import Deadline


def test_is_so_many_seconds_after_the_start():
    assert Deadline(at=1_030.0, seconds=30.0) == Deadline.after(30.0, 1_000.0)


@pytest.mark.parametrize(
    ("now", "expected"), [(1_000.0, 30.0), (1_029.5, 0.5), (1_030.0, 0.0), (1_031.0, -1.0)]
)
def test_has_so_much_left_and_less_than_nothing_once_it_has_passed(now, expected):
    assert expected == Deadline.after(30.0, 1_000.0).remaining(now)
