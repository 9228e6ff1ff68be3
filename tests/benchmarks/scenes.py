"""What is measured; each scene gives its results, with the bound where one was set."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

from tests.benchmarks import peers
from tests.benchmarks.measure import Result, printed, processes, seconds

US = 1e6


def whole_body(url: str) -> Iterator[Result]:
    """One small reply, whole."""
    asks: dict[str, Callable[[], object]] = {
        "this package": partial(peers.ours(url)[0], "hi"),
        "http.client": partial(peers.with_http_client(url), "hi"),
        "urllib3": partial(peers.with_urllib3(url), "hi"),
        "requests.Session": partial(peers.with_requests(url), "hi"),
        "openai SDK": partial(peers.with_openai(url)[0], "hi"),
        "openrouter SDK": partial(peers.with_openrouter(url)[0], "hi"),
        "LiteLLM": partial(peers.with_litellm(url)[0], "hi"),
    }
    took = seconds(asks, rounds=40, repeats=5)
    for name, value in took.items():
        yield Result(f"whole reply, {name}", value * US, unit="µs")
    own = took["this package"]
    for name, bound in (("requests.Session", 0.75), ("openai SDK", 0.35), ("LiteLLM", 0.1)):
        yield Result(f"whole reply, this package / {name}", own / took[name], bound)


def streamed(url: str) -> Iterator[Result]:
    """Fifty events, drained."""
    asks: dict[str, Callable[[], object]] = {
        "this package": partial(peers.ours(url)[1], "hi"),
        "openai SDK": partial(peers.with_openai(url)[1], "hi"),
        "openrouter SDK": partial(peers.with_openrouter(url)[1], "hi"),
        "LiteLLM": partial(peers.with_litellm(url)[1], "hi"),
    }
    took = seconds(asks, rounds=20, repeats=3)
    for name, value in took.items():
        yield Result(f"50 events, {name}", value * US, unit="µs")
    yield Result(
        "50 events, this package / openai SDK", took["this package"] / took["openai SDK"], 0.4
    )


def long_stream(url: str) -> Iterator[Result]:
    """Five thousand events, 64 in a write."""
    prompt, events = "events:5000:64", 5000
    asks: dict[str, Callable[[], object]] = {
        "this package": partial(peers.ours_by_piece(url), prompt),
        "requests' lines and json.loads": partial(peers.with_requests_lines(url), prompt),
        "openai SDK": partial(peers.with_openai(url)[1], prompt),
    }
    took = seconds(asks, rounds=9, repeats=1)
    for name, value in took.items():
        yield Result(f"events a second, {name}", events / value, unit="/s")
    own = took["this package"]
    yield Result(
        "events a second, this package / openai SDK", took["openai SDK"] / own, 8.0, least=True
    )
    floor = took["requests' lines and json.loads"] / own
    yield Result("events a second, this package / the floor", floor, 0.7, least=True)


def threads(url: str) -> Iterator[Result]:
    """64 threads, a server that takes 20 ms."""
    client = peers.ours(url)[0]
    sessions = [peers.with_requests(url) for _ in range(64)]
    took = seconds(
        {
            "this package": lambda: _at_once([client] * 64, "wait:20"),
            "requests": lambda: _at_once(sessions, "wait:20"),
        },
        rounds=7,
        repeats=1,
    )
    for name, value in took.items():
        yield Result(f"calls a second in 64 threads, {name}", 64 * 10 / value, unit="/s")
    ratio = took["requests"] / took["this package"]
    yield Result("throughput of 64 threads, this package / requests", ratio, 0.95, least=True)


def dead_endpoint(url: str) -> Iterator[Result]:
    """What a dead endpoint costs: at first, and once its breaker is open."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # never listens: every connection is refused
        dead = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
        direct = {
            "keys": {"openai": "key"},
            "base_urls": {"openai": url},
            "fallbacks": ["openai:gpt-4o"],
        }
        plain, _ = peers.ours(url)
        skipping, _ = peers.ours(dead, **direct)
        for _ in range(5):
            skipping("hi")
        took = seconds(
            {"plain": lambda: plain("hi"), "skipping": lambda: skipping("hi")}, rounds=60, repeats=5
        )
        ratio = took["skipping"] / took["plain"]
        yield Result("a call past a dead endpoint / a plain call", ratio, 1.05)
        fresh = [peers.ours(dead, **direct)[0] for _ in range(60)]
        for ask in (plain, fresh.pop()):
            ask("hi")
        began = time.perf_counter()
        for ask in fresh:
            ask("hi")
        first = (time.perf_counter() - began) / len(fresh)
        yield Result(
            "first failover, over a plain call", (first - took["plain"]) * 1000, 3.0, unit="ms"
        )


def imports() -> Iterator[Result]:
    """Seconds, over a bare interpreter's."""
    timed = "import time; t = time.perf_counter(); {}; print(time.perf_counter() - t)"
    four = "import requests, pydantic, cachetools, dotenv; from pydantic import BaseModel"
    client = "from openrouter_resilient import Client; Client(api_key='k', environment={})"
    scripts = {
        "its four dependencies": four,
        "this package": "import openrouter_resilient",
        "this package with a client": client,
        "openai SDK": "import openai",
        "LiteLLM": "import os; os.environ['LITELLM_LOCAL_MODEL_COST_MAP'] = 'True'; import litellm",
    }
    took = processes({name: timed.format(code) for name, code in scripts.items()}, rounds=7)
    for name, value in took.items():
        yield Result(f"import, {name}", value * 1000, unit="ms")
    floor = took["its four dependencies"]
    yield Result("import, this package / its dependencies", took["this package"] / floor, 0.25)
    with_client = took["this package with a client"] / floor
    yield Result("import with a client / its dependencies", with_client, 1.1)


RSS = "print(int(open('/proc/self/statm').read().split()[1]) * 4096 / 2**20)"


def memory(url: str) -> Iterator[Result]:
    """Megabytes: with a client made, and the growth over 100,000 calls."""
    four = "import requests, pydantic, cachetools, dotenv; from pydantic import BaseModel; "
    made = "from openrouter_resilient import Client; c = Client(api_key='k', environment={}); "
    took = processes({"floor": four + RSS, "client": made + RSS}, rounds=5)
    yield Result(
        "memory with a client, over its dependencies", took["client"] - took["floor"], 4.0, "MB"
    )
    growth = printed(
        "from tests.benchmarks.peers import ours\n"
        f"ask, _ = ours({url!r})\n"
        "rss = lambda: int(open('/proc/self/statm').read().split()[1]) * 4096 / 2**20\n"
        "for _ in range(5000): ask('hi')\n"
        "before = rss()\n"
        "for _ in range(100_000): ask('hi')\n"
        "print(rss() - before)"
    )
    yield Result("growth over 100,000 calls", growth, 1.0, "MB")


def own_work(_url: str) -> Iterator[Result]:
    """Routing, breaker, served record and one log call, together."""
    from openrouter_resilient import Client
    from openrouter_resilient.routing.deadline import Deadline
    from openrouter_resilient.routing.plan import Limits, Plan
    from openrouter_resilient.routing.step import Outcome, Reported, Send, next_step
    from openrouter_resilient.served import make_served
    from openrouter_resilient.telling import log_served

    client = Client(peers.MODEL, api_key="key", keys={"openai": "key"}, environment={})
    carrier, routes = client._carrier, client._routes
    reported = Reported(model="openai/gpt-4o", provider="OpenAI", usage={}, cost=0.1)

    def work() -> None:
        now = carrier.clock.now()
        plan = Plan(routes, Deadline.after(120.0, now), Limits())
        carrier._budget.pay_in()
        health = {route: carrier.board.health(route, now) for route in routes}
        may_retry = carrier._budget.may_take(now)
        step = next_step(plan, (), health.__getitem__, now, may_retry=may_retry)
        assert isinstance(step, Send)
        carrier.board.begin(step.attempt, now)
        outcome = Outcome(step.attempt, None, now, now, 0.5, reported)
        carrier.board.record(outcome)
        served = make_served(plan, (outcome,), started_at=now, now=now, warnings=())
        log_served(served)

    took = seconds({"work": work}, rounds=50, repeats=100)
    yield Result("routing, breaker, served and log, a call", took["work"] * US, 60.0, "µs")


def growth(url: str) -> Iterator[Result]:
    """How the cost of a call grows with the work."""
    for size in (1_000, 10_000, 100_000, 1_000_000, 10_000_000):
        took = seconds({"ask": partial(peers.ours(url)[0], f"bytes:{size}")}, rounds=7, repeats=1)
        yield Result(f"reply of {size:>10,} bytes", took["ask"] * 1000, unit="ms")
    for models in (1, 2, 3):
        for routes in (1, 3, 6):
            took = seconds(
                {"ask": partial(_chain(url, models, routes), "hi")}, rounds=30, repeats=5
            )
            yield Result(f"{models} models, {routes} routes", took["ask"] * US, unit="µs")
    for count in (1, 4, 16, 64):
        client = peers.ours(url)[0]
        took = seconds({"ask": partial(_at_once, [client] * count, "wait:20")}, rounds=5, repeats=1)
        yield Result(f"{count} threads", count * 10 / took["ask"], unit="calls/s")


def _chain(url: str, models: int, routes: int) -> peers.Ask:
    from openrouter_resilient import Client, Endpoint

    own = [Endpoint(f"own{number}", url, key="key") for number in range(routes - 1)]
    client = Client(
        [f"author/model-{number}" for number in range(models)],
        fallbacks=[f"{endpoint.name}:model" for endpoint in own],
        api_key="key",
        base_url=url,
        endpoints=own,
        environment={},
    )
    return lambda prompt: client.complete(prompt, wire="whole")


def _at_once(asks: list[peers.Ask], prompt: str) -> None:
    """Ten calls in each thread."""

    def ten(ask: peers.Ask) -> None:
        for _ in range(10):
            ask(prompt)

    running = [threading.Thread(target=ten, args=(ask,)) for ask in asks]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


SCENES = (
    whole_body, streamed, long_stream, threads, dead_endpoint, own_work, memory, growth,
)  # fmt: skip
