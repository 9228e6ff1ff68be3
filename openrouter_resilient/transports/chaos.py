"""Faults injected innermost, so that a rehearsal in staging goes through every real policy.

Off unless a client is given a `Chaos`, and loud in the log. What can be injected stands in one
table, under the names that the simulator has for the same faults.
"""

from __future__ import annotations

import difflib
import json
import logging
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from urllib.parse import urlsplit

from requests.structures import CaseInsensitiveDict

from openrouter_resilient.errors import ConfigurationError
from openrouter_resilient.routing.faults import Broken, Fault, Kind
from openrouter_resilient.wire.clock import Clock
from openrouter_resilient.wire.exchange import Reply
from openrouter_resilient.wire.transport import Transport

LOG = logging.getLogger("openrouter_resilient")
INJECTED = "injected by chaos"
JSON, HTML = "application/json", "text/html"
SPOKEN_EVENTS = 3  # a role, then two pieces of text: enough to be in the middle of an answer
BLANK_LINE = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True)
class Broke:
    """Nothing is sent, and nothing comes.

    Attributes:
        waits: until the limit of the attempt has passed.
    """

    kind: Kind
    waits: bool = False


@dataclass(frozen=True)
class Said:
    """Nothing is sent, and this comes."""

    status: int
    body: bytes
    type: str = JSON


@dataclass(frozen=True)
class Cut:
    """The request is sent, and its answer breaks off after the first tokens.

    Attributes:
        kind: of the break; None where the answer just ends there.
        waits: until the limit of the read has passed.
    """

    kind: Kind | None = None
    waits: bool = False


def _error(status: int, message: str) -> bytes:
    return json.dumps({"error": {"code": status, "message": f"{message} ({INJECTED})"}}).encode()


_EMPTY = json.dumps(
    {
        "id": "gen-chaos",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": ""},
                "finish_reason": "stop",
            }
        ],
    }
).encode()
_PAGE = b"<!DOCTYPE html><html><body>One moment, please (injected by chaos)</body></html>"

# Only what a client must survive: a fault of the request itself would be the caller's to see.
# fmt: off
FAULTS: dict[str, Broke | Said | Cut] = {
    # name                  what happens                                     where it was seen
    "refused":              Broke(Kind.REFUSED),                           # the API is unreachable
    "unresolved":           Broke(Kind.UNRESOLVED),                        # a name server's outage
    "reset_before_headers": Broke(Kind.RESET),                             # a process that died
    "no_headers":           Broke(Kind.SILENT, waits=True),                # a model that hangs
    "status_401":           Said(401, _error(401, "No auth credentials found")),  # valid keys, too
    "status_402":           Said(402, _error(402, "Insufficient credits")),       # credit used up
    "rate_limit":           Said(429, _error(429, "Rate limit exceeded")),        # a busy hour
    "status_500":           Said(500, _error(500, "Internal Server Error")),      # an outage begins
    "status_502":           Said(502, _error(502, "Bad gateway")),                # a provider down
    "status_503":           Said(503, _error(503, "Service temporarily unavailable")),  # the edge
    "error_under_200":      Said(200, _error(502, "Provider returned error")),    # found too late
    "html_200":             Said(200, _PAGE, HTML),                        # a proxy's page
    "empty_content":        Said(200, _EMPTY),                             # a model warming up
    "cut_mid_stream":       Cut(),                                         # no finish, no [DONE]
    "reset_mid_stream":     Cut(Kind.RESET),                               # a process that died
    "stall_mid_stream":     Cut(Kind.SILENT, waits=True),                  # a provider that hangs
}
# fmt: on


@dataclass(frozen=True)
class Chaos:
    """How much goes wrong on purpose. For staging; never switch it on where it matters.

    Attributes:
        rate: the share of requests that is struck, more than 0 and at most 1.
        faults: names from the table of this module, of which each strike takes one by chance;
            all of them where none are named.
        seed: makes the sequence of strikes repeat.
    """

    rate: float = 0.05
    faults: Sequence[str] = tuple(FAULTS)
    seed: int = 0

    def __post_init__(self) -> None:
        """Check them.

        Raises:
            ConfigurationError: the rate is no share, or there is no such fault.
        """
        if not 0 < self.rate <= 1:
            raise ConfigurationError(
                f"the rate of chaos is a share, such as 0.05 for 5 %, not {self.rate}"
            )
        names = [self.faults] if isinstance(self.faults, str) else list(self.faults)
        for name in names:
            if name not in FAULTS:
                near = difflib.get_close_matches(name, FAULTS, n=1, cutoff=0.0)
                raise ConfigurationError(
                    f"chaos knows no fault {name!r}; did you mean {near[0]!r}? "
                    f"It has {', '.join(FAULTS)}"
                )
        if not names:
            raise ConfigurationError("chaos needs at least one fault; leave `faults` out for all")
        object.__setattr__(self, "faults", tuple(names))


class ChaosTransport:
    """A transport that fails now and then. Thread-safe."""

    def __init__(self, chaos: Chaos, inner: Transport, clock: Clock) -> None:
        """Be loud about it.

        Raises:
            TypeError: it is no `Chaos`.
        """
        if not isinstance(chaos, Chaos):
            raise TypeError(f"chaos must be a Chaos(rate=…), not {type(chaos).__name__}")
        self._chaos = chaos
        self._inner = inner
        self._clock = clock
        self._chance = Random(chaos.seed)  # noqa: S311  that repeats; no secret depends on it
        self._lock = threading.Lock()
        self.replayed: bool = getattr(inner, "replayed", False)
        LOG.warning(
            "chaos is on: %g %% of requests will fail on purpose (seed %d): %s",
            100 * chaos.rate,
            chaos.seed,
            ", ".join(chaos.faults),
        )

    def get(self, url: str, headers: Mapping[str, str], *, until: float) -> Reply:
        """Ask for a page beside the calls, which is none of this one's business."""
        return self._inner.get(url, headers, until=until)

    def post(self, url: str, headers: Mapping[str, str], body: bytes, *, until: float) -> Reply:
        """Send, or fail on purpose; see `Transport.post`."""
        name = self._struck()
        if name is None:
            return self._inner.post(url, headers, body, until=until)
        what = FAULTS[name]
        if isinstance(what, Cut):
            reply = self._inner.post(url, headers, body, until=until)
            if reply.status != 200:
                return reply  # it has failed by itself
            return _Broken(reply, what, self._clock, lambda: _tell(name, url))
        _tell(name, url)
        if isinstance(what, Said):
            return _MadeUp(what)
        if what.waits:
            self._clock.sleep_until(until)
        raise Broken(Fault(what.kind, INJECTED))

    def renew(self) -> None:
        """Begin anew in a forked child."""
        self._lock = threading.Lock()
        self._inner.renew()

    def close(self) -> None:
        """Close every connection."""
        self._inner.close()

    def _struck(self) -> str | None:
        """Both draws are made for every request, so that a sequence is told by its seed alone."""
        with self._lock:
            share, name = self._chance.random(), self._chance.choice(tuple(self._chaos.faults))
        return name if share < self._chaos.rate else None


class _MadeUp:
    """A reply that nobody sent."""

    def __init__(self, said: Said) -> None:
        self.status = said.status
        self.headers: Mapping[str, str] = CaseInsensitiveDict({"content-type": said.type})
        self._body = said.body

    def read(self, until: float) -> bytes:  # noqa: ARG002  it is there at once
        data, self._body = self._body, b""
        return data

    def close(self, *, keep: bool) -> None:
        """Nothing is open."""


class _Broken:
    """A real reply that breaks off."""

    def __init__(self, reply: Reply, cut: Cut, clock: Clock, tell: Callable[[], None]) -> None:
        self.status = reply.status
        self.headers = reply.headers
        self._reply = reply
        self._cut = cut
        self._clock = clock
        self._tell = tell
        self._seen = b""
        self._over = False

    def read(self, until: float) -> bytes:
        if self._over:
            return self._break(until)
        data = self._reply.read(until)
        before, self._seen = len(self._seen), self._seen + data
        end = _middle(self._seen)
        if end is None and data:
            return data
        self._over = True
        return self._seen[before : max(before, end or 0)] or self._break(until)

    def close(self, *, keep: bool) -> None:  # noqa: ARG002  what is left of it is unread
        self._reply.close(keep=False)

    def _break(self, until: float) -> bytes:
        self._tell()
        if self._cut.waits:
            self._clock.sleep_until(until)
        if self._cut.kind is None:
            return b""
        raise Broken(Fault(self._cut.kind, INJECTED))


def _middle(body: bytes) -> int | None:
    """Where the middle of an answer is: after a few events, or within a JSON body; None as yet."""
    if body.lstrip()[:1] == b"{":
        return len(body) // 2
    place = 0
    for _ in range(SPOKEN_EVENTS):
        start = body.find(b"data:", place)
        end = BLANK_LINE.search(body, start) if start >= 0 else None
        if end is None:
            return None
        place = end.end()
    return place


def _tell(name: str, url: str) -> None:
    LOG.warning("chaos: %s injected into a request to %s", name, urlsplit(url).hostname)
