"""What the official clients' own request types say of a body that was sent to their API."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from functools import cache

from pydantic import TypeAdapter, ValidationError

CHAT = "chat.completion_create_params.CompletionCreateParams"
TYPES = {
    # face and end of the path: the type of the official client
    ("openrouter", "/chat/completions"): "openrouter.components.ChatRequest",
    ("openrouter", "/embeddings"): "openrouter.operations.CreateEmbeddingsRequestBody",
    ("openai", "/chat/completions"): f"openai.types.{CHAT}",
    ("openai", "/embeddings"): "openai.types.embedding_create_params.EmbeddingCreateParams",
    ("groq", "/chat/completions"): f"groq.types.{CHAT}",
    ("anthropic", "/messages"): "anthropic.types.message_create_params.MessageCreateParams",
}


def objection(face, path, body):
    """Why the official client would not send this; None if it would, or is not installed."""
    names = (name for (of, end), name in TYPES.items() if of == face and path.endswith(end))
    name = next(names, None)
    if name is None:
        return None
    try:
        adapter = _adapter(name)
    except ImportError:
        return None
    try:
        _read(adapter.validate_python(body))
    except ValidationError as error:
        return "; ".join(f"{e['loc']}: {e['msg']}" for e in error.errors()[:3])
    return None


@cache
def _adapter(name):
    module, _, kind = name.rpartition(".")
    return TypeAdapter(getattr(importlib.import_module(module), kind))


def _read(value):
    """Go through all of it: what a type calls an Iterable is judged as it is read."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, Iterator | list):
        for part in value:
            _read(part)
