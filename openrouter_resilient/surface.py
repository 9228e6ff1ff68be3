"""What a call is furnished with where it is wanted: a cap, a price limit, a race, the cache.

Each lives in `features`, and is loaded when first used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from openrouter_resilient.given import check_from_zero
from openrouter_resilient.settings import REDIS_VARIABLE, Settings

if TYPE_CHECKING:
    from openrouter_resilient.call import Call
    from openrouter_resilient.client import Client
    from openrouter_resilient.endpoints.table import Endpoint
    from openrouter_resilient.features.cache import Cache
    from openrouter_resilient.features.spending import Spending
    from openrouter_resilient.routing.shared import SharedHealth
    from openrouter_resilient.shapes import Completion


class Surface:
    """The part of a client that keeps what it was set up with beside its routes and limits."""

    _cache: Cache | None = None
    _spending: Spending | None = None
    _cache_seconds = 0.0
    _stale_seconds = 0.0
    _cache_size = (0, 0)

    def _prepare(
        self,
        max_cost: float | None,
        cache_seconds: float | None,
        stale_if_error: float | None,
        cache_size: tuple[int, int],
    ) -> None:
        """Keep what a client was set up with."""
        check_from_zero(cache_seconds=cache_seconds, stale_if_error=stale_if_error)
        self._cache_seconds, self._stale_seconds = cache_seconds or 0.0, stale_if_error or 0.0
        self._cache_size = cache_size
        if max_cost is not None:
            from openrouter_resilient.features.spending import Spending  # noqa: PLC0415

            self._spending = Spending(max_cost, "this client")

    def _priced(
        self, params: Mapping[str, Any], max_price: Mapping[str, float] | None
    ) -> Mapping[str, Any]:
        """The parameters of a call with the client's price limit."""
        if max_price is None:
            return params
        from openrouter_resilient.features.spending import with_max_price  # noqa: PLC0415

        return with_max_price(params, max_price)

    def _furnished(self, call: Call, max_cost: float | Spending | None) -> Call:
        """The call with what counts its cost, and what runs its race."""
        if self._spending is not None:
            call.meters = (self._spending,)
        if max_cost is not None:
            from openrouter_resilient.features.spending import capped  # noqa: PLC0415

            call.meters = (*call.meters, capped(max_cost))
        if call.plan.limits.hedge_after is not None:
            from openrouter_resilient.features.hedge import race  # noqa: PLC0415

            call.race = race
        return call

    def _through_cache(
        self,
        call: Call,
        ask: Callable[[Call], Completion],
        cache_seconds: float | None,
        stale_if_error: float | None,
    ) -> Completion:
        """What the cache knows, or a new answer."""
        check_from_zero(cache_seconds=cache_seconds, stale_if_error=stale_if_error)
        seconds = self._cache_seconds if cache_seconds is None else cache_seconds
        stale = self._stale_seconds if stale_if_error is None else stale_if_error
        if not seconds and not stale:
            return ask(call)
        from openrouter_resilient.features.cache import Cache, Freshness  # noqa: PLC0415

        carrier = cast("Client", self)._carrier
        if self._cache is None:  # setdefault: of two threads that come here at once, one makes it
            self.__dict__.setdefault("_cache", Cache(*self._cache_size, carrier.clock))
        cache = self.__dict__["_cache"]
        answer: Completion = cache.answer(call, lambda: ask(call), Freshness(seconds, stale))
        if answer.served.cached:  # a call like any other, to who keeps the record
            carrier.observers.tell_answer(call, answer.served, answer, carrier.clock)
        return answer


def shared_through(
    url: str | None, settings: Settings, endpoints: Mapping[str, Endpoint]
) -> SharedHealth | None:
    """The health that is shared through the Redis of the argument, or else of REDIS_URL."""
    if url is not None and not isinstance(url, str):
        raise TypeError(f"redis_url must be a text, not {type(url).__name__}")
    wanted = settings.read(REDIS_VARIABLE) if url is None else url
    if not wanted:
        return None
    from openrouter_resilient.health.sharing import share  # noqa: PLC0415  where there is a Redis

    return share(wanted, endpoints, chosen=url is not None)
