"""What every command says on stderr, and colour where colour is wanted. Never a key."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    import logging

PACKAGE = "openrouter_resilient"  # its logger
GREEN, RED = "32", "31"


def complain(message: object) -> None:
    """Say what went wrong, in one line."""
    say(f"error: {message}")


def print_object(value: object, *, indent: int | None = None) -> None:
    """Print something as JSON, with all of its characters.

    One that the output lacks would be replaced by another, so that there all but ASCII is escaped.
    """
    readable = (getattr(sys.stdout, "encoding", None) or "").lower().startswith("utf")
    print(json.dumps(value, ensure_ascii=not readable, indent=indent), flush=True)


def say(message: object) -> None:
    """Say something in one line beside the output.

    A server's words may stand in it: no line break and no control character of theirs gets through.
    """
    harmless = "".join(char if char.isprintable() else " " for char in str(message))
    with suppress(OSError):  # a full disk under a log is no failure of what the log is about
        print(" ".join(harmless.split()), file=sys.stderr, flush=True)


def discard(stream: TextIO) -> None:
    """Whatever is still buffered has nowhere to go; Python would complain of it at its end."""
    with suppress(OSError):  # an output that is no file needs none of this
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


@contextmanager
def warnings_shown(
    *, quiet: bool, of: str = PACKAGE, before: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Show the package's warnings (failover, a key that is not accepted) as lines on stderr.

    Args:
        quiet: show none.
        of: the part of the package whose warnings are shown; those of the others are not.
        before: is called before each that is shown.
    """
    import logging  # noqa: PLC0415  not needed for `--help`

    def prepared(_record: logging.LogRecord) -> bool:
        before()
        return True

    shown = logging.NullHandler() if quiet else logging.StreamHandler(sys.stderr)
    shown.addFilter(prepared)
    with _heard(logging.NullHandler()), _heard(shown, of):
        yield


@contextmanager
def warnings_kept(most: int = 5) -> Iterator[deque[str]]:
    """Keep the last of them, with their time, for a screen that is drawn anew again and again."""
    import logging  # noqa: PLC0415  not needed for `--help`

    lines: deque[str] = deque(maxlen=most)

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{time.strftime('%H:%M:%S')} {self.format(record)}")

    with _heard(Keeper()):
        yield lines


@contextmanager
def _heard(handler: logging.Handler, of: str = PACKAGE) -> Iterator[None]:
    import logging  # noqa: PLC0415  not needed for `--help`

    logger = logging.getLogger(of)
    handler.setFormatter(logging.Formatter("warning: %(message)s"))
    handler.setLevel(logging.WARNING)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def colourful(stream: TextIO) -> bool:
    """Whether colour may go there (https://no-color.org)."""
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return wanted and stream.isatty()


def painted(text: str, colour: str) -> str:
    """The text in a colour."""
    return f"\x1b[{colour}m{text}\x1b[0m"
