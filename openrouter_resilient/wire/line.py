"""How one thread hangs up on another that waits for a server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any


class HungUp(BaseException):
    """Another thread hung up on this one: nobody's fault, so that nothing may take it for one."""


class Line:
    """What one thread holds to hang up on another that waits for a server.

    Attributes:
        cut: it has hung up; whatever the other thread waits for next ends at once.
    """

    def __init__(self) -> None:
        """Begin with nothing to wait for."""
        self.cut = False
        self._sock: socket.socket | None = None
        self._lock = threading.Lock()

    def hang_up(self) -> None:
        """End the wait of the other thread, now or when it begins."""
        with self._lock:
            self.cut = True
            if self._sock is not None:
                with suppress(OSError):  # it was not connected yet, or is not any more
                    socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def during(
        self, sock: socket.socket, operation: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        """Carry out an operation that may wait for this socket.

        Raises:
            HungUp: whatever it came to, nobody wants it any more.
        """
        with self._lock:
            self._sock = sock
        try:
            self.check()
            return operation(*args, **kwargs)
        finally:
            with self._lock:
                self._sock = None
            self.check()

    def check(self) -> None:
        """Go on only if nobody has hung up.

        Raises:
            HungUp: somebody has.
        """
        if self.cut:
            raise HungUp
