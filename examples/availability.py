"""A simulated year of outages against the real routing, to see what each further route is worth.

    python examples/availability.py                    # a table; half a minute a year
    python examples/availability.py --seeds 10 --plot availability.png

The outages are drawn from what was published about 2025 and 2026 (see WORLD); the decisions are
made by the package's own `next_step`, `BreakerBoard` and `RetryBudget`, on a virtual clock. Calls
are made at a steady pace while anything is wrong; while nothing is, every call is answered, and
none needs to be played.

What it does not model: your network and your keys, limits of rate and credit, outages that nobody
published, answers that are bad rather than missing, and how much OpenRouter's other hosts carry of
a vendor's outage, which is a guess (HOSTS_CARRY).
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from openrouter_resilient.routing.breaker import BreakerBoard, RetryBudget
from openrouter_resilient.routing.deadline import Deadline
from openrouter_resilient.routing.faults import Fault, Kind
from openrouter_resilient.routing.plan import Limits, Plan, Route
from openrouter_resilient.routing.step import Attempt, Outcome, Reason, Stop, Wait, next_step
from openrouter_resilient.wire.clock import VirtualClock

YEAR_S, HOUR_S, MINUTE_S = 365 * 86_400.0, 3_600.0, 60.0
CALL_EVERY_S = 60.0  # while anything is wrong
PROBE_EVERY_S = 300.0  # as a cron job does
DEADLINE_S = 30.0
MARGIN_S = 240.0  # played before and after an outage, for breakers and budgets to come to rest
HOSTS_CARRY = 0.6  # guess: of what a vendor fails at, OpenRouter's other hosts of the model carry


@dataclass(frozen=True)
class Phase:
    """A part of an outage: until when, what share of requests fails, and how.

    Attributes:
        until: share of the whole outage's length.
        fail: share of requests that fail.
        kinds: what they fail with, and how often relative to each other.
    """

    until: float
    fail: float
    kinds: tuple[tuple[Kind, float], ...]


@dataclass(frozen=True)
class Trouble:
    """A kind of outage: how often, how long, and what it is like.

    Attributes:
        hits: the components that are down together, and with what chance each.
        every_h: mean hours between two.
        median_min, p90_min: its length; log-normal.
        profile: its phases.
    """

    name: str
    hits: tuple[tuple[str, float], ...]
    every_h: float
    median_min: float
    p90_min: float
    profile: tuple[Phase, ...]


DOWN = ((Kind.UNAVAILABLE, 0.5), (Kind.SERVER_ERROR, 0.2), (Kind.SILENT, 0.2), (Kind.REFUSED, 0.1))
ERRORS = ((Kind.SERVER_ERROR, 0.5), (Kind.OVERLOADED, 0.3), (Kind.RATE_LIMITED, 0.2))

# fmt: off
WORLD = (
    # OpenRouter, openrouter.ai/blog on February 17 and 19, 2026, and the status page's history:
    # four gateway-wide outages in 20 months, 24 to 82 minutes. Quiet prelude, 20 % of 500s for a
    # third of the time, then 85 % failing, four in five with 401 for valid keys.
    Trouble("openrouter, 401 storm", (("openrouter", 1.0),), 8_760 / 1.5, 35, 80, (
        Phase(0.10, 0.02, ((Kind.SERVER_ERROR, 1.0),)),
        Phase(0.35, 0.20, ((Kind.SERVER_ERROR, 1.0),)),
        Phase(1.00, 0.85, ((Kind.UNAUTHORIZED, 0.8), (Kind.SERVER_ERROR, 0.2))),
    )),
    Trouble("openrouter, unreachable", (("openrouter", 1.0),), 8_760 / 1.0, 35, 80, (
        Phase(1.0, 1.0, DOWN),
    )),
    # OpenAI's API, ICPE'25 data (231 incidents): a tenth are critical. Most are brown-outs; their
    # share of failing requests is a guess that agrees with the official uptimes of 2026.
    Trouble("openai, critical",       (("openai", 1.0),),     800, 63, 224, (Phase(1.0, 0.9, DOWN),)),
    Trouble("openai, brown-out",      (("openai", 1.0),),      89, 75, 301, (Phase(1.0, 0.08, ERRORS),)),
    # Anthropic's API, AIWatch May and June 2026 (79 incidents, mostly of one model each).
    Trouble("anthropic, critical",    (("anthropic", 1.0),),  370, 56, 140, (Phase(1.0, 0.9, DOWN),)),
    Trouble("anthropic, brown-out",   (("anthropic", 1.0),), 18.5, 56, 140, (Phase(1.0, 0.06, ERRORS),)),
    # Hosts of an open model (DeepInfra, Together, Fireworks, Groq): AIWatch's Together, 2026.
    Trouble("llama's hosts",          (("llama", 1.0),),       40, 24,  64, (Phase(1.0, 0.3, ERRORS),)),
    # Groq: one outage in six months, 94 minutes.
    Trouble("groq",                   (("groq", 1.0),),     4_380, 94, 180, (Phase(1.0, 0.9, DOWN),)),
    # Cloudflare, 2025-06-12 (148 min) and 2025-11-18 (hours): in front of three of the four.
    # OpenRouter's page recorded nothing on the second; that it is hit half the time is a guess.
    Trouble("cloudflare", (("openrouter", 0.5), ("openai", 0.9), ("anthropic", 0.9)),
            8_760 / 1.5, 150, 300, (Phase(1.0, 0.5, DOWN),)),
)
# fmt: on

CLAUDE, GPT, LLAMA = "anthropic/claude-sonnet-5", "openai/gpt-4o", "meta-llama/llama-3.3-70b"
VENDORS = {CLAUDE: "anthropic", GPT: "openai", LLAMA: "llama"}
OPENROUTER_ONE, OPENROUTER_THREE = (
    Route("openrouter", (CLAUDE,)),
    Route("openrouter", (CLAUDE, GPT, LLAMA)),
)
OPENAI, GROQ = Route("openai", ("gpt-4o",)), Route("groq", ("llama-3.3-70b-versatile",))
ANTHROPIC = Route("anthropic", ("claude-sonnet-5",))
SETUPS: dict[str, tuple[Route, ...]] = {
    "Anthropic alone": (ANTHROPIC,),
    "OpenAI alone": (OPENAI,),
    "OpenRouter, one model": (OPENROUTER_ONE,),
    "OpenRouter, three models": (OPENROUTER_THREE,),
    "… and OpenAI behind it": (OPENROUTER_THREE, OPENAI),
    "… and Groq behind that": (OPENROUTER_THREE, OPENAI, GROQ),
}
# Seconds that a fault takes to show, and that an answer takes.
SLOWNESS = {Kind.SILENT: math.inf, Kind.REFUSED: 0.05, Kind.UNAUTHORIZED: 0.15}
FAULT_S, ANSWER_S = 0.4, 2.0


@dataclass(frozen=True)
class Outage:
    """One outage of one component: from when to when, and its phases."""

    component: str
    begins: float
    ends: float
    profile: tuple[Phase, ...]

    def phase(self, now: float) -> Phase:
        """The phase it is in."""
        passed = (now - self.begins) / (self.ends - self.begins)
        return next((phase for phase in self.profile if passed < phase.until), self.profile[-1])


def make_year(seed: int, world: Sequence[Trouble] = WORLD, length: float = YEAR_S) -> list[Outage]:
    """The outages of a year: Poisson arrivals, log-normal lengths; the same seed, the same year."""
    outages = []
    for trouble in world:
        chance = random.Random(f"{seed} {trouble.name}")
        spread = math.log(trouble.p90_min / trouble.median_min) / 1.2816
        at = chance.expovariate(1 / (trouble.every_h * HOUR_S))
        while at < length:
            minutes = trouble.median_min * math.exp(chance.gauss(0, spread))
            ends = min(at + minutes * MINUTE_S, length)
            for component, hit in trouble.hits:
                if chance.random() < hit:
                    outages.append(Outage(component, at, ends, trouble.profile))
            at += chance.expovariate(1 / (trouble.every_h * HOUR_S))
    return sorted(outages, key=lambda outage: outage.begins)


class World:
    """The endpoints as they are at an instant."""

    def __init__(self, outages: Iterable[Outage], chance: random.Random) -> None:
        """Take a year's outages."""
        self._chance = chance
        self._by: dict[str, list[Outage]] = {}
        for outage in outages:
            self._by.setdefault(outage.component, []).append(outage)
        self._begins = {name: [o.begins for o in rows] for name, rows in self._by.items()}
        self._longest = {name: max(o.ends - o.begins for o in r) for name, r in self._by.items()}

    def ask(self, route: Route, now: float) -> Kind | None:
        """What a request on a route meets now; None for an answer."""
        fault = self._fails(route.endpoint, now)
        if fault is not None or route.endpoint != "openrouter":
            return fault
        for model in route.models:  # OpenRouter tries its hosts of each model in turn
            fault = self._fails(VENDORS[model], now)
            if fault is None or self._chance.random() < HOSTS_CARRY:
                return None
        return Kind.UNAVAILABLE

    def _fails(self, component: str, now: float) -> Kind | None:
        for outage in self._current(component, now):
            phase = outage.phase(now)
            if self._chance.random() < phase.fail:
                kinds, weights = zip(*phase.kinds, strict=True)
                return self._chance.choices(kinds, weights)[0]
        return None

    def _current(self, component: str, now: float) -> Iterable[Outage]:
        rows = self._by.get(component, [])
        last = bisect_right(self._begins.get(component, []), now)
        for outage in reversed(rows[:last]):
            if outage.begins < now - self._longest[component]:
                return
            if outage.ends > now:
                yield outage


class Player:
    """Plays calls as a client would make them, with the routing it really has."""

    def __init__(self, routes: tuple[Route, ...], world: World, chance: random.Random) -> None:
        """Begin with every breaker closed."""
        self.clock = VirtualClock(at=0.0)
        self._routes = routes
        self._world = world
        self._chance = chance
        self._board, self._budget = BreakerBoard(), RetryBudget()

    def call(self) -> bool:
        """Make one call; whether it was answered."""
        clock = self.clock
        plan = Plan(self._routes, Deadline.after(DEADLINE_S, clock.now()), Limits())
        history: tuple[Outcome, ...] = ()
        self._budget.pay_in()
        while True:
            now = clock.now()
            health = {route: self._board.health(route, now) for route in plan.routes}
            may_retry = self._budget.may_take(now)
            step = next_step(plan, history, health.__getitem__, now, may_retry=may_retry)
            if isinstance(step, Stop):
                return step.reason is Reason.ANSWERED
            if isinstance(step, Wait):
                clock.sleep_until(step.until)
                continue
            if self._board.begin(step.attempt, now):
                if step.attempt.charged:
                    self._budget.take(now)
                history = (*history, self._attempt(step.attempt, step.attempt.first_token_by))
                self._board.record(history[-1])
                if history[-1].fault is None:
                    return True

    def probe(self) -> None:
        """Ask every route once, as a health check does, for the breakers to learn from."""
        for route in self._routes:
            now = self.clock.now()
            trial = self._board.health(route, now).state.value == "half-open"
            attempt = Attempt(1, 1, route, now + 10.0, 10.0, trial=trial)
            if self._board.begin(attempt, now):
                outcome = self._attempt(attempt, attempt.first_token_by, takes_time=False)
                self._board.record(outcome)

    def _attempt(self, attempt: Attempt, until: float, *, takes_time: bool = True) -> Outcome:
        began = self.clock.now()
        kind = self._world.ask(attempt.route, began)
        if takes_time:
            slow = ANSWER_S if kind is None else SLOWNESS.get(kind, FAULT_S)
            self.clock.sleep_until(min(began + slow, until))
        fault = None if kind is None else Fault(kind)
        return Outcome(attempt, fault, began, self.clock.now(), self._chance.random())


def stretches(outages: Sequence[Outage], margin: float, length: float) -> list[tuple[float, float]]:
    """The times at which anything is wrong, with a margin, joined where they touch."""
    joined: list[tuple[float, float]] = []
    for outage in outages:
        begins, ends = max(0.0, outage.begins - margin), min(length, outage.ends + margin)
        if joined and begins <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], ends))
        else:
            joined.append((begins, ends))
    return joined


def components(routes: Iterable[Route]) -> set[str]:
    """What a set-up depends on."""
    routes = tuple(routes)
    models = {model for route in routes if route.endpoint == "openrouter" for model in route.models}
    return {route.endpoint for route in routes} | {VENDORS[model] for model in models}


def availability(
    routes: tuple[Route, ...],
    outages: Sequence[Outage],
    *,
    seed: int,
    probes: bool = False,
    every: float = CALL_EVERY_S,
    length: float = YEAR_S,
) -> float:
    """The share of a year's calls that are answered."""
    concerned = [outage for outage in outages if outage.component in components(routes)]
    chance = random.Random(f"{seed} calls")
    player = Player(routes, World(concerned, chance), chance)
    failed = 0
    for begins, ends in stretches(concerned, MARGIN_S, length):
        at, probe_at = begins + every * chance.random(), begins
        while at < ends:
            while probes and probe_at <= at:
                player.clock.sleep_until(probe_at)
                player.probe()
                probe_at += PROBE_EVERY_S
            player.clock.sleep_until(at)  # calls overlap in life; here a late one begins later
            failed += not player.call()
            at += every
    return 1.0 - failed / (length / every)


def simulate(
    seeds: Sequence[int], done: Callable[[str], object]
) -> dict[tuple[str, bool], list[float]]:
    """Availability by set-up, with and without probes, for each seed."""
    found: dict[tuple[str, bool], list[float]] = {}
    for seed in seeds:
        year = make_year(seed)
        for name, routes in SETUPS.items():
            for probes in (False, True):
                share = availability(routes, year, seed=seed, probes=probes)
                found.setdefault((name, probes), []).append(share)
        done(f"year {seed} played")
    return found


def table(found: dict[tuple[str, bool], list[float]]) -> str:
    """As the README has it: the mean year, the worst and the best, and downtime a month."""
    lines = [
        "| set-up | availability | worst to best year | down a month | with probes |",
        "|---|---|---|---|---|",
    ]
    for name in SETUPS:
        plain, probed = found[name, False], found[name, True]
        mean = statistics.mean(plain)
        minutes = (1 - mean) * YEAR_S / 12 / MINUTE_S
        lines.append(
            f"| {name} | {share(mean)} | {share(min(plain))} to {share(max(plain))} "
            f"| {minutes:.2f} min | {share(statistics.mean(probed))} |"
        )
    return "\n".join(lines)


def share(value: float) -> str:
    """In per cent; never rounded up to all."""
    return "100 %" if value == 1.0 else f"{math.floor(value * 1e6) / 1e4:.4f} %"


def plot(found: dict[tuple[str, bool], list[float]], path: Path) -> None:
    """Unavailability by set-up, a dot a year, on a scale of nines."""
    from matplotlib.figure import Figure  # noqa: PLC0415  only a picture needs it

    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for place, name in enumerate(reversed(SETUPS)):
        for probes, shift, colour in ((False, 0.12, "#3b6fb5"), (True, -0.12, "#2f9e8f")):
            down = [max(1 - share, 1e-6) for share in found[name, probes]]
            label = ("with probes" if probes else "without probes") if not place else None
            axes.plot(down, [place + shift] * len(down), "o", color=colour, alpha=0.7, label=label)
    axes.set_xscale("log")
    axes.invert_xaxis()
    axes.set_yticks(range(len(SETUPS)), list(reversed(SETUPS)))
    ticks = [0.01, 0.001, 0.0001, 0.00001, 0.000001]
    axes.set_xticks(ticks, ["99 %", "99.9 %", "99.99 %", "99.999 %", "all"])
    axes.set_xlabel("availability; a dot is a simulated year")
    axes.set_xlim(0.02, 5e-7)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
    figure.savefig(path, dpi=150)


def main(argv: Sequence[str] | None = None) -> int:
    """Simulate, and print the table."""
    parser = argparse.ArgumentParser(description="A simulated year of outages.")
    parser.add_argument("--seeds", type=int, default=5, help="how many years")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--plot", type=Path, help="a picture, too")
    given = parser.parse_args(argv)
    seeds = range(given.first_seed, given.first_seed + given.seeds)
    found = simulate(seeds, lambda line: print(line, file=sys.stderr))
    print(table(found))
    if given.plot:
        plot(found, given.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
