"""What is each further route worth? Simulated years of outages against the routing of calls.

    python examples/availability.py                    # a table; half a minute a year
    python examples/availability.py --seeds 10 --plot availability.png

Outages are drawn from what was published about 2024 to 2026 (see WORLD, with its sources). Every
decision is the package's own: `next_step`, `BreakerBoard` and `RetryBudget`, on a virtual clock.
One call a minute is made while anything is wrong. While nothing is, every call is answered, and
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
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from openrouter_resilient.routing.breaker import LONGEST_COOLDOWN_S, BreakerBoard, RetryBudget
from openrouter_resilient.routing.deadline import Deadline
from openrouter_resilient.routing.faults import Fault, Kind
from openrouter_resilient.routing.plan import Limits, Plan, Route
from openrouter_resilient.routing.shared import Word
from openrouter_resilient.routing.step import Attempt, Outcome, Reason, Stop, Wait, next_step
from openrouter_resilient.wire.clock import VirtualClock

YEAR_S, HOUR_S, MINUTE_S = 365 * 86_400.0, 3_600.0, 60.0
CALL_EVERY_S = 60.0  # while anything is wrong
PROBE_EVERY_S = 300.0  # as a cron job does
DEADLINE_S = 30.0
MARGIN_S = 240.0  # played before and after an outage, for breakers and budgets to come to rest
HOSTS_CARRY = 0.6  # guess: of what a vendor fails at, OpenRouter's other hosts of the model carry

CLAUDE, GPT, LLAMA = "anthropic/claude-sonnet-5", "openai/gpt-4.1", "meta-llama/llama-3.3-70b"
VENDORS = {CLAUDE: "anthropic", GPT: "openai", LLAMA: "llama"}  # who is behind a model
ONE_MODEL = Route("openrouter", (CLAUDE,))
THREE_MODELS = Route("openrouter", (CLAUDE, GPT, LLAMA))
ANTHROPIC, OPENAI = Route("anthropic", ("claude-sonnet-5",)), Route("openai", ("gpt-4.1",))
GROQ = Route("groq", ("llama-3.3-70b-versatile",))
SETUPS: dict[str, tuple[Route, ...]] = {
    "Anthropic alone": (ANTHROPIC,),
    "OpenAI alone": (OPENAI,),
    "OpenRouter, one model": (ONE_MODEL,),
    "OpenRouter, three models": (THREE_MODELS,),
    "… and OpenAI behind it": (THREE_MODELS, OPENAI),
    "… and Groq behind that": (THREE_MODELS, OPENAI, GROQ),
}


@dataclass(frozen=True)
class Phase:
    """A part of an outage: up to which share of its length, and what fails, with what."""

    until: float
    fails: float  # share of the requests
    kinds: dict[Kind, float]  # the faults, and how often relative to each other


@dataclass(frozen=True)
class Trouble:
    """A kind of outage."""

    name: str
    hits: dict[str, float]  # who is down together, each with its chance
    every_h: float  # mean hours between two
    median_min: float  # its length is log-normal
    p90_min: float
    phases: tuple[Phase, ...]


DOWN = {Kind.UNAVAILABLE: 0.5, Kind.SERVER_ERROR: 0.2, Kind.SILENT: 0.2, Kind.REFUSED: 0.1}
ERRORS = {Kind.SERVER_ERROR: 0.5, Kind.OVERLOADED: 0.3, Kind.RATE_LIMITED: 0.2}
BAD_CACHE = {Kind.UNAUTHORIZED: 0.8, Kind.SERVER_ERROR: 0.2}

# fmt: off
WORLD = (
    # OpenRouter's gateway: four outages in 20 months (2025-02-03, 2025-08-28, 2026-02-17, 2026-02-19),
    # of 35 to 50 minutes where that was told; entries of its status page last from 6 to 82. Two of
    # them as OpenRouter tells of them: a quiet prelude, then 500 for a fifth of the requests, then 80
    # to 90 % failing, mostly with 401 for valid keys.
    # https://openrouter.ai/blog/announcements/openrouter-outages-on-february-17-and-19-2026
    Trouble("openrouter, 401 storm",   {"openrouter": 1.0}, 8_760 / 1.5, 35, 80, (
        Phase(0.10, 0.02, {Kind.SERVER_ERROR: 1.0}),
        Phase(0.35, 0.20, {Kind.SERVER_ERROR: 1.0}),
        Phase(1.00, 0.85, BAD_CACHE),
    )),
    Trouble("openrouter, unreachable", {"openrouter": 1.0}, 8_760 / 1.0, 35, 80, (Phase(1.0, 1.0, DOWN),)),

    # OpenAI's API: 231 incidents to 2024-08, since 2023 one in 80 hours; a tenth are critical, and
    # the others brown-outs. What fails in one is a guess that agrees with OpenAI's own uptimes of
    # June to September 2026 (99.99, 99.60, 99.90, 98.69 %).
    # https://github.com/atlarge-research/llm-service-analysis (ICPE 2025)
    # https://github.com/bentleypark/aiwatch-reports (2026)
    Trouble("openai, critical",        {"openai": 1.0},     800, 63, 224, (Phase(1.0, 0.90, DOWN),)),
    Trouble("openai, brown-out",       {"openai": 1.0},      89, 75, 301, (Phase(1.0, 0.08, ERRORS),)),

    # Anthropic's API: 79 incidents in May and June 2026, one in 17.6 hours, most of them of one
    # model; 2 of 42 with a stated impact were critical. Its own uptimes: 99.11 to 99.73 %. (aiwatch)
    Trouble("anthropic, critical",     {"anthropic": 1.0},  370, 56, 140, (Phase(1.0, 0.90, DOWN),)),
    Trouble("anthropic, brown-out",    {"anthropic": 1.0}, 18.5, 56, 140, (Phase(1.0, 0.06, ERRORS),)),

    # The hosts of an open model: as long as Together's in 2026 (aiwatch). It had one in 7
    # hours; that all of OpenRouter's hosts of a model are in trouble every 40 hours is a guess.
    Trouble("llama's hosts",           {"llama": 1.0},       40, 24,  64, (Phase(1.0, 0.30, ERRORS),)),

    # Groq: one outage from April to September 2026, of 94 minutes (aiwatch).
    Trouble("groq",                    {"groq": 1.0},     4_380, 94, 180, (Phase(1.0, 0.90, DOWN),)),

    # Cloudflare, on 2025-06-12 (148 minutes) and 2025-11-18 (hours), stands before three of the four.
    # OpenRouter's page recorded nothing on the second; that it is hit half the time is a guess.
    Trouble("cloudflare", {"openrouter": 0.5, "openai": 0.9, "anthropic": 0.9}, 8_760 / 1.5, 150, 300, (
        Phase(1.0, 0.50, DOWN),
    )),
)
# fmt: on


@dataclass(frozen=True)
class Outage:
    """One outage of one component, in seconds since the beginning of the year."""

    component: str
    begins: float
    ends: float
    phases: tuple[Phase, ...]

    def phase(self, now: float) -> Phase:
        """The phase it is in."""
        passed = (now - self.begins) / (self.ends - self.begins)
        return next((phase for phase in self.phases if passed < phase.until), self.phases[-1])


def make_year(seed: int, world: Sequence[Trouble] = WORLD, length: float = YEAR_S) -> list[Outage]:
    """A year's outages: Poisson arrivals, log-normal lengths; the same seed, the same year."""
    outages = []
    for trouble in world:
        chance = random.Random(f"{seed} {trouble.name}")
        spread = math.log(trouble.p90_min / trouble.median_min) / 1.2816  # of a normal's 90 %
        at = chance.expovariate(1 / (trouble.every_h * HOUR_S))
        while at < length:
            minutes = trouble.median_min * math.exp(chance.gauss(0, spread))
            ends = min(at + minutes * MINUTE_S, length)
            for component, hit in trouble.hits.items():
                if chance.random() < hit:
                    outages.append(Outage(component, at, ends, trouble.phases))
            at += chance.expovariate(1 / (trouble.every_h * HOUR_S))
    return sorted(outages, key=lambda outage: outage.begins)


SLOWNESS = {Kind.SILENT: math.inf, Kind.REFUSED: 0.05, Kind.UNAUTHORIZED: 0.15}
FAULT_S, ANSWER_S = 0.4, 2.0  # seconds that other faults take to show, and that an answer takes


class World:
    """The endpoints, while some outages last."""

    def __init__(self, chance: random.Random) -> None:
        """Begin well."""
        self.outages: list[Outage] = []
        self._chance = chance

    def ask(self, route: Route, now: float) -> Kind | None:
        """What a request on a route meets now; None for an answer."""
        fault = self._meets(route.endpoint, now)
        if fault is not None or route.endpoint != "openrouter":
            return fault
        for model in route.models:  # OpenRouter tries them in turn, and each at all of its hosts
            fault = self._meets(VENDORS[model], now)
            if fault is None or self._chance.random() < HOSTS_CARRY:
                return None
        return Kind.UNAVAILABLE

    def _meets(self, component: str, now: float) -> Kind | None:
        for outage in self.outages:
            if outage.component == component and outage.begins <= now < outage.ends:
                phase = outage.phase(now)
                if self._chance.random() < phase.fails:
                    return self._chance.choices(list(phase.kinds), list(phase.kinds.values()))[0]
        return None


class Caller:
    """Makes calls with the routing of a client; time passes on its clock alone."""

    def __init__(self, routes: tuple[Route, ...], world: World, chance: random.Random) -> None:
        """Begin with every breaker closed."""
        self.clock = VirtualClock(at=0.0)
        self._routes = routes
        self._world = world
        self._chance = chance
        self._board, self._budget = BreakerBoard(), RetryBudget()

    def call(self) -> bool:
        """Make one call; whether it was answered."""
        plan = Plan(self._routes, Deadline.after(DEADLINE_S, self.clock.now()), Limits())
        history: tuple[Outcome, ...] = ()
        self._budget.pay_in()
        while True:
            now = self.clock.now()
            health = {route: self._board.health(route, now) for route in plan.routes}
            may_retry = self._budget.may_take(now)
            step = next_step(plan, history, health.__getitem__, now, may_retry=may_retry)
            if isinstance(step, Stop):
                return step.reason is Reason.ANSWERED
            if isinstance(step, Wait):
                self.clock.sleep_until(step.until)
            elif self._board.begin(step.attempt, now):
                if step.attempt.charged:
                    self._budget.take(now)
                history = (*history, self._attempt(step.attempt))
                self._board.record(history[-1])

    def _attempt(self, attempt: Attempt) -> Outcome:
        began = self.clock.now()
        kind = self._world.ask(attempt.route, began)
        seconds = ANSWER_S if kind is None else SLOWNESS.get(kind, FAULT_S)
        self.clock.sleep_until(min(began + seconds, attempt.first_token_by))
        fault = None if kind is None else Fault(kind)
        return Outcome(attempt, fault, began, self.clock.now(), self._chance.random())

    def probe(self) -> None:
        """Hear what a health check elsewhere found, as processes hear of it through Redis."""
        now, words = self.clock.now(), {}
        for route in self._routes:
            up = self._world.ask(route, now) is None
            words[route.endpoint] = Word(
                up, now, now, reopens_at=now if up else now + LONGEST_COOLDOWN_S,
                expires_at=now + 2.5 * PROBE_EVERY_S, by="probe",
            )  # fmt: skip
        self._board.hear(words, now)


def availability(
    routes: tuple[Route, ...],
    outages: Sequence[Outage],
    *,
    seed: int,
    probes: bool = False,
    every: float = CALL_EVERY_S,
    length: float = YEAR_S,
) -> float:
    """The share of a year's calls that are answered.

    Args:
        routes: of the set-up.
        outages: of everybody, in the order of time.
        seed: of the chance in calls and endpoints.
        probes: whether there is a health check.
        every: seconds between two calls.
        length: of the year, in seconds.
    """
    chance = random.Random(f"{seed} calls")
    world = World(chance)
    caller = Caller(routes, world, chance)
    needed = components(routes)
    failed = 0
    for stretch in stretches([outage for outage in outages if outage.component in needed]):
        world.outages = stretch
        begins = max(0.0, stretch[0].begins - MARGIN_S)
        ends = min(length, max(outage.ends for outage in stretch) + MARGIN_S)
        at, probe_at = begins + every * chance.random(), begins
        while at < ends:
            while probes and probe_at <= at:
                caller.clock.sleep_until(probe_at)
                caller.probe()
                probe_at += PROBE_EVERY_S
            caller.clock.sleep_until(at)  # calls overlap in life; here a late one begins later
            failed += not caller.call()
            at += every
    return 1.0 - failed / (length / every)


def components(routes: Iterable[Route]) -> set[str]:
    """What a set-up depends on: its endpoints, and the vendors behind OpenRouter."""
    found = set()
    for route in routes:
        found.add(route.endpoint)
        if route.endpoint == "openrouter":
            found |= {VENDORS[model] for model in route.models}
    return found


def stretches(outages: Iterable[Outage]) -> Iterator[list[Outage]]:
    """The outages in groups that come to rest in between."""
    group: list[Outage] = []
    until = 0.0
    for outage in outages:
        if group and outage.begins - MARGIN_S > until:
            yield group
            group = []
        group.append(outage)
        until = max(until, outage.ends + MARGIN_S)
    if group:
        yield group


Found = dict[tuple[str, bool], list[float]]  # by set-up and probes: the availability of each year


def simulate(seeds: Iterable[int], done: Callable[[str], object]) -> Found:
    """Play every set-up through the same years, with and without probes."""
    found: Found = {}
    for seed in seeds:
        year = make_year(seed)
        for name, routes in SETUPS.items():
            for probes in (False, True):
                answered = availability(routes, year, seed=seed, probes=probes)
                found.setdefault((name, probes), []).append(answered)
        done(f"year {seed} played")
    return found


def table(found: Found) -> str:
    """As the README has it: the mean year, the worst and the best, and downtime a month."""
    lines = [
        "| set-up | availability | worst to best year | down a month | with probes |",
        "|---|---|---|---|---|",
    ]
    for name in SETUPS:
        years = found[name, False]
        mean = statistics.mean(years)
        minutes = (1 - mean) * YEAR_S / 12 / MINUTE_S
        lines.append(
            f"| {name} | {per_cent(mean)} | {per_cent(min(years))} to {per_cent(max(years))} "
            f"| {minutes:.2f} min | {per_cent(statistics.mean(found[name, True]))} |"
        )
    return "\n".join(lines)


def per_cent(share: float) -> str:
    """Never rounded up to all."""
    return "100 %" if share == 1.0 else f"{math.floor(share * 1e6) / 1e4:.4f} %"


def plot(found: Found, path: Path) -> None:
    """Unavailability by set-up, a dot a year, on a scale of nines."""
    from matplotlib.figure import Figure  # noqa: PLC0415  only a picture needs it

    figure = Figure(figsize=(8, 3.8), layout="constrained")
    axes = figure.add_subplot()
    ways = ((False, "without probes", "#3f78c4", -0.14), (True, "with probes", "#d98032", 0.14))
    for probes, label, colour, shift in ways:
        for place, name in enumerate(SETUPS):
            down = [max(1 - share, 1e-6) for share in found[name, probes]]
            rows = [place + shift] * len(down)
            axes.plot(down, rows, "o", color=colour, alpha=0.6, label=label if not place else None)
    axes.set_xscale("log")
    axes.set_xlim(0.01, 7e-7)
    axes.set_xticks(
        [1e-2, 1e-3, 1e-4, 1e-5, 1e-6], ["99 %", "99.9 %", "99.99 %", "99.999 %", "all"]
    )
    axes.set_xlabel("calls answered; a dot is a simulated year")
    axes.set_ylim(len(SETUPS) - 0.5, -0.5)
    axes.set_yticks(range(len(SETUPS)), SETUPS)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#e3e7ec")
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False)
    figure.savefig(path, dpi=150)


def main(argv: Sequence[str] | None = None) -> int:
    """Simulate, and print the table."""
    parser = argparse.ArgumentParser(description="Simulated years of outages.")
    parser.add_argument("--seeds", type=int, default=5, help="how many years; default 5")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="a picture, too")
    given = parser.parse_args(argv)
    found = simulate(range(1, given.seeds + 1), lambda line: print(line, file=sys.stderr))
    print(table(found))
    if given.plot:
        plot(found, given.plot)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
