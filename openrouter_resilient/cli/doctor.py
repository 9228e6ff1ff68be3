"""`doctor`: what is configured, and whether it would really work. Never a key in any output."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from dataclasses import asdict

from openrouter_resilient.cli.exits import BROKEN_PROMISE, FINE

EXAMPLES = (
    "openrouter-resilient doctor",
    "openrouter-resilient doctor --live",
)


def add_arguments(parser: ArgumentParser) -> None:
    """Say what it takes."""
    add = parser.add_argument
    add("--live", action="store_true", help="the fire drill: a real prompt through direct routes")
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
    findings = diagnose(Settings(), client, live=arguments.live)
    if arguments.json:
        print(json.dumps({"sound": sound(findings), "findings": list(map(asdict, findings))}))
    else:
        print("\n".join(map(str, findings)))
    return FINE if sound(findings) else BROKEN_PROMISE
