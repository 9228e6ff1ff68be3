"""JSON Schemas in the strict form that OpenAI, Anthropic and OpenRouter hold an answer to.

Every property required, nothing beside them, no defaults; limits (`minimum`, `maxLength` …), which
no API holds to alike, move into the description for the model to read. Sources: OpenAI's guide to
structured outputs; `transform_schema` in Anthropic's own Python package.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

KEPT = ("type", "description", "enum", "anyOf", "items", "properties", "$ref", "$defs")
SILENT = frozenset({"title", "default", "examples", "discriminator", "$schema", "required",
                    "additionalProperties", "const", "oneOf", "allOf", "$id"})  # fmt: skip
LOOSE = frozenset({"patternProperties", "prefixItems", "not", "if", "unevaluatedProperties",
                   "propertyNames", "contains", "dependentRequired", "$dynamicRef",
                   "definitions"})  # fmt: skip
VALUES = frozenset({"enum", "const", "default", "examples"})  # no schema stands in them
BY_NAME = frozenset({"properties", "patternProperties", "$defs", "definitions"})  # a schema a name
NEW, OLD = "#/$defs/", "#/definitions/"


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
    known = {"#", *(f"{NEW}{name}" for name in whole.get("$defs", ()))}
    held = whole.get("type") == "object" and known.issuperset(_references(whole))
    return whole if held else None


def with_object_root(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema without a reference at its root, as a recursive model's has."""
    schema = _with_defs(schema)
    reference = schema.get("$ref")
    if not isinstance(reference, str) or not reference.startswith(NEW):
        return schema
    definitions = schema.get("$defs", {})
    target = definitions.get(reference.removeprefix(NEW))
    return {**target, "$defs": definitions} if isinstance(target, Mapping) else schema


def within_property(schema: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An object with one property, which is of the schema; what refers to its root still does."""

    def moved(reference: str) -> str:
        of_root = reference == "#" or reference.startswith("#/")
        stays = not of_root or reference.startswith((NEW, OLD))
        return reference if stays else f"#/properties/{name}{reference[1:]}"

    whole = _redirected(_with_defs(schema), moved)
    shared = {part: whole.pop(part) for part in ("$defs", "definitions") if part in whole}
    return {
        "type": "object",
        "properties": {name: whole},
        "required": [name],
        "additionalProperties": False,
        **shared,
    }


def _with_defs(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The `definitions` of drafts 4 to 7 as `$defs`, the only name that strict APIs know."""
    old, new = schema.get("definitions"), schema.get("$defs", {})
    if not isinstance(old, Mapping) or set(old) & set(new):
        return dict(schema)
    rest = {name: part for name, part in schema.items() if name != "definitions"}
    made: dict[str, Any] = _redirected({**rest, "$defs": {**new, **old}}, _as_new)
    return made


def _as_new(reference: str) -> str:
    return NEW + reference.removeprefix(OLD) if reference.startswith(OLD) else reference


def _redirected(part: Any, change: Callable[[str], str], *, named: bool = False) -> Any:
    """A part of a schema with other references; `named` holds a schema a name, and no words."""
    if isinstance(part, list):
        return [_redirected(entry, change) for entry in part]
    if not isinstance(part, Mapping):
        return part
    if named:
        return {name: _redirected(entry, change) for name, entry in part.items()}
    return {
        word: change(entry) if word == "$ref" and isinstance(entry, str)
        else entry if word in VALUES
        else _redirected(entry, change, named=word in BY_NAME)
        for word, entry in part.items()
    }  # fmt: skip


def _references(schema: Mapping[str, Any]) -> list[str]:
    """All references in a schema."""
    found: list[str] = []

    def noted(reference: str) -> str:
        found.append(reference)
        return reference

    _redirected(schema, noted)
    return found


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
