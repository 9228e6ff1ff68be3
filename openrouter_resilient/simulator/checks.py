"""What OpenRouter checks of a chat request's body: one row a field.

Fields that are not in the table are ignored, as OpenRouter ignores them. Source: ChatRequest in
OpenRouter's OpenAPI document.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Check = Callable[[Any], str | None]  # a value in; where it is wrong, "" for itself, None for fine


def _is(fits: Callable[[Any], bool]) -> Check:
    return lambda value: None if fits(value) else ""


def listed(each: Check) -> Check:
    """Check a list by its entries."""

    def check(value: Any) -> str | None:
        if not isinstance(value, list):
            return ""
        return _first({str(place): each(entry) for place, entry in enumerate(value)})

    return check


def maybe(check: Check) -> Check:
    """Allow null as well."""
    return lambda value: None if value is None else check(value)


def either(*checks: Check) -> Check:
    """Allow what one of them allows."""
    return lambda value: None if any(check(value) is None for check in checks) else ""


def shaped(needed: dict[str, Check], **others: Check) -> Check:
    """Check an object by its fields; unknown ones are fine."""

    def check(value: Any) -> str | None:
        if not isinstance(value, dict):
            return ""
        wrong = {name: test(value.get(name)) for name, test in needed.items()}
        given = {name: test for name, test in others.items() if name in value}
        return _first(wrong | {name: test(value[name]) for name, test in given.items()})

    return check


def tagged(tag: str, kinds: dict[str, Check]) -> Check:
    """Check an object by what its tag says it is; one of an unknown kind is let through."""

    def check(value: Any) -> str | None:
        if not isinstance(value, dict) or not isinstance(value.get(tag), str):
            return tag if isinstance(value, dict) else ""
        return kinds.get(value[tag], anything)(value)

    return check


def _first(wrong: dict[str, str | None]) -> str | None:
    for name, where in wrong.items():
        if where is not None:
            return f"{name}.{where}".rstrip(".")
    return None


def anything(_value: Any) -> None:
    """Let everything through."""


number = _is(lambda value: isinstance(value, int | float) and not isinstance(value, bool))
integer = _is(lambda value: isinstance(value, int) and not isinstance(value, bool))
text = _is(lambda value: isinstance(value, str))
flag = _is(lambda value: isinstance(value, bool))
mapping = _is(lambda value: isinstance(value, dict))

PART = tagged("type", {
    "text": shaped({"text": text}),
    "image_url": shaped({"image_url": shaped({"url": text})}),
    "input_audio": shaped({"input_audio": shaped({"data": text, "format": text})}),
    "file": shaped({"file": shaped({}, file_data=text, file_id=text, filename=text)}),
    "video_url": shaped({"video_url": shaped({"url": text})}),
})  # fmt: skip
CONTENT = either(text, listed(PART))
CALL = shaped({"id": text, "type": text, "function": shaped({"name": text, "arguments": text})})
MESSAGE = tagged("role", {
    "system": shaped({"content": CONTENT}),
    "developer": shaped({"content": CONTENT}),
    "user": shaped({"content": CONTENT}),
    "assistant": shaped({}, content=maybe(CONTENT), tool_calls=listed(CALL)),
    "tool": shaped({"content": CONTENT, "tool_call_id": text}),
})  # fmt: skip
FUNCTION = shaped({"name": text}, description=text, parameters=mapping, strict=maybe(flag))
FORMAT = tagged("type", {
    "json_schema": shaped({"json_schema": shaped({"name": text}, schema=mapping, strict=maybe(flag))}),
    "grammar": shaped({"grammar": text}),
})  # fmt: skip

# fmt: off
REQUEST: dict[str, Check] = {
    "messages":              listed(MESSAGE),
    "model":                 text,
    "models":                listed(text),
    "temperature":           maybe(number),
    "top_p":                 maybe(number),
    "top_k":                 maybe(integer),
    "min_p":                 maybe(number),
    "top_a":                 maybe(number),
    "frequency_penalty":     maybe(number),
    "presence_penalty":      maybe(number),
    "repetition_penalty":    maybe(number),
    "seed":                  maybe(integer),
    "max_tokens":            maybe(integer),
    "max_completion_tokens": maybe(integer),
    "logprobs":              maybe(flag),
    "top_logprobs":          maybe(integer),
    "logit_bias":            maybe(mapping),
    "stop":                  maybe(either(text, listed(text))),
    "stream":                flag,
    "tools":                 listed(tagged("type", {"function": shaped({"function": FUNCTION})})),
    "tool_choice":           either(text, tagged("type", {"function": shaped({"function": shaped({"name": text})})})),
    "parallel_tool_calls":   maybe(flag),
    "response_format":       FORMAT,
    "reasoning":             shaped({}, effort=maybe(text)),
    "reasoning_effort":      maybe(text),
    "modalities":            listed(text),
    "provider":              maybe(shaped({}, order=maybe(listed(text)), only=maybe(listed(text)), ignore=maybe(listed(text)),
                                          allow_fallbacks=maybe(flag), require_parameters=maybe(flag),
                                          data_collection=maybe(text), zdr=maybe(flag))),
    "plugins":               listed(shaped({"id": text})),
    "metadata":              mapping,
    "user":                  text,
    "session_id":            text,
    "prompt_cache_key":      maybe(text),
    "service_tier":          maybe(text),
    "trace":                 mapping,
    "cache_control":         mapping,
    "image_config":          mapping,
    "stream_options":        maybe(mapping),
}
# fmt: on


def problem(body: dict[str, Any]) -> str | None:
    """Return where a body is wrong; None if it is fine."""
    return _first({name: REQUEST[name](value) for name, value in body.items() if name in REQUEST})
