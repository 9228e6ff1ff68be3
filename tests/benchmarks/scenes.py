"""What is measured; each scene gives its results, with the bound where one was set."""

from __future__ import annotations

import compileall
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from time import perf_counter

from packaging.requirements import Requirement

import openrouter_resilient
from tests.benchmarks.measure import Company, Result, Seen, Turn, in_fresh_processes, printed
from tests.benchmarks.peers import CALLS_A_THREAD, MODEL, OURS, THREADS

PACKAGE = Path(openrouter_resilient.__file__).parent
US, MS = 1e6, 1e3
CLIENTS = (OURS, "http.client", "urllib3", "requests.Session", "requests.post", "openai SDK",
           "openrouter SDK", "LiteLLM")  # fmt: skip


def whole(company: Company) -> Iterator[Result]:
    """One small reply, whole."""
    turns = {name: Turn(name, "whole", "hi", 10) for name in CLIENTS}
    took = company.seconds(turns, rounds=60)
    for name, seen in took.items():
        yield seen.times(US).told("whole", name, "µs")
    for name, bound in (("requests.Session", 0.75), ("openai SDK", 0.35), ("LiteLLM", 0.1)):
        if name in took:
            yield (took[OURS] / took[name]).told("whole", f"{OURS} / {name}", bound=bound)


def streamed(company: Company) -> Iterator[Result]:
    """Fifty events, drained."""
    names = (OURS, "requests.Session", "openai SDK", "openrouter SDK", "LiteLLM")
    took = company.seconds({name: Turn(name, "stream", "hi", 5) for name in names}, rounds=30)
    for name, seen in took.items():
        yield seen.times(US).told("streamed", name, "µs")
    if "openai SDK" in took:
        ratio = took[OURS] / took["openai SDK"]
        yield ratio.told("streamed", f"{OURS} / openai SDK", bound=0.4)


def long_stream(company: Company) -> Iterator[Result]:
    """Five thousand events, 64 in a write, piece by piece."""
    events, prompt, floor = 5000, "events:5000:64", "requests' lines and json.loads"
    turns = {
        OURS: Turn(OURS, "pieces", prompt, 1),
        floor: Turn("requests.Session", "stream", prompt, 1),
        "openai SDK": Turn("openai SDK", "stream", prompt, 1),
    }
    took = company.seconds(turns, rounds=15)
    for name, seen in took.items():
        yield seen.per(events).told("long stream", name, "events/s")
    for name, bound in (("openai SDK", 8.0), (floor, 0.7)):
        if name in took:
            ratio = took[name] / took[OURS]
            yield ratio.told("long stream", f"{OURS} / {name}", bound=bound, least=True)


def threads(company: Company) -> Iterator[Result]:
    """64 threads, a server that takes 20 ms."""
    how = f"{THREADS} threads"
    turns = {name: Turn(name, how, "wait:20", 1) for name in (OURS, "requests.Session")}
    took = company.seconds(turns, rounds=9)
    for name, seen in took.items():
        yield seen.per(THREADS * CALLS_A_THREAD).told("threads", name, "calls/s")
    ratio = took["requests.Session"] / took[OURS]
    yield ratio.told("threads", f"{OURS} / requests.Session", bound=0.95, least=True)


def dead_endpoint(company: Company) -> Iterator[Result]:
    """What a dead endpoint costs: at first, and once its breaker is open."""
    who = "past a dead endpoint"
    both = company.seconds(
        {how: Turn(who, how, "hi", 20) for how in ("plain", "skipping")}, rounds=60
    )
    ratio = both["skipping"] / both["plain"]
    yield ratio.told("dead endpoint", "a call that skips it / the same call without it", bound=1.05)
    fresh = company.seconds(
        {how: Turn(who, how, "hi", 1) for how in ("first", "first, plain", "plain")}, rounds=60
    )
    first = (fresh["first"] - fresh["first, plain"]).times(MS)
    yield first.told("dead endpoint", "first failover / a new client's plain call", "ms")
    over = (fresh["first"] - fresh["plain"]).times(MS)
    yield over.told(
        "dead endpoint", "first failover, connection and client included, over a plain call", "ms",
        bound=3.0,
    )  # fmt: skip


def own_work(_company: Company) -> Iterator[Result]:
    """Routing, breaker, served record and one log call, together."""
    from openrouter_resilient import Client
    from openrouter_resilient.routing.deadline import Deadline
    from openrouter_resilient.routing.plan import Limits, Plan
    from openrouter_resilient.routing.step import Outcome, Reported, Send, next_step
    from openrouter_resilient.served import make_served
    from openrouter_resilient.telling import log_served

    client = Client(MODEL, api_key="key", keys={"openai": "key"}, environment={})
    carrier, routes = client._carrier, client._routes
    reported = Reported(model=MODEL, provider="OpenAI", usage={}, cost=0.1)

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
        log_served(make_served(plan, (outcome,), started_at=now, now=now, warnings=()))

    took = []
    for _ in range(60):
        began = perf_counter()
        for _ in range(100):
            work()
        took.append((perf_counter() - began) / 100)
    seen = Seen(tuple(took)).times(US)
    yield seen.told("own work", "routing, breaker, served and a log call", "µs", bound=60.0)


FOUR = "import requests, pydantic, cachetools, dotenv; from pydantic import BaseModel"
MADE = "from openrouter_resilient import Client; c = Client(api_key='k', environment={})"
LITELLM = "import os; os.environ['LITELLM_LOCAL_MODEL_COST_MAP'] = 'True'; import litellm"
FLOOR = "its four dependencies"


def imports(company: Company) -> Iterator[Result]:
    """Seconds, over a bare interpreter's."""
    compileall.compile_dir(PACKAGE, quiet=1)  # as pip does with everything that it installs
    timed = "import time; t = time.perf_counter(); {}; print(time.perf_counter() - t)"
    url = company.url
    asking = "c.complete('hi', wire='whole')"
    made = MADE.replace("environment", f"base_url='{url}', fallbacks=(), environment")
    post = f"{FOUR}; requests.post('{url}/chat/completions', json={{'hi': 1}}).json()"
    scripts = {
        FLOOR: FOUR,
        OURS: "import openrouter_resilient",
        f"{OURS} with a client": MADE,
        f"{OURS} with a first answer": f"{made}; {asking}",
        f"{FLOOR} with a first answer": post,
        "openai SDK": "import openai",
        "openrouter SDK": "import openrouter",
        "LiteLLM": LITELLM,
    }
    took = in_fresh_processes({name: timed.format(s) for name, s in scripts.items()}, rounds=9)
    for name, seen in took.items():
        yield seen.times(MS).told("imports", name, "ms")
    yield (took[OURS] / took[FLOOR]).told("imports", f"{OURS} / {FLOOR}", bound=0.25)
    with_client = took[f"{OURS} with a client"] / took[FLOOR]
    yield with_client.told("imports", f"{OURS} with a client / {FLOOR}", bound=1.1)
    first = took[f"{OURS} with a first answer"] / took[f"{FLOOR} with a first answer"]
    yield first.told("imports", f"{OURS} / {FLOOR}, both with a first answer")


RSS = "print(int(open('/proc/self/statm').read().split()[1]) * 4096 / 2**20)"
GROWTH = """
import sys
from tests.benchmarks.peers import with_this_package
ask = with_this_package(sys.argv[1])["whole"]
rss = lambda: int(open("/proc/self/statm").read().split()[1]) * 4096 / 2**20
for _ in range(5000): ask("hi")
before = rss()
for _ in range(100_000): ask("hi")
print(rss() - before)
"""


def memory(company: Company) -> Iterator[Result]:
    """Megabytes: after import, with a client, after an answer, and the growth over 100,000 calls."""
    made = MADE.replace("environment", f"base_url='{company.url}', fallbacks=(), environment")
    scripts = {
        FLOOR: FOUR,
        OURS: "import openrouter_resilient",
        f"{OURS} with a client": MADE,
        f"{OURS} with a first answer": f"{made}; c.complete('hi', wire='whole')",
        "openai SDK": "import openai",
        "openrouter SDK": "import openrouter",
        "LiteLLM": LITELLM,
    }
    took = in_fresh_processes({name: f"{code}; {RSS}" for name, code in scripts.items()}, rounds=5)
    for name, seen in took.items():
        yield seen.told("memory", name, "MB")
    for name, bound in ((f"{OURS} with a client", 4.0), (f"{OURS} with a first answer", None)):
        over = took[name] - took[FLOOR]
        yield over.told("memory", f"{name}, over {FLOOR}", "MB", bound=bound)
    grown = printed(GROWTH, company.url)
    assert grown is not None
    yield Result("memory", "growth over 100,000 calls", grown, "MB", bound=1.0)


def sizes(_company: Company) -> Iterator[Result]:
    """Megabytes that are installed, dependencies included."""
    own = sum(path.stat().st_size for path in PACKAGE.rglob("*.py"))
    needed = _closure(["requests", "urllib3", "pydantic", "cachetools", "python-dotenv"])
    yield Result("installed", f"{OURS} alone", own / 1e6, "MB")
    yield Result("installed", OURS, own / 1e6 + _megabytes(needed), "MB")
    for name, package in (("openai SDK", "openai"), ("openrouter SDK", "openrouter"),
                          ("LiteLLM", "litellm")):  # fmt: skip
        closure = _closure([package])
        if closure:
            yield Result("installed", name, _megabytes(closure), "MB")


def as_the_work_grows(company: Company) -> Iterator[Result]:
    """How the cost of a call grows with the work, and whether as it should."""
    scene = "as the work grows"
    sizes = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
    turns = {
        (name, size): Turn(name, "whole", f"bytes:{size}", 3 if size > 10**6 else 10)
        for size in sizes
        for name in (OURS, "requests.Session")
    }
    took = company.seconds(
        {f"{name} {size}": turn for (name, size), turn in turns.items()}, rounds=9
    )
    for name, size in turns:
        what = f"a reply of {size:,} bytes, {name}"
        yield took[f"{name} {size}"].times(MS).told(scene, what, "ms")
    # A megabyte fits into memory that the process has already; ten are asked of the system each
    # time, which costs every client the same, so that the other one says what linear is here.
    ratio = took[f"{OURS} {sizes[-1]}"] / took[f"requests.Session {sizes[-1]}"]
    yield ratio.told(scene, f"a reply of {sizes[-1]:,} bytes, {OURS} / requests.Session", bound=1.0)

    many = {f"{models} models, {routes} routes": Turn("of many", f"{models} models, {routes} routes", "hi", 10)
            for models in range(1, 4) for routes in range(1, 7)}  # fmt: skip
    took = company.seconds(many, rounds=25)
    for name, seen in took.items():
        yield seen.times(US).told(scene, name, "µs")
    flat = took["3 models, 1 routes"] / took["1 models, 1 routes"]
    yield flat.told(scene, "three models in place of one: flat", bound=1.05)
    early = (took["1 models, 3 routes"] - took["1 models, 1 routes"]).times(US / 2)
    late = (took["1 models, 6 routes"] - took["1 models, 3 routes"]).times(US / 3)
    yield early.told(scene, "each of the first further routes", "µs")
    yield late.told(scene, "each of the last further routes: no more, it is linear", "µs")
    six = took["1 models, 6 routes"] / took["1 models, 1 routes"]
    yield six.told(scene, "six routes in place of one")

    counts = (1, 4, 16, 64)
    took = company.seconds(
        {str(count): Turn(OURS, f"{count} threads", "wait:20", 1) for count in counts}, rounds=5
    )
    for count in counts:
        each = took[str(count)].per(count * CALLS_A_THREAD)
        yield each.told(scene, f"{count} threads, a server that takes 20 ms", "calls/s")
    ratio = took["1"].times(16) / took["16"]
    yield ratio.told(
        scene, "sixteen threads in place of one, times as many calls", bound=12.0, least=True
    )


def _closure(names: list[str]) -> set[str]:
    """Everything that is installed for the sake of these, themselves included."""
    waiting, known = list(names), set()
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in known:
            continue
        try:
            needed = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        known.add(name)
        for text in needed:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    return known


def _megabytes(names: set[str]) -> float:
    files = [Path(str(f.locate())) for name in names for f in metadata.files(name) or ()]
    return sum(f.stat().st_size for f in files if f.is_file()) / 1e6


SCENES = (
    whole, streamed, long_stream, threads, dead_endpoint, own_work, imports, memory, sizes,
    as_the_work_grows,
)  # fmt: skip
if sys.platform != "linux":  # /proc tells the memory of a process
    SCENES = tuple(scene for scene in SCENES if scene is not memory)
