"""A lean local server in a process of its own, so that what it costs is not on the clients' bill.

It answers every request at once, from bytes made beforehand, as the first text of the prompt asks:
`events:5000:64` is a stream of 5,000 events, 64 in a write; `bytes:10000` a reply of about that size;
`wait:20` waits so many milliseconds; anything else gets a small reply. A request that asks for a
stream gets one (50 events if the prompt does not say).
"""

from __future__ import annotations

import json
import re
import socket
import socketserver
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

USAGE = {"prompt_tokens": 8, "completion_tokens": 50, "total_tokens": 58, "cost": 0.0001}
TOP = {
    "id": "gen-1",
    "created": 1_760_000_000,
    "model": "openai/gpt-4o",
    "provider": "OpenAI",
    "system_fingerprint": "fp_1",
}


@lru_cache
def whole(size: int) -> bytes:
    """A whole reply whose text has about this many bytes."""
    message = {"role": "assistant", "content": "x" * size}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    reply = {**TOP, "object": "chat.completion", "choices": [choice], "usage": USAGE}
    body = json.dumps(reply).encode()
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@lru_cache
def stream(events: int, a_write: int) -> tuple[bytes, ...]:
    """The writes of a stream."""
    tokens = [_event({"role": "assistant", "content": "token "}) for _ in range(events - 1)]
    tokens.append(_event({"content": ""}, "stop"))
    last = {**TOP, "object": "chat.completion.chunk", "choices": [], "usage": USAGE}
    writes = [b"".join(tokens[at : at + a_write]) for at in range(0, events, a_write)]
    writes[-1] += f"data: {json.dumps(last)}\n\ndata: [DONE]\n\n".encode()
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    chunks = [b"%x\r\n%s\r\n" % (len(write), write) for write in writes]
    return (
        (head + chunks[0], *chunks[1:-1], chunks[-1] + b"0\r\n\r\n")
        if chunks[1:]
        else (head + chunks[0] + b"0\r\n\r\n",)
    )


def _event(delta: dict[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
    return f"data: {json.dumps({**TOP, 'object': 'chat.completion.chunk', 'choices': [choice]})}\n\n".encode()


class Handler(socketserver.BaseRequestHandler):
    """One connection."""

    def handle(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        rest = b""
        while True:
            while b"\r\n\r\n" not in rest:
                data = self.request.recv(65536)
                if not data:
                    return
                rest += data
            head, _, rest = rest.partition(b"\r\n\r\n")
            length = int(re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)[1])
            while len(rest) < length:
                rest += self.request.recv(65536)
            body, rest = rest[:length], rest[length:]
            self.answer(body)

    def answer(self, body: bytes) -> None:
        wait = re.search(rb"wait:(\d+)", body)
        if wait:
            time.sleep(int(wait[1]) / 1000)
        events = re.search(rb"events:(\d+):(\d+)", body)
        if re.search(rb'"stream": ?true', body):
            writes = stream(int(events[1]), int(events[2])) if events else stream(50, 50)
            for write in writes:
                self.request.sendall(write)
        else:
            size = re.search(rb"bytes:(\d+)", body)
            self.request.sendall(whole(int(size[1]) if size else 40))


class Server(socketserver.ThreadingTCPServer):
    """A thread a connection."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256


@contextmanager
def running() -> Iterator[str]:
    """The base URL of a server in another process."""
    command = [sys.executable, "-m", "tests.benchmarks.server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
        finally:
            process.kill()


if __name__ == "__main__":
    with Server(("127.0.0.1", 0), Handler) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()
