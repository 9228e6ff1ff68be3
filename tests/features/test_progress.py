"""How far a batch is, shown: whatever becomes of the showing, the answers come."""

from __future__ import annotations

import io
import sys
import threading

import pytest

from openrouter_resilient import Completion
from openrouter_resilient.features import progress


class Full(io.StringIO):
    """A log on a disk that has no room."""

    def write(self, _text: str) -> int:
        raise OSError(28, "No space left on device")


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stderr", [None, Full(), closed()], ids=["none", "full", "closed"])
@pytest.mark.parametrize("tqdm", [True, False])
def test_a_stderr_that_takes_nothing_costs_no_answer(make_client, monkeypatch, stderr, tqdm):
    """`pythonw` has none at all; a service's log may be full."""
    monkeypatch.setattr(progress, "EVERY_S", 0.0)
    if not tqdm:
        monkeypatch.setitem(sys.modules, "tqdm", None)
    client = make_client()
    monkeypatch.setattr(sys, "stderr", stderr)

    results = client.map(["a", "b", "c"])

    assert [True] * 3 == [isinstance(result, Completion) for result in results]


@pytest.mark.parametrize("stderr", [Full(), closed()], ids=["full", "closed"])
def test_a_stderr_that_takes_nothing_leaves_tqdms_lock_to_others(make_client, monkeypatch, stderr):
    """It would be held for ever, and any bar of another thread would wait for it."""
    tqdm = pytest.importorskip("tqdm").tqdm
    client = make_client()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", stderr)
        client.map(["a", "b", "c"])

    def take():
        with tqdm.get_lock():
            taken.append(True)

    taken = []
    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    thread.join(10)

    assert [True] == taken
