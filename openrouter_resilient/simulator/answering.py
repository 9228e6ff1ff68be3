"""The assistant's message: what the test said it should be, or one that names its prompt."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .completion import tool_call

if TYPE_CHECKING:
    from .message import Json

# The face's name and the request body in; a text or a whole assistant message out.
Answer = str | Callable[[str, dict[str, Any]], str | dict[str, Any]]

SAMPLES: dict[str, Any] = {
    "string": "simulated", "integer": 1, "number": 1.0, "boolean": True, "array": [], "null": None,
}  # fmt: skip


def default_answer(_face: str, body: Json) -> str:
    """Answer with a text that contains the prompt, so that a mix-up of answers shows."""
    seen = pictured(body)
    pictures = f" (and {seen} picture{'s' * (seen > 1)})" if seen else ""
    return f"Simulated answer to: {last_prompt(body)}{pictures}"


def pictured(body: Json) -> int:
    """Count the pictures of a request."""
    contents = [m.get("content") for m in body.get("messages") or [] if isinstance(m, dict)]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    return sum(isinstance(part, dict) and part.get("type") == "image_url" for part in parts)


def message_for(face: str, body: Json, answer: Answer) -> Json:
    """Return the assistant message for a request."""
    said = answer(face, body) if callable(answer) else answer
    if isinstance(said, dict):
        return {"role": "assistant", **said}
    if name := _forced_tool(body):
        return forced_call(name, body)
    if answer is default_answer and body.get("response_format"):
        said = _formatted(body["response_format"], said)
    return {"role": "assistant", "content": said}


def forced_call(name: str, body: Json) -> Json:
    """Return a message that calls one function, its arguments made up after its schema."""
    arguments = _sample(_tools(body).get(name, {}))
    if not isinstance(arguments, dict) or not arguments:
        arguments = {"prompt": last_prompt(body)}
    return {"role": "assistant", "content": None, "tool_calls": [tool_call(name, arguments)]}


def last_prompt(body: Json) -> str:
    """Return the text of the last user message."""
    messages = [m for m in body.get("messages") or [] if isinstance(m, dict)]
    users = [m for m in messages if m.get("role") == "user"] or messages
    return _text(users[-1].get("content")) if users else ""


def prompt_text(body: Json) -> str:
    """Return all that was sent as text, to count tokens by."""
    messages = [m for m in body.get("messages") or [] if isinstance(m, dict)]
    return "\n".join(_text(message.get("content")) for message in messages)


def reasoning_asked(body: Json) -> bool:
    """Tell whether the request wants to see the model think."""
    effort = body.get("reasoning_effort")
    match body.get("reasoning"):
        case dict() as wish:
            effort = wish.get("effort", effort)
            hidden = wish.get("exclude") is True or wish.get("enabled") is False
            return not hidden and effort != "none"
        case _:
            return effort not in (None, "none")


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(str(part.get("text", "")) for part in parts if isinstance(part, dict))


def _tools(body: Json) -> dict[str, Json]:
    functions = [
        tool.get("function") or {} for tool in body.get("tools") or [] if isinstance(tool, dict)
    ]
    return {str(f.get("name", "")): f.get("parameters") or {} for f in functions}


def _forced_tool(body: Json) -> str | None:
    names = list(_tools(body))
    match body.get("tool_choice"):
        case "required" if names:
            return names[0]
        case {"function": {"name": str(name)}} if name in names:
            return name
        case _:
            return None


def _formatted(wanted: Json, said: str) -> str:
    """Answer in JSON where that was asked."""
    schema = (wanted.get("json_schema") or {}).get("schema")
    if wanted.get("type") == "json_schema" and isinstance(schema, dict):
        return json.dumps(_sample(schema, schema.get("$defs") or {}))
    return json.dumps({"answer": said}) if wanted.get("type") == "json_object" else said


def _sample(schema: Json, definitions: Json | None = None) -> Any:
    """Make up the smallest value a schema allows; a test that needs more says it itself."""
    known = definitions or {}
    if "$ref" in schema:
        return _sample(known.get(str(schema["$ref"]).rsplit("/", 1)[-1]) or {}, known)
    if "const" in schema:
        return schema["const"]
    if options := schema.get("enum"):
        return options[0]
    for name in ("anyOf", "oneOf", "allOf"):
        if schema.get(name):
            return _sample(_simplest(schema[name]), known)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if kind != "object":
        return SAMPLES.get(kind if isinstance(kind, str) else "string", "simulated")
    properties: dict[str, Json] = schema.get("properties") or {}
    wanted = schema.get("required") or list(properties)
    return {name: _sample(properties.get(name, {}), known) for name in wanted}


def _simplest(schemas: list[Json]) -> Json:
    """Choose null where it is allowed, so that a schema that holds itself has an end."""
    return next((schema for schema in schemas if schema.get("type") == "null"), schemas[0])


def model_name(body: Json) -> str:
    """Return the model asked for, empty if none was named."""
    name = body.get("model")
    return name if isinstance(name, str) else ""


def without_variant(name: str) -> str:
    """Drop what routes but names no other model: `:nitro`, `:floor`, `@preset/…`."""
    return re.sub(r"(:(nitro|floor|online|exacto|thinking|extended)|@preset/.*)$", "", name)
