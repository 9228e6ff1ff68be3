"""One HTTP request under a limit: what the client sends through, and what sends it.

`requests` itself is loaded with the first request (see `channel.py`): a client that is made and
not used, or a program that catches an error of this package, does not pay for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from openrouter_resilient.wire.exchange import Reply

if TYPE_CHECKING:
    from openrouter_resilient.wire.channel import Channel


class Transport(Protocol):
    """One HTTP request under a limit."""

    def post(self, url: str, headers: Mapping[str, str], body: bytes, *, until: float) -> Reply:
        """Send, and return once the headers have come.

        Raises:
            Broken: they did not come by `until`, or the connection broke.
        """

    def get(self, url: str, headers: Mapping[str, str], *, until: float) -> Reply:
        """Ask for what is there, and return once the headers have come; raises as `post` does."""

    def renew(self) -> None:
        """Forget every connection without closing it: they are the parent's."""

    def close(self) -> None:
        """Close every connection."""


class RequestsTransport:
    """The real one. Thread-safe; a forked child begins with connections of its own."""

    def __init__(self, connect_timeout: float = 5.0) -> None:
        """Open nothing yet."""
        self._connect_timeout = connect_timeout
        self._channels: dict[str, Channel] = {}

    def post(self, url: str, headers: Mapping[str, str], body: bytes, *, until: float) -> Reply:
        """Send, and return once the headers have come; see `Transport.post`."""
        return self._channel(url).ask("POST", headers, body, until=until)

    def get(self, url: str, headers: Mapping[str, str], *, until: float) -> Reply:
        """Ask for what is there; see `Transport.get`."""
        return self._channel(url).ask("GET", headers, b"", until=until)

    def renew(self) -> None:
        """Begin with connections of its own: one shared with the parent mixes up the answers."""
        for channel in self._channels.values():
            channel.renew()

    def close(self) -> None:
        """Close every connection; those in use close when their call ends."""
        channels, self._channels = self._channels, {}
        for channel in channels.values():
            channel.close()

    def _channel(self, url: str) -> Channel:
        channel = self._channels.get(url)
        if channel is None:
            from openrouter_resilient.wire.channel import Channel  # noqa: PLC0415  with requests

            channel = self._channels.setdefault(url, Channel(url, self._connect_timeout))
        return channel
