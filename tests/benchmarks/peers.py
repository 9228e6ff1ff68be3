"""The same call by each client: what it is called, and how it asks and reads the whole answer."""

from __future__ import annotations

import http.client
import json
import os
import socket
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

Ask = Callable[[str], object]
MODEL = "openai/gpt-4o"
HEADERS = {"Authorization": "Bearer key", "Content-Type": "application/json"}
THREADS, CALLS_A_THREAD = 64, 10


def body(prompt: str, *, stream: bool) -> dict[str, object]:
    """A chat-completions request."""
    asked: dict[str, object] = {"model": MODEL, "messages": [{"role": "user", "content": prompt}]}
    return {**asked, "stream": True} if stream else asked


def with_this_package(url: str) -> dict[str, Ask]:
    """This package."""
    from openrouter_resilient import Client

    client = Client(MODEL, api_key="key", base_url=url, fallbacks=(), environment={})

    def whole(prompt: str) -> object:
        return client.complete(prompt, wire="whole")

    def pieces(prompt: str) -> int:
        with client.stream(prompt) as stream:
            return sum(1 for _ in stream)

    ways: dict[str, Ask] = {"whole": whole, "stream": client.complete, "pieces": pieces}
    for count in (1, 4, 16, THREADS):
        ways[f"{count} threads"] = at_once([whole] * count)
    return ways


def with_http_client(url: str) -> dict[str, Ask]:
    """The standard library: the least that a call can cost."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)

    def whole(prompt: str) -> object:
        asked = json.dumps(body(prompt, stream=False))
        connection.request("POST", f"{parts.path}/chat/completions", asked, HEADERS)
        return json.loads(connection.getresponse().read())

    return {"whole": whole}


def with_urllib3(url: str) -> dict[str, Ask]:
    """What requests stands on."""
    import urllib3

    pool = urllib3.PoolManager()

    def whole(prompt: str) -> object:
        target = f"{url}/chat/completions"
        return pool.request("POST", target, json=body(prompt, stream=False), headers=HEADERS).json()

    return {"whole": whole}


def with_requests_post(url: str) -> dict[str, Ask]:
    """What most people write: a new connection each time."""
    import requests

    def whole(prompt: str) -> object:
        target = f"{url}/chat/completions"
        return requests.post(target, json=body(prompt, stream=False), headers=HEADERS).json()  # noqa: S113  as most people do

    return {"whole": whole}


def with_requests(url: str) -> dict[str, Ask]:
    """`requests.Session`; streamed, its lines and `json.loads`: nothing is looked at."""
    import requests

    def whole_of(session: requests.Session) -> Ask:
        def whole(prompt: str) -> object:
            target = f"{url}/chat/completions"
            return session.post(target, json=body(prompt, stream=False), headers=HEADERS).json()

        return whole

    session = requests.Session()

    def stream(prompt: str) -> int:
        asked = body(prompt, stream=True)
        target = f"{url}/chat/completions"
        events = 0
        with session.post(target, json=asked, headers=HEADERS, stream=True) as reply:
            for line in reply.iter_lines():
                if line.startswith(b"data: {"):
                    json.loads(line[6:])
                    events += 1
        return events

    one_a_thread = [whole_of(requests.Session()) for _ in range(THREADS)]
    return {
        "whole": whole_of(session),
        "stream": stream,
        f"{THREADS} threads": at_once(one_a_thread),
    }


def with_openai(url: str) -> dict[str, Ask]:
    """The `openai` SDK."""
    import openai

    create = openai.OpenAI(api_key="key", base_url=url).chat.completions.create

    def whole(prompt: str) -> object:
        return create(**body(prompt, stream=False))  # type: ignore[call-overload]

    def stream(prompt: str) -> int:
        return sum(1 for _ in create(**body(prompt, stream=True)))  # type: ignore[call-overload]

    return {"whole": whole, "stream": stream}


def with_openrouter(url: str) -> dict[str, Ask]:
    """The `openrouter` SDK."""
    import openrouter

    send = openrouter.OpenRouter(api_key="key", server_url=url).chat.send

    def whole(prompt: str) -> object:
        return send(**body(prompt, stream=False))  # type: ignore[call-overload]

    def stream(prompt: str) -> int:
        return sum(1 for _ in send(**body(prompt, stream=True)))  # type: ignore[call-overload]

    return {"whole": whole, "stream": stream}


def with_litellm(url: str) -> dict[str, Ask]:
    """LiteLLM."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it fetches one when imported
    import litellm

    options = {"model": f"openai/{MODEL}", "api_base": url, "api_key": "key"}

    def whole(prompt: str) -> object:
        return litellm.completion(**{**body(prompt, stream=False), **options})

    def stream(prompt: str) -> int:
        return sum(1 for _ in litellm.completion(**{**body(prompt, stream=True), **options}))

    return {"whole": whole, "stream": stream}


def past_a_dead_endpoint(url: str) -> dict[str, Ask]:
    """This package: the same call with and without a dead endpoint before it in the plan."""
    from openrouter_resilient import Client, Endpoint

    closed = socket.socket()
    closed.bind(("127.0.0.1", 0))  # and never listens: every connection is refused
    dead = Endpoint("dead", f"http://127.0.0.1:{closed.getsockname()[1]}/v1", key="key")
    alive = Endpoint("alive", url, key="key")
    made = {"endpoints": [dead, alive], "fallbacks": (), "environment": {}}

    def client(*routes: str) -> Client:
        return Client(list(routes), **made)  # type: ignore[arg-type]

    plain, skipping = client("alive:m"), client("dead:m", "alive:m")
    for _ in range(5):
        skipping.complete("hi", wire="whole")

    def first(prompt: str) -> object:
        with client("dead:m", "alive:m") as fresh:
            return fresh.complete(prompt, wire="whole")

    def first_plain(prompt: str) -> object:
        with client("alive:m") as fresh:
            return fresh.complete(prompt, wire="whole")

    return {
        "plain": lambda prompt: plain.complete(prompt, wire="whole"),
        "skipping": lambda prompt: skipping.complete(prompt, wire="whole"),
        "first": first,
        "first, plain": first_plain,
        "kept open": lambda _prompt: closed.fileno(),
    }


def of_many(url: str) -> dict[str, Ask]:
    """This package with so many models and routes."""
    from openrouter_resilient import Client, Endpoint

    own = [Endpoint(f"own{number}", url, key="key") for number in range(5)]

    def asking(models: int, routes: int) -> Ask:
        client = Client(
            [f"author/model-{number}" for number in range(models)],
            fallbacks=[f"{endpoint.name}:model" for endpoint in own[: routes - 1]],
            api_key="key", base_url=url, endpoints=own, environment={},
        )  # fmt: skip
        return lambda prompt: client.complete(prompt, wire="whole")

    return {
        f"{models} models, {routes} routes": asking(models, routes)
        for models in range(1, 4)
        for routes in range(1, 7)
    }


def at_once(asks: list[Ask]) -> Ask:
    """Each in a thread, so many calls in each."""

    def together(prompt: str) -> None:
        def several(ask: Ask) -> None:
            for _ in range(CALLS_A_THREAD):
                ask(prompt)

        running = [threading.Thread(target=several, args=(ask,)) for ask in asks]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()

    return together


OURS = "this package"
ASKERS: dict[str, Callable[[str], dict[str, Ask]]] = {
    OURS: with_this_package,
    "http.client": with_http_client,
    "urllib3": with_urllib3,
    "requests.Session": with_requests,
    "requests.post": with_requests_post,
    "openai SDK": with_openai,
    "openrouter SDK": with_openrouter,
    "LiteLLM": with_litellm,
    "past a dead endpoint": past_a_dead_endpoint,
    "of many": of_many,
}
