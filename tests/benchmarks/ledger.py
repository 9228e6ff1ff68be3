"""What the record costs: a call in memory and on disk, a year's report, the file's growth.

    python -m tests.benchmarks.ledger [--calls 1000000] [--folder .]

Not part of the test run: it takes a minute, and a busy machine would fail it for no reason.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import tempfile
from pathlib import Path
from time import perf_counter, process_time, time

from openrouter_resilient import Client
from openrouter_resilient.ledger.ledger import Ledger
from openrouter_resilient.ledger.rows import insert_call, insert_probe
from openrouter_resilient.ledger.sqlite import LedgerFile
from openrouter_resilient.observers import Observers
from openrouter_resilient.record import ProbeRecord
from openrouter_resilient.simulator import Simulator
from tests.ledger.making import make_attempt, make_record

YEAR_S = 365 * 86_400


def timed(function, times):
    """Microseconds of each run, sorted."""
    seconds = []
    for _ in range(times):
        began = perf_counter()
        function()
        seconds.append(perf_counter() - began)
    return [value * 1e6 for value in sorted(seconds)]


def show(name, micros, limit):
    """One line; True if the median keeps its promise."""
    median = micros[len(micros) // 2]
    print(f"{name:34} median {median:8.2f} µs   99 % {micros[int(len(micros) * 0.99)]:8.1f} µs"
          f"   promise {limit} µs")  # fmt: skip
    return median < limit


def a_call_and_its_stores(folder, repeats):
    """The cost of making a real call's record and giving it to memory, and to a file."""
    with Simulator() as simulator:
        client = Client(
            "openai/gpt-4o", fallbacks=("openai:gpt-4o",), environment=simulator.environment()
        )
        seen = []
        client._carrier.observers.tell_answer = lambda *args: seen.append(args)
        client.complete("hi")
        client.close()
    memory = Ledger()
    on_disk = LedgerFile(folder / "benchmark.db")
    in_memory, both = Observers((memory.add,)), Observers((memory.add, on_disk.add))
    kept = show(
        "made and kept in memory", timed(lambda: in_memory.tell_answer(*seen[0]), repeats), 10
    )
    written = show(
        "made, kept and written to disk", timed(lambda: both.tell_answer(*seen[0]), repeats), 100
    )
    on_disk.close()
    return kept and written


def a_year(path, calls):
    """Write a year, as real calls would have left it."""
    chance, file = random.Random(1), LedgerFile(path)
    began = time() - YEAR_S
    at, down_until = began, 0.0
    with file.transaction() as (connection, names):
        for _ in range(calls):
            at += chance.expovariate(calls / YEAR_S)
            if at > down_until and chance.random() < 2.5 / calls * 8:
                down_until = at + chance.lognormvariate(math.log(35 * 60), 0.65)
            ident = f"gen-{int(at)}-{chance.getrandbits(88):022x}"[:35]
            good = make_attempt(
                generation_id=ident, seconds=chance.lognormvariate(1, 0.5),
                cost=chance.random() / 100, prompt_tokens=chance.randrange(4000), completion_tokens=chance.randrange(800),
            )  # fmt: skip
            attempts = (good,)
            if at < down_until:
                bad = make_attempt(fault="server_error", status=500, seconds=chance.random())
                fallback = make_attempt(
                    number=2, endpoint="openai", models=("gpt-4.1",), model="gpt-4.1-2025-04-14",
                    generation_id=f"chatcmpl-{chance.getrandbits(112):028x}",
                    request_id=f"req_{chance.getrandbits(128):032x}", seconds=2.0,
                )  # fmt: skip
                attempts = (bad, fallback)
            insert_call(connection, names, make_record(attempts=attempts, started_at=at))
    file.close()


def a_years_probes(path):
    """Add two routes' health checks, every five minutes, one in a thousand of them bad."""
    chance, file = random.Random(2), LedgerFile(path)
    began, count = time() - YEAR_S, 0
    with file.transaction() as (connection, names):
        for at in range(0, YEAR_S, 300):
            for name in ("openrouter", "openai"):
                fault = "server_error" if chance.random() < 0.001 else None
                probe = ProbeRecord(began + at, name, f"{name}:gpt-4.1", fault, 0.5)
                insert_probe(connection, names, probe)
                count += 1
    file.close()
    return count


def main():
    """Measure, and leave with 1 if a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=20_000)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        kept = a_call_and_its_stores(folder, given.repeats)
        path = folder / "year.db"
        began = perf_counter()
        a_year(path, given.calls)
        print(f"a year of {given.calls:,} calls was written in {perf_counter() - began:.0f} s")
        growth = path.stat().st_size / given.calls
        print(f"the file grows by {growth:.0f} bytes a call   promise 500")
        print(f"and {a_years_probes(path):,} probes")
        ledger = Ledger(path)
        began, used = perf_counter(), process_time()
        report = ledger.report()
        took, used = perf_counter() - began, process_time() - used
        print(f"its report took {took:.1f} s, {used:.1f} s of the processor's   promise 10 s")
        began = perf_counter()
        deleted = ledger.prune("90d")
        print(f"prune deleted {deleted:,} calls in {perf_counter() - began:.1f} s; "
              f"the file has {path.stat().st_size / 1e6:.0f} MB")  # fmt: skip
        print(f"\n{report}")
    return 0 if kept and growth < 500 and took < 10 else 1


if __name__ == "__main__":
    sys.exit(main())
