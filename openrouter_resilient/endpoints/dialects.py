"""The parameter table: what each API is sent, and what no other API may be sent in its place.

Translates and never guesses: what an endpoint cannot express is dropped with a warning where that is
harmless, and excludes the route where the answer would be wrong without it. OpenRouter itself takes
everything. Sources: OpenAI's OpenAPI document; https://console.groq.com/docs/openai;
https://docs.anthropic.com/en/api/openai-sdk; https://openrouter.ai/docs/api_reference/parameters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from openrouter_resilient.endpoints.table import Endpoint
from openrouter_resilient.routing.plan import Route
from openrouter_resilient.shapes import Request


@dataclass(frozen=True)
class Put:
    """Send it, under this name and with this value."""

    name: str
    value: Any


@dataclass(frozen=True)
class Drop:
    """Leave it out; harmless, and said in the served record."""

    why: str


@dataclass(frozen=True)
class Exclude:
    """The answer would be wrong without it: this request does not go there."""

    why: str


Verdict = Put | Drop | Exclude
Rule = Callable[[str, Any, str], Verdict]  # (parameter, value, model) → verdict

REASONING_MODELS = re.compile(r"^(o\d|gpt-(5|6)(?!.*chat-latest))")
HARMLESS_PLUGINS = frozenset({"context-compression", "response-healing", "moderation"})


def keep(name: str, value: Any, model: str) -> Verdict:
    """Send it as it is."""
    return Put(name, value)


def drop(name: str, value: Any, model: str) -> Verdict:
    """Leave it out."""
    return Drop(f"{name} was dropped: this API has no such parameter")


def exclude(name: str, value: Any, model: str) -> Verdict:
    """Unless it is switched off, nothing else will do."""
    return Exclude(f"it cannot do {name}") if value else Drop(f"{name} was dropped")


def one(name: str, value: Any, model: str) -> Verdict:
    """Only a single answer can be had there."""
    return Put(name, 1) if value == 1 else Exclude(f"it gives one answer, not {name}={value}")


def sampling(name: str, value: Any, model: str) -> Verdict:
    """OpenAI's reasoning models answer 400 to sampling parameters."""
    if REASONING_MODELS.match(model):
        return Drop(f"{name} was dropped: {model} does not take it")
    return Put(name, value)


def log_probabilities(name: str, value: Any, model: str) -> Verdict:
    """Who asks for them reads them: never without."""
    if REASONING_MODELS.match(model):
        return exclude(name, value, model)
    return Put(name, value)


def stop(name: str, value: Any, model: str) -> Verdict:
    """Refused by o3 and o4-mini; without it the answer would run on."""
    return exclude(name, value, model) if re.match(r"o[34]", model) else Put(name, value)


def completion_limit(name: str, value: Any, model: str) -> Verdict:
    """OpenAI's newer models refuse `max_tokens`; all current ones take the newer name."""
    return Put("max_completion_tokens", value)


def capped(name: str, value: Any, model: str) -> Verdict:
    """Anthropic's temperature ends at 1."""
    return Put(name, min(value, 1.0)) if isinstance(value, int | float) else Put(name, value)


def reasoning(name: str, value: Any, model: str) -> Verdict:
    """OpenRouter's `reasoning: {effort}` is OpenAI's `reasoning_effort`, on models that reason."""
    effort = value.get("effort") if isinstance(value, dict) else value
    if effort and (REASONING_MODELS.match(model) or "gpt-oss" in model):
        return Put("reasoning_effort", effort)
    return Drop(f"{name} was dropped: {model} has no such setting")


def newer(name: str, value: Any, model: str) -> Verdict:
    """Known to OpenAI's reasoning models alone."""
    return keep(name, value, model) if REASONING_MODELS.match(model) else drop(name, value, model)


def response_format(name: str, value: Any, model: str) -> Verdict:
    """OpenAI's forms of it; OpenRouter's grammars are its own."""
    kind = value.get("type") if isinstance(value, dict) else None
    if kind in ("text", "json_object", "json_schema"):
        return Put(name, value)
    return Exclude(f"it cannot do {name} {kind}")


def text_format(name: str, value: Any, model: str) -> Verdict:
    """Anthropic's compatible API ignores it: prose would come where JSON was asked."""
    kind = value.get("type") if isinstance(value, dict) else None
    return Drop(f"{name} was dropped") if kind == "text" else Exclude(f"it ignores {name} {kind}")


def functions(name: str, value: Any, model: str) -> Verdict:
    """Functions only; OpenRouter's server tools run at OpenRouter."""
    own = [
        tool.get("type")
        for tool in (value if isinstance(value, list) else ())
        if isinstance(tool, dict) and tool.get("type") != "function"
    ]
    return Exclude(f"the tool {own[0]} runs at OpenRouter only") if own else Put(name, value)


def modalities(name: str, value: Any, model: str) -> Verdict:
    """Text is all that is sure."""
    others = [str(one) for one in (value if isinstance(value, list) else ()) if one != "text"]
    return (
        Exclude(f"it cannot answer in {', '.join(others)}") if others else Drop(f"{name} is text")
    )


def sound(name: str, value: Any, model: str) -> Verdict:
    """OpenAI can speak as well as write."""
    if isinstance(value, list) and all(one in ("text", "audio") for one in value):
        return Put(name, value)
    return modalities(name, value, model)


def plugins(name: str, value: Any, model: str) -> Verdict:
    """Those that only help an answer along may be missed, those that change it may not."""
    wanted = [
        str(plugin.get("id"))
        for plugin in (value if isinstance(value, list) else ())
        if isinstance(plugin, dict) and plugin.get("enabled", True)
    ]
    missed = [plugin for plugin in wanted if plugin not in HARMLESS_PLUGINS]
    if missed:
        return Exclude(f"the plugin {missed[0]} runs at OpenRouter only")
    return Drop(f"{name} was dropped")


# fmt: off
COLUMNS = ("openai", "groq", "anthropic", "generic")
PARAMETERS: dict[str, tuple[Rule, Rule, Rule, Rule]] = {
    # parameter              openai             groq             anthropic        generic
    "temperature":           (sampling,         keep,            capped,          keep),
    "top_p":                 (sampling,         keep,            keep,            keep),
    "frequency_penalty":     (sampling,         drop,            drop,            keep),
    "presence_penalty":      (sampling,         drop,            drop,            keep),
    "logit_bias":            (sampling,         drop,            drop,            keep),
    "logprobs":              (log_probabilities, exclude,        exclude,         keep),
    "top_logprobs":          (log_probabilities, exclude,        exclude,         keep),
    "seed":                  (keep,             keep,            drop,            keep),
    "stop":                  (stop,             keep,            keep,            keep),
    "n":                     (keep,             one,             one,             keep),
    "max_tokens":            (completion_limit, completion_limit, keep,           keep),
    "max_completion_tokens": (keep,             keep,            keep,            keep),
    "tools":                 (functions,        functions,       functions,       functions),
    "tool_choice":           (keep,             keep,            keep,            keep),
    "parallel_tool_calls":   (keep,             keep,            keep,            keep),
    "response_format":       (response_format,  response_format, text_format,     response_format),
    "reasoning":             (reasoning,        reasoning,       drop,            reasoning),
    "reasoning_effort":      (reasoning,        reasoning,       drop,            keep),
    "include_reasoning":     (drop,             drop,            drop,            drop),
    "verbosity":             (newer,            drop,            drop,            keep),
    "modalities":            (sound,            modalities,      modalities,      modalities),
    "audio":                 (keep,             exclude,         exclude,         keep),
    "prediction":            (keep,             drop,            drop,            drop),
    "service_tier":          (keep,             drop,            drop,            drop),
    "user":                  (keep,             keep,            drop,            keep),
    "store":                 (keep,             drop,            drop,            drop),
    "metadata":              (drop,             drop,            drop,            drop),
    "prompt_cache_key":      (keep,             drop,            drop,            drop),
    "prompt_cache_options":  (drop,             drop,            drop,            drop),
    "web_search_options":    (exclude,          exclude,         exclude,         exclude),
    # OpenRouter's own
    "top_k":                 (drop,             drop,            drop,            keep),
    "min_p":                 (drop,             drop,            drop,            keep),
    "top_a":                 (drop,             drop,            drop,            drop),
    "repetition_penalty":    (drop,             drop,            drop,            keep),
    "provider":              (drop,             drop,            drop,            drop),
    "plugins":               (plugins,          plugins,         plugins,         plugins),
    "preset":                (exclude,          exclude,         exclude,         exclude),
    "image_config":          (exclude,          exclude,         exclude,         exclude),
    "stop_server_tools_when": (exclude,         exclude,         exclude,         exclude),
    "deferred_tools":        (exclude,          exclude,         exclude,         exclude),
    "route":                 (drop,             drop,            drop,            drop),
    "transforms":            (drop,             drop,            drop,            drop),
    "session_id":            (drop,             drop,            drop,            drop),
    "trace":                 (drop,             drop,            drop,            drop),
    "debug":                 (drop,             drop,            drop,            drop),
    "cache_control":         (drop,             drop,            drop,            drop),
    "structured_outputs":    (drop,             drop,            drop,            drop),
    "usage":                 (drop,             drop,            drop,            drop),
}
UNKNOWN: tuple[Rule, Rule, Rule, Rule] = (drop, drop, drop, keep)  # OpenAI answers 400 to them

FIELDS: dict[str, tuple[bool, bool, bool, bool]] = {
    # a field of a message openai  groq   anthropic generic; all others are OpenRouter's own
    "role":                (True,  True,  True,     True),
    "content":             (True,  True,  True,     True),
    "name":                (True,  False, True,     True),
    "tool_calls":          (True,  True,  True,     True),
    "tool_call_id":        (True,  True,  True,     True),
    "refusal":             (True,  False, False,    True),
    "function_call":       (True,  False, False,    True),
    "audio":               (True,  False, False,    True),
}

PARTS: dict[str, tuple[bool, bool, bool, bool]] = {
    # a part of a message  openai  groq   anthropic generic
    "text":                (True,  True,  True,     True),
    "refusal":             (True,  False, False,    True),
    "image_url":           (True,  True,  True,     True),
    "input_audio":         (True,  False, False,    True),
    "file":                (True,  False, False,    False),
    "video_url":           (False, False, False,    True),
}
# fmt: on


def objection(request: Request, endpoint: Endpoint, route: Route) -> str | None:
    """Why this request may not go to this route; None if it may."""
    if not endpoint.private and _must_stay_private(request.parameters):
        return (
            "the request forbids data collection, and this endpoint is not declared private "
            "(Endpoint(…, private=True) says that it may see such requests)"
        )
    if endpoint.dialect not in COLUMNS:
        return None
    verdicts = _verdicts(request.parameters, endpoint.dialect, route.models[0])
    excluded = (verdict.why for verdict in verdicts if isinstance(verdict, Exclude))
    return next(excluded, None) or _part_objection(request.messages, endpoint.dialect)


def to_wire(
    request: Request, endpoint: Endpoint, route: Route, *, stream: bool
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The JSON body for this endpoint, and what was left out of it.

    Args:
        request: as the caller made it.
        endpoint: whom it goes to.
        route: with the models to ask for.
        stream: whether the answer should come as events.
    """
    if endpoint.dialect not in COLUMNS:
        models: dict[str, Any] = {"model": route.models[0]}
        if len(route.models) > 1:
            models = {
                "models": list(route.models)
            }  # no "model" beside it: the cap of 3 may count it
        body = {**models, "messages": request.messages, **request.parameters}
        return ({**body, "stream": True} if stream else body), ()
    verdicts = list(_verdicts(request.parameters, endpoint.dialect, route.models[0]))
    body = {"model": route.models[0], "messages": _plain(request.messages, endpoint.dialect)}
    body.update({verdict.name: verdict.value for verdict in verdicts if isinstance(verdict, Put)})
    if stream:
        body.update(stream=True, stream_options={"include_usage": True})
    return body, tuple(verdict.why for verdict in verdicts if isinstance(verdict, Drop))


def _verdicts(parameters: Mapping[str, Any], dialect: str, model: str) -> list[Verdict]:
    column = COLUMNS.index(dialect)
    return [
        PARAMETERS.get(name, UNKNOWN)[column](name, value, model)
        for name, value in parameters.items()
    ]


def _must_stay_private(parameters: Mapping[str, Any]) -> bool:
    provider = parameters.get("provider")
    if not isinstance(provider, Mapping):
        return False
    return provider.get("data_collection") == "deny" or provider.get("zdr") is True


def _part_objection(messages: list[dict[str, Any]], dialect: str) -> str | None:
    column = COLUMNS.index(dialect)
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            if not PARTS.get(part["type"], (False,) * 4)[column]:
                return f"it cannot take a part of type {part['type']}"
    return None


def _plain(messages: list[dict[str, Any]], dialect: str) -> list[dict[str, Any]]:
    """Messages without the fields that only OpenRouter knows: others answer 400 to them."""
    column = COLUMNS.index(dialect)
    known = {name for name, columns in FIELDS.items() if columns[column]}
    return [
        {name: _plain_content(value) for name, value in message.items() if name in known}
        for message in messages
    ]


def _plain_content(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return [
        {name: inner for name, inner in part.items() if name != "cache_control"}
        if isinstance(part, dict)
        else part
        for part in value
    ]
