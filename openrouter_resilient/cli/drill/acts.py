"""What is asked of the client in a scene, and what a caller saw of it. Judges nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from openrouter_resilient.errors import ResilientError, StreamInterrupted
from openrouter_resilient.served import AttemptRecord, Served
from openrouter_resilient.wire.clock import SystemClock

if TYPE_CHECKING:
    from openrouter_resilient.client import Client
    from openrouter_resilient.shapes import Completion

CLOCK = SystemClock()
PAUSE_S = 0.25  # between two questions of somebody who waits for OpenRouter to come back
PATIENCE_S = 8.0  # a breaker opens for 5 s; whoever is not back by then is late


@dataclass(frozen=True)
class Seen:
    """What a caller saw of one call.

    Attributes:
        prompt: what was asked; no two calls of a drill ask the same.
        text: what was handed over.
        served: who served it; None where nobody did.
        attempts: what was tried, as the client tells it.
        error: what was raised; None for an answer.
        seconds: how long the call took.
        before: the calls of the scene that led to this one, oldest first.
        waited: seconds from the scene's beginning to this call's end.
    """

    prompt: str
    text: str
    served: Served | None
    attempts: tuple[AttemptRecord, ...]
    error: Exception | None
    seconds: float
    before: tuple[Seen, ...] = ()
    waited: float = 0.0


Act = Callable[["Client", Iterator[str]], Seen]


def once(client: Client, prompts: Iterator[str]) -> Seen:
    """Ask once, for the whole answer."""

    def ask(prompt: str, pieces: list[str]) -> Completion:
        completion = client.complete(prompt)
        pieces.append(completion.text)
        return completion

    return _seen(next(prompts), ask)


def streamed(client: Client, prompts: Iterator[str]) -> Seen:
    """Ask once, and take the answer as it comes."""

    def ask(prompt: str, pieces: list[str]) -> Completion:
        with client.stream(prompt) as stream:
            for piece in stream:
                pieces.append(piece)  # noqa: PERF402  what came before a break must be kept
            return stream.completion

    return _seen(next(prompts), ask)


def four_times(client: Client, prompts: Iterator[str]) -> Seen:
    """Ask three times, which is as many faults as a breaker bears, and then once more."""
    before = tuple(once(client, prompts) for _ in range(3))
    return replace(once(client, prompts), before=before)


def until_back(client: Client, prompts: Iterator[str]) -> Seen:
    """Ask again and again until OpenRouter answers, or patience ends."""
    began = CLOCK.now()
    before: list[Seen] = []
    while True:
        seen = once(client, prompts)
        waited = CLOCK.now() - began
        if _is_openrouter(seen) or waited > PATIENCE_S:
            return replace(seen, before=tuple(before), waited=waited)
        before.append(seen)
        CLOCK.sleep_until(CLOCK.now() + PAUSE_S)


def _is_openrouter(seen: Seen) -> bool:
    return seen.served is not None and seen.served.endpoint == "openrouter"


def _seen(prompt: str, ask: Callable[[str, list[str]], Completion]) -> Seen:
    """Ask, and note what comes of it."""
    pieces: list[str] = []
    began = CLOCK.now()
    served: Served | None = None
    attempts: tuple[AttemptRecord, ...] = ()
    error: Exception | None = None
    try:
        served = ask(prompt, pieces).served
        attempts = served.attempts
    except Exception as raised:  # noqa: BLE001  whatever a caller would have met is what is judged
        error = raised
        attempts = raised.history if isinstance(raised, ResilientError) else ()
        served = _partly_served(raised)
    return Seen(prompt, "".join(pieces), served, attempts, error, CLOCK.now() - began)


def _partly_served(error: Exception) -> Served | None:
    partial = error.partial if isinstance(error, StreamInterrupted) else None
    return partial.served if partial else None
