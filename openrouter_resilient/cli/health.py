"""`health`: what is known of every route, and who said so. Asks no endpoint anything."""

from __future__ import annotations

import json
import sys
import threading
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from openrouter_resilient.cli.exits import BROKEN_PROMISE, FINE
from openrouter_resilient.cli.numbers import seconds
from openrouter_resilient.cli.output import say, warnings_shown

if TYPE_CHECKING:
    from openrouter_resilient.health.report import HealthReport

EXAMPLES = (
    "openrouter-resilient health",
    "openrouter-resilient health --pages",
    "openrouter-resilient health --watch 5",
)
CLEAR = "\x1b[H\x1b[2J"


def add_arguments(parser: ArgumentParser) -> None:
    """Say what it takes."""
    add = parser.add_argument
    add("--pages", action="store_true", help="read the vendors' status pages, too")
    add("--json", action="store_true", help="print one JSON object")
    add(
        "--watch",
        nargs="?",
        type=seconds,
        const=2.0,
        metavar="SECONDS",
        help="show it again and again; every 2 s unless told otherwise",
    )
    add("--model", dest="models", action="append", metavar="ID", help="as of `ask`")
    add("--fallback", dest="fallbacks", action="append", metavar="ROUTE", help="as of `ask`")


def run(arguments: Namespace) -> int:
    """Show it."""
    from openrouter_resilient.client import Client  # noqa: PLC0415  a fifth of a second
    from openrouter_resilient.health.report import wait_for_news  # noqa: PLC0415  the same

    pause = threading.Event()
    with (
        warnings_shown(quiet=False),
        Client(arguments.models, fallbacks=arguments.fallbacks) as client,
    ):
        wait_for_news(client)
        while True:
            report = client.health(pages=arguments.pages)
            _show(arguments, report)
            if arguments.watch is None:
                return FINE if report.healthy else BROKEN_PROMISE
            pause.wait(arguments.watch)


def _show(arguments: Namespace, report: HealthReport) -> None:
    if arguments.json:
        rows = {"shared": report.shared, "routes": report.as_dicts()}
        print(json.dumps(rows, ensure_ascii=False), flush=True)
        return
    if arguments.watch is not None and sys.stdout.isatty():
        print(CLEAR, end="")
    print(report, flush=True)
    if not report.shared:
        say("REDIS_URL is not set: no other process has told this one anything")
