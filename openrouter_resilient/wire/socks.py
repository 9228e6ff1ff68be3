"""Connections through a SOCKS proxy, in time as all others are; loaded where one is set."""

from __future__ import annotations

from typing import Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.contrib.socks import SOCKSConnection, SOCKSHTTPSConnection

from openrouter_resilient.wire.clock import monotonic
from openrouter_resilient.wire.sockets import LIMIT, Timed, TimedSocket


class _Through(Timed):
    """Asks the proxy in time; what it has connected is then a socket like any other."""

    timeout: Any

    def _new_conn(self: Any) -> TimedSocket:
        self.uses, LIMIT.reused = 0, False
        self.timeout = _left()  # for each answer of the proxy
        reached = SOCKSConnection._new_conn(self)  # noqa: SLF001  urllib3 means it to be extended
        sock = TimedSocket(reached.family, reached.type, reached.proto, fileno=reached.detach())
        sock.settimeout(_left())  # bounds the handshake
        return sock


def _left() -> float:
    return max(0.001, min(LIMIT.until - monotonic(), 3600.0))


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
