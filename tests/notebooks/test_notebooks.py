"""The notebooks run from a clean kernel, with keys and without, and store what they show."""

from __future__ import annotations

import pytest

nbformat = pytest.importorskip("nbformat", reason="it comes with: pip install '.[test]'")
pytest.importorskip("nbclient", reason="it comes with: pip install '.[test]'")
pytest.importorskip("ipykernel", reason="it comes with: pip install '.[test]'")
pytest.importorskip("matplotlib", reason="the report's pictures need it")

from tests.notebooks.running import NOTEBOOKS, run, shown  # noqa: E402  it needs the above

LARGEST = 300_000  # bytes; a notebook is looked at in a browser, and kept in a history

each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def test_there_is_a_tour_and_one_on_batches():
    assert ["batches", "tour"] == [path.stem for path in NOTEBOOKS]


@each
def test_without_a_key_it_shows_what_is_stored(path):
    stored = nbformat.read(path, as_version=4)

    assert shown(stored) == shown(run(path))


@each
def test_it_is_stored_whole_and_small(path):
    cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]

    assert list(range(1, len(cells) + 1)) == [cell.execution_count for cell in cells]
    assert path.stat().st_size < LARGEST


@pytest.mark.slow
@each
@pytest.mark.parametrize("names", ["OPENROUTER OPENAI", "OPENROUTER"])
def test_with_keys_it_asks_those_whose_keys_they_are(path, names, simulator):
    """With one key alone the outage has no way out, and the notebook goes on all the same."""
    given = {
        name: value
        for name, value in simulator.environment().items()
        if name.partition("_")[0] in names.split()
    }

    run(path, **given)

    asked = {received.face for received in simulator.requests}
    assert {name.lower() for name in names.split()} == asked
