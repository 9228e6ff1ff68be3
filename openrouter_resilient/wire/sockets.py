"""Time enforced in the socket, at no cost of a thread per call.

`requests`' timeouts are per read, so that a server which drips one byte at a time is never late
for them. Here every receive first asks how long is left until the limit of the attempt: headers,
bodies, error bodies and TLS records all end in time. A pooled connection finds the limit in a
thread-local that each attempt, and each read of it, sets.
"""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from cachetools import TTLCache
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from openrouter_resilient.wire.clock import monotonic

Address = tuple[Any, ...]
KNOWN_FOR_S = 60.0  # how long a resolved name is used before it is looked up again
LISTEN_S = 0.05  # how often a thread that waits for a name looks whether it was hung up on


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


class Limit(threading.local):
    """The limits of the attempt that this thread is carrying out.

    Attributes:
        until: the instant by which the current read must be over.
        connect_s: seconds that a new connection may take.
        reused: whether the request went out on a connection that had served before.
        line: by which another thread may hang up on this one; None where none will.
    """

    until = float("inf")
    connect_s = 5.0
    reused = False
    line: Line | None = None


LIMIT = Limit()


def _in_time(sock: socket.socket, operation: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    left = LIMIT.until - monotonic()
    if left <= 0:
        raise TimeoutError("the limit of this attempt has passed")
    sock.settimeout(min(left, 3600.0))
    return _interruptibly(sock, operation, *args, **kwargs)


def _interruptibly(
    sock: socket.socket, operation: Callable[..., Any], *args: Any, **kwargs: Any
) -> Any:
    line = LIMIT.line
    if line is None:
        return operation(*args, **kwargs)
    return line.during(sock, operation, *args, **kwargs)


class TimedSocket(socket.socket):
    """A socket that asks how long is left before it waits."""

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        """Receive, in time."""
        count: int = _in_time(self, super().recv_into, *args, **kwargs)
        return count

    def recv(self, *args: Any, **kwargs: Any) -> bytes:
        """Receive, in time."""
        data: bytes = _in_time(self, super().recv, *args, **kwargs)
        return data

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        """Send all, in time: Python bounds the whole of it by one timeout."""
        _in_time(self, super().sendall, *args, **kwargs)


class TimedTLSSocket(ssl.SSLSocket):
    """The same over TLS, where one read may take several records."""

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        """Receive, in time."""
        count: int = _in_time(self, super().recv_into, *args, **kwargs)
        return count

    def recv(self, *args: Any, **kwargs: Any) -> bytes:
        """Receive, in time."""
        data: bytes = _in_time(self, super().recv, *args, **kwargs)
        return data

    def send(self, *args: Any, **kwargs: Any) -> int:
        """Send, in time; `sendall` is made of these."""
        count: int = _in_time(self, super().send, *args, **kwargs)
        return count

    def do_handshake(self, *args: Any, **kwargs: Any) -> None:
        """Shake hands, in the time that the socket was given for it."""
        try:
            _interruptibly(self, super().do_handshake, *args, **kwargs)
        except BaseException:  # ssl itself closes it for some kinds only
            self.close()
            raise


class Resolver:
    """Names to addresses, in time, each looked up once for many calls.

    `getaddrinfo` blocks and cannot be interrupted, so it runs in a daemon thread: one a name,
    however many calls wait for it. If a name stops resolving, its last addresses are used again.
    """

    def __init__(self, lookup: Callable[..., list[Any]] = socket.getaddrinfo) -> None:
        """Begin knowing nothing."""
        self._lookup = lookup
        self._fresh: TTLCache[tuple[str, int], list[Address]] = TTLCache(
            256, KNOWN_FOR_S, monotonic
        )
        self._last: dict[tuple[str, int], list[Address]] = {}
        self._asking: dict[tuple[str, int], _Question] = {}
        self._lock = threading.Lock()

    def renew(self) -> None:
        """In a forked child, whose parent's questions nobody will answer."""
        self._asking = {}
        self._lock = threading.Lock()

    def addresses(self, host: str, port: int, until: float) -> list[Address]:
        """The addresses of a host, as `getaddrinfo` gives them.

        Raises:
            OSError: it did not resolve; TimeoutError if that was not known by `until`.
        """
        key = (host, port)
        with self._lock:
            known = self._fresh.get(key)
            if known is not None:
                return known
            question = self._asking.get(key)
            if question is None:
                question = self._asking[key] = _Question()
                threading.Thread(
                    target=self._ask, args=(key, question), name="openrouter-resolver", daemon=True
                ).start()
        in_time = _wait(question.answered, until)
        if question.addresses:
            return question.addresses
        stale = self._last.get(key)
        if stale:
            return stale
        raise question.error if in_time and question.error else TimeoutError("name resolution")

    def _ask(self, key: tuple[str, int], question: _Question) -> None:
        host, port = key
        try:
            question.addresses = self._lookup(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            question.error = error if isinstance(error, OSError) else socket.gaierror(str(error))
        with self._lock:
            self._asking.pop(key, None)
            if question.addresses:
                self._fresh[key] = self._last[key] = question.addresses
        question.answered.set()


def _wait(event: threading.Event, until: float) -> bool:
    """Whether it was set by this instant; no socket wakes a thread that is hung up on here."""
    line = LIMIT.line
    while line is not None and not event.wait(min(LISTEN_S, max(0.0, until - monotonic()))):
        line.check()
        if monotonic() >= until:
            return False
    return event.wait(max(0.0, until - monotonic()))


class _Question:
    def __init__(self) -> None:
        self.answered = threading.Event()
        self.addresses: list[Address] = []
        self.error: OSError | None = None


RESOLVER = Resolver()
if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=RESOLVER.renew)


def connect(host: str, port: int, options: Any, until: float) -> TimedSocket:
    """A connected socket, each address given its share of the time.

    Raises:
        OSError: none of the addresses could be reached; TimeoutError if time ran out.
    """
    addresses = RESOLVER.addresses(host, port, until)
    failure: OSError = OSError("the name has no addresses")
    for place, (family, kind, protocol, _name, address) in enumerate(addresses):
        left = until - monotonic()
        if left <= 0:
            raise TimeoutError("connect")
        sock = TimedSocket(family, kind, protocol)
        try:
            for option in options or ():
                sock.setsockopt(*option)
            sock.settimeout(left / (len(addresses) - place))
            _interruptibly(sock, sock.connect, address)
        except OSError as error:
            sock.close()
            failure = error
        except BaseException:
            sock.close()
            raise
        else:
            sock.settimeout(max(0.001, until - monotonic()))  # what is left bounds the handshake
            return sock
    raise failure


class _Timed:
    """What the plain and the TLS connection have in common: connecting in time, counting uses."""

    uses = 0

    def _new_conn(self: Any) -> socket.socket:
        until = min(monotonic() + LIMIT.connect_s, LIMIT.until)
        self.uses = 0
        try:
            return connect(self._dns_host, self.port, self.socket_options, until)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "no connection in time") from error
        except OSError as error:
            raise NewConnectionError(self, "no connection") from error

    def request(self: Any, *args: Any, **kwargs: Any) -> None:
        LIMIT.reused = self.uses > 0
        self.uses += 1
        super().request(*args, **kwargs)  # type: ignore[misc]  # of the connection it is mixed into


class TimedConnection(_Timed, HTTPConnection):
    """HTTP in time."""


class TimedTLSConnection(_Timed, HTTPSConnection):
    """HTTPS in time."""


class TimedPool(HTTPConnectionPool):
    """Connections of one host."""

    ConnectionCls = TimedConnection


class TimedTLSPool(HTTPSConnectionPool):
    """TLS connections of one host."""

    ConnectionCls = TimedTLSConnection


POOLS = {"http": TimedPool, "https": TimedTLSPool}
