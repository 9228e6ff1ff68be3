"""Chunks of a stream in, the answer they make up out, in the form a whole body has."""

from __future__ import annotations

from typing import Any

from openrouter_resilient.routing.faults import Broken, Fault, Kind
from openrouter_resilient.shapes import Delta

JOINED = frozenset({"content", "reasoning", "reasoning_content", "refusal"})
EXTENDED = frozenset({"reasoning_details", "images", "annotations"})
SPOKEN = ("content", "reasoning", "reasoning_content", "refusal", "tool_calls", "reasoning_details",
          "images", "audio", "function_call", "embeddings")  # fmt: skip


class Assembly:
    """Grows by one chunk at a time.

    Attributes:
        top: the fields beside `choices`; what was said last wins, null says nothing.
        failed: a choice that says it failed; None while none does.
        finished: every choice that began has said why it ended.
    """

    def __init__(self, choices: int = 1) -> None:
        """Begin empty.

        Args:
            choices: how many were asked for; of several, only the first is the text that is shown.
        """
        self._several = choices > 1
        self.top: dict[str, Any] = {}
        self.failed: dict[str, Any] | None = None
        self.finished = False
        self._choices: dict[int, _Choice] = {}

    @property
    def begun(self) -> bool:
        """A choice has begun."""
        return bool(self._choices)

    @property
    def count(self) -> int:
        """How many choices have begun."""
        return len(self._choices)

    @property
    def finish_reason(self) -> object:
        """Why the first choice ended; None while it has not."""
        first = self._choices.get(min(self._choices, default=0))
        return first.fields.get("finish_reason") if first else None

    def add(self, chunk: dict[str, Any]) -> Delta | None:
        """Take a chunk in.

        Returns:
            What it brought of an answer; None if that is nothing a reader would see.

        Raises:
            Broken: a part of it is not what this API sends.
        """
        self.top.update(
            chunk
            if None not in chunk.values()
            else {name: value for name, value in chunk.items() if value is not None}
        )
        choices = chunk.get("choices")
        if not choices:
            return None
        if not isinstance(choices, list):
            raise Broken(Fault(Kind.UNREADABLE, "choices is not a list"))
        seen: Delta | None = None
        for choice in choices:
            delta = self._add_choice(choice, chunk)
            if delta is not None and (seen is None or not seen.text):
                seen = delta
        return seen

    def body(self) -> dict[str, Any]:
        """The answer as a whole body would have brought it."""
        choices = [self._choices[index].body(index) for index in sorted(self._choices)]
        return {**self.top, "object": "chat.completion", "choices": choices}

    def _add_choice(self, choice: object, chunk: dict[str, Any]) -> Delta | None:
        if not isinstance(choice, dict):
            raise Broken(Fault(Kind.UNREADABLE, "a choice is not an object"))
        index = choice.get("index")
        index = index if isinstance(index, int) else 0
        whole = self._choices.get(index)
        if whole is None:
            whole = self._choices[index] = _Choice()
            self.finished = False
        for name, value in choice.items():
            if value is not None and name not in ("delta", "index"):
                whole.add_field(name, value)
                self._look_for_an_end(name, choice)
        delta = choice.get("delta")
        if not delta or not isinstance(delta, dict):
            return None
        whole.add_delta(delta)
        content = delta.get("content")
        if content and isinstance(content, str):
            first = index == 0 or not (self._several or 0 in self._choices)
            return Delta(content if first else "", delta, chunk)
        if any(delta.get(name) for name in SPOKEN):
            return Delta("", delta, chunk)
        return None

    def _look_for_an_end(self, name: str, choice: dict[str, Any]) -> None:
        """A choice has said something beside its delta, which few chunks do."""
        if name == "error" or (name == "finish_reason" and choice[name] == "error"):
            self.failed = choice
        if name == "finish_reason":
            self.finished = all("finish_reason" in one.fields for one in self._choices.values())


class _Choice:
    """One choice as far as it has come."""

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self._texts: dict[str, list[str]] = {}
        self._message: dict[str, Any] = {}
        self._calls: dict[int, dict[str, Any]] = {}

    def add_field(self, name: str, value: Any) -> None:
        """What stands beside the delta: finish reason, log probabilities, unknown fields."""
        known = self.fields.get(name)
        if isinstance(known, dict) and isinstance(value, dict):
            for inner, part in value.items():
                both = isinstance(known.get(inner), list) and isinstance(part, list)
                known[inner] = known[inner] + part if both else part
        else:
            self.fields[name] = dict(value) if isinstance(value, dict) else value

    def add_delta(self, delta: dict[str, Any]) -> None:
        for name, value in delta.items():
            if value is None:
                continue
            if name in JOINED and isinstance(value, str):
                if value:
                    self._texts.setdefault(name, []).append(value)
                else:
                    self._message.setdefault(name, "")
            elif name == "tool_calls" and isinstance(value, list):
                for place, call in enumerate(value):
                    self._add_call(call, place)
            elif name in EXTENDED and isinstance(value, list):
                self._extend(name, value)
            else:
                self._message[name] = value

    def body(self, index: int) -> dict[str, Any]:
        message = {"role": "assistant", "content": None, **self._message}
        message.update({name: "".join(parts) for name, parts in self._texts.items()})
        if self._calls:
            message["tool_calls"] = [self._calls[place] for place in sorted(self._calls)]
        return {**self.fields, "index": index, "message": message}

    def _extend(self, name: str, value: list[Any]) -> None:
        known = self._message.get(name)
        if isinstance(known, list):
            known.extend(value)
        else:
            self._message[name] = list(value)

    def _add_call(self, call: object, place: int) -> None:
        """A tool call comes as an id and a name, then its arguments in pieces."""
        if not isinstance(call, dict):
            raise Broken(Fault(Kind.UNREADABLE, "a tool call is not an object"))
        index = call.get("index")
        whole = self._calls.setdefault(
            index if isinstance(index, int) else place, {"type": "function", "function": {}}
        )
        whole.update({name: part for name, part in call.items() if part and name not in _PIECES})
        function = call.get("function")
        if isinstance(function, dict):
            if function.get("name"):
                whole["function"]["name"] = function["name"]
            arguments = function.get("arguments")
            if isinstance(arguments, str):
                whole["function"]["arguments"] = whole["function"].get("arguments", "") + arguments


_PIECES = frozenset({"function", "index"})
