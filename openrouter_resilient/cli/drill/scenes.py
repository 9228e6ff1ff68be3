"""THE table of scenes: what fails, what is asked meanwhile, and what is promised. Acts nothing out.

A new scene is a row.
"""

# ruff: noqa: E501  a row is one line
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from openrouter_resilient.cli.drill.acts import Act, four_times, once, streamed, until_back
from openrouter_resilient.cli.drill.promises import Promise
from openrouter_resilient.endpoints.table import DEFAULT_MODELS
from openrouter_resilient.errors import StreamInterrupted
from openrouter_resilient.simulator import Simulator

FIRST_WORDS = 2  # pieces of a stream that come before its break
HANG_S = 1.0  # the first_token_timeout of the drill's clients
PROMPTLY_S = 0.9  # a hundred times what it takes, for slow machines; no timeout fits into it


@dataclass(frozen=True)
class Scene:
    """One scene.

    Attributes:
        name: in a few words.
        begin: what happens to the upstreams.
        act: what is asked of the client.
        promise: what must come of it.
        remembers: whether the client of the scene before plays on, with all it has learnt.
    """

    name: str
    begin: Callable[[Simulator], None]
    act: Act
    promise: Promise
    remembers: bool = False


def healthy(_simulator: Simulator) -> None:
    """Nothing is wrong (any more)."""


def down(*faces: str) -> Callable[[Simulator], None]:
    """Nothing accepts connections there."""

    def begin(simulator: Simulator) -> None:
        for face in faces:
            simulator.outage(face)

    return begin


def first_model_down(simulator: Simulator) -> None:
    """Every provider of the first model fails; OpenRouter is well and asks the second by itself."""
    simulator.play("openrouter", "status_502", models=DEFAULT_MODELS[:1])


def plays(fault: str, **options: Any) -> Callable[[Simulator], None]:
    """OpenRouter fails in this way of the simulator's catalogue."""

    def begin(simulator: Simulator) -> None:
        simulator.play("openrouter", fault, **options)

    return begin


# The times are bounds, not measurements: a hang may cost its timeout and no more, all else nearly
# nothing. A breaker opens for 5 s, so a recovered OpenRouter must be back in use a little later.
CUT = StreamInterrupted
# fmt: off
SCENES = (
    Scene("all is well",         healthy,                           once,       Promise("openrouter", 1, within=PROMPTLY_S, substituted=False)),
    Scene("first model down",    first_model_down,                  once,       Promise("openrouter", 1, within=PROMPTLY_S, substituted=True)),
    Scene("OpenRouter hangs",    plays("no_headers"),               once,       Promise("openai", 2, within=HANG_S + PROMPTLY_S, substituted=True)),
    Scene("OpenRouter down",     down("openrouter"),                once,       Promise("openai", 2, within=PROMPTLY_S, substituted=True)),
    Scene("401 for a valid key", plays("status_401_user_not_found"), once,      Promise("openai", 2, within=PROMPTLY_S, substituted=True)),
    Scene("OpenAI down, too",    down("openrouter", "openai"),      once,       Promise("groq", 3, within=PROMPTLY_S, substituted=True)),
    Scene("stream cut off",      plays("cut_mid_stream", after=FIRST_WORDS), streamed, Promise("openrouter", 1, within=PROMPTLY_S, raises=CUT)),
    Scene("stream ends early, as if it were whole", plays("end_without_finish", after=FIRST_WORDS), streamed, Promise("openrouter", 1, within=PROMPTLY_S, raises=CUT)),
    Scene("down for longer",     down("openrouter"),                four_times, Promise("openai", 1, within=PROMPTLY_S, substituted=True)),
    Scene("back again",          healthy,                           until_back, Promise("openrouter", 1, within=PROMPTLY_S, substituted=False, back_within=6.5), remembers=True),
)
# fmt: on
