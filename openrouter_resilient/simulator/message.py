"""HTTP/1.1 as it stands on the wire: a request read from bytes, a response head written to bytes.

No socket is touched here. Small on purpose: the faults need to write each byte themselves.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Json = dict[str, Any]
Header = tuple[str, str]

MAX_HEAD_BYTES = 65_536  # OpenAI refuses request headers of 64 KiB in all
MAX_BODY_BYTES = 256 * 1024 * 1024  # only keeps a wrong Content-Length from eating the memory

# Fills the buffer by at least one byte; False when the peer has closed.
Fill = Callable[[], bool]


class MalformedRequestError(Exception):
    """What arrived is not HTTP (a TLS ClientHello, for one)."""


@dataclass(frozen=True)
class Request:
    """One request; header names are lower-case, of a repeated header the last counts."""

    method: str = ""
    target: str = ""
    version: str = "HTTP/1.1"
    headers: dict[str, str] | None = None
    content: bytes = b""

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The query as a dict."""
        return dict(parse_qsl(urlsplit(self.target).query))

    def header(self, name: str) -> str:
        """Return a header's value, empty if it was not sent."""
        return (self.headers or {}).get(name, "")

    @property
    def keeps_alive(self) -> bool:
        """Whether the client will send another request on this connection (RFC 9112, 9.3)."""
        return self.version == "HTTP/1.1" and self.header("connection").lower() != "close"

    def body(self) -> Json | None:
        """Return the body as a JSON object, None if it is anything else."""
        try:
            parsed = json.loads(self.content)
        except (ValueError, RecursionError):
            return None
        return parsed if isinstance(parsed, dict) else None


def read_request(buffer: bytearray, fill: Fill, *, invite: Callable[[], None]) -> Request | None:
    """Take one request out of the buffer; None when the peer closed before its first byte.

    `invite` is called where the client waits for `100 Continue` before it sends its body.
    """
    head = _read_head(buffer, fill)
    if head is None:
        return None
    start, *lines = head.decode("latin-1").split("\r\n")
    words = start.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise MalformedRequestError
    headers = _read_headers(lines)
    if headers.get("expect", "").lower() == "100-continue":
        invite()
    content = _read_body(buffer, fill, headers)
    return Request(words[0], words[1], words[2], headers, content)


def _read_head(buffer: bytearray, fill: Fill) -> bytes | None:
    while (end := buffer.find(b"\r\n\r\n")) < 0:
        # 0x16 is a TLS handshake record: no HTTP method begins so, and no blank line will follow.
        if len(buffer) > MAX_HEAD_BYTES or buffer[:1] == b"\x16":
            raise MalformedRequestError
        if not fill():
            return None
    return bytes(_take(buffer, end + 4)[:-4])


def _read_headers(lines: Iterable[str]) -> dict[str, str]:
    pairs = (line.partition(":") for line in lines)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _read_body(buffer: bytearray, fill: Fill, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return _read_chunks(buffer, fill)
    length = headers.get("content-length", "0")
    if not length.isdigit() or int(length) > MAX_BODY_BYTES:
        raise MalformedRequestError
    return _read_exactly(buffer, fill, int(length))


def _read_chunks(buffer: bytearray, fill: Fill) -> bytes:
    content = bytearray()
    while size := _read_chunk_size(buffer, fill):
        content += _read_exactly(buffer, fill, size)
        _read_line(buffer, fill)
    while _read_line(buffer, fill):  # trailers, up to the empty line
        pass
    return bytes(content)


def _read_chunk_size(buffer: bytearray, fill: Fill) -> int:
    digits = _read_line(buffer, fill).partition(b";")[0]
    try:
        size = int(digits, 16)
    except ValueError:
        raise MalformedRequestError from None
    if not 0 <= size <= MAX_BODY_BYTES:
        raise MalformedRequestError
    return size


def _read_line(buffer: bytearray, fill: Fill) -> bytes:
    while (end := buffer.find(b"\r\n")) < 0:
        if not fill():
            raise MalformedRequestError
    return bytes(_take(buffer, end + 2)[:-2])


def _read_exactly(buffer: bytearray, fill: Fill, length: int) -> bytes:
    while len(buffer) < length:
        if not fill():
            raise MalformedRequestError
    return bytes(_take(buffer, length))


def _take(buffer: bytearray, length: int) -> bytearray:
    taken = buffer[:length]
    del buffer[:length]
    return taken


def response_head(status: int, headers: Iterable[Header]) -> bytes:
    """Write a status line and headers, with the empty line that ends them."""
    lines = [f"HTTP/1.1 {status} {_reason(status)}", *(f"{name}: {text}" for name, text in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"  # 520, 529, 599 …: no phrase is registered, any text is allowed


def chunk(data: bytes) -> bytes:
    """Frame bytes as one chunk of a chunked body; the empty chunk would end it."""
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"
