"""One loopback port: open, closed (refused) or saturated (connects hang), and its connections.

What is done with a connection is the caller's business: `serve` is called in a thread of its own.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from typing import TYPE_CHECKING

from .connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = "127.0.0.1"
BACKLOG = 512  # more than any test connects at once, so that the kernel drops no SYN
JOIN_LIMIT = 5.0  # seconds; a serving thread ends at once when its socket is shut down
FILLERS = 4  # connections that fill a backlog of none; Linux lets one through, others two


class Listener:
    """A port that keeps its number while it is closed and opened again."""

    def __init__(self, serve: Callable[[Connection], None]) -> None:
        """Take a port of the kernel's choice; it refuses until `open`."""
        self._serve = serve
        self._lock = threading.Lock()
        self._threads: dict[threading.Thread, Connection] = {}
        self._fillers: list[socket.socket] = []
        self._acceptor: threading.Thread | None = None
        self._socket = _bound(0)
        self.port: int = self._socket.getsockname()[1]

    def open(self) -> None:
        """Accept connections from now on."""
        if self._acceptor is not None:
            return
        self._release_fillers()
        self._socket.listen(BACKLOG)
        self._wake_here, self._wake_there = socket.socketpair()
        self._acceptor = threading.Thread(
            target=self._accept_all,
            name=f"simulator-{self.port}",
            daemon=True,
        )
        self._acceptor.start()

    def refuse(self) -> None:
        """Close the port and every connection; what connects now is refused."""
        self._stop_accepting()
        self._release_fillers()
        self._socket.close()
        # Bound but not listening, it refuses, and nobody else can be given the port meanwhile.
        self._socket = _bound(self.port)
        self.drop()

    def saturate(self) -> None:
        """Leave every connect hanging: a backlog of none, already full, drops the SYN."""
        self.refuse()
        self._socket.listen(0)
        self._fillers = [_filler(self.port) for _ in range(FILLERS)]

    def drop(self) -> None:
        """Close every open connection and wait for the threads that serve them."""
        with self._lock:
            threads = dict(self._threads)
        for connection in threads.values():
            connection.abort()
        for thread in threads.keys() - {threading.current_thread()}:
            thread.join(JOIN_LIMIT)

    def close(self) -> None:
        """Give everything back: port, connections, threads."""
        self._stop_accepting()
        self._release_fillers()
        self._socket.close()
        self.drop()

    def _accept_all(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            selector.register(self._wake_here, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if self._wake_here in ready:
                    return
                self._accept_one()

    def _accept_one(self) -> None:
        with contextlib.suppress(OSError):  # the client gave up while it was still queued
            connection = Connection(self._socket.accept()[0])
            thread = threading.Thread(target=self._run, args=(connection,), daemon=True)
            with self._lock:
                self._threads[thread] = connection
            thread.start()

    def _run(self, connection: Connection) -> None:
        try:
            self._serve(connection)
        finally:
            connection.close()
            with self._lock:
                self._threads.pop(threading.current_thread(), None)

    def _stop_accepting(self) -> None:
        if self._acceptor is None:
            return
        self._wake_there.send(b"x")
        self._acceptor.join(JOIN_LIMIT)
        self._acceptor = None
        self._wake_here.close()
        self._wake_there.close()

    def _release_fillers(self) -> None:
        if not self._fillers:
            return
        for filler in self._fillers:
            filler.close()
        self._fillers = []
        self._socket.close()
        self._socket = _bound(self.port)


def _bound(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # old connections may linger
    sock.bind((HOST, port))
    return sock


def _filler(port: int) -> socket.socket:
    sock = socket.socket()
    sock.settimeout(0)
    sock.connect_ex((HOST, port))
    return sock
