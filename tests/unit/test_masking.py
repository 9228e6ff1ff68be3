"""A key that a server has echoed is not told, however it is spelled."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrouter_resilient.routing.faults import Fault, Kind
from openrouter_resilient.routing.step import Reported
from openrouter_resilient.wire.masking import masked

PRINTED = st.text(string.ascii_letters[:3] + "\\'\"", min_size=12, max_size=16)


@pytest.mark.parametrize(
    "key", ["sk\\0123456789", "sk'\"0123456789", "\\'\"\\\\''\"\"0123", "sk-0'12345678"]
)
@pytest.mark.parametrize("around", ["bad key {}", "it's {}", 'a "{}"', 'it\'s "{}"', "\\{}"])
def test_a_key_with_quotes_and_backslashes_is_masked(key, around):
    assert around.format("[key]") == masked(Fault(Kind.BLOCKED, around.format(key)), [key]).message


@given(PRINTED, PRINTED, PRINTED)
def test_no_key_is_left_in_what_is_told(key, before, after):
    told = masked(Reported(usage={"a": [f"{before}{key}{after}"]}), [key])

    assert key not in told.usage["a"][0]


def test_what_holds_no_key_is_told_as_it_is():
    told = Reported(model="a/b", usage={"tokens": 1})

    assert told is masked(told, ["sk-or-v1-0123456789"])
