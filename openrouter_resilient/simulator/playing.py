"""One fault being played on one face: which requests it strikes."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from .catalogue import checked_options, find_row
from .row import Pattern

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .exchange import Option
    from .models import Model
    from .row import Row


@dataclass(frozen=True)
class Struck:
    """The fault that strikes one request, and until when."""

    row: Row
    options: Mapping[str, Option]
    ended: threading.Event


@dataclass(frozen=True)
class Selection:
    """Which requests are struck: so many, each n-th, a share; None sets no such limit."""

    times: int | None = None
    every: int | None = None
    rate: float | None = None
    models: tuple[Model, ...] = ()  # only where one of these would serve; () for all

    @property
    def counts(self) -> bool:
        """Whether requests have to be seen for it."""
        return bool(self.models) or any(
            limit is not None for limit in (self.times, self.every, self.rate)
        )


@dataclass(eq=False)  # two of the same are still two
class Playing:
    """A row, its options, and a count of the requests it might have struck."""

    row: Row
    options: Mapping[str, Option]
    selection: Selection
    chance: Random
    ended: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _seen: int = 0
    _struck: int = 0

    @property
    def over(self) -> bool:
        """Whether it has struck as often as it may."""
        times = self.selection.times
        return self.ended.is_set() or (times is not None and self._struck >= times)

    def covers(self, model: Model) -> bool:
        """Whether it is meant for requests this model would serve."""
        return not self.selection.models or model in self.selection.models

    def strike(self) -> Struck | None:
        """Count one more request; return the fault if it is struck."""
        with self._lock:
            return self._strike_locked()

    def _strike_locked(self) -> Struck | None:
        if self.over:
            return None
        self._seen += 1
        if not self._selected_locked():
            return None
        row = self._row_locked()
        if row is None:
            return None
        self._struck += 1
        return Struck(row, {**row.options, **self.options}, self.ended)

    def _selected_locked(self) -> bool:
        selection = self.selection
        if selection.every is not None and self._seen % selection.every:
            return False
        return selection.rate is None or self.chance.random() < selection.rate

    def _row_locked(self) -> Row | None:
        play = self.row.play
        if not isinstance(play, Pattern):
            return self.row
        name = play.decide(self._seen, self.options, self.chance)
        return find_row(name) if name else None


def make_playing(
    name: str,
    given: Mapping[str, Option],
    *,
    selection: Selection,
    seed: int,
) -> Playing:
    """Check everything that can be wrong with a wish, and make it ready to be played."""
    row = find_row(name)
    if row.when == "port" and selection.counts:
        message = (
            f"{name!r} closes the port, so no requests can be counted or chosen; "
            "play 'accept_and_close' or 'reset_before_headers' instead"
        )
        raise ValueError(message)
    if any(limit is not None and limit < 1 for limit in (selection.times, selection.every)):
        message = "times and every count requests: they cannot be less than 1"
        raise ValueError(message)
    # Chance that repeats, for tests; no secret depends on it.
    chance = Random(seed)  # noqa: S311
    return Playing(row, checked_options(row, given), selection, chance)
