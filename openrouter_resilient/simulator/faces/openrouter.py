"""OpenRouter: several models in one request, who served it, what it cost.

Facts: openrouter.ai/docs, api_reference/errors-and-debugging, streaming, router-metadata.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from openrouter_resilient.simulator.answering import (
    last_prompt,
    model_name,
    pictured,
    reasoning_asked,
    without_variant,
)
from openrouter_resilient.simulator.checks import problem
from openrouter_resilient.simulator.models import ALIASES, OPENROUTER, OPENROUTER_VECTORS
from openrouter_resilient.simulator.refusal import Refusal, RefusedError

from .base import Face, Question

if TYPE_CHECKING:
    from openrouter_resilient.simulator.completion import Completion, Event
    from openrouter_resilient.simulator.message import Header, Json
    from openrouter_resilient.simulator.models import Model

MOST_MODELS = 3
MOST_GENERATIONS = 1000  # remembered, so that a long run does not fill the memory
ACCOUNT_DEFAULT = "openai/gpt-4o"  # what serves when the request names no model
DOCS = "https://openrouter.ai/docs/api-reference/errors"
USER = "user_simulated"
METADATA_HEADERS = ("x-openrouter-metadata", "x-openrouter-experimental-metadata")
WITHOUT_METADATA = (400, 401, 402, 403, 429, 500)  # router-metadata: masked, or refused at the edge


class OpenRouter(Face):
    """https://openrouter.ai/api/v1."""

    name = "openrouter"
    base = "/api/v1"
    variable = "OPENROUTER"
    key_prefix = "sk-or-v1-"
    models = OPENROUTER
    vectors = OPENROUTER_VECTORS
    whole_padding = b"\n         \n"
    comment: ClassVar[bytes] = b": OPENROUTER PROCESSING\n\n"

    def __init__(self) -> None:
        """Begin with no generations."""
        super().__init__()
        self._generations: dict[str, Json] = {}
        self._lock = threading.Lock()

    def new_id(self) -> str:
        """Make a generation id in its newer form."""
        return f"gen-{int(time.time())}-{secrets.token_urlsafe(15).replace('-', 'x')}"

    def no_key(self) -> Refusal:
        """Answer a request without a key."""
        return Refusal(401, "No auth credentials found")

    def wrong_key(self) -> Refusal:
        """Answer a request with some other key."""
        return Refusal(401, "User not found.")

    def check_body(self, body: Json) -> None:
        """Refuse what is refused at the edge, before any model is asked."""
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise RefusedError(Refusal(400, 'Input required: specify "prompt" or "messages"'))
        if len(_listed(body)) > MOST_MODELS:
            text = "'models' array must have 3 items or fewer."
            raise RefusedError(Refusal(400, text, siblings={"user_id": USER}))
        wrong = problem(body)
        if wrong:
            raise RefusedError(Refusal(400, f"Input validation error: {wrong}: Invalid input"))

    def check_models(self, body: Json) -> None:
        """Refuse a request that names an unknown model anywhere, as is done since 2026-08-19."""
        for name in _names(body):
            if self.find(name) is None:
                raise RefusedError(self.no_such_model(name))
        if pictured(body) and not any(model.sees for model in self.candidates(body)):
            raise RefusedError(Refusal(404, "No endpoints found that support image input"))

    def no_such_model(self, name: str) -> Refusal:
        """Answer an id that does not exist."""
        return unknown_model(name)

    def embed(self, question: Question) -> Json:
        """Answer with vectors, and say what they cost."""
        body = super().embed(question)
        tokens = body["usage"]["prompt_tokens"]
        price = self.vectors[model_name(question.body)].prompt_usd
        body["usage"]["cost"] = tokens * price / 1e6
        return body | {"id": question.id, "provider": "OpenAI"}

    def find(self, name: str) -> Model | None:
        """Resolve aliases and variants too."""
        bare = without_variant(name)
        return super().find(ALIASES.get(bare, (bare, ""))[0])

    def candidates(self, body: Json) -> list[Model]:
        """Return `model`, then `models`, each once."""
        found = [self.find(name) for name in _names(body)]
        return list(dict.fromkeys(model for model in found if model))

    def complete(self, question: Question, message: Json) -> Completion:
        """Answer, remember the generation, and say how it was routed if that was asked."""
        completion = replace(
            super().complete(question, message),
            usage_in_stream=True,  # sent without being asked for
            reasoning=_reasoning(question.body),
        )
        question.serving = completion.model
        self._remember(completion.id, _generation(completion, question))
        return replace(completion, metadata=routing_metadata(self, question, served=True))

    def whole(self, completion: Completion) -> Json:
        """Add provider, native finish reason, cost and metadata."""
        body = super().whole(completion)
        body["provider"] = completion.model.provider
        body["choices"][0]["native_finish_reason"] = completion.finish_reason
        body["usage"] = _priced(completion)
        body["system_fingerprint"] = None  # the schema wants it there
        return body | _metadata(completion)

    def events(self, completion: Completion) -> list[Event]:
        """Add the same to the chunks; cost and metadata ride on the last."""
        events = super().events(completion)
        for event in events:
            event.chunk["provider"] = completion.model.provider
            for choice in event.chunk["choices"]:
                choice["native_finish_reason"] = choice["finish_reason"]
        events[-1].chunk.update({"usage": _priced(completion)} | _metadata(completion))
        return events

    def headers(self, question: Question) -> tuple[Header, ...]:
        """Name the generation."""
        ray = ("CF-RAY", f"{secrets.token_hex(8)}-SIM")
        if question.request.path not in (*self.chat_paths, self.vectors_path):
            return (("Server", "cloudflare"), ray)
        return (("Server", "cloudflare"), ray, ("X-Generation-Id", question.id))

    def error(self, refusal: Refusal, question: Question) -> Json:
        """Write OpenRouter's envelope: the status as a number, metadata, availability."""
        error: Json = {"message": refusal.message, "code": refusal.status}
        if refusal.metadata is not None:
            error["metadata"] = _filled(refusal.metadata, self, question)
        if refusal.availability is not None:
            error["availability"] = _filled(refusal.availability, self, question)
        body = {"error": error, **refusal.siblings}
        if refusal.past_the_edge and refusal.status not in WITHOUT_METADATA:
            metadata = routing_metadata(self, question, served=False, status=refusal.status)
            body |= {"openrouter_metadata": metadata} if metadata else {}
        return body

    def nearest(self, refusal: Refusal, _kind: str) -> Refusal:
        """Return it as it is: this is the API it was written for."""
        return refusal

    def page(self, question: Question) -> Json | None:
        """Answer /models (open to all), /key and /generation."""
        match question.request.path.removeprefix(self.base):
            case "/models":
                listed = [self.card(model) for model in self.models.values()]
                return {"data": listed, "total_count": len(listed), "links": {"next": None}}
            case "/key":
                self.check_key(question.request)
                return {"data": _key_facts()}
            case "/generation":
                self.check_key(question.request)
                return {"data": self._generation(question.request.query.get("id", ""))}
            case _:
                return None

    def _remember(self, generation_id: str, generation: Json) -> None:
        with self._lock:
            self._generations[generation_id] = generation
            if len(self._generations) > MOST_GENERATIONS:
                del self._generations[next(iter(self._generations))]

    def _generation(self, generation_id: str) -> Json:
        if generation_id not in self._generations:
            raise RefusedError(Refusal(404, f"Generation {generation_id} not found"))
        return self._generations[generation_id]

    def card(self, model: Model) -> Json:
        """Write one row of the list of models; prices are texts, USD a token."""
        return {
            "id": model.id,
            "canonical_slug": model.dated,
            "name": model.id,
            "created": 1715367049,
            "context_length": model.context_tokens,
            "architecture": {
                "input_modalities": ["text", "image"] if model.sees else ["text"],
                "output_modalities": ["text"],
                "modality": "text+image->text" if model.sees else "text->text",
                "tokenizer": "Other",
                "instruct_type": None,
            },
            "default_parameters": {},
            "supported_voices": None,
            "links": {"details": f"/api/v1/models/{model.id}/endpoints"},
            "pricing": {
                "prompt": f"{model.prompt_usd / 1e6:.10f}",
                "completion": f"{model.completion_usd / 1e6:.10f}",
            },
            "top_provider": {"context_length": model.context_tokens, "is_moderated": False},
            "supported_parameters": [
                "max_tokens",
                "temperature",
                "tools",
                "response_format",
                "structured_outputs",
            ],
            "per_request_limits": None,
        }


def unknown_model(name: str) -> Refusal:
    """Return the documented answer to an id that does not exist."""
    return Refusal(
        400,
        f"{name} is not a valid model ID",
        availability={
            "code": "model_not_found",
            "retryable": False,
            "requested_models": [name],
            "docs_url": DOCS,
        },
    )


def routing_metadata(
    face: Face,
    question: Question,
    *,
    served: bool,
    status: int = 200,
) -> Json | None:
    """Return openrouter_metadata, None if the request did not opt in."""
    if not any(question.request.header(name).lower() == "enabled" for name in METADATA_HEADERS):
        return None
    candidates = face.candidates(question.body)
    last = question.serving or (candidates[-1] if candidates else None)
    attempts = [*question.attempts]
    if last and (served or not attempts):
        attempts.append(attempt(last, 200 if served else status))
    available = [
        {"provider": m.provider, "model": m.dated, "selected": served and m == last}
        for m in candidates
    ]
    return {
        "requested": model_name(question.body) or next(iter(_names(question.body))),
        "strategy": _strategy(question.body),
        "region": "iad",
        "summary": f"available={len(available)}",
        "attempt": len(attempts),
        "is_byok": False,
        "endpoints": {"total": len(available), "available": available},
        "attempts": attempts,
    }


def attempt(model: Model, status: int) -> Json:
    """Write one upstream attempt."""
    return {"provider": model.provider, "model": model.dated, "status": status}


def _listed(body: Json) -> list[str]:
    listed = body.get("models")
    return [str(name) for name in listed] if isinstance(listed, list) else []


def _names(body: Json) -> list[str]:
    named = [model_name(body), *_listed(body)]
    return [name for name in named if name] or [ACCOUNT_DEFAULT]


def _strategy(body: Json) -> str:
    names = _names(body)
    if len(names) > 1:
        return "fallback"
    return ALIASES.get(without_variant(names[0]), ("", "direct"))[1]


def _reasoning(body: Json) -> str:
    return f"The user wants to know about: {last_prompt(body)}" if reasoning_asked(body) else ""


def _priced(completion: Completion) -> Json:
    usage, model = completion.usage(), completion.model
    prompt = usage["prompt_tokens"] * model.prompt_usd / 1e6
    answer = usage["completion_tokens"] * model.completion_usd / 1e6
    details = {
        "upstream_inference_cost": None,
        "upstream_inference_prompt_cost": prompt,
        "upstream_inference_completions_cost": answer,
    }
    return usage | {"cost": prompt + answer, "is_byok": False, "cost_details": details}


def _metadata(completion: Completion) -> Json:
    return {"openrouter_metadata": completion.metadata} if completion.metadata else {}


def _generation(completion: Completion, question: Question) -> Json:
    usage = _priced(completion)
    return {
        "id": completion.id,
        "upstream_id": f"chatcmpl-{secrets.token_hex(12)}",
        "request_id": question.request_id,
        "model": completion.model.dated,
        "provider_name": completion.model.provider,
        "streamed": question.streaming,
        "cancelled": False,
        "finish_reason": completion.finish_reason,
        "native_finish_reason": completion.finish_reason,
        "created_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(completion.created)),
        "tokens_prompt": usage["prompt_tokens"],
        "tokens_completion": usage["completion_tokens"],
        "native_tokens_prompt": usage["prompt_tokens"],
        "native_tokens_completion": usage["completion_tokens"],
        "total_cost": usage["cost"],
        "usage": usage["cost"],
        "is_byok": False,
        "latency": 1,
        "generation_time": 1,
    }


def _key_facts() -> Json:
    return {
        "label": "simulated",
        "limit": 100.0,
        "limit_remaining": 99.0,
        "limit_reset": None,
        "usage": 1.0,
        "usage_daily": 1.0,
        "is_free_tier": False,
        "is_management_key": False,
        "rate_limit": {"requests": -1, "interval": "10s", "note": "deprecated"},
    }


def _filled(facts: Json, face: Face, question: Question) -> Json:
    """Put the names of this request where the catalogue has {provider} and {model}."""
    candidates = face.candidates(question.body)
    model = question.serving or (candidates[-1] if candidates else OPENROUTER[ACCOUNT_DEFAULT])
    text = json.dumps(facts).replace("{provider}", model.provider).replace("{model}", model.id)
    filled: Json = json.loads(text)
    return filled
