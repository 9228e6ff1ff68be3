"""Run the scenes, print a table and JSON, and draw the README's picture."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks import scenes
from tests.benchmarks.measure import Result
from tests.benchmarks.server import running


def main() -> int:
    """The command; 1 if a bound was missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("scene", nargs="*", help="only these: whole_body, streamed, imports, …")
    parser.add_argument("--json", type=Path, help="write the results here, too")
    parser.add_argument("--picture", type=Path, help="draw the README's picture here")
    given = parser.parse_args()
    logging.getLogger("openrouter_resilient").addHandler(logging.NullHandler())
    results: list[Result] = []
    with running() as url:
        for scene in scenes.SCENES:
            if not given.scene or scene.__name__ in given.scene:
                results += _told(scene(url))
    if not given.scene or "imports" in given.scene:
        results += _told(scenes.imports())
    if given.json:
        given.json.write_text(json.dumps([asdict(result) for result in results], indent=1))
    if given.picture:
        from tests.benchmarks.picture import draw

        draw(results, given.picture)
    return 0 if all(result.kept for result in results) else 1


def _told(results: object) -> list[Result]:
    listed = []
    for result in results:  # type: ignore[attr-defined]  # a scene yields results
        bound = "" if result.bound is None else f"{'≥' if result.least else '≤'} {result.bound:g}"
        mark = "" if result.kept else "  MISSED"
        print(
            f"{result.what:<55} {result.value:>12,.3f} {result.unit:<8} {bound}{mark}", flush=True
        )
        listed.append(result)
    return listed


if __name__ == "__main__":
    sys.exit(main())
