"""What a token costs, by the last list of models that was read from OpenRouter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from openrouter_resilient.routing.plan import bare_model


@dataclass(frozen=True)
class Price:
    """USD a token, and a request.

    Attributes:
        model, canonical: OpenRouter's id, and the dated one that it stands for.
    """

    model: str
    canonical: str | None
    prompt_usd: float
    completion_usd: float
    request_usd: float = 0.0


class Prices:
    """A list of prices, found by a model's name as a direct endpoint spells it."""

    def __init__(self, prices: Iterable[Price] = ()) -> None:
        """Take the list."""
        self.all = tuple(prices)
        self._exact = {name: p for p in self.all for name in (p.canonical, p.model) if name}
        self._bare = {_key(price.model): price for price in self.all if ":" not in price.model}

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.all)

    def estimate(
        self, model: str, author: str | None, prompt_tokens: int, completion_tokens: int
    ) -> float | None:
        """USD for an answer; None where the list does not have the model.

        Args:
            model: as the endpoint named it.
            author: whose models the endpoint serves without naming the author; None if it names it.
            prompt_tokens, completion_tokens: as the endpoint counted them.
        """
        name = f"{author}/{model}" if author and "/" not in model else model
        price = self._exact.get(name) or self._bare.get(_key(name))
        if price is None:
            return None
        tokens = prompt_tokens * price.prompt_usd + completion_tokens * price.completion_usd
        return tokens + price.request_usd


def read_prices(listed: object) -> Prices:
    """The prices of a reply to `GET /models`; rows without usable ones are left out.

    Source: https://openrouter.ai/docs/api-reference/list-available-models (texts, USD a token; a
    negative price means that it depends on where a router sends the request).
    """
    rows = listed.get("data") if isinstance(listed, dict) else None
    found = (_price(row) for row in (rows if isinstance(rows, list) else ()))
    return Prices(price for price in found if price is not None)


def _price(row: Any) -> Price | None:
    pricing = row.get("pricing") if isinstance(row, dict) else None
    if not isinstance(pricing, dict) or not isinstance(row.get("id"), str):
        return None
    numbers = [_usd(pricing, name) for name in ("prompt", "completion", "request")]
    if "prompt" not in pricing or any(number is None or number < 0 for number in numbers):
        return None
    canonical = row.get("canonical_slug")
    prompt, completion, request = (number or 0.0 for number in numbers)
    canonical = canonical if isinstance(canonical, str) else None
    return Price(row["id"], canonical, prompt, completion, request)


def _usd(pricing: Mapping[str, Any], name: str) -> float | None:
    try:
        return float(pricing.get(name) or 0.0)
    except (TypeError, ValueError):
        return None


def _key(name: str) -> tuple[str, str]:
    author, slash, _ = name.partition("/")
    return (author if slash else "", bare_model(name))
