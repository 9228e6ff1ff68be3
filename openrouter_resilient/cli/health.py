"""`health`: what is known of every route, and who said so. Asks no endpoint anything."""

from __future__ import annotations

import sys
import threading
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Collection
from contextlib import suppress
from typing import TYPE_CHECKING

from openrouter_resilient.cli.exits import BROKEN_PROMISE, FINE, INTERRUPTED
from openrouter_resilient.cli.numbers import seconds
from openrouter_resilient.cli.output import print_object, say, warnings_kept, warnings_shown

if TYPE_CHECKING:
    from openrouter_resilient.client import Client
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
    if arguments.watch is not None and not arguments.json and sys.stdout.isatty():
        with warnings_kept() as warnings:
            return _show_on(arguments, warnings)
    with warnings_shown(quiet=False):
        return _show_on(arguments, None)


def _show_on(arguments: Namespace, warnings: Collection[str] | None) -> int:
    """Show it once, or until Ctrl-C.

    Args:
        arguments: of the command.
        warnings: of late, where the screen is drawn anew each time; None where lines go on.
    """
    from openrouter_resilient.client import Client  # noqa: PLC0415  a fifth of a second
    from openrouter_resilient.health.report import wait_for_news  # noqa: PLC0415  the same

    with Client(arguments.models, fallbacks=arguments.fallbacks) as client:
        wait_for_news(client)
        if arguments.watch is not None:
            return _watch(arguments, client, warnings)
        report = client.health(pages=arguments.pages)
        _show(report, as_json=arguments.json)
    return FINE if report.healthy else BROKEN_PROMISE


def _watch(arguments: Namespace, client: Client, warnings: Collection[str] | None) -> int:
    """Show it until Ctrl-C, which is how this ends and no trouble."""
    pause = threading.Event()
    with suppress(KeyboardInterrupt):
        while True:
            report = client.health(pages=arguments.pages)
            if warnings is not None:
                print(CLEAR, end="")
            if not arguments.json:
                print(f"{time.strftime('%H:%M:%S')}, every {arguments.watch:g} s until Ctrl-C")
            _show(report, as_json=arguments.json)
            for warning in warnings or ():
                say(warning)
            pause.wait(arguments.watch)
    return INTERRUPTED


def _show(report: HealthReport, *, as_json: bool) -> None:
    from openrouter_resilient.settings import REDIS_VARIABLE, Settings  # noqa: PLC0415  late

    if as_json:
        rows = {"shared": report.shared, "routes": report.as_dicts()}
        print_object(rows)
        return
    print(report, flush=True)
    if not report.shared and not Settings().read(REDIS_VARIABLE):  # else its fault was said
        say("REDIS_URL is not set: what a probe or another process finds is not known here")
