"""An answer of a form: asked for as strictly as each route can, checked, and asked for once more.

What is only wrapping (a code fence, words around the JSON) is taken off; nothing else is mended.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import PrivateAttr, TypeAdapter, ValidationError

from openrouter_resilient.endpoints.schema import strict, with_object_root
from openrouter_resilient.endpoints.verdicts import schema_in_words
from openrouter_resilient.errors import (
    CallFailed,
    InvalidStructuredOutput,
    RequestRefused,
    ResilientError,
    RoutesExhausted,
)
from openrouter_resilient.features.json_schema import problems
from openrouter_resilient.given import check_seconds
from openrouter_resilient.routing.faults import Kind
from openrouter_resilient.shapes import CheckedFormat, Completion

if TYPE_CHECKING:
    from openrouter_resilient.client import Client
    from openrouter_resilient.served import AttemptRecord, Served

Value = TypeVar("Value")
FENCE = re.compile(r"```\w*[ \t]*\n(.*?)```", re.DOTALL)
BRACKET = re.compile(r"[{\[]")
MOST_BRACKETS = 200  # looked at: a text of nothing but brackets must not take the whole deadline
LEAST_S = 0.001  # a deadline is never nothing
WORTH_ASKING_S = 0.5  # with less time left than this no model has answered


class Parsed(Completion, Generic[Value]):
    """A completion whose answer has the form that was asked for."""

    _value: Any = PrivateAttr(default=None)

    @property
    def value(self) -> Value:
        """The instance."""
        value: Value = self._value
        return value


@dataclass(frozen=True)
class Form:
    """A form of answer.

    Attributes:
        name: what the schema is called on the wire.
        schema: as it is sent where it cannot be held to strictly; its root is an object.
        check: makes the instance of parsed JSON; raises ValueError.
        wrapped: the value stands in a property, since a root must be an object.
    """

    name: str
    schema: dict[str, Any]
    check: Callable[[Any], Any]
    wrapped: bool

    def response_format(self) -> CheckedFormat:
        """As a parameter."""
        exact = strict(self.schema)
        schema = {
            "name": self.name,
            "strict": exact is not None,
            "schema": self.schema if exact is None else exact,
        }
        return CheckedFormat(type="json_schema", json_schema=schema)

    def read(self, completion: Completion) -> Any:
        """The instance.

        Raises:
            ValueError: the answer does not have this form.
        """
        refusal = completion.choices[0].message.refusal if completion.choices else None
        if refusal:
            raise Refused("the model refused to answer")
        tried = [self._tried(candidate) for candidate in candidates(completion.text)]
        if not tried:
            raise ValueError("there is no JSON in the answer")
        values = [value for value, error in tried if error is None]
        if not values:
            raise tried[0][1] or ValueError
        if any(value != values[0] for value in values):
            raise ValueError("the answer holds several, and says not which one it means")
        return values[0]

    def _tried(self, candidate: Any) -> tuple[Any, ValueError | None]:
        try:
            return self.check(self._unwrapped(candidate)), None
        except ValueError as error:
            return None, error

    def _unwrapped(self, candidate: Any) -> Any:
        """A model that was told in words may have left the wrapping out."""
        held = self.wrapped and isinstance(candidate, dict) and set(candidate) == {"value"}
        return candidate["value"] if held else candidate


class Refused(ValueError):
    """The model declined; it is not asked again."""


def form_of(shape: Any) -> Form:
    """The form that a type or a JSON Schema describes."""
    if isinstance(shape, Mapping):
        schema = dict(shape)
        name = str(schema.get("title") or "answer")
        return _form(name, schema, lambda value: _fitting(value, schema))
    adapter: TypeAdapter[Any] = TypeAdapter(shape)
    name = getattr(shape, "__name__", "answer")
    return _form(
        name, adapter.json_schema(), lambda value: adapter.validate_json(json.dumps(value))
    )


def _form(name: str, schema: dict[str, Any], check: Callable[[Any], Any]) -> Form:
    name = re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:64]
    rooted = with_object_root(schema)
    if rooted.get("type") == "object":
        return Form(name, rooted, check, wrapped=False)
    definitions = {"$defs": schema["$defs"]} if "$defs" in schema else {}
    inner = {name: part for name, part in schema.items() if name != "$defs"}
    whole = {
        "type": "object",
        "properties": {"value": inner},
        "required": ["value"],
        "additionalProperties": False,
        **definitions,
    }
    return Form(name, whole, check, wrapped=True)


def _fitting(value: Any, schema: Mapping[str, Any]) -> Any:
    wrong = problems(value, schema)
    if wrong:
        raise ValueError("; ".join(wrong[:5]))
    return value


def candidates(text: str) -> list[Any]:
    """The JSON values that an answer may mean: all of it, what is fenced, what is among words."""
    fenced = (value for block in FENCE.findall(text) for value in _loaded(block))
    return _loaded(text) or list(fenced) or _embedded(text)


def _loaded(text: str) -> list[Any]:
    """The value that a text is; none if it is no JSON."""
    try:
        return [json.loads(text)]
    except (ValueError, RecursionError):
        return []


def _embedded(text: str) -> list[Any]:
    """The objects and lists among the words of a text."""
    found: list[Any] = []
    at = 0
    for _ in range(MOST_BRACKETS):
        opening = BRACKET.search(text, at)
        if opening is None:
            break
        value, at = _decoded(text, opening.start())
        found += value
    return found


def _decoded(text: str, at: int) -> tuple[list[Any], int]:
    """The value that begins at a bracket, if one does, and where to look on."""
    try:
        value, end = json.JSONDecoder().raw_decode(text, at)
    except (ValueError, RecursionError):
        return [], at + 1
    return [value], end


def parse(
    client: Client, prompt: Any, shape: Any, *, repairs: int, options: dict[str, Any]
) -> Parsed[Any]:
    """See `Abilities.parse`."""
    asking = _Asking(client, prompt, form_of(shape), options)
    for _ in range(repairs):
        parsed = asking.once()
        if parsed is not None:
            return parsed
        if isinstance(asking.error, Refused) or asking.left() < WORTH_ASKING_S:
            raise asking.failed()
        asking.prepare_another()
    parsed = asking.once()
    if parsed is None:
        raise asking.failed()
    return parsed


class _Asking:
    """One `parse` on its way: the conversation, the time, and what has come of it so far."""

    def __init__(self, client: Client, prompt: Any, form: Form, options: dict[str, Any]) -> None:
        self.error: ValueError | None = None
        self._client = client
        self._form = form
        self._options = dict(options)
        system = self._options.pop("system", None)
        self._messages = client._request(prompt, system, {}).messages
        self._clock = client._carrier.clock
        self._began_at = self._clock.now()
        deadline = self._options.pop("deadline", None)
        check_seconds(deadline=deadline)
        self._ends_at = self._began_at + (deadline or client._deadline)
        self._trail: tuple[AttemptRecord, ...] = ()
        self._last: Completion | None = None

    def left(self) -> float:
        return self._ends_at - self._clock.now()

    def once(self) -> Parsed[Any] | None:
        """Ask; None if the answer does not have the form."""
        began_at = self._clock.now()
        try:
            completion = self._complete()
        except (CallFailed, RequestRefused) as failure:
            if self._last is None:
                raise
            raise self.failed(failure) from failure
        self._last = completion
        served = self._whole_record(completion.served, began_at)
        self._trail = served.attempts
        try:
            value = self._form.read(completion)
        except ValueError as error:
            self.error = error
            return None
        parsed: Parsed[Any] = Parsed.model_validate(completion.model_dump())
        parsed._value, parsed._served = value, served
        return parsed

    def prepare_another(self) -> None:
        """Say what was wrong, and let whoever was not asked yet be first."""
        assert self._last is not None  # noqa: S101  it has answered, wrongly
        wrong = _in_words(self.error)
        again = f"That answer was not accepted: {wrong}\n\n{schema_in_words(self._form.schema)}"
        said = [{"role": "assistant", "content": self._last.text}] if self._last.text else []
        self._messages = [*self._messages, *said, {"role": "user", "content": again}]
        routes = self._client._chosen(_models(self._options), self._options.pop("fallbacks", None))
        answered = self._trail[-1].route
        ordered = sorted(map(str, routes), key=lambda route: route == answered)
        self._options.pop("model", None)
        self._options["models"] = [one for route in ordered for one in _apart(route)]
        self._options["fallbacks"] = ()

    def failed(self, cause: ResilientError | None = None) -> InvalidStructuredOutput:
        assert self._last is not None  # noqa: S101  it has answered, wrongly
        history = (*self._trail, *(cause.history if cause else ()))
        error = InvalidStructuredOutput(
            f"the answer does not have the form that was asked for ({self._form.name}: "
            f"{_kinds(self.error)}); it is in .text, what is wrong with it in .error. "
            "Give more repairs, another model, or a simpler form",
            history=history,
        )
        error.text, error.error = self._last.text, self.error
        return error

    def _complete(self) -> Completion:
        """Ask with the schema as a parameter; in words where no provider at OpenRouter takes it."""
        provider = {"require_parameters": True, **(self._options.get("provider") or {})}
        held = {"response_format": self._form.response_format(), "provider": provider}
        try:
            return self._client.complete(
                self._messages, **{**self._options, **held}, deadline=max(self.left(), LEAST_S)
            )
        except RoutesExhausted as exhausted:
            faults = {attempt.fault for attempt in exhausted.history}
            if Kind.NO_PROVIDER.value not in faults or self.left() < WORTH_ASKING_S:
                raise
            self._trail = (*self._trail, *exhausted.history)
        words = {"role": "system", "content": schema_in_words(self._form.schema)}
        return self._client.complete(
            [words, *self._messages], **self._options, deadline=max(self.left(), LEAST_S)
        )

    def _whole_record(self, served: Served, began_at: float) -> Served:
        """The record of all that was asked, not of the last call alone."""
        attempts = (*self._trail, *served.attempts)
        first = served.first_token_seconds
        return replace(
            served,
            attempts=tuple(replace(a, number=place) for place, a in enumerate(attempts, start=1)),
            seconds=self._clock.now() - self._began_at,
            first_token_seconds=None if first is None else first + began_at - self._began_at,
        )


def _models(options: Mapping[str, Any]) -> list[str] | None:
    chosen = options.get("models") or options.get("model")
    return [chosen] if isinstance(chosen, str) else chosen


def _apart(route: str) -> list[str]:
    """A route of several models as routes of one; neighbours are joined again."""
    endpoint, _, models = route.partition(":")
    return [f"{endpoint}:{model}" for model in models.split(",")]


def _in_words(error: ValueError | None) -> str:
    if isinstance(error, ValidationError):
        found = error.errors(include_url=False, include_input=False, include_context=False)
        return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in found[:8])
    return str(error)


def _kinds(error: ValueError | None) -> str:
    """What kind of thing is wrong, without a word of the answer."""
    if isinstance(error, ValidationError):
        found = error.errors(include_url=False, include_input=False, include_context=False)
        return ", ".join(sorted({str(entry["type"]) for entry in found}))
    return type(error).__name__ if error else "no answer"
