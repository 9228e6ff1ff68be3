"""How one thread hangs up on another that waits for a server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from weakref import WeakSet


class HungUp(BaseException):
    """Another thread hung up on this one: nobody's fault, so that nothing may take it for one."""


class Line:
    """What one thread holds to hang up on another that waits for a server.

    Attributes:
        cut: it has hung up; whatever the other thread waits for next ends at once.
    """

    def __init__(self, outer: Line | None = None) -> None:
        """Begin with nothing to wait for.

        Args:
            outer: the line of a thread that waits for this one's: whoever hangs up on that one
                hangs up on this one, too.
        """
        self.cut = False
        self._sock: socket.socket | None = None
        self._inner: WeakSet[Line] = WeakSet()
        self._lock = threading.Lock()
        if outer is not None:
            outer.pass_on_to(self)

    def hang_up(self) -> None:
        """End the wait of the other thread, now or when it begins."""
        with self._lock:
            self.cut = True
            inner = list(self._inner)
            if self._sock is not None:
                with suppress(OSError):  # it was not connected yet, or is not any more
                    socket.socket.shutdown(self._sock, socket.SHUT_RDWR)
        for line in inner:
            line.hang_up()

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

    def pass_on_to(self, inner: Line) -> None:
        """Hang up on that one, too, whenever somebody hangs up on this one."""
        with self._lock:
            self._inner.add(inner)
            inner.cut = self.cut
