"""Find every cent: ask OpenRouter what abandoned generations did cost, estimate direct answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests
from pydantic import SecretStr
from requests.auth import AuthBase

from openrouter_resilient.endpoints.table import OPENROUTER, Endpoint
from openrouter_resilient.ledger.prices import Prices, read_prices
from openrouter_resilient.ledger.settling import FileStore, Settlement, Store, Unsettled
from openrouter_resilient.served import UpstreamAttempt, counted, in_usd

TIMEOUT_S = (5.0, 15.0)  # to connect, and between two bytes
NOT_YET = 404  # a generation can be asked for some moments after its end, and for a limited time


@dataclass(frozen=True)
class Reconciled:
    """What a reconciliation found.

    Attributes:
        looked_at: attempts that may have been billed, and of which nobody had said how much.
        reported: of these, OpenRouter has now said what they cost.
        estimated: of these, the cost was worked out from tokens and the price list.
        cost: USD that these two add up to.
        unknown: of these, nobody can say, or not yet.
        problem: why it could not go on; None if it could.
    """

    looked_at: int
    reported: int
    estimated: int
    cost: float
    unknown: int
    problem: str | None = None

    def __str__(self) -> str:
        """Say it in one line."""
        words = (
            f"{self.looked_at} attempts of unknown cost: {self.reported} now reported, "
            f"{self.estimated} estimated, together {in_usd(self.cost)}; {self.unknown} still "
            "unknown"
        )
        return f"{words}. {self.problem}" if self.problem else words


def reconcile(
    stores: Sequence[Store],
    endpoints: Mapping[str, Endpoint],
    *,
    since: float,
    now: float,
    prices: Prices,
) -> tuple[Reconciled, Prices]:
    """Fill in what attempts did cost; those of the last store are counted.

    Args:
        stores: where they are recorded.
        endpoints: with OpenRouter's URL and key.
        since: calls that began before this are left alone (seconds since 1970).
        now: seconds since 1970, kept with a price list.
        prices: the last list, for where a new one cannot be had.

    Returns:
        What was found, and the prices in force.
    """
    waiting = [(store, store.unsettled(since)) for store in stores]
    api = _Api(endpoints[OPENROUTER.name])
    if any(row.endpoint != OPENROUTER.name for _, rows in waiting for row in rows):
        prices = _newest(api, stores, now) or prices
    found: list[Settlement] = []
    for store, rows in waiting:
        found = []
        for row in rows:
            settlement = _settlement(row, endpoints, api, prices)
            if settlement is not None:
                store.settle(row.key, settlement)  # at once: what was found outlasts a Ctrl-C
                found.append(settlement)
    sources = [settlement.source for settlement in found]
    total = len(waiting[-1][1])
    return (
        Reconciled(
            total,
            sources.count("reported"),
            sources.count("estimated"),
            sum(settlement.cost for settlement in found),
            total - len(found),
            api.problem,
        ),
        prices,
    )


def _newest(api: _Api, stores: Sequence[Store], now: float) -> Prices:
    prices = read_prices(api.get("/models"))
    for store in stores:
        if prices and isinstance(store, FileStore):
            store.keep_prices(prices, now)
    return prices


def _settlement(
    row: Unsettled, endpoints: Mapping[str, Endpoint], api: _Api, prices: Prices
) -> Settlement | None:
    """What an attempt did cost; None where nobody says."""
    if row.endpoint == OPENROUTER.name:
        return api.generation(row.generation_id) if row.generation_id else None
    if row.prompt_tokens is None or row.completion_tokens is None:
        return None
    endpoint = endpoints.get(row.endpoint)
    author = endpoint.author if endpoint else None
    cost = prices.estimate(row.model, author, row.prompt_tokens, row.completion_tokens)
    return None if cost is None else Settlement(cost, "estimated")


class _Api:
    """OpenRouter's side questions. Each is asked once; after a problem nothing more is."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.problem: str | None = None
        self._endpoint = endpoint
        self._session = requests.Session()
        self._known: dict[str, Settlement | None] = {}

    def generation(self, generation_id: str) -> Settlement | None:
        if generation_id not in self._known:
            reply = self.get(f"/generation?id={quote(generation_id, safe='')}")
            data = reply.get("data") if isinstance(reply, dict) else None
            self._known[generation_id] = _reported(data) if isinstance(data, dict) else None
        return self._known[generation_id]

    def get(self, path: str) -> object:
        """The JSON of a reply; None where there is none."""
        if self.problem is not None:
            return None
        try:
            reply = self._session.get(
                self._endpoint.base_url + path,
                auth=_Bearer(self._endpoint.key),
                timeout=TIMEOUT_S,
                allow_redirects=False,  # the key would go along
            )
            if reply.status_code == 200:
                return reply.json()
            if reply.status_code != NOT_YET:
                self.problem = f"OpenRouter answered {reply.status_code}; try again later"
        except requests.RequestException as error:  # an unreadable body is one, too
            self.problem = f"OpenRouter could not be asked ({type(error).__name__})"
        return None


class _Bearer(AuthBase):
    """The key as an object: requests would replace a plain header by what `.netrc` holds."""

    def __init__(self, key: SecretStr | str | None) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if isinstance(self._key, SecretStr):
            request.headers["Authorization"] = f"Bearer {self._key.get_secret_value()}"
        return request


def _reported(data: dict[str, Any]) -> Settlement | None:
    """What `GET /generation` says; None if it names no cost.

    Source: https://openrouter.ai/docs/api-reference/get-a-generation.
    """
    cost = data.get("total_cost")
    if not isinstance(cost, int | float) or isinstance(cost, bool):
        return None
    return Settlement(
        cost=float(cost),
        source="reported",
        model=_text(data.get("model")),
        provider=_text(data.get("provider_name")),
        prompt_tokens=counted(data, "native_tokens_prompt"),
        completion_tokens=counted(data, "native_tokens_completion"),
        upstream=_tried(data.get("provider_responses")),
    )


def _tried(responses: object) -> tuple[UpstreamAttempt, ...]:
    return tuple(
        UpstreamAttempt(
            _text(response.get("provider_name")),
            _text(response.get("model_permaslug")),
            counted(response, "status"),
        )
        for response in (responses if isinstance(responses, list) else ())
        if isinstance(response, dict)
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
