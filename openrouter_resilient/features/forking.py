"""A forked child begins anew: a lock of the parent's may be held by a thread it does not have."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any
from weakref import WeakMethod

_RENEWALS: set[WeakMethod[Callable[[], Any]]] = set()


def in_forked_child(renew: Callable[[], None]) -> None:
    """Have this method called in each child, for as long as its object lives."""
    _RENEWALS.add(WeakMethod(renew, _RENEWALS.discard))


def _after_fork() -> None:
    for reference in tuple(_RENEWALS):
        renew = reference()
        if renew is not None:
            renew()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_after_fork)
