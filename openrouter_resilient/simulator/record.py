"""What was asked and what was said, kept as it happened.

Nothing is decided here. What was said is read off the very JSON that is written to the wire, so
the record cannot claim anything the client was not told.
"""

from __future__ import annotations

import copy
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .message import Header, Json, Request

GENERATION_HEADER = "x-generation-id"
REQUEST_HEADERS = ("x-request-id", "request-id")


@dataclass(frozen=True)
class Answered:
    """What the simulator said on the wire; None where nothing of that kind was said.

    Attributes:
        model, provider, generation_id, request_id, finish_reason: as said.
        text: of the answer; not in the repr.
        cost: in USD.
        usage: the token counts.
        upstream_attempts: OpenRouter's own, from its metadata.
        status: the HTTP status.
    """

    model: str | None = None
    provider: str | None = None
    generation_id: str | None = None
    request_id: str | None = None
    text: str | None = field(default=None, repr=False)
    finish_reason: str | None = None
    cost: float | None = None
    usage: Json | None = None
    upstream_attempts: list[Json] = field(default_factory=list)
    status: int | None = None


@dataclass(frozen=True)
class Received:
    """One request as it arrived. The repr shows no key, no body.

    Attributes:
        number: counted from 1, over all faces.
        at: when, in seconds on the monotonic clock.
        face: whom it asked: "openrouter", "openai", "groq" or "anthropic".
        method, path, headers, body: of the request; the names of headers in small letters, the
            body None where it is no JSON.
        key: that it carried.
        fault: the name of the fault it was struck with; None if it was answered in health.
        answered: what was said to it; None while nothing was.
    """

    number: int
    at: float
    face: str
    method: str
    path: str
    headers: dict[str, str] = field(repr=False)
    body: Json | None = field(repr=False)
    key: str | None = field(repr=False)
    fault: str | None = None
    answered: Answered | None = None


class Said:
    """The answer under way; filled from what is about to be written."""

    def __init__(self) -> None:
        """Begin with nothing said."""
        self.fault: str | None = None
        self._answered: Answered | None = None

    def hear_head(self, status: int, headers: Iterable[Header]) -> None:
        """Note a status line and its headers."""
        lower = {name.lower(): text for name, text in headers}
        request_ids = (lower[name] for name in REQUEST_HEADERS if name in lower)
        self._note(
            status=status,
            generation_id=lower.get(GENERATION_HEADER),
            request_id=next(request_ids, None),
        )

    def hear(self, body: Json) -> None:
        """Note a whole body or one chunk."""
        usage = body.get("usage")
        metadata = body.get("openrouter_metadata") or {}
        self._note(
            model=body.get("model"),
            provider=body.get("provider"),
            generation_id=body.get("id"),
            usage=usage,
            cost=(usage or {}).get("cost"),
            upstream_attempts=metadata.get("attempts"),
        )
        for choice in body.get("choices") or []:
            self._hear_choice(choice)

    def _hear_choice(self, choice: Json) -> None:
        text = (choice.get("message") or {}).get("content")
        if (piece := (choice.get("delta") or {}).get("content")) is not None:
            text = ((self._answered and self._answered.text) or "") + piece
        self._note(text=text, finish_reason=choice.get("finish_reason"))

    def _note(self, **facts: Any) -> None:
        said = {name: fact for name, fact in facts.items() if fact is not None}
        self._answered = replace(self._answered or Answered(), **said)

    def answered(self) -> Answered | None:
        """Return what was said so far, None if not even a status line."""
        return self._answered


class Record:
    """Every request of every face, in order of arrival. Safe from many threads."""

    def __init__(self) -> None:
        """Begin empty."""
        self._lock = threading.Lock()
        self._entries: list[tuple[Received, Said]] = []
        self._arrived = 0

    def add(self, face: str, request: Request) -> Said:
        """Note an arrival; what is told to the returned object joins it."""
        said = Said()
        with self._lock:
            self._arrived += 1
            self._entries.append((_received(self._arrived, face, request), said))
        return said

    def all(self) -> list[Received]:
        """Return a copy that later requests do not change."""
        with self._lock:
            entries = list(self._entries)
        return [_snapshot(received, said) for received, said in entries]

    def forget(self) -> None:
        """Drop everything; numbers go on counting."""
        with self._lock:
            self._entries.clear()


def presented_key(request: Request) -> str | None:
    """Return the key a request carries, as a bearer token or in x-api-key."""
    scheme, _, token = request.header("authorization").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    return request.header("x-api-key") or None


def _received(number: int, face: str, request: Request) -> Received:
    return Received(
        number=number,
        at=time.monotonic(),
        face=face,
        method=request.method,
        path=request.path,
        headers=dict(request.headers or {}),
        body=request.body(),
        key=presented_key(request),
    )


def _snapshot(received: Received, said: Said) -> Received:
    return replace(
        received,
        headers=dict(received.headers),
        body=copy.deepcopy(received.body),
        fault=said.fault,
        answered=copy.deepcopy(said.answered()),
    )
