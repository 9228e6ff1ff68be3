"""The same call by each client: a name, and a function that asks and reads the whole answer."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Callable
from urllib.parse import urlsplit

Ask = Callable[[str], object]
MODEL = "openai/gpt-4o"
HEADERS = {"Authorization": "Bearer key", "Content-Type": "application/json"}


def body(prompt: str, *, stream: bool) -> dict[str, object]:
    """A chat-completions request."""
    asked: dict[str, object] = {"model": MODEL, "messages": [{"role": "user", "content": prompt}]}
    return {**asked, "stream": True} if stream else asked


def ours(url: str, **options: object) -> tuple[Ask, Ask]:
    """This package: a whole body, and a stream that is drained."""
    from openrouter_resilient import Client

    options = {"fallbacks": (), "environment": {}, **options}
    client = Client(MODEL, api_key="key", base_url=url, **options)  # type: ignore[arg-type]

    def whole(prompt: str) -> object:
        return client.complete(prompt, wire="whole")

    return whole, client.complete


def ours_by_piece(url: str) -> Ask:
    """This package, iterated piece by piece."""
    from openrouter_resilient import Client

    client = Client(MODEL, api_key="key", base_url=url, fallbacks=(), environment={})

    def ask(prompt: str) -> int:
        with client.stream(prompt) as stream:
            return sum(1 for _ in stream)

    return ask


def with_http_client(url: str) -> Ask:
    """The standard library: the least that a call can cost."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)

    def ask(prompt: str) -> object:
        connection.request(
            "POST",
            f"{parts.path}/chat/completions",
            json.dumps(body(prompt, stream=False)),
            HEADERS,
        )
        return json.loads(connection.getresponse().read())

    return ask


def with_urllib3(url: str) -> Ask:
    """What requests stands on."""
    import urllib3

    pool = urllib3.PoolManager()

    def ask(prompt: str) -> object:
        target = f"{url}/chat/completions"
        return pool.request("POST", target, json=body(prompt, stream=False), headers=HEADERS).json()

    return ask


def with_requests(url: str) -> Ask:
    """What most people write."""
    import requests

    session = requests.Session()

    def ask(prompt: str) -> object:
        target = f"{url}/chat/completions"
        return session.post(target, json=body(prompt, stream=False), headers=HEADERS).json()

    return ask


def with_requests_lines(url: str) -> Ask:
    """The floor of a stream: requests' lines and `json.loads`, nothing looked at."""
    import requests

    session = requests.Session()

    def ask(prompt: str) -> int:
        asked = body(prompt, stream=True)
        target = f"{url}/chat/completions"
        events = 0
        with session.post(target, json=asked, headers=HEADERS, stream=True) as reply:
            for line in reply.iter_lines():
                if line.startswith(b"data: {"):
                    json.loads(line[6:])
                    events += 1
        return events

    return ask


def with_openai(url: str) -> tuple[Ask, Ask]:
    """The `openai` SDK."""
    import openai

    client = openai.OpenAI(api_key="key", base_url=url)

    def whole(prompt: str) -> object:
        return client.chat.completions.create(**body(prompt, stream=False))  # type: ignore[call-overload]

    def stream(prompt: str) -> object:
        return sum(1 for _ in client.chat.completions.create(**body(prompt, stream=True)))  # type: ignore[call-overload]

    return whole, stream


def with_openrouter(url: str) -> tuple[Ask, Ask]:
    """The `openrouter` SDK."""
    import openrouter

    client = openrouter.OpenRouter(api_key="key", server_url=url)

    def whole(prompt: str) -> object:
        return client.chat.send(**body(prompt, stream=False))  # type: ignore[call-overload]

    def stream(prompt: str) -> object:
        return sum(1 for _ in client.chat.send(**body(prompt, stream=True)))  # type: ignore[call-overload]

    return whole, stream


def with_litellm(url: str) -> tuple[Ask, Ask]:
    """LiteLLM."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it fetches one when imported
    import litellm

    options = {"api_base": url, "api_key": "key"}

    def whole(prompt: str) -> object:
        asked = {**body(prompt, stream=False), "model": f"openai/{MODEL}"}
        return litellm.completion(**asked, **options)

    def stream(prompt: str) -> object:
        asked = {**body(prompt, stream=True), "model": f"openai/{MODEL}"}
        return sum(1 for _ in litellm.completion(**asked, **options))

    return whole, stream
