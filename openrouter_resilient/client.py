"""The client: settings in, calls out."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Literal

from openrouter_resilient.abilities import Abilities
from openrouter_resilient.call import Call, Carrier
from openrouter_resilient.endpoints.forms import objection
from openrouter_resilient.endpoints.table import DEFAULT_MODELS, Endpoint, make_routes, resolve
from openrouter_resilient.errors import ConfigurationError
from openrouter_resilient.routing.deadline import Deadline
from openrouter_resilient.routing.faults import Fault
from openrouter_resilient.routing.plan import Limits, Route, make_plan
from openrouter_resilient.served import Served
from openrouter_resilient.settings import (
    DEADLINE_VARIABLE,
    FALLBACKS_VARIABLE,
    MODELS_VARIABLE,
    Settings,
    check_seconds,
)
from openrouter_resilient.shapes import Completion, Request, make_request
from openrouter_resilient.stream import Stream
from openrouter_resilient.telling import log_served
from openrouter_resilient.wire.clock import Clock, SystemClock
from openrouter_resilient.wire.exchange import Exchange
from openrouter_resilient.wire.transport import RequestsTransport, Transport

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from openrouter_resilient.features.models import Models
    from openrouter_resilient.parameters import Parameters

DEADLINE_S = 120.0
FIRST_TOKEN_S = 10.0  # three times what a busy model takes at its 99th percentile
CHARACTERS_A_SECOND = 40_000  # what reading a long prompt adds to it
Wire = Literal["stream", "whole"]


class Client(Abilities):
    """Asks for completions, and gets them whatever happens to a provider.

    Thread-safe; make one and share it. Usable as a context manager.
    """

    def __init__(  # noqa: PLR0913  a client's settings, all but the first by name
        self,
        models: str | Sequence[str] | None = None,
        *,
        fallbacks: Sequence[str] | None = None,
        deadline: float | None = None,
        api_key: str | None = None,
        base_url: str | None = None,
        keys: Mapping[str, str] | None = None,
        base_urls: Mapping[str, str] | None = None,
        endpoints: Sequence[Endpoint] = (),
        first_token_timeout: float | None = None,
        stall_timeout: float = 15.0,
        connect_timeout: float = 5.0,
        rounds: int = 2,
        wire: Wire = "stream",
        transport: Transport | None = None,
        clock: Clock | None = None,
        jitter: Callable[[], float] = random.random,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        """Set up a client; nothing is sent yet.

        Args:
            models: one or more OpenRouter ids, most preferred first. None:
                OPENROUTER_RESILIENT_MODELS, or else Claude, GPT and Llama in their newest form.
            fallbacks: routes to ask when OpenRouter cannot serve, such as
                `["openai:gpt-4o", "groq:llama-3.3-70b-versatile"]`; `()` for none. None:
                OPENROUTER_RESILIENT_FALLBACKS, or else every direct endpoint whose key is set.
            deadline: seconds for a whole call, failover included. None:
                OPENROUTER_RESILIENT_DEADLINE, or else 120.
            api_key, base_url: OpenRouter's; None: OPENROUTER_API_KEY, OPENROUTER_BASE_URL.
            keys, base_urls: by endpoint name, for the others.
            endpoints: your own, such as `Endpoint("vllm", "http://localhost:8000/v1")`.
            first_token_timeout: seconds an attempt may be silent while another route stands behind
                it; None: 10, and 1 more for every 40,000 characters of prompt, and no limit but a
                fair share of the deadline for a request that reasons.
            stall_timeout: seconds between two tokens.
            connect_timeout: seconds for name resolution, connection and TLS together.
            rounds: how many turns each route may have.
            wire: "whole" asks for one JSON body instead of a stream.
            transport, clock, jitter: what the client reaches the world through; for tests.
            environment, folder: where settings are read; None: the process's own.

        Raises:
            ConfigurationError: a key is missing, or something given is malformed.
        """
        self._options: dict[str, Any] = {
            "models": models, "fallbacks": fallbacks, "deadline": deadline, "base_url": base_url,
            "base_urls": base_urls, "endpoints": tuple(endpoints), "stall_timeout": stall_timeout,
            "first_token_timeout": first_token_timeout, "connect_timeout": connect_timeout,
            "rounds": rounds, "wire": wire,
        }  # fmt: skip
        check_seconds(
            deadline=deadline, first_token_timeout=first_token_timeout,
            stall_timeout=stall_timeout, connect_timeout=connect_timeout,
        )  # fmt: skip
        if rounds < 1:
            raise ConfigurationError(f"rounds must be at least 1, not {rounds}")
        if wire not in ("stream", "whole"):
            raise ConfigurationError(f'wire must be "stream" or "whole", not {wire!r}')
        settings = Settings(
            _arguments(api_key, base_url, keys or {}, base_urls or {}),
            environment=environment,
            folder=folder,
        )
        self._endpoints = resolve(settings, endpoints)
        self._models = _listed(models) or settings.listed(MODELS_VARIABLE) or list(DEFAULT_MODELS)
        self._fallbacks = settings.listed(FALLBACKS_VARIABLE) if fallbacks is None else fallbacks
        self._routes = make_routes(self._models, self._fallbacks, self._endpoints)
        self._deadline = deadline or settings.seconds(DEADLINE_VARIABLE) or DEADLINE_S
        check_seconds(deadline=self._deadline)
        self._limits = Limits(first_token_timeout, stall_timeout, rounds)
        self._wire: Wire = wire
        self._carrier = Carrier(
            self._endpoints,
            transport=transport or RequestsTransport(connect_timeout),
            clock=clock or SystemClock(),
            jitter=jitter,
        )
        self._catalogue: Models | None = None

    def complete(  # noqa: PLR0913  what one call may set, all by name
        self,
        prompt: str | Sequence[object],
        *,
        system: str | None = None,
        model: str | None = None,
        models: str | Sequence[str] | None = None,
        fallbacks: Sequence[str] | None = None,
        deadline: float | None = None,
        first_token_timeout: float | None = None,
        wire: Wire | None = None,
        **params: Unpack[Parameters],
    ) -> Completion:
        """Ask once, and answer whatever happens to the provider.

        Args:
            prompt: a text, or messages in chat-completions form (role, content), oldest first; a
                list of texts, `image(…)` and `file(…)` is one message.
            system: a system text, put before them.
            model, models: OpenRouter ids for this call, most preferred first; None: the client's.
            fallbacks: routes for this call; None: the client's.
            deadline: seconds for the whole call, failover included; None: the client's.
            first_token_timeout: seconds; None: the client's.
            wire: "whole" asks for one JSON body; None: the client's.
            **params: everything else of the chat-completions body (temperature, max_tokens,
                provider, …), as OpenRouter spells it; `tools` may hold Python functions.

        Returns:
            The completion; `.served` says who gave it. `.text` is empty if only tools are called.

        Raises:
            ConfigurationError: no route can carry this request.
            TypeError, ValueError: the prompt or a parameter is malformed; nothing was sent.
            RequestRefused: the request itself is at fault; sent once, no fallback asked.
            DeadlineExceeded: nobody answered in time. `.history` has every attempt.
            RoutesExhausted: every route had its turns.

        Source: https://openrouter.ai/docs/api_reference/errors-and-debugging (what a status means).
        """
        call = self._call(
            prompt, system, params, _listed(models) or _listed(model), fallbacks, deadline,
            first_token_timeout, wire or self._wire,
        )  # fmt: skip
        return self._answer(call)

    def stream(  # noqa: PLR0913  what one call may set, all by name
        self,
        prompt: str | Sequence[object],
        *,
        system: str | None = None,
        model: str | None = None,
        models: str | Sequence[str] | None = None,
        fallbacks: Sequence[str] | None = None,
        deadline: float | None = None,
        first_token_timeout: float | None = None,
        **params: Unpack[Parameters],
    ) -> Stream:
        """Ask once, and hand the answer over as it comes.

        Failover is invisible until the first token; a break after it raises `StreamInterrupted`
        from the iteration. Arguments and exceptions are those of `complete`.

        Returns:
            The stream, whose first token has come. Use it as a context manager.
        """
        call = self._call(
            prompt, system, params, _listed(models) or _listed(model), fallbacks, deadline,
            first_token_timeout, "stream",
        )  # fmt: skip
        exchange, ready = self._carrier.run(call, drain=False)

        def ended(exchange: Exchange, fault: Fault | None) -> Served:
            return self._carrier.stream_ended(call, exchange, fault)

        return Stream(exchange, ready, ended)

    @property
    def endpoints(self) -> Mapping[str, Endpoint]:
        """The endpoints that routes may name, with the URLs and (hidden) keys in use."""
        return MappingProxyType(self._endpoints)

    def close(self) -> None:
        """Close every connection. A call that is still running ends by itself."""
        self._carrier.close()

    def __enter__(self) -> Self:
        """Close it at the end of the block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        """Travel without keys: they are read again from the environment where it arrives."""
        bare = tuple(replace(endpoint, key=None) for endpoint in self._options["endpoints"])
        return {**self._options, "endpoints": bare}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Arrive: a new client with the same settings and connections of its own."""
        self.__init__(**state)  # type: ignore[misc]  # the settings are its arguments

    def __repr__(self) -> str:
        """Name the routes."""
        return f"<Client {' → '.join(map(str, self._routes))}>"

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
    ) -> Call:
        """Check a call and plan it."""
        for name in ("stream", "messages"):
            if name in params:
                raise TypeError(f"{name} is no parameter here; {_INSTEAD[name]}")
        request = self._request(prompt, system, params)
        routes = self._chosen(models, fallbacks)
        return self._planned(request, routes, deadline, first_token, wire)

    def _request(self, prompt: Any, system: str | None, params: Mapping[str, Any]) -> Request:
        """Check a request; pictures and functions become what goes over the wire."""
        if not isinstance(prompt, str):
            from openrouter_resilient.features.media import as_messages  # noqa: PLC0415  seldom

            prompt = as_messages(prompt)
        if params.get("tools"):
            from openrouter_resilient.features.tools import definitions  # noqa: PLC0415  seldom

            params = {**params, "tools": definitions(params["tools"])}
        return make_request(prompt, system, params)

    def _chosen(
        self, models: list[str] | None, fallbacks: Sequence[str] | None
    ) -> tuple[Route, ...]:
        """The routes of a call."""
        if not models and fallbacks is None:
            return self._routes
        chosen = self._fallbacks if fallbacks is None else fallbacks
        return make_routes(models or self._models, chosen, self._endpoints)

    def _planned(
        self,
        request: Request,
        routes: Sequence[Route],
        deadline: float | None,
        first_token: float | None,
        wire: Wire,
    ) -> Call:
        """Plan a call."""
        check_seconds(deadline=deadline, first_token_timeout=first_token)
        now = self._carrier.clock.now()
        plan = make_plan(
            routes,
            deadline=Deadline.after(deadline or self._deadline, now),
            limits=replace(self._limits, first_token=self._patience(request, first_token, wire)),
            objection=lambda route: self._objection(request, route),
        )
        if not plan.routes:
            raise ConfigurationError(
                f"no route can carry this request. {'; '.join(map(str, plan.skipped))}"
            )
        return Call(request, plan, wire == "stream", now)

    def _objection(self, request: Request, route: Route) -> str | None:
        """Why this request may not go there, by its API and by what is known of its models."""
        why = objection(request, self._endpoints[route.endpoint], route)
        if why is None and self._catalogue is not None:
            return self._catalogue.objection(request, route)
        return why

    def _answer(self, call: Call) -> Completion:
        """Carry a call out, and put its record beside the answer."""
        exchange, _ = self._carrier.run(call, drain=True)
        served = self._carrier.served(call)
        completion = exchange.completion()
        completion._served = served  # noqa: SLF001  one package; users may only read it
        log_served(served)
        return completion

    def _patience(self, request: Request, given: float | None, wire: Wire) -> float | None:
        """Seconds until a first token; None where silence means nothing."""
        given = given or self._limits.first_token
        if given is not None:
            return given
        if wire == "whole" or request.reasons:
            return None
        return FIRST_TOKEN_S + request.characters / CHARACTERS_A_SECOND


_INSTEAD = {
    "stream": "call client.stream(…)",
    "messages": "give them as the prompt",
}


def _arguments(
    api_key: str | None,
    base_url: str | None,
    keys: Mapping[str, str],
    base_urls: Mapping[str, str],
) -> dict[str, str | None]:
    """Arguments under the names of the variables that they stand for."""
    by_name = {"openrouter": api_key, **keys}
    urls = {"openrouter": base_url, **base_urls}
    return {
        **{f"{name.upper().replace('-', '_')}_API_KEY": key for name, key in by_name.items()},
        **{f"{name.upper().replace('-', '_')}_BASE_URL": url for name, url in urls.items()},
    }


def _listed(models: str | Sequence[str] | None) -> list[str] | None:
    if models is None:
        return None
    listed = [models] if isinstance(models, str) else list(models)
    if not listed or not all(isinstance(model, str) and model.strip() for model in listed):
        raise ConfigurationError("models must be one or more ids, such as openai/gpt-4o")
    return listed
