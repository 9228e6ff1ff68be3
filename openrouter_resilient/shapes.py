"""What goes in and what comes out, in chat-completions form; unknown fields are kept.

Strict in what is sent, permissive in what is read: OpenRouter adds fields and enum values without
notice (https://openrouter.ai/docs/api_reference/versioning). A repr never shows a text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, PrivateAttr

if TYPE_CHECKING:
    from openrouter_resilient.served import Served

CHAT, EMBEDDINGS = "chat completions", "embeddings"  # the kinds of request
ROLES = ("system", "developer", "user", "assistant", "tool", "function")


class Shape(BaseModel):
    """A part of a reply: known fields typed, unknown ones kept, texts hidden in a repr."""

    model_config = ConfigDict(
        extra="allow",
        hide_input_in_errors=True,
        protected_namespaces=(),
        defer_build=True,  # 15 ms of an import, spent at the first answer instead
    )

    def __repr__(self) -> str:
        """Name the fields and show none: an answer does not belong in a log or a traceback."""
        return f"<{type(self).__name__} with {', '.join(sorted(self.model_fields_set))}>"

    __str__ = __repr__

    def __getitem__(self, name: str) -> Any:
        """Read a field as LiteLLM's users do: `completion["choices"][0]["message"]`."""
        try:
            return getattr(self, name)
        except AttributeError:
            raise KeyError(name) from None


class FunctionCall(Shape):
    """The function a model wants called; `arguments` is JSON text, as the model wrote it."""

    name: str | None = None
    arguments: str | None = None


class ToolCall(Shape):
    """One call of a tool."""

    id: str | None = None
    type: str | None = "function"
    function: FunctionCall | None = None

    @property
    def name(self) -> str:
        """The function that is called; empty where the model named none."""
        return (self.function.name if self.function else None) or ""

    @property
    def input(self) -> dict[str, Any]:
        """Its arguments by name.

        Raises:
            ValueError: what the model wrote is no JSON object.
        """
        written = (self.function.arguments if self.function else None) or "{}"
        try:
            arguments = json.loads(written)
        except RecursionError:
            arguments = None
        if not isinstance(arguments, dict):
            raise ValueError(f"the arguments of {self.name} are no JSON object")  # noqa: TRY004  not of the caller's making
        return arguments


class Message(Shape):
    """What the model said."""

    role: str | None = "assistant"
    content: str | list[Any] | None = None
    refusal: str | None = None
    reasoning: str | None = None
    tool_calls: list[ToolCall] | None = None


class Choice(Shape):
    """One answer; there is more than one only where `n` was asked for."""

    index: int | None = 0
    message: Message
    finish_reason: str | None = None


class Usage(Shape):
    """Token counts as the server reported them; `cost` in USD where it said one."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    cost: float | None = None


class Completion(Shape):
    """An answer. `str()` of it is the text; `.served` says who gave it."""

    id: str | None = None
    object: str | None = "chat.completion"
    created: int | float | None = None
    model: str | None = None
    choices: list[Choice]
    usage: Usage | None = None

    _served: Served | None = PrivateAttr(default=None)
    _kept_as: tuple[str, float] | None = PrivateAttr(default=None)  # a copy's place in the cache

    @property
    def text(self) -> str:
        """The text of the first choice; empty if the model only called tools."""
        content = self.choices[0].message.content if self.choices else None
        if isinstance(content, list):
            parts = (part.get("text") for part in content if isinstance(part, dict))
            return "".join(part for part in parts if isinstance(part, str))
        return content or ""

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The tool calls of the first choice; empty if there are none."""
        return (self.choices[0].message.tool_calls or []) if self.choices else []

    @property
    def served(self) -> Served:
        """Who answered, and what it took."""
        if self._served is None:
            raise AttributeError("only a completion that a Client returned was served by somebody")
        return self._served

    def __str__(self) -> str:
        """The text."""
        return self.text

    def __repr__(self) -> str:
        """Say how long it is and who served it, never what it says."""
        served = f", {self._served}" if self._served is not None else ""
        return f"<Completion {self.id}: {len(self.text)} characters{served}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: the text, who served it, the trail and the cost."""
        from openrouter_resilient.cards import completion_card  # noqa: PLC0415  for notebooks alone

        functions = [call.function for call in self.tool_calls if call.function]
        calls = [f"{function.name}({function.arguments})" for function in functions]
        return completion_card(self.text, calls, self._served)


def finish_shapes() -> None:
    """Make now what pydantic makes at first use, under locks of its own.

    Before a fork: where another thread holds one at that moment, the child would wait for ever.
    """
    for shape in _kinds_of(Shape):
        shape.model_rebuild()
    # Its core has a lock for the first validation, too, whatever is validated.
    Completion.model_validate({"choices": [{"message": {"content": ""}}], "usage": {"cost": 0.0}})


def _kinds_of(shape: type[Shape]) -> Iterator[type[Shape]]:
    for kind in shape.__subclasses__():
        yield kind
        yield from _kinds_of(kind)


class Delta:
    """A piece of an answer as it came.

    Attributes:
        text: what it adds to the text; empty for a piece of reasoning or of a tool call.
        fields: the whole delta as the server sent it.
        chunk: the whole chunk as the server sent it.
    """

    __slots__ = ("chunk", "fields", "text")

    def __init__(self, text: str, fields: dict[str, Any], chunk: dict[str, Any]) -> None:
        """Keep the parts."""
        self.text = text
        self.fields = fields
        self.chunk = chunk

    @property
    def reasoning(self) -> str:
        """What it adds to the reasoning."""
        reasoning = self.fields.get("reasoning") or self.fields.get("reasoning_content")
        return reasoning if isinstance(reasoning, str) else ""

    @property
    def tool_calls(self) -> list[dict[str, Any]]:
        """Pieces of tool calls: id and name first, then arguments."""
        calls = self.fields.get("tool_calls")
        return calls if isinstance(calls, list) else []

    def __repr__(self) -> str:
        """Say how long it is, never what it says."""
        return f"<Delta of {len(self.text)} characters>"


class CheckedFormat(dict[str, Any]):
    """A `response_format` whose answer the caller checks."""


@dataclass(frozen=True)
class Request:
    """What a caller asks for, checked once, before it is translated for an endpoint.

    Attributes:
        messages: in chat-completions form, oldest first.
        parameters: everything else of the body, as OpenRouter spells it.
        operation: CHAT or EMBEDDINGS.
    """

    messages: list[dict[str, Any]] = field(repr=False)
    parameters: dict[str, Any] = field(default_factory=dict, repr=False)
    operation: str = CHAT

    @property
    def characters(self) -> int:
        """The length of all texts, to judge how long a first token may take."""
        return sum(map(_characters, (message.get("content") for message in self.messages)))

    @property
    def checked(self) -> bool:
        """The caller checks the form of the answer: words may ask for it where no parameter can."""
        return isinstance(self.parameters.get("response_format"), CheckedFormat)

    @property
    def reasons(self) -> bool:
        """It asks for reasoning, so that a long silence before the first token is no fault."""
        asked = self.parameters.get("reasoning")
        if isinstance(asked, dict):
            return asked.get("enabled") is not False and asked.get("effort") != "none"
        effort = self.parameters.get("reasoning_effort")
        return effort not in (None, "none") or bool(self.parameters.get("include_reasoning"))


def make_request(
    prompt: str | Sequence[Mapping[str, Any] | BaseModel],
    system: str | None,
    parameters: Mapping[str, Any],
) -> Request:
    """Check a prompt and its parameters.

    Args:
        prompt: a text, or messages in chat-completions form, oldest first.
        system: a system text that is put before them.
        parameters: everything else of the body; `None` means "not given" and is left out.

    Raises:
        TypeError: the prompt, a message or the system text is of the wrong type.
        ValueError: the prompt is empty, or a message lacks what it must have.
    """
    messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else _listed(prompt)
    if not messages or (isinstance(prompt, str) and not prompt.strip()):
        raise ValueError("the prompt is empty; give a text or at least one message")
    for place, message in enumerate(messages):
        _check(message, place)
    if system is not None:
        if not isinstance(system, str):
            raise TypeError(f"system must be a text, not {type(system).__name__}")
        messages.insert(0, {"role": "system", "content": system})
    given = {name: value for name, value in parameters.items() if value is not None}
    return Request(messages, given)


def _listed(prompt: object) -> list[dict[str, Any]]:
    if not isinstance(prompt, Iterable) or isinstance(prompt, Mapping | bytes):
        raise TypeError(
            f"the prompt must be a text or a list of messages, not {type(prompt).__name__}"
        )
    return [_as_dict(message, place) for place, message in enumerate(prompt)]


def _as_dict(message: object, place: int) -> dict[str, Any]:
    if isinstance(message, BaseModel):
        return message.model_dump(exclude_none=True)
    if isinstance(message, Mapping):
        return dict(message)
    raise TypeError(
        f"message {place} must be a dict such as "
        f'{{"role": "user", "content": "…"}}, not {type(message).__name__}'
    )


def _check(message: dict[str, Any], place: int) -> None:
    role, content = message.get("role"), message.get("content")
    if role not in ROLES:
        raise ValueError(f"message {place} needs a role, one of {', '.join(ROLES)}")
    if content is None and role == "assistant":
        return  # it only called tools
    if not isinstance(content, str | list):
        raise TypeError(f"message {place} ({role}) needs a content: a text or a list of parts")
    if isinstance(content, list) and not all(
        isinstance(part, dict) and isinstance(part.get("type"), str) for part in content
    ):
        raise TypeError(f'message {place} ({role}): each part of its content needs a "type"')


def _characters(content: object) -> int:
    if isinstance(content, str):
        return len(content)
    parts = content if isinstance(content, list) else []
    return sum(_characters(part.get("text")) for part in parts if isinstance(part, dict))
