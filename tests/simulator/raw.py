"""A client of a hundred lines that hides nothing: every byte until the server closes.

It knows neither requests nor our own client, so the simulator is judged by neither.
"""

from __future__ import annotations

import json
import socket
import time
import zlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from openrouter_resilient.simulator import Simulator

MODELS = {
    "openrouter": "anthropic/claude-sonnet-5",
    "openai": "gpt-4o",
    "groq": "llama-3.1-8b-instant",
    "anthropic": "claude-sonnet-5",
}
FACES = tuple(MODELS)


@dataclass
class Heard:
    """What came back: the final status, its headers, the body without framing, how it ended."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    whole: bool = False  # the framing says that the body is complete
    ended: str = "closed"  # closed, reset, refused or late
    raw: bytes = b""

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body.decode("utf-8-sig"), parse_constant=_refuse_constant)

    def events(self) -> list[Any]:
        """Return the JSON of the events, as the SSE standard reads them."""
        # Half a character can only stand in the incomplete event, which is dropped.
        text = (
            self.body.decode("utf-8-sig", errors="replace")
            .replace("\r\n", "\n")
            .replace("\r", "\n")
        )
        *blocks, _incomplete = text.split("\n\n")
        joined = ["\n".join(_data_lines(block)) for block in blocks]
        return [json.loads(data) for data in joined if data and data != "[DONE]"]

    def text(self) -> str:
        """Return the answer, from either form."""
        if not self.headers.get("content-type", "").startswith("text/event-stream"):
            return str(self.json()["choices"][0]["message"]["content"])
        deltas = [event["choices"][0]["delta"] for event in self.events() if event["choices"]]
        return "".join(delta.get("content") or "" for delta in deltas)


def body_for(face: str, prompt: str = "hello there", **more: object) -> dict[str, Any]:
    """Return a request body that the face accepts."""
    message = {"role": "user", "content": prompt}
    return {"model": MODELS[face], "messages": [message], **more}


def ask(
    simulator: Simulator,
    face: str = "openrouter",
    *,
    body: dict[str, Any] | None = None,
    path: str = "/chat/completions",
    method: str = "POST",
    key: str | None = None,
    patience: float = 5.0,
    **headers: str,
) -> Heard:
    """Send one request on a connection of its own, and read until the server is done."""
    place = urlsplit(simulator.url(face))
    sent = {"Authorization": f"Bearer {simulator.key(face) if key is None else key}"}
    sent |= {name.replace("_", "-"): text for name, text in headers.items()}
    content = b"" if method == "GET" else json.dumps(body or body_for(face)).encode()
    request = _request(method, place.path + path, sent, content, place.port or 0)
    return talk(place.port or 0, request, patience=patience)


def talk(port: int, request: bytes, *, patience: float = 5.0) -> Heard:
    """Write bytes, and read until the end, at most for so many seconds."""
    raw, ended, until = b"", "closed", time.monotonic() + patience
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=patience) as sock:
            sock.sendall(request)
            while (left := until - time.monotonic()) > 0:
                sock.settimeout(left)
                if not (data := sock.recv(1 << 20)):
                    break
                raw += data
            else:
                ended = "late"
    except ConnectionRefusedError:
        ended = "refused"
    except TimeoutError:
        ended = "late"
    except OSError:
        ended = "reset"
    return _parse(raw, ended)


def _request(method: str, path: str, headers: dict[str, str], content: bytes, port: int) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Connection: close"]
    lines += [f"{name}: {text}" for name, text in headers.items()]
    lines += [f"Content-Length: {len(content)}", "", ""]
    return "\r\n".join(lines).encode() + content


def _parse(raw: bytes, ended: str) -> Heard:
    head, separator, rest = raw.partition(b"\r\n\r\n")
    words = head.split(b" ")
    if not separator or not head.startswith(b"HTTP/1.1 "):
        return Heard(raw=raw, ended=ended)
    status = int(words[1])
    if 100 <= status < 200 and rest:
        final = _parse(rest, ended)
        return replace(final, raw=raw)
    pairs = [line.split(": ", 1) for line in head.decode().split("\r\n")[1:]]
    headers = {name.lower(): text for name, text in pairs}
    body, whole = _unframe(rest, headers)
    if headers.get("content-encoding") == "gzip":
        body = _unzip(body)
    return Heard(status, headers, body, whole, ended, raw)


def _unframe(rest: bytes, headers: dict[str, str]) -> tuple[bytes, bool]:
    if headers.get("transfer-encoding") != "chunked":
        length = int(headers.get("content-length", len(rest)))
        return rest[:length], len(rest) >= length
    body = b""
    while b"\r\n" in rest:
        size_line, rest = rest.split(b"\r\n", 1)
        size = int(size_line.split(b";")[0], 16)
        if size == 0:
            return body, True
        body, rest = body + rest[:size], rest[size + 2 :]
    return body, False


def _unzip(body: bytes) -> bytes:
    try:
        return zlib.decompress(body, wbits=31)
    except zlib.error:
        return b""


def _refuse_constant(name: str) -> None:
    raise ValueError(name)  # NaN is not JSON, whatever Python's parser thinks


def _data_lines(block: str) -> list[str]:
    lines = [line for line in block.split("\n") if line.startswith("data:")]
    return [line.removeprefix("data:").removeprefix(" ") for line in lines]
