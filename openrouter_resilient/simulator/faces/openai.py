"""OpenAI: refuses every field it does not know.

Facts: openai-openapi (CreateChatCompletionRequest), observed error bodies.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, ClassVar

from openrouter_resilient.simulator.answering import model_name
from openrouter_resilient.simulator.embeddings import FIELDS as VECTOR_FIELDS
from openrouter_resilient.simulator.models import OPENAI, OPENAI_VECTORS
from openrouter_resilient.simulator.refusal import Refusal, RefusedError

from .base import INVALID_REQUEST, Face, Question

if TYPE_CHECKING:
    from collections.abc import Collection

    from openrouter_resilient.simulator.completion import Completion, Event
    from openrouter_resilient.simulator.message import Header, Json

# Every top-level field of CreateChatCompletionRequest.
FIELDS = frozenset({
    "messages", "model", "audio", "frequency_penalty", "function_call", "functions", "logit_bias",
    "logprobs", "max_completion_tokens", "max_tokens", "metadata", "modalities", "moderation", "n",
    "parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key",
    "prompt_cache_options", "prompt_cache_retention", "reasoning_effort", "response_format",
    "safety_identifier", "seed", "service_tier", "stop", "store", "stream", "stream_options",
    "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "user", "verbosity",
    "web_search_options",
})  # fmt: skip
MESSAGE_FIELDS = frozenset({
    "role", "content", "name", "refusal", "audio", "tool_calls", "function_call", "tool_call_id",
})  # fmt: skip
# Fields of a part of a message, and of what is in it.
PART_FIELDS: dict[str, tuple[str, ...]] = {
    "text": (),
    "refusal": (),
    "image_url": ("url", "detail"),
    "input_audio": ("data", "format"),
    "file": ("filename", "file_data", "file_id"),
}
DETAILS = ("auto", "low", "high")
TOOL_FIELDS = ("type", "function", "custom")
FUNCTION_FIELDS = ("name", "description", "parameters", "strict")
# Reasoning models take these at their default only.
FIXED = {"temperature": 1, "top_p": 1, "presence_penalty": 0, "frequency_penalty": 0}
NO_STOP = ("o3", "o4-mini")


class OpenAI(Face):
    """https://api.openai.com/v1."""

    name = "openai"
    base = "/v1"
    variable = "OPENAI"
    key_prefix = "sk-proj-"
    models = OPENAI
    vectors = OPENAI_VECTORS
    vector_fields = VECTOR_FIELDS
    types: ClassVar[dict[int, str]] = {401: INVALID_REQUEST}

    def check_body(self, body: Json) -> None:
        """Refuse unknown fields and those the model does not take."""
        super().check_body(body)
        for name in body:
            if name not in FIELDS:
                raise RefusedError(Refusal(400, f"Unrecognized request argument supplied: {name}"))
        for index, message in enumerate(body["messages"]):
            _check_message(index, message)
        for index, tool in enumerate(body.get("tools") or []):
            _check_fields(f"tools[{index}]", tool, TOOL_FIELDS)
            _check_fields(f"tools[{index}].function", tool.get("function"), FUNCTION_FIELDS)

    def check_models(self, body: Json) -> None:
        """Refuse an unknown model first, then what a reasoning model does not take."""
        super().check_models(body)
        if self.candidates(body)[0].reasons:
            _check_reasoning(body)

    def events(self, completion: Completion) -> list[Event]:
        """Carry `usage: null` on every chunk but the last, where usage was asked for."""
        events = super().events(completion)
        for event in events:
            event.chunk.update(service_tier="default", system_fingerprint="fp_simulated")
            if completion.usage_in_stream:
                event.chunk.setdefault("usage", None)
        return events

    def whole(self, completion: Completion) -> Json:
        """Add tier and fingerprint."""
        extra = {"service_tier": "default", "system_fingerprint": "fp_simulated"}
        return super().whole(completion) | extra

    def headers(self, question: Question) -> tuple[Header, ...]:
        """Name the request, and how much is left of the limits."""
        return (
            ("Server", "cloudflare"),
            ("CF-RAY", f"{secrets.token_hex(8)}-SIM"),
            ("x-request-id", question.request_id),
            ("openai-organization", "simulated"),
            ("openai-processing-ms", "1"),
            ("openai-version", "2020-10-01"),
            *rate_limits(requests="10000", tokens="2000000"),
        )


def rate_limits(*, requests: str, tokens: str) -> tuple[Header, ...]:
    """Write the limit headers that are on every reply; resets are durations."""
    return (
        ("x-ratelimit-limit-requests", requests),
        ("x-ratelimit-limit-tokens", tokens),
        ("x-ratelimit-remaining-requests", requests),
        ("x-ratelimit-remaining-tokens", tokens),
        ("x-ratelimit-reset-requests", "6ms"),
        ("x-ratelimit-reset-tokens", "1s"),
    )


def _check_message(index: int, message: object) -> None:
    where = f"messages[{index}]"
    if not isinstance(message, dict) or "role" not in message:
        text = f"Missing required parameter: '{where}.role'."
        raise RefusedError(Refusal(400, text, code="missing_required_parameter", param=where))
    _check_fields(where, message, MESSAGE_FIELDS)
    content = message.get("content")
    for place, part in enumerate(content if isinstance(content, list) else []):
        _check_part(f"{where}.content[{place}]", part)


def _check_part(where: str, part: Json) -> None:
    kind = str(part.get("type"))
    if kind not in PART_FIELDS:
        text = f"Invalid value: '{kind}'. Supported values are: {', '.join(PART_FIELDS)}."
        raise RefusedError(Refusal(400, text, code="invalid_value", param=f"{where}.type"))
    _check_fields(where, part, ("type", kind))
    inside = part.get(kind)
    if kind in ("text", "refusal"):
        return
    if not isinstance(inside, dict):
        text = f"Missing required parameter: '{where}.{kind}'."
        raise RefusedError(Refusal(400, text, code="missing_required_parameter"))
    _check_fields(f"{where}.{kind}", inside, PART_FIELDS[kind])
    if kind == "image_url" and inside.get("detail", "auto") not in DETAILS:
        text = f"Invalid value: '{inside['detail']}'. Supported values are: 'low', 'high', 'auto'."
        param = f"{where}.image_url.detail"
        raise RefusedError(Refusal(400, text, code="invalid_value", param=param))
    if kind == "file" and not inside.get("file_id"):
        _check_embedded(where, str(inside.get("file_data", "")))


def _check_embedded(where: str, data: str) -> None:
    """A file comes by its bytes; only OpenRouter fetches one."""
    if not data.startswith("data:"):
        text = f"Invalid '{where}.file.file_data'. Expected a base64-encoded data URL."
        param = f"{where}.file.file_data"
        raise RefusedError(Refusal(400, text, code="invalid_value", param=param))


def _check_fields(where: str, thing: object, known: Collection[str]) -> None:
    for name in thing if isinstance(thing, dict) else ():
        if name not in known:
            param = f"{where}.{name}"
            text = f"Unknown parameter: '{param}'."
            raise RefusedError(Refusal(400, text, code="unknown_parameter", param=param))


def _check_reasoning(body: Json) -> None:
    if body.get("max_tokens") is not None:
        text = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. "
            "Use 'max_completion_tokens' instead."
        )
        raise RefusedError(Refusal(400, text, code="unsupported_parameter", param="max_tokens"))
    for name, only in FIXED.items():
        if body.get(name) not in (None, only):
            _refuse_value(name, body[name], only)
    for name in ("logprobs", "top_logprobs", "logit_bias"):
        if body.get(name):
            _refuse_parameter(name)
    if body.get("stop") and model_name(body).startswith(NO_STOP):
        _refuse_parameter("stop")


def _refuse_value(name: str, given: object, only: int) -> None:
    text = (
        f"Unsupported value: '{name}' does not support {given} with this model. "
        f"Only the default ({only}) value is supported."
    )
    raise RefusedError(Refusal(400, text, code="unsupported_value", param=name))


def _refuse_parameter(name: str) -> None:
    text = f"Unsupported parameter: '{name}' is not supported with this model."
    raise RefusedError(Refusal(400, text, code="unsupported_parameter", param=name))
