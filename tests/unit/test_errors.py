"""The exception tree is what its drawing says."""

from __future__ import annotations

import inspect
import pickle
import re

import pytest

from openrouter_resilient import errors
from openrouter_resilient.served import AttemptRecord

CLASSES = [
    thing
    for thing in vars(errors).values()
    if inspect.isclass(thing) and issubclass(thing, errors.ResilientError)
]
RECORD = AttemptRecord(
    number=1,
    route="openai:gpt-4o",
    endpoint="openai",
    models=("gpt-4o",),
    fault="refused",
    message="",
    status=None,
    seconds=0.1,
)


def drawn():
    """The tree in the docstring: each class, and the class under which it is drawn."""
    parents, path = {}, []
    for line in errors.__doc__.splitlines():
        found = re.match(r"    ([│├└─ ]*)([A-Z]\w+)(?: {2,}|$)", line)
        if found:
            depth = len(found[1]) // 4
            path[depth:] = [found[2]]
            parents[found[2]] = path[depth - 1] if depth else None
    return parents


def test_the_drawing_is_the_tree():
    tree = {
        kind.__name__: None if kind is errors.ResilientError else kind.__bases__[0].__name__
        for kind in CLASSES
    }

    assert tree == drawn()


@pytest.mark.parametrize("kind", CLASSES)
def test_each_carries_what_was_tried(kind):
    assert () == kind("nothing was sent").history
    assert (RECORD,) == kind("nobody answered", history=(RECORD,)).history


@pytest.mark.parametrize("kind", CLASSES)
def test_each_survives_a_pickle_with_all_it_carries(kind):
    error = kind("nobody answered", history=(RECORD,))
    error.retry_after = 7.0

    copy = pickle.loads(pickle.dumps(error))  # noqa: S301  its own pickle

    assert (kind, "nobody answered", (RECORD,), 7.0) == (
        type(copy), str(copy), copy.history, copy.retry_after
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [(errors.DeadlineExceeded, TimeoutError), (errors.ConfigurationError, ValueError)],
)
def test_some_are_what_python_has_a_name_for(kind, builtin):
    assert issubclass(kind, builtin)


def test_what_was_not_said_is_none():
    refused, failed = errors.RequestRefused("no"), errors.CallFailed("no")

    assert (None, None, None, None, "", None) == (
        refused.endpoint, refused.status, refused.code, refused.error_type,
        refused.server_message, refused.request_id,
    )  # fmt: skip
    assert failed.retry_after is None
    assert errors.StreamInterrupted("cut").partial is None
