"""THE table of commands. A new one is a row here and a module with what `Module` names."""

from __future__ import annotations

import importlib
from argparse import ArgumentParser, Namespace
from typing import NamedTuple, Protocol, cast


class Command(NamedTuple):
    """A command: what it is called, one line about it, and its module in this package."""

    name: str
    summary: str
    module: str


# fmt: off
COMMANDS = (
    Command("ask",   "ask once, and stream the answer whatever happens to a provider", ".ask"),
    Command("drill", "rehearse an outage on fake upstreams; needs no key, no network", ".drill"),
)
# fmt: on


class Module(Protocol):
    """What a command's module has."""

    @property
    def EXAMPLES(self) -> tuple[str, ...]:  # noqa: N802  a constant of a module
        """Command lines for its help."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Say what it takes. Imports nothing heavy: `--help` asks, too."""

    def run(self, arguments: Namespace) -> int:
        """Do it, and return an exit code of the table in `exits`."""


def load(command: Command) -> Module:
    """The module of a command."""
    return cast("Module", importlib.import_module(command.module, __package__))
