"""`prune`: forget the calls that are older than a period."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from openrouter_resilient.cli.exits import FINE
from openrouter_resilient.cli.ledger_file import add_ledger, opened

EXAMPLES = ("openrouter-resilient prune --keep 90d",)


def add_arguments(parser: ArgumentParser) -> None:
    """Say what it takes."""
    add_ledger(parser)
    parser.add_argument("--keep", metavar="PERIOD", required=True, help="such as 90d or 26w")


def run(arguments: Namespace) -> int:
    """Prune."""
    deleted = opened(arguments).prune(arguments.keep)
    print(f"{deleted:,} calls deleted" if deleted != 1 else "1 call deleted")
    return FINE
