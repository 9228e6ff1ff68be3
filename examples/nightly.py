"""A report every night by cron: written whole or not at all, and never twice for a night.

    python examples/nightly.py numbers.csv reports/
    python examples/nightly.py numbers.csv reports/ --simulate     # a rehearsal, in reports/simulated
    15 3 * * *  cd /srv/app && .venv/bin/python nightly.py numbers.csv reports/    # in a crontab

Cron knows nothing of your shell's variables: put the keys into a file .env beside it. It mails
what a job prints on stderr; this one prints there only where somebody should look.
"""

from __future__ import annotations

import argparse
import logging
import sys
from datetime import date
from pathlib import Path

from openrouter_resilient import CallFailed, Client, ResilientError, simulated

QUESTION = "Summarise these numbers of a day for people in a hurry; name what is unusual.\n\n"
PATIENCE_S = 600  # at night nobody waits; an outage may pass
TRY_LATER, LOOK_AT_IT = 75, 1  # EX_TEMPFAIL of sysexits.h, and everything else


def main(numbers: Path, folder: Path) -> int:
    """Write today's report; the exit code."""
    report = folder / f"{date.today():%Y-%m-%d}.md"  # noqa: DTZ011  the night of this machine
    if report.exists():
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with Client(deadline=PATIENCE_S, rounds=5, ledger=folder / "calls.db") as client:
            answer = client.complete(QUESTION + numbers.read_text(encoding="utf-8"), max_cost=0.50)
    except CallFailed as error:
        print(f"no report tonight: {error}", file=sys.stderr)
        return TRY_LATER
    except (ResilientError, OSError, UnicodeError) as error:  # a missing key among them
        print(f"the report needs you: {error}", file=sys.stderr)
        return LOOK_AT_IT
    unfinished = report.with_suffix(".part")
    unfinished.write_text(f"{answer}\n\n---\n{answer.served}\n", encoding="utf-8")
    unfinished.replace(report)  # at once: nobody ever reads half a report
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)  # a failover that went well is no reason for a mail
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("numbers", type=Path, help="the numbers of the day, as text")
    parser.add_argument("folder", type=Path, help="where the reports are kept")
    # Without a key, cron is to complain: a made-up report would take the place of the real one.
    with simulated(usage=parser.format_help(), without_key=False) as simulator:
        given = parser.parse_args()
        try:
            sys.exit(main(given.numbers, given.folder / "simulated" if simulator else given.folder))
        except KeyboardInterrupt:
            sys.exit(130)
