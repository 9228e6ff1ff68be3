"""What is written over in a notebook's cell: a stream as it comes, the bar of a batch.

IPython is there wherever this shows anything, and is never loaded by it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from openrouter_resilient.wire.clock import monotonic

EVERY_S = 0.1  # between two versions; more of them would only keep the browser busy

Bundle = Mapping[str, str]  # by MIME type


def in_notebook() -> bool:
    """Whether this process is a notebook's kernel. IPython in a terminal is none."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


class Spot:
    """A place in the output of the running cell. What is shown there replaces what was."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        """Begin with nothing there; `now` tells when the next version is due, in seconds."""
        self._now = now
        self._due_at = float("-inf")
        self._handle: Any = None

    def show(self, make: Callable[[], Bundle], *, last: bool = False) -> None:
        """Show a version, unless another was shown only just now.

        Args:
            make: makes it.
            last: show it in any case.
        """
        now = self._now()
        if now < self._due_at and not last:
            return
        self._due_at = now + EVERY_S
        if self._handle is None:
            from IPython.display import display  # noqa: PLC0415  it is there; see above

            made = make()
            self._handle = display(made, raw=True, display_id=True)  # type: ignore[no-untyped-call]  # it has no types
        else:
            self._handle.update(make(), raw=True)


def follow(pieces: Iterable[object], make: Callable[[], Bundle]) -> None:
    """Show what is made after each piece, and once more at the end, whatever the end is."""
    spot = Spot()
    try:
        for _ in pieces:
            spot.show(make)
    finally:
        spot.show(make, last=True)
