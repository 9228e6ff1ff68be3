"""Facts out of a folder of texts, one row each; what was done once is not paid for again.

    python examples/extract.py letters/ letters.csv     # stop it, start it again: it goes on
    python examples/extract.py letters/ letters.csv --simulate=status_503

What is simulated goes into a table of its own, letters.simulated.csv.
A text that changed is read again. A text that nobody could read keeps no row, and is tried again
by the next run.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import sys
from pathlib import Path

from pydantic import BaseModel, Field

from openrouter_resilient import Client, ConfigurationError, ResilientError, simulated


class Letter(BaseModel):
    """What we want to know of each text."""

    sender: str
    subject: str = Field(description="at most ten words")
    urgent: bool
    amount_eur: float | None = Field(description="the sum that is asked for, if any")


def main(folder: Path, table: Path) -> int:
    """Read every `*.txt` of the folder; the number of those that could not be read."""
    table.parent.mkdir(parents=True, exist_ok=True)
    done_file = table.with_suffix(".jsonl")  # a line for each text that is done
    done = _known(done_file)
    failed = 0
    with Client(deadline=60) as client, done_file.open("a", encoding="utf-8") as lines:
        for path in sorted(folder.glob("*.txt")):
            try:
                text = path.read_text(encoding="utf-8")
                digest = hashlib.sha256(text.encode()).hexdigest()
                if done.get(path.name, {}).get("digest") == digest:
                    print(f"{path.name}: known")
                    continue
                letter = client.parse(f"Extract the facts of this letter:\n\n{text}", Letter)
            except (ResilientError, OSError, UnicodeError) as error:  # one does not stop the others
                print(f"{path.name}: {type(error).__name__}: {error}", file=sys.stderr)
                failed += 1
                continue
            row = {"file": path.name, "digest": digest, **letter.value.model_dump()}
            lines.write(json.dumps(row) + "\n")
            lines.flush()  # written before the next one is asked for
            done[path.name] = row
            print(f"{path.name}: {letter.served}")
    _write(table, [done[name] for name in sorted(done) if (folder / name).exists()])
    return failed


def _known(done_file: Path) -> dict[str, dict[str, object]]:
    """The rows of earlier runs; a line that a crash has torn counts for nothing."""
    rows = {}
    for line in done_file.read_text(encoding="utf-8").splitlines() if done_file.exists() else ():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        rows[row["file"]] = row
    return rows


def _write(table: Path, rows: list[dict[str, object]]) -> None:
    unfinished = table.with_name(table.name + ".part")
    with unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["file", *Letter.model_fields], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    unfinished.replace(table)  # at once: the old table stands until the new one is whole


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="where the texts are, as *.txt")
    parser.add_argument("table", type=Path, help="the table to write, as CSV")
    with simulated(usage=parser.format_help(), without_key=False) as simulator:
        given = parser.parse_args()
        if not given.folder.is_dir():
            parser.error(f"{given.folder} is no folder")
        if not any(given.folder.glob("*.txt")):  # a slip of the pen empties no table
            parser.error(f"no *.txt in {given.folder}")
        table = given.table.with_suffix(".simulated.csv") if simulator else given.table
        try:
            sys.exit(1 if main(given.folder, table) else 0)
        except ConfigurationError as error:
            sys.exit(f"{error}. Or try it with --simulate")
        except KeyboardInterrupt:
            print("stopped; the same line goes on", file=sys.stderr)
            sys.exit(130)
