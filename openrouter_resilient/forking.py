"""A forked child begins anew: a lock of the parent's may be held by a thread it does not have."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Renewable(Protocol):
    """Something that a forked child cannot use as it is."""

    def begin_anew(self) -> None:
        """Take new locks, and wait for no thread of the parent's."""


_LIVING: WeakSet[Renewable] = WeakSet()


def renew_in_forked_child(thing: Renewable) -> None:
    """Have it begin anew in each child, for as long as it lives."""
    _LIVING.add(thing)


def _after_fork() -> None:
    for thing in _LIVING:
        thing.begin_anew()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_after_fork)
