"""What is configured, whether it would work, and whether the plan outlives OpenRouter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from openrouter_resilient.endpoints.table import ENDPOINTS, Endpoint, resolve
from openrouter_resilient.errors import ConfigurationError
from openrouter_resilient.health import surroundings
from openrouter_resilient.health.examine import Examined, examine
from openrouter_resilient.health.findings import Finding, fine, problem, sound
from openrouter_resilient.health.parallel import in_parallel
from openrouter_resilient.health.probe import bill, probe_route
from openrouter_resilient.settings import Settings
from openrouter_resilient.wire.clock import Clock, SystemClock

if TYPE_CHECKING:
    from openrouter_resilient.client import Client
    from openrouter_resilient.routing.plan import Route

LIVE_S = 20.0  # for one prompt of the fire drill


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
        live: send one tiny real prompt through every direct route.
        clock: for tests.
    """
    clock = clock or SystemClock()
    endpoints = _endpoints(settings, client)
    findings = _keys(settings, endpoints)
    if isinstance(client, ConfigurationError):
        findings.append(problem("plan", str(client), "mend it, and run this again"))
        return [*findings, *_around(settings, endpoints, clock, ())]
    findings.append(fine("plan", " → ".join(map(str, client.routes))))
    by_name = _by_endpoint(client.routes)
    examined = in_parallel(
        [partial(examine, endpoints[name], routes, clock) for name, routes in by_name.items()]
    )
    found = dict(zip(by_name, examined, strict=True))
    for one in examined:
        findings += one.findings
    drilled = _drill(client, endpoints) if live else {}
    findings += drilled.values()
    findings += _around(settings, endpoints, clock, examined, by_name)
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
        moved = f"; {endpoint.base_url} ({address})" if address else ""
        if endpoint.key or origin:
            findings.append(fine(endpoint.name, f"the key comes from: {origin or 'code'}{moved}"))
        elif endpoint.name not in ENDPOINTS:
            findings.append(fine(endpoint.name, f"no key, and none may be needed{moved}"))
    if not findings:
        mend = "set OPENROUTER_API_KEY (from https://openrouter.ai/settings/keys) and, for a way "
        mend += "out when OpenRouter is down, OPENAI_API_KEY; in the environment or in a file .env"
        findings.append(problem("keys", "no key is set", mend))
    return findings


def _by_endpoint(routes: Sequence[Route]) -> dict[str, list[Route]]:
    found: dict[str, list[Route]] = {}
    for route in routes:
        found.setdefault(route.endpoint, []).append(route)
    return found


def _around(
    settings: Settings,
    endpoints: Mapping[str, Endpoint],
    clock: Clock,
    examined: Sequence[Examined],
    names: Sequence[str] | Mapping[str, object] = (),
) -> list[Finding]:
    used = list(names) or list(endpoints)
    skews = [one.skew for one in examined if one.skew is not None]
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
    """One tiny real prompt through every direct route: a fallback never used may well not work."""
    routes = [route for route in client.routes if _is_direct(endpoints[route.endpoint])]
    round_ = in_parallel([partial(probe_route, client, route, seconds=LIVE_S) for route in routes])
    mend = "mend the key, the model or the account; see the provider's own words in a call's error"
    found = {
        probed.route: fine("fire drill", str(probed))
        if probed.up
        else problem("fire drill", str(probed), mend)
        for probed in round_
    }
    return {**found, "bill": fine("fire drill", bill(round_))} if found else {}


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
            return fine("OpenRouter's loss", text)
        return fine("OpenRouter's loss", f"{text}; --live proves it")
    if direct:
        return problem("OpenRouter's loss", "no fallback works", "mend what stands above")
    mend = "set OPENAI_API_KEY, GROQ_API_KEY or ANTHROPIC_API_KEY, or add an endpoint of your own"
    return problem("OpenRouter's loss", "nobody would answer: there is no direct route", mend)
