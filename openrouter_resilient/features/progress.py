"""How far a batch is: a bar in a notebook and, with tqdm, in a terminal; else plain lines."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Protocol

from openrouter_resilient.live import Spot, in_notebook
from openrouter_resilient.shapes import Completion
from openrouter_resilient.wire.clock import Clock

EVERY_S = 5.0  # between two plain lines


class Progress:
    """What has come so far, and a meter that shows it."""

    def __init__(self, total: int, clock: Clock, *, shown: bool) -> None:
        """Begin at nothing.

        Args:
            total: how many prompts there are.
            clock: tells when the next plain line is due.
            shown: False to keep quiet.
        """
        self._served: Counter[str] = Counter()
        self._failed = 0
        self._cost = 0.0
        self._meter: Meter | None = None
        if shown:
            with self._harmless():
                self._meter = _make_meter(total, clock)

    def add(self, result: Completion | Exception, cost: float) -> None:
        """One more has come; `cost` in USD, as reported."""
        self._cost += cost
        if isinstance(result, Completion):
            self._served["the cache" if result.served.cached else result.served.endpoint] += 1
        else:
            self._failed += 1
        self._show(last=False)

    def close(self) -> None:
        """Show where it ended."""
        self._show(last=True)

    def __str__(self) -> str:
        """Who served how many, how many failed, and what it cost so far."""
        served = ", ".join(f"{name} {count:,}" for name, count in self._served.most_common())
        failed = f"{self._failed:,} failed" if self._failed else ""
        return "; ".join(filter(None, (served, failed, f"${self._cost:.4f}")))

    def _show(self, *, last: bool) -> None:
        if self._meter is not None:
            with self._harmless():
                self._meter(self._served.total() + self._failed, str(self), last=last)

    @contextmanager
    def _harmless(self) -> Iterator[None]:
        """A stderr that is closed, full or none (pythonw) ends the showing, not the batch."""
        try:
            yield
        except Exception:  # noqa: BLE001  of whatever shows it; the answers were paid for
            self._meter = None


class Meter(Protocol):
    """Shows how many are done, and what there is to say of them."""

    def __call__(self, done: int, words: str, *, last: bool) -> None:
        """Show it, if it is due or the last."""


def _make_meter(total: int, clock: Clock) -> Meter:
    if in_notebook():  # where tqdm's own bar needs widgets, and leaves none in a saved notebook
        return _in_cell(total)
    return _bar(total) or _lines(total, clock)


def _in_cell(total: int) -> Meter:
    spot = Spot()

    def show(done: int, words: str, *, last: bool) -> None:
        text = f"{done:,} of {total:,}: {words}"
        bar = f'<progress value="{done}" max="{total or 1}"></progress> {escape(text)}'
        spot.show(lambda: {"text/html": bar, "text/plain": text}, last=last)

    return show


def _bar(total: int) -> Meter | None:
    """Tqdm's bar; None where it is not installed.

    `pip install 'openrouter_resilient[notebook]'` brings it.
    """
    try:
        from tqdm import tqdm  # noqa: PLC0415  an extra, loaded where it is used
    except ImportError:
        return None
    bar = tqdm(total=total, unit=" prompts")

    def show(done: int, words: str, *, last: bool) -> None:
        bar.set_postfix_str(words, refresh=False)
        bar.update(done - bar.n)
        if last:
            bar.close()

    return show


def _lines(total: int, clock: Clock) -> Meter:
    due_at = clock.now() + EVERY_S

    def show(done: int, words: str, *, last: bool) -> None:
        nonlocal due_at
        if last or clock.now() >= due_at:
            due_at = clock.now() + EVERY_S
            sys.stderr.write(f"{done:,} of {total:,}: {words}\n")

    return show
