"""Examines one endpoint by its cheapest free calls: its key, its credit, the plan's models."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from openrouter_resilient.endpoints.table import Endpoint
from openrouter_resilient.health.findings import Finding, fine, problem, warning
from openrouter_resilient.health.http import Answer, Unanswered, fetch
from openrouter_resilient.health.word import bare_key
from openrouter_resilient.routing.faults import Kind
from openrouter_resilient.routing.plan import Route
from openrouter_resilient.routing.recognition import classify_reply
from openrouter_resilient.wire.clock import Clock

LIMIT_S = 10.0
LITTLE_USD = 1.0  # what a day of small calls may cost
SOON_S = 30 * 86_400.0
ANTHROPIC = {"x-api-key": "{key}", "anthropic-version": "2023-06-01"}
CREDIT_MEND = "add credit at https://openrouter.ai/settings/credits, or raise the key's limit"


@dataclass(frozen=True)
class Check:
    """How an API is asked for nothing: where its key is checked and its models are listed.

    Attributes:
        key_path: answers 401 to a wrong key.
        models_path: lists the models; None where the first does.
        native: the header that the key goes in, and others that are needed; None: a bearer token.
    """

    key_path: str
    models_path: str | None = None
    native: Mapping[str, str] | None = None


# fmt: off
CHECKS: Mapping[str, Check] = {  # by dialect; all others list their models
    "openrouter": Check("/key", "/models"),
    "anthropic":  Check("/models", native=ANTHROPIC),
}
DEFAULT = Check("/models")
MENDS: Mapping[Kind, str] = {
    Kind.UNAUTHORIZED:    "set {key} to a valid key",
    Kind.FORBIDDEN:       "give the key the rights it needs, or set {key} to another",
    Kind.NO_CREDIT:       CREDIT_MEND,
    Kind.QUOTA:           "raise the quota, or wait until it is reset",
    Kind.REFUSED:         "see whether the address ({url}) is right and something listens there",
    Kind.UNRESOLVED:      "see whether the address ({url}) is right, and name resolution works",
    Kind.TLS:             "if a proxy stands in between, set REQUESTS_CA_BUNDLE to its CA",
    Kind.REDIRECTED:      "set {url} to where it redirects",
}
# fmt: on


@dataclass(frozen=True)
class Examined:
    """What came of it.

    Attributes:
        findings: in the order they were made.
        skew: seconds by which this machine's clock is ahead of the server's; None if unknown.
    """

    findings: tuple[Finding, ...]
    skew: float | None = None


def examine(endpoint: Endpoint, routes: Sequence[Route], clock: Clock) -> Examined:
    """Ask one endpoint about its key and the models of the plan."""
    check = CHECKS.get(endpoint.dialect, DEFAULT)
    try:
        asked_at = clock.wall()
        answer = _get(endpoint, check.key_path, check)
        skew = _skew(answer, (asked_at + clock.wall()) / 2)
        if answer.status == 404 and check is DEFAULT:
            return Examined((fine(endpoint.name, "it answers, and lists no models"),), skew)
        if answer.status != 200:
            return Examined((_refused(endpoint, answer, clock),), skew)
        listed = answer if check.models_path is None else _get(endpoint, check.models_path, check)
    except Unanswered as unanswered:
        mend = f"see whether {endpoint.base_url} is right and can be reached from here"
        return Examined((problem(endpoint.name, str(unanswered), mend),))
    findings = [_key(endpoint, answer.json() if check.models_path else None)]
    findings += _models(endpoint, routes, listed, clock.wall())
    return Examined(tuple(findings), skew)


def _get(endpoint: Endpoint, path: str, check: Check) -> Answer:
    key = bare_key(endpoint)
    native = check.native or {"Authorization": "Bearer {key}"}
    headers = {name: text.format(key=key) for name, text in native.items()} if key else {}
    return fetch(endpoint.base_url + path, seconds=LIMIT_S, headers={**endpoint.headers, **headers})


def _refused(endpoint: Endpoint, answer: Answer, clock: Clock) -> Finding:
    body = answer.json()
    fault = classify_reply(answer.status, body, answer.headers, wall_now=clock.wall())
    mend = MENDS.get(fault.kind, "wait, and look at the vendor's status page")
    mend = mend.format(key=endpoint.key_variable, url=endpoint.url_variable)
    return problem(endpoint.name, f"it answers {answer.status}: {fault.row.why}", mend)


def _key(endpoint: Endpoint, facts: Any) -> Finding:
    """What a valid key is good for, as far as the API says."""
    data = facts.get("data") if isinstance(facts, dict) else None
    left = data.get("limit_remaining") if isinstance(data, dict) else None
    if not isinstance(left, int | float) or isinstance(left, bool):
        return fine(endpoint.name, "the key is accepted" if endpoint.key else "it answers")
    if left <= 0:
        return problem(endpoint.name, "the key is valid, and no credit is left on it", CREDIT_MEND)
    if left < LITTLE_USD:
        return warning(endpoint.name, f"only ${left:.2f} of credit is left on the key", CREDIT_MEND)
    return fine(endpoint.name, f"the key is accepted; ${left:.2f} of credit is left on it")


def _models(
    endpoint: Endpoint, routes: Sequence[Route], listed: Answer, wall: float
) -> list[Finding]:
    """Each model of the plan against the endpoint's list."""
    whole = listed.json()
    data = whole.get("data") if isinstance(whole, dict) else None
    rows = {
        str(row.get("id")): row
        for row in (data if isinstance(data, list) else ())
        if isinstance(row, dict)
    }
    if not rows:
        return [warning(endpoint.name, "its list of models cannot be read", "look at the ids")]
    asked = dict.fromkeys(model for route in routes for model in route.models)
    return [_model(endpoint, model, rows, wall) for model in asked]


def _model(endpoint: Endpoint, model: str, rows: Mapping[str, Any], wall: float) -> Finding:
    row = _found(model, rows)
    if row is None and model.startswith(("~", "@", "openrouter/")):
        return fine(endpoint.name, f"{model} is an alias, a preset or a router; no list has it")
    if row is None:
        near = difflib.get_close_matches(model, list(rows), n=1, cutoff=0.0)
        return problem(
            endpoint.name, f"it has no model {model}", f"did you mean {near[0]}? Mend the id"
        )
    ends_at = _instant(row.get("expiration_date"))
    if ends_at is None or ends_at - wall > SOON_S:
        return fine(endpoint.name, f"{model} is there")
    day = datetime.fromtimestamp(ends_at, timezone.utc).date()
    if ends_at <= wall:
        return problem(endpoint.name, f"{model} ended on {day}", "ask for another model")
    return warning(endpoint.name, f"{model} ends on {day}", "ask for another model before that")


def _found(model: str, rows: Mapping[str, Any]) -> Any:
    """The row of a model: by its id, its dated name, or without its variant (`:nitro`)."""
    for name in (model, model.partition(":")[0]):
        if name in rows:
            return rows[name]
        for listed, row in rows.items():
            dated = (
                listed.startswith(f"{name}-") and listed[len(name) + 1 :].replace("-", "").isdigit()
            )
            if row.get("canonical_slug") == name or dated:
                return row
    return None


def _instant(value: object) -> float | None:
    """A date as it comes (ISO, or seconds since 1970); None if it is none."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, str):
        return None
    try:
        read = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        return None
    return (read if read.tzinfo else read.replace(tzinfo=timezone.utc)).timestamp()


def _skew(answer: Answer, wall: float) -> float | None:
    try:
        return wall - parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except (ValueError, TypeError):
        return None
