"""What callers give, checked; nothing here knows what it is for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
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


def check_limits(**given: float) -> None:
    """Limits that an attempt cannot do without are positive numbers of seconds.

    Raises:
        TypeError: one is no number; None is no way to say "for ever".
        ConfigurationError: one is not positive.
    """
    for name, value in given.items():
        if value is None:
            raise TypeError(f"{name} must be a number of seconds, not None")
    check_seconds(**given)


def by_variable(
    api_key: str | None,
    base_url: str | None,
    keys: Mapping[str, str],
    base_urls: Mapping[str, str],
) -> dict[str, str | None]:
    """Arguments under the names of the variables that they stand for.

    Raises:
        TypeError: one of them is no text.
    """
    by_name = {"openrouter": api_key, **keys}
    urls = {"openrouter": base_url, **base_urls}
    found = {
        **{f"{_shouted(name)}_API_KEY": key for name, key in by_name.items()},
        **{f"{_shouted(name)}_BASE_URL": url for name, url in urls.items()},
    }
    for variable, value in found.items():
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{variable} must be a text, not {type(value).__name__}")
    return found


def check_named(names: Iterable[str], endpoints: Collection[str]) -> None:
    """What is given by an endpoint's name is for one that is there: a slip would go unnoticed.

    Raises:
        ConfigurationError: there is no such endpoint.
    """
    known = {_shouted(endpoint) for endpoint in endpoints}
    for name in names:
        if _shouted(name) not in known:
            raise ConfigurationError(
                f"no endpoint is called {name!r}; known: {', '.join(endpoints)}. "
                "Add your own with Client(endpoints=[Endpoint(name, base_url)])"
            )


def _shouted(name: str) -> str:
    return name.upper().replace("-", "_")


def check_counts(**given: int) -> None:
    """Sizes are whole numbers, 0 among them.

    Raises:
        TypeError: one is no whole number.
        ConfigurationError: one is negative.
    """
    for name, value in given.items():
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"{name} must be a whole number, not {type(value).__name__}")
        if value < 0:
            raise ConfigurationError(f"{name} must not be negative, but is {value}")


def routes_of(fallbacks: str | Sequence[str] | None) -> Sequence[str] | None:
    """One route or several; None where none was given."""
    return [fallbacks] if isinstance(fallbacks, str) else fallbacks


def check_parameters(given: Mapping[str, Any]) -> None:
    """None of them is what other SDKs take beside a body, where it would go unheeded.

    Raises:
        TypeError: one is.
    """
    if not _INSTEAD.keys().isdisjoint(given):
        name = next(name for name in _INSTEAD if name in given)
        raise TypeError(f"{name} is no parameter here; {_INSTEAD[name]}")


_INSTEAD = {
    "stream": "call client.stream(…)",
    "messages": "give them as the prompt",
    "timeout": "deadline=… bounds the whole call, in seconds",
    "extra_body": "give its fields as parameters, since what is new passes through",
    "extra_headers": "Endpoint(…, headers=…) has those of an endpoint",
    "extra_query": "Endpoint(…) has the base URL",
}


def check_wire(wire: str) -> None:
    """An answer comes as a stream or whole.

    Raises:
        ConfigurationError: something else was asked for.
    """
    if wire not in ("stream", "whole"):
        raise ConfigurationError(f'wire must be "stream" or "whole", not {wire!r}')


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
