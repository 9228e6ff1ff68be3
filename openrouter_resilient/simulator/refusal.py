"""An error reply before it takes the shape of a face."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .message import Header, Json


@dataclass(frozen=True)
class Refusal:
    """A status and what goes with it; a face writes down what its API has room for."""

    status: int
    message: str
    code: str | None = None  # OpenAI's error.code; OpenRouter writes the status there
    type: str | None = None  # OpenAI's error.type; None takes the face's usual one for the status
    param: str | None = None
    metadata: Json | None = None  # OpenRouter only
    availability: Json | None = None  # OpenRouter only
    siblings: Json = field(default_factory=dict)  # beside "error", OpenRouter only
    headers: tuple[Header, ...] = ()

    @property
    def past_the_edge(self) -> bool:
        """Whether a provider was asked, so that there is a generation to name."""
        return bool((self.metadata or {}).get("provider_name")) or self.status >= 500

    @property
    def needs_openrouter(self) -> bool:
        """Whether its meaning lies in fields that no other API has."""
        return self.metadata is not None or self.availability is not None

    def with_headers(self, *headers: Header) -> Refusal:
        """Return the same with more headers."""
        return replace(self, headers=self.headers + headers)


class RefusedError(Exception):
    """Raised by a face that will not answer a request; carries the refusal."""

    def __init__(self, refusal: Refusal) -> None:
        """Carry it to whoever writes the reply."""
        super().__init__(refusal.message)
        self.refusal = refusal


# What a direct API answers for a kind that at OpenRouter lies in its own fields only.
# fmt: off
DIRECT: dict[str, Refusal] = {
    "invalid_request":  Refusal(400, "Invalid value for 'messages'.", param="messages"),
    "context_too_long": Refusal(400, "This model's maximum context length is 128000 tokens. However, your messages "
                                     "resulted in 230799 tokens.", code="context_length_exceeded", param="messages"),
    "blocked":          Refusal(400, "Your request was rejected as a result of our safety system.", code="content_policy_violation"),
    "unknown_model":    Refusal(404, "The model does not exist or you do not have access to it.", code="model_not_found"),
    "no_provider":      Refusal(404, "The model does not exist or you do not have access to it.", code="model_not_found"),
    "free_quota":       Refusal(404, "The model does not exist or you do not have access to it.", code="model_not_found"),
    "unauthorized":     Refusal(401, "Incorrect API key provided.", code="invalid_api_key"),
    "forbidden":        Refusal(403, "Country, region, or territory not supported.", code="unsupported_country_region_territory"),
    "no_credit":        Refusal(402, "Insufficient credits."),
    "quota":            Refusal(429, "This organization has reached its spend limit.", type="insufficient_quota",
                                code="organization_spend_limit_exceeded"),
    "rate_limited":     Refusal(429, "Rate limit reached for requests.", type="requests", code="rate_limit_exceeded"),
    "upstream_timeout": Refusal(504, "Gateway timeout."),
    "server_error":     Refusal(500, "The server had an error while processing your request. Sorry about that!"),
    "unavailable":      Refusal(503, "The service is temporarily unavailable."),
    "overloaded":       Refusal(529, "Overloaded"),
}
# fmt: on
