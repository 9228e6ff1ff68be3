"""From what a caller asks for to a call that can be carried out: checked, priced, planned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from openrouter_resilient.call import Call, Carrier
from openrouter_resilient.endpoints.dialects import implied
from openrouter_resilient.endpoints.forms import objection
from openrouter_resilient.endpoints.table import Endpoint, make_routes
from openrouter_resilient.errors import ConfigurationError
from openrouter_resilient.given import check_parameters, check_seconds, check_wire, routes_of
from openrouter_resilient.routing.deadline import Deadline
from openrouter_resilient.routing.plan import Limits, Route, make_plan
from openrouter_resilient.shapes import Request, make_request
from openrouter_resilient.surface import Surface

if TYPE_CHECKING:
    from openrouter_resilient.features.models import Models
    from openrouter_resilient.features.spending import Spending

FIRST_TOKEN_S = 10.0  # three times what a busy model takes at its 99th percentile
CHARACTERS_A_SECOND = 40_000  # what reading a long prompt adds to it
Wire = Literal["stream", "whole"]


class Planner(Surface):
    """The part of a client that makes calls out of what is asked, and sends nothing."""

    _carrier: Carrier
    _catalogue: Models | None
    _deadline: float
    _endpoints: Mapping[str, Endpoint]
    _fallbacks: Sequence[str] | None
    _limits: Limits
    _max_price: Mapping[str, float] | None
    _models: list[str]
    _routes: tuple[Route, ...]

    def _call(  # noqa: PLR0913, PLR0917  the arguments of a call, in the order of its signature
        self,
        prompt: Any,
        system: str | None,
        params: Mapping[str, Any],
        models: list[str] | None,
        fallbacks: Sequence[str] | None,
        deadline: float | None,
        first_token: float | None,
        wire: Wire,
        hedge_after: float | None,
        max_cost: float | Spending | None,
    ) -> Call:
        """Check a call and plan it."""
        check_parameters(params)
        request = self._request(prompt, system, params)
        routes = self._chosen(models, fallbacks)
        return self._planned(request, routes, deadline, first_token, wire, hedge_after, max_cost)

    def _request(self, prompt: Any, system: str | None, params: Mapping[str, Any]) -> Request:
        """Check a request; pictures and functions become what goes over the wire."""
        if not isinstance(prompt, str):
            from openrouter_resilient.features.media import as_messages  # noqa: PLC0415  seldom

            prompt = as_messages(prompt)
        if params.get("tools"):
            from openrouter_resilient.features.tools import definitions  # noqa: PLC0415  seldom

            params = {**params, "tools": definitions(params["tools"])}
        return make_request(prompt, system, self._priced(params, self._max_price))

    def _chosen(
        self, models: list[str] | None, fallbacks: Sequence[str] | None
    ) -> tuple[Route, ...]:
        """The routes of a call."""
        if not models and fallbacks is None:
            return self._routes
        chosen = self._fallbacks if fallbacks is None else routes_of(fallbacks)
        return make_routes(models or self._models, chosen, self._endpoints)

    def _planned(  # noqa: PLR0913, PLR0917  what a plan is made of
        self,
        request: Request,
        routes: Sequence[Route],
        deadline: float | None,
        first_token: float | None,
        wire: Wire,
        hedge_after: float | None = None,
        max_cost: float | Spending | None = None,
    ) -> Call:
        """Plan a call."""
        check_wire(wire)
        check_seconds(deadline=deadline, first_token_timeout=first_token, hedge_after=hedge_after)
        now = self._carrier.clock.now()
        limits = self._limits
        plan = make_plan(
            routes,
            deadline=Deadline.after(deadline or self._deadline, now),
            limits=Limits(
                first_token=self._patience(request, first_token, wire),
                stall=limits.stall,
                rounds=limits.rounds,
                hedge_after=hedge_after or limits.hedge_after,
            ),
            objection=partial(self._objection, self._with_implied(request, routes)),
        )
        if not plan.routes:
            raise ConfigurationError(
                f"no route can carry this request. {'; '.join(map(str, plan.skipped))}"
            )
        call = Call(request, plan, wire == "stream", now)
        return self._furnished(call, max_cost)

    def _with_implied(self, request: Request, routes: Sequence[Route]) -> Request:
        """The request with what its OpenRouter models ask for, as other endpoints must see it."""
        several = (route for route in routes if self._endpoints[route.endpoint].most_models > 1)
        asked = implied([model for route in several for model in route.models])
        return replace(request, parameters={**asked, **request.parameters}) if asked else request

    def _objection(self, request: Request, route: Route) -> str | None:
        """Why this request may not go there, by its API and by what is known of its models."""
        why = objection(request, self._endpoints[route.endpoint], route)
        if why is None and self._catalogue is not None:
            return self._catalogue.objection(request, route)
        return why

    def _patience(self, request: Request, given: float | None, wire: Wire) -> float | None:
        """Seconds until a first token; None where silence means nothing."""
        given = given or self._limits.first_token
        if given is not None:
            return given
        if wire == "whole" or request.reasons:
            return None
        return FIRST_TOKEN_S + request.characters / CHARACTERS_A_SECOND
