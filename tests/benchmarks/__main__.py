"""Run the scenes, print a table, and keep it as JSON; `publish.py` puts it into the README."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterable
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from time import perf_counter

from tests.benchmarks.measure import Company, Result
from tests.benchmarks.scenes import SCENES
from tests.benchmarks.server import running

STORED = Path(__file__).with_name("results.json")
VERSIONS = ("openrouter_resilient", "requests", "urllib3", "pydantic", "openai", "openrouter",
            "litellm")  # fmt: skip


def main() -> int:
    """The command; 1 if a bound was missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    names = [scene.__name__ for scene in SCENES]
    parser.add_argument("scene", nargs="*", help=f"only these ({', '.join(names)}); kept nowhere")
    parser.add_argument("--json", type=Path, help="where to keep the results of a whole run")
    given = parser.parse_args()
    unknown = set(given.scene) - set(names)
    if unknown:
        parser.error(f"no such scene: {', '.join(sorted(unknown))}")
    before, began = os.getloadavg(), perf_counter()
    results: list[Result] = []
    with running() as url:
        company = Company(url)
        try:
            for scene in SCENES:
                if not given.scene or scene.__name__ in given.scene:
                    results += _told(scene(company))
        finally:
            company.close()
    for name, why in company.skipped.items():
        print(f"skipped: {name} ({why})")
    missed = sum(not result.kept for result in results)
    print(f"{missed} of {sum(r.bound is not None for r in results)} bounds missed, "
          f"in {perf_counter() - began:.0f} s; load {before[0]:.1f} → {os.getloadavg()[0]:.1f}")  # fmt: skip
    if not given.scene:
        whole_run = {
            "machine": {"python": platform.python_version(), "cores": os.cpu_count(),
                        "load_before": before[0], "load_after": os.getloadavg()[0]},
            "versions": {name: _version(name) for name in VERSIONS},
            "skipped": company.skipped,
            "results": [asdict(result) for result in results],
        }  # fmt: skip
        (given.json or STORED).write_text(
            json.dumps(whole_run, indent=1, ensure_ascii=False) + "\n"
        )
    return 1 if missed else 0


def _told(results: Iterable[Result]) -> list[Result]:
    listed = []
    for result in results:
        sign = "≥" if result.least else "≤"
        bound = "" if result.bound is None else f"{sign} {result.bound:g}"
        mark = "" if result.bound is None else "met" if result.kept else "MISSED"
        between = "" if result.low is None else f"{result.low:,.3f} … {result.high:,.3f}"
        print(f"{result.scene:18} {result.what:66} {result.value:>12,.3f} {result.unit:8} "
              f"{between:26} {bound:8} {mark}", flush=True)  # fmt: skip
        listed.append(result)
    return listed


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    sys.exit(main())
