"""How far a batch is: a bar where tqdm is installed, a plain line now and then where it is not."""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from typing import Any

from openrouter_resilient.shapes import Completion
from openrouter_resilient.wire.clock import Clock

EVERY_S = 5.0  # between two plain lines


class Progress:
    """What has come so far, shown on stderr."""

    def __init__(self, total: int, clock: Clock, *, shown: bool) -> None:
        """Begin at nothing.

        Args:
            total: how many prompts there are.
            clock: tells when the next plain line is due.
            shown: False to keep quiet.
        """
        self._total = total
        self._clock = clock
        self._shown = shown
        self._served: Counter[str] = Counter()
        self._failed = 0
        self._cost = 0.0
        self._bar = _make_bar(total) if shown else None
        self._due_at = clock.now() + EVERY_S

    def add(self, result: Completion | Exception, cost: float) -> None:
        """One more has come; `cost` in USD, as reported."""
        self._cost += cost
        if isinstance(result, Completion):
            self._served["the cache" if result.served.cached else result.served.endpoint] += 1
        else:
            self._failed += 1
        if self._bar is not None:
            self._bar.set_postfix_str(str(self), refresh=False)
            self._bar.update()
        elif self._shown and self._clock.now() >= self._due_at:
            self._say()

    def close(self) -> None:
        """Show where it ended."""
        if self._bar is not None:
            self._bar.close()
        elif self._shown:
            self._say()

    def __str__(self) -> str:
        """Who served how many, how many failed, and what it cost so far."""
        served = ", ".join(f"{name} {count:,}" for name, count in self._served.most_common())
        failed = f"{self._failed:,} failed" if self._failed else ""
        return "; ".join(filter(None, (served, failed, f"${self._cost:.4f}")))

    def _say(self) -> None:
        self._due_at = self._clock.now() + EVERY_S
        count = self._served.total() + self._failed
        sys.stderr.write(f"{count:,} of {self._total:,}: {self}\n")


def _make_bar(total: int) -> Any:
    """Tqdm's bar for a terminal or a notebook; None, so plain lines, where tqdm is not installed.

    `pip install 'openrouter_resilient[notebook]'` brings it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns where a notebook lacks its widgets
            from tqdm.auto import tqdm  # noqa: PLC0415  an extra, loaded where it is used
    except ImportError:
        return None
    return tqdm(total=total, unit=" prompts")
