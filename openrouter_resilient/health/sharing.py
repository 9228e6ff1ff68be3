"""What one client hears from other processes, and tells them: its words put into a process's store.

Says what a word means for this client (its servers, its keys, not its own echo), never how it
travels.
"""

from __future__ import annotations

import itertools
import logging
import os
import socket
from collections.abc import Mapping

from openrouter_resilient.endpoints.table import Endpoint
from openrouter_resilient.errors import ConfigurationError
from openrouter_resilient.health.redis_link import check_url
from openrouter_resilient.health.redis_store import Found, RedisStore, store_for
from openrouter_resilient.health.word import (
    DOWN,
    UP,
    Rubbish,
    Said,
    heard,
    is_about_the_key,
    mark_of,
    place_of,
    read_word,
)
from openrouter_resilient.routing.breaker import TRIAL_LEASE_S
from openrouter_resilient.routing.shared import Turn, Word
from openrouter_resilient.settings import REDIS_VARIABLE
from openrouter_resilient.wire.clock import Clock, SystemClock

LOG = logging.getLogger("openrouter_resilient.health")
HOST = socket.gethostname()
TOLD_FOR_S = 60.0  # longer than the longest cooldown (20 s) and its trial; then nobody knows
_NUMBERS = itertools.count(1)


class RedisSharing:
    """Health that a client shares through Redis; the `SharedHealth` of the routing layer."""

    def __init__(
        self, store: RedisStore, endpoints: Mapping[str, Endpoint], clock: Clock | None = None
    ) -> None:
        """Take part.

        Args:
            store: this process's.
            endpoints: those whose health is of interest.
            clock: for tests.
        """
        self._store = store
        self._endpoints = endpoints
        self._clock = clock or SystemClock()
        self._number = next(_NUMBERS)
        self._found: Found | None = None
        self._words: Mapping[str, Word] = {}
        self._odd: set[str] = set()
        store.follow(endpoints)

    def words(self) -> Mapping[str, Word]:
        """What others say, by endpoint; the same object as long as nothing new was read."""
        found = self._store.found()
        if found is not self._found:
            me = self._me()
            said = self._understood(found)
            self._words = {name: word for name, word in said.items() if word.by != me}
            self._found = found  # last: another thread may be here, too
        return self._words

    def everything(self) -> Mapping[str, Word]:
        """The same, with what this client said itself."""
        return self._understood(self._store.found())

    def wait(self, seconds: float) -> None:
        """Wait for what is being read; for a command that has nothing else to do."""
        self._store.wait(seconds)

    def tell(self, endpoint: str, turn: Turn | None) -> None:
        """Tell of a turn, or None, at the end of a trial; it also gives the trial back."""
        if turn is not None and self._is_worth_telling(endpoint, turn):
            self._say(endpoint, turn)
        self._store.give_trial_back(endpoint, self._me())

    def grants(self, endpoint: str) -> bool:
        """Take the one trial that all processes share; False if another process has it."""
        word = self.words().get(endpoint)
        if word is not None and word.up and self._clock.now() < word.expires_at:
            return True  # somebody has tried already
        return self._store.take_trial(endpoint, self._me(), TRIAL_LEASE_S)

    def close(self) -> None:
        """Hold no connection until one is needed again."""
        self._store.close()

    def _is_worth_telling(self, endpoint: str, turn: Turn) -> bool:
        """News is; so is a failed trial, unless the endpoint serves everybody else."""
        word = self._words.get(endpoint)
        return turn.news or word is None or not word.up

    def _say(self, endpoint: str, turn: Turn) -> None:
        now, wall = self._clock.now(), self._clock.wall()
        row, before = self._endpoints[endpoint], self._words.get(endpoint)
        since, expires_at = turn.since, now + TOLD_FOR_S
        if before is not None and now < before.expires_at:
            expires_at = max(expires_at, before.expires_at)  # a probe's word counts for longer
            if before.up == turn.up:
                since = min(since, before.since)
        kind = turn.fault.kind if turn.fault and not turn.up else None
        said = Said(
            state=UP if turn.up else DOWN,
            since=wall - (now - since),
            checked_at=wall,
            ttl=expires_at - now,
            by=self._me(),
            latency=turn.latency,
            fault=kind.value if kind else None,
            reopens_in=0.0 if turn.up else max(0.0, turn.reopens_at - now),
            place=place_of(row),
            account=mark_of(row) if kind and is_about_the_key(kind) else None,
        )
        self._store.write(endpoint, said.json(), expires_at)

    def _understood(self, found: Found) -> dict[str, Word]:
        words = {}
        for name, (data, left, read_at) in found.words.items():
            row = self._endpoints.get(name)
            said = self._read(name, data) if row is not None else None
            if row is None or said is None or not said.concerns(row):
                continue
            wall = self._clock.wall() - (self._clock.now() - read_at)
            word = heard(said, left=left, now=read_at, wall=wall)
            if word is not None:
                words[name] = word
        return words

    def _read(self, name: str, data: bytes) -> Said | None:
        """The word under an endpoint's key; one that is none is told of once and passed over."""
        try:
            return read_word(data)
        except Rubbish as rubbish:
            if name not in self._odd:
                self._odd.add(name)
                LOG.warning(
                    "Redis holds something else under the key of %s (%s); it is passed over",
                    name,
                    rubbish,
                )
            return None

    def _me(self) -> str:
        """Who says so; worked out each time, since a forked child is somebody else."""
        return f"call {HOST}:{os.getpid()}.{self._number}"


def share(url: str, endpoints: Mapping[str, Endpoint], *, chosen: bool) -> RedisSharing | None:
    """Take part in what processes share through a Redis.

    Args:
        url: the Redis.
        endpoints: those whose health is of interest.
        chosen: it was given in code. One from the environment may be meant for somebody else: that
            it cannot be used is warned of, and calls go on without.

    Raises:
        ConfigurationError: the chosen one cannot be used.
    """
    try:
        check_url(url)
    except ConfigurationError as error:
        if chosen:
            raise
        LOG.warning("%s is set, and cannot be used: %s", REDIS_VARIABLE, error)
        return None
    return RedisSharing(store_for(url), endpoints)
