"""Examines one endpoint by its cheapest free calls: its key, its credit, the plan's models."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from openrouter_resilient.endpoints.forms import dialect_of
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
DYNAMIC_VARIANTS = ("nitro", "floor", "exacto", "online")  # of any model; others are models listed


@dataclass(frozen=True)
class Check:
    """How an API is asked for nothing: where its key is checked and its models are listed.

    Attributes:
        key_path: answers 401 to a wrong key.
        models_path: lists the models; None where the first does.
        credit: where credit is added.
    """

    key_path: str
    models_path: str | None = None
    credit: str = "its vendor's page"


# fmt: off
CHECKS: Mapping[str, Check] = {  # by dialect
    "openrouter": Check("/key", "/models", "https://openrouter.ai/settings/credits"),
    "openai":     Check("/models", credit="https://platform.openai.com/settings/organization/billing"),
    "groq":       Check("/models", credit="https://console.groq.com/settings/billing"),
    "anthropic":  Check("/models", credit="https://platform.claude.com/settings/billing"),
}
DEFAULT = Check("/models")
MENDS: Mapping[Kind, str] = {
    Kind.UNAUTHORIZED:    "set {key} to a valid key",
    Kind.FORBIDDEN:       "give the key the rights it needs, or set {key} to another",
    Kind.NO_CREDIT:       "add credit at {credit}, or raise the key's limit",
    Kind.QUOTA:           "raise the quota, or wait until it is reset",
    Kind.UNKNOWN_MODEL:   "mend the model's id",
    Kind.REFUSED:         "see whether the address ({url}) is right and something listens there",
    Kind.UNRESOLVED:      "see whether the address ({url}) is right, and name resolution works",
    Kind.TLS:             "if a proxy stands in between, set REQUESTS_CA_BUNDLE to its CA",
    Kind.REDIRECTED:      "set {url} to where it redirects",
}
# fmt: on
DEFAULT_MEND = "wait, and look at the vendor's status page"


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
    check = _check_of(endpoint)
    try:
        asked_at = clock.wall()
        answer = _get(endpoint, check.key_path)
        skew = _skew(answer, (asked_at + clock.wall()) / 2)
        if answer.status in (404, 405):
            return Examined((_nothing_there(endpoint, answer.status, check),), skew)
        if answer.status != 200:
            return Examined((_refused(endpoint, answer, clock),), skew)
        listed = answer if check.models_path is None else _get(endpoint, check.models_path)
    except Unanswered as unanswered:
        mend = f"see whether {endpoint.base_url} is right and can be reached from here"
        return Examined((problem(endpoint.name, str(unanswered), mend),))
    facts = answer.json() if check.models_path else None
    findings = [_key(endpoint, facts), *_expiry(endpoint, facts, clock.wall())]
    findings += _models(endpoint, routes, listed, clock.wall())
    return Examined(tuple(findings), skew)


def _get(endpoint: Endpoint, path: str) -> Answer:
    dialect, key = dialect_of(endpoint), bare_key(endpoint)
    headers = {**dialect.headers, **endpoint.headers, **(dialect.sign(key) if key else {})}
    return fetch(endpoint.base_url + path, seconds=LIMIT_S, headers=headers)


def mend_for(endpoint: Endpoint, kind: Kind) -> str:
    """What to do about a fault of an endpoint."""
    return MENDS.get(kind, DEFAULT_MEND).format(
        key=endpoint.key_variable, url=endpoint.url_variable, credit=_check_of(endpoint).credit
    )


def _check_of(endpoint: Endpoint) -> Check:
    return CHECKS.get(endpoint.dialect, DEFAULT)


def _nothing_there(endpoint: Endpoint, status: int, check: Check) -> Finding:
    """No model was asked for: it is the address that is wrong, or a server that lists none."""
    if check is DEFAULT:
        return fine(endpoint.name, "it answers, and lists no models")
    text = f"it answers {status} to {check.key_path}, which its API has"
    mend = f"see whether {endpoint.base_url} is all of its address (up to /v1)"
    if check.models_path is None:  # a proxy of one's own in its place may list none
        return warning(endpoint.name, text, f"{mend}; --live proves it")
    return problem(endpoint.name, text, mend)


def _refused(endpoint: Endpoint, answer: Answer, clock: Clock) -> Finding:
    body = answer.json()
    fault = classify_reply(answer.status, body, answer.headers, wall_now=clock.wall())
    text = f"it answers {answer.status}: {fault.row.why}"
    return problem(endpoint.name, text, mend_for(endpoint, fault.kind))


def _key(endpoint: Endpoint, facts: Any) -> Finding:
    """What a valid key is good for, as far as the API says."""
    data = _data(facts)
    left = data.get("limit_remaining")
    if isinstance(left, int | float) and not isinstance(left, bool):
        return _credit(endpoint, left)
    if data.get("is_free_tier") is True:
        text = "the key is accepted; its account never bought credit"
        mend = f"for models that are not :free, {mend_for(endpoint, Kind.NO_CREDIT)}"
        return warning(endpoint.name, text, mend)
    if "limit_remaining" in data:
        text = "the key is accepted, and has no limit of its own; what its account has left only "
        return fine(endpoint.name, f"{text}a real prompt tells (--live)")
    return fine(endpoint.name, "the key is accepted" if endpoint.key else "it answers")


def _credit(endpoint: Endpoint, left: float) -> Finding:
    mend = mend_for(endpoint, Kind.NO_CREDIT)
    if left <= 0:
        return problem(endpoint.name, "the key is valid, and no credit is left on it", mend)
    if left < LITTLE_USD:
        return warning(endpoint.name, f"only ${left:.2f} of credit is left on the key", mend)
    return fine(endpoint.name, f"the key is accepted; ${left:.2f} of credit is left on it")


def _expiry(endpoint: Endpoint, facts: Any, wall: float) -> list[Finding]:
    """Whether the key itself is about to end."""
    ends_at = _instant(_data(facts).get("expires_at"))
    if ends_at is None or ends_at - wall > SOON_S:
        return []
    text = f"the key ends on {_day(ends_at)}"
    return [warning(endpoint.name, text, f"set {endpoint.key_variable} to a new one before that")]


def _data(facts: Any) -> Mapping[str, Any]:
    data = facts.get("data") if isinstance(facts, dict) else None
    return data if isinstance(data, dict) else {}


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
    if row is None and _is_of_no_list(model, rows):
        return fine(endpoint.name, f"{model} is an alias, a preset or a router; no list has it")
    if row is None:
        near = difflib.get_close_matches(model, list(rows), n=1, cutoff=0.0)
        return problem(
            endpoint.name, f"it has no model {model}", f"did you mean {near[0]}? Mend the id"
        )
    ends_at = _instant(row.get("expiration_date"))
    if ends_at is None or ends_at - wall > SOON_S:
        return fine(endpoint.name, f"{model} is there")
    if ends_at <= wall:
        return problem(endpoint.name, f"{model} ended on {_day(ends_at)}", "ask for another model")
    text = f"{model} ends on {_day(ends_at)}"
    return warning(endpoint.name, text, "ask for another model before that")


def _found(model: str, rows: Mapping[str, Any]) -> Any:
    """The row of a model: by its id, its dated name, or without what may follow any id."""
    name = model.partition("@")[0]  # openai/gpt-4o@preset/mine
    base, _, variant = name.partition(":")
    for wanted in (name, base) if variant in DYNAMIC_VARIANTS else (name,):
        if wanted in rows:
            return rows[wanted]
        for listed, row in rows.items():
            if row.get("canonical_slug") == wanted or _is_the_newest(listed, wanted):
                return row
    return None


def _is_the_newest(listed: str, wanted: str) -> bool:
    """Whether a name is that of a family: a date stands behind it in the list, or `:latest`."""
    rest = listed.removeprefix(wanted)
    digits = rest.replace("-", "")
    dated = rest.startswith("-") and len(digits) >= 4 and digits.isdigit()  # not 4-5 for 4
    return bool(wanted) and (dated or rest == ":latest")


def _is_of_no_list(model: str, rows: Mapping[str, Any]) -> bool:
    """Whether it is one of those that a list need not have; aliases are in some."""
    if model.startswith("~"):
        return not any(listed.startswith("~") for listed in rows)
    return model.startswith(("@", "openrouter/"))


def _instant(value: object) -> float | None:
    """A date as it comes (ISO, or seconds since 1970); None if it is none."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if math.isfinite(value) else None
    if not isinstance(value, str):
        return None
    try:
        read = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        return None
    return (read if read.tzinfo else read.replace(tzinfo=timezone.utc)).timestamp()


def _day(instant: float) -> date:
    return datetime.fromtimestamp(instant, timezone.utc).date()


def _skew(answer: Answer, wall: float) -> float | None:
    try:
        return wall - parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except (ValueError, TypeError):
        return None
