"""Anthropic's Messages API: its replies and the events of its streams, as chat completions.

Source: https://platform.claude.com/docs/en/build-with-claude/streaming, and the types of
Anthropic's own Python package (2.12.0). Unknown events and blocks appear without notice and are
passed over, as its versioning asks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from openrouter_resilient.routing.faults import Broken, Fault, Kind

# fmt: off
STOP_REASONS = {
    "end_turn":                      "stop",
    "stop_sequence":                 "stop",
    "pause_turn":                    "stop",
    "max_tokens":                    "length",
    "model_context_window_exceeded": "length",
    "tool_use":                      "tool_calls",
    "refusal":                       "content_filter",
}
# fmt: on
SIGNED = "anthropic-claude-v1"  # how OpenRouter names the format of signed thoughts
Json = dict[str, Any]


class MessagesReader:
    """Reads one reply.

    Attributes:
        ended: the stream has said that it is over.
    """

    def __init__(self) -> None:
        """Begin before the first event."""
        self.ended = False
        self._usage: Json = {}
        self._frame: Json = {}
        self._calls = 0
        self._blocks: dict[int, Json] = {}

    def whole(self, body: Json) -> Json:
        """A whole body as a chat completion; an error stays what it is.

        Raises:
            Broken: it is not what this API sends.
        """
        if body.get("error") or not isinstance(body.get("content"), list):
            return body
        try:
            return _completion(body)
        except (TypeError, ValueError, AttributeError, KeyError):
            raise Broken(Fault(Kind.UNREADABLE, "the body is not what this API sends")) from None

    def chunks(self, event: Json) -> list[Json]:
        """An event as chunks of a chat completion; those that say nothing bring none.

        Raises:
            Broken: it is not what this API sends.
        """
        if event.get("error"):
            return [{"error": event["error"]}]
        take = self._takers().get(str(event.get("type")))
        if take is None:
            return []
        try:
            return take(event)
        except (TypeError, ValueError, AttributeError, KeyError):
            raise Broken(Fault(Kind.UNREADABLE, "an event is not what this API sends")) from None

    def _takers(self) -> dict[str, Callable[[Json], list[Json]]]:
        return {
            "content_block_delta": self._add,
            "content_block_start": self._open,
            "content_block_stop": self._close,
            "message_start": self._begin,
            "message_delta": self._finish,
            "message_stop": self._end,
        }

    def _begin(self, event: Json) -> list[Json]:
        message = event["message"]
        self._usage = dict(message.get("usage") or {})
        self._frame = {
            "id": message.get("id"),
            "model": message.get("model"),
            "object": "chat.completion.chunk",
        }
        return [self._chunk({"role": "assistant", "content": ""})]

    def _open(self, event: Json) -> list[Json]:
        block = dict(event["content_block"])
        block["pieces"] = []
        self._blocks[event["index"]] = block
        if block["type"] == "tool_use":
            block["call"], self._calls = self._calls, self._calls + 1
            function = {"name": block["name"], "arguments": ""}
            call = {"index": block["call"], "id": block["id"], "type": "function"}
            return [self._chunk({"tool_calls": [{**call, "function": function}]})]
        if block["type"] == "redacted_thinking":
            return [self._chunk({"reasoning_details": [_hidden(block)]})]
        name = _TEXTS.get(block["type"])
        said = block.get(block["type"])
        return [self._chunk({name: said})] if name and said else []

    def _add(self, event: Json) -> list[Json]:
        block, delta = self._blocks[event["index"]], event["delta"]
        kind = delta["type"]
        if kind == "text_delta":
            return [self._chunk({"content": delta["text"]})]
        if kind == "input_json_delta":
            block["pieces"].append(delta["partial_json"])
            return self._argument(block, delta["partial_json"])
        if kind == "thinking_delta":
            block["pieces"].append(delta["thinking"])
            return [self._chunk({"reasoning": delta["thinking"]})]
        if kind == "signature_delta":
            block["signature"] = delta["signature"]
        return []

    def _close(self, event: Json) -> list[Json]:
        """What a block says only as a whole: a signature, or arguments that came in no piece."""
        block = self._blocks.pop(event["index"])
        whole = "".join(block["pieces"])
        if block["type"] == "tool_use" and not whole:
            return self._argument(block, json.dumps(block.get("input") or {}))
        if block["type"] == "thinking" and block.get("signature"):
            signed = _signed({"thinking": whole, "signature": block["signature"]})
            return [self._chunk({"reasoning_details": [signed]})]
        return []

    def _argument(self, block: Json, piece: str) -> list[Json]:
        if not piece or "call" not in block:  # the call of a tool that runs there is none of ours
            return []
        part = {"index": block["call"], "function": {"arguments": piece}}
        return [self._chunk({"tool_calls": [part]})]

    def _finish(self, event: Json) -> list[Json]:
        """The stop reason and, beside it, counts that include those of the beginning."""
        delta = event.get("delta") or {}
        told = event.get("usage") or {}
        self._usage.update({name: count for name, count in told.items() if count is not None})
        usage = _usage(self._usage)
        counts = [{**self._frame, "choices": [], "usage": usage}] if usage else []
        reason = delta.get("stop_reason")
        if reason is None:
            return counts
        finish = {
            "index": 0,
            "delta": {},
            "finish_reason": STOP_REASONS.get(reason, reason),
            "native_finish_reason": reason,
        }
        return [{**self._frame, "choices": [finish]}, *counts]

    def _end(self, _event: Json) -> list[Json]:
        self.ended = True
        return []

    def _chunk(self, delta: Json) -> Json:
        return {**self._frame, "choices": [{"index": 0, "delta": delta}]}


_TEXTS = {"text": "content", "thinking": "reasoning"}


def _completion(body: Json) -> Json:
    reason = body.get("stop_reason")
    choice = {
        "index": 0,
        "message": _message(body["content"]),
        "finish_reason": STOP_REASONS.get(str(reason), reason),
        "native_finish_reason": reason,
    }
    return {
        "id": body.get("id"),
        "object": "chat.completion",
        "model": body.get("model"),
        "choices": [choice],
        "usage": _usage(body.get("usage") or {}),
    }


def _message(blocks: list[Json]) -> Json:
    """The blocks of a message as one message in chat-completions form."""
    texts = [block["text"] for block in blocks if block["type"] == "text"]
    thoughts = [block["thinking"] for block in blocks if block["type"] == "thinking"]
    details = [_DETAILS[block["type"]](block) for block in blocks if block["type"] in _DETAILS]
    calls = [_call(block) for block in blocks if block["type"] == "tool_use"]
    message: Json = {"role": "assistant", "content": "".join(texts) if texts else None}
    message.update(
        {name: value for name, value in (
            ("reasoning", "".join(thoughts)), ("reasoning_details", details), ("tool_calls", calls),
        ) if value}
    )  # fmt: skip
    return message


def _call(block: Json) -> Json:
    arguments = json.dumps(block.get("input") or {}, ensure_ascii=False)
    function = {"name": block["name"], "arguments": arguments}
    return {"id": block["id"], "type": "function", "function": function}


def _signed(block: Json) -> Json:
    """A thought as OpenRouter writes it down, so that either gateway takes it back."""
    return {
        "type": "reasoning.text",
        "text": block.get("thinking") or "",
        "signature": block.get("signature"),
        "format": SIGNED,
        "index": 0,
    }


def _hidden(block: Json) -> Json:
    return {"type": "reasoning.encrypted", "data": block.get("data"), "format": SIGNED, "index": 0}


_DETAILS = {"thinking": _signed, "redacted_thinking": _hidden}


def _usage(said: Mapping[str, Any]) -> Json | None:
    """Token counts, None if none were told.

    What was read from or written to its cache counts as prompt, as elsewhere.
    """
    fresh, completion = said.get("input_tokens"), said.get("output_tokens")
    if fresh is None and completion is None:
        return None
    read = said.get("cache_read_input_tokens") or 0
    written = said.get("cache_creation_input_tokens") or 0
    prompt = None if fresh is None else fresh + read + written
    details = said.get("output_tokens_details") or {}
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": None if prompt is None or completion is None else prompt + completion,
        "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
        "completion_tokens_details": {"reasoning_tokens": details.get("thinking_tokens")},
    }
