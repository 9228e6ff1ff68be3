"""What Anthropic's native Messages API refuses, in its own words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from openrouter_resilient.simulator.refusal import Refusal, RefusedError

if TYPE_CHECKING:
    from openrouter_resilient.simulator.message import Json

VERSIONS = ("2023-06-01", "2026-10-21")
FIELDS = frozenset({
    "model", "messages", "max_tokens", "cache_control", "container", "diagnostics", "inference_geo",
    "metadata", "output_config", "service_tier", "speed", "stop_sequences", "stream", "system",
    "thinking", "tool_choice", "tools", "temperature", "top_k", "top_p", "user_profile_id",
    "workspace_id",
})  # fmt: skip
SAMPLING = ("temperature", "top_p", "top_k")
TAKES_SAMPLING = re.compile(r"claude-(3|(opus|sonnet|haiku)-4(-[0-6])?(-\d{8})?$)")
BLOCKS = frozenset({"text", "image", "document", "tool_use", "tool_result", "thinking",
                    "redacted_thinking"})  # fmt: skip
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")


def check(body: Json, version: str) -> None:
    """Raise RefusedError unless the real API would take this body."""
    for wrong in (_top, _sampling, _limits, _turns, _tools, _format):
        text = wrong(body, version)
        if text:
            raise RefusedError(Refusal(400, text))


def _top(body: Json, version: str) -> str:
    if version not in VERSIONS:
        return "anthropic-version: header is required"
    unknown = next((name for name in body if name not in FIELDS), None)
    if unknown:
        return f"{unknown}: Extra inputs are not permitted"
    missing = next((n for n in ("model", "messages", "max_tokens") if body.get(n) is None), None)
    return f"{missing}: Field required" if missing else ""


def _sampling(body: Json, version: str) -> str:
    given = [name for name in SAMPLING if name in body]
    fixed = version != VERSIONS[0] or not TAKES_SAMPLING.match(str(body["model"]))
    if given and fixed:
        return f"`{given[0]}` is deprecated for this model."
    if {"temperature", "top_p"} <= set(given):
        return "`temperature` and `top_p` cannot both be specified for this model."
    if not 0 <= body.get("temperature", 0) <= 1:
        return "temperature: Input should be less than or equal to 1"
    return ""


def _limits(body: Json, _version: str) -> str:
    most = body["max_tokens"]
    if not isinstance(most, int) or most < 1:
        return "max_tokens: Input should be greater than or equal to 1"
    thinking = body.get("thinking") or {}
    if thinking.get("type") == "enabled":
        budget = thinking.get("budget_tokens", 0)
        if budget < 1024:
            return "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
        if budget >= most:
            return "`max_tokens` must be greater than `thinking.budget_tokens`."
        if (body.get("tool_choice") or {}).get("type") in ("any", "tool"):
            return "Thinking may not be enabled when tool_choice forces tool use."
    return ""


def _turns(body: Json, _version: str) -> str:
    turns = body["messages"]
    if not isinstance(turns, list) or not turns:
        return "messages: at least one message is required"
    for place, turn in enumerate(turns):
        if turn.get("role") not in ("user", "assistant"):
            return f"messages.{place}.role: Input should be 'user' or 'assistant'"
        text = _blocks_wrong(f"messages.{place}.content", turn.get("content"))
        if text:
            return text
    if turns[0]["role"] != "user":
        return 'messages: first message must use the "user" role'
    return _calls_wrong(turns) or _blocks_wrong("system", body.get("system") or "x")


def _blocks_wrong(where: str, content: object) -> str:
    if isinstance(content, str):
        return "" if content else f"{where}: text content blocks must be non-empty"
    if not isinstance(content, list):
        return f"{where}: Input should be a valid list"
    wrong = (_block_wrong(f"{where}.{place}", block) for place, block in enumerate(content))
    return next(filter(None, wrong), "")


def _block_wrong(where: str, block: object) -> str:
    if not isinstance(block, dict) or block.get("type") not in BLOCKS:
        return f"{where}: Input tag does not match any of the expected tags"
    if block["type"] == "text" and not str(block.get("text", "")).strip():
        return f"{where}: text content blocks must be non-empty"
    if block["type"] == "image" and not _image_is_fine(block.get("source") or {}):
        return f"{where}.image.source: Input should be a valid image"
    if block["type"] == "tool_use" and not isinstance(block.get("input"), dict):
        return f"{where}.tool_use.input: Input should be a valid dictionary"
    return ""


def _image_is_fine(source: Json) -> bool:
    if source.get("type") == "url":
        return str(source.get("url", "")).startswith("https://")
    kinds = ("image/jpeg", "image/png", "image/gif", "image/webp")
    return source.get("type") == "base64" and source.get("media_type") in kinds


def _calls_wrong(turns: list[Json]) -> str:
    """Every tool_use is answered in the turn that follows it, and nothing else is."""
    waiting: set[str] = set()
    for place, turn in enumerate(turns):
        blocks = turn["content"] if isinstance(turn["content"], list) else []
        results = {b["tool_use_id"] for b in blocks if b["type"] == "tool_result"}
        if results - waiting:
            return f"messages.{place}: unexpected `tool_use_id` found in `tool_result` blocks"
        if waiting - results:
            return f"messages.{place}: `tool_use` ids were found without `tool_result` blocks"
        waiting = {b["id"] for b in blocks if b["type"] == "tool_use"}
    return ""


def _tools(body: Json, _version: str) -> str:
    for place, tool in enumerate(body.get("tools") or []):
        if not TOOL_NAME.fullmatch(str(tool.get("name", ""))):
            return f"tools.{place}.custom.name: String should match pattern"
        if (tool.get("input_schema") or {}).get("type") != "object":
            return f"tools.{place}.custom.input_schema.type: Field required"
    choice = body.get("tool_choice")
    if choice is not None and not body.get("tools"):
        return "tool_choice may only be specified while providing tools"
    kinds = ("auto", "any", "tool", "none")
    return "" if choice is None or choice.get("type") in kinds else "tool_choice: Input tag"


def _format(body: Json, _version: str) -> str:
    wanted = (body.get("output_config") or {}).get("format")
    if wanted is None:
        return ""
    if wanted.get("type") != "json_schema" or not isinstance(wanted.get("schema"), dict):
        return "output_config.format: Input tag"
    open_ones = [
        part
        for part in _schemas(wanted["schema"])
        if part.get("type") == "object" and part.get("additionalProperties") is not False
    ]
    text = "output_config.format.schema: For 'object' type, 'additionalProperties' must be false"
    return text if open_ones else ""


def _schemas(schema: Any) -> list[Json]:
    parts = schema.values() if isinstance(schema, dict) else schema
    inner = [s for p in parts if isinstance(p, dict | list) for s in _schemas(p)]
    return [schema, *inner] if isinstance(schema, dict) else inner
