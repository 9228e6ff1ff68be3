"""Texts into vectors: in batches, in their order, and never two models' vectors mixed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

from openrouter_resilient.endpoints.forms import DIALECTS
from openrouter_resilient.endpoints.table import make_routes, own_name, parse_route
from openrouter_resilient.errors import ConfigurationError, RoutesExhausted
from openrouter_resilient.features.spending import Spending, whole_cost_of
from openrouter_resilient.given import check_parameters, check_seconds, routes_of
from openrouter_resilient.routing.plan import Route, bare_model
from openrouter_resilient.shapes import EMBEDDINGS, Request

if TYPE_CHECKING:
    from openrouter_resilient.client import Client
    from openrouter_resilient.endpoints.table import Endpoint
    from openrouter_resilient.served import Served

FIRST_S = 10.0  # until a batch's reply; a model that embeds answers in one piece, and soon
LEAST_S = 0.001  # a deadline is never nothing
CHARACTERS_A_SECOND = 40_000  # what a long batch adds to it


@dataclass(frozen=True)
class Embeddings(Sequence[list[float]]):
    """Vectors, in the order of their texts. A sequence, so that `numpy.array()` takes it.

    Attributes:
        vectors: list of N lists of D floats; not in the repr.
        served: who made them, one record a batch.
    """

    vectors: list[list[float]] = field(repr=False)
    served: tuple[Served, ...]

    @property
    def model(self) -> str | None:
        """What the replies named."""
        return self.served[0].model

    @property
    def cost(self) -> float | None:
        """In USD, as reported; None if a batch's is unknown."""
        return whole_cost_of(self.served)

    def __repr__(self) -> str:
        """Say how many there are and who made them."""
        size = len(self.vectors[0])
        endpoints = ", ".join(dict.fromkeys(served.endpoint for served in self.served))
        return f"<Embeddings: {len(self)} of {size} numbers, {self.model} via {endpoints}>"

    def __len__(self) -> int:
        """How many there are."""
        return len(self.vectors)

    @overload
    def __getitem__(self, index: int) -> list[float]: ...
    @overload
    def __getitem__(self, index: slice) -> list[list[float]]: ...
    def __getitem__(self, index: int | slice) -> list[float] | list[list[float]]:
        """The vector of a text."""
        return self.vectors[index]

    def __iter__(self) -> Iterator[list[float]]:
        """One after the other."""
        return iter(self.vectors)


def embed(  # noqa: PLR0913  the arguments of the method
    client: Client,
    texts: str | Sequence[str],
    *,
    model: str,
    fallbacks: Sequence[str] | None,
    batch_size: int,
    deadline: float | None,
    max_cost: float | None,
    params: Mapping[str, Any],
) -> Embeddings:
    """See `Abilities.embed`."""
    check_parameters(params)
    listed = _listed(texts)
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, not {batch_size}")
    routes = routes_to(model, routes_of(fallbacks), client.endpoints)
    check_seconds(deadline=deadline)
    cap = None if max_cost is None else Spending(max_cost, "these vectors")
    clock = client._carrier.clock
    ends_at = clock.now() + (deadline or client._deadline)
    vectors: list[list[float]] = []
    served: list[Served] = []
    for at in range(0, len(listed), batch_size):
        batch = listed[at : at + batch_size]
        left = max(ends_at - clock.now(), LEAST_S) if at else deadline
        request = _request(batch, params)
        patience = FIRST_S + sum(map(len, batch)) / CHARACTERS_A_SECOND
        call = client._planned(request, routes, left, patience, "whole", max_cost=cap)
        answer = client._answer(call)
        vectors += answer.choices[0].message["embeddings"]
        served.append(answer.served)
    _check_lengths(vectors, served)
    return Embeddings(vectors, tuple(served))


def routes_to(
    model: str, fallbacks: Sequence[str] | None, endpoints: Mapping[str, Endpoint]
) -> tuple[Route, ...]:
    """Where this very model is served, in order.

    Raises:
        ConfigurationError: a fallback names another model or lacks its key, or no key is set.
    """
    first = parse_route(model, endpoints)
    others = _twins(first, endpoints) if fallbacks is None else fallbacks
    for route in (parse_route(text, endpoints) for text in others):
        if bare_model(route.models[0]) != bare_model(first.models[0]):
            raise ConfigurationError(
                f"{route} is another model than {first}; vectors of two models do not mix"
            )
    return make_routes([model], others, endpoints)


def _twins(first: Route, endpoints: Mapping[str, Endpoint]) -> list[str]:
    """The same model at its author's own endpoint, and the other way round, where a key is set."""
    model, author = first.models[0], endpoints[first.endpoint].author
    twins = []
    for endpoint in endpoints.values():
        embeds = EMBEDDINGS in DIALECTS[endpoint.dialect].forms
        if not embeds or not endpoint.key or endpoint.name == first.endpoint:
            continue
        if author and endpoint.most_models > 1:
            twins.append(f"{endpoint.name}:{author}/{model}")
        elif name := own_name(endpoint, model):
            twins.append(f"{endpoint.name}:{name}")
    return twins


def _request(texts: list[str], params: Mapping[str, Any]) -> Request:
    given = {name: value for name, value in params.items() if value is not None}
    return Request([], {"input": texts, **given}, operation=EMBEDDINGS)


def _listed(texts: str | Sequence[str]) -> list[str]:
    listed = [texts] if isinstance(texts, str) else list(texts)
    for place, text in enumerate(listed):
        if not isinstance(text, str):
            raise TypeError(f"text {place} must be a text, not {type(text).__name__}")
        if not text.strip():
            raise ValueError(f"text {place} is empty")
    if not listed:
        raise ValueError("there is no text to embed")
    return listed


def _check_lengths(vectors: list[list[float]], served: list[Served]) -> None:
    """Each reply was checked by itself; two endpoints may still mean two models by one name."""
    lengths = {len(vector) for vector in vectors}
    if len(lengths) > 1:
        who = ", ".join(dict.fromkeys(record.endpoint for record in served))
        raise RoutesExhausted(
            f"vectors of different lengths came ({sorted(lengths)}) from {who}, so that they are "
            "of different models. Name fallbacks that serve the same one",
            history=tuple(attempt for record in served for attempt in record.attempts),
        )
