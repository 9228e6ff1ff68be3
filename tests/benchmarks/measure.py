"""Timing: interleaved, so that a noisy machine is as noisy for one as for the other."""

from __future__ import annotations

import gc
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Timed = Callable[[], object]


@dataclass(frozen=True)
class Result:
    """One figure and what it was compared with.

    Attributes:
        what: what was measured.
        value: a ratio, or a number in `unit`.
        bound: what it should be at most (or at least); None where it is only told.
        unit: "×" for a ratio.
        least: the bound is a lower one.
    """

    what: str
    value: float
    bound: float | None = None
    unit: str = "×"
    least: bool = False

    @property
    def kept(self) -> bool:
        """Whether the bound holds."""
        if self.bound is None:
            return True
        return self.value >= self.bound if self.least else self.value <= self.bound


def seconds(timed: Mapping[str, Timed], *, rounds: int, repeats: int) -> dict[str, float]:
    """The median seconds of one call of each, all of them in turn in every round."""
    seen: dict[str, list[float]] = {name: [] for name in timed}
    for ask in timed.values():
        for _ in range(3):
            ask()
    gc.collect()
    for _ in range(rounds):
        for name, ask in timed.items():
            began = time.perf_counter()
            for _ in range(repeats):
                ask()
            seen[name].append((time.perf_counter() - began) / repeats)
    return {name: statistics.median(values) for name, values in seen.items()}


def processes(scripts: Mapping[str, str], *, rounds: int) -> dict[str, float]:
    """The median of what each script prints as its last line, each in a fresh interpreter."""
    seen: dict[str, list[float]] = {name: [] for name in scripts}
    for _ in range(rounds):
        for name, script in scripts.items():
            seen[name].append(printed(script))
    return {name: statistics.median(values) for name, values in seen.items()}


def printed(script: str) -> float:
    """The number that a script prints as its last line."""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[-1])
