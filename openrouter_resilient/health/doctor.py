"""What is configured, whether it would work, and whether the plan outlives OpenRouter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from openrouter_resilient.endpoints.table import ENDPOINTS, Endpoint, nearest_route, resolve
from openrouter_resilient.errors import ConfigurationError
from openrouter_resilient.health import surroundings
from openrouter_resilient.health.examine import Examined, examine, mend_for
from openrouter_resilient.health.findings import Finding, advice, fine, problem, sound
from openrouter_resilient.health.parallel import in_parallel
from openrouter_resilient.health.probe import Probed, bill, probe
from openrouter_resilient.routing.faults import Kind
from openrouter_resilient.settings import Settings
from openrouter_resilient.wire.clock import Clock, SystemClock

if TYPE_CHECKING:
    from openrouter_resilient.client import Client
    from openrouter_resilient.routing.plan import Route

LIVE_S = 20.0  # for one prompt of the fire drill
LOSS = "OpenRouter's loss"
MEND_ABOVE = "mend what stands above"


def diagnose(
    settings: Settings,
    client: Client | ConfigurationError,
    *,
    live: bool = False,
    clock: Clock | None = None,
) -> list[Finding]:
    """Examine a set-up.

    Args:
        settings: where it comes from.
        client: one that shares nothing, or why there is none.
        live: send one tiny real prompt through every route.
        clock: for tests.
    """
    clock = clock or SystemClock()
    endpoints = _endpoints(settings, client)
    findings = _keys(settings, endpoints)
    if isinstance(client, ConfigurationError):
        if sound(findings):  # else it says the same
            findings.append(problem("plan", str(client), "mend it, and run this again"))
        around = _around(settings, endpoints, clock, {})
        return [*findings, *around, problem(LOSS, "nobody would answer", MEND_ABOVE)]
    findings.append(fine("plan", " → ".join(map(str, client.routes))))
    by_name = _by_endpoint(client.routes)
    examined = in_parallel(
        [partial(examine, endpoints[name], routes, clock) for name, routes in by_name.items()]
    )
    found = dict(zip(by_name, examined, strict=True))
    for one in examined:
        findings += one.findings
    findings += _advice(client, found)
    drilled = _drill(client, endpoints) if live else {}
    findings += drilled.values()
    findings += _around(settings, endpoints, clock, found)
    findings.append(_survival(endpoints, found, drilled, client.routes))
    return findings


def _endpoints(settings: Settings, client: Client | ConfigurationError) -> Mapping[str, Endpoint]:
    if not isinstance(client, ConfigurationError):
        return client.endpoints
    try:
        return resolve(settings)
    except ConfigurationError:
        return ENDPOINTS


def _keys(settings: Settings, endpoints: Mapping[str, Endpoint]) -> list[Finding]:
    """Where each key came from, never the key."""
    findings = []
    for endpoint in endpoints.values():
        origin = settings.origin(endpoint.key_variable)
        address = settings.origin(endpoint.url_variable)
        # Not where it could not be used, or was not: then the endpoint's address is not from there.
        heeded = (settings.read(endpoint.url_variable) or "").rstrip("/") == endpoint.base_url
        moved = f"; {endpoint.base_url} ({address})" if heeded else ""
        if endpoint.key or origin:
            findings.append(fine(endpoint.name, f"the key comes from: {origin or 'code'}{moved}"))
        elif endpoint.name not in ENDPOINTS:
            findings.append(fine(endpoint.name, f"no key, and none may be needed{moved}"))
    if not findings:
        mend = "set OPENROUTER_API_KEY (from https://openrouter.ai/settings/keys) and, for a way "
        mend += "out when OpenRouter is down, OPENAI_API_KEY; in the environment or in a file .env"
        findings.append(problem("keys", "no key is set", mend))
    return findings


def _advice(client: Client, found: Mapping[str, Examined]) -> list[Finding]:
    """A route that would be nearer to the plan's first choice than the one behind it."""
    first = client.routes[0]
    nearest = nearest_route(client.routes, client.endpoints)
    if nearest is None or not sound(found[first.endpoint].findings):
        return []
    text = f"{nearest.endpoint} makes {first.models[0]}, and its key is set"
    mend = f"put {nearest} first among the fallbacks: nothing is nearer to your first choice"
    return [advice("plan", text, mend)]


def _by_endpoint(routes: Sequence[Route]) -> dict[str, list[Route]]:
    found: dict[str, list[Route]] = {}
    for route in routes:
        found.setdefault(route.endpoint, []).append(route)
    return found


def _around(
    settings: Settings,
    endpoints: Mapping[str, Endpoint],
    clock: Clock,
    found: Mapping[str, Examined],
) -> list[Finding]:
    """What stands around the endpoints that were examined, or around all of them if none was."""
    used = list(found or endpoints)
    # By the clocks of vendors: that of a server of one's own may be this machine's, or off itself.
    skews = [one.skew for name, one in found.items() if name in ENDPOINTS and one.skew is not None]
    return [
        *surroundings.redis(settings, used, clock),
        *surroundings.alerts(settings, clock),
        *surroundings.ledger(settings),
        *surroundings.clock_of(skews),
        *surroundings.network(endpoints[name] for name in used),
    ]


def _is_direct(endpoint: Endpoint) -> bool:
    """Whether it serves when OpenRouter does not."""
    return endpoint.most_models == 1


def _drill(client: Client, endpoints: Mapping[str, Endpoint]) -> dict[str, Finding]:
    """One tiny real prompt through every route: a fallback never used may well not work.

    Through OpenRouter, too: that its account has no credit is shown by no free call.
    """
    round_ = probe(client, seconds=LIVE_S)
    found = {one.route: _drilled(one, endpoints[one.endpoint]) for one in round_}
    return {**found, "bill": fine("fire drill", bill(round_))}


def _drilled(probed: Probed, endpoint: Endpoint) -> Finding:
    if probed.up:
        return fine("fire drill", str(probed))
    mend = mend_for(endpoint, Kind(probed.fault)) if probed.fault else "see what it says"
    return problem("fire drill", str(probed), mend)


def _survival(
    endpoints: Mapping[str, Endpoint],
    examined: Mapping[str, Examined],
    drilled: Mapping[str, Finding],
    routes: Sequence[Route],
) -> Finding:
    """Whether calls would be answered with OpenRouter gone."""
    direct = [route for route in routes if _is_direct(endpoints[route.endpoint])]
    ways_out = [
        str(route)
        for route in direct
        if sound(examined[route.endpoint].findings)
        and (str(route) not in drilled or sound([drilled[str(route)]]))
    ]
    if ways_out:
        text = f"calls would be answered by {', '.join(ways_out)}"
        if drilled:
            return fine(LOSS, text)
        return fine(LOSS, f"{text}; --live proves it")
    if direct:
        return problem(LOSS, "no fallback works", MEND_ABOVE)
    mend = "set OPENAI_API_KEY, GROQ_API_KEY or ANTHROPIC_API_KEY, or add an endpoint of your own"
    return problem(LOSS, "nobody would answer: there is no direct route", mend)
