"""One completion, and its two chat-completions forms: a whole body, or the events of a stream.

What a face adds to either (provider, cost, x_groq) is the face's business.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .message import Json
    from .models import Model

MOST_PIECES = 12  # deltas an answer is cut into: enough to break a stream between, cheap to write
FEWEST_PIECES = 4  # so that the default break, after two deltas, is in the middle
CHARACTERS_A_TOKEN = 4  # the usual rule of thumb; the counts only have to be steady


@dataclass(frozen=True)
class Completion:
    """What is answered to one request."""

    id: str
    created: int
    model: Model
    prompt_tokens: int
    message: Json  # a whole assistant message
    reasoning: str = ""
    usage_in_stream: bool = True
    metadata: Json | None = None  # openrouter_metadata, if it was asked for

    @property
    def text(self) -> str:
        """The text of the message, empty if it only calls tools."""
        content = self.message.get("content")
        return content if isinstance(content, str) else ""

    @property
    def tool_calls(self) -> list[Json]:
        """The tool calls of the message."""
        return list(self.message.get("tool_calls") or [])

    @property
    def finish_reason(self) -> str:
        """How a healthy answer ends."""
        return "tool_calls" if self.tool_calls else "stop"

    def thinking(self, thought: str) -> Completion:
        """Return the same with a thought before it."""
        return replace(self, reasoning=thought)

    def usage(self) -> Json:
        """Token counts, by a rule of thumb."""
        spoken = self.text + json.dumps(self.tool_calls) * bool(self.tool_calls)
        completion, thought = count_tokens(spoken), count_tokens(self.reasoning)
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion + thought,
            "total_tokens": self.prompt_tokens + completion + thought,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": thought},
        }


@dataclass(frozen=True)
class Event:
    """One chunk of a stream and what it brings: role, reasoning, text, refusal, tool, finish, usage."""

    brings: str
    chunk: Json = field(repr=False)


def count_tokens(text: str) -> int:
    """Estimate tokens; none for no text."""
    return -(-len(text) // CHARACTERS_A_TOKEN)


def whole_body(completion: Completion) -> Json:
    """Write the completion as one chat.completion body."""
    message = {"role": "assistant", "content": None, "refusal": None} | completion.message
    if completion.reasoning:
        message["reasoning"] = completion.reasoning
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": completion.finish_reason,
    }
    return {
        **_frame(completion, "chat.completion"),
        "choices": [choice],
        "usage": completion.usage(),
    }


def stream_events(completion: Completion) -> Iterator[Event]:
    """Write the completion as events, in the order that the real APIs have."""
    yield _delta(completion, "role", {"role": "assistant", "content": ""})
    for piece in pieces(completion.reasoning):
        yield _delta(completion, "reasoning", {"reasoning": piece})
    for piece in pieces(completion.text):
        yield _delta(completion, "text", {"content": piece})
    for piece in pieces(str(completion.message.get("refusal") or "")):
        yield _delta(completion, "refusal", {"refusal": piece})
    for index, call in enumerate(completion.tool_calls):
        yield from _tool_deltas(completion, index, call)
    yield _delta(completion, "finish", {}, finish_reason=completion.finish_reason)
    if completion.usage_in_stream:
        usage = {"choices": [], "usage": completion.usage()}
        yield Event("usage", {**_frame(completion, "chat.completion.chunk"), **usage})


def pieces(text: str) -> list[str]:
    """Cut a text into a handful of deltas, at words where there are enough of them."""
    words = re.findall(r"\s*\S+\s*?(?=\s|$)|\s+", text)
    parts = words if len(words) >= FEWEST_PIECES else list(text)
    most = MOST_PIECES if parts is words else FEWEST_PIECES
    size = max(1, -(-len(parts) // most))
    return ["".join(parts[start : start + size]) for start in range(0, len(parts), size)]


def tool_call(name: str, arguments: Json) -> Json:
    """Write one call of a function."""
    return {
        "id": f"call_{secrets.token_hex(12)}",
        "type": "function",
        "function": {"name": name, "arguments": json.dumps(arguments)},
    }


def _tool_deltas(completion: Completion, index: int, call: Json) -> Iterator[Event]:
    function = call.get("function") or {}
    opening = {**call, "index": index, "function": {**function, "arguments": ""}}
    yield _delta(completion, "tool", {"tool_calls": [opening]})
    for piece in pieces(str(function.get("arguments", ""))):
        part = {"index": index, "function": {"arguments": piece}}
        yield _delta(completion, "tool", {"tool_calls": [part]})


def _delta(
    completion: Completion,
    brings: str,
    delta: Json,
    *,
    finish_reason: str | None = None,
) -> Event:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return Event(brings, {**_frame(completion, "chat.completion.chunk"), "choices": [choice]})


def _frame(completion: Completion, kind: str) -> Json:
    return {
        "id": completion.id,
        "object": kind,
        "created": completion.created,
        "model": completion.model.dated,
    }
