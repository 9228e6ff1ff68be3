"""`doctor`: what is configured, and whether it would really work. Never a key in any output."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from typing import TYPE_CHECKING

from openrouter_resilient.cli.exits import BROKEN_PROMISE, FINE
from openrouter_resilient.cli.output import (
    GREEN,
    RED,
    colourful,
    painted,
    print_object,
    warnings_shown,
)

if TYPE_CHECKING:
    from openrouter_resilient.health.findings import Finding

EXAMPLES = (
    "openrouter-resilient doctor",
    "openrouter-resilient doctor --live",
)


def add_arguments(parser: ArgumentParser) -> None:
    """Say what it takes."""
    add = parser.add_argument
    add("--live", action="store_true", help="the fire drill: a real prompt through every route")
    add("--json", action="store_true", help="print one JSON object")
    add("--model", dest="models", action="append", metavar="ID", help="as of `ask`")
    add("--fallback", dest="fallbacks", action="append", metavar="ROUTE", help="as of `ask`")


def run(arguments: Namespace) -> int:
    """Examine, and say whether the plan would survive OpenRouter's loss."""
    from openrouter_resilient.client import Client  # noqa: PLC0415  a fifth of a second
    from openrouter_resilient.errors import ConfigurationError  # noqa: PLC0415  the same
    from openrouter_resilient.health.doctor import diagnose  # noqa: PLC0415  the same
    from openrouter_resilient.health.findings import sound  # noqa: PLC0415  the same
    from openrouter_resilient.settings import Settings  # noqa: PLC0415  the same

    client: Client | ConfigurationError
    try:
        client = Client(arguments.models, fallbacks=arguments.fallbacks, rounds=1, redis_url="")
    except ConfigurationError as error:
        client = error
    with warnings_shown(quiet=True):  # what is wrong stands among the findings
        findings = diagnose(Settings(), client, live=arguments.live)
    if arguments.json:
        print_object({"sound": sound(findings), "findings": list(map(asdict, findings))})
    else:
        _show(findings)
    return FINE if sound(findings) else BROKEN_PROMISE


def _show(findings: list[Finding]) -> None:
    from openrouter_resilient.health.findings import PROBLEM  # noqa: PLC0415  see run

    colour = colourful(sys.stdout)
    for finding in findings:
        text = str(finding)
        if colour and (finding.level == PROBLEM or finding is findings[-1]):
            paint = RED if finding.level == PROBLEM else GREEN
            text = text.replace(finding.level, painted(finding.level, paint), 1)
        print(text)
