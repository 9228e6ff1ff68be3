"""An app on a single provider, as most are written: one POST with a timeout, and trust.

It knows nothing of this package. What became of its request is read off the simulator's record.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import requests

from openrouter_resilient.simulator import Simulator
from openrouter_resilient.wire.clock import monotonic

AGENT = "an-app-on-a-single-provider"
PATIENCE_S = 2.0  # short for a drill; many apps have no limit, and hang for as long as it lasts


@dataclass(frozen=True)
class Alone:
    """What such an app would have seen.

    Attributes:
        right: it got the whole answer.
        told: what it got, in a few words.
        seconds: how long that took.
    """

    right: bool
    told: str
    seconds: float


def ask_alone(simulator: Simulator, model: str, prompt: str, *, stream: bool) -> Alone:
    """Ask the simulator's OpenRouter for one model, and tell what came."""
    ask = _streamed if stream else _whole
    began = monotonic()
    try:
        ask(lambda: _post(simulator, model, prompt, stream=stream))
    except Exception as error:  # noqa: BLE001  whatever such an app would have died of is its story
        return Alone(right=False, told=_failure(error), seconds=monotonic() - began)
    seconds = monotonic() - began
    if _ended_early(simulator):
        return Alone(right=False, told="half a text, taken for whole", seconds=seconds)
    return Alone(right=True, told="the answer", seconds=seconds)


def _ended_early(simulator: Simulator) -> bool:
    """Whether the last answer to this app went without the reason why it ends."""
    requests_of_it = [
        request for request in simulator.requests if request.headers.get("user-agent") == AGENT
    ]
    answered = requests_of_it[-1].answered
    return answered is None or answered.finish_reason is None


def _post(simulator: Simulator, model: str, prompt: str, *, stream: bool) -> requests.Response:
    body = {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "stream": stream,
    }
    headers = {"Authorization": f"Bearer {simulator.key('openrouter')}", "User-Agent": AGENT}
    with requests.Session() as session:
        session.trust_env = False  # neither the user's proxy nor the user's .netrc belongs here
        reply = session.post(
            f"{simulator.url('openrouter')}/chat/completions",
            json=body,
            headers=headers,
            timeout=PATIENCE_S,
            stream=stream,
        )
    reply.raise_for_status()
    return reply


def _whole(post: Callable[[], requests.Response]) -> str:
    return str(post().json()["choices"][0]["message"]["content"])


def _streamed(post: Callable[[], requests.Response]) -> str:
    """Join the pieces until no more come, as the loop in most tutorials does."""
    text = ""
    with post() as reply:
        for line in reply.iter_lines():
            if line.startswith(b"data: {"):
                for choice in json.loads(line[len(b"data: ") :])["choices"]:
                    text += choice["delta"].get("content") or ""
    return text


def _failure(error: Exception) -> str:
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"HTTP {error.response.status_code}"
    return type(error).__name__
