"""LiteLLM's `completion(…)`, so that moving over is a changed import; LiteLLM is not needed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, overload

from openrouter_resilient.client import Client
from openrouter_resilient.endpoints.table import Endpoint
from openrouter_resilient.errors import ConfigurationError
from openrouter_resilient.given import check_counts
from openrouter_resilient.shapes import Completion, Shape, Usage
from openrouter_resilient.shortcuts import shared_client
from openrouter_resilient.stream import Stream

CUSTOM = "custom"  # the endpoint that api_base makes


@dataclass(frozen=True)
class _Vendor:
    """Where a LiteLLM prefix leads: an author at OpenRouter, an endpoint of its own, or both."""

    author: str | None = None
    endpoint: str | None = None


# fmt: off
VENDORS: dict[str, _Vendor] = {
    # prefix        author at OpenRouter    endpoint
    "openai":       _Vendor("openai",       "openai"),
    "anthropic":    _Vendor("anthropic",    "anthropic"),
    "groq":         _Vendor(None,           "groq"),
    "gemini":       _Vendor("google"),
    "vertex_ai":    _Vendor("google"),
    "mistral":      _Vendor("mistralai"),
    "deepseek":     _Vendor("deepseek"),
    "xai":          _Vendor("x-ai"),
    "cohere":       _Vendor("cohere"),
    "perplexity":   _Vendor("perplexity"),
}
BARE: tuple[tuple[str, str], ...] = (
    # a name without prefix              its vendor
    (r"gpt-|chatgpt-|o\d",               "openai"),
    (r"claude-",                         "anthropic"),
    (r"gemini-",                         "gemini"),
    (r"mistral-|codestral-|magistral-",  "mistral"),
    (r"deepseek-",                       "deepseek"),
    (r"grok-",                           "xai"),
    (r"command-",                        "cohere"),
)
# fmt: on
SERVERS = frozenset(
    {  # prefixes that only say what kind of server stands at `api_base`
        "custom_openai",
        "hosted_vllm",
        "litellm_proxy",
        "llamafile",
        "lm_studio",
        "ollama",
        "ollama_chat",
        "openai_like",
        "openrouter",
        "vllm",
        "xinference",
    }
)  # fmt: skip


class ChunkDelta(Shape):
    """What a chunk adds."""

    content: str | None = None
    role: str | None = None
    tool_calls: list[Any] | None = None


class ChunkChoice(Shape):
    """One choice of a chunk."""

    index: int | None = 0
    delta: ChunkDelta
    finish_reason: str | None = None


class Chunk(Shape):
    """A piece of a streamed answer, as `completion(stream=True)` yields it."""

    id: str | None = None
    model: str | None = None
    choices: list[ChunkChoice]
    usage: Usage | None = None


class ChunkStream:
    """A stream in LiteLLM's form: an iterator of chunks with `choices[0].delta.content`.

    Attributes:
        stream: the stream in our own form, with `.completion` and `.served`.
    """

    def __init__(self, stream: Stream, *, usage: bool = False) -> None:
        """Wrap a stream.

        Args:
            stream: the stream.
            usage: whether a last chunk, of no choice, has the usage.
        """
        self.stream = stream
        self._chunks = _chunks(stream, usage=usage)

    def __iter__(self) -> Iterator[Chunk]:
        """The chunks as they come, once."""
        return self

    def __next__(self) -> Chunk:
        """The next chunk.

        Raises:
            StreamInterrupted: it broke; `.partial` has what came before.
        """
        return next(self._chunks)


def _chunks(stream: Stream, *, usage: bool) -> Iterator[Chunk]:
    for delta in stream.deltas():
        choice = {"index": 0, "delta": delta.fields}
        yield Chunk.model_validate({**delta.chunk, "choices": [choice], "usage": None})
    whole, reason = stream.completion, stream.served.finish_reason
    about = {"id": whole.id, "model": stream.served.model, "object": "chat.completion.chunk"}
    last = {"index": 0, "delta": {}, "finish_reason": reason}
    yield Chunk.model_validate({**about, "choices": [last]})
    if usage:
        yield Chunk.model_validate({**about, "choices": [], "usage": whole.usage})


@overload
def completion(
    model: str, messages: Sequence[Mapping[str, Any]], *, stream: Literal[True], **params: Any
) -> ChunkStream: ...
@overload
def completion(
    model: str,
    messages: Sequence[Mapping[str, Any]],
    *,
    stream: Literal[False] = False,
    **params: Any,
) -> Completion: ...
def completion(
    model: str, messages: Sequence[Mapping[str, Any]], *, stream: bool = False, **params: Any
) -> Completion | ChunkStream:
    """Take LiteLLM's call as it stands.

    With an OpenRouter key, the model and its fallbacks ride in one request there; then each goes
    straight to its own endpoint, in order, where that endpoint's key is set. A key that is given
    here belongs to the model's own endpoint and reaches no other.

    Args:
        model: as LiteLLM names it: `gpt-4o`, `claude-3-5-sonnet-20241022`, `groq/…`.
        messages: in chat-completions form, oldest first.
        stream: yield chunks (`chunk.choices[0].delta.content`) instead of returning a completion.
        **params: LiteLLM's `fallbacks` (models in order), `timeout` (seconds for the whole call,
            and here it holds), `num_retries` or `max_retries` (further turns for each route),
            `api_key` and `api_base` (of the model's own endpoint), `drop_params` (accepted; what an
            endpoint does not know is always dropped, and said), `stream_options` (with
            `include_usage`, a last chunk of no choice has the usage); the rest is the body.

    Raises:
        ConfigurationError: a model cannot be placed, no key is set, or `mock_response` is given.
        ResilientError, TypeError, ValueError: as `Client.complete` does.
    """
    if params.pop("mock_response", None) is not None:  # else a test would ask for real, and pay
        raise ConfigurationError(
            "mock_response is not known here; in a test, let the fixture openrouter_simulator "
            "answer, and elsewhere simulated()"
        )
    wants = params.pop("stream_options", None) or {}
    client, routes = _placed(model, params)
    options = {"models": routes, "fallbacks": (), "deadline": params.pop("timeout", None), **params}
    if stream:
        usage = bool(wants.get("include_usage"))
        return ChunkStream(client.stream(list(messages), **options), usage=usage)
    return client.complete(list(messages), **options)


def _placed(model: str, params: dict[str, Any]) -> tuple[Client, list[str]]:
    """The client that the call needs, and its routes; takes what it uses out of the parameters."""
    if not isinstance(model, str):  # an environment variable that is not set, say
        raise TypeError(f"model must be a model's name, not {type(model).__name__}")
    names = params.pop("fallbacks", None) or []
    fallbacks = [names] if isinstance(names, str) else list(map(_fallback_name, names))
    api_key = params.pop("api_key", None)
    base_url = params.pop("api_base", None) or params.pop("base_url", None)
    given = {name: params.pop(name, None) for name in ("num_retries", "max_retries")}
    retries = {name: count for name, count in given.items() if count is not None}
    check_counts(**retries)
    params.pop("drop_params", None)
    options: dict[str, Any] = {"rounds": next(iter(retries.values())) + 1} if retries else {}
    if base_url:
        options["endpoints"] = (Endpoint(CUSTOM, base_url, key=api_key),)
        first = [f"{CUSTOM}:{_name_there(model)}"]
        return _routed(options, first, fallbacks)
    if api_key:
        options["keys"] = {_own_endpoint(model): api_key}
    return _routed(options, [], [model, *fallbacks])


def _routed(
    options: dict[str, Any], first: list[str], names: list[str]
) -> tuple[Client, list[str]]:
    """Through OpenRouter first, all in one request; then straight, where a key is set."""
    models = [openrouter for openrouter, _ in map(_places, names) if openrouter]
    direct = [route for _, route in map(_places, names) if route]
    client = shared_client(**options, models=[*first, *models, *direct], fallbacks=())
    usable = [route for route in direct if client.endpoints[route.partition(":")[0]].key]
    return client, [*first, *models, *usable]


def _places(name: str) -> tuple[str | None, str | None]:
    """A LiteLLM name as an OpenRouter id and as a direct route; None where it has no such place."""
    prefix, slash, model = name.partition("/")
    if slash and prefix == "openrouter":
        return model, None
    if not slash:
        prefix, model = _bare_vendor(name), name
    vendor = VENDORS.get(prefix)
    if vendor is None:
        return name, None
    author = f"{vendor.author}/{_openrouter_name(model)}" if vendor.author else None
    return author, f"{vendor.endpoint}:{model}" if vendor.endpoint else None


def _name_there(model: str) -> str:
    """A model's name at a server of one's own, which does not know LiteLLM's prefixes."""
    prefix, _, name = model.partition("/")
    return name if name and (prefix in VENDORS or prefix in SERVERS) else model


def _bare_vendor(name: str) -> str:
    for pattern, vendor in BARE:
        if re.match(pattern, name):
            return vendor
    raise ConfigurationError(
        f"whose model is {name!r}? Write it with its vendor, such as groq/{name} or openrouter/…"
    )


def _openrouter_name(model: str) -> str:
    """Claude's versions are dotted and undated at OpenRouter; all else is spelled as it is."""
    if not model.startswith("claude-"):
        return model
    undated = re.sub(r"-(\d{8}|latest)$", "", model)
    return re.sub(r"(?<=\d)-(?=\d{1,2}(-|$))", ".", undated)


def _own_endpoint(name: str) -> str:
    """The endpoint to which a key given with the model belongs."""
    _, direct = _places(name)
    return direct.partition(":")[0] if direct else "openrouter"


def _fallback_name(fallback: object) -> str:
    name = fallback.get("model") if isinstance(fallback, Mapping) else fallback
    if isinstance(name, str):
        return name
    raise TypeError(f"a fallback must be a model's name, not {type(fallback).__name__}")
