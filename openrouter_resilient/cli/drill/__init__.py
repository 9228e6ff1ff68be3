"""`drill`: an outage scene by scene on fake upstreams, and whether each promise was kept.

Needs no key and no network, and never looks at the user's own.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from openrouter_resilient.cli.exits import BROKEN_PROMISE, FINE
from openrouter_resilient.cli.output import warnings_shown

EXAMPLES = (
    "openrouter-resilient drill",
    "openrouter-resilient drill --json | jq '.scenes[] | {name, kept, seconds}'",
)


def add_arguments(parser: ArgumentParser) -> None:
    """Say what it takes."""
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")


def run(arguments: Namespace) -> int:
    """Play every scene, and tell of each."""
    from openrouter_resilient.cli.drill import scenes, stage, telling  # noqa: PLC0415  heavy

    tell = telling.as_json if arguments.json else telling.as_table
    with warnings_shown(quiet=True):  # the table tells the same, in its place
        kept = tell(stage.rehearse(scenes.SCENES))
    return FINE if kept else BROKEN_PROMISE
