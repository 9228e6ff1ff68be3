"""requests' adapter for one URL, and the reply that comes of it; keys go to their own host only.

The adapter alone, without a `requests.Session`: no `.netrc` that replaces the key, no redirects
that carry it along, no cookies, and the environment's proxies and CA bundle are looked up once.
"""

from __future__ import annotations

import os
import queue
import ssl
import zlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.models import PreparedRequest
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_environ_proxies, select_proxy
from urllib3.exceptions import HTTPError
from urllib3.util import Timeout, parse_url
from urllib3.util.ssl_ import create_urllib3_context

from openrouter_resilient.errors import ConfigurationError
from openrouter_resilient.routing.faults import Broken, Fault, Kind
from openrouter_resilient.routing.recognition import classify_exception
from openrouter_resilient.wire.clock import monotonic
from openrouter_resilient.wire.exchange import Reply
from openrouter_resilient.wire.inflate import ENCODINGS, Inflater
from openrouter_resilient.wire.sockets import LIMIT, POOLS, TimedTLSSocket

READ_BYTES = 64 * 1024
END_OF_BODY_S = 0.02  # worth waiting to save a new connection
PROXY_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")
POOL_SIZE = 64  # connections kept for the next call; more are made where more calls run at once
WIRE_FAILURES = (requests.RequestException, HTTPError, OSError, ValueError)
NO_TIMEOUT: Any = Timeout(connect=None, read=None)  # the sockets keep the time themselves


class Channel(HTTPAdapter):
    """requests' adapter for one URL, with all that does not change between two calls worked out."""

    def __init__(self, url: str, connect_timeout: float) -> None:
        """Open nothing yet."""
        self._url = url
        self._connect_timeout = connect_timeout
        parts = urlsplit(url)
        self._context = _tls_context() if parts.scheme == "https" else None
        super().__init__(pool_connections=4, pool_maxsize=POOL_SIZE)
        self._proxy = _proxy_for(url)
        self._target = {
            "host": _bracketed(parts.hostname or ""),
            "port": parts.port or (443 if self._context else 80),
            "scheme": parts.scheme,
        }
        request = PreparedRequest()
        request.url = url
        proxies = {parts.scheme: self._proxy} if self._proxy else {}
        self._request_url = super().request_url(request, proxies)
        self._pool = self._new_pool()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make pools whose sockets keep the time."""
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOLS

    def get_connection_with_tls_context(self, *_args: Any, **_kwargs: Any) -> Any:
        """The one pool there is."""
        return self._pool

    def cert_verify(self, *_args: Any, **_kwargs: Any) -> None:
        """Nothing to do: the context that the pool has verifies."""

    def request_url(self, *_args: Any, **_kwargs: Any) -> str:
        """The target of the request line, worked out once."""
        return self._request_url

    def build_response(self, req: Any, resp: Any) -> Any:  # noqa: ARG002  the adapter's signature
        """What urllib3 gave, with nothing around it."""
        return resp

    def ask(self, method: str, headers: Mapping[str, str], body: bytes, *, until: float) -> Reply:
        """Send, and return once the headers have come; see `Transport.post`."""
        request = PreparedRequest()
        request.method, request.url, request.body = method, self._url, body or None
        length = {"Content-Length": str(len(body))} if body else {}
        request.headers = {**headers, **length}  # type: ignore[assignment]  # its spelling is ours
        LIMIT.until, LIMIT.connect_s, LIMIT.reused = until, self._connect_timeout, False
        try:
            return _Reply(self.send(request, stream=True, timeout=NO_TIMEOUT))
        except WIRE_FAILURES as error:
            fault = classify_exception(error)
        finally:
            LIMIT.until = float("inf")
        if fault.kind is Kind.RESET and LIMIT.reused:
            self.forget_connections()  # the idle ones beside it are as old
            fault = Fault(Kind.STALE_CONNECTION, fault.message)
        raise Broken(fault)  # apart from its cause, which holds the socket and names the host

    def forget_connections(self) -> None:
        """Close those that are idle; the pool stays, since other calls may be about to use it."""
        with suppress(queue.Empty, AttributeError):  # its queue is gone where it was just closed
            while True:
                connection = self._pool.pool.get(block=False)
                if connection is not None:
                    connection.close()

    def renew(self) -> None:
        """Begin anew in a forked child, where a thread that is not there may hold the queue's lock.

        In place: urllib3 empties this very queue when the pool goes, at the latest at exit.
        """
        waiting = self._pool.pool
        if waiting is not None:
            waiting.__init__(waiting.maxsize)

    def close(self) -> None:
        """Close at once, not when the last reference goes; those in use close after their call."""
        self._pool.close()
        super().close()

    def _new_pool(self) -> Any:
        if self._proxy is None:
            return self.poolmanager.connection_from_host(**self._target)
        try:
            manager = self.proxy_manager_for(self._proxy, ssl_context=self._context)
        except requests.exceptions.InvalidSchema:  # all that `_proxy_for` lets pass but one
            raise ConfigurationError(
                "the environment names a SOCKS proxy, which needs PySocks: "
                "pip install 'openrouter_resilient[socks]'"
            ) from None
        manager.pool_classes_by_scheme = _pools_behind(self._proxy)
        return manager.connection_from_host(**self._target)


class _Reply:
    """A reply whose body is read as it comes."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._open = True
        self._encoding = raw.headers.get("content-encoding", "").strip().lower()
        self._inflater = Inflater() if self._encoding in ENCODINGS else None
        self.status: int = raw.status
        self.headers: Mapping[str, str] = raw.headers

    def read(self, until: float) -> bytes:
        LIMIT.until = until
        try:
            return self._plain() if self._inflater is None else self._unpacked(self._inflater)
        except (*WIRE_FAILURES, zlib.error) as error:
            raise Broken(classify_exception(error)) from None
        finally:
            LIMIT.until = float("inf")

    def close(self, *, keep: bool) -> None:
        """Read a chunked body's end, which comes with its last chunk, to keep the connection."""
        if not self._open:  # by now the connection may serve another call
            return
        self._open = False
        LIMIT.until = monotonic() + END_OF_BODY_S
        try:
            if not keep or self._raw.read1(READ_BYTES):
                self._raw.close()
        except WIRE_FAILURES:
            self._raw.close()
        finally:
            LIMIT.until = float("inf")
            self._raw.release_conn()

    def _plain(self) -> bytes:
        if self._encoding not in ("", "identity"):
            raise Broken(Fault(Kind.UNREADABLE, "an encoding that was not asked for"))
        if self._raw.length_remaining == 0:  # all that was announced has come
            return b""
        data: bytes = self._raw.read1(READ_BYTES)
        return data

    def _unpacked(self, inflater: Inflater) -> bytes:
        """The next bytes; packed ones may bring none yet, and b"" would mean the end."""
        while not (unpacked := inflater.take(READ_BYTES)):
            data = self._raw.read1(READ_BYTES)
            inflater.put(data)
            if not data:
                break
        if inflater.bomb:
            raise Broken(Fault(Kind.TOO_BIG, "a small reply that unpacks to very much"))
        if not unpacked and not inflater.whole:
            raise zlib.error("the compressed body ends too early")
        return unpacked


def _bracketed(host: str) -> str:
    """As in the URL, by which urllib3 knows an IPv6 address, and its zone (RFC 6874)."""
    return f"[{host}]" if ":" in host else host


def _proxy_for(url: str) -> str | None:
    """The environment's proxy for a URL, with a scheme: http where it has none, as for requests.

    Raises:
        ConfigurationError: it is malformed.
    """
    proxy = select_proxy(url, get_environ_proxies(url))
    if not proxy:
        return None
    with suppress(ValueError):
        full = proxy if "://" in proxy else f"http://{proxy.lstrip('/')}"
        parts = parse_url(full)
        if parts.host and parts.scheme in PROXY_SCHEMES:
            return full
    raise ConfigurationError(  # without its URL, which may hold a password
        f"the proxy that the environment names for {urlsplit(url).scheme} (in a variable such as "
        "HTTPS_PROXY) has no proper URL; write it as http://host:port"
    )


def _pools_behind(proxy: str) -> dict[str, Any]:
    if not proxy.lower().startswith("socks"):
        return POOLS
    from openrouter_resilient.wire.socks import POOLS as SOCKS_POOLS  # noqa: PLC0415  seldom used

    return SOCKS_POOLS


def _tls_context() -> ssl.SSLContext:
    """Verifies against the environment's CA bundle, or certifi's as requests does."""
    bundle = (
        os.environ.get("REQUESTS_CA_BUNDLE")
        or os.environ.get("CURL_CA_BUNDLE")
        or DEFAULT_CA_BUNDLE_PATH
    )
    context = create_urllib3_context()
    context.sslsocket_class = TimedTLSSocket
    try:
        if Path(bundle).is_dir():
            context.load_verify_locations(capath=bundle)
        else:
            context.load_verify_locations(cafile=bundle)
    except OSError as error:
        raise ConfigurationError(
            f"the CA bundle {bundle} cannot be read; mend REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE"
        ) from error
    return context
