"""What a client can do beside asking once; it lives in `features`, and is loaded when used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from openrouter_resilient.given import check_from_zero, listed
from openrouter_resilient.settings import REDIS_VARIABLE, Settings
from openrouter_resilient.sheet import Sheet

if TYPE_CHECKING:
    from openrouter_resilient.call import Call
    from openrouter_resilient.client import Client
    from openrouter_resilient.endpoints.table import Endpoint
    from openrouter_resilient.features.cache import Cache
    from openrouter_resilient.features.spending import Spending
    from openrouter_resilient.routing.shared import SharedHealth
    from openrouter_resilient.shapes import Completion


class Surface:
    """The part of `Client` that is built upon `complete` and `stream`."""

    _cache: Cache | None = None
    _spending: Spending | None = None
    _cache_seconds = 0.0
    _stale_seconds = 0.0
    _cache_size = (0, 0)

    def map(
        self,
        prompts: Iterable[Any],
        *,
        workers: int = 8,
        checkpoint: Path | str | None = None,
        executor: Executor | None = None,
        progress: bool = True,
        max_cost: float | None = None,
        **params: Any,
    ) -> list[Completion | Exception]:
        """Ask many prompts at once, and keep their order.

        Too many requests (429) slow all workers down together, and prompts that nobody answered
        because of it are asked again after a pause.

        Args:
            prompts: each as `complete` takes it.
            workers: how many are asked at once.
            checkpoint: a file for the answers (their texts are in it, keys never). A run that was
                stopped, even by `kill -9`, goes on where it was when it is started again with it.
            executor: who asks, in place of threads: a process pool, or the executor of a Dask or
                MPI cluster. The client travels to it without keys; each worker reads them from its
                own environment.
            progress: show a bar (in a notebook, or with tqdm installed), or a line now and then
                on stderr.
            max_cost: USD, as reported, after which no further prompt is asked; what is under way
                by then is still answered and paid.
            **params: as for `complete`, the same for every prompt.

        Returns:
            For each prompt its completion, or the exception that `complete` raised.

        Raises:
            ConfigurationError: a setting is malformed, or another run holds the checkpoint.
            BatchInterrupted: Ctrl-C; a KeyboardInterrupt with what came in `.results`.
            OSError: the checkpoint cannot be written.

        Example:
            answers = client.map(["Name a river.", "Name a lake."], checkpoint="run.jsonl")
            print([str(answer) for answer in answers])
        """
        from openrouter_resilient.features.batch import Way, ask_all  # noqa: PLC0415

        client = cast("Client", self)
        models = listed(params.get("models")) or listed(params.get("model")) or client._models
        way = Way(workers, checkpoint, executor, progress, max_cost)
        return ask_all(client, prompts, params, way=way, models=models, clock=client._carrier.clock)

    def explain(self, prompt: Any, *, wire: Any = None, **params: Any) -> Sheet:
        """Tell what a call would do, and send nothing.

        Args:
            prompt, wire, **params: as for `complete`.

        Returns:
            The routes in the order in which they would be asked, the limits of each attempt, who
            would be skipped and why. Print it, or let a notebook show it.

        Raises:
            ConfigurationError: no route can carry this request; the message says why not.
        """
        from openrouter_resilient.features.explain import explain_call  # noqa: PLC0415

        client = cast("Client", self)
        given = {name: params.pop(name, None) for name in _OF_A_CALL}
        seconds = given.pop("cache_seconds")
        given.pop("stale_if_error")
        models = listed(given.pop("models")) or listed(given.pop("model"))
        call = client._call(
            prompt, given["system"], params, models, given["fallbacks"], given["deadline"],
            given["first_token_timeout"], wire or client._wire, given["hedge_after"],
            given["max_cost"],
        )  # fmt: skip
        fresh = self._cache_seconds if seconds is None else seconds
        age = self._cache.age(call, fresh) if self._cache and fresh else None
        board = client._carrier.board
        return explain_call(call, board, client.endpoints, cached_seconds=age)

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

    def _furnished(self, call: Call, max_cost: float | None) -> Call:
        """The call with what counts its cost, and what runs its race."""
        if self._spending is not None:
            call.meters = (self._spending,)
        if max_cost is not None:
            from openrouter_resilient.features.spending import Spending  # noqa: PLC0415

            call.meters = (*call.meters, Spending(max_cost, "this call"))
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

        clock = cast("Client", self)._carrier.clock
        if self._cache is None:  # setdefault: of two threads that come here at once, one makes it
            self.__dict__.setdefault("_cache", Cache(*self._cache_size, clock))
        cache = self.__dict__["_cache"]
        answer: Completion = cache.answer(call, lambda: ask(call), Freshness(seconds, stale))
        return answer


_OF_A_CALL = ("system", "model", "models", "fallbacks", "deadline", "first_token_timeout",
              "hedge_after", "max_cost", "cache_seconds", "stale_if_error")  # fmt: skip


def shared_through(
    url: str | None, settings: Settings, endpoints: Mapping[str, Endpoint]
) -> SharedHealth | None:
    """The health that is shared through the Redis of the argument, or else of REDIS_URL."""
    wanted = settings.read(REDIS_VARIABLE) if url is None else url
    if not wanted:
        return None
    from openrouter_resilient.health.sharing import share  # noqa: PLC0415  where there is a Redis

    return share(wanted, endpoints, chosen=url is not None)
