"""The parameters of a call, typed for the editor. Nothing is checked here: new ones pass through.

As OpenRouter spells them; what becomes of each at a direct endpoint stands in
`endpoints/dialects.py`. Source: https://openrouter.ai/docs/api_reference/parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypedDict

Effort = Literal["max", "xhigh", "high", "medium", "low", "minimal", "none"]


class Reasoning(TypedDict, total=False):
    """How much a model is to think; `effort` or `max_tokens`, not both."""

    effort: Effort
    max_tokens: int
    exclude: bool
    enabled: bool
    summary: str


class MaxPrice(TypedDict, total=False):
    """The most that a provider may ask: USD a million tokens, or a request or picture."""

    prompt: float
    completion: float
    request: float
    image: float
    audio: float


class Provider(TypedDict, total=False):
    """Which providers OpenRouter may ask."""

    order: Sequence[str]
    only: Sequence[str]
    ignore: Sequence[str]
    allow_fallbacks: bool
    require_parameters: bool
    data_collection: Literal["allow", "deny"]
    zdr: bool
    enforce_distillable_text: bool
    quantizations: Sequence[str]
    sort: str | Mapping[str, str]
    max_price: MaxPrice
    preferred_min_throughput: float | Mapping[str, float]
    preferred_max_latency: float | Mapping[str, float]
    options: Mapping[str, Any]


class Plugin(TypedDict, total=False):
    """A plugin of OpenRouter's, by its id, with its own settings beside it."""

    id: str
    enabled: bool
    max_results: int
    engine: str
    pdf: Mapping[str, Any]


class CacheControl(TypedDict, total=False):
    """Where a prompt cache may begin to count."""

    type: Literal["ephemeral"]
    ttl: str


class Parameters(TypedDict, total=False):
    """All that a call may set beside its prompt, its routes and its limits."""

    temperature: float | None
    top_p: float | None
    top_k: int | None
    min_p: float | None
    top_a: float | None
    frequency_penalty: float | None
    presence_penalty: float | None
    repetition_penalty: float | None
    seed: int | None
    max_tokens: int | None
    max_completion_tokens: int | None
    n: int | None
    stop: str | Sequence[str] | None
    logit_bias: Mapping[str, float] | None
    logprobs: bool | None
    top_logprobs: int | None
    tools: Sequence[Mapping[str, Any] | Callable[..., Any]] | None
    tool_choice: str | Mapping[str, Any] | None
    parallel_tool_calls: bool | None
    response_format: Mapping[str, Any] | None
    reasoning: Reasoning | None
    reasoning_effort: Effort | None
    include_reasoning: bool | None
    verbosity: Literal["low", "medium", "high"] | None
    modalities: Sequence[Literal["text", "image", "audio"]] | None
    audio: Mapping[str, Any] | None
    image_config: Mapping[str, Any] | None
    prediction: Mapping[str, Any] | None
    provider: Provider | None
    plugins: Sequence[Plugin] | None
    preset: str | None
    cache_control: CacheControl | None
    prompt_cache_key: str | None
    prompt_cache_options: Mapping[str, Any] | None
    service_tier: str | None
    session_id: str | None
    trace: Mapping[str, Any] | None
    user: str | None
    metadata: Mapping[str, str] | None
    store: bool | None
    transforms: Sequence[str] | None
    route: str | None
    web_search_options: Mapping[str, Any] | None
    structured_outputs: bool | None
    deferred_tools: Any
    stop_server_tools_when: Sequence[Any] | None
    usage: Mapping[str, bool] | None
    debug: Mapping[str, bool] | None
