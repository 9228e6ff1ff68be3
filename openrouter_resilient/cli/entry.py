"""From `sys.argv` to an exit code: builds the parser from the table, runs the command."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from openrouter_resilient._version import __version__
from openrouter_resilient.cli.commands import COMMANDS, Command, load
from openrouter_resilient.cli.exits import EXITS, USAGE, exit_code
from openrouter_resilient.cli.output import complain, discard
from openrouter_resilient.errors import ResilientError

PROGRAM = "openrouter-resilient"
ABOUT = "One LLM call that gets an answer while providers fail, and says truthfully who gave it."


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments without the program's name; None: the process's own.

    Returns:
        An exit code of the table in `exits`.

    Raises:
        SystemExit: argparse has shown a help, the version, or what is wrong with the arguments.
    """
    _prepare_outputs()
    try:
        return _run(sys.argv[1:] if argv is None else list(argv))
    except BrokenPipeError as error:
        discard(sys.stdout)
        return exit_code(error)
    except KeyboardInterrupt as error:
        complain("interrupted")
        return exit_code(error)
    except ResilientError as error:  # before OSError: a DeadlineExceeded is both
        complain(error)
        return exit_code(error)
    except OSError as error:
        discard(sys.stdout)
        complain(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
        return exit_code(error)
    finally:
        try:
            sys.stderr.flush()
        except OSError:  # what is said beside the output decides nothing
            discard(sys.stderr)


def _run(argv: list[str]) -> int:
    parser = _parser(chosen=next((word for word in argv if not word.startswith("-")), None))
    try:
        arguments = parser.parse_args(argv)
        if arguments.run is None:
            parser.print_help(sys.stderr)
            return USAGE
        code: int = arguments.run(arguments)
        return code
    finally:
        sys.stdout.flush()  # here, where a closed pipe or a full disk is still answered for


def _parser(chosen: str | None) -> ArgumentParser:
    """The parser; of the commands only the chosen one is loaded, so that `--help` is quick."""
    # Indented by one: by more, argparse leaves no room for a command as long as `reconcile`.
    formatter = partial(RawDescriptionHelpFormatter, indent_increment=1)
    parser = ArgumentParser(PROGRAM, description=ABOUT, epilog=_epilog(), formatter_class=formatter)
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in COMMANDS:
        own = commands.add_parser(
            command.name, help=command.summary, formatter_class=RawDescriptionHelpFormatter
        )
        if command.name == chosen:
            _fill(own, command)
    return parser


def _fill(parser: ArgumentParser, command: Command) -> None:
    module = load(command)
    examples = "\n".join(f"  {example}" for example in module.EXAMPLES)
    parser.description = f"{command.summary[0].upper()}{command.summary[1:]}."
    parser.epilog = f"examples:\n{examples}\n\n{_epilog()}"
    module.add_arguments(parser)
    parser.set_defaults(run=module.run)


def _epilog() -> str:
    codes = "\n".join(f"  {row.code:<4} {row.meaning}" for row in EXITS)
    return f"exit codes:\n{codes}"


def _prepare_outputs() -> None:
    """A character that the terminal lacks is replaced; an output that is closed takes nothing."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  for good
            setattr(sys, name, nowhere)
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
