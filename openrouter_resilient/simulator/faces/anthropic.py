"""Anthropic: its native Messages API, and the imitation of OpenAI's that ignores in silence.

Both are asked on one port, by their paths. Facts: docs.anthropic.com, OpenAI SDK compatibility, and
for the native one see `messages.py`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from openrouter_resilient.simulator.models import ANTHROPIC
from openrouter_resilient.simulator.refusal import Refusal, RefusedError

from . import messages
from .base import Face, Question
from .messages_checks import check

if TYPE_CHECKING:
    from openrouter_resilient.simulator.completion import Completion, Event
    from openrouter_resilient.simulator.message import Header, Json, Request


@dataclass
class NativeQuestion(Question):
    """A native request; its body is said in chat-completions form."""

    writer: messages.EventWriter = field(default_factory=lambda: messages.EventWriter(""))


class Anthropic(Face):
    """https://api.anthropic.com/v1."""

    name = "anthropic"
    base = "/v1"
    variable = "ANTHROPIC"
    key_prefix = "sk-ant-api03-"
    models = ANTHROPIC
    types: ClassVar[dict[int, str]] = messages.TYPES

    @property
    def native_path(self) -> str:
        """Where its own API is."""
        return f"{self.base}/messages"

    @property
    def chat_paths(self) -> tuple[str, ...]:
        """Both."""
        return (*super().chat_paths, self.native_path)

    def question(self, request: Request) -> Question:
        """Tell by the path which API is asked."""
        if request.path != self.native_path:
            return super().question(request)
        body = messages.to_chat(request.body() or {})
        made = NativeQuestion(request, body, f"msg_{secrets.token_hex(12)}")
        made.writer = messages.EventWriter(made.request_id)
        return made

    def no_key(self) -> Refusal:
        """Answer a request without a key."""
        return Refusal(401, "x-api-key header is required")

    def wrong_key(self) -> Refusal:
        """Answer a request with some other key."""
        return Refusal(401, "invalid x-api-key")

    def check(self, question: Question) -> None:
        """Refuse what the API that was asked refuses."""
        if isinstance(question, NativeQuestion):
            self.check_key(question.request)
            version = question.request.header("anthropic-version")
            check(question.request.body() or {}, version)
            self.check_models(question.body)
        else:
            super().check(question)

    def check_body(self, body: Json) -> None:
        """Refuse, in the imitation, only what would change the shape of the answer."""
        super().check_body(body)
        if body.get("n") not in (None, 1):
            raise RefusedError(Refusal(400, "n: must be 1", param="n"))

    def complete(self, question: Question, message: Json) -> Completion:
        """Answer; natively with the thoughts that were asked for."""
        completion = super().complete(question, message)
        if isinstance(question, NativeQuestion) and question.body.get("reasoning"):
            return completion.thinking("Let me think about that.")
        return completion

    def events(self, completion: Completion) -> list[Event]:
        """Write the events; natively the counts come with the beginning and with the finish."""
        events = super().events(completion)
        for event in events:
            if event.brings in ("role", "finish") and completion.id.startswith("msg_"):
                event.chunk["usage"] = completion.usage()
        return events

    def encoded(self, question: Question, body: Json) -> bytes:
        """Return a body in the form of the API that was asked."""
        native = isinstance(question, NativeQuestion)
        return super().encoded(question, messages.whole(body) if native else body)

    def event_bytes(self, question: Question, chunk: Json) -> bytes:
        """Return a chunk as events of the API that was asked."""
        if isinstance(question, NativeQuestion):
            return b"".join(map(messages.event_bytes, question.writer.events(chunk)))
        return super().event_bytes(question, chunk)

    def sentinel(self, question: Question) -> bytes:
        """Return what ends a stream of the API that was asked."""
        if isinstance(question, NativeQuestion):
            return messages.event_bytes({"type": "message_stop"})
        return super().sentinel(question)

    def error(self, refusal: Refusal, question: Question) -> Json:
        """Write an error in the form of the API that was asked."""
        if isinstance(question, NativeQuestion):
            named = messages.CODES.get(str(refusal.code)) or messages.kind_of(refusal.status)
            said = {"type": named, "message": refusal.message}
            return messages.error(said, question.request_id)
        return super().error(refusal, question)

    def headers(self, question: Question) -> tuple[Header, ...]:
        """Name the request, and how much is left of the limits."""
        return (
            ("request-id", question.request_id),
            ("anthropic-organization-id", "simulated"),
            ("anthropic-ratelimit-requests-limit", "4000"),
            ("anthropic-ratelimit-requests-remaining", "3999"),
        )
