"""The truth about who answered: made of the replies' own words and the trail, never of a wish."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

from openrouter_resilient.routing.faults import Kind
from openrouter_resilient.routing.plan import DATE, Plan, Route, bare_model
from openrouter_resilient.routing.step import Attempt, History, Outcome, Reported
from openrouter_resilient.sheet import Sheet

CANCELLED = "cancelled"  # the fault of an attempt that its caller cut short: nobody's


@dataclass(frozen=True)
class Begun:
    """An attempt that came to no outcome, because its caller cut it short."""

    attempt: Attempt
    started_at: float
    reported: Reported


@dataclass(frozen=True)
class UpstreamAttempt:
    """One attempt that OpenRouter itself made behind one of ours, as its metadata reports it.

    Attributes:
        provider: who was asked; None if it does not say.
        model: for which model; None if it does not say.
        status: the HTTP status that came back; None if it does not say.
    """

    provider: str | None
    model: str | None
    status: int | None


@dataclass(frozen=True)
class AttemptRecord:
    """One HTTP request of a call, and what came of it.

    Attributes:
        number: counted from 1.
        route, endpoint, models: whom it asked, and for which models.
        fault: the kind of fault, or None if it answered.
        message: the server's words or the local cause; empty if it answered.
        status: the HTTP status of a refusal.
        seconds: how long it took.
        model, provider, generation_id, request_id: as the reply said; None if it did not.
        cost: USD, as the reply said; None if it did not.
        retry_after: seconds after which the server asked to be tried again.
        upstream: the attempts that OpenRouter made in its turn.
        begun_seconds: when it began, in seconds from the beginning of the call.
        prompt_tokens, completion_tokens: as the reply counted them; None if it did not.
        estimated: the cost was worked out from a price list, when the ledger was reconciled.
    """

    number: int
    route: str
    endpoint: str
    models: tuple[str, ...]
    fault: str | None
    message: str
    status: int | None
    seconds: float
    model: str | None = None
    provider: str | None = None
    generation_id: str | None = None
    request_id: str | None = None
    cost: float | None = None
    retry_after: float | None = None
    upstream: tuple[UpstreamAttempt, ...] = ()
    begun_seconds: float = 0.0
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    estimated: bool = False

    def __str__(self) -> str:
        """Say it in one line."""
        if self.fault is None:
            return f"{self.route} answered in {self.seconds:.1f} s"
        if self.fault == Kind.ABANDONED.value:
            return f"{self.route} was given up after {self.seconds:.1f} s: {self.message}"
        return f"{self.route} failed after {self.seconds:.1f} s, {self.why}"

    @property
    def why(self) -> str:
        """Why it failed, in one line; empty if it answered."""
        status = f" ({self.status})" if self.status else ""
        words = f": {self.message}" if self.message else ""
        return f"{self.fault}{status}{words}" if self.fault else ""


@dataclass(frozen=True)
class Served:
    """Who answered, and what it took.

    Attributes:
        model: what the response said; None if it did not say. Never what was asked.
        requested: the first model that was asked for.
        endpoint: the endpoint that answered.
        provider: who served it behind OpenRouter; None elsewhere.
        generation_id: OpenRouter's id of the generation, from the body or `X-Generation-Id`.
        request_id: the id to quote to the endpoint's support.
        cost: in USD, as reported; None if unknown.
        usage: token counts, as reported; None if unknown.
        substituted: another model than the first asked answered; None if the response did not say.
        attempts: every request of the call, oldest first.
        seconds: how long the call took.
        first_token_seconds: seconds until the first token; None where a whole body came.
        warnings: what was dropped on the way to this endpoint.
        skipped: routes that this request could not take, and why.
        finish_reason: why the answer ended, as reported ("stop", "length", …); None if the
            response did not say.
        replayed: it came from a recording, and nobody was asked.
        cached: the client had this answer already, or another thread was being given it: nothing
            was sent for it, `cost` is 0, and `attempts` are only those that failed before it was
            used. All that is said of the answer itself is what its reply said.
        stale: it had expired, and was used because nobody answered.
        age_seconds: how old a cached answer is, in seconds; None for one that is not.
    """

    model: str | None
    requested: str
    endpoint: str
    provider: str | None
    generation_id: str | None
    request_id: str | None
    cost: float | None
    usage: dict[str, Any] | None
    substituted: bool | None
    attempts: tuple[AttemptRecord, ...]
    seconds: float
    first_token_seconds: float | None
    warnings: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    finish_reason: str | None = field(default=None)
    replayed: bool = False
    cached: bool = False
    stale: bool = False
    age_seconds: float | None = None

    def explain(self) -> Sheet:
        """Tell what was tried, in which order, and what came of it."""
        rows = tuple(
            (str(a.number), a.route, f"{a.seconds:.2f} s", a.fault or "answered",
             a.message if a.fault else a.model or "an unnamed model", a.generation_id or "")
            for a in self.attempts
        )  # fmt: skip
        return Sheet(
            f"Served by {self}",
            ("", "route", "took", "outcome", "what it said", "generation"),
            rows,
            (*(f"Skipped {skipped}" for skipped in self.skipped), *self.warnings),
        )

    def __str__(self) -> str:
        """Say it in one line."""
        provider = f" ({self.provider})" if self.provider else ""
        if self.cached:
            stale = "an expired answer" if self.stale else "an answer"
            name = self.model or "an unnamed model"
            return f"{name} via {self.endpoint}{provider}, {stale} of {self.age_seconds:.1f} s ago"
        count = len(self.attempts)
        tries = f"{count} attempt" if count == 1 else f"{count} attempts"
        cost = "" if self.cost is None else f", {in_usd(self.cost)}"
        model = self.model or "an unnamed model"
        told = ", replayed" if self.replayed else ""
        return f"{model} via {self.endpoint}{provider}, {tries}, {self.seconds:.1f} s{cost}{told}"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from openrouter_resilient.cards import served_card  # noqa: PLC0415  for notebooks alone

        return served_card(self)


def make_served(
    plan: Plan,
    history: History,
    *,
    started_at: float,
    now: float,
    warnings: tuple[str, ...],
    replayed: bool = False,
) -> Served:
    """What a finished call has to say of itself; the last outcome of the history is the answer."""
    last = history[-1]
    reported, route = last.reported, last.attempt.route
    requested = plan.routes[0].models[0]
    first = reported.first_token_at
    return Served(
        model=reported.model,
        requested=requested,
        endpoint=route.endpoint,
        provider=reported.provider,
        generation_id=reported.generation_id,
        request_id=reported.request_id,
        cost=reported.cost,
        usage=reported.usage,
        substituted=_substituted(requested, route, plan.routes[0], reported),
        attempts=make_records(history, started_at),
        seconds=now - started_at,
        first_token_seconds=None if first is None else first - started_at,
        warnings=warnings,
        skipped=tuple(map(str, plan.skipped)),
        finish_reason=reported.finish_reason,
        replayed=replayed,
    )


def make_records(history: History, started_at: float | None = None) -> tuple[AttemptRecord, ...]:
    """The trail in public form, in the order in which the requests were sent.

    Args:
        history: the outcomes of the call.
        started_at: the instant at which it began; None: with its first attempt.
    """
    if not history:
        return ()
    trail = sorted(history, key=_number) if len(history) > 1 else history
    began = trail[0].started_at if started_at is None else started_at
    return tuple(_record(outcome, began) for outcome in trail)


def _number(outcome: Outcome) -> int:
    return outcome.attempt.number


def make_cancelled(begun: Begun, started_at: float, now: float) -> AttemptRecord:
    """The record of an attempt that Ctrl-C cut short; it may be billed all the same."""
    outcome = Outcome(begun.attempt, None, begun.started_at, now, reported=begun.reported)
    return replace(_record(outcome, started_at), fault=CANCELLED)


def in_usd(cost: float) -> str:
    """A cost for people, to a millionth of a dollar; what is less is not nothing."""
    if 0 < cost < 1e-6:
        return "under $0.000001"
    return f"${cost:.6f}".rstrip("0").rstrip(".")


def counted(usage: dict[str, Any] | None, name: str) -> int | None:
    """A token count as a server reported it; None where it said none, or no number."""
    count = usage.get(name) if usage else None
    return count if isinstance(count, int) and not isinstance(count, bool) else None


def _record(outcome: Outcome, began: float) -> AttemptRecord:
    fault, reported, route = outcome.fault, outcome.reported, outcome.attempt.route
    return AttemptRecord(
        number=outcome.attempt.number,
        route=str(route),
        endpoint=route.endpoint,
        models=route.models,
        fault=fault.kind.value if fault else None,
        message=(fault.message or fault.row.why) if fault else "",
        status=fault.status if fault else None,
        seconds=outcome.ended_at - outcome.started_at,
        model=reported.model,
        provider=reported.provider,
        generation_id=reported.generation_id,
        request_id=reported.request_id or (fault.request_id if fault else None),
        cost=reported.cost,
        retry_after=fault.retry_after if fault else None,
        upstream=_upstream(reported.routing),
        begun_seconds=outcome.started_at - began,
        prompt_tokens=counted(reported.usage, "prompt_tokens"),
        completion_tokens=counted(reported.usage, "completion_tokens"),
    )


def _upstream(routing: dict[str, Any] | None) -> tuple[UpstreamAttempt, ...]:
    """OpenRouter's own attempts (its `openrouter_metadata.attempts`); odd entries are left out."""
    attempts = routing.get("attempts") if routing else None
    return tuple(
        UpstreamAttempt(attempt.get("provider"), attempt.get("model"), attempt.get("status"))
        for attempt in (attempts if isinstance(attempts, list) else ())
        if isinstance(attempt, dict)
    )


def _substituted(requested: str, route: Route, first: Route, reported: Reported) -> bool | None:
    """Whether another model than the first asked answered.

    Not by string equality: the response may carry a dated canonical slug
    (`anthropic/claude-4.5-sonnet-20250929` for `anthropic/claude-sonnet-4.5`), and an alias
    (`~author/family-latest`) or a router (`openrouter/auto`) is meant to resolve to something else.
    """
    if reported.model is None:
        return None
    if route == first and len(first.models) == 1 and _is_open(requested):
        return False
    if route.endpoint != first.endpoint and bare_model(requested) != bare_model(route.models[0]):
        return True
    return not same_model(requested, _selected(reported.routing) or reported.model, reported.model)


def _is_open(model: str) -> bool:
    """An id that leaves the choice to OpenRouter: an alias, a router or a preset."""
    return model.startswith(("~", "openrouter/", "@"))


def _selected(routing: dict[str, Any] | None) -> str | None:
    """The routable id of the model that was selected, by OpenRouter's own account."""
    endpoints = routing.get("endpoints") if routing else None
    available = endpoints.get("available") if isinstance(endpoints, dict) else None
    for entry in available if isinstance(available, list) else ():
        if (
            isinstance(entry, dict)
            and entry.get("selected")
            and isinstance(entry.get("model"), str)
        ):
            return str(entry["model"])
    return None


def same_model(requested: str, *names: str) -> bool:
    """Whether one of the names that a reply gives means the model that was asked for."""
    if requested.startswith("~"):
        author, _, family = requested[1:].removesuffix("-latest").partition("/")
        wanted = set(family.split("-"))
        return any(
            name.partition("/")[0] in (author, name) and wanted <= set(bare_model(name).split("-"))
            for name in names
        )
    if requested.startswith(("openrouter/", "@")):
        return True
    return any(_means(requested, name) for name in names)


def _means(asked: str, said: str) -> bool:
    """Whether a reply names the model that was asked for; it may add a date, but exchange none.

    A direct endpoint answers an alias by its snapshot: `gpt-4` by `gpt-4-0613`. At OpenRouter such
    a name is a model of its own: `openai/gpt-4-0314`, `deepseek/deepseek-r1-0528`.
    """
    dates = [found[1] for found in map(DATE.search, (asked, said)) if found]
    if len(dates) == 2 and dates[0] != dates[1]:
        return False
    alias = said if "/" in said else re.sub(r"-\d{4}$", "", said)
    return bare_model(asked) in (bare_model(said), bare_model(alias))
