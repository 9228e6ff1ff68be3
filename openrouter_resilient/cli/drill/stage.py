"""Plays scenes: a simulator, a real client, and an app on a single provider beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from openrouter_resilient.cli.drill import promises
from openrouter_resilient.cli.drill.acts import Seen, streamed
from openrouter_resilient.cli.drill.alone import Alone, ask_alone
from openrouter_resilient.cli.drill.scenes import HANG_S, Scene
from openrouter_resilient.client import Client
from openrouter_resilient.endpoints.table import DEFAULT_MODELS
from openrouter_resilient.simulator import Received, Simulator

DEADLINE_S = 10.0  # so long that no fair share of it ends a hang before HANG_S does
FALLBACKS = ("openai", "groq", "anthropic")  # said here, for a `.env` above may say others


@dataclass(frozen=True)
class Played:
    """A scene that was played, what was seen of it, and what was promised and not kept."""

    scene: Scene
    seen: Seen
    broken: list[str]
    alone: Alone

    @property
    def kept(self) -> bool:
        """Whether the scene kept its promise."""
        return not self.broken


def rehearse(scenes: Sequence[Scene]) -> Iterator[Played]:
    """Play scene after scene, each on upstreams that are healthy but for what it says."""
    with ExitStack() as stack:
        # The simulator closes first and cuts off whoever hangs; then the pool has none to wait for.
        pool = stack.enter_context(ThreadPoolExecutor(max_workers=1))
        stack.enter_context(_without_proxies())
        folder = Path(stack.enter_context(TemporaryDirectory()))
        simulator = stack.enter_context(Simulator())
        client: Client | None = None
        for number, scene in enumerate(scenes, 1):
            simulator.heal()
            scene.begin(simulator)
            if client is None or not scene.remembers:
                client = stack.enter_context(_client(simulator, folder))
            yield _play(scene, number, simulator=simulator, client=client, pool=pool)


def _play(
    scene: Scene,
    number: int,
    *,
    simulator: Simulator,
    client: Client,
    pool: ThreadPoolExecutor,
) -> Played:
    """Let both ask at the same time: a hang is then waited for once."""
    prompts = (f"Scene {number}, question {n}: name three rivers." for n in count(1))
    alone = pool.submit(
        ask_alone, simulator, DEFAULT_MODELS[0], next(prompts), stream=scene.act is streamed
    )
    seen = scene.act(client, prompts)
    verdict = promises.broken(scene.promise, seen, _requests_of(seen, simulator))
    return Played(scene, seen, verdict, alone.result())


def _client(simulator: Simulator, folder: Path) -> Client:
    """A client of the simulator alone: neither the user's keys nor their settings reach it."""
    return Client(
        DEFAULT_MODELS,
        fallbacks=FALLBACKS,
        deadline=DEADLINE_S,
        first_token_timeout=HANG_S,
        environment=simulator.environment(),
        folder=folder,
    )


def _requests_of(seen: Seen, simulator: Simulator) -> list[Received]:
    """The requests of one call, told from all others by its prompt."""
    return [request for request in simulator.requests if _asks(request, seen.prompt)]


def _asks(request: Received, prompt: str) -> bool:
    messages = (request.body or {}).get("messages") or [{}]
    return bool(messages[-1].get("content") == prompt)


@contextmanager
def _without_proxies() -> Iterator[None]:
    """Reach the simulator past any proxy, which could not reach it."""
    names = ("NO_PROXY", "no_proxy")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "*"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
