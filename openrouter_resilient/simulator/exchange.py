"""One request being answered: what a healthy face would say, and every way to write it.

A fault is a function of an exchange; it never sees a socket. What is to count as said is given as
JSON, so that the record is true by construction.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from email.utils import formatdate
from typing import TYPE_CHECKING

from .answering import forced_call, message_for
from .message import LAST_CHUNK, Header, Json, chunk, response_head
from .refusal import Refusal, RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from threading import Event as Signal

    from .answering import Answer
    from .completion import Completion, Event
    from .connection import Connection
    from .faces.base import Face, Question
    from .record import Said

Option = str | float | tuple[str, ...]

JSON_TYPE = "application/json"
EVENTS_TYPE = "text/event-stream"
HTML_TYPE = "text/html; charset=UTF-8"
FOR_EVER = 86_400.0  # seconds; a day is longer than any client waits
COMMENT_EVERY = 0.25  # seconds; OpenRouter gives no number, this shows in a quick test


@dataclass(frozen=True)
class Pace:
    """How slow a healthy answer is, in seconds."""

    first_token: float = 0.0
    between_tokens: float = 0.0


@dataclass
class Exchange:
    """A request, the face that answers it, and the connection the answer goes over."""

    face: Face
    question: Question
    connection: Connection
    said: Said
    ended: Signal
    answer: Answer
    pace: Pace = field(default_factory=Pace)
    options: Mapping[str, Option] = field(default_factory=dict)
    kind: str = ""  # of the fault being played
    _completion: Completion | None = None
    _chunked: bool = False

    # options

    def number(self, name: str) -> float:
        """Return a numeric option."""
        return float(self.options[name])  # type: ignore[arg-type]  # the row's default is a number

    def count(self, name: str) -> int:
        """Return an option that counts something."""
        return int(self.number(name))

    def text(self, name: str) -> str:
        """Return an option that is a text."""
        return str(self.options[name])

    # what a healthy face would say

    @property
    def chat(self) -> bool:
        """Whether this asks for a completion."""
        request = self.question.request
        return request.method == "POST" and request.path in self.face.chat_paths

    @property
    def streaming(self) -> bool:
        """Whether this asks for a completion as events."""
        return self.chat and self.question.streaming

    def completion(self) -> Completion:
        """Return the completion, the same at every call; raise RefusedError if there is none."""
        if self._completion is None:
            self.face.check(self.question)
            body = self.question.body
            message = message_for(self.face.name, body, self.answer)
            self._completion = self.face.complete(self.question, message)
        return self._completion

    def force_tool_call(self) -> None:
        """Let the answer be a tool call, whatever was asked."""
        self.face.check(self.question)
        tools = self.question.body.get("tools") or [{}]
        name = str((tools[0].get("function") or {}).get("name") or "simulated_tool")
        message = forced_call(name, self.question.body)
        self._completion = self.face.complete(self.question, message)

    def whole(self) -> Json:
        """Return the healthy JSON for whatever was asked; raise RefusedError if there is none."""
        if self.chat:
            return self.face.whole(self.completion())
        request = self.question.request
        if request.method == "POST" and request.path == self.face.vectors_path:
            return self.face.embed(self.question)
        page = self.face.page(self.question) if request.method == "GET" else None
        if page is None:
            raise RefusedError(
                Refusal(404, f"Unknown request URL: {request.method} {request.path}."),
            )
        return page

    def events(self) -> list[Event]:
        """Return the healthy events of the stream."""
        return self.face.events(self.completion())

    def error(self, refusal: Refusal) -> Json:
        """Return an error body in the face's form."""
        return self.face.error(refusal, self.question)

    # writing heads

    def begin(self, status: int, *headers: Header) -> None:
        """Write a response head, the face's own headers first."""
        self.connection.write(self.head(status, *headers))

    def head(self, status: int, *headers: Header) -> bytes:
        """Return a response head, and note it as said."""
        date = ("Date", formatdate(usegmt=True))
        everything = (date, *self.face.headers(self.question), *headers)
        self.said.hear_head(status, everything)
        return response_head(status, everything)

    def begin_body(self, content_type: str, status: int = 200) -> None:
        """Write the head of a body whose length is not known yet."""
        self.begin(status, *self.framing(content_type))

    def framing(self, content_type: str) -> tuple[Header, ...]:
        """Return the headers of a body whose length is not known: in chunks, if HTTP/1.1."""
        self._chunked = self.question.request.version == "HTTP/1.1"
        kind = ("Content-Type", content_type)
        how = ("Transfer-Encoding", "chunked") if self._chunked else ("Connection", "close")
        return (kind, how)

    def begin_events(self) -> None:
        """Write the head of a stream."""
        self.begin_body(EVENTS_TYPE)

    # writing bodies

    def send(self, data: bytes, content_type: str, *headers: Header, status: int = 200) -> None:
        """Write a whole reply with its length."""
        length = ("Content-Length", str(len(data)))
        head = self.head(status, ("Content-Type", content_type), length, *headers)
        self.connection.write(head + data)

    def send_json(self, body: Json, *headers: Header, status: int = 200) -> None:
        """Write a whole JSON reply."""
        self.said.hear(body)
        self.send(self.encoded(body), JSON_TYPE, *headers, status=status)

    def refuse(self, refusal: Refusal) -> None:
        """Write an error reply in the face's form."""
        self.send_json(self.error(refusal), *refusal.headers, status=refusal.status)

    def piece(self, data: bytes) -> None:
        """Write some bytes of a body begun without a length; no bytes would end it."""
        if data:
            self.connection.write(self.framed(data))

    def framed(self, data: bytes) -> bytes:
        """Return bytes as they stand in the body."""
        return chunk(data) if self._chunked else data

    def event(self, event: Event) -> None:
        """Write one event, and note it as said."""
        self.piece(self.heard(event))

    def heard(self, event: Event) -> bytes:
        """Note an event as said, and return its bytes."""
        self.said.hear(event.chunk)
        return self.event_bytes(event.chunk)

    def event_bytes(self, chunk: Json) -> bytes:
        """Return a chunk as this API writes it in a stream."""
        return self.face.event_bytes(self.question, chunk)

    def encoded(self, body: Json) -> bytes:
        """Return a body as this API writes it."""
        return self.face.encoded(self.question, body)

    @property
    def done(self) -> bytes:
        """What this API writes at the end of a stream."""
        return self.face.sentinel(self.question)

    def finish(self) -> None:
        """End a body begun without a length."""
        if self._chunked:
            self.connection.write(LAST_CHUNK)
        else:
            self.connection.close()

    def write_all(self, status: int, content_type: str, pieces: Iterable[bytes]) -> None:
        """Write head and body with one system call; still one chunk a piece."""
        head = self.head(status, *self.framing(content_type))
        body = b"".join(map(self.framed, pieces))
        self.connection.write(head + body + (LAST_CHUNK if self._chunked else b""))
        if not self._chunked:
            self.connection.close()

    def cut(self) -> None:
        """Close the connection in the middle of whatever was being written."""
        self.connection.close()

    def reset(self) -> None:
        """Reset the connection in the middle of whatever was being written."""
        self.connection.reset()

    # time

    def wait(self, seconds: float) -> None:
        """Let time pass, unless the fault is healed or the client leaves."""
        self.connection.wait(seconds, self.ended)

    def wait_aloud(self, seconds: float, noise: bytes) -> None:
        """Let time pass, writing what this API writes while it has nothing to say."""
        while seconds > 0:
            if noise:
                self.piece(noise)
            self.wait(min(seconds, COMMENT_EVERY))
            seconds -= COMMENT_EVERY


def answer_healthily(exchange: Exchange) -> None:
    """Answer as the real API does on a good day."""
    if exchange.streaming:
        _answer_in_events(exchange)
    elif exchange.pace.first_token or exchange.pace.between_tokens:
        _answer_whole_slowly(exchange)
    else:
        exchange.send_json(exchange.whole())


def _answer_in_events(exchange: Exchange) -> None:
    events = exchange.events()
    if exchange.pace == Pace():
        _answer_in_one_write(exchange, events)
        return
    exchange.begin_events()
    exchange.wait_aloud(exchange.pace.first_token, exchange.face.comment)
    for event in events:
        exchange.event(event)
        if event.brings in ("text", "tool", "reasoning"):
            exchange.wait(exchange.pace.between_tokens)
    exchange.piece(exchange.done)
    exchange.finish()


def _answer_in_one_write(exchange: Exchange, events: list[Event]) -> None:
    """Save the system calls where nobody asked to see the answer grow."""
    heard = [exchange.heard(event) for event in events]
    exchange.write_all(200, EVENTS_TYPE, [*filter(None, heard), exchange.done])


def _answer_whole_slowly(exchange: Exchange) -> None:
    body = exchange.whole()
    pace = exchange.pace
    tokens = len(exchange.events()) if exchange.chat else 0
    exchange.begin_body(JSON_TYPE)
    seconds = pace.first_token + tokens * pace.between_tokens
    exchange.wait_aloud(seconds, exchange.face.whole_padding)
    exchange.said.hear(body)
    exchange.piece(exchange.encoded(body))
    exchange.finish()
