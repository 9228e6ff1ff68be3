"""Time enforced in the socket, at no cost of a thread per call.

`requests`' timeouts are per read, so that a server which drips one byte at a time is never late
for them. Here every receive first asks how long is left until the limit of the attempt: headers,
bodies, error bodies and TLS records all end in time. A pooled connection finds the limit in a
thread-local that each attempt, and each read of it, sets.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

from cachetools import TTLCache
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from openrouter_resilient.forking import renew_in_forked_child
from openrouter_resilient.wire.clock import monotonic
from openrouter_resilient.wire.head import FinalResponse
from openrouter_resilient.wire.line import Line

Address = tuple[Any, ...]
KNOWN_FOR_S = 60.0  # how long a resolved name is used before it is looked up again
STALE_AFTER_S = 0.5  # what an old address is worth waiting for a new one
LISTEN_S = 0.05  # how often a thread that waits for a name looks whether it was hung up on


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

    def begin_anew(self) -> None:
        """In a forked child, whose parent's questions nobody will answer."""
        self._asking = {}
        self._fresh = TTLCache(256, KNOWN_FOR_S, monotonic)  # it may have been half-way changed
        self._lock = threading.Lock()

    def addresses(self, host: str, port: int, until: float) -> list[Address]:
        """The addresses of a host, as `getaddrinfo` gives them.

        Raises:
            socket.gaierror: it did not resolve, or that was not known by `until`.
        """
        key = (host, port)
        with self._lock:
            known = self._fresh.get(key)
            if known is not None:
                return known
            question = self._asking.get(key)
            if question is None:
                question = self._asking[key] = _Question()
                try:
                    threading.Thread(
                        target=self._ask, args=(key, question), name="openrouter-resolver",
                        daemon=True,
                    ).start()  # fmt: skip
                except RuntimeError:  # the process may have no more threads; the next call asks
                    del self._asking[key]
                    question.error = socket.gaierror(socket.EAI_AGAIN, "no thread could be started")
                    question.answered.set()
        stale = self._last.get(key)
        patience = max(0.0, until - monotonic())
        _wait(question.answered, min(patience / 2, STALE_AFTER_S) if stale else patience)
        if question.addresses:
            return question.addresses
        if stale:
            return stale
        raise question.error or socket.gaierror(socket.EAI_AGAIN, "no answer in time")

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


def _wait(event: threading.Event, seconds: float) -> None:
    """Wait for it; no socket wakes a thread that is hung up on here."""
    line, until = LIMIT.line, monotonic() + seconds
    while line is not None and not event.is_set() and (left := until - monotonic()) > 0:
        event.wait(min(left, LISTEN_S))
        line.check()
    event.wait(max(0.0, until - monotonic()))


class _Question:
    def __init__(self) -> None:
        self.answered = threading.Event()
        self.addresses: list[Address] = []
        self.error: OSError | None = None


RESOLVER = Resolver()
renew_in_forked_child(RESOLVER)


def connect(
    host: str,
    port: int,
    options: Any,
    until: float,
    make: Callable[[int, int, int], socket.socket] = TimedSocket,
) -> socket.socket:
    """A connected socket, each address given its share of the time.

    Args:
        host: its name or address.
        port: where it listens.
        options: the arguments of each `setsockopt`, or None.
        until: the instant by which it must be over.
        make: a socket of a family, a kind and a protocol, which is then told to connect.

    Raises:
        OSError: the name or none of its addresses was any good; TimeoutError if time ran out.
    """
    addresses = RESOLVER.addresses(host, port, until)
    failure: OSError = OSError("the name has no addresses")
    for place, (family, kind, protocol, _name, address) in enumerate(addresses):
        left = until - monotonic()
        if left <= 0:
            raise TimeoutError("connect")
        sock = make(family, kind, protocol)
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


class Timed:
    """What the plain and the TLS connection have in common: connecting in time, counting uses."""

    uses = 0
    response_class: Any = FinalResponse
    _held: list[bytes] | None = None

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lines: dict[tuple[Any, ...], bytes] = {}

    def connect(self: Any) -> None:
        """Resolve, connect, ask the proxy and shake hands, all in the time for a connection.

        Raises:
            ConnectTimeoutError: one of them took too long.
        """
        until = LIMIT.until
        LIMIT.until = min(until, monotonic() + LIMIT.connect_s)
        try:
            super().connect()  # type: ignore[misc]  # of the connection it is mixed into
        except TimeoutError as error:  # of the handshake, or of the proxy's answer
            raise ConnectTimeoutError(self, "no connection in time") from error
        finally:
            LIMIT.until = until

    def _new_conn(self: Any) -> socket.socket:
        self.uses, LIMIT.reused = 0, False
        try:
            reached: socket.socket = self._reach(LIMIT.until)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, "no connection in time") from error
        except OSError as error:
            raise NewConnectionError(self, "no connection") from error
        return reached

    def _reach(self: Any, until: float) -> socket.socket:
        return connect(self._dns_host, self.port, self.socket_options, until)

    def request(self: Any, *args: Any, **kwargs: Any) -> None:
        """Send head and body in one packet; in two they would wake the server twice."""
        LIMIT.reused = self.uses > 0  # until `_new_conn` says otherwise: this may connect first
        self._held = []
        try:
            super().request(*args, **kwargs)  # type: ignore[misc]  # of what it is mixed into
        finally:
            held, self._held = self._held, None
        self.send(b"".join(held))
        self.uses += 1

    def putheader(self: Any, header: Any, *values: Any) -> None:
        """Check and make each line of a head once: between two calls only the length changes."""
        words = (header, *values)
        line = self._lines.get(words)
        if line is not None:
            self._buffer.append(line)
            return
        super().putheader(*words)  # type: ignore[misc]  # of the connection it is mixed into
        if header != "Content-Length":
            self._lines[words] = self._buffer[-1]

    def send(self: Any, data: Any) -> None:
        """Send, or hold it until the request is complete."""
        if self._held is None:
            super().send(data)  # type: ignore[misc]  # of the connection it is mixed into
        else:
            self._held.append(data)


class TimedConnection(Timed, HTTPConnection):
    """HTTP in time."""


class TimedTLSConnection(Timed, HTTPSConnection):
    """HTTPS in time."""


class TimedPool(HTTPConnectionPool):
    """Connections of one host."""

    ConnectionCls = TimedConnection


class TimedTLSPool(HTTPSConnectionPool):
    """TLS connections of one host."""

    ConnectionCls = TimedTLSConnection


POOLS = {"http": TimedPool, "https": TimedTLSPool}
