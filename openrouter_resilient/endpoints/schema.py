"""JSON Schemas in the strict form that OpenAI, Anthropic and OpenRouter hold an answer to.

Every property required, nothing beside them, no defaults; limits (`minimum`, `maxLength` …), which
no API holds to alike, move into the description for the model to read. Sources: OpenAI's guide to
structured outputs; `transform_schema` in Anthropic's own Python package.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KEPT = ("type", "description", "enum", "anyOf", "items", "properties", "$ref", "$defs")
SILENT = frozenset({"title", "default", "examples", "discriminator", "$schema", "required",
                    "additionalProperties", "const", "oneOf", "allOf", "$id"})  # fmt: skip
LOOSE = frozenset({"patternProperties", "prefixItems", "not", "if", "unevaluatedProperties",
                   "propertyNames", "contains", "dependentRequired", "$dynamicRef"})  # fmt: skip


class _LooseError(Exception):
    """A part of the schema leaves open what the strict form must say."""


def strict(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The schema in its strict form; None where it leaves something open (a dict, anything at all).

    Args:
        schema: a JSON Schema as pydantic or a person writes it; it is not changed.
    """
    try:
        whole = _strict(with_object_root(schema))
    except _LooseError:
        return None
    return whole if whole.get("type") == "object" else None


def with_object_root(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema without a reference at its root, as a recursive model's has."""
    reference = schema.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#/$defs/"):
        return dict(schema)
    definitions = schema.get("$defs", {})
    target = definitions.get(reference.removeprefix("#/$defs/"), {})
    return {**target, "$defs": definitions}


def _strict(schema: Any) -> dict[str, Any]:
    if not isinstance(schema, Mapping) or LOOSE & set(schema):
        raise _LooseError
    if not isinstance(schema.get("type", ""), str):  # a list of types: anyOf says it for all
        return _strict(_spread(schema))
    merged = _merged(schema)
    if "$ref" in merged:  # OpenAI allows nothing beside it
        return {"$ref": merged["$ref"]}
    made = {name: merged[name] for name in KEPT if name in merged}
    if "const" in merged:
        made["enum"] = [merged["const"]]
    if "enum" not in made and "anyOf" not in made and "type" not in made:
        raise _LooseError
    if "$defs" in made:
        made["$defs"] = {name: _strict(part) for name, part in made["$defs"].items()}
    if "anyOf" in made:
        made["anyOf"] = [_strict(part) for part in made["anyOf"]]
    if made.get("type") == "array":
        made["items"] = _strict(merged.get("items"))
    if made.get("type") == "object":
        made.update(_strict_object(merged))
    return _with_limits(made, merged)


def _spread(schema: Mapping[str, Any]) -> dict[str, Any]:
    """`type: [string, null]` as `anyOf`."""
    kinds = schema["type"]
    if not isinstance(kinds, list) or not kinds or "anyOf" in schema:
        raise _LooseError
    beside = {name: value for name, value in schema.items() if name not in ("type", "description")}
    about = {"description": schema["description"]} if "description" in schema else {}
    return {
        **about,
        "anyOf": [{"type": "null"} if k == "null" else {**beside, "type": k} for k in kinds],
    }


def _merged(schema: Mapping[str, Any]) -> dict[str, Any]:
    """`oneOf` as `anyOf`, and an `allOf` of one part as that part: pydantic writes both."""
    merged = dict(schema)
    if "oneOf" in merged:
        merged["anyOf"] = merged.pop("oneOf")
    parts = merged.pop("allOf", None)
    if parts is None:
        return merged
    if len(parts) != 1:
        raise _LooseError
    return {**parts[0], **merged}


def _strict_object(schema: Mapping[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties", {})
    if schema.get("additionalProperties") or not properties:
        raise _LooseError  # a dict: its keys are the model's to choose
    return {
        "properties": {name: _strict(part) for name, part in properties.items()},
        "required": list(properties),
        "additionalProperties": False,
    }


def _with_limits(made: dict[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    limits = {
        name: value for name, value in schema.items() if name not in KEPT and name not in SILENT
    }
    if limits:
        said = ", ".join(f"{name}: {value}" for name, value in limits.items())
        made["description"] = " ".join(filter(None, [made.get("description"), f"({said})"]))
    return made
