"""`reconcile`: ask what calls of unknown cost did cost, abandoned ones included."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from openrouter_resilient.cli.exits import BROKEN_PROMISE, FINE
from openrouter_resilient.cli.ledger_file import add_ledger, opened

EXAMPLES = (
    "openrouter-resilient reconcile",
    "openrouter-resilient reconcile --ledger calls.db --since 7d",
)


def add_arguments(parser: ArgumentParser) -> None:
    """Say what it takes."""
    add_ledger(parser)
    parser.add_argument("--since", metavar="WHEN", default="30d", help="how far back; default 30d")


def run(arguments: Namespace) -> int:
    """Reconcile; a problem with OpenRouter is a check that failed, and what was found is kept."""
    found = opened(arguments).reconcile(arguments.since)
    print(found)
    return FINE if found.problem is None else BROKEN_PROMISE
