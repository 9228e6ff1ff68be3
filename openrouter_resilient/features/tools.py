"""Python functions as tools: their schema, and the loop in which a model calls them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import to_json
from typing_extensions import NotRequired, TypedDict

from openrouter_resilient.features.spending import whole_cost_of, with_one_cap
from openrouter_resilient.served import Served
from openrouter_resilient.shapes import Completion, ToolCall

if TYPE_CHECKING:
    from openrouter_resilient.client import Client

OnError = Literal["tell", "raise"]
NOT_CALLED = "not called: the steps of this run were over"
ARGUMENT = re.compile(r"^\s+\*{0,2}(\w+)(?:\s*\([^)]*\))?:\s*(.+)$")


@dataclass(frozen=True)
class Called:
    """One call of a function.

    Attributes:
        call: as the model made it.
        result: what the model was told; not in the repr.
        error: what the function raised, or why it could not be called; None if it returned.
    """

    call: ToolCall
    result: str = field(repr=False)
    error: Exception | None = None


@dataclass(frozen=True)
class Step:
    """One answer of the model, and the functions that it called."""

    completion: Completion
    called: tuple[Called, ...] = ()

    @property
    def served(self) -> Served:
        """Who answered."""
        return self.completion.served


@dataclass(frozen=True)
class ToolRun:
    """A run of tools. `str()` of it is the answer.

    Attributes:
        steps: each answer and what was called, oldest first.
        messages: the whole conversation, to go on with; calls for which no step was left are
            answered in it as not called. Not in the repr.
    """

    steps: tuple[Step, ...]
    messages: list[dict[str, Any]] = field(repr=False)

    @property
    def completion(self) -> Completion:
        """The last answer."""
        return self.steps[-1].completion

    @property
    def finished(self) -> bool:
        """The model had its say; False if it still wanted to call when the steps were over."""
        return not self.completion.tool_calls

    @property
    def text(self) -> str:
        """The text of the last answer."""
        return self.completion.text

    @property
    def served(self) -> tuple[Served, ...]:
        """Who answered in each step."""
        return tuple(step.served for step in self.steps)

    @property
    def cost(self) -> float | None:
        """In USD, as reported; None if a step's is unknown."""
        return whole_cost_of(self.served)

    def __repr__(self) -> str:
        """Say what was done, never what was said."""
        calls = sum(len(step.called) for step in self.steps)
        return f"<ToolRun: {len(self.steps)} steps, {calls} calls>"

    def __str__(self) -> str:
        """The text of the last answer."""
        return self.text


class _Tool:
    """A function that a model may call."""

    def __init__(self, function: Callable[..., Any]) -> None:
        """Read its signature and its docstring.

        Raises:
            TypeError: it cannot be called by names alone, or not at once.
        """
        self.name = getattr(function, "__name__", "")
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", self.name):
            raise TypeError(f"a tool needs a name of letters, digits and _, not {self.name!r}")
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(self._asynchronous)
        self._function, bare = function, _bare(function)
        self._source = bare.func if isinstance(bare, partial) else function
        text = inspect.getdoc(self._source if function.__doc__ == partial.__doc__ else function)
        text = text or ""
        self._about, self._told = text.partition("\n\n")[0].strip(), _described(text)
        self._parameters = _parameters(bare, self.name)
        self._arguments: TypeAdapter[Any] = TypeAdapter(self._shape())

    @property
    def _asynchronous(self) -> str:
        return f"{self.name} is asynchronous; a tool must return its result"

    @property
    def definition(self) -> dict[str, Any]:
        """As it goes over the wire."""
        schema = _untitled(self._arguments.json_schema())
        schema.pop("description", None)
        schema.setdefault("properties", {})
        function = {"name": self.name, "description": self._about, "parameters": schema}
        return {"type": "function", "function": {n: v for n, v in function.items() if v != ""}}

    def run(self, call: ToolCall) -> Any:
        """Check the arguments and call the function.

        Raises:
            ValueError: the arguments are wrong.
            TypeError: it did not run, since it is asynchronous. A wrapper shows that only now.
        """
        written = (call.function.arguments if call.function else None) or "{}"
        result = self._function(**self._arguments.validate_json(written))
        if inspect.isawaitable(result) or inspect.isasyncgen(result):
            if inspect.iscoroutine(result):
                result.close()  # or Python warns of it
            raise TypeError(self._asynchronous)
        return list(result) if inspect.isgenerator(result) else result  # which only now runs

    def accepts(self, call: ToolCall) -> ValueError | None:
        """What is wrong with the arguments; None if they fit."""
        written = (call.function.arguments if call.function else None) or "{}"
        try:
            self._arguments.validate_json(written)
        except ValueError as error:
            return error
        return None

    def _shape(self) -> Any:
        """A dict of the arguments: unlike a class's, their names may be `copy` or `schema`."""
        hints = _types(self._source, self.name)
        fields = {}
        for name, parameter in self._parameters.items():
            kind = hints.get(name, Any)
            if name in self._told:
                kind = Annotated[kind, Field(description=self._told[name])]
            optional = parameter.default is not inspect.Parameter.empty
            fields[name] = NotRequired[kind] if optional else kind
        made = TypedDict(self.name, fields)  # type: ignore[misc]  # made at run time
        made.__pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[attr-defined]  # pydantic reads it
        return made


def definitions(tools: Any) -> Any:
    """Tools as they go over the wire: functions as their definitions, the rest as it is."""
    if not isinstance(tools, Sequence) or isinstance(tools, str):
        return tools
    return [_Tool(tool).definition if callable(tool) else tool for tool in tools]


def run_tools(
    client: Client,
    prompt: Any,
    tools: Sequence[Callable[..., Any]],
    *,
    max_steps: int,
    on_error: OnError,
    options: Mapping[str, Any],
) -> ToolRun:
    """See `Abilities.run_tools`."""
    if max_steps < 1:
        raise ValueError(f"max_steps must be at least 1, not {max_steps}")
    if on_error not in ("tell", "raise"):
        raise ValueError(f'on_error must be "tell" or "raise", not {on_error!r}')
    known = _by_name(tools)
    given = with_one_cap(options, "this run")
    messages = client._request(prompt, given.pop("system", None), {}).messages
    first_choice = given.pop("tool_choice", None)
    steps: list[Step] = []
    for number in range(1, max_steps + 1):
        choice = "none" if number == max_steps > 1 else first_choice if number == 1 else None
        completion = client.complete(
            messages,
            **given,
            tools=[tool.definition for tool in known.values()],
            tool_choice=choice,
        )
        calls = _calls(completion, number)
        messages.append(_said(completion, calls))
        if not calls or number == max_steps:
            messages += [_answered(Called(call, NOT_CALLED)) for call in calls]
            steps.append(Step(completion))
            break
        called = tuple(_call(known.get(call.name), call, on_error) for call in calls)
        messages += [_answered(one) for one in called]
        steps.append(Step(completion, called))
    return ToolRun(tuple(steps), messages)


def _by_name(tools: Sequence[Callable[..., Any]]) -> dict[str, _Tool]:
    known: dict[str, _Tool] = {}
    for tool in map(_Tool, tools):
        if tool.name in known:
            raise ValueError(f"two tools are called {tool.name}; a model tells them by their names")
        known[tool.name] = tool
    return known


def _calls(completion: Completion, step: int) -> list[ToolCall]:
    """The calls of an answer, each once and each with an id of its own."""
    seen: dict[str, ToolCall] = {}
    for place, call in enumerate(completion.tool_calls):
        call_id = call.id or f"call_{step}_{place}"
        earlier = seen.get(call_id)
        if earlier is not None and earlier.function == call.function:
            continue  # the same call, said twice
        own = call_id if earlier is None else f"{call_id}_{place}"
        seen[own] = call.model_copy(update={"id": own})
    return list(seen.values())


def _said(completion: Completion, calls: list[ToolCall]) -> dict[str, Any]:
    """The answer as a message, with what a provider wants to see again (signed thoughts)."""
    message = completion.choices[0].message.model_dump(exclude_none=True)
    message["role"] = "assistant"
    message.pop("tool_calls", None)
    if calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {
                    "name": call.name,
                    "arguments": (call.function.arguments if call.function else None) or "{}",
                },
            }
            for call in calls
        ]
    return message


def _call(tool: _Tool | None, call: ToolCall, on_error: OnError) -> Called:
    """Run a function once. The model's own mistakes are always told to the model."""
    if tool is None:
        unknown = ValueError(f"there is no function {call.name}")
        return Called(call, f"error: {unknown}", unknown)
    wrong = tool.accepts(call)
    if wrong is not None:
        return Called(call, f"error: {_in_words(wrong)}", wrong)
    try:
        result = tool.run(call)
    except Exception as error:
        if on_error == "raise":
            raise
        return Called(call, f"error: {type(error).__name__}: {error}", error)
    return Called(call, as_text(result))


def as_text(result: Any) -> str:
    """What a function returned, for the model: a text as it is, all else as JSON.

    It ran, whatever it returned: what has no JSON is said as Python says it.
    """
    if isinstance(result, str):
        return result
    for write in (_json, str):
        with suppress(Exception):
            return write(result)
    return f"<{type(result).__name__}>"


def _json(result: Any) -> str:
    return to_json(result, fallback=str).decode()


def _answered(called: Called) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": called.call.id, "content": called.result}


def _in_words(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        found = error.errors(include_url=False, include_input=False, include_context=False)
        return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in found)
    return str(error)


def _bare(function: Callable[..., Any]) -> Callable[..., Any]:
    """A partial without what `update_wrapper` left on it: the signature of what it wraps."""
    inner = inspect.unwrap(function, stop=lambda one: isinstance(one, partial))
    if not isinstance(inner, partial):
        return function
    return partial(_bare(inner.func), *inner.args, **inner.keywords)


def _types(function: Callable[..., Any], name: str) -> dict[str, Any]:
    """Those of the parameters: what it returns may be known to a type checker alone."""
    read: Any = function
    if inspect.isroutine(function):
        given = getattr(function, "__annotations__", {}).items()
        read = SimpleNamespace(
            __annotations__={word: kind for word, kind in given if word != "return"},
            __wrapped__=function,  # whose names they are looked up among
        )
    try:
        return get_type_hints(read, include_extras=True)
    except NameError as error:
        raise TypeError(
            f"{name} has a parameter whose type is not there when it runs: {error}. Import it "
            "outside of TYPE_CHECKING"
        ) from error


def _parameters(function: Callable[..., Any], name: str) -> dict[str, inspect.Parameter]:
    """Those that a model may give: what a partial has bound is not its to change."""
    bound = function.keywords if isinstance(function, partial) else {}
    known = inspect.signature(function).parameters
    parameters = {name: one for name, one in known.items() if name not in bound}
    for parameter in parameters.values():
        by_name = (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        if parameter.kind not in by_name:
            raise TypeError(
                f"{name} takes {parameter}, which no model can name; name each argument"
            )
    return parameters


def _described(text: str) -> dict[str, str]:
    """What a Google-style docstring says of the arguments."""
    _, _, section = text.partition("Args:\n")
    told: dict[str, str] = {}
    last = ""
    for line in section.split("\n"):
        if not line.strip() or not line.startswith(" "):
            break
        found = ARGUMENT.match(line)
        if found is not None:
            last = found[1]
            told[last] = found[2].strip()
        elif last:
            told[last] += f" {line.strip()}"
    return told


def _untitled(schema: Any) -> Any:
    """Without the titles that pydantic makes of the names: they cost tokens and say nothing."""
    if isinstance(schema, list):
        return [_untitled(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: _untitled(part)
        for name, part in schema.items()
        if name != "title" or not isinstance(part, str)
    }
