"""Check a value against a JSON Schema, for callers who have a schema and no class.

The words that pydantic and people write in schemas; unknown ones are passed over, as the standard
says. Source: https://json-schema.org/draft/2020-12.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

KINDS: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: (
        (isinstance(value, int) and not isinstance(value, bool))
        or (isinstance(value, float) and value.is_integer())
    ),
}
Limit = Callable[[Any, Any], bool]
LIMITS: dict[str, tuple[type | tuple[type, ...], Limit]] = {
    "minimum": ((int, float), lambda value, limit: value >= limit),
    "maximum": ((int, float), lambda value, limit: value <= limit),
    "exclusiveMinimum": ((int, float), lambda value, limit: value > limit),
    "exclusiveMaximum": ((int, float), lambda value, limit: value < limit),
    "minLength": (str, lambda value, limit: len(value) >= limit),
    "maxLength": (str, lambda value, limit: len(value) <= limit),
    "pattern": (str, lambda value, limit: _matches(limit, value) is not False),
    "minItems": (list, lambda value, limit: len(value) >= limit),
    "maxItems": (list, lambda value, limit: len(value) <= limit),
    "uniqueItems": (list, lambda value, limit: not limit or _unlike(value)),
    "minProperties": (dict, lambda value, limit: len(value) >= limit),
    "maxProperties": (dict, lambda value, limit: len(value) <= limit),
}


def _unlike(values: list[Any]) -> bool:
    return all(value not in values[:place] for place, value in enumerate(values))


def _matches(pattern: str, text: str) -> bool | None:
    """Whether a text has it; None if Python cannot tell: its patterns are not all of ECMA's."""
    try:
        return re.search(pattern, text) is not None
    except (re.error, OverflowError, RecursionError):
        return None


def problems(value: Any, schema: Mapping[str, Any]) -> list[str]:
    """What is wrong with a value, each with its place; empty if it fits."""
    return list(_problems(value, schema, schema, "the answer"))


def _problems(value: Any, schema: Any, root: Mapping[str, Any], at: str) -> Iterator[str]:
    if not isinstance(schema, Mapping):
        if schema is False:
            yield f"{at} may not be there"
        return
    if "$ref" in schema:
        yield from _problems(value, _resolved(str(schema["$ref"]), root), root, at)
    yield from _kind_problems(value, schema, at)
    yield from _limit_problems(value, schema, at)
    yield from _choice_problems(value, schema, root, at)
    if isinstance(value, dict):
        yield from _object_problems(value, schema, root, at)
    if isinstance(value, list):
        for place, entry in enumerate(value):
            yield from _problems(entry, _entry_rule(place, schema), root, f"{at}[{place}]")


def _entry_rule(place: int, schema: Mapping[str, Any]) -> Any:
    """What holds for one entry; up to draft 7 the first ones' rules were a list in `items`."""
    rest, first = schema.get("items", True), schema.get("prefixItems") or []
    if isinstance(rest, list):
        rest, first = schema.get("additionalItems", True), rest
    return first[place] if place < len(first) else rest


def _kind_problems(value: Any, schema: Mapping[str, Any], at: str) -> Iterator[str]:
    wanted = schema.get("type")
    kinds = [wanted] if isinstance(wanted, str) else wanted
    if kinds and not any(KINDS.get(kind, lambda _: True)(value) for kind in kinds):
        yield f"{at} should be {' or '.join(kinds)}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at} should be one of {schema['enum']}"
    if "const" in schema and value != schema["const"]:
        yield f"{at} should be {schema['const']!r}"


def _limit_problems(value: Any, schema: Mapping[str, Any], at: str) -> Iterator[str]:
    for name, (kind, holds) in LIMITS.items():
        limited = isinstance(value, kind) and not isinstance(value, bool)
        if name in schema and limited and not holds(value, schema[name]):
            yield f"{at} breaks {name} {schema[name]}"


def _choice_problems(
    value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], at: str
) -> Iterator[str]:
    for part in schema.get("allOf") or ():
        yield from _problems(value, part, root, at)
    for name in ("anyOf", "oneOf"):
        choices = schema.get(name)
        if choices and all(any(_problems(value, part, root, at)) for part in choices):
            yield f"{at} is none of the {len(choices)} forms that are allowed"


def _object_problems(
    value: dict[str, Any], schema: Mapping[str, Any], root: Mapping[str, Any], at: str
) -> Iterator[str]:
    for name in schema.get("required") or ():
        if name not in value:
            yield f"{at} lacks {name}"
    for name, entry in value.items():
        for rule in _property_rules(name, schema):
            yield from _problems(entry, rule, root, f"{at}.{name}")


def _property_rules(name: str, schema: Mapping[str, Any]) -> list[Any]:
    """What holds for one property; `additionalProperties` is for those that nothing else names."""
    properties, patterns = schema.get("properties") or {}, schema.get("patternProperties") or {}
    matches = {pattern: _matches(pattern, name) for pattern in patterns}
    rules = [patterns[pattern] for pattern, matched in matches.items() if matched]
    rules += [properties[name]] if name in properties else []
    unknown = None in matches.values()  # then it may be one of those
    return rules if rules or unknown else [schema.get("additionalProperties", True)]


def _resolved(reference: str, root: Mapping[str, Any]) -> Any:
    found: Any = root
    for name in reference.removeprefix("#").strip("/").split("/"):
        found = found.get(name, {}) if name and isinstance(found, Mapping) else found
    return found
