"""One attempt read as deltas: first-token limit, then stall limit, always the deadline.

A reply is read as what it is, whatever was asked and whatever its headers claim: a body that begins
with `{` is one JSON body, one that begins like an event stream is a stream.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from pydantic import ValidationError

from openrouter_resilient.endpoints.forms import PLAIN, Reader
from openrouter_resilient.routing.deadline import Deadline
from openrouter_resilient.routing.faults import Broken, Fault, Kind
from openrouter_resilient.routing.recognition import classify_reply
from openrouter_resilient.routing.step import Attempt, Reported
from openrouter_resilient.shapes import Choice, Completion, Delta, Message
from openrouter_resilient.wire.assembly import SPOKEN, Assembly
from openrouter_resilient.wire.body import parse_body, parse_error, parse_event
from openrouter_resilient.wire.clock import Clock
from openrouter_resilient.wire.said import cost_of, finish_reason_of, has_failed, name_or_id
from openrouter_resilient.wire.sse import BOM, SSEDecoder

MAX_REPLY_BYTES = 32 * 1024 * 1024  # far above any answer; below what a small machine minds
MAX_ERROR_BYTES = 256 * 1024  # an error that is longer says nothing more
ERROR_BODY_S = 1.0  # it follows its status at once; one that does not is not worth waiting for
LINGER_S = 0.5  # after the finish: the usage chunk follows at once
LINGER_FOR_DONE_S = 0.05  # after the usage: [DONE] comes with it, or never
STILL_ANSWERING_S = 0.5  # between its last token and the deadline
LONGEST_LINGER_S = 2.0  # for an event after the finish that comes byte by byte
DONE = "[DONE]"
PADDING = b" \t\r\n" + BOM  # before a body or the first event; says nothing
EVENT_STARTS = (b":", b"data:", b"data\n", b"data\r", b"event:", b"id:", b"retry:")


class Reply(Protocol):
    """A reply whose headers have come."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers; names are found in any case."""

    def read(self, until: float) -> bytes:
        """The next bytes as they come, b"" at the end.

        Raises:
            Broken: they did not come by `until` (SILENT), or the connection broke.
        """

    def close(self, *, keep: bool) -> None:
        """Let go of the connection.

        Args:
            keep: all that matters was read, so it may serve the next request.
        """


class Exchange:
    """One attempt's reply, read step by step.

    Attributes:
        done: the whole answer has come.
    """

    def __init__(
        self,
        reply: Reply,
        attempt: Attempt,
        deadline: Deadline,
        clock: Clock,
        reader: Reader = PLAIN,
        choices: int = 1,
    ) -> None:
        """Take over a reply; `begin` it next.

        Args:
            reply, attempt, deadline, clock, reader: of the call.
            choices: how many answers were asked for; one that gives fewer is waited for longer.
        """
        self._choices = choices
        self._reader = reader
        self.done = False
        self._stall = attempt.stall
        self._reply = reply
        self._clock = clock
        self._deadline = deadline
        self._limit = min(attempt.first_token_by, deadline.at)
        self._first_token_at: float | None = None
        self._finished = False
        self._finished_at = 0.0
        self._left_at: float | None = None
        self._silent_since = 0.0
        self._assembly = Assembly(choices)
        self._decoder: SSEDecoder | None = None
        self._body = bytearray()
        self._is_body = False
        self._size = 0
        self._pending: Fault | None = None
        self._whole: dict[str, Any] | None = None
        self._answer: Completion | None = None

    def begin(self) -> None:
        """Judge the status line and the headers.

        Raises:
            Broken: the reply is an error.
        """
        if self._reply.status != 200:
            raise Broken(self._refused())
        length = self._reply.headers.get("content-length", "")
        if length.isdigit() and int(length) > MAX_REPLY_BYTES:
            raise Broken(_too_big())

    def advance(self) -> list[Delta]:
        """Read on, until some bytes have come; what they bring of the answer, which may be nothing.

        Raises:
            Broken: the attempt failed. What came before it has been handed out by then.
        """
        if self._pending is not None:
            raise Broken(self._pending)
        if self._left_at is not None:  # the time that the reader took is not the server's
            self._silent_since = self._clock.now()
            self._limit += self._silent_since - self._left_at
            self._left_at = None
        deltas: list[Delta] = []
        try:
            data = self._read()
            if data is None:
                self._finish()
            else:
                self._take(data, deltas)
        except Broken as broken:
            if not deltas:
                raise
            self._pending = broken.fault
        if deltas:
            now = self._clock.now()
            self._first_token_at = self._first_token_at or now
            if not self._finished:
                self._limit = now + self._stall
            self._left_at = now
        return deltas

    def commit(self, stall: float) -> None:
        """From now on bear so many seconds of silence: nothing stands behind this any more."""
        self._stall = stall
        if not self._finished:
            self._limit = min(self._clock.now() + stall, self._deadline.at)

    def drain(self) -> Completion:
        """The whole answer.

        Raises:
            Broken: the attempt failed.
        """
        while not self.done:
            self.advance()
        return self.completion()

    def completion(self) -> Completion:
        """The answer, once it is whole; checked once.

        Raises:
            Broken: it is none.
        """
        if self._answer is None:
            body = self._whole or self._assembly.body()
            self._check_answer(body)
            self._answer = self._validated(body)
        return self._answer

    def so_far(self) -> Completion:
        """The answer as far as it has come.

        Raises:
            Broken: it holds values of the wrong type.
        """
        return self._answer or self._validated(self._whole or self._assembly.body())

    def _validated(self, body: dict[str, Any]) -> Completion:
        try:
            completion = Completion.model_validate(body)
        except ValidationError as error:
            fields = ", ".join(".".join(map(str, e["loc"])) for e in error.errors()[:3])
            raise Broken(Fault(Kind.UNREADABLE, f"unexpected values in {fields}")) from None
        if completion.id is None:
            completion.id = self._generation_id()
        return completion

    def handed_over(self) -> Completion:
        """The answer as far as it has come; where it holds odd values, its text alone."""
        try:
            return self.so_far()
        except Broken:
            choice = self._assembly.body()["choices"][:1] if self._whole is None else []
            content = choice[0]["message"].get("content") if choice else None
            text = content if isinstance(content, str) else None
            message = Message.model_construct(content=text)
            return Completion.model_construct(
                id=self._generation_id(), choices=[Choice.model_construct(message=message)]
            )

    def reported(self) -> Reported:
        """What the reply has said of itself so far."""
        said = self._whole or self._assembly.top
        usage = said.get("usage")
        usage = usage if isinstance(usage, dict) else None
        routing = said.get("openrouter_metadata")
        return Reported(
            model=name_or_id(said.get("model")),
            provider=name_or_id(said.get("provider")),
            generation_id=self._generation_id(),
            request_id=self._request_id(),
            finish_reason=finish_reason_of(self._whole) or name_or_id(self._assembly.finish_reason),
            usage=usage,
            cost=cost_of(usage),
            routing=routing if isinstance(routing, dict) else None,
            first_token_at=self._first_token_at,
        )

    def close(self) -> None:
        """Let go of the connection."""
        self._reply.close(keep=self.done)

    def _read(self) -> bytes | None:
        """The next bytes; a limit that passes is silence or a stall.

        After the finish it is neither, and None is returned: of an event that has begun and does
        not come to its end, nothing was missing in the answer.
        """
        try:
            data = self._reply.read(min(self._limit, self._deadline.at))
        except Broken as broken:
            if self._assembly.finished:
                return None
            if broken.fault.kind is Kind.SILENT and self._first_token_at is not None:
                raise Broken(self._stalled()) from None
            raise
        self._size += len(data)
        if self._size > MAX_REPLY_BYTES:
            raise Broken(_too_big())
        if data and not self._finished and self._clock.now() >= self._limit:
            kind = Kind.SILENT if self._first_token_at is None else Kind.STALLED
            raise Broken(
                Fault(kind)
            )  # bytes came in time, again and again, and no token among them
        return data

    def _stalled(self) -> Fault:
        """Silence after the first token; not the endpoint's fault if tokens came to the last."""
        now = self._clock.now()
        if self._deadline.remaining(now) < 0.001 and now - self._silent_since < STILL_ANSWERING_S:
            return Fault(Kind.ABANDONED, "the deadline came while it was still answering")
        return Fault(Kind.STALLED)

    def _take(self, data: bytes, deltas: list[Delta]) -> None:
        if self._decoder is not None:
            self._take_events(self._decoder, data, deltas)
            return
        self._body += data
        if not data:
            self._take_body(deltas)
        elif not self._is_body:
            self._recognise(deltas)

    def _recognise(self, deltas: list[Delta]) -> None:
        """Tell a stream from a body by its first bytes; padding before them is no token."""
        text = bytes(self._body.lstrip(PADDING))
        if text.startswith(EVENT_STARTS):
            self._decoder = SSEDecoder()
            self._take_events(self._decoder, text, deltas)
        else:
            self._body[:] = text
            self._is_body = text[:1] == b"{" or not any(s.startswith(text) for s in EVENT_STARTS)

    def _take_events(self, decoder: SSEDecoder, data: bytes, deltas: list[Delta]) -> None:
        for payload in decoder.feed(data) if data else decoder.flush():
            if payload == DONE:
                self._finish()
                return
            if not payload or payload.isspace():
                continue  # says nothing: how some servers keep a connection alive
            self._take_chunk(payload, deltas, at_end=not data)
            if self._reader.ended:
                self._finish()
                return
        if decoder.fault is not None:
            raise Broken(decoder.fault)
        if not data:
            self._finish()
        elif self._finished and decoder.midway:
            latest = min(self._finished_at + LONGEST_LINGER_S, self._deadline.at)
            self._limit = min(max(self._limit, self._clock.now() + LINGER_FOR_DONE_S), latest)

    def _take_chunk(self, payload: str, deltas: list[Delta], *, at_end: bool) -> None:
        for chunk in self._reader.chunks(parse_event(payload, at_end=at_end)):
            self._add(chunk, deltas)

    def _add(self, chunk: dict[str, Any], deltas: list[Delta]) -> None:
        assembly = self._assembly
        delta = assembly.add(chunk)
        if chunk.get("error"):
            raise Broken(self._classified(200, chunk))
        if assembly.failed is not None:
            raise Broken(self._classified(200, assembly.failed))
        if delta is not None:
            deltas.append(delta)
        if not assembly.finished or assembly.count < self._choices:
            self._finished = False  # another choice may begin after the first has ended
        elif not self._finished:
            self._finished, self._finished_at = True, self._clock.now()
            self._limit = min(self._finished_at + LINGER_S, self._deadline.at)
        elif chunk.get("usage"):
            self._limit = min(self._clock.now() + LINGER_FOR_DONE_S, self._limit)

    def _take_body(self, deltas: list[Delta]) -> None:
        """A body that has come to its end."""
        text, self._body = self._body, bytearray()  # where it is large, it is not copied
        if not text:
            raise Broken(Fault(Kind.EMPTY, "the body is empty"))
        if text[:1] == b"<":
            page = self._classified(200, text[:4096].decode(errors="replace"))
            raise Broken(self._fault(Kind.UNREADABLE, page.message))
        body = self._whole = self._reader.whole(parse_body(text))
        if body.get("error"):
            raise Broken(self._classified(200, body))
        self.done = True
        self.completion()
        message = body["choices"][0]["message"]
        text_part = message.get("content")
        deltas.append(Delta(text_part if isinstance(text_part, str) else "", message, body))

    def _finish(self) -> None:
        """The stream has come to its end, by `[DONE]` or by its last byte."""
        if self._assembly.begun and not self._assembly.finished:
            raise Broken(Fault(Kind.TRUNCATED, "the stream ends without a finish_reason"))
        self.done = True

    def _check_answer(self, body: dict[str, Any]) -> None:
        """An answer has a choice with something in it.

        A model that thought and was cut off by max_tokens did answer: completion tokens say so.
        """
        choices = body.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            raise Broken(self._fault(Kind.EMPTY, "there are no choices"))
        failed = next((c for c in choices if isinstance(c, dict) and has_failed(c)), None)
        if failed is not None:
            raise Broken(self._classified(200, failed))
        message = choices[0].get("message")
        if not isinstance(message, dict):
            raise Broken(self._fault(Kind.EMPTY, "a choice has no message"))
        usage = body.get("usage")
        counted = isinstance(usage, dict) and bool(usage.get("completion_tokens"))
        if not counted and not any(message.get(name) for name in SPOKEN):
            blocked = choices[0].get("finish_reason") == "content_filter"
            raise Broken(self._fault(Kind.BLOCKED if blocked else Kind.EMPTY, ""))

    def _refused(self) -> Fault:
        """Read what an error says, as far as it comes in time, and name it."""
        body = bytearray()
        until = min(self._limit, self._clock.now() + ERROR_BODY_S)
        try:
            while len(body) < MAX_ERROR_BYTES:
                data = self._reply.read(until)
                if not data:
                    break
                body += data
                if self._clock.now() >= until:
                    break
        except Broken:
            pass  # the status alone names the fault well enough
        return self._classified(self._reply.status, parse_error(bytes(body)))

    def _classified(self, status: int, body: object) -> Fault:
        return classify_reply(status, body, self._reply.headers, wall_now=self._clock.wall())

    def _fault(self, kind: Kind, message: str) -> Fault:
        return Fault(kind, message, request_id=self._request_id())

    def _generation_id(self) -> str | None:
        """OpenRouter's `X-Generation-Id` is there even where the body failed to come."""
        said = (self._whole or self._assembly.top).get("id")
        return name_or_id(said) or self._reply.headers.get("x-generation-id")

    def _request_id(self) -> str | None:
        return self._reply.headers.get("x-request-id") or self._reply.headers.get("request-id")


def _too_big() -> Fault:
    return Fault(Kind.TOO_BIG, f"more than {MAX_REPLY_BYTES // 2**20} MB")
