"""`report`: the numbers of a period, as text, JSON or a page for a customer."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from openrouter_resilient.cli.exits import FINE
from openrouter_resilient.cli.ledger_file import add_ledger, opened
from openrouter_resilient.cli.output import print_object
from openrouter_resilient.errors import ConfigurationError

EXAMPLES = (
    "openrouter-resilient report --since 30d",
    "openrouter-resilient report --ledger calls.db --since 2026-11-01 --html report.html",
    "openrouter-resilient report --json | jq .availability",
)


def add_arguments(parser: ArgumentParser) -> None:
    """Say what it takes."""
    add_ledger(parser)
    parser.add_argument(
        "--since", metavar="WHEN", help="such as 30d, 12h or 2026-11-01; default: all there is"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write one page with pictures")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")


def run(arguments: Namespace) -> int:
    """Report."""
    ledger = opened(arguments)
    report = ledger.report(arguments.since)
    if arguments.html is not None:
        page: Path = arguments.html
        if ledger.path and page.exists() and page.samefile(ledger.path):
            raise ConfigurationError(f"{page} is the ledger; name another file for --html")
        page.write_text(report.as_html(), encoding="utf-8")
    if arguments.json:
        print_object(report.as_json(), indent=2)
    else:
        print(report)
    return FINE
