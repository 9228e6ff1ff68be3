"""`python -m tests.faults [name …]`: the matrix of faults as a table, and what is wrong with it."""

# ruff: noqa: T201  a command line prints

from __future__ import annotations

import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor

from openrouter_resilient.simulator import CATALOGUE

from .cells import HEAVY, Cell, run
from .test_matrix import ALL, ALONE

COLUMNS = {
    "complete, fallback healthy": ("complete", ALONE),
    "stream, fallback healthy": ("stream", ALONE),
    "complete, all down": ("complete", ALL),
    "stream, all down": ("stream", ALL),
}
WIDTH = 36


def main(names):
    """Print a line a fault; return how many cells contradict the promises."""
    logging.getLogger("openrouter_resilient").addHandler(logging.NullHandler())
    for variable in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[variable]
    faults = names or list(CATALOGUE)
    print(f"{'fault':<27}{'kind':<19}" + "".join(f"{title:<{WIDTH}}" for title in COLUMNS))
    wrong = []
    for fault, results in zip(faults, _results(faults), strict=True):
        kind = CATALOGUE[fault].kind or "-"
        print(f"{fault:<27}{kind:<19}" + "".join(f"{_told(result):<{WIDTH}}" for result in results))
        for title, result in zip(COLUMNS, results, strict=True):
            wrong += [f"{fault}, {title}: {problem}" for problem in result.problems]
    print("\n".join(wrong))
    print(f"{len(faults)} faults, {len(faults) * len(COLUMNS)} cells, {len(wrong)} wrong")
    return len(wrong)


def _results(faults):
    """The results of each fault, a column each."""
    cells = [Cell(fault, *column) for fault in faults for column in COLUMNS.values()]
    light = [cell for cell in cells if cell.fault not in HEAVY]
    heavy = [cell for cell in cells if cell.fault in HEAVY]
    with ThreadPoolExecutor(12) as pool:
        results = dict(zip(light, pool.map(run, light), strict=True))
    results.update((cell, run(cell)) for cell in heavy)
    return [[results[Cell(fault, *column)] for column in COLUMNS.values()] for fault in faults]


def _told(result):
    by = f" by {result.served}" if result.served else ""
    return f"{'WRONG ' if result.problems else ''}{result.outcome}{by} {result.seconds:.2f} s"


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
