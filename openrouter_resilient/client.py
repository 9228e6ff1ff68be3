"""The client: settings in, calls out."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any

from openrouter_resilient.abilities import Abilities
from openrouter_resilient.call import Call, Carrier
from openrouter_resilient.endpoints.table import DEFAULT_MODELS, Endpoint, make_routes, resolve
from openrouter_resilient.errors import ConfigurationError
from openrouter_resilient.given import (
    by_variable,
    check_counts,
    check_limits,
    check_named,
    check_seconds,
    check_wire,
    listed,
    routes_of,
)
from openrouter_resilient.ledger.ledger import Ledger
from openrouter_resilient.observers import Observer, Observers, tell_what_waits
from openrouter_resilient.planning import Planner, Wire
from openrouter_resilient.routing.plan import Limits, Route
from openrouter_resilient.settings import (
    DEADLINE_VARIABLE,
    FALLBACKS_VARIABLE,
    LEDGER_VARIABLE,
    MODELS_VARIABLE,
    Settings,
)
from openrouter_resilient.shapes import Completion
from openrouter_resilient.stream import Stream
from openrouter_resilient.surface import shared_through
from openrouter_resilient.telling import log_served
from openrouter_resilient.wire.clock import Clock, SystemClock
from openrouter_resilient.wire.transport import RequestsTransport, Transport

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from openrouter_resilient.features.models import Models
    from openrouter_resilient.health.report import HealthReport
    from openrouter_resilient.parameters import Parameters
    from openrouter_resilient.transports.chaos import Chaos
    from openrouter_resilient.transports.replay import Replay

DEADLINE_S = 120.0


class Client(Abilities, Planner):
    """Asks for completions, and gets them whatever happens to a provider.

    Thread-safe; make one and share it. Usable as a context manager. Every time is in seconds.

    Example:
        with Client("openai/gpt-4o", fallbacks=["openai:gpt-4o"], deadline=30) as client:
            print(client.complete("Name three rivers."))
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
        chaos: Chaos | None = None,
        record: str | Path | None = None,
        replay: str | Path | Replay | None = None,
        hedge_after: float | None = None,
        max_cost: float | None = None,
        max_price: Mapping[str, float] | None = None,
        cache_seconds: float | None = None,
        stale_if_error: float | None = None,
        cache_entries: int = 1_000,
        cache_bytes: int = 64 * 1024 * 1024,
        ledger: str | Path | None = None,
        keep_text: bool = False,
        on_call: Observer | Sequence[Observer] = (),
        redis_url: str | None = None,
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
            chaos: faults to inject under every policy, for a rehearsal in staging.
            record: a file to keep each request and its answer in, texts included, keys never.
            replay: a file to answer from, with no key and no network.
            hedge_after: seconds without a token after which the next route is asked, too; the
                first to speak wins. None: never.
            max_cost: USD, as reported, after which this client sends nothing more.
            max_price: OpenRouter's `provider.max_price`, such as `{"prompt": 1, "completion": 2}`:
                USD for a million tokens.
            cache_seconds: how long `complete` gives the same answer to the same request.
            stale_if_error: seconds more that it may do so while nobody answers.
            cache_entries, cache_bytes: how many answers are kept, and how large together.
            ledger: the file that keeps the record of all calls, such as "calls.db". None:
                OPENROUTER_RESILIENT_LEDGER (which a replay leaves alone: nobody was asked or paid);
                `""`, or none set: the last 1,000 calls are kept, in memory.
            keep_text: prompts and answers are kept in the record, too.
            on_call: called with the `CallRecord` of each finished call, before its answer is
                handed over; one function or several.
            redis_url: a Redis through which processes share what they know of endpoints, such as
                `redis://localhost:6379/0`; `""` for none. None: REDIS_URL, or else none.
            transport, clock, jitter: what the client reaches the world through; for tests.
            environment, folder: where settings are read; None: the process's own.

        Raises:
            ConfigurationError: a key is missing, or something given is malformed.
        """
        self._options: dict[str, Any] = {
            "models": models, "fallbacks": fallbacks, "deadline": deadline, "base_url": base_url,
            "base_urls": base_urls, "endpoints": tuple(endpoints), "stall_timeout": stall_timeout,
            "first_token_timeout": first_token_timeout, "connect_timeout": connect_timeout,
            "rounds": rounds, "wire": wire, "chaos": chaos, "record": record, "replay": replay,
            "hedge_after": hedge_after, "max_cost": max_cost,
            "max_price": max_price, "cache_seconds": cache_seconds,
            "stale_if_error": stale_if_error, "cache_entries": cache_entries,
            "cache_bytes": cache_bytes, "ledger": ledger, "keep_text": keep_text,
            "on_call": on_call,
            "redis_url": redis_url and None,  # may hold a password; REDIS_URL is read on arrival
        }  # fmt: skip
        check_seconds(
            deadline=deadline, first_token_timeout=first_token_timeout, hedge_after=hedge_after
        )
        check_limits(stall_timeout=stall_timeout, connect_timeout=connect_timeout)
        check_counts(rounds=rounds, cache_entries=cache_entries, cache_bytes=cache_bytes)
        if rounds < 1:
            raise ConfigurationError(f"rounds must be at least 1, not {rounds}")
        check_wire(wire)
        settings = Settings(
            by_variable(api_key, base_url, keys or {}, base_urls or {}),
            environment=environment,
            folder=folder,
        )
        clock = clock or SystemClock()
        transport = transport or RequestsTransport(connect_timeout)
        self._endpoints = resolve(settings, endpoints)
        check_named((*(keys or ()), *(base_urls or ())), self._endpoints)
        if (chaos, record, replay) != (None, None, None):
            from openrouter_resilient.transports import arrange  # noqa: PLC0415  few want them

            transport, self._endpoints = arrange(
                transport, self._endpoints, clock, chaos=chaos, record=record, replay=replay
            )
        self._models = listed(models) or settings.listed(MODELS_VARIABLE) or list(DEFAULT_MODELS)
        self._fallbacks = routes_of(fallbacks)
        if self._fallbacks is None:
            self._fallbacks = settings.listed(FALLBACKS_VARIABLE)
        self._routes = make_routes(self._models, self._fallbacks, self._endpoints)
        self._deadline = deadline or settings.seconds(DEADLINE_VARIABLE) or DEADLINE_S
        check_seconds(deadline=self._deadline)
        self._limits = Limits(first_token_timeout, stall_timeout, rounds, hedge_after)
        self._max_price = max_price
        self._wire: Wire = wire
        if ledger is None and replay is None:
            ledger = settings.read(LEDGER_VARIABLE)
        self._ledger = Ledger(ledger, self._endpoints)
        told = (on_call,) if callable(on_call) else tuple(on_call)
        self._carrier = Carrier(
            self._endpoints,
            transport=transport,
            clock=clock,
            jitter=jitter,
            observers=Observers((self._ledger.add, *told), keep_text=keep_text),
            shared=shared_through(redis_url, settings, self._endpoints),
        )
        self._catalogue: Models | None = None
        self._prepare(max_cost, cache_seconds, stale_if_error, (cache_entries, cache_bytes))

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
        hedge_after: float | None = None,
        max_cost: float | None = None,
        cache_seconds: float | None = None,
        stale_if_error: float | None = None,
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
            first_token_timeout: seconds that an attempt may be silent while another route stands
                behind it; None: the client's.
            wire: "whole" asks for one JSON body; None: the client's.
            hedge_after: seconds until the next route is asked, too; None: the client's.
            max_cost: USD, as reported, after which this call sends nothing more.
            cache_seconds, stale_if_error: seconds that an answer to the same request serves again,
                and longer while nobody answers; 0 for neither; None: the client's.
            **params: everything else of the chat-completions body (temperature, max_tokens,
                provider, …), as OpenRouter spells it; `tools` may hold Python functions.

        Returns:
            The completion. `str()` of it, or `.text`, is the text, empty if only tools are called;
            `.tool_calls` are those; `.served` says who gave it, what it cost (USD) and what was
            tried; the rest is as in the `openai` package.

        Raises:
            ConfigurationError: no route can carry this request.
            TypeError, ValueError: the prompt or a parameter is malformed; nothing was sent.
            RequestRefused: the request itself is at fault; sent once, no fallback asked.
            DeadlineExceeded: nobody answered in time. `.history` has every attempt.
            RoutesExhausted: every route had its turns. `.history` has every attempt.
            SpendingCapReached: `max_cost` was reached before anybody answered.
            NotRecorded: the client replays a recording in which this request is not.

        Example:
            answer = client.complete("Name three rivers.", system="One line.", temperature=0.2)
            print(answer, answer.served)

        Source: https://openrouter.ai/docs/api_reference/errors-and-debugging (what a status means).
        """
        call = self._call(
            prompt, system, params, listed(models) or listed(model), fallbacks, deadline,
            first_token_timeout, wire or self._wire, hedge_after, max_cost,
        )  # fmt: skip
        with self._carrier.observers.watch(call, self._carrier.clock):
            return self._through_cache(call, self._ask, cache_seconds, stale_if_error)

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
        hedge_after: float | None = None,
        max_cost: float | None = None,
        **params: Unpack[Parameters],
    ) -> Stream:
        """Ask once, and hand the answer over as it comes.

        Failover is invisible until the first token; a break after it raises `StreamInterrupted`
        from the iteration, and nothing is generated again. At the end of a notebook's cell a stream
        is shown there as it comes.

        Args:
            prompt, system, model, models, fallbacks: as for `complete`.
            deadline, first_token_timeout, hedge_after: seconds, as for `complete`.
            max_cost: USD, as for `complete`.
            **params: as for `complete`.

        Returns:
            The stream, whose first token has come. Iterate it for pieces of text; afterwards
            `.completion` and `.served` are those of the whole. Use it as a context manager, so that
            leaving early ends the generation.

        Raises:
            ResilientError, TypeError, ValueError: as `complete` does.

        Example:
            with client.stream("Tell me about the Danube.") as stream:
                for text in stream:
                    print(text, end="", flush=True)
        """
        call = self._call(
            prompt, system, params, listed(models) or listed(model), fallbacks, deadline,
            first_token_timeout, "stream", hedge_after, max_cost,
        )  # fmt: skip
        with self._carrier.observers.watch(call, self._carrier.clock, "stream"):
            exchange, ready = self._carrier.run(call, drain=False)
        ended = partial(self._carrier.stream_ended, call)
        return Stream(exchange, ready, ended, partial(self._carrier.stream_dropped, call))

    @property
    def endpoints(self) -> Mapping[str, Endpoint]:
        """The endpoints that routes may name, with the URLs and (hidden) keys in use."""
        return MappingProxyType(self._endpoints)

    @property
    def ledger(self) -> Ledger:
        """The record of all calls: who served them, and what they cost."""
        tell_what_waits()
        return self._ledger

    @property
    def routes(self) -> tuple[Route, ...]:
        """The routes of a call that names none itself, in the order in which they are asked."""
        return self._routes

    def health(self, *, pages: bool = False) -> HealthReport:
        """What is known of every route now; nothing is sent to an endpoint.

        Args:
            pages: read the vendors' status pages, too, and put what they say beside it.

        Returns:
            A row a route, in their order: state, since when (seconds), last fault, who said so.
            Print it, or let a notebook show it.
        """
        from openrouter_resilient.health.report import report_of  # noqa: PLC0415  when asked for

        return report_of(self._carrier, self._routes, pages=pages)

    def close(self) -> None:
        """Close every connection. A call that is still running ends by itself."""
        self._carrier.close()
        self._ledger.close()

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

    def _answer(self, call: Call) -> Completion:
        """Carry a call out that no cache knows."""
        with self._carrier.observers.watch(call, self._carrier.clock):
            return self._ask(call)

    def _ask(self, call: Call) -> Completion:
        """Ask for an answer, and put its record beside it."""
        exchange, _ = self._carrier.run(call, drain=True)
        completion = exchange.completion()
        served = self._carrier.answered(call, completion)
        completion._served = served  # noqa: SLF001  one package; users may only read it
        log_served(served)
        return completion
