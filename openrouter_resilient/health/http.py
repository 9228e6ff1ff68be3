"""One small HTTP request of the checks and alerts, over when its time is over.

The sockets are those of the calls, so that a server which drips cannot outstay its limit. No
redirect is followed, no cookie kept, and `.netrc` is not read; proxies and CA bundle of the
environment are honoured. Nothing raised here holds a URL: a webhook's address is a secret.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_auth_from_url
from urllib3.exceptions import HTTPError
from urllib3.util.ssl_ import create_urllib3_context

from openrouter_resilient._version import __version__
from openrouter_resilient.routing.faults import FAULTS, Kind
from openrouter_resilient.routing.recognition import classify_exception
from openrouter_resilient.wire.clock import monotonic
from openrouter_resilient.wire.sockets import LIMIT, POOLS, TimedTLSSocket

MOST_BYTES = 8 * 1024 * 1024  # OpenRouter's list of models has about one
LATE = frozenset({Kind.SILENT, Kind.STALLED, Kind.CONNECT_TIMEOUT})


@dataclass(frozen=True)
class Answer:
    """What came back: a status, headers in lower case, and the body as far as it was read."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON; None if it is none."""
        try:
            return json.loads(self.body.decode())
        except (ValueError, RecursionError):
            return None


class Unanswered(Exception):
    """No answer came, for the reason that is the message; it holds no URL."""


def fetch(
    url: str,
    *,
    seconds: float,
    headers: Mapping[str, str] | None = None,
    post: object = None,
    method: str = "",
) -> Answer:
    """Ask, and read the answer, within so many seconds.

    Args:
        url: whom.
        seconds: for all of it.
        headers: beside User-Agent.
        post: what to send as JSON; None to GET.
        method: another than GET or POST.

    Raises:
        Unanswered: no whole answer came in time.
    """
    until = monotonic() + seconds
    LIMIT.until, LIMIT.connect_s = until, seconds
    try:
        with requests.Session() as session:
            session.mount("https://", _InTime())
            session.mount("http://", _InTime())
            session.headers["User-Agent"] = f"openrouter_resilient/{__version__}"
            with session.request(
                method or ("GET" if post is None else "POST"),
                url,
                headers=dict(headers or {}),
                json=post,
                auth=_auth_of(url),
                allow_redirects=False,
                stream=True,
            ) as reply:
                body = reply.raw.read(MOST_BYTES, decode_content=True)
                lower = {name.lower(): value for name, value in reply.headers.items()}
                return Answer(reply.status_code, lower, body)
    except (requests.RequestException, HTTPError, OSError, ValueError) as error:
        kind = classify_exception(error).kind
        late = kind in LATE or monotonic() >= until
        why = f"it did not answer within {seconds:g} s" if late else FAULTS[kind].why
        raise Unanswered(why) from None
    finally:
        LIMIT.until = float("inf")


def _auth_of(url: str) -> tuple[str, str] | Callable[..., requests.PreparedRequest]:
    """The user and password that stand in a URL, as in a webhook's; `.netrc` has no say."""
    user, password = get_auth_from_url(url)
    return (user, password) if user or password else _keep_headers


def _keep_headers(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Auth that adds nothing; without one, requests would look into `.netrc`."""
    return request


class _InTime(HTTPAdapter):
    """requests' adapter with sockets that ask how long is left before they wait."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        context = create_urllib3_context()
        context.sslsocket_class = TimedTLSSocket
        super().init_poolmanager(*args, ssl_context=context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOLS
