"""What callers give, checked; nothing here knows what it is for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from openrouter_resilient.errors import ConfigurationError


def check_seconds(**given: float | None) -> None:
    """Limits are positive numbers of seconds.

    Raises:
        TypeError: one is no number.
        ConfigurationError: one is not positive.
    """
    for name, value in given.items():
        if value is None:
            continue
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise TypeError(f"{name} must be a number of seconds, not {type(value).__name__}")
        if not 0 < value < float("inf"):
            raise ConfigurationError(f"{name} must be a positive number of seconds, not {value}")


def by_variable(
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


def listed(models: str | Sequence[str] | None) -> list[str] | None:
    """One model or several as a list; None where none was given.

    Raises:
        ConfigurationError: one of them is no text.
    """
    if models is None:
        return None
    names = (
        [models] if isinstance(models, str) or not isinstance(models, Iterable) else list(models)
    )
    if not names or not all(isinstance(model, str) and model.strip() for model in names):
        raise ConfigurationError("models must be one or more ids, such as openai/gpt-4o")
    return names


def models_of(options: Mapping[str, Any]) -> list[str] | None:
    """The models that a call names as `models` or as `model`; None where it names none."""
    return listed(options.get("models")) or listed(options.get("model"))


def check_from_zero(**given: float | None) -> None:
    """Ages are numbers of seconds, 0 among them.

    Raises:
        TypeError: one is no number.
        ConfigurationError: one is negative.
    """
    check_seconds(**{name: value for name, value in given.items() if value != 0})
