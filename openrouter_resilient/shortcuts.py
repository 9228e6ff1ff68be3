"""`llm_complete(prompt)` on a client that is made when it is first needed."""

from __future__ import annotations

import os
import threading
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from cachetools import LRUCache

from openrouter_resilient.client import Client
from openrouter_resilient.endpoints.table import ENDPOINTS
from openrouter_resilient.settings import (
    DEADLINE_VARIABLE,
    DOTENV_VARIABLE,
    FALLBACKS_VARIABLE,
    LEDGER_VARIABLE,
    MODELS_VARIABLE,
    REDIS_VARIABLE,
)
from openrouter_resilient.shapes import Completion

_VARIABLES = (
    *(name for row in ENDPOINTS.values() for name in (row.key_variable, row.url_variable)),
    *(MODELS_VARIABLE, FALLBACKS_VARIABLE, DEADLINE_VARIABLE, DOTENV_VARIABLE, LEDGER_VARIABLE),
    REDIS_VARIABLE,
)
_CLIENTS: LRUCache[tuple[object, ...], Client] = LRUCache(16)
_LOCK = threading.Lock()


def llm_complete(prompt: str | Sequence[object], **options: Any) -> Completion:
    """Ask once, and get an answer whatever happens to the provider.

    The client behind it is made at the first call, from the environment or a `.env` file, and
    shared by all threads; when those variables or the working directory change, a new one is made.

    Args:
        prompt: a text, or messages in chat-completions form, oldest first; a list of texts,
            `image(…)` and `file(…)` is one message.
        **options: everything that `Client.complete` takes: system, models, fallbacks, deadline
            (seconds), temperature, …

    Returns:
        The completion: `str()` of it is the text, `.served` says who gave it.

    Raises:
        ResilientError, TypeError, ValueError: as `Client.complete` does.

    Example:
        print(llm_complete("Name three rivers.", deadline=30))
    """
    return shared_client().complete(prompt, **options)


def shared_client(**options: Any) -> Client:
    """The client for these settings in this environment, made once for all threads.

    Args:
        **options: what `Client` takes; clients differ where any of it does, keys above all.
    """
    environment = tuple(map(os.environ.get, _VARIABLES))
    try:
        folder: str | None = os.getcwd()  # noqa: PTH109  0.5 µs, not 10
    except FileNotFoundError:  # it was removed: there is no `.env` to find
        folder = None
    wanted = (folder, environment, _telling_apart(options))
    with _LOCK:
        client = _CLIENTS.get(wanted)
        if client is None:
            client = _CLIENTS[wanted] = Client(**options)
        return client


def _telling_apart(value: object) -> Hashable:
    """What is equal only for equal settings; a repr is not, since it shows no keys."""
    if isinstance(value, Mapping):
        return frozenset((name, _telling_apart(part)) for name, part in value.items())
    if isinstance(value, list | tuple):
        return tuple(map(_telling_apart, value))
    if is_dataclass(value) and not isinstance(value, type):
        parts = (_telling_apart(getattr(value, field.name)) for field in fields(value))
        return (type(value), *parts)
    return value
