"""THE table of exit codes, and which exception leaves with which."""

from __future__ import annotations

from typing import NamedTuple

from openrouter_resilient.errors import (
    CallFailed,
    ConfigurationError,
    RequestRefused,
    ResilientError,
    StreamInterrupted,
)


class Exit(NamedTuple):
    """An exit code, what it means, and the exceptions (with their heirs) that leave with it."""

    code: int
    meaning: str
    raised: tuple[type[BaseException], ...] = ()


FINE, BROKEN_PROMISE, USAGE, INTERRUPTED = 0, 1, 2, 130

# A closed pipe is fine: `| head` has had enough. Any other OSError is the user's file or disk.
# fmt: off
EXITS = (
    Exit(FINE,           "fine",                                    (BrokenPipeError,)),
    Exit(BROKEN_PROMISE, "a check or a promise failed",             (ResilientError,)),
    Exit(USAGE,          "usage or configuration",                  (ConfigurationError, OSError)),
    Exit(3,              "the request was refused; change it",      (RequestRefused,)),
    Exit(4,              "nobody answered; wait, or add a fallback", (CallFailed,)),
    Exit(5,              "the stream was interrupted half-way",     (StreamInterrupted,)),
    Exit(INTERRUPTED,    "Ctrl-C",                                  (KeyboardInterrupt,)),
)
# fmt: on
_CODES = {raised: row.code for row in EXITS for raised in row.raised}


def exit_code(error: BaseException) -> int:
    """The code for an exception, by the nearest of its ancestors that the table knows.

    Raises:
        KeyError: the table knows none; it is a defect of the program, not an end of a command.
    """
    return next(_CODES[ancestor] for ancestor in type(error).__mro__ if ancestor in _CODES)
