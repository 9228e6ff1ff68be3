"""Connections through a SOCKS proxy, in time as all others are; loaded where one is set.

They need PySocks: `pip install 'openrouter_resilient[socks]'` brings it.
"""

from __future__ import annotations

import socket
from functools import cache
from typing import Any

from openrouter_resilient.wire.clock import monotonic
from openrouter_resilient.wire.sockets import (
    LIMIT,
    RESOLVER,
    TimedConnection,
    TimedPool,
    TimedSocket,
    TimedTLSConnection,
    TimedTLSPool,
    connect,
)

PORT = 1080  # where a proxy listens that was set without a port (RFC 1928, 3)


class _Through:
    """Asks the proxy in time; what it has connected is then a socket like any other."""

    def __init__(self, _socks_options: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        self._proxy = _socks_options  # by this name urllib3 hands them over
        super().__init__(*args, **kwargs)

    def _reach(self: Any, until: float) -> TimedSocket:
        host, port, proxy = self._dns_host, self.port, self._proxy
        if not proxy["rdns"]:
            host = _address(host, port, until)

        def make(*kind: int) -> socket.socket:
            asking: socket.socket = _asking()(proxy, (host, port), *kind)
            return asking

        at = (proxy["proxy_host"], proxy["proxy_port"] or PORT)
        reached = connect(*at, self.socket_options, until, make)
        left = reached.gettimeout()  # it bounds the handshake
        sock = TimedSocket(reached.family, reached.type, reached.proto, fileno=reached.detach())
        sock.settimeout(left)
        return sock


def _address(host: str, port: int, until: float) -> str:
    """One for a proxy that resolves no names; one of IPv4 if there is any, as all know those."""
    known = RESOLVER.addresses(host, port, until)
    _family, _kind, _protocol, _name, address = min(known, key=lambda one: one[0] != socket.AF_INET)
    return str(address[0])


@cache
def _asking() -> type[Any]:
    """The class of a socket that, told to connect to a proxy, asks it for the destination."""
    import socks  # type: ignore[import-untyped]  # noqa: PLC0415  no core dependency

    class Asking(socks.socksocket):  # type: ignore[misc]  # PySocks has no types
        def __init__(self, proxy: dict[str, Any], destination: Any, *kind: int) -> None:
            super().__init__(*kind)
            self._proxy = proxy
            self._destination = destination

        def connect(self, address: tuple[Any, ...]) -> None:
            of = self._proxy
            who = (of["username"], of["password"])
            self.set_proxy(of["socks_version"], *address[:2], of["rdns"], *who)
            try:
                super().connect(self._destination)
            except socks.ProxyError as error:
                late = isinstance(error.socket_err, TimeoutError)
                raise error.socket_err if late else error from None

        def recv_into(self, *args: Any, **kwargs: Any) -> int:
            """In time; by itself, PySocks gives as much to each byte of an answer."""
            left = LIMIT.until - monotonic()
            if left <= 0:
                raise TimeoutError("the limit of this attempt has passed")
            socket.socket.settimeout(self, left)
            return socket.socket.recv_into(self, *args, **kwargs)

    return Asking


class TimedSOCKSConnection(_Through, TimedConnection):
    """HTTP in time."""


class TimedSOCKSTLSConnection(_Through, TimedTLSConnection):
    """HTTPS in time."""


class TimedSOCKSPool(TimedPool):
    """Connections of one host."""

    ConnectionCls = TimedSOCKSConnection


class TimedSOCKSTLSPool(TimedTLSPool):
    """TLS connections of one host."""

    ConnectionCls = TimedSOCKSTLSConnection


POOLS = {"http": TimedSOCKSPool, "https": TimedSOCKSTLSPool}
