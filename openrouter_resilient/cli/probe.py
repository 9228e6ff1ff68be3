"""`probe`: ask every route of the plan one tiny prompt, and tell everybody who should know."""

from __future__ import annotations

import os
import signal
import threading
from argparse import ArgumentParser, Namespace
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from openrouter_resilient.cli.exits import BROKEN_PROMISE, FINE
from openrouter_resilient.cli.numbers import seconds
from openrouter_resilient.cli.output import print_object, say, warnings_shown

if TYPE_CHECKING:
    from openrouter_resilient.client import Client
    from openrouter_resilient.health.probe import Probed
    from openrouter_resilient.health.prober import Prober

EXAMPLES = (
    "openrouter-resilient probe --once",
    "openrouter-resilient probe --every 300",
    "openrouter-resilient probe --print-cron",
    "openrouter-resilient probe --print-systemd",
)
# The loggers of what surrounds the probes: a route's own warnings stand in its result.
HEALTH, LEDGER = "openrouter_resilient.health", "openrouter_resilient.ledger"
EVERY_S = 300.0
JITTER = 0.1  # a tenth either way, so that probes of many machines do not meet


def add_arguments(parser: ArgumentParser) -> None:
    """Say what it takes."""
    add = parser.add_argument
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--once", action="store_true", help="one round; for cron")
    what.add_argument("--print-cron", action="store_true", help="print the line for a crontab")
    what.add_argument("--print-systemd", action="store_true", help="print a unit for systemd")
    add(
        "--every",
        type=seconds,
        metavar="SECONDS",
        help="between two rounds: go on for ever; with --once, how long a result counts; "
        "default 300",
    )
    add("--deadline", type=seconds, default=10.0, metavar="SECONDS", help="for a probe; default 10")
    add("--model", dest="models", action="append", metavar="ID", help="as of `ask`")
    add("--fallback", dest="fallbacks", action="append", metavar="ROUTE", help="as of `ask`")
    add("--json", action="store_true", help="print one JSON object a round")
    add("-q", "--quiet", action="store_true", help="print no results; the exit code has them")


def run(arguments: Namespace) -> int:
    """Probe."""
    if arguments.print_cron or arguments.print_systemd:
        return _install(arguments)
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        with warnings_shown(quiet=False, of=HEALTH), warnings_shown(quiet=False, of=LEDGER):
            return _probe(arguments)
    except _Stopped:
        return FINE
    finally:
        signal.signal(signal.SIGTERM, before)


class _Stopped(BaseException):
    """SIGTERM asks for the end; no handler for errors may swallow it."""


def _stop(_number: int, _frame: object) -> None:
    raise _Stopped


def _install(arguments: Namespace) -> int:
    from openrouter_resilient.health.install import (  # noqa: PLC0415  when asked for
        cron_lines,
        only_in_shell,
        systemd_unit,
    )

    lines = cron_lines if arguments.print_cron else systemd_unit
    options = ["--deadline", f"{arguments.deadline:g}"]
    for model in arguments.models or ():
        options += ["--model", model]
    for route in arguments.fallbacks or ():
        options += ["--fallback", route]
    folder = Path.cwd()
    missing = only_in_shell(os.environ, folder)
    print(lines(arguments.every or EVERY_S, options, folder, missing), end="")
    return FINE


def _probe(arguments: Namespace) -> int:
    import random  # noqa: PLC0415  when it is needed

    every = arguments.every or EVERY_S
    with _client(arguments) as client, closing(_prober(arguments, client, every)) as prober:
        while True:
            found = prober.round()
            _show(arguments, found)
            if arguments.once or arguments.every is None:
                return FINE if all(probed.up for probed in found) else BROKEN_PROMISE
            threading.Event().wait(every * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311  no secret


def _client(arguments: Namespace) -> Client:
    from openrouter_resilient.client import Client  # noqa: PLC0415  a fifth of a second

    return Client(arguments.models, fallbacks=arguments.fallbacks, rounds=1, redis_url="")


def _prober(arguments: Namespace, client: Client, every: float) -> Prober:
    from openrouter_resilient.health.channels import channels, heartbeat  # noqa: PLC0415  the same
    from openrouter_resilient.health.prober import Prober  # noqa: PLC0415  the same
    from openrouter_resilient.health.redis_link import check_url  # noqa: PLC0415  the same
    from openrouter_resilient.settings import REDIS_VARIABLE, Settings  # noqa: PLC0415  the same
    from openrouter_resilient.wire.clock import SystemClock  # noqa: PLC0415  the same

    settings = Settings()
    redis_url = settings.read(REDIS_VARIABLE)
    if redis_url:
        check_url(redis_url)  # a probe is for Redis: here it must be one
    return Prober(
        client,
        redis_url=redis_url,
        channels=channels(settings, SystemClock()),
        beat=heartbeat(settings),
        seconds=arguments.deadline,
        every=every,
    )


def _show(arguments: Namespace, found: tuple[Probed, ...]) -> None:
    from openrouter_resilient.health.probe import bill  # noqa: PLC0415  when it is needed

    if arguments.json:
        print_object({"probes": list(map(asdict, found)), "bill": bill(found)})
    elif not arguments.quiet:
        for probed in found:
            print(probed, flush=True)
        say(bill(found))
