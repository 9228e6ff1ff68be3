"""Several slow things side by side, each with its own time limit within itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def in_parallel(tasks: Sequence[Callable[[], T]]) -> list[T]:
    """Do all of them, and give their results in order; the first error of one is raised.

    Daemon threads, so that a signal which ends the program does not wait for them.
    """
    results: list[T | None] = [None] * len(tasks)
    errors: list[BaseException] = []

    def do(place: int) -> None:
        try:
            results[place] = tasks[place]()
        except BaseException as error:  # noqa: BLE001  raised below, where somebody can catch it
            errors.append(error)

    threads = [threading.Thread(target=do, args=(n,), daemon=True) for n in range(len(tasks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results  # type: ignore[return-value]  # each has been filled
