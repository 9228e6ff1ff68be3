"""An answer of a form: asked for as strictly as each route can, checked, and asked for once more.

What is only wrapping (a code fence, words around the JSON) is taken off; nothing else is mended.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import PrivateAttr, PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticUndefinedAnnotation

from openrouter_resilient.endpoints.schema import strict, with_object_root, within_property
from openrouter_resilient.endpoints.verdicts import schema_in_words
from openrouter_resilient.errors import (
    CallFailed,
    InvalidStructuredOutput,
    RequestRefused,
    ResilientError,
    RoutesExhausted,
)
from openrouter_resilient.features.json_schema import problems
from openrouter_resilient.features.spending import with_one_cap
from openrouter_resilient.features.wrapping import candidates
from openrouter_resilient.given import check_seconds, models_of
from openrouter_resilient.routing.faults import Kind
from openrouter_resilient.routing.plan import Route
from openrouter_resilient.shapes import CheckedFormat, Completion

if TYPE_CHECKING:
    from openrouter_resilient.client import Client
    from openrouter_resilient.served import AttemptRecord, Served

Value = TypeVar("Value")
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
        choice = completion.choices[0] if completion.choices else None
        if choice and choice.message.refusal:
            raise Refused("the model refused to answer")
        cut = bool(choice and choice.finish_reason == "length")
        tried = [self._tried(candidate) for candidate in candidates(completion.text, cut=cut)]
        if not tried:
            missing = "it was cut off before its end" if cut else "there is no JSON in the answer"
            raise ValueError(missing)
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
        except RecursionError:
            return None, ValueError("it is nested too deeply")

    def _unwrapped(self, candidate: Any) -> Any:
        """A model that was told in words may have left the wrapping out."""
        held = self.wrapped and isinstance(candidate, dict) and set(candidate) == {"value"}
        return candidate["value"] if held else candidate


class Refused(ValueError):
    """The model declined; it is not asked again."""


def form_of(shape: Any) -> Form:
    """The form that a type or a JSON Schema describes.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(shape, Mapping):
        schema = dict(shape)
        name = str(schema.get("title") or "answer")
        return _form(name, schema, lambda value: _fitting(value, schema))
    name = getattr(shape, "__name__", "answer")
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(shape)
        schema = adapter.json_schema()
    except (PydanticUserError, PydanticUndefinedAnnotation) as error:
        raise TypeError(
            f"{name} is no form of an answer; give a type that pydantic knows and JSON can hold, "
            "or a JSON Schema as a dict"
        ) from error
    return _form(name, schema, lambda value: adapter.validate_json(json.dumps(value)))


def _form(name: str, schema: dict[str, Any], check: Callable[[Any], Any]) -> Form:
    name = re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:64]
    rooted = with_object_root(schema)
    if rooted.get("type") == "object":
        return Form(name, rooted, check, wrapped=False)
    return Form(name, within_property(schema, "value"), check, wrapped=True)


def _fitting(value: Any, schema: Mapping[str, Any]) -> Any:
    wrong = problems(value, schema)
    if wrong:
        raise ValueError("; ".join(wrong[:5]))
    return value


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
    if parsed is None and asking.served.cached:  # what is known is wrong; what is new may not be
        asking.forget()
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
        self._options = with_one_cap(options, "this parse")
        system = self._options.pop("system", None)
        self._messages = client._request(prompt, system, {}).messages
        self._clock = client._carrier.clock
        self._began_at = self._clock.now()
        deadline = self._options.pop("deadline", None)
        check_seconds(deadline=deadline)
        self._seconds = deadline or client._deadline
        self._ends_at = self._began_at + self._seconds
        self._trail: tuple[AttemptRecord, ...] = ()
        self._last: Completion | None = None

    def left(self) -> float:
        return self._ends_at - self._clock.now()

    @property
    def served(self) -> Served:
        """Who gave the last answer, and all that was asked until then."""
        assert self._last is not None  # noqa: S101  it has answered, wrongly
        return self._last.served

    def forget(self) -> None:
        """Let a new answer take the place of the last, which is wrong whoever asks for it."""
        if self._last is not None and self._client._cache is not None:
            self._client._cache.forget(self._last)

    def once(self) -> Parsed[Any] | None:
        """Ask; None if the answer does not have the form."""
        try:
            completion = self._complete(self._options)
        except (CallFailed, RequestRefused) as failure:
            if self._last is None:
                raise
            raise self.failed() from failure
        self._last = completion
        try:
            value = self._form.read(completion)
        except ValueError as error:
            self.error = error
            return None
        parsed: Parsed[Any] = Parsed.model_validate(completion.model_dump())
        parsed._value, parsed._served = value, completion.served
        return parsed

    def prepare_another(self) -> None:
        """Say what was wrong, and let whoever has not said it be first."""
        wrong = _in_words(self.error)
        again = f"That answer was not accepted: {wrong}\n\n{schema_in_words(self._form.schema)}"
        text = self._last.text if self._last else ""
        said = [{"role": "assistant", "content": text}] if text else []
        self._messages = [*self._messages, *said, {"role": "user", "content": again}]
        fallbacks = self._options.pop("fallbacks", None)
        routes = self._client._chosen(models_of(self._options), fallbacks)
        ordered = sorted(routes, key=self._has_answered)
        in_order = [one for route in ordered for one in _apart(route)]
        self._options.update(model=None, models=in_order, fallbacks=())

    def failed(self) -> InvalidStructuredOutput:
        assert self._last is not None  # noqa: S101  it has answered, wrongly
        error = InvalidStructuredOutput(
            f"the answer does not have the form that was asked for ({self._form.name}: "
            f"{_kinds(self.error)}); it is in .text, what is wrong with it in .error. "
            "Give more repairs, another model, or a simpler form",
            history=self._trail,
        )
        error.text, error.error = self._last.text, self.error
        return error

    def _has_answered(self, route: Route) -> bool:
        """Whether the last answer is this route's; of a known one only the endpoint is known."""
        served = self.served
        if served.cached:
            return route.endpoint == served.endpoint
        return str(route) == [a.route for a in served.attempts if a.fault is None][-1]

    def _complete(self, options: Mapping[str, Any]) -> Completion:
        """Ask with the schema as a parameter; in words where no provider at OpenRouter takes it."""
        provider = {"require_parameters": True, **(options.get("provider") or {})}
        held = {"response_format": self._form.response_format(), "provider": provider}
        asked_before = len(self._trail)
        try:
            return self._ask(self._messages, {**options, **held})
        except RoutesExhausted:
            faults = {attempt.fault for attempt in self._trail[asked_before:]}
            if Kind.NO_PROVIDER.value not in faults or self.left() < WORTH_ASKING_S:
                raise
        words = {"role": "system", "content": schema_in_words(self._form.schema)}
        return self._ask([words, *self._messages], options)

    def _ask(self, messages: list[dict[str, Any]], options: Mapping[str, Any]) -> Completion:
        """One call, in whose record and errors stands all that was asked until then."""
        began_at = self._clock.now()
        left = max(self.left(), LEAST_S) if self._trail or self._last else self._seconds
        try:
            completion = self._client.complete(messages, **{**options, "deadline": left})
        except ResilientError as failure:
            self._trail = failure.history = self._with(failure.history, began_at)
            raise
        served = completion.served
        self._trail = self._with(served.attempts, began_at)
        first = served.first_token_seconds
        completion._served = replace(
            served,
            attempts=self._trail,
            seconds=self._clock.now() - self._began_at,
            first_token_seconds=None if first is None else first + began_at - self._began_at,
        )
        return completion

    def _with(
        self, attempts: tuple[AttemptRecord, ...], began_at: float
    ) -> tuple[AttemptRecord, ...]:
        """The trail with the attempts of one more call, counted on."""
        later = began_at - self._began_at
        before = len(self._trail)
        return (*self._trail, *(
            replace(a, number=before + a.number, begun_seconds=a.begun_seconds + later)
            for a in attempts
        ))  # fmt: skip


def _apart(route: Route) -> list[str]:
    """A route of several models as routes of one; neighbours are joined again."""
    return [f"{route.endpoint}:{model}" for model in route.models]


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
