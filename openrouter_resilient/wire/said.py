"""What a reply says of itself, as far as it is what it should be. No I/O."""

from __future__ import annotations

from typing import Any

LONGEST_NAME = 500  # characters of a model's name or an id; the longest seen have 80


def finish_reason_of(body: dict[str, Any] | None) -> str | None:
    """Why the first choice of a whole body ended, as far as it says so."""
    choices = body.get("choices") if body else None
    first = choices[0] if isinstance(choices, list) and choices else None
    return name_or_id(first.get("finish_reason")) if isinstance(first, dict) else None


def cost_of(usage: dict[str, Any] | None) -> float | None:
    """USD, as far as the usage says so."""
    cost = usage.get("cost") if usage else None
    return float(cost) if isinstance(cost, int | float) and not isinstance(cost, bool) else None


def name_or_id(value: object) -> str | None:
    """A name or an id; what is longer than any is none, and would fill the records."""
    return value if isinstance(value, str) and 0 < len(value) <= LONGEST_NAME else None


def has_failed(choice: dict[str, Any]) -> bool:
    """Whether a choice says that it failed."""
    return bool(choice.get("error")) or choice.get("finish_reason") == "error"
