"""A process that is interrupted in the middle of a call, and says what it left behind.

`python -m tests.faults.interrupted headers|backoff|stream|trial` prints `waiting` when it waits,
and after the interruption one line of JSON.
"""

# ruff: noqa: T201  a command line prints

from __future__ import annotations

import contextlib
import gc
import json
import logging
import sys
import threading

from openrouter_resilient import CallFailed, Client
from openrouter_resilient.simulator import Simulator
from openrouter_resilient.wire.clock import SystemClock
from openrouter_resilient.wire.sockets import TimedSocket


class Telling(SystemClock):
    """Says when it begins to sleep; may be set forward."""

    ahead = 0.0

    def now(self):
        return super().now() + self.ahead

    def sleep_until(self, instant):
        print("waiting", flush=True)
        super().sleep_until(instant)


def tell_when_asked(simulator, number):
    """Say so as soon as a request has arrived."""

    def watch():
        pause = threading.Event()
        while len(simulator.requests) < number:
            pause.wait(0.002)
        pause.wait(0.02)  # until the caller reads
        print("waiting", flush=True)

    threading.Thread(target=watch, daemon=True).start()


def headers(simulator, client):
    simulator.play("openrouter", "no_headers")
    tell_when_asked(simulator, 1)
    client.complete("hi")


def backoff(simulator, client):
    simulator.play("openrouter", "rate_limit_seconds", seconds=20)
    client.complete("hi")


def stream(simulator, client):
    simulator.play("openrouter", "stall_mid_stream", after=2)
    for number, _ in enumerate(client.stream("Name three rivers."), 1):
        if number == 2:
            print("waiting", flush=True)


def trial(simulator, client):
    simulator.outage("openrouter")
    for _ in range(3):
        with contextlib.suppress(CallFailed):
            client.complete("hi", deadline=0.2)
        client._carrier.clock.ahead += 1.0
    client._carrier.clock.ahead += 30.0
    headers(simulator, client)


def main(where):
    logging.getLogger("openrouter_resilient").addHandler(logging.NullHandler())
    gc.disable()  # what is left behind is not tidied away by chance
    with Simulator(("openrouter",)) as simulator:
        client = Client(
            "openai/gpt-4o",
            fallbacks=(),
            environment=simulator.environment(),
            deadline=30.0,
            rounds=2,
            clock=Telling(),
        )
        try:
            {"headers": headers, "backoff": backoff, "stream": stream, "trial": trial}[where](
                simulator, client
            )
        except KeyboardInterrupt:
            client.close()  # the idle connections; one that was in use would stay open
            left = [s for s in gc.get_objects() if isinstance(s, TimedSocket) and s.fileno() >= 0]
            carrier = client._carrier
            (route,) = client._routes
            state = carrier.board.health(route, carrier.clock.now()).state.value
            print(json.dumps({"open_sockets": len(left), "breaker": state}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
