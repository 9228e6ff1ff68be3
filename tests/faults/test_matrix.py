"""Every fault ends in a truthful answer or in the documented exception, by the deadline.

`python -m tests.faults` prints the same as a table.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from openrouter_resilient.routing.faults import FAULTS, Kind
from openrouter_resilient.simulator import CATALOGUE

from .cells import ALSO, DIRECT_FAULTS, HEAVY, MODELS, WHOLE_KINDS, Cell, run

ALONE, ALL = ("openrouter",), tuple(MODELS)
FORMS = [
    ("complete", ALONE),
    ("stream", ALONE),
    ("whole", ALONE),
    ("complete", ALL),
    ("stream", ALL),
]
# What waits and what works, so that the one goes on while the other rests; and how many at once.
# Of those that work, each takes longer the more there are, and none has more than two seconds.
GROUPS = {
    "connection, time, limits, pattern": ("connection", "time", "limits", "pattern"),
    "status": ("status",),
    "body, stream": ("body", "stream"),
}
FAULTS_OF = {
    group: [name for name, row in CATALOGUE.items() if row.family in families and name not in HEAVY]
    for group, families in GROUPS.items()
} | {"heavy": list(HEAVY)}
AT_ONCE = {"connection, time, limits, pattern": 24, "status": 12, "body, stream": 12, "heavy": 1}


@pytest.mark.parametrize("group", FAULTS_OF)
@pytest.mark.parametrize(("form", "down"), FORMS, ids=lambda part: str(part).replace("'", ""))
def test_every_fault_ends_in_a_truthful_answer_or_a_typed_error_in_time(
    leaks_nothing, log, group, form, down
):
    cells = [Cell(fault, form, down) for fault in FAULTS_OF[group]]
    with ThreadPoolExecutor(AT_ONCE[group]) as pool:
        results = dict(zip(map(str, cells), pool.map(run, cells), strict=True))

    assert {} == {cell: result.problems for cell, result in results.items() if result.problems}
    logged = log.getvalue()
    assert not [key for result in results.values() for key in result.keys if key in logged]


def test_every_fault_of_the_catalogue_is_in_the_matrix():
    played = [name for group in FAULTS_OF.values() for name in group]

    assert sorted(CATALOGUE) == sorted(played)


def test_every_kind_is_played_by_some_row_of_the_catalogue():
    """But for a server that was outrun, which has done nothing: the tests of hedging show it."""
    played = {row.kind for row in CATALOGUE.values()}

    assert {Kind.ABANDONED.value} == {kind.value for kind in Kind} - played


def test_every_row_of_the_catalogue_names_a_kind_there_is():
    kinds = {kind.value for kind in FAULTS}

    assert set() == {row.kind for row in CATALOGUE.values()} - kinds - {""}


def test_every_exception_to_the_catalogue_is_about_a_row_there_is():
    assert set() == {*WHOLE_KINDS, *DIRECT_FAULTS, *ALSO, *HEAVY} - set(CATALOGUE)
