"""`ask`: one question, the answer as it comes, and who gave it. Never a key in any output."""

from __future__ import annotations

import math
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from openrouter_resilient.cli.exits import FINE, exit_code
from openrouter_resilient.cli.output import complain, print_object, say, warnings_shown
from openrouter_resilient.errors import ConfigurationError, ResilientError

if TYPE_CHECKING:
    from openrouter_resilient.planning import Wire
    from openrouter_resilient.served import AttemptRecord, Served
    from openrouter_resilient.shapes import Completion

EXAMPLES = (
    'openrouter-resilient ask "Name three rivers."',
    "git diff | openrouter-resilient ask --system 'Review this diff.' --deadline 60",
    "openrouter-resilient ask --model openai/gpt-4o --fallback groq --json 'Why?'",
)
STDIN = "-"


def add_arguments(parser: ArgumentParser) -> None:
    """Say what it takes."""
    add = parser.add_argument
    add("prompt", nargs="*", metavar="PROMPT", help="what to ask; absent or `-`: read from stdin")
    add("--system", metavar="TEXT", help="a system text, put before the prompt")
    add(
        "--model",
        dest="models",
        action="append",
        metavar="ID",
        help="an OpenRouter id such as openai/gpt-4o; repeat it, most preferred first",
    )
    fallbacks = parser.add_mutually_exclusive_group()
    fallbacks.add_argument(
        "--fallback",
        dest="fallbacks",
        action="append",
        metavar="ROUTE",
        help="whom to ask when OpenRouter cannot serve, such as openai:gpt-4o; repeat it, in order",
    )
    fallbacks.add_argument(
        "--no-fallback",
        dest="fallbacks",
        action="store_const",
        const=(),
        help="ask OpenRouter and nobody else",
    )
    add("--deadline", type=_seconds, metavar="SECONDS", help="for all of it; default 120")
    add("--max-tokens", type=_count, metavar="N", help="the most tokens an answer may have")
    add("--temperature", type=_number, metavar="X", help="how freely the model chooses")
    add("--json", action="store_true", help="print one JSON object: text, served, attempts, error")
    add("--whole", action="store_true", help="no streaming; a cut-off answer is asked elsewhere")
    add("-q", "--quiet", action="store_true", help="nothing on stderr but errors")


def run(arguments: Namespace) -> int:
    """Ask."""
    shown: _Text | _Object = _Object() if arguments.json else _Text(quiet=arguments.quiet)
    try:
        prompt = _prompt(arguments.prompt)
        _check_readable(arguments.system or "", "the system text")
        with warnings_shown(quiet=arguments.quiet, before=shown.make_room):
            shown.end(_answer(arguments, prompt, shown.piece))
    except ResilientError as error:
        shown.fail(error)
        complain(error)
        return exit_code(error)
    except KeyboardInterrupt:
        shown.end_line()
        raise
    return FINE


def _answer(arguments: Namespace, prompt: str, show: Callable[[str], None]) -> Completion:
    """Ask, and show every piece of text as it comes."""
    from openrouter_resilient.client import Client  # noqa: PLC0415  a fifth of a second

    params: dict[str, Any] = {
        "system": arguments.system,
        "max_tokens": arguments.max_tokens,
        "temperature": arguments.temperature,
    }
    with Client(
        arguments.models, fallbacks=arguments.fallbacks, deadline=arguments.deadline
    ) as client:
        if arguments.whole or arguments.json:  # shown at the end, so a cut is asked elsewhere
            wire: Wire = "whole" if arguments.whole else "stream"
            completion = client.complete(prompt, wire=wire, **params)
            show(completion.text)
            return completion
        with client.stream(prompt, **params) as stream:
            for piece in stream:
                show(piece)
            return stream.completion


class _Text:
    """The answer as text on stdout, and who served it on stderr."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._line_is_open = False

    def piece(self, text: str) -> None:
        print(text, end="", flush=True)
        self._line_is_open = bool(text) and not text.endswith("\n")

    def end(self, completion: Completion) -> None:
        self.end_line()
        if self._quiet:
            return
        for warning in completion.served.warnings:
            say(f"warning: {warning}")
        say(completion.served)

    def fail(self, _error: ResilientError) -> None:
        """What came stays."""
        self.end_line()

    def make_room(self) -> None:
        """On a terminal a warning would stand in the answer's line; a file is given no line end."""
        if sys.stdout.isatty():
            self.end_line()

    def end_line(self) -> None:
        if self._line_is_open:
            print(flush=True)
        self._line_is_open = False


class _Object:
    """One JSON object on stdout, and nothing else there."""

    def piece(self, text: str) -> None:
        """Wait for the end, which has all of it."""

    def end(self, completion: Completion) -> None:
        _print_object(completion.text, completion.served, completion.served.attempts, None)

    def fail(self, error: ResilientError) -> None:
        _print_object("", None, error.history, error)

    def make_room(self) -> None:
        """There is no line to end."""

    end_line = make_room


def _print_object(
    text: str,
    served: Served | None,
    attempts: tuple[AttemptRecord, ...],
    error: ResilientError | None,
) -> None:
    who = asdict(served) if served else None
    if who:
        del who["attempts"]  # they stand beside it, whether anybody served or not
    what = error and {
        "type": type(error).__name__,
        "message": str(error),
        "exit_code": exit_code(error),
    }
    whole = {"text": text, "served": who, "attempts": list(map(asdict, attempts)), "error": what}
    print_object(whole, indent=2)


def _prompt(words: list[str]) -> str:
    """The prompt from the arguments, or from stdin.

    Raises:
        ConfigurationError: there is none, or it is not UTF-8.
    """
    prompt = _read_stdin() if words in ([], [STDIN]) else " ".join(words)
    if not prompt.strip():
        raise ConfigurationError("the prompt is empty; give it as an argument or on stdin")
    _check_readable(prompt, "the prompt")
    return prompt


def _check_readable(text: str, name: str) -> None:
    """Python keeps unreadable bytes of an argument as surrogates, which nobody could be sent.

    Raises:
        ConfigurationError: there are such.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ConfigurationError(f"{name} is not UTF-8") from None


def _read_stdin() -> str:
    if sys.stdin is None:  # started with its input closed
        return ""
    if sys.stdin.isatty():
        say("type the prompt, then Ctrl-D on a line of its own")
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigurationError("the prompt on stdin is not UTF-8") from None


def _seconds(text: str) -> float:
    seconds = _number(text)
    if seconds <= 0:
        raise ArgumentTypeError(f"{text} is no positive number of seconds")
    return seconds


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text} is no positive whole number")
    return int(text)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ArgumentTypeError(f"{text} is no number")
    return number
