"""Timing: interleaved, so that a noisy machine is as noisy for one as for the other.

Each client is in a process of its own (`asker.py`): what one imports, patches, or leaves running in
the background is not on another's bill.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """One figure and what it was compared with.

    Attributes:
        scene: what it belongs to.
        what: what was measured.
        value: the median, in `unit`.
        unit: "×" for a ratio.
        low, high: the quartiles over the rounds; None where there was one round.
        bound: what it should be at most (or at least); None where it is only told.
        least: the bound is a lower one.
        note: what there is to say.
    """

    scene: str
    what: str
    value: float
    unit: str = "×"
    low: float | None = None
    high: float | None = None
    bound: float | None = None
    least: bool = False
    note: str = ""

    @property
    def kept(self) -> bool:
        """Whether the bound holds."""
        if self.bound is None:
            return True
        return self.value >= self.bound if self.least else self.value <= self.bound


@dataclass(frozen=True)
class Seen:
    """What was seen of one thing, round by round."""

    values: tuple[float, ...]

    def __truediv__(self, other: Seen) -> Seen:
        """The ratio in each round: what slowed the machine down for a while slowed down both."""
        return Seen(tuple(a / b for a, b in zip(self.values, other.values, strict=True)))

    def __sub__(self, other: Seen) -> Seen:
        """The difference in each round."""
        return Seen(tuple(a - b for a, b in zip(self.values, other.values, strict=True)))

    def times(self, factor: float) -> Seen:
        """The same in another unit."""
        return Seen(tuple(value * factor for value in self.values))

    def per(self, amount: float) -> Seen:
        """Seconds as so many in a second."""
        return Seen(tuple(amount / value for value in self.values))

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    def told(self, scene: str, what: str, unit: str = "×", **more: object) -> Result:
        """The median with its quartiles."""
        ordered = sorted(self.values)
        low, high = ordered[len(ordered) // 4], ordered[-1 - len(ordered) // 4]
        return Result(scene, what, self.median, unit, low, high, **more)  # type: ignore[arg-type]


class Absent(Exception):
    """A client that is not installed, or does not work here; the text is the reason."""


class Asker:
    """A client in a process of its own."""

    def __init__(self, name: str, url: str) -> None:
        """Start it.

        Raises:
            Absent: it cannot be had.
        """
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.asker", name, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        said = self._heard()
        if said != "ready":
            self.close()
            raise Absent(said)

    def seconds(self, how: str, prompt: str, repeats: int) -> float:
        """Seconds of one call, on an average of so many."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([how, prompt, repeats]) + "\n")
        self._process.stdin.flush()
        return float(self._heard())

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def _heard(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip() or "it ended without a word"


@dataclass(frozen=True)
class Turn:
    """What one client does in each round.

    Attributes:
        asker: who (a row of `peers.ASKERS`).
        how: "whole", "stream" or another of its ways.
        prompt: what it asks; see `server.py`.
        repeats: how often in a round.
    """

    asker: str
    how: str
    prompt: str
    repeats: int


class Company:
    """The clients of one run, started when first needed; who is absent is passed over.

    Attributes:
        url: of the server that they ask.
        skipped: the absent ones, and why.
    """

    def __init__(self, url: str) -> None:
        """Start nobody yet."""
        self.skipped: dict[str, str] = {}
        self.url = url
        self._askers: dict[str, Asker] = {}
        self._order = random.Random(1)

    def seconds(self, turns: Mapping[str, Turn], *, rounds: int) -> dict[str, Seen]:
        """Seconds a call of each, all of them in every round, in an order that changes."""
        present = {label: turn for label, turn in turns.items() if self._has(turn.asker)}
        seen: dict[str, list[float]] = {label: [] for label in present}
        for _ in range(rounds):
            for label in self._order.sample(list(present), len(present)):
                turn = present[label]
                asker = self._askers[turn.asker]
                seen[label].append(asker.seconds(turn.how, turn.prompt, turn.repeats))
        return {label: Seen(tuple(values)) for label, values in seen.items()}

    def close(self) -> None:
        """End them all."""
        with ExitStack() as stack:
            for asker in self._askers.values():
                stack.callback(asker.close)

    def _has(self, name: str) -> bool:
        if name in self.skipped:
            return False
        if name not in self._askers:
            try:
                self._askers[name] = Asker(name, self.url)
            except Absent as absent:
                self.skipped[name] = str(absent)
                return False
        return True


def in_fresh_processes(scripts: Mapping[str, str], *, rounds: int) -> dict[str, Seen]:
    """What each script prints as its last word, each time in a fresh interpreter, in turn.

    A script that fails (its package is not installed) is left out.
    """
    seen: dict[str, list[float]] = {name: [] for name in scripts if printed(scripts[name])}
    for _ in range(rounds):
        for name, values in seen.items():
            value = printed(scripts[name])
            assert value is not None
            values.append(value)
    return {name: Seen(tuple(values)) for name, values in seen.items()}


def printed(script: str, *arguments: str) -> float | None:
    """The number that a script prints as its last word; None if it fails."""
    command: Iterable[str] = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(list(command), capture_output=True, text=True, check=False)
    return float(done.stdout.split()[-1]) if done.returncode == 0 else None
