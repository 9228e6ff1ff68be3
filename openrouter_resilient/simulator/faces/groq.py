"""Groq: OpenAI's form, fewer parameters, its own x_groq object in a stream.

Facts: console.groq.com/docs/openai, groq-python types.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from openrouter_resilient.simulator.answering import pictured
from openrouter_resilient.simulator.models import GROQ
from openrouter_resilient.simulator.refusal import Refusal, RefusedError

from .base import INVALID_REQUEST, Face, Question
from .openai import rate_limits

if TYPE_CHECKING:
    from openrouter_resilient.simulator.completion import Completion, Event
    from openrouter_resilient.simulator.message import Header, Json

REFUSED = ("logprobs", "logit_bias", "top_logprobs")  # 400 when present, says the documentation
HOLDS_TO_SCHEMA = re.compile(r"openai/gpt-oss|meta-llama/llama-4|moonshotai/kimi-k2")
TIMES = {"queue_time": 0.01, "prompt_time": 0.001, "completion_time": 0.01, "total_time": 0.011}


class Groq(Face):
    """https://api.groq.com/openai/v1."""

    name = "groq"
    base = "/openai/v1"
    variable = "GROQ"
    key_prefix = "gsk_"
    models = GROQ

    def wrong_key(self) -> Refusal:
        """Answer a request with some other key."""
        return Refusal(401, "Invalid API Key", type=INVALID_REQUEST, code="invalid_api_key")

    def check_body(self, body: Json) -> None:
        """Refuse what the documentation says is refused."""
        super().check_body(body)
        for name in REFUSED:
            if name in body:
                text = f"property '{name}' is unsupported"
                raise RefusedError(Refusal(400, text, param=name))
        if body.get("n") not in (None, 1):
            raise RefusedError(Refusal(400, "'n' : number must be at most 1", param="n"))
        for index, message in enumerate(body["messages"]):
            if isinstance(message, dict) and "name" in message:
                text = f"'messages.{index}' : property 'name' is unsupported"
                raise RefusedError(Refusal(400, text))

    def check_models(self, body: Json) -> None:
        """Refuse a picture where the model reads text only, and a schema where it holds to none."""
        super().check_models(body)
        wanted = body.get("response_format") or {}
        if wanted.get("type") == "json_schema" and not HOLDS_TO_SCHEMA.match(str(body["model"])):
            text = "This model does not support response format `json_schema`."
            raise RefusedError(Refusal(400, text, param="response_format"))
        if pictured(body) and not self.candidates(body)[0].sees:
            raise RefusedError(Refusal(400, "messages[0].content must be a string"))

    def whole(self, completion: Completion) -> Json:
        """Add x_groq and the times in usage."""
        body = super().whole(completion)
        body["usage"] |= TIMES
        return body | {"system_fingerprint": "fp_simulated", "x_groq": {"id": completion.id}}

    def events(self, completion: Completion) -> list[Event]:
        """Name the request in the first chunk; usage comes with the finish, asked for or not."""
        events = [event for event in super().events(completion) if event.brings != "usage"]
        usage = completion.usage() | TIMES
        events[0].chunk["x_groq"] = {"id": completion.id}
        events[-1].chunk.update(usage=usage, x_groq={"id": completion.id, "usage": usage})
        return events

    def headers(self, question: Question) -> tuple[Header, ...]:
        """Name the request; requests are counted a day, tokens a minute."""
        return (
            ("x-request-id", question.request_id),
            ("x-groq-region", "simulated"),
            *rate_limits(requests="14400", tokens="18000"),
        )
