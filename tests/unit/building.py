"""Short ways to write routes, plans, outcomes and trails."""

from __future__ import annotations

from dataclasses import replace

from openrouter_resilient.routing.deadline import Deadline
from openrouter_resilient.routing.faults import Broken, Fault, Kind
from openrouter_resilient.routing.plan import Limits, Plan, Route
from openrouter_resilient.routing.step import Attempt, Health, Outcome, State, next_step

START = 1_000.0  # the instant at which every call begins
A = Route("openrouter", ("anthropic/claude-sonnet-4.5",))
A2 = Route("openrouter", ("qwen/qwen3-32b",))
B = Route("openai", ("gpt-4o",))
C = Route("groq", ("llama-3.3-70b-versatile",))

HEALTHY = Health()
HALF_OPEN = Health(State.HALF_OPEN, START - 1.0)


def open_until(instant):
    """A breaker that is open."""
    return Health(State.OPEN, reopens_at=instant)


def tried_at(instant):
    """An open breaker whose endpoint was last found in trouble then."""
    return Health(State.OPEN, reopens_at=instant + 5, tried_at=instant)


def held_until(instant):
    """An endpoint that asked not to be called for a while."""
    return Health(not_before=instant)


def make_plan(*routes, seconds=120.0, **limits):
    """A plan that begins at START."""
    return Plan(routes or (A, B), Deadline.after(seconds, START), Limits(**limits))


def attempt(route=A, *, turn=1, trial=False, number=1):
    """An attempt whose limits do not matter."""
    return Attempt(number, turn, route, first_token_by=START + 10, stall=15, trial=trial)


def ended(kind, route=A, **options):
    """The outcome of an attempt: a kind of fault, or None for an answer."""
    started_at, took = options.pop("at", START), options.pop("took", 0.1)
    turn, jitter = options.pop("turn", 1), options.pop("jitter", 0.5)
    trial = options.pop("trial", False)
    fault = None if kind is None else Fault(kind, **options)
    tried = attempt(route, turn=turn, trial=trial)
    return Outcome(tried, fault, started_at, started_at + took, jitter)


def trail(*outcomes):
    """A history, numbered."""
    return tuple(
        replace(outcome, attempt=replace(outcome.attempt, number=number))
        for number, outcome in enumerate(outcomes, 1)
    )


def decide(plan, *outcomes, now=None, health=None, may_retry=True):
    """The next step after these outcomes, at the end of the last of them unless told else."""
    history = trail(*outcomes)
    if now is None:
        now = history[-1].ended_at if history else START
    known = health or {}
    return next_step(
        plan, history, lambda route: known.get(route, HEALTHY), now, may_retry=may_retry
    )


class TimedReply:
    """A reply whose pieces come at their instants, and then nothing more."""

    status, headers = 200, {}

    def __init__(self, clock, *pieces):
        self._clock, self._pieces = clock, list(pieces)

    def read(self, until):
        if self._pieces and self._pieces[0][0] < until:
            at, data = self._pieces.pop(0)
            self._clock.sleep_until(at)
            return data
        self._clock.sleep_until(until)
        raise Broken(Fault(Kind.SILENT))

    def close(self, *, keep):
        pass
