"""One client in a process of its own: `python -m tests.benchmarks.asker NAME URL`.

Reads `[how, prompt, repeats]` a line, and writes the seconds that one such call took.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time

from tests.benchmarks.peers import ASKERS


def main() -> None:
    """Serve until nobody asks any more."""
    name, url = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # a client that prints must not be taken for an answer
    logging.getLogger("openrouter_resilient").addHandler(logging.NullHandler())
    try:
        asks = ASKERS[name](url)
    except Exception as error:
        print(f"{type(error).__name__}: {error}".splitlines()[0], file=answers)
        return
    print("ready", file=answers)
    for line in sys.stdin:
        how, prompt, repeats = json.loads(line)
        ask = asks[how]
        ask(prompt)  # not timed: by now the processor's caches hold another's things
        began = time.perf_counter()
        for _ in range(repeats):
            ask(prompt)
        print((time.perf_counter() - began) / repeats, file=answers)


if __name__ == "__main__":
    main()
