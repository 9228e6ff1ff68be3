"""How far a batch is: a bar in a notebook and, with tqdm, in a terminal; else plain lines."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import suppress
from html import escape
from typing import Any, Protocol, TextIO, cast

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
        self._meter = _make_meter(total, clock) if shown else None

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
            self._meter(self._served.total() + self._failed, str(self), last=last)


class Meter(Protocol):
    """Shows how many are done, and what there is to say of them."""

    def __call__(self, done: int, words: str, *, last: bool) -> None:
        """Show it, if it is due or the last."""


class _Stderr:
    """Takes whatever is written, and passes it on as long as stderr, too, takes it.

    The answers that are counted were paid for: a log on a full disk must not cost them. Nor may
    tqdm see it fail, since it would keep its lock, for which other threads would wait for ever.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):  # full; closed
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _make_meter(total: int, clock: Clock) -> Meter | None:
    if in_notebook():  # where tqdm's own bar needs widgets, and leaves none in a saved notebook
        return _in_cell(total)
    if sys.stderr is None:  # under pythonw, or in a service of Windows
        return None
    stderr = cast("TextIO", _Stderr(sys.stderr))
    return _bar(total, stderr) or _lines(total, clock, stderr)


def _in_cell(total: int) -> Meter:
    spot = Spot()

    def show(done: int, words: str, *, last: bool) -> None:
        text = f"{done:,} of {total:,}: {words}"
        bar = f'<progress value="{done}" max="{total or 1}"></progress> {escape(text)}'
        spot.show(lambda: {"text/html": bar, "text/plain": text}, last=last)

    return show


def _bar(total: int, stderr: TextIO) -> Meter | None:
    """Tqdm's bar; None where it is not installed.

    `pip install 'openrouter_resilient[notebook]'` brings it.
    """
    try:
        from tqdm import tqdm  # noqa: PLC0415  an extra, loaded where it is used
    except ImportError:
        return None
    bar = tqdm(total=total, unit=" prompts", file=stderr, dynamic_ncols=True)

    def show(done: int, words: str, *, last: bool) -> None:
        bar.set_postfix_str(words, refresh=False)
        bar.update(done - bar.n)
        if last:
            bar.close()

    return show


def _lines(total: int, clock: Clock, stderr: TextIO) -> Meter:
    due_at = clock.now() + EVERY_S

    def show(done: int, words: str, *, last: bool) -> None:
        nonlocal due_at
        if last or clock.now() >= due_at:
            due_at = clock.now() + EVERY_S
            stderr.write(f"{done:,} of {total:,}: {words}\n")

    return show
