"""One connection to Redis, and the few things said over it. `redis` is imported here only.

Blocks, and raises `LinkError` for whatever goes wrong; no call waits for it (see `redis_store`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from openrouter_resilient.errors import ConfigurationError
from openrouter_resilient.health.word import HEALTH_KEY, LONGEST_WORD, TRIAL_KEY

if TYPE_CHECKING:
    from redis import Redis

TIMEOUT_S = 1.0  # nobody waits for it but the thread that shares
GET_IT = "pip install 'openrouter_resilient[redis]'"
_PORTS = {"http": 80, "https": 443}  # of proxies
_HOST = re.compile(r"[A-Za-z0-9._:-]+")
# Only whoever took a trial gives it back: one that came to its end after its lease has lapsed must
# not end the next one's.
GIVE_BACK = """
if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0
"""


class LinkError(Exception):
    """Redis could not be used. `about` is "write" if it can still be read."""

    def __init__(self, why: str, *, about: str = "use") -> None:
        """Say why, in words that hold no password."""
        super().__init__(why)
        self.about = about


def check_url(url: str) -> None:
    """Find out whether a URL can be used at all, without connecting.

    Raises:
        ConfigurationError: the `redis` package is not installed, or the URL is malformed.
    """
    try:
        import redis  # noqa: F401, PLC0415  an extra, imported where it is used
    except ImportError:
        raise ConfigurationError(
            f"health is shared through Redis with the redis extra; get it with {GET_IT}"
        ) from None
    parts = _parts(url)
    if parts is None or not (parts.hostname or parts.path.strip("/")) or not _is_usable(url):
        raise ConfigurationError(
            "the Redis URL is malformed; write redis://[user:password@]host[:port][/database], "
            "rediss://… for TLS, or unix:///path/to/socket; in a password / is written %2F, "
            "# %23, ? %3F and @ %40, and of options only those of the redis package are known"
        )


def masked_url(url: str) -> str:
    """Where a server is, if that can surely be told from user and password, which are not shown."""
    parts = _parts(url)
    if parts is not None and parts.scheme == "unix":
        return parts.path
    if parts is not None and parts.scheme in ("redis", "rediss") and not parts.hostname:
        return "localhost"
    if parts is not None and parts.hostname and _HOST.fullmatch(parts.hostname):
        return f"{parts.hostname}:{parts.port or _PORTS.get(parts.scheme, 6379)}"
    return "an address that cannot be read"


def _parts(url: str) -> SplitResult | None:
    """The parts of a URL; None if it is none, or a password may have got into the wrong ones.

    A `/`, `#` or `?` that stands unescaped in a password ends the host there; the `@` is then left
    in what follows.
    """
    with suppress(ValueError):
        parts = urlsplit(url)
        if "://" in url and "@" not in parts.path + parts.query + parts.fragment:
            return parts if parts.port is None or parts.port > 0 else None
    return None


def _is_usable(url: str) -> bool:
    """Whether a connection can be made of it; nothing is connected yet."""
    try:
        client = _client(url, TIMEOUT_S)
        client.connection_pool.make_connection()
        client.close()
    except Exception:  # noqa: BLE001  a border: whatever redis says of an option it does not know
        return False
    return True


def _client(url: str, timeout: float) -> Redis:
    """A client of a Redis; what this module relies on is so whatever the URL's options say."""
    import redis  # noqa: PLC0415  an extra, imported where it is used
    from redis.backoff import NoBackoff  # noqa: PLC0415  the same
    from redis.retry import Retry  # noqa: PLC0415  the same

    client = redis.Redis.from_url(url)
    client.connection_pool.connection_kwargs.update(
        decode_responses=False,
        encoding="utf-8",
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
    )
    return client


class Link:
    """A connection, made when first used and made again after it broke. Not thread-safe."""

    def __init__(self, url: str, timeout: float = TIMEOUT_S) -> None:
        """Connect to nothing yet."""
        self._url = url
        self._timeout = timeout
        self._redis: Redis | None = None

    def read(self, names: Sequence[str]) -> dict[str, tuple[bytes, float]]:
        """What stands under the keys of these endpoints, in one round trip.

        Returns:
            By endpoint: the bytes, and the seconds they will still be kept (negative: no end).
            Nothing for a key that is absent. What is no text comes as no bytes.
        """

        def ask(redis: Redis) -> Any:
            pipe = redis.pipeline(transaction=False)
            for name in names:
                pipe.getrange(HEALTH_KEY + name, 0, LONGEST_WORD)  # no need to read a huge one
                pipe.pttl(HEALTH_KEY + name)
            return pipe.execute(raise_on_error=False)

        replies = self._do(ask)
        found = {}
        for name, data, left_ms in zip(names, replies[::2], replies[1::2], strict=True):
            self._raise_for(left_ms)
            if left_ms != -2:  # the key is there
                text = data if isinstance(data, bytes) else b""
                found[name] = (text, left_ms / 1000 if left_ms >= 0 else -1.0)
        return found

    def write(self, name: str, text: str, seconds: float) -> None:
        """Put a word under an endpoint's key, for so many seconds."""
        self.put(HEALTH_KEY + name, text, seconds)

    def take_trial(self, name: str, token: str, seconds: float) -> bool:
        """Take an endpoint's trial for so many seconds; False if somebody else has it."""
        key, lease_ms = TRIAL_KEY + name, int(seconds * 1000)
        return bool(self._do(lambda redis: redis.set(key, token, nx=True, px=lease_ms)))

    def give_trial_back(self, name: str, token: str) -> None:
        """Let another process try, if this one still has the trial."""
        self._do(lambda redis: redis.eval(GIVE_BACK, 1, TRIAL_KEY + name, token))

    def get(self, key: str) -> bytes | None:
        """The text under any key of ours; None if there is none."""
        found = self._do(lambda redis: redis.get(key))
        return found if isinstance(found, bytes) else None

    def put(self, key: str, text: str, seconds: float) -> None:
        """Keep a text under any key of ours."""
        left_ms = max(1, int(seconds * 1000))
        self._do(lambda redis: redis.set(key, text, px=left_ms))

    def anew(self) -> Link:
        """The same without a connection; for a forked child, which must not close its parent's."""
        return Link(self._url, self._timeout)

    def close(self) -> None:
        """Close the connection; the next use makes a new one."""
        redis, self._redis = self._redis, None
        if redis is not None:
            redis.close()

    def _connected(self) -> Redis:
        if self._redis is None:
            self._redis = _client(self._url, self._timeout)
        return self._redis

    def _do(self, command: Callable[[Redis], Any]) -> Any:
        """Say something, and turn whatever goes wrong into one kind of error."""
        try:
            return command(self._connected())
        except Exception as error:  # noqa: BLE001  a border: redis, sockets, TLS, odd replies
            raise self._link_error(error) from None  # the library's text may hold the URL

    def _raise_for(self, reply: object) -> None:
        if isinstance(reply, Exception):
            raise self._link_error(reply)

    def _link_error(self, error: Exception) -> LinkError:
        from redis.exceptions import (  # noqa: PLC0415  an extra, imported where it is used
            AuthenticationError,
            ConnectionError,  # noqa: A004  theirs, and only here
            ResponseError,
            TimeoutError,  # noqa: A004  the same
        )

        text = str(error)
        if isinstance(error, AuthenticationError) or re.match(r"(NOAUTH|WRONGPASS|NOPERM)", text):
            return LinkError("it does not accept the user or password; mend the URL")
        if isinstance(error, ResponseError):
            word = re.match(r"[A-Za-z]+", text)
            why = _WHY.get(word.group() if word else "", "it refuses what it is told")
            return LinkError(why, about="write")
        self.close()
        if isinstance(error, TimeoutError):
            return LinkError("it does not answer in time")
        if isinstance(error, ConnectionError | OSError):
            return LinkError("it cannot be reached")
        return LinkError(f"its answer cannot be read ({type(error).__name__})")


_WHY = {  # the first word of Redis' own errors
    "OOM": "it is full (OOM); give it more memory or an eviction policy",
    "READONLY": "it is read-only; give the URL of the primary",
    "You": "it is read-only; give the URL of the primary",
    "MISCONF": "it cannot write to its disk (MISCONF)",
    "LOADING": "it is still loading its data",
    "command": "it is full (OOM); give it more memory or an eviction policy",
}
