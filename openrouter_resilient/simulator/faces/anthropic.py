"""Anthropic's OpenAI-compatible face: what it does not support it ignores in silence.

Facts: docs.anthropic.com, OpenAI SDK compatibility. The native /v1/messages would be another
face beside this one: its own checks, its own two forms of an answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from openrouter_resilient.simulator.models import ANTHROPIC
from openrouter_resilient.simulator.refusal import Refusal, RefusedError

from .base import INVALID_REQUEST, Face, Question

if TYPE_CHECKING:
    from openrouter_resilient.simulator.message import Header, Json


class Anthropic(Face):
    """https://api.anthropic.com/v1."""

    name = "anthropic"
    base = "/v1"
    variable = "ANTHROPIC"
    key_prefix = "sk-ant-api03-"
    models = ANTHROPIC
    types: ClassVar[dict[int, str]] = {
        400: INVALID_REQUEST,
        401: "authentication_error",
        402: "billing_error",
        403: "permission_error",
        404: "not_found_error",
        413: "request_too_large",
        429: "rate_limit_error",
        500: "api_error",
        504: "timeout_error",
        529: "overloaded_error",
    }

    def no_key(self) -> Refusal:
        """Answer a request without a key."""
        return Refusal(401, "x-api-key header is required")

    def wrong_key(self) -> Refusal:
        """Answer a request with some other key."""
        return Refusal(401, "invalid x-api-key")

    def check_body(self, body: Json) -> None:
        """Refuse only what would change the shape of the answer."""
        super().check_body(body)
        if body.get("n") not in (None, 1):
            raise RefusedError(Refusal(400, "n: must be 1", param="n"))

    def headers(self, question: Question) -> tuple[Header, ...]:
        """Name the request, and how much is left of the limits."""
        return (
            ("request-id", question.request_id),
            ("anthropic-organization-id", "simulated"),
            ("anthropic-ratelimit-requests-limit", "4000"),
            ("anthropic-ratelimit-requests-remaining", "3999"),
        )
