"""Keeps each request and its answer in a file, for a replay. Never a key."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from openrouter_resilient.errors import ConfigurationError
from openrouter_resilient.routing.faults import Broken, Fault
from openrouter_resilient.transports.lesson import (
    LEFT,
    WHOLE,
    Entry,
    Piece,
    Places,
    header_line,
    read_body,
    to_line,
)
from openrouter_resilient.wire.clock import Clock
from openrouter_resilient.wire.exchange import Reply
from openrouter_resilient.wire.masking import SHORTEST_KEY
from openrouter_resilient.wire.transport import Transport

LOG = logging.getLogger("openrouter_resilient")
KEPT = (  # what decides something when it is read, or is quoted to a provider's support
    "content-type", "retry-after", "retry-after-ms", "x-generation-id", "x-request-id",
    "request-id", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset",
)  # fmt: skip
SECRET = ("authorization", "key", "token", "secret", "cookie")  # parts of a secret header's name


class Recorder:
    """A transport that writes down what goes through it. Thread-safe."""

    replayed = False

    def __init__(self, path: Path, inner: Transport, places: Places, clock: Clock) -> None:
        """Begin a session in a file; what it holds already stays.

        Raises:
            ConfigurationError: the file cannot be written.
        """
        self._path = path.absolute()
        self._inner = inner
        self._places = places
        self._clock = clock
        self._lock = threading.Lock()
        try:
            self._end_torn_line()
            self._append(header_line(places.with_keys))
        except OSError as error:
            raise ConfigurationError(
                f"the recording {path} cannot be written ({type(error).__name__}); "
                "give Client(record=…) a file in a folder that is there"
            ) from error

    def get(self, url: str, headers: Mapping[str, str], *, until: float) -> Reply:
        """Ask for a page beside the calls, which is none of this one's business."""
        return self._inner.get(url, headers, until=until)

    def post(self, url: str, headers: Mapping[str, str], body: bytes, *, until: float) -> Reply:
        """Send, and return once the headers have come; see `Transport.post`."""
        began = self._clock.now()
        secrets = _secrets(headers)
        entry = Entry(
            0, self._places.of(url), url, _masked_json(read_body(body), secrets),
            None, {}, 0.0, (), LEFT, 0.0,
        )  # fmt: skip
        try:
            reply = self._inner.post(url, headers, body, until=until)
        except Broken as broken:
            seconds = self._clock.now() - began
            end = _masked_fault(broken.fault, secrets)
            self.keep(replace(entry, end=end, head_seconds=seconds, end_seconds=seconds))
            raise
        begun = replace(
            entry,
            status=reply.status,
            headers=_kept(reply.headers, secrets),
            head_seconds=self._clock.now() - began,
        )
        return _Recording(reply, begun, self, self._clock, began, secrets)

    def keep(self, entry: Entry) -> None:
        """Write an entry down. An answer that has come is worth more than its record."""
        try:
            self._append(to_line(entry))
        except OSError as error:
            LOG.warning("an answer was not recorded in %s: %s", self._path, type(error).__name__)

    def renew(self) -> None:
        """Begin anew in a forked child."""
        self._lock = threading.Lock()
        self._inner.renew()

    def close(self) -> None:
        """Close every connection."""
        self._inner.close()

    def _append(self, line: dict[str, Any]) -> None:
        """One write at the end of the file, so that sessions side by side do not mix."""
        data = _encoded(line)
        with self._lock, self._path.open("ab", buffering=0) as file:
            file.write(data)

    def _end_torn_line(self) -> None:
        """A session that crashed may have left half a line; ours must not be joined to it."""
        with self._path.open("ab+", buffering=0) as file:
            if file.seek(0, os.SEEK_END) == 0:
                return
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")


class _Recording:
    """A reply that is written down when it is let go."""

    def __init__(
        self,
        reply: Reply,
        entry: Entry,
        recorder: Recorder,
        clock: Clock,
        began: float,
        secrets: tuple[bytes, ...],
    ) -> None:
        self.status = reply.status
        self.headers = reply.headers
        self._reply = reply
        self._entry = entry
        self._recorder = recorder
        self._clock = clock
        self._began = began
        self._secrets = secrets
        self._pieces: list[Piece] = []
        self._end: str | Fault = LEFT
        self._kept = False

    def read(self, until: float) -> bytes:
        try:
            data = self._reply.read(until)
        except Broken as broken:
            self._end = _masked_fault(broken.fault, self._secrets)
            raise
        if data:
            self._pieces.append(Piece(self._clock.now() - self._began, data))
        else:
            self._end = WHOLE
        return data

    def close(self, *, keep: bool) -> None:
        """Whoever keeps the connection has read all that matters."""
        self._reply.close(keep=keep)
        if self._kept:
            return
        self._kept = True
        if keep and self._end == LEFT:
            self._end = WHOLE
        self._recorder.keep(
            replace(
                self._entry,
                pieces=_masked_pieces(self._pieces, self._secrets),
                end=self._end,
                end_seconds=self._clock.now() - self._began,
            )
        )


def _secrets(headers: Mapping[str, str]) -> tuple[bytes, ...]:
    """What a request says to prove who asks; a server may echo it."""
    values = (
        value.removeprefix("Bearer ").strip().encode()
        for name, value in headers.items()
        if any(part in name.lower() for part in SECRET)
    )
    return tuple(value for value in values if len(value) >= SHORTEST_KEY)


def _masked(data: bytes, secrets: tuple[bytes, ...]) -> bytes:
    """The same length, so that pieces can be cut from it where they were."""
    for secret in secrets:
        data = data.replace(secret, b"*" * len(secret))
    return data


def _masked_pieces(pieces: list[Piece], secrets: tuple[bytes, ...]) -> tuple[Piece, ...]:
    """A key may be spread over two pieces, so they are looked at as one."""
    joined = b"".join(piece.data for piece in pieces)
    whole = _masked(joined, secrets)
    if whole == joined:
        return tuple(pieces)
    ends = [0]
    for piece in pieces:
        ends.append(ends[-1] + len(piece.data))
    return tuple(
        replace(piece, data=whole[start:end])
        for piece, start, end in zip(pieces, ends, ends[1:], strict=False)
    )


def _masked_json(value: Any, secrets: tuple[bytes, ...]) -> Any:
    if isinstance(value, str):
        return _masked(value.encode("utf-8", "surrogatepass"), secrets).decode(
            "utf-8", "surrogatepass"
        )
    if isinstance(value, list):
        return [_masked_json(item, secrets) for item in value]
    if isinstance(value, dict):
        return {
            _masked_json(name, secrets): _masked_json(item, secrets) for name, item in value.items()
        }
    return value


def _masked_fault(fault: Fault, secrets: tuple[bytes, ...]) -> Fault:
    return replace(fault, message=str(_masked_json(fault.message, secrets)))


def _kept(headers: Mapping[str, str], secrets: tuple[bytes, ...]) -> dict[str, str]:
    lower = {name.lower(): value for name, value in headers.items()}
    return {name: str(_masked_json(lower[name], secrets)) for name in KEPT if name in lower}


def _encoded(line: dict[str, Any]) -> bytes:
    """Readable by eye, unless a text holds half a character, which UTF-8 has no form for."""
    try:
        return json.dumps(line, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(line).encode() + b"\n"
