"""What is said of an endpoint, as it is kept in Redis: a small JSON that any language can read.

    openrouter-resilient:health:<endpoint>      {"version": 1, "state": "down", "since": …, …}
    openrouter-resilient:trial:<endpoint>       who has the one trial that all processes share

No I/O, no clock. Whatever stands under the key, reading it never raises anything but `Rubbish`.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from openrouter_resilient.endpoints.table import Endpoint
from openrouter_resilient.routing.faults import FAULTS, Kind, Scope
from openrouter_resilient.routing.shared import Word

HEALTH_KEY = "openrouter-resilient:health:"
TRIAL_KEY = "openrouter-resilient:trial:"
VERSION = 1
LONGEST_WORD = 4096  # bytes; ours have about 300, and more than this is somebody else's
LONGEST_TTL_S = 7 * 86_400.0
UP, DOWN = "up", "down"


class Rubbish(ValueError):
    """What stands under the key is no word of this kind."""


@dataclass(frozen=True)
class Said:
    """A word as it is written. Times of day are seconds since 1970, and those of its writer.

    Attributes:
        state: "up" or "down".
        since: the time of day at which it came to be so.
        checked_at: the time of day at which it was last seen to be so.
        ttl: seconds for which the word counted when it was written.
        by: who says so: "call" or "probe", then host, process and client.
        latency: seconds to the first token of the last answer; None if unknown.
        fault: the kind of fault; None if it is up.
        reopens_in: seconds after `checked_at` from which one call may try it.
        place: host and port of the base URL, since one name may mean two servers; None: any.
        account: a mark of the key, where the fault is that of a key; None: whatever the key.
        version: of this form.
    """

    state: str
    since: float
    checked_at: float
    ttl: float
    by: str
    latency: float | None = None
    fault: str | None = None
    reopens_in: float = 0.0
    place: str | None = None
    account: str | None = None
    version: int = VERSION

    def json(self) -> str:
        """As it is written."""
        return json.dumps({**asdict(self), "since": round(self.since, 3),
                           "checked_at": round(self.checked_at, 3)})  # fmt: skip

    def concerns(self, endpoint: Endpoint) -> bool:
        """Whether it is about the same server, and not about another key's trouble."""
        if self.place is not None and self.place != place_of(endpoint):
            return False
        return self.account is None or self.account == mark_of(endpoint)


def read_word(data: bytes) -> Said:
    """Read what stands under a key.

    Fields nobody has heard of are passed over, and an absent one is as if it were null.

    Raises:
        Rubbish: it is no word.
    """
    try:
        found = json.loads(data.decode())
    except (ValueError, RecursionError):
        raise Rubbish("no JSON") from None
    if not isinstance(found, dict) or found.get("state") not in (UP, DOWN):
        raise Rubbish('no object with a "state" of "up" or "down"')
    checked_at = _number(found, "checked_at")
    if checked_at is None:
        raise Rubbish("no checked_at")
    since = _number(found, "since")
    return Said(
        state=found["state"],
        since=checked_at if since is None else min(since, checked_at),
        checked_at=checked_at,
        ttl=_number(found, "ttl") or 0.0,
        by=_text(found, "by") or "unknown",
        latency=_number(found, "latency"),
        fault=_text(found, "fault"),
        reopens_in=_number(found, "reopens_in") or 0.0,
        place=_text(found, "place"),
        account=_text(found, "account"),
    )


def heard(said: Said, *, left: float, now: float, wall: float) -> Word | None:
    """A word as this process understands it; None if it is too old to count.

    Its age is what its time to live has lost, so that clocks which disagree do no harm; where it
    was written without one, the times of day are compared.

    Args:
        said: the word.
        left: seconds the store will still keep it; negative if it has no end.
        now, wall: the instant and the time of day at which it was read.
    """
    age = said.ttl - left if left >= 0 and said.ttl >= left else wall - said.checked_at
    age = max(0.0, age)
    expires_at = now + (left if left >= 0 else (said.ttl or LONGEST_TTL_S) - age)
    if expires_at <= now:
        return None
    checked_at = now - age
    return Word(
        up=said.state == UP,
        since=checked_at - (said.checked_at - said.since),
        checked_at=checked_at,
        reopens_at=checked_at + said.reopens_in,
        expires_at=expires_at,
        by=said.by,
        fault=said.fault,
        latency=said.latency,
    )


def is_about_the_key(kind: Kind) -> bool:
    """Whether a fault may be one key's alone: another key need not meet it."""
    return FAULTS[kind].scope is Scope.ACCOUNT or kind is Kind.RATE_LIMITED


def place_of(endpoint: Endpoint) -> str:
    """Host and port of an endpoint."""
    parts = urlsplit(endpoint.base_url)
    return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def mark_of(endpoint: Endpoint) -> str:
    """A mark by which processes with the same key know each other; 32 bits give no key away."""
    text = f"openrouter-resilient {endpoint.name} {bare_key(endpoint) or ''}"
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def bare_key(endpoint: Endpoint) -> str | None:
    """An endpoint's key itself; for requests to that endpoint, and nothing else."""
    return endpoint.key.get_secret_value() if isinstance(endpoint.key, SecretStr) else None


def _number(found: dict[str, Any], name: str) -> float | None:
    value = found.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _text(found: dict[str, Any], name: str) -> str | None:
    value = found.get(name)
    if not isinstance(value, str):
        return None
    return "".join(char for char in value[:200] if char.isprintable())
