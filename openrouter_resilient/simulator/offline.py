"""No network but this machine, for a while, whichever library tries.

An audit hook sees every connection, datagram and look-up of a name in this process, however deep
in a library and on whatever thread. It cannot be taken away again, but it rests while it is not
needed. What runs in another process is out of its reach.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

SENDS = ("socket.connect", "socket.sendto", "socket.sendmsg")
LOOKS_UP = ("socket.getaddrinfo", "socket.gethostbyname")
UNRESOLVABLE = ".invalid"  # such a name never resolves (RFC 6761, 6.4), so asking it is no attempt


class _Guard:
    """What is forbidden to whom at this moment."""

    def __init__(self) -> None:
        self.active: list[list[str]] = []  # the attempts that each user is told of
        self.installed = False
        self.lock = threading.Lock()

    def see(self, event: str, args: tuple[Any, ...]) -> None:
        if self.active and event in SENDS:
            self._see_address(args[0], args[1])
        elif self.active and event in LOOKS_UP:
            self._see_name(args[0])

    def _see_address(self, sock: socket.socket, address: object) -> None:
        if sock.family not in (socket.AF_INET, socket.AF_INET6) or not isinstance(address, tuple):
            return  # a socket file, or a datagram to a peer that was connected to
        if not _is_here(str(address[0])):
            self._note(f"{address[0]}:{address[1]}")
            raise OSError(errno.ENETUNREACH, "the network is off while the simulator is used")

    def _see_name(self, host: object) -> None:
        name = host.decode() if isinstance(host, bytes) else str(host or "localhost")
        if _is_here(name) or _is_address(name):
            return
        if not name.rstrip(".").endswith(UNRESOLVABLE):
            self._note(name)
        raise socket.gaierror(socket.EAI_NONAME, "the network is off while the simulator is used")

    def _note(self, place: str) -> None:
        for attempts in self.active:
            if place not in attempts:
                attempts.append(place)


_GUARD = _Guard()


@contextlib.contextmanager
def offline() -> Iterator[list[str]]:
    """Forbid the network; what was tried is in the list."""
    attempts: list[str] = []
    with _GUARD.lock:
        if not _GUARD.installed:
            sys.addaudithook(_GUARD.see)
            _GUARD.installed = True
        _GUARD.active = [*_GUARD.active, attempts]
    try:
        yield attempts
    finally:
        with _GUARD.lock:
            _GUARD.active = [other for other in _GUARD.active if other is not attempts]


def _is_here(host: str) -> bool:
    """Whether it is this machine; an unspecified address means that, too."""
    if host in ("", "localhost", socket.gethostname()) or host.endswith(".localhost"):
        return True
    address = _address(host)
    if address is None:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback or address.is_unspecified


def _is_address(host: str) -> bool:
    return _address(host) is not None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
