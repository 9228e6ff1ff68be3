"""The last calls, in memory."""

from __future__ import annotations

from collections import deque

from openrouter_resilient.record import CallRecord

KEPT = 1_000  # calls: what a person may still want to look at, in about two megabytes


class Memory:
    """The last calls, oldest first. Safe to use from many threads: every step is atomic."""

    def __init__(self, kept: int = KEPT) -> None:
        """Begin empty."""
        self._records: deque[CallRecord] = deque(maxlen=kept)
        self.add = self._records.append

    def records(self) -> tuple[CallRecord, ...]:
        """A copy."""
        while True:
            try:
                return tuple(self._records)
            except RuntimeError:  # noqa: PERF203  another thread added one meanwhile
                continue

    def replace(self, new: CallRecord) -> None:
        """Put a record in the place of the one with its id, if that is still there."""
        for place, old in enumerate(self.records()):
            if old.id != new.id:
                continue
            for near in (place, *range(place - 1, -1, -1)):  # older ones may have dropped out
                if near < len(self._records) and self._records[near].id == new.id:
                    self._records[near] = new
                    return
