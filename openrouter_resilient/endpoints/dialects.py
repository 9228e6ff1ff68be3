"""The parameter table: what each API is sent, and what no other API may be sent in its place.

Translates and never guesses: what an endpoint cannot express is dropped with a warning where that is
harmless, and excludes the route where the answer would be wrong without it. OpenRouter itself takes
everything. Where a request goes and how its reply is read stands in `forms.py`. Sources: OpenAI's
OpenAPI document; https://console.groq.com/docs/openai;
https://docs.anthropic.com/en/api/openai-sdk; https://openrouter.ai/docs/api_reference/parameters.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from openrouter_resilient.endpoints import anthropic as native
from openrouter_resilient.endpoints.verdicts import (
    Ask,
    Drop,
    Exclude,
    Put,
    Rule,
    Verdict,
    drop,
    exclude,
    in_words,
    keep,
    one,
)
from openrouter_resilient.routing.plan import Route
from openrouter_resilient.shapes import Request

REASONING_MODELS = re.compile(r"^(o\d|gpt-(5|6)(?!.*chat-latest))")
SCHEMA_AT_GROQ = re.compile(r"openai/gpt-oss|meta-llama/llama-4|moonshotai/kimi-k2")
SEES_AT_GROQ = re.compile(r"llama-4|-vl\b|vision")
LONGEST_CALL_ID = 40  # characters; OpenAI answers 400 to more
DETAILS = ("auto", "low", "high")
CACHE_MARKS = ("cache_control", "prompt_cache_breakpoint")
HARMLESS_PLUGINS = frozenset({"context-compression", "response-healing", "moderation"})


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
    return in_words(value)


def groq_format(name: str, value: Any, model: str) -> Verdict:
    """Groq holds an answer to a schema on the models its documentation lists, and answers 400 else."""
    kind = value.get("type") if isinstance(value, dict) else None
    if kind == "json_schema" and not SCHEMA_AT_GROQ.match(model):
        return in_words(value)
    return response_format(name, value, model)


def text_format(name: str, value: Any, model: str) -> Verdict:
    """Anthropic's compatible API ignores it: prose would come where JSON was asked."""
    kind = value.get("type") if isinstance(value, dict) else None
    return Drop(f"{name} was dropped") if kind == "text" else in_words(value)


def functions(name: str, value: Any, model: str) -> Verdict:
    """Functions only; OpenRouter's server tools run at OpenRouter."""
    own = [
        tool.get("type")
        for tool in (value if isinstance(value, list) else ())
        if isinstance(tool, dict) and tool.get("type") != "function"
    ]
    if own:
        return Exclude(f"the tool {own[0]} runs at OpenRouter only")
    return Put(name, [_bare(tool) for tool in value] if isinstance(value, list) else value)


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


def preferences(name: str, value: Any, model: str) -> Verdict:
    """Whom OpenRouter may ask; that every parameter must be known is this table's own promise."""
    own = isinstance(value, dict) and set(value) <= {"require_parameters"}
    return Drop("") if own else drop(name, value, model)


Fits = Callable[[Mapping[str, Any], str], bool]  # (part of a message, model) → whether it may go


def takes(part: Mapping[str, Any], model: str) -> bool:
    """It takes such parts."""
    return True


def no(part: Mapping[str, Any], model: str) -> bool:
    """It takes none."""
    return False


def sees(part: Mapping[str, Any], model: str) -> bool:
    """Groq's models read text, but for a few; it answers 400 for the others."""
    return bool(SEES_AT_GROQ.search(model))


def embedded(part: Mapping[str, Any], model: str) -> bool:
    """OpenAI takes a file's bytes or its id there; only OpenRouter fetches one from a URL."""
    file = part.get("file")
    given = file if isinstance(file, Mapping) else {}
    return bool(given.get("file_id")) or str(given.get("file_data", "")).startswith("data:")


NOWHERE: tuple[Fits, ...] = (no,) * 5

# fmt: off
COLUMNS = ("openai", "groq", "anthropic", "anthropic-openai", "generic")
PARAMETERS: dict[str, tuple[Rule, Rule, Rule, Rule, Rule]] = {
    # parameter              openai            groq              anthropic               -openai      generic
    "temperature":           (sampling,         keep,             native.sampling,        capped,      keep),
    "top_p":                 (sampling,         keep,             native.sampling,        keep,        keep),
    "frequency_penalty":     (sampling,         drop,             drop,                   drop,        keep),
    "presence_penalty":      (sampling,         drop,             drop,                   drop,        keep),
    "logit_bias":            (sampling,         drop,             drop,                   drop,        keep),
    "logprobs":              (log_probabilities,exclude,          exclude,                exclude,     keep),
    "top_logprobs":          (log_probabilities,exclude,          exclude,                exclude,     keep),
    "seed":                  (keep,             keep,             drop,                   drop,        keep),
    "stop":                  (stop,             keep,             native.stop,            keep,        keep),
    "n":                     (keep,             one,              native.one,             one,         keep),
    "max_tokens":            (completion_limit, completion_limit, keep,                   keep,        keep),
    "max_completion_tokens": (keep,             keep,             native.limit,           keep,        keep),
    "tools":                 (functions,        functions,        native.tools,           functions,   functions),
    "tool_choice":           (keep,             keep,             native.tool_choice,     keep,        keep),
    "parallel_tool_calls":   (keep,             keep,             keep,                   keep,        keep),
    "response_format":       (response_format,  groq_format,      native.response_format, text_format, response_format),
    "reasoning":             (reasoning,        reasoning,        native.reasoning,       drop,        reasoning),
    "reasoning_effort":      (reasoning,        reasoning,        native.reasoning,       drop,        keep),
    "include_reasoning":     (drop,             drop,             drop,                   drop,        drop),
    "verbosity":             (newer,            drop,             drop,                   drop,        keep),
    "modalities":            (sound,            modalities,       modalities,             modalities,  modalities),
    "audio":                 (keep,             exclude,          exclude,                exclude,     keep),
    "prediction":            (keep,             drop,             drop,                   drop,        drop),
    "service_tier":          (keep,             drop,             native.service_tier,    drop,        drop),
    "user":                  (keep,             keep,             native.user,            drop,        keep),
    "store":                 (keep,             drop,             drop,                   drop,        drop),
    "metadata":              (drop,             drop,             drop,                   drop,        drop),
    "prompt_cache_key":      (keep,             drop,             drop,                   drop,        drop),
    "prompt_cache_options":  (drop,             drop,             drop,                   drop,        drop),
    "web_search_options":    (exclude,          exclude,          exclude,                exclude,     exclude),
    # OpenRouter's own
    "top_k":                 (drop,             drop,             native.sampling,        drop,        keep),
    "min_p":                 (drop,             drop,             drop,                   drop,        keep),
    "top_a":                 (drop,             drop,             drop,                   drop,        drop),
    "repetition_penalty":    (drop,             drop,             drop,                   drop,        keep),
    "provider":              (preferences,      preferences,      preferences,            preferences, preferences),
    "plugins":               (plugins,          plugins,          plugins,                plugins,     plugins),
    "preset":                (exclude,          exclude,          exclude,                exclude,     exclude),
    "image_config":          (exclude,          exclude,          exclude,                exclude,     exclude),
    "stop_server_tools_when": (exclude,          exclude,          exclude,                exclude,     exclude),
    "deferred_tools":        (exclude,          exclude,          exclude,                exclude,     exclude),
    "route":                 (drop,             drop,             drop,                   drop,        drop),
    "transforms":            (drop,             drop,             drop,                   drop,        drop),
    "session_id":            (drop,             drop,             drop,                   drop,        drop),
    "trace":                 (drop,             drop,             drop,                   drop,        drop),
    "debug":                 (drop,             drop,             drop,                   drop,        drop),
    "cache_control":         (drop,             drop,             keep,                   drop,        drop),
    "structured_outputs":    (drop,             drop,             drop,                   drop,        drop),
    "usage":                 (drop,             drop,             drop,                   drop,        drop),
}
UNKNOWN: tuple[Rule, Rule, Rule, Rule, Rule] = (drop, drop, drop, drop, keep)  # OpenAI answers 400 to them

FIELDS: dict[str, tuple[bool, bool, bool, bool, bool]] = {
    # a field of a message openai  groq   anthropic -openai generic; all others are OpenRouter's own
    "role":                (True,  True,  True,     True,   True),
    "content":             (True,  True,  True,     True,   True),
    "name":                (True,  False, False,    True,   True),
    "tool_calls":          (True,  True,  True,     True,   True),
    "tool_call_id":        (True,  True,  True,     True,   True),
    "refusal":             (True,  False, True,     False,  True),
    "function_call":       (True,  False, False,    False,  True),
    "audio":               (True,  False, False,    False,  True),
}

PARTS: dict[str, tuple[Fits, Fits, Fits, Fits, Fits]] = {
    # a part of a message  openai    groq      anthropic    -openai  generic
    "text":                (takes,    takes,    takes,       takes,   takes),
    "refusal":             (takes,    no,       takes,       no,      takes),
    "image_url":           (takes,    sees,     takes,       takes,   takes),
    "input_audio":         (takes,    no,       no,          no,      takes),
    "file":                (embedded, no,       native.file, no,      no),
    "video_url":           (no,       no,       no,          no,      takes),
}
# fmt: on


def implied(models: Sequence[str]) -> dict[str, Any]:
    """What OpenRouter ids ask for beside a model, as parameters, where every one of them does.

    `:online` is the plugin web, `@preset/…` the parameter preset, as OpenRouter documents them.
    """
    asked: dict[str, Any] = {}
    if models and all("@preset/" in model for model in models):
        asked["preset"] = models[0].partition("@preset/")[2]
    if models and all(model.partition("@")[0].endswith(":online") for model in models):
        asked["plugins"] = [{"id": "web"}]
    return asked


def judged(parameters: Mapping[str, Any], dialect: str, model: str) -> list[Verdict]:
    """What becomes of each parameter there."""
    column = COLUMNS.index(dialect)
    return [
        PARAMETERS.get(name, UNKNOWN)[column](name, value, model)
        for name, value in parameters.items()
    ]


def no_objection(request: Request, route: Route, dialect: str) -> None:
    """OpenRouter takes everything."""


def objection(request: Request, route: Route, dialect: str) -> str | None:
    """Why this request cannot be said in this dialect; None if it can."""
    model = route.models[0]
    for verdict in judged(request.parameters, dialect, model):
        if isinstance(verdict, Exclude) or (isinstance(verdict, Ask) and not request.checked):
            return verdict.why
    return _part_objection(request.messages, dialect, model)


def to_openrouter(
    request: Request, route: Route, dialect: str, *, stream: bool
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The JSON body for OpenRouter: everything as it was given."""
    models: dict[str, Any] = {"model": route.models[0]}
    if len(route.models) > 1:
        models = {"models": list(route.models)}  # no "model" beside it: the cap of 3 may count it
    body = {**models, "messages": request.messages, **request.parameters}
    return ({**body, "stream": True} if stream else body), ()


def to_wire(
    request: Request, route: Route, dialect: str, *, stream: bool
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The JSON body for a direct endpoint in OpenAI's form, and what was left out of it.

    Args:
        request: as the caller made it.
        route: with the model to ask for.
        dialect: of the endpoint.
        stream: whether the answer should come as events.
    """
    verdicts = judged(request.parameters, dialect, route.models[0])
    messages = _plain(with_words(request.messages, verdicts), dialect)
    body: dict[str, Any] = {"model": route.models[0], "messages": messages}
    body.update({verdict.name: verdict.value for verdict in verdicts if isinstance(verdict, Put)})
    if stream:
        body.update(stream=True, stream_options={"include_usage": True})
    return body, dropped(verdicts)


def dropped(verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """What was left out, and why."""
    return tuple(verdict.why for verdict in verdicts if isinstance(verdict, Drop) and verdict.why)


def with_words(messages: list[dict[str, Any]], verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """The messages, and before them in words what no parameter can say there."""
    words = [verdict.words for verdict in verdicts if isinstance(verdict, Ask)]
    return [*({"role": "system", "content": text} for text in words), *messages]


def _part_objection(messages: list[dict[str, Any]], dialect: str, model: str) -> str | None:
    column = COLUMNS.index(dialect)
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            if not PARTS.get(part["type"], NOWHERE)[column](part, model):
                return f"it cannot take a part of type {part['type']}"
    return None


def _plain(messages: list[dict[str, Any]], dialect: str) -> list[dict[str, Any]]:
    """Messages without the fields that only OpenRouter knows: others answer 400 to them."""
    column = COLUMNS.index(dialect)
    known = {name for name, columns in FIELDS.items() if columns[column]}
    return [
        {name: _plain_field(name, value) for name, value in message.items() if name in known}
        for message in messages
    ]


def _plain_field(name: str, value: Any) -> Any:
    if name == "tool_call_id":
        return _short_id(value)
    plain = _plain_content(value)
    for call in plain if name == "tool_calls" and isinstance(plain, list) else ():
        if isinstance(call, dict) and "id" in call:
            call["id"] = _short_id(call["id"])  # a copy, by now
    return plain


def _short_id(call_id: Any) -> Any:
    """The id of a tool's call as OpenAI takes it: other providers' may be longer.

    The same for the same one, so that a call and its result still belong together.
    """
    if not isinstance(call_id, str) or len(call_id) <= LONGEST_CALL_ID:
        return call_id
    return f"call_{hashlib.sha256(call_id.encode(errors='replace')).hexdigest()[:32]}"


def _plain_content(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return [_plain_part(part) if isinstance(part, dict) else part for part in value]


def _plain_part(part: dict[str, Any]) -> dict[str, Any]:
    """A part without marks, and a picture in one of the sizes that others know."""
    plain: dict[str, Any] = _bare(part)
    picture = part.get("image_url")
    if isinstance(picture, dict) and picture.get("detail", "auto") not in DETAILS:
        plain["image_url"] = {name: v for name, v in picture.items() if name != "detail"}
    return plain


def _bare(marked: Any) -> Any:
    """A part or a tool without the marks that tell OpenRouter where a prompt cache begins."""
    if not isinstance(marked, dict):
        return marked
    return {name: inner for name, inner in marked.items() if name not in CACHE_MARKS}
