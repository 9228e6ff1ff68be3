"""Connections through a SOCKS proxy, in time as all others are; loaded where one is set."""

from __future__ import annotations

import socket
from typing import Any

import socks  # type: ignore[import-untyped]
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.contrib.socks import SOCKSConnection, SOCKSHTTPSConnection

from openrouter_resilient.wire.clock import monotonic
from openrouter_resilient.wire.sockets import LIMIT, RESOLVER, Timed, TimedSocket, connect

PORT = 1080  # where a proxy listens that was set without a port (RFC 1928, 3)


class _Asking(socks.socksocket):  # type: ignore[misc]  # PySocks has no types
    """A socket that, told to connect to a proxy, asks it for the destination, in time."""

    def __init__(self, options: dict[str, Any], destination: tuple[str, int], *kind: int) -> None:
        super().__init__(*kind)
        self._options = options
        self._destination = destination

    def connect(self, proxy: tuple[Any, ...]) -> None:
        """Connect to the proxy, and through it.

        Raises:
            OSError: the proxy is not there, or refused; TimeoutError if time ran out.
        """
        of = self._options
        who = (of["username"], of["password"])
        self.set_proxy(of["socks_version"], *proxy[:2], of["rdns"], *who)
        try:
            super().connect(self._destination)
        except socks.ProxyError as error:
            late = isinstance(error.socket_err, TimeoutError)
            raise error.socket_err if late else error from None

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        """Receive in time; by itself, PySocks gives that much to each byte of an answer."""
        socket.socket.settimeout(self, _left())
        return socket.socket.recv_into(self, *args, **kwargs)


class _Through(Timed):
    """Asks the proxy in time; what it has connected is then a socket like any other."""

    def _reach(self: Any, until: float) -> TimedSocket:
        proxy = self._socks_options
        destination = (self._dns_host, self.port)
        if not proxy["rdns"]:
            destination = (_address(*destination, until), self.port)

        def make(*kind: int) -> _Asking:
            return _Asking(proxy, destination, *kind)

        host, port = proxy["proxy_host"], proxy["proxy_port"] or PORT
        reached = connect(host, port, self.socket_options, until, make)
        left = reached.gettimeout()  # it bounds the handshake
        sock = TimedSocket(reached.family, reached.type, reached.proto, fileno=reached.detach())
        sock.settimeout(left)
        return sock


def _address(host: str, port: int, until: float) -> str:
    """One for a proxy that resolves no names; one of IPv4 if there is any, as all know those."""
    known = RESOLVER.addresses(host, port, until)
    _family, _kind, _protocol, _name, address = min(known, key=lambda one: one[0] != socket.AF_INET)
    return str(address[0])


def _left() -> float:
    """Seconds; none left is the error of a wait that was too long.

    Raises:
        TimeoutError: there are none.
    """
    left = LIMIT.until - monotonic()
    if left <= 0:
        raise TimeoutError("the limit of this attempt has passed")
    return min(left, 3600.0)


class TimedSOCKSConnection(_Through, SOCKSConnection):
    """HTTP in time."""


class TimedSOCKSTLSConnection(_Through, SOCKSHTTPSConnection):
    """HTTPS in time."""


class TimedSOCKSPool(HTTPConnectionPool):
    """Connections of one host."""

    ConnectionCls = TimedSOCKSConnection


class TimedSOCKSTLSPool(HTTPSConnectionPool):
    """TLS connections of one host."""

    ConnectionCls = TimedSOCKSTLSConnection


POOLS = {"http": TimedSOCKSPool, "https": TimedSOCKSTLSPool}
