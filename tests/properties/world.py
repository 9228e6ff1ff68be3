"""A made-up world on a virtual clock: calls, one after the other, through the routing core alone.

It does what the client's loop does (ask for a step, carry it out, record what came of it), with
outcomes that hypothesis makes up in the place of a network, and writes down everything that was
decided and what was known when.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

from openrouter_resilient.routing.breaker import BreakerBoard, RetryBudget
from openrouter_resilient.routing.deadline import Deadline
from openrouter_resilient.routing.faults import Fault, Kind, Scope
from openrouter_resilient.routing.plan import Limits, Plan, Route, bare_model
from openrouter_resilient.routing.step import (
    MIN_USEFUL_S,
    Attempt,
    Health,
    Outcome,
    Send,
    Stop,
    Wait,
    next_step,
)

START = 1_000.0
TOO_MANY_STEPS = 200  # far above what any plan here may take

ROUTES = (
    Route("openrouter", ("anthropic/claude-sonnet-5", "openai/gpt-4o")),
    Route("openrouter", ("qwen/qwen3-32b",)),
    Route("openai", ("gpt-4o",)),
    Route("groq", ("llama-3.3-70b-versatile",)),
    Route("groq", ("qwen/qwen3-32b",)),
    Route("anthropic", ("claude-sonnet-5",)),
)


@dataclass(frozen=True)
class Lot:
    """What comes of one attempt, if its limits allow."""

    kind: Kind | None
    seconds: float
    retry_after: float | None = None
    relayed: bool = False
    jitter: float = 0.5


@dataclass
class Decision:
    """A step, and what it rested on."""

    now: float
    step: Send | Wait | Stop
    health: dict[Route, Health]
    may_retry: bool
    history: tuple[Outcome, ...]


@dataclass
class Run:
    """One call from beginning to end."""

    plan: Plan
    decisions: list[Decision] = field(default_factory=list)
    history: tuple[Outcome, ...] = ()

    @property
    def stop(self) -> Stop:
        """How it ended."""
        step = self.decisions[-1].step
        assert isinstance(step, Stop)
        return step

    @property
    def sends(self) -> list[tuple[Decision, Attempt]]:
        """Every attempt, with the decision that it came of."""
        return [(d, d.step.attempt) for d in self.decisions if isinstance(d.step, Send)]

    def waiting(self, decision: Decision, turn: int) -> list[Route]:
        """The routes that had no turn yet in this round when this was decided."""
        had = {o.attempt.route for o in decision.history if o.attempt.turn == turn}
        return [route for route in self.plan.routes if route not in had]


@dataclass
class World:
    """What calls share, and the time of all of them."""

    now: float = START
    board: BreakerBoard = field(default_factory=BreakerBoard)
    budget: RetryBudget = field(default_factory=RetryBudget)

    def call(self, routes, lots, *, seconds, limits) -> Run:
        """Run one call to its end."""
        run = Run(Plan(tuple(routes), Deadline.after(seconds, self.now), limits))
        self.budget.pay_in()
        fortunes = iter(lots)
        for _ in range(TOO_MANY_STEPS):
            decision = self.decide(run)
            run.decisions.append(decision)
            step = decision.step
            if isinstance(step, Stop):
                return run
            if isinstance(step, Wait):
                assert step.until > self.now, "a wait that waits for nothing"
                self.now = step.until
            else:
                self.carry_out(run, step.attempt, next(fortunes, Lot(None, 0.0)))
        raise AssertionError("the call does not end")

    def decide(self, run: Run) -> Decision:
        """Ask for the next step, and write down what it rests on."""
        health = {route: self.board.health(route, self.now) for route in run.plan.routes}
        may_retry = self.budget.may_take(self.now)
        step = next_step(run.plan, run.history, health.__getitem__, self.now, may_retry=may_retry)
        return Decision(self.now, step, health, may_retry, run.history)

    def carry_out(self, run: Run, attempt: Attempt, lot: Lot) -> None:
        """Let time pass, and record what came of an attempt."""
        assert self.board.begin(attempt, self.now), "a trial that another call has"
        if attempt.charged:
            assert self.budget.take(self.now), "a retry that nobody paid for"
        started_at = self.now
        self.now = self.ends_at(run, attempt, lot)
        fault = None
        if lot.kind is not None:
            fault = Fault(lot.kind, retry_after=lot.retry_after, relayed=lot.relayed)
        outcome = Outcome(attempt, fault, started_at, self.now, lot.jitter)
        run.history = (*run.history, outcome)
        self.board.record(outcome)

    def ends_at(self, run: Run, attempt: Attempt, lot: Lot) -> float:
        """Silence lasts as long as it may; a stream may break until the deadline."""
        if lot.kind is Kind.SILENT:
            return max(self.now, attempt.first_token_by)
        late = lot.kind in (None, Kind.STALLED, Kind.TRUNCATED)
        latest = run.plan.deadline.at if late else attempt.first_token_by
        return max(self.now, min(self.now + lot.seconds, latest))


def hopeless(route: Route, history: tuple[Outcome, ...]) -> bool:
    """Whether nothing can come of this route, in the words of the design."""
    too_long: set[str] = set()
    for outcome in history:
        fault, asked = outcome.fault, outcome.attempt.route
        if fault is None:
            continue
        if fault.scope is Scope.ACCOUNT and asked.endpoint == route.endpoint:
            return True
        if fault.scope is Scope.MODEL and asked == route:
            return True
        if fault.kind is Kind.CONTEXT_TOO_LONG:
            too_long |= {bare_model(model) for model in asked.models}
    return {bare_model(model) for model in route.models} <= too_long


SECONDS_TAKEN = (0.0, 0.05, 0.9, 1.0, 1.1, 3.0, 12.0, 60.0, 500.0)
WISHES = (None, None, 0.0, 1.0, 3.0, 4.0, 30.0, 600.0)
JITTERS = (0.0, 0.25, 0.5, 0.99)
# What only a reply can bring: when to come again, and that somebody behind the endpoint failed.
REPLIED = {
    Kind.CONTEXT_TOO_LONG, Kind.UNKNOWN_MODEL, Kind.NO_PROVIDER, Kind.UNAUTHORIZED,
    Kind.NO_CREDIT, Kind.QUOTA, Kind.RATE_LIMITED, Kind.SERVER_ERROR, Kind.UNAVAILABLE,
    Kind.OVERLOADED,
}  # fmt: skip


def _every_lot():
    """One of each, so that drawing one is a single choice; the commonest faults more often."""
    often = [None, Kind.SILENT, Kind.REFUSED, Kind.SERVER_ERROR]
    for kind in [*often, *sorted(Kind, key=str)]:
        replied = kind in REPLIED
        for place, seconds in enumerate(SECONDS_TAKEN):
            jitter = JITTERS[place % len(JITTERS)]
            for wish in WISHES if replied else (None,):
                for relayed in (False, True) if replied else (False,):
                    yield Lot(kind, seconds, wish, relayed, jitter)


EVERY_LOT = tuple(_every_lot())
LOTS = st.one_of(
    st.sampled_from([lot for lot in EVERY_LOT if lot.retry_after is None and not lot.relayed]),
    st.sampled_from(EVERY_LOT),
)
FAILING = st.one_of(
    st.sampled_from(
        [lot for lot in EVERY_LOT if lot.kind and not lot.retry_after and not lot.relayed]
    ),
    st.sampled_from([lot for lot in EVERY_LOT if lot.kind]),
)
PLANS = st.lists(st.sampled_from(ROUTES), min_size=1, max_size=5, unique=True)
LIMITS = st.sampled_from(
    [Limits(first, rounds=rounds) for rounds in (2, 1, 3, 4) for first in (10.0, None, 0.5)]
)
SECONDS = st.sampled_from([0.05, 0.3, 1.0, 5.0, 30.0, 120.0, 900.0])


@st.composite
def histories(draw, *, lots=LOTS):
    """Several calls, one after the other, in one world."""
    world, runs = World(), []
    for _ in range(draw(st.integers(1, 4))):
        run = world.call(
            draw(PLANS),
            draw(st.lists(lots, max_size=12)),
            seconds=draw(SECONDS),
            limits=draw(LIMITS),
        )
        runs.append(run)
        world.now += draw(st.sampled_from([0.0, 0.5, 4.0, 7.0, 25.0, 300.0]))
    return world, runs


def time_is_left(run: Run, now: float) -> bool:
    """Whether an attempt would still be of use."""
    return run.plan.deadline.remaining(now) >= MIN_USEFUL_S
