"""`python -m tests.soak [--seconds 120] [--threads 32]`: everything fails, at random, for a while.

Each second every face is made to fail in another way, or heals, while threads call. In the end
every call must have ended by its deadline, every answer must be the one to its own prompt, and
threads, open files and memory must be back where they began. Exits with 1 where one is not.
"""

# ruff: noqa: T201  a command line prints

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import logging
import os
import random
import resource
import sys
import threading
import time
from array import array
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from openrouter_resilient import Client, ResilientError, StreamInterrupted
from openrouter_resilient.simulator import CATALOGUE, Simulator

ALLOWED_OVERRUN_S = 0.2
ALLOWED_GROWTH_MB = 64  # what the allocator keeps free for itself in fragments
ALLOWED_GROWTH_BLOCKS = 5_000  # what Python holds; a leak in each call would be far more
DEADLINES = (1.0, 2.0, 3.0)
SEED = 20261123
# Tens of megabytes through one interpreter lock would measure the processor: only a few at a time.
HEAVY = {"huge_body": {"megabytes": 40}, "gzip_bomb": {"megabytes": 40}, "big_line": {}}


@dataclass
class Tally:
    """What came of the calls; guarded by its lock."""

    calls: int = 0
    outcomes: Counter = field(default_factory=Counter)
    endpoints: Counter = field(default_factory=Counter)
    seconds: array = field(default_factory=lambda: array("d"))  # holds no objects
    overrun: float = 0.0
    problems: list = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, outcome, seconds, deadline, *, endpoint=None, problem=None):
        with self.lock:
            self.calls += 1
            self.outcomes[outcome] += 1
            self.seconds.append(seconds)
            self.overrun = max(self.overrun, seconds - deadline)
            if endpoint:
                self.endpoints[endpoint] += 1
            if problem:
                self.problems.append(problem)
            if seconds > deadline + ALLOWED_OVERRUN_S:
                self.problems.append(f"{outcome} after {seconds:.2f} s of {deadline:g}")


def call(client, prompt, chance, tally):
    """Make one call in one of the three ways, and judge what came of it."""
    deadline, shown = chance.choice(DEADLINES), []
    expected = f"Simulated answer to: {prompt}"
    began = time.monotonic()
    try:
        if chance.random() < 0.4:
            with client.stream(prompt, deadline=deadline) as stream:
                shown.extend(stream)
                answer = stream.completion
        else:
            wire = chance.choice(("stream", "whole"))
            answer = client.complete(prompt, deadline=deadline, wire=wire)
    except ResilientError as error:
        seconds = time.monotonic() - began
        problem = None if _honest(error, shown, expected) else f"{error!r} after {shown!r}"
        tally.add(type(error).__name__, seconds, deadline, problem=problem)
    except BaseException as error:
        tally.add("untyped", time.monotonic() - began, deadline, problem=repr(error))
    else:
        seconds = time.monotonic() - began
        called = bool(answer.tool_calls)  # one of the faults answers with a tool call, on a bad day
        problem = None if answer.text == expected or called else f"wrong answer: {answer.text!r}"
        endpoint = answer.served.endpoint
        tally.add("answered", seconds, deadline, endpoint=endpoint, problem=problem)


def _honest(error, shown, expected):
    """Whether what was shown before a break is the beginning of the right answer, and all of it."""
    text = "".join(shown)
    if not isinstance(error, StreamInterrupted):
        return not shown
    return error.partial.text == text and expected.startswith(text)


def shake(simulator, over):
    """Each second, make every face fail in another way, or heal it."""
    chance = random.Random(SEED)
    faces = ("openrouter", "openai", "groq", "anthropic")
    while not over.wait(1.0):
        for face in faces:
            simulator.heal(face)
            if chance.random() < 0.6:
                fault = chance.choice(list(CATALOGUE))
                times = 2 if fault in HEAVY else None
                simulator.play(face, fault, times=times, **HEAVY.get(fault, {}))
        simulator.forget()
    simulator.heal()


def work(client, number, over, tally):
    """Call until it is over."""
    chance = random.Random(SEED + number)
    asked = 0
    while not over.is_set():
        asked += 1
        call(client, f"prompt {asked} of thread {number}, please", chance, tally)


def storm(seconds, threads, tally):
    """Everything at once; return how many requests were received."""
    over, calmed = threading.Event(), threading.Event()
    with (
        Simulator() as simulator,
        Client(
            "anthropic/claude-sonnet-5", environment=simulator.environment(), folder=Path("/")
        ) as client,
    ):
        shaker = threading.Thread(target=shake, args=(simulator, calmed))
        workers = [
            threading.Thread(target=work, args=(client, number, over, tally), daemon=True)
            for number in range(threads)
        ]
        for thread in (shaker, *workers):
            thread.start()
        over.wait(seconds)
        over.set()
        latest = time.monotonic() + max(DEADLINES) + 1.0
        for thread in workers:
            thread.join(max(0.0, latest - time.monotonic()))
        tally.problems += ["a call hangs" for thread in workers if thread.is_alive()]
        calmed.set()
        shaker.join()
        client.complete("the last")
        return simulator.requests[-1].number - 1


def standing():
    """Threads, open files, megabytes of this process, and blocks that Python's objects take."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError, TypeError):  # glibc has it, others do not
        ctypes.CDLL(None).malloc_trim(0)  # what is free already is not held by anything here
    files = Path("/proc/self/fd")
    return (
        threading.active_count(),
        len(list(files.iterdir())) if files.is_dir() else 0,
        _resident_mb(),
        sys.getallocatedblocks(),
    )


def _resident_mb():
    with contextlib.suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def quantile(seconds, share):
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def main():
    """Run, tell, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--threads", type=int, default=32)
    options = parser.parse_args()
    logging.getLogger("openrouter_resilient").addHandler(logging.NullHandler())
    for variable in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[variable]
    storm(min(2.0, options.seconds), options.threads, Tally())  # what is loaded once is loaded now
    before, tally = standing(), Tally()
    requests = storm(options.seconds, options.threads, tally)
    after = standing()
    if after[:2] != before[:2]:
        tally.problems.append(f"threads and open files: {before[:2]} before, {after[:2]} after")
    if after[2] - before[2] > ALLOWED_GROWTH_MB:
        tally.problems.append(f"memory grew by {after[2] - before[2]:.0f} MB")
    if after[3] - before[3] > ALLOWED_GROWTH_BLOCKS:
        tally.problems.append(f"{after[3] - before[3]} more blocks are held by objects")
    _tell(options, tally, requests, before, after)
    return 1 if tally.problems else 0


def _tell(options, tally, requests, before, after):
    failed = {name: n for name, n in sorted(tally.outcomes.items()) if name != "answered"}
    print(f"{options.seconds:g} s, {options.threads} threads, seed {SEED}")
    print(f"calls                {tally.calls}")
    print(f"answered             {tally.outcomes['answered']}, by {dict(tally.endpoints)}")
    print(f"failed, typed        {failed}")
    print(f"p50, p99             {quantile(tally.seconds, 0.5):.3f} s, "
          f"{quantile(tally.seconds, 0.99):.3f} s")  # fmt: skip
    print(f"greatest overrun     {max(0.0, tally.overrun):.3f} s")
    print(f"requests a call      {requests / max(1, tally.calls):.2f}")
    print(f"threads              {before[0]} before, {after[0]} after")
    print(f"open files           {before[1]} before, {after[1]} after")
    print(f"memory               {before[2]:.0f} MB before, {after[2]:.0f} MB after")
    print(f"blocks of objects    {before[3]:,} before, {after[3]:,} after")
    print(f"problems             {len(tally.problems)}")
    for problem in tally.problems[:20]:
        print(f"  {problem}")


if __name__ == "__main__":
    sys.exit(main())
