"""Anthropic's native Messages API: its requests, replies and events, and those of chat completions.

The simulator thinks in chat completions; what is native is translated where it comes in and where
it is written. Facts: platform.claude.com/docs/en/api/messages, the types of the anthropic package.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openrouter_resilient.simulator.message import Json

STOP_REASONS = {"stop": "end_turn", "tool_calls": "tool_use", "length": "max_tokens",
                "content_filter": "refusal"}  # fmt: skip


def to_chat(body: Json) -> Json:
    """Say a native request in chat-completions form."""
    chat: Json = {name: body[name] for name in ("model", "stream", "max_tokens") if name in body}
    messages = [{"role": "system", "content": _flat(body["system"])}] if body.get("system") else []
    for turn in body.get("messages") or []:
        if isinstance(turn, dict):
            messages += _turn_to_chat(turn)
    chat["messages"] = messages
    if body.get("tools"):
        chat["tools"] = [_tool_to_chat(tool) for tool in body["tools"] if isinstance(tool, dict)]
    if choice := body.get("tool_choice"):
        chat["tool_choice"] = _choice_to_chat(choice)
    if wanted := (body.get("output_config") or {}).get("format"):
        schema = {"name": "answer", "schema": wanted.get("schema")}
        chat["response_format"] = {"type": "json_schema", "json_schema": schema}
    if (body.get("thinking") or {}).get("type") in ("enabled", "adaptive"):
        chat["reasoning"] = {"enabled": True}
    return chat


def _turn_to_chat(turn: Json) -> list[Json]:
    content = turn.get("content")
    if not isinstance(content, list):
        return [{"role": turn.get("role"), "content": content}]
    results = [b for b in content if b.get("type") == "tool_result"]
    calls = [b for b in content if b.get("type") == "tool_use"]
    made = [
        {"role": "tool", "tool_call_id": b.get("tool_use_id"), "content": _flat(b.get("content"))}
        for b in results
    ]
    parts = [part for block in content if (part := _part_to_chat(block))]
    if calls:
        tool_calls = [_call_to_chat(block) for block in calls]
        made.append({"role": "assistant", "content": parts or None, "tool_calls": tool_calls})
    elif parts:
        made.append({"role": turn.get("role"), "content": parts})
    return made


def _part_to_chat(block: Json) -> Json | None:
    if block.get("type") == "text":
        return {"type": "text", "text": block.get("text", "")}
    if block.get("type") == "image":
        source = block.get("source") or {}
        url = source.get("url") or f"data:{source.get('media_type')};base64,{source.get('data')}"
        return {"type": "image_url", "image_url": {"url": url}}
    return {"type": "file", "file": {}} if block.get("type") == "document" else None


def _call_to_chat(block: Json) -> Json:
    function = {"name": block.get("name"), "arguments": json.dumps(block.get("input"))}
    return {"id": block.get("id"), "type": "function", "function": function}


def _tool_to_chat(tool: Json) -> Json:
    function = {"name": tool.get("name"), "parameters": tool.get("input_schema")}
    return {"type": "function", "function": function}


def _choice_to_chat(choice: Json) -> Any:
    if choice.get("type") == "tool":
        return {"type": "function", "function": {"name": choice.get("name")}}
    return {"any": "required"}.get(str(choice.get("type")), choice.get("type"))


def _flat(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(str(part.get("text", "")) for part in parts if isinstance(part, dict))


def whole(body: Json) -> Json:
    """Say a whole chat completion as a message; anything else stays as it is."""
    if "choices" not in body:
        return body
    choices = body["choices"] or [{}]
    choice = choices[0]
    if choice.get("error"):
        return error(choice["error"], "")
    message = choice.get("message")
    reason = choice.get("finish_reason")
    rest = {n: v for n, v in body.items() if n not in ("object", "choices", "usage", "created")}
    return {
        **rest,
        "type": "message",
        "role": "assistant",
        "content": None if message is None or not body["choices"] else _content(message),
        "stop_reason": STOP_REASONS.get(str(reason), reason),
        "stop_sequence": None,
        **({"usage": usage(body["usage"])} if body.get("usage") else {}),
    }


def _content(message: Json) -> list[Json]:
    blocks: list[Json] = []
    if message.get("reasoning"):
        thought = {"thinking": message["reasoning"], "signature": SIGNATURE}
        blocks.append({"type": "thinking", **thought})
    if message.get("content"):
        blocks.append({"type": "text", "text": message["content"]})
    for call in message.get("tool_calls") or []:
        function = call.get("function") or {}
        arguments = json.loads(function.get("arguments") or "{}")
        name = function.get("name")
        blocks.append({"type": "tool_use", "id": call.get("id"), "name": name, "input": arguments})
    return blocks


SIGNATURE = "c2ltdWxhdGVk"  # thoughts are signed; nobody but Anthropic can read how


def usage(said: Json) -> Json:
    """Token counts by their native names."""
    return {
        "input_tokens": said.get("prompt_tokens", 0),
        "output_tokens": said.get("completion_tokens", 0),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "service_tier": "standard",
    }


def error(said: Json, request_id: str) -> Json:
    """Write the envelope of an error, whatever form it came in."""
    status = said.get("code") if isinstance(said.get("code"), int) else None
    kind = said.get("type") or kind_of(status or 500)
    inner = {"type": kind, "message": said.get("message", "")}
    return {"type": "error", "error": inner, "request_id": request_id or None}


TYPES = {
    400: "invalid_request_error", 401: "authentication_error", 402: "billing_error",
    403: "permission_error", 404: "not_found_error", 413: "request_too_large",
    422: "invalid_request_error", 429: "rate_limit_error", 500: "api_error",
    504: "timeout_error", 529: "overloaded_error",
}  # fmt: skip


# What has a name of its own there, by OpenAI's code for it.
CODES = {
    "organization_spend_limit_exceeded": "enforced_spend_limit_reached",
    "insufficient_quota": "billing_error",
}


def kind_of(status: int) -> str:
    """Name the error of a status."""
    return TYPES.get(status) or ("api_error" if status >= 500 else "invalid_request_error")


class EventWriter:
    """Chunks of one chat completion in, native events out."""

    def __init__(self, request_id: str) -> None:
        """Begin before the first chunk."""
        self._request_id = request_id
        self._open: tuple[str, int] | None = None  # what kind of block is open, and which tool call
        self._index = -1
        self._usage: Json = {}

    def events(self, chunk: Json) -> list[Json]:
        """Return the events that say what a chunk says."""
        if chunk.get("error"):
            return [error(chunk["error"], self._request_id)]
        if chunk.get("usage"):
            self._usage = chunk["usage"]
        made: list[Json] = []
        for choice in chunk.get("choices") or []:
            made += self._choice(choice, chunk)
        return made

    def _choice(self, choice: Json, chunk: Json) -> list[Json]:
        if choice.get("error"):
            return [error(choice["error"], self._request_id)]
        delta = choice.get("delta") or {}
        made = [] if self._index >= 0 or "role" not in delta else self._start(chunk)
        for take in self._takers():
            made += take(delta)
        reason = choice.get("finish_reason")
        return [*made, *self._finish(reason)] if reason else made

    def _takers(self) -> tuple[Callable[[Json], list[Json]], ...]:
        return (self._thought, self._text, self._calls)

    def _start(self, chunk: Json) -> list[Json]:
        message: Json = {
            "id": chunk.get("id"), "type": "message", "role": "assistant", "content": [],
            "model": chunk.get("model"), "stop_reason": None, "stop_sequence": None,
            "usage": usage(self._usage) | {"output_tokens": 1},
        }  # fmt: skip
        return [{"type": "message_start", "message": message}, {"type": "ping"}]

    def _thought(self, delta: Json) -> list[Json]:
        if not delta.get("reasoning"):
            return []
        opened = self._enter(("thinking", 0), {"type": "thinking", "thinking": "", "signature": ""})
        return [*opened, self._delta({"type": "thinking_delta", "thinking": delta["reasoning"]})]

    def _text(self, delta: Json) -> list[Json]:
        if not delta.get("content"):
            return []
        opened = self._enter(("text", 0), {"type": "text", "text": ""})
        return [*opened, self._delta({"type": "text_delta", "text": delta["content"]})]

    def _calls(self, delta: Json) -> list[Json]:
        made: list[Json] = []
        for call in delta.get("tool_calls") or []:
            function = call.get("function") or {}
            block = {"type": "tool_use", "id": call.get("id"), "name": function.get("name")}
            made += self._enter(("tool_use", call.get("index", 0)), {**block, "input": {}})
            piece = {"type": "input_json_delta", "partial_json": function.get("arguments", "")}
            made.append(self._delta(piece))
        return made

    def _enter(self, wanted: tuple[str, int], block: Json) -> list[Json]:
        """Close the block before, if it is another, and open this one."""
        if self._open == wanted:
            return []
        closed = self._leave()
        self._open, self._index = wanted, self._index + 1
        start = {"type": "content_block_start", "index": self._index, "content_block": block}
        return [*closed, start]

    def _leave(self) -> list[Json]:
        if self._open is None:
            return []
        kind, self._open = self._open[0], None
        signed = {"type": "signature_delta", "signature": SIGNATURE}
        last = [self._delta(signed)] if kind == "thinking" else []
        return [*last, {"type": "content_block_stop", "index": self._index}]

    def _delta(self, delta: Json) -> Json:
        return {"type": "content_block_delta", "index": self._index, "delta": delta}

    def _finish(self, reason: str) -> list[Json]:
        delta = {"stop_reason": STOP_REASONS.get(reason, reason), "stop_sequence": None}
        names = {"output_tokens": "completion_tokens", "input_tokens": "prompt_tokens"}
        told = {name: self._usage[said] for name, said in names.items() if said in self._usage}
        return [*self._leave(), {"type": "message_delta", "delta": delta, "usage": told}]


def event_bytes(event: Json) -> bytes:
    """Write a native event: named, and with its data on one line."""
    data = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    return f"event: {event['type']}\ndata: {data}\n\n".encode(errors="backslashreplace")
