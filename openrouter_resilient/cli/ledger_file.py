"""Which ledger a command is about: `--ledger`, or the setting."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from openrouter_resilient.errors import ConfigurationError

if TYPE_CHECKING:
    from openrouter_resilient.ledger.ledger import Ledger


def add_ledger(parser: ArgumentParser) -> None:
    """Take `--ledger`."""
    parser.add_argument(
        "--ledger", metavar="FILE", help="the ledger; default: OPENROUTER_RESILIENT_LEDGER"
    )


def opened(arguments: Namespace) -> Ledger:
    """The ledger, with whom to ask about costs.

    Raises:
        ConfigurationError: none is named, or it is not there; a report makes no file.
    """
    from openrouter_resilient.endpoints.table import resolve  # noqa: PLC0415  `--help` needs none
    from openrouter_resilient.ledger.ledger import Ledger, expanded  # noqa: PLC0415  the same
    from openrouter_resilient.settings import LEDGER_VARIABLE, Settings  # noqa: PLC0415  the same

    settings = Settings({LEDGER_VARIABLE: arguments.ledger})
    name = settings.read(LEDGER_VARIABLE)
    if name is None:
        raise ConfigurationError(f"which ledger? Write --ledger FILE, or set {LEDGER_VARIABLE}")
    if not expanded(name).is_file():
        raise ConfigurationError(f"there is no ledger {name}")
    return Ledger(name, resolve(settings))
