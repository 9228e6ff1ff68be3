"""Models, fallbacks and constraints in; ordered routes, and why others were skipped, out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from openrouter_resilient.routing.deadline import Deadline

DATE = re.compile(r"-(\d{8}|\d{4}-\d{2}-\d{2})$")  # at the end of a snapshot's name


@dataclass(frozen=True)
class Route:
    """An endpoint and the model(s) to ask it for.

    Attributes:
        endpoint: the endpoint's name.
        models: ids in order of preference, as that endpoint spells them. Only OpenRouter takes
            more than one.
    """

    endpoint: str
    models: tuple[str, ...]

    def __str__(self) -> str:
        """As it is written: `openai:gpt-4o`; several models are set off by commas."""
        return f"{self.endpoint}:{','.join(self.models)}"


@dataclass(frozen=True)
class Limits:
    """How long one attempt may be silent, and how often the plan is gone through.

    Attributes:
        first_token: seconds until the first token, where another route stands behind; None
            where silence means nothing (a request that reasons, or asks for one whole body).
        stall: seconds between two tokens.
        rounds: how many turns a route may have.
        hedge_after: seconds without a token after which the next route is asked beside the first;
            None for never.
    """

    first_token: float | None = 10.0
    stall: float = 15.0
    rounds: int = 2
    hedge_after: float | None = None


@dataclass(frozen=True)
class Skipped:
    """A route that this request may not take, and why."""

    route: Route
    why: str

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.route}: {self.why}"


@dataclass(frozen=True)
class Plan:
    """The ordered routes of one call, and its limits."""

    routes: tuple[Route, ...]
    deadline: Deadline
    limits: Limits = Limits()
    skipped: tuple[Skipped, ...] = ()


def make_plan(
    routes: Iterable[Route],
    *,
    deadline: Deadline,
    limits: Limits,
    objection: Callable[[Route], str | None],
) -> Plan:
    """Keep the routes that may carry this request, in their order, each once.

    Args:
        routes: the candidates, most preferred first.
        deadline: when the call must be over.
        limits: the limits of its attempts.
        objection: why a route may not carry this request; None if it may.
    """
    kept: list[Route] = []
    skipped: list[Skipped] = []
    for route in dict.fromkeys(routes):
        why = objection(route)
        if why is None:
            kept.append(route)
        else:
            skipped.append(Skipped(route, why))
    return Plan(tuple(kept), deadline, limits, tuple(skipped))


def in_groups(models: Sequence[str], most: int) -> list[tuple[str, ...]]:
    """Cut a list of models into as few requests as an endpoint allows, order kept."""
    return [tuple(models[at : at + most]) for at in range(0, len(models), most)]


def bare_model(model: str) -> str:
    """A model's name without author, variant and date, to see whether two ids mean one model.

    `openai/gpt-4o:nitro`, `gpt-4o` and `gpt-4o-2024-08-06` are one; `anthropic/claude-sonnet-4.5`
    and its canonical slug `anthropic/claude-4.5-sonnet-20250929` are one, too.
    """
    whole = model.lower()
    name = (whole.split("@", 1)[0] or whole).rsplit("/", 1)[-1].split(":", 1)[0]
    name = DATE.sub("", name)
    name = re.sub(r"(?<=\d)-(?=\d{1,2}(-|$))", ".", name)
    return "-".join(sorted(part for part in name.split("-") if part))
