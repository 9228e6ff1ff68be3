"""What every face has: a key, models, checks, and the two forms of an answer.

A face knows how its API talks; it never touches a socket and knows nothing of faults.
"""

from __future__ import annotations

import json
import secrets
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from openrouter_resilient.simulator import embeddings
from openrouter_resilient.simulator.answering import model_name, prompt_text
from openrouter_resilient.simulator.completion import (
    Completion,
    Event,
    count_tokens,
    stream_events,
    whole_body,
)
from openrouter_resilient.simulator.record import presented_key
from openrouter_resilient.simulator.refusal import DIRECT, Refusal, RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openrouter_resilient.simulator.message import Header, Json, Request
    from openrouter_resilient.simulator.models import Model, Vectors

INVALID_REQUEST = "invalid_request_error"


@dataclass
class Question:
    """One request as a face sees it, with the names its answer will go by."""

    request: Request
    body: Json
    id: str
    request_id: str = field(default_factory=lambda: f"req_{secrets.token_hex(16)}")
    created: int = field(default_factory=lambda: int(time.time()))
    serving: Model | None = None  # None: the first of the candidates
    attempts: list[Json] = field(default_factory=list)  # upstream ones that failed before

    @property
    def streaming(self) -> bool:
        """Whether events were asked for."""
        return self.body.get("stream") is True


class Face(ABC):
    """One API as the client sees it."""

    name: ClassVar[str]
    base: ClassVar[str]  # path of the base URL
    variable: ClassVar[str]  # what its environment variables begin with
    key_prefix: ClassVar[str]
    id_prefix: ClassVar[str] = "chatcmpl-"
    models: ClassVar[Mapping[str, Model]]
    types: ClassVar[Mapping[int, str]] = {}  # error.type by status, where it is not the usual one
    whole_padding: ClassVar[bytes] = b""  # sent before a body that is not ready yet
    comment: ClassVar[bytes] = b""  # sent in a stream that has nothing to say yet
    vectors: ClassVar[Mapping[str, Vectors]] = {}  # models that embed
    vector_fields: ClassVar[frozenset[str] | None] = None  # all it knows; None: others are ignored

    def __init__(self) -> None:
        """Make up the only key this face will accept."""
        self.key = f"{self.key_prefix}simulated-{secrets.token_hex(16)}"

    @property
    def chat_paths(self) -> tuple[str, ...]:
        """Where completions are asked for."""
        return (f"{self.base}/chat/completions",)

    @property
    def vectors_path(self) -> str:
        """Where embeddings are asked for."""
        return f"{self.base}/embeddings"

    def question(self, request: Request) -> Question:
        """Give a request the names of its answer."""
        return Question(request, request.body() or {}, self.new_id())

    # how it is written

    def encoded(self, _question: Question, body: Json) -> bytes:
        """Return a body as this API writes it."""
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        return text.encode(errors="backslashreplace")  # half a character, as JSON escapes it

    def event_bytes(self, question: Question, chunk: Json) -> bytes:
        """Return a chunk as one server-sent event."""
        return b"data: " + self.encoded(question, chunk) + b"\n\n"

    def sentinel(self, _question: Question) -> bytes:
        """Return what ends a stream."""
        return b"data: [DONE]\n\n"

    def new_id(self) -> str:
        """Make the id of a completion."""
        return f"{self.id_prefix}{secrets.token_hex(14)}"

    # checks

    def check(self, question: Question) -> None:
        """Raise RefusedError unless a healthy API would serve this chat request."""
        self.check_key(question.request)
        if question.request.body() is None:
            raise RefusedError(Refusal(400, "We could not parse the JSON body of your request."))
        self.check_body(question.body)
        self.check_models(question.body)

    def check_key(self, request: Request) -> None:
        """Refuse any key but the face's own."""
        key = presented_key(request)
        if key is None:
            raise RefusedError(self.no_key())
        if not secrets.compare_digest(key.encode(), self.key.encode()):
            raise RefusedError(self.wrong_key())

    def no_key(self) -> Refusal:
        """Answer a request without a key."""
        return Refusal(401, "You didn't provide an API key.")

    def wrong_key(self) -> Refusal:
        """Answer a request with some other key."""
        return Refusal(401, "Incorrect API key provided.", code="invalid_api_key")

    def check_body(self, body: Json) -> None:
        """Refuse what this API does not understand."""
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            text = "Missing required parameter: 'messages'."
            raise RefusedError(Refusal(400, text, param="messages"))

    def check_models(self, body: Json) -> None:
        """Refuse a model this API does not have."""
        if not self.candidates(body):
            raise RefusedError(self.no_such_model(model_name(body)))

    def no_such_model(self, name: str) -> Refusal:
        """Answer an id that does not exist."""
        text = f"The model `{name}` does not exist or you do not have access to it."
        return Refusal(404, text, code="model_not_found")

    # answers

    def find(self, name: str) -> Model | None:
        """Return the model that goes by this id or by its dated name."""
        by_date = (model for model in self.models.values() if model.dated == name)
        return self.models.get(name) or next(by_date, None)

    def candidates(self, body: Json) -> list[Model]:
        """Return the models that may serve this request, in order."""
        model = self.find(model_name(body))
        return [model] if model else []

    def complete(self, question: Question, message: Json) -> Completion:
        """Answer with this message."""
        body = question.body
        options = body.get("stream_options") or {}
        return Completion(
            id=question.id,
            created=question.created,
            model=question.serving or self.candidates(body)[0],
            prompt_tokens=count_tokens(prompt_text(body)),
            message=message,
            usage_in_stream=options.get("include_usage") is True,
        )

    def whole(self, completion: Completion) -> Json:
        """Write a completion as one body."""
        return whole_body(completion)

    def events(self, completion: Completion) -> list[Event]:
        """Write a completion as the events of a stream, the sentinel not included."""
        return list(stream_events(completion))

    def embed(self, question: Question) -> Json:
        """Answer with vectors; raise RefusedError unless a healthy API would."""
        self.check_key(question.request)
        if not self.vectors:
            raise RefusedError(Refusal(404, f"Unknown request URL: POST {self.vectors_path}."))
        embeddings.check(question.body, self.vector_fields)
        model = self.vectors.get(model_name(question.body))
        if model is None:
            raise RefusedError(self.no_such_model(model_name(question.body)))
        return embeddings.whole(question.body, model)

    @abstractmethod
    def headers(self, question: Question) -> tuple[Header, ...]:
        """Return what this API puts on every reply."""

    def error(self, refusal: Refusal, _question: Question) -> Json:
        """Write an error body; OpenAI's form."""
        usual = self.types.get(refusal.status) or _usual_type(refusal.status)
        return {
            "error": {
                "message": refusal.message,
                "type": refusal.type or usual,
                "param": refusal.param,
                "code": refusal.code,
            },
        }

    def nearest(self, refusal: Refusal, kind: str) -> Refusal:
        """Return what this API would answer where OpenRouter answers `refusal`."""
        return DIRECT.get(kind, refusal) if refusal.needs_openrouter else refusal

    def page(self, question: Question) -> Json | None:
        """Answer a GET, None where there is nothing at that path."""
        if question.request.path != f"{self.base}/models":
            return None
        self.check_key(question.request)
        return {"object": "list", "data": [self.card(model) for model in self.models.values()]}

    def card(self, model: Model) -> Json:
        """Write one row of the list of models."""
        return {"id": model.dated, "object": "model", "created": 1715367049, "owned_by": self.name}


def _usual_type(status: int) -> str:
    if status == 429:
        return "requests"
    return "server_error" if status >= 500 else INVALID_REQUEST
