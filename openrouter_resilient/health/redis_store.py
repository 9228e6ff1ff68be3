"""One Redis for a whole process: read at most once a second, and never in a call's way.

A thread of its own talks to Redis, and calls wait for it 50 ms at the most. Name resolution cannot
be interrupted, a new connection over TLS may take a second, and a stopped server takes as long as
it likes: in the calling thread no time limit would hold. The thread works only when it is asked
(an idle process is quiet) and goes away after ten seconds without a call; it alone touches the
connection. Once Redis was late, nobody waits for it until it has been quick again.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakSet, WeakValueDictionary

from openrouter_resilient.health.redis_link import Link, LinkError, masked_url
from openrouter_resilient.wire.clock import monotonic

LOG = logging.getLogger("openrouter_resilient.health")
FRESH_S = 1.0  # how old what was read may be before it is read again
STALE_S = 2.0  # older than this it is worth every call's waiting
LONGEST_WAIT_S = 0.05  # what sharing may cost a call that meets a Redis in trouble
IDLE_S = 10.0  # without a call the thread ends, and closes the connection
SAID_FOR_S = 60.0  # a trouble that comes and goes is told once a minute at the most


@dataclass(frozen=True)
class Found:
    """What stood in Redis, by endpoint: the bytes, the seconds left to them, and when that was."""

    words: Mapping[str, tuple[bytes, float, float]] = field(default_factory=dict)
    read_at: float = float("-inf")


class _Job:
    """Something the thread is to do, and a place to wait for it."""

    def __init__(self, do: Callable[[Link], Any], asked_at: float) -> None:
        self._do = do
        self.asked_at = asked_at
        self.begun = False
        self.done = threading.Event()
        self.result: Any = None

    def run(self, link: Link) -> None:
        try:
            self.result = self._do(link)
        finally:
            self.done.set()

    def late(self) -> bool:
        """Wait until 50 ms after it was asked for; whether it was not done by then."""
        return not self.done.wait(max(0.0, self.asked_at + LONGEST_WAIT_S - monotonic()))


class RedisStore:
    """What this process knows of a Redis, and tells it. Thread-safe."""

    def __init__(self, url: str) -> None:
        """Connect to nothing yet."""
        self._link = Link(url)
        self._place = masked_url(url)
        self._names: tuple[str, ...] = ()
        self._found = Found()
        self._said: dict[str, float] = {}
        self._begin()
        _STORES.add(self)

    def _begin(self) -> None:
        self._wake = threading.Condition()
        self._jobs: deque[_Job] = deque()
        self._thread: threading.Thread | None = None
        self._words: dict[str, tuple[str, float]] = {}  # to be written: the text, and its end
        self._trials: set[tuple[str, str]] = set()  # to be given back: of whom, and the token
        self._reading: _Job | None = None
        self._writing: _Job | None = None
        self._asked_at = float("-inf")
        self._quick = True
        self._resting = False

    def renew(self) -> None:
        """In a forked child: neither the parent's thread nor its connection is of any use."""
        self._link = self._link.anew()
        self._begin()

    def follow(self, names: Iterable[str]) -> None:
        """Read the words of these endpoints, too, and begin with that: a call will want them."""
        with self._wake:
            self._names = tuple(dict.fromkeys((*self._names, *names)))
        self._ask_to_read(monotonic())

    def found(self) -> Found:
        """What stands in Redis, read within the last second if that can be had within 50 ms.

        In a busy process one call a second waits for it, and the others go on with what is known.
        """
        now = monotonic()
        asked = now - self._asked_at >= FRESH_S and self._ask_to_read(now)
        reading = self._reading
        must_know = asked or now - self._found.read_at > STALE_S
        if must_know and reading is not None and not reading.done.is_set():
            self._wait(reading)
        return self._found

    def wait(self, seconds: float) -> None:
        """Wait for the reading under way; for a command that has nothing else to do."""
        reading = self._reading
        if reading is not None:
            reading.done.wait(seconds)

    def write(self, name: str, text: str, expires_at: float) -> None:
        """Put a word under an endpoint's key. If that fails it is tried again until it expires.

        Nobody waits for that. What other clients of this process know has it at once.
        """
        with self._wake:
            self._words[name] = (text, expires_at)
            self._found = self._with_ours_locked(self._found.words, self._found.read_at)
        self._ask_to_write()

    def take_trial(self, name: str, token: str, seconds: float) -> bool:
        """Take the trial that all share.

        False also where that is not known within 50 ms: another process may well be trying. True
        where Redis is known to be late or gone: then this process goes by what it knows itself.
        """
        if not self._quick:
            return True
        with self._wake:
            self._trials.discard((name, token))  # an earlier one, which could not be given back
        job = self._post(lambda link: self._try("write", link.take_trial, name, token, seconds))
        if self._wait(job):
            return job.result is not False
        # Should it still be granted: this comes after it, in the order of asking.
        self._post(lambda link: self._try("write", link.give_trial_back, name, token))
        return False

    def give_trial_back(self, name: str, token: str) -> None:
        """Let another process try; nobody waits for that."""
        with self._wake:
            self._trials.add((name, token))
        self._ask_to_write()

    def close(self) -> None:
        """Let the thread end, with what it is still to do, and close the connection.

        The next need makes both anew.
        """
        with self._wake:
            self._resting = True
            self._wake.notify()
            thread = self._thread
        if thread is not None:
            thread.join(LONGEST_WAIT_S)

    def _ask_to_read(self, now: float) -> bool:
        """Have it read; False if another call has just asked, or is still being answered."""
        with self._wake:
            busy = self._reading is not None and not self._reading.done.is_set()
            if busy or now - self._asked_at < FRESH_S:
                return False
            self._asked_at = now
            self._reading = self._post(self._read)
            return True

    def _ask_to_write(self) -> None:
        """Have everything written that is to be; one job does, however long Redis is gone."""
        with self._wake:
            if self._writing is None or self._writing.begun:
                self._writing = self._post(self._write)

    def _with_ours_locked(
        self, words: Mapping[str, tuple[bytes, float, float]], read_at: float
    ) -> Found:
        """What was read, and over it what is still to be written."""
        now = monotonic()
        ours = {
            name: (text.encode(), expires_at - now, now)
            for name, (text, expires_at) in self._words.items()
            if expires_at > now
        }
        return Found({**words, **ours}, read_at)

    def _post(self, do: Callable[[Link], Any]) -> _Job:
        job = _Job(do, monotonic())
        with self._wake:
            self._jobs.append(job)
            self._resting = False
            if self._thread is not None or self._begin_to_work_locked():
                self._wake.notify()
                return job
            self._jobs.remove(job)
            job.begun = True  # what it was to write, the next reading writes
            job.done.set()
        self._complain(LinkError("no thread can be started that talks to it"))
        return job

    def _begin_to_work_locked(self) -> bool:
        """Start the thread; False if the process may have no more of them just now."""
        self._thread = threading.Thread(target=self._work, name="openrouter-redis", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            self._thread = None
            return False
        return True

    def _wait(self, job: _Job) -> bool:
        """Wait for 50 ms, but not at all while Redis is late or gone; whether it is done."""
        if not self._quick:
            return job.done.is_set()
        if job.late():
            self._quick = False
            return False
        return True

    # in the thread

    def _work(self) -> None:
        while (job := self._next()) is not None:
            began = monotonic()
            job.run(self._link)
            if job.result is not None:
                self._quick = monotonic() - began < LONGEST_WAIT_S

    def _next(self) -> _Job | None:
        with self._wake:
            self._wake.wait_for(lambda: self._jobs or self._resting, IDLE_S)
            if self._jobs:
                job = self._jobs.popleft()
                job.begun = True
                return job
            self._link.close()
            self._thread = None
            return None

    def _read(self, link: Link) -> bool | None:
        words = self._try("use", link.read, self._names)
        if words is None:
            return None
        now = monotonic()
        with self._wake:
            read = {name: (*word, now) for name, word in words.items()}
            self._found = self._with_ours_locked(read, now)
        if self._words or self._trials:  # what could not be written while Redis was in trouble
            self._write(link)
        return True

    def _write(self, link: Link) -> bool | None:
        """Write the newest word of each endpoint, and give trials back; None if that failed."""
        with self._wake:
            words, trials = dict(self._words), set(self._trials)
        for name, (text, expires_at) in words.items():
            left = expires_at - monotonic()
            if left > 0 and self._try("write", link.write, name, text, left) is None:
                return None
            with self._wake:
                if self._words.get(name) == (text, expires_at):
                    del self._words[name]
        for name, token in trials:
            if self._try("write", link.give_trial_back, name, token) is None:
                return None
            with self._wake:
                self._trials.discard((name, token))
        return True

    def _try(self, what: str, do: Callable[..., Any], *args: Any) -> Any:
        """Do it; None if it failed, which is told once."""
        try:
            result = do(*args)
        except LinkError as error:
            self._quick = self._quick and error.about == "write"
            self._complain(error)
            return None
        self._recover(what)
        return True if result is None else result

    def _complain(self, error: LinkError) -> None:
        """Say it once, and again only if it comes back after a minute of being well."""
        if error.about in self._said:
            self._said[error.about] = float("inf")
            return
        self._said[error.about] = float("inf")
        LOG.warning(
            "Redis at %s: %s. Calls go on with what this process knows%s",
            self._place,
            error,
            " and what others say" if error.about == "write" else "",
        )

    def _recover(self, what: str) -> None:
        if not self._said:
            return
        now = monotonic()
        for about in ("use", "write") if what == "write" else ("use",):
            if about not in self._said:
                continue
            if self._said[about] == float("inf"):
                self._said[about] = now + SAID_FOR_S
                LOG.info("Redis at %s is of use again", self._place)
            elif self._said[about] <= now:
                del self._said[about]


def store_for(url: str) -> RedisStore:
    """The store of this process for a Redis, made when it is first needed."""
    with _LOCK:
        store = _BY_URL.get(url)
        if store is None:
            store = _BY_URL[url] = RedisStore(url)
        return store


_BY_URL: WeakValueDictionary[str, RedisStore] = WeakValueDictionary()
_STORES: WeakSet[RedisStore] = WeakSet()
_LOCK = threading.Lock()


def _at_exit() -> None:
    """What a script found in its last moment is written, if that is quick."""
    for store in list(_STORES):
        store.close()


def _after_fork() -> None:
    global _LOCK  # noqa: PLW0603  the parent's may be held by a thread that is not here
    _LOCK = threading.Lock()
    for store in _STORES:
        store.renew()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_after_fork)
