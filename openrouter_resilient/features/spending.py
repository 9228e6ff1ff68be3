"""A cap on what calls may cost, by what the replies report; nothing is estimated here.

An endpoint that reports no cost (OpenAI, Groq and Anthropic report none) counts as nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from openrouter_resilient.errors import ConfigurationError, SpendingCapReached
from openrouter_resilient.forking import renew_in_forked_child
from openrouter_resilient.routing.step import History
from openrouter_resilient.served import Served, in_usd, make_records


class Spending:
    """What was spent so far, and how much may be.

    Calls that run at once look before they send and are counted when their cost is known, so they
    can pass the cap by what is in flight at that moment, and by no more.
    """

    def __init__(self, cap: float, whose: str) -> None:
        """Begin with nothing spent.

        Args:
            cap: USD that may be spent.
            whose: what it limits, for the message.

        Raises:
            ConfigurationError: the cap is no positive number.
        """
        self.cap = checked_cap(cap)
        self._whose = whose
        self._spent = 0.0
        self.begin_anew()
        renew_in_forked_child(self)

    def begin_anew(self) -> None:
        """In a forked child: none of the parent's threads will ever come back."""
        self._lock = threading.Lock()

    @property
    def spent(self) -> float:
        """USD that were reported so far."""
        return self._spent

    def add(self, cost: float | None) -> None:
        """Count what a request cost; None if nobody said."""
        if cost is not None and cost > 0:
            with self._lock:
                self._spent += cost

    def check(self, history: History) -> None:
        """Go on only while something is left.

        Raises:
            SpendingCapReached: nothing is.
        """
        if self._spent < self.cap:
            return
        error = SpendingCapReached(
            f"{in_usd(self._spent)} of the ${self.cap:g} that {self._whose} may cost are spent, "
            "and no request was sent any more. Raise max_cost to go on",
            history=make_records(history),
        )
        error.cap, error.spent = self.cap, self._spent
        raise error


def capped(max_cost: float | Spending) -> Spending:
    """The cap of a call; one that several calls share is theirs already."""
    return max_cost if isinstance(max_cost, Spending) else Spending(max_cost, "this call")


def with_one_cap(options: Mapping[str, Any], whose: str) -> dict[str, Any]:
    """The options of several calls, whose `max_cost` holds for all of them together."""
    cap = options.get("max_cost")
    return dict(options) if cap is None else {**options, "max_cost": Spending(cap, whose)}


def checked_cap(cap: float) -> float:
    """An amount in USD.

    Raises:
        TypeError: it is no number.
        ConfigurationError: it is not positive.
    """
    if not isinstance(cap, int | float) or isinstance(cap, bool):
        raise TypeError(f"max_cost must be a number of USD, not {type(cap).__name__}")
    if not 0 < cap < float("inf"):
        raise ConfigurationError(f"max_cost must be a positive number of USD, not {cap}")
    return float(cap)


def whole_cost_of(answers: Sequence[Served]) -> float | None:
    """USD that several answers cost, as reported; None while one's is unknown."""
    costs = [served.cost for served in answers]
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None


def with_max_price(parameters: Mapping[str, Any], max_price: Mapping[str, float]) -> dict[str, Any]:
    """The parameters with OpenRouter's own price limit; one that a call sets itself stays.

    Source: https://openrouter.ai/docs/features/provider-routing (`max_price`: USD for a million
    tokens as `prompt` and `completion`, for one as `request` and `image`).
    """
    provider = parameters.get("provider")
    if provider is not None and not isinstance(provider, Mapping):
        return dict(parameters)  # the server will say what is wrong with it
    return {**parameters, "provider": {"max_price": dict(max_price), **(provider or {})}}
