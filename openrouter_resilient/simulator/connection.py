"""One accepted connection: read a request, write bytes, wait, close, reset.

Knows nothing of what is said over it.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from typing import TYPE_CHECKING

from .message import Request, read_request

if TYPE_CHECKING:
    from threading import Event

READ_BYTES = 65_536
LOOK_EVERY = 0.05  # seconds between two looks whether a waiting client has gone
LINGER_ZERO = struct.pack("ii", 1, 0)  # close() then sends RST instead of FIN


class EndedError(Exception):
    """A wait was cut short: the fault was healed, the simulator stopped, or the client left."""


class Connection:
    """A socket, and what was read from it beyond the last request."""

    def __init__(self, sock: socket.socket) -> None:
        """Take over an accepted socket."""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self._buffer = bytearray()
        self.closed = False
        self.served = 0  # requests answered so far: a stale connection is one with more than none
        self.greeted_by: object = None  # what was played, or spared it, when it was accepted

    def read_request(self) -> Request | None:
        """Return the next request, None when the client has closed."""
        return read_request(self._buffer, self._fill, invite=self._invite)

    def write(self, data: bytes) -> None:
        """Send all of it."""
        self._sock.sendall(data)

    def read_some(self) -> None:
        """Wait until anything arrives (a ClientHello, say) and throw it away."""
        self._fill()
        self._buffer.clear()

    def wait(self, seconds: float, ended: Event) -> None:
        """Let time pass; raise EndedError as soon as there is nobody left to wait for."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if ended.wait(min(left, LOOK_EVERY)) or self._client_left():
                raise EndedError

    def close(self) -> None:
        """Close in good order (FIN); everything written still arrives."""
        self.closed = True
        self._sock.close()

    def reset(self) -> None:
        """Close with RST."""
        with contextlib.suppress(OSError):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        self.close()

    def abort(self) -> None:
        """Wake the thread that serves this connection, from another one; it closes the socket."""
        # Only shutdown: closing here could hand the same descriptor to a new connection
        # while the serving thread still writes to it.
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def _fill(self) -> bool:
        data = self._sock.recv(READ_BYTES)
        self._buffer += data
        return bool(data)

    def _invite(self) -> None:
        self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _client_left(self) -> bool:
        self._sock.settimeout(0)
        try:
            return self._sock.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True
        finally:
            with contextlib.suppress(OSError):
                self._sock.settimeout(None)
