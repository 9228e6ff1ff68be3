"""Anthropic's Messages API: a request in chat-completions form, said in its words.

Its replies are read in `anthropic_reply.py`. Sources: the types of Anthropic's own Python package
(2.12.0); https://platform.claude.com/docs/en/api/messages. The version that is sent is the one
whose keys go as `x-api-key`; the newer one only takes sampling parameters away.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from openrouter_resilient.endpoints.anthropic_reply import SIGNED
from openrouter_resilient.endpoints.schema import strict
from openrouter_resilient.endpoints.verdicts import (
    Drop,
    Exclude,
    Put,
    Untranslatable,
    Verdict,
    in_words,
)

VERSION = "2023-06-01"
MAX_TOKENS, OLD_MAX_TOKENS = 16_000, 4_096  # the parameter is required; every model allows these
LEAST_BUDGET = 1_024  # tokens of thinking; fewer are refused
SHARES = {"max": 0.95, "xhigh": 0.95, "high": 0.8, "medium": 0.5, "low": 0.2, "minimal": 0.1}
EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh",
           "max": "max"}  # fmt: skip

# What the older models know, and what only they know. Each newer one is like the newest here.
THIRD = re.compile(r"claude-(3|2|instant)")
TAKES_SAMPLING = re.compile(r"claude-(3|2|instant|(opus|sonnet|haiku)-4(-[0-6])?(-\d{8})?$)")
HAS_BUDGET = re.compile(r"claude-(3-7|(opus|sonnet|haiku)-4(-[0-5])?(-\d{8})?$)")
NO_THINKING = re.compile(r"claude-(3-5|3-o|3-s|3-h|2|instant)")
NO_SCHEMA = re.compile(r"claude-(3|2|instant|(opus|sonnet)-4(-0)?(-\d{8})?$)")
TAKES_PREFILL = HAS_BUDGET
IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
DATA_URL = re.compile(r"data:([\w.+/-]+)(?:;[\w=-]+)*;base64,(.*)", re.DOTALL)

# --- rules of the parameter table


def sampling(name: str, value: Any, model: str) -> Verdict:
    """Temperature ends at 1; the models from 4.7 on answer 400 to all of them."""
    if not TAKES_SAMPLING.match(model):
        return Drop(f"{name} was dropped: {model} does not take it")
    bounded = name == "temperature" and isinstance(value, int | float)
    return Put(name, min(value, 1.0) if bounded else value)


def stop(name: str, value: Any, model: str) -> Verdict:
    """A list, under another name; one of white space only is refused."""
    listed = value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(text, str) and text.strip() for text in listed):
        return Exclude(f"it takes no {name} of white space alone")
    return Put("stop_sequences", list(listed))


def one(name: str, value: Any, model: str) -> Verdict:
    """One answer is all there is."""
    if value == 1:
        return Drop(f"{name} was dropped: it gives one answer anyway")
    return Exclude(f"it gives one answer, not {name}={value}")


def limit(name: str, value: Any, model: str) -> Verdict:
    """Its older name."""
    return Put("max_tokens", value)


def tools(name: str, value: Any, model: str) -> Verdict:
    """Functions, in another form."""
    made = []
    for tool in value if isinstance(value, list) else ():
        function = tool.get("function") if isinstance(tool, Mapping) else None
        if not isinstance(function, Mapping) or not function.get("name"):
            kind = tool.get("type") if isinstance(tool, Mapping) else type(tool).__name__
            return Exclude(f"the tool {kind} runs at OpenRouter only")
        made.append(_tool(function, tool))
    return Put(name, made)


def tool_choice(name: str, value: Any, model: str) -> Verdict:
    """The same choices under other names."""
    function = value.get("function") if isinstance(value, Mapping) else None
    if isinstance(function, Mapping):
        return Put(name, {"type": "tool", "name": function.get("name")})
    kind = {"auto": "auto", "none": "none", "required": "any"}.get(str(value))
    return Put(name, {"type": kind}) if kind else Exclude(f"it knows no {name} {value}")


def response_format(name: str, value: Any, model: str) -> Verdict:
    """A schema in its strict form; there is no other way to hold an answer to JSON."""
    kind = value.get("type") if isinstance(value, Mapping) else None
    if kind == "text":
        return Drop(f"{name} was dropped: text is what it gives")
    wanted = value.get("json_schema") if kind == "json_schema" else None
    given = wanted.get("schema") if isinstance(wanted, Mapping) else None
    schema = strict(given) if isinstance(given, Mapping) else None
    if schema is None or NO_SCHEMA.match(model):
        return in_words(value)
    return Put("format", {"type": "json_schema", "schema": schema})


def reasoning(name: str, value: Any, model: str) -> Verdict:
    """Thinking; whether by a budget or by effort depends on the model."""
    wish = value if isinstance(value, Mapping) else {"effort": value}
    if NO_THINKING.match(model):
        return Drop(f"{name} was dropped: {model} does not think")
    return Put("thinking", wish)


def service_tier(name: str, value: Any, model: str) -> Verdict:
    """It has two tiers."""
    if value in ("auto", "standard_only"):
        return Put(name, value)
    return Put(name, "standard_only") if value == "default" else Drop(f"{name} was dropped")


def user(name: str, value: Any, model: str) -> Verdict:
    """The same, in its metadata."""
    return Put("metadata", {"user_id": value})


def file(part: Mapping[str, Any], model: str) -> bool:
    """PDFs and plain texts, by their bytes or, a PDF, by its URL."""
    return _document(part.get("file")) is not None


# --- the request


def to_wire(
    messages: Sequence[Mapping[str, Any]],
    verdicts: Sequence[Verdict],
    model: str,
    *,
    stream: bool,
) -> tuple[dict[str, Any], list[str]]:
    """The JSON body, and what was left out of it beside what the verdicts say.

    Raises:
        Untranslatable: a message cannot be said there.
    """
    put = {verdict.name: verdict.value for verdict in verdicts if isinstance(verdict, Put)}
    system, turns = translate(messages)
    if turns[-1]["role"] == "assistant" and not TAKES_PREFILL.match(model):
        raise Untranslatable(f"{model} does not go on where a last message of the assistant ends")
    body: dict[str, Any] = {"model": model, "max_tokens": _most(model), **put, "messages": turns}
    if system:
        body["system"] = system
    warnings = _settle(body, model)
    return ({**body, "stream": True} if stream else body), warnings


def translate(
    messages: Sequence[Mapping[str, Any]],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The system texts, which stand apart there, and the turns; neighbours of one role are joined.

    Raises:
        Untranslatable: a message cannot be said there.
    """
    system: list[dict[str, Any]] = []
    turns: list[dict[str, Any]] = []
    for message in messages:
        role = message["role"]
        if role in ("system", "developer"):
            system += _blocks(message.get("content"))
            continue
        writer = _WRITERS.get(role)
        if writer is None:
            raise Untranslatable(f"it has no messages of the role {role}")
        spoken = "assistant" if role == "assistant" else "user"
        blocks = writer(message)
        if blocks and turns and turns[-1]["role"] == spoken:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": spoken, "content": blocks})
    if not turns or turns[0]["role"] != "user":
        raise Untranslatable("its conversations begin with a message of the user")
    return system, turns


def _said_by_assistant(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    thoughts = [made for made in map(_thought, message.get("reasoning_details") or ()) if made]
    blocks = _blocks(message.get("content")) or _blocks(message.get("refusal"))
    return [*thoughts, *blocks, *map(_tool_use, message.get("tool_calls") or ())]


def _said_by_user(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    return _blocks(message.get("content"))


def _said_by_tool(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    result = content if isinstance(content, str) else _blocks(content)
    call = _plain_id(message.get("tool_call_id"))
    return [{"type": "tool_result", "tool_use_id": call, "content": result}]


_WRITERS = {"user": _said_by_user, "assistant": _said_by_assistant, "tool": _said_by_tool}


def _blocks(content: Any) -> list[dict[str, Any]]:
    """A text or parts as blocks; empty ones are refused there, and say nothing."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content.strip() else []
    blocks = [_block(part) for part in content or ()]
    return [block for block in blocks if str(block.get("text", "no text")).strip()]


def _block(part: Mapping[str, Any]) -> dict[str, Any]:
    made = _BLOCKS.get(part["type"], lambda _part: None)(part)
    if made is None:
        raise Untranslatable(f"it cannot take a part of type {part['type']}")
    marked = {"cache_control": part["cache_control"]} if part.get("cache_control") else {}
    return {**made, **marked}


def _text(part: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "text", "text": part.get("text") or part.get("refusal") or ""}


def _image(part: Mapping[str, Any]) -> dict[str, Any] | None:
    given = part.get("image_url")
    url = given.get("url") if isinstance(given, Mapping) else given
    data = DATA_URL.fullmatch(str(url))
    if str(url).startswith("https://"):
        return {"type": "image", "source": {"type": "url", "url": url}}
    if data is None or data[1] not in IMAGE_TYPES:
        return None
    return {
        "type": "image",
        "source": {"type": "base64", "media_type": data[1], "data": data[2]},
    }


def _file(part: Mapping[str, Any]) -> dict[str, Any] | None:
    return _document(part.get("file"))


def _document(file: object) -> dict[str, Any] | None:
    """A document block; None for a kind of file that it does not read."""
    given = file if isinstance(file, Mapping) else {}
    url = str(given.get("file_data") or "")
    data = DATA_URL.fullmatch(url)
    if url.startswith("https://"):
        source = {"type": "url", "url": url}
    elif data is not None and data[1] == "application/pdf":
        source = {"type": "base64", "media_type": data[1], "data": data[2]}
    else:
        return None
    title = {"title": given["filename"]} if given.get("filename") else {}
    return {"type": "document", "source": source, **title}


_BLOCKS = {"text": _text, "refusal": _text, "image_url": _image, "file": _file}


def _thought(detail: Mapping[str, Any]) -> dict[str, Any] | None:
    """A thought that Claude had before; only with its signature is it taken back.

    Other vendors sign theirs too, which this one refuses: the format tells whose it is.
    """
    if detail.get("format") != SIGNED:
        return None
    if detail.get("type") == "reasoning.encrypted" and detail.get("data"):
        return {"type": "redacted_thinking", "data": detail["data"]}
    if detail.get("signature"):
        text = detail.get("text") or ""
        return {"type": "thinking", "thinking": text, "signature": detail["signature"]}
    return None


def _tool_use(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call.get("function") or {}
    written = _arguments(function.get("arguments") or "{}")
    name = function.get("name")
    return {"type": "tool_use", "id": _plain_id(call.get("id")), "name": name, "input": written}


def _arguments(written: str) -> dict[str, Any]:
    """As an object, which they must be there. What was wrong with them the tool's result says."""
    try:
        arguments = json.loads(written)
    except (ValueError, RecursionError):
        arguments = None
    return arguments if isinstance(arguments, dict) else {}


def _plain_id(call_id: object) -> str:
    """Ids are of letters, digits, - and _ there; other providers' may hold more."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", str(call_id))


def _tool(function: Mapping[str, Any], tool: Mapping[str, Any]) -> dict[str, Any]:
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    made = {"name": function["name"], "input_schema": schema}
    if function.get("description"):
        made["description"] = function["description"]
    if tool.get("cache_control"):
        made["cache_control"] = tool["cache_control"]
    return made


# --- parameters that depend on each other


def _most(model: str) -> int:
    return OLD_MAX_TOKENS if THIRD.match(model) else MAX_TOKENS


def _settle(body: dict[str, Any], model: str) -> list[str]:
    """Join what belongs together there, and leave out what excludes something else."""
    warnings = []
    if "temperature" in body and body.pop("top_p", None) is not None:
        warnings.append("top_p was dropped: it takes temperature or top_p, not both")
    output = {"format": body.pop("format")} if "format" in body else {}
    _settle_tools(body)
    wish = body.pop("thinking", None)
    if wish is not None:
        forced = (body.get("tool_choice") or {}).get("type") in ("any", "tool")
        thinking = {} if forced else _thinking(wish, body, model, output)
        if thinking:
            body["thinking"] = thinking
        elif forced or not _off(wish):
            warnings.append("reasoning was dropped: it does not go with the rest of the request")
    if output:
        body["output_config"] = output
    return warnings


def _settle_tools(body: dict[str, Any]) -> None:
    parallel = body.pop("parallel_tool_calls", None)
    if not body.get("tools"):
        body.pop("tools", None)
        body.pop("tool_choice", None)
    elif parallel is False:
        choice = body.setdefault("tool_choice", {"type": "auto"})
        if choice["type"] != "none":
            body["tool_choice"] = {**choice, "disable_parallel_tool_use": True}


def _off(wish: Mapping[str, Any]) -> bool:
    return wish.get("enabled") is False or wish.get("effort") == "none"


def _thinking(
    wish: Mapping[str, Any], body: dict[str, Any], model: str, output: dict[str, Any]
) -> dict[str, Any]:
    """The `thinking` of the request; empty for none. Effort goes with the output there."""
    if _off(wish):
        return {}
    effort = str(wish.get("effort") or "medium")
    if not HAS_BUDGET.match(model):
        if effort in EFFORTS and wish.get("effort"):
            output["effort"] = EFFORTS[effort]
        shown = "omitted" if wish.get("exclude") else "summarized"
        return {"type": "adaptive", "display": shown}
    asked = wish.get("max_tokens")
    wanted = asked if isinstance(asked, int) else int(body["max_tokens"] * SHARES.get(effort, 0.5))
    budget = min(max(LEAST_BUDGET, wanted), body["max_tokens"] - 1)
    if budget < LEAST_BUDGET or _forgot_its_thoughts(body["messages"]):
        return {}
    for name in ("temperature", "top_k", "top_p"):  # not beside a budget
        body.pop(name, None)
    return {"type": "enabled", "budget_tokens": budget}


def _forgot_its_thoughts(turns: Sequence[Mapping[str, Any]]) -> bool:
    """A tool is being answered whose call another provider made: no thought stands before it."""
    if len(turns) < 2 or turns[-1]["content"][0]["type"] != "tool_result":
        return False
    return "thinking" not in str(turns[-2]["content"][0]["type"])
