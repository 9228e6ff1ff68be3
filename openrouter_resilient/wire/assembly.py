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
        delta = choice.get("delta") or {}
        if not isinstance(delta, dict):
            return None
        content = delta.get("content")
        if whole.half or (content and isinstance(content, str) and _is_half(content[-1])):
            delta = whole.with_pairs(delta)
            content = delta["content"]
        if not delta:
            return None
        whole.add_delta(delta)
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


def _is_half(character: str) -> bool:
    """Whether it is the first half of a character beyond 16 bits, as JSON escapes it."""
    return "\ud800" <= character <= "\udbff"


def _paired(text: str) -> str:
    """With two halves that stand side by side as the character that they are (RFC 8259, 7)."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


class _Choice:
    """One choice as far as it has come.

    Attributes:
        half: the first half of a character whose other half has not come yet.
    """

    half = ""

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self._texts: dict[str, list[str]] = {}
        self._message: dict[str, Any] = {}
        self._calls = _Calls()

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
                self._calls.add(value)
            elif name in EXTENDED and isinstance(value, list):
                self._extend(name, value)
            else:
                self._message[name] = value

    def with_pairs(self, delta: dict[str, Any]) -> dict[str, Any]:
        """A delta without half a character at its end: some servers send the halves in two."""
        content = delta.get("content")
        text = self.half + (content if isinstance(content, str) else "")
        going_on = "finish_reason" not in self.fields and _is_half(text[-1])
        self.half = text[-1] if going_on else ""
        return {**delta, "content": _paired(text.removesuffix(self.half))}

    def body(self, index: int) -> dict[str, Any]:
        message = {"role": "assistant", "content": None, **self._message}
        message.update({name: _paired("".join(parts)) for name, parts in self._texts.items()})
        calls = self._calls.bodies()
        if calls:
            message["tool_calls"] = calls
        return {**self.fields, "index": index, "message": message}

    def _extend(self, name: str, value: list[Any]) -> None:
        known = self._message.get(name)
        if isinstance(known, list):
            known.extend(value)
        else:
            self._message[name] = list(value)


class _Calls:
    """The tool calls of a choice, each as far as it has come.

    Most providers number them. Some give each an id and the number 0 (Ollama), or no number.
    """

    def __init__(self) -> None:
        self._begun: list[tuple[int, dict[str, Any]]] = []
        self._latest: dict[int | None, dict[str, Any]] = {}  # by number; None: of all
        self._named: dict[tuple[int | None, str], dict[str, Any]] = {}  # by number and id

    def add(self, pieces: list[Any]) -> None:
        """A call comes as an id and a name, then its arguments in pieces."""
        for place, piece in enumerate(pieces):
            if not isinstance(piece, dict):
                raise Broken(Fault(Kind.UNREADABLE, "a tool call is not an object"))
            index = piece.get("index")
            unnumbered = place if len(pieces) > 1 else None
            self._add(piece, index if isinstance(index, int) else unnumbered)

    def bodies(self) -> list[dict[str, Any]]:
        """The calls by their numbers; those that share one in the order of their beginning."""
        for _, whole in self._begun:
            if "arguments" in whole["function"]:
                whole["function"]["arguments"] = _paired(whole["function"]["arguments"])
        return [whole for _, whole in sorted(self._begun, key=lambda begun: begun[0])]

    def _add(self, piece: dict[str, Any], number: int | None) -> None:
        own = piece.get("id")
        own = own if isinstance(own, str) else ""
        whole = self._continued(number, own)
        if whole is None:
            whole = self._begin(number)
        self._latest[None] = whole
        if own:
            self._named[number, own] = self._named[None, own] = whole
        _grow(whole, piece)

    def _continued(self, number: int | None, own: str) -> dict[str, Any] | None:
        """The call that a piece goes on with; None for one that begins, which a new id tells."""
        latest = self._latest.get(number)
        if not own or (latest is not None and "id" not in latest):
            return latest
        return self._named.get((number, own))

    def _begin(self, number: int | None) -> dict[str, Any]:
        if number is None:
            number = self._begun[-1][0] if self._begun else 0
        whole: dict[str, Any] = {"type": "function", "function": {}}
        self._begun.append((number, whole))
        self._latest[number] = whole
        return whole


def _grow(whole: dict[str, Any], piece: dict[str, Any]) -> None:
    whole.update({name: part for name, part in piece.items() if part and name not in _PIECES})
    function = piece.get("function")
    if not isinstance(function, dict):
        return
    if function.get("name"):
        whole["function"]["name"] = function["name"]
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        whole["function"]["arguments"] = whole["function"].get("arguments", "") + arguments


_PIECES = frozenset({"function", "index"})
