"""Round after round: probe, keep a record, tell every process, tell people of changes, and beat.

Nothing here stops the probing: a Redis, a file or a receiver that fails is told of once.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from openrouter_resilient.health.changes import Alert, Memory, changes, read_memory
from openrouter_resilient.health.channels import Channel, Undelivered, deliver
from openrouter_resilient.health.parallel import in_parallel
from openrouter_resilient.health.probe import Probed, probe, words_of
from openrouter_resilient.health.redis_link import Link, LinkError, masked_url
from openrouter_resilient.health.word import LONGEST_TTL_S, Rubbish, Said, read_word
from openrouter_resilient.wire.clock import Clock, SystemClock

if TYPE_CHECKING:
    from openrouter_resilient.client import Client

LOG = logging.getLogger("openrouter_resilient.health")
MEMORY_KEY = "openrouter-resilient:told"
MOST_UNDELIVERED = 20  # of older ones nobody wants to hear any more


class Prober:
    """Goes on probing a client's plan."""

    def __init__(  # noqa: PLR0913  what a prober works with, all by name
        self,
        client: Client,
        *,
        redis_url: str | None = None,
        folder: Path | None = None,
        channels: Sequence[Channel] = (),
        beat: Callable[[], None] | None = None,
        seconds: float = 10.0,
        every: float = 300.0,
        clock: Clock | None = None,
    ) -> None:
        """Make it ready.

        Args:
            client: its routes are probed, and its ledger keeps what is found.
            redis_url: where the words go; None keeps them here.
            folder: where is remembered what people were told; None: the user's state folder, if
                there is one.
            channels: how people are told.
            beat: fetches the heartbeat.
            seconds: for each probe.
            every: seconds between two rounds; how long a word counts follows from it.
            clock: for tests.
        """
        self._client = client
        self._link = Link(redis_url) if redis_url else None
        self._place = masked_url(redis_url) if redis_url else ""
        kept_in = folder or state_folder()
        self._file = kept_in / "told.json" if kept_in else None
        self._channels = channels
        self._beat = beat
        self._seconds = seconds
        self._every = every
        self._clock = clock or SystemClock()
        self._said: set[str] = set()
        self._memory = Memory()

    def round(self) -> tuple[Probed, ...]:
        """Probe once, and tell of it."""
        found = probe(self._client, seconds=self._seconds)
        self._record(found)
        self._share(found)
        memory = self._recall()
        memory, alerts = changes(memory, found, self._clock.wall())
        self._remember(memory)  # before anything is sent: a crash must not tell everything again
        self._remember(replace(memory, undelivered=self._tell(memory, alerts)))
        if self._beat is not None and all(probed.up for probed in found):
            self._attempt("heartbeat", self._beat)
        return found

    def close(self) -> None:
        """Close the connection to Redis."""
        if self._link is not None:
            self._link.close()

    def _record(self, found: Sequence[Probed]) -> None:
        """Keep what was found in the ledger: as probes, which are nobody's calls."""
        for probed in found:
            if probed.asked:
                self._client.ledger.probe(
                    probed.endpoint, route=probed.route, fault=probed.fault,
                    seconds=probed.seconds, started_at=probed.started_at,
                )  # fmt: skip

    def _share(self, found: Sequence[Probed]) -> None:
        """Write what was found where every process reads it."""
        endpoints = self._client.endpoints
        names = list(dict.fromkeys(probed.endpoint for probed in found))
        if self._link is None:
            return
        try:
            before = _words(self._link.read(names))
            words = words_of(found, endpoints, before, wall=self._clock.wall(), every=self._every)
            for name, said in words.items():
                self._link.write(name, said.json(), said.ttl)
        except LinkError as error:
            self._complain(
                "redis", f"Redis at {self._place}: {error}. Other processes hear nothing"
            )
        else:
            self._said.discard("redis")

    def _tell(self, memory: Memory, alerts: Sequence[Alert]) -> tuple[tuple[str, Alert], ...]:
        """Deliver to every channel at once; what is left for the next round."""
        late: dict[str, list[Alert]] = {channel.name: [] for channel in self._channels}
        for name, alert in memory.undelivered:
            if name in late:
                late[name].append(alert)
        jobs = [(c, [*late[c.name], *alerts]) for c in self._channels if late[c.name] or alerts]
        sent = in_parallel(
            [partial(self._attempt, c.name, partial(deliver, c, wanted)) for c, wanted in jobs]
        )
        left = [
            (channel.name, alert)
            for (channel, wanted), taken in zip(jobs, sent, strict=True)
            if not taken
            for alert in wanted
        ]
        return tuple(left[-MOST_UNDELIVERED:])

    def _attempt(self, name: str, send: Callable[[], None]) -> bool:
        try:
            send()
        except Exception as error:  # noqa: BLE001  no alert is worth the probing
            kind = f"it could not be sent ({type(error).__name__})"  # whose words may hold anything
            why = error if isinstance(error, Undelivered) else kind
            self._complain(name, f"{name}: {why}. It is tried again after the next round")
            return False
        self._said.discard(name)
        return True

    def _recall(self) -> Memory:
        """What people were told last: by Redis, where every prober keeps it, or by the file."""
        kept = [_content(self._file) if self._file else ""]
        if self._link is not None:
            with suppress(LinkError):  # it was complained of when the words were written
                kept.append((self._link.get(MEMORY_KEY) or b"").decode(errors="replace"))
        # This process' own comes first: it may be that neither of them could be written.
        return max(self._memory, *map(read_memory, kept), key=lambda memory: memory.at)

    def _remember(self, memory: Memory) -> None:
        self._memory, text = memory, memory.json()
        try:
            _write(self._file, text)
        except OSError as error:
            where = self._file or "the state folder of a user without a home"
            why = f"{where} cannot be written ({error.strerror}); people may be told twice"
            self._complain("file", why)
        if self._link is not None:
            try:
                self._link.put(MEMORY_KEY, text, LONGEST_TTL_S)
            except LinkError:
                return  # the file has it

    def _complain(self, about: str, text: str) -> None:
        """Say it once, until it has gone well again."""
        if about not in self._said:
            self._said.add(about)
            LOG.warning("%s", text)


def state_folder() -> Path | None:
    """Where programs of this user keep what they remember (the XDG base directories).

    None where the user has no home: in a container the user's number may be nobody's.
    """
    base = os.environ.get("XDG_STATE_HOME", "")
    try:
        root = Path(base) if base.startswith("/") else Path("~/.local/state").expanduser()
    except RuntimeError:
        return None
    return root / "openrouter-resilient"


def _words(found: Mapping[str, tuple[bytes, float]]) -> dict[str, Said]:
    words = {}
    for name, (data, _left) in found.items():
        with suppress(Rubbish):  # it is about to be overwritten
            words[name] = read_word(data)
    return words


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _write(path: Path | None, text: str) -> None:
    """Put a text into a file, whole or not at all.

    Raises:
        OSError: it cannot be written, or there is no place for it.
    """
    if path is None:
        raise FileNotFoundError(errno.ENOENT, "set XDG_STATE_HOME or HOME")
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}")
    new.write_text(text, encoding="utf-8")
    new.replace(path)
