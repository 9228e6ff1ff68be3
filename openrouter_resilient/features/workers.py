"""Who asks the prompts of a batch: threads of this process, or workers of any executor.

The client travels to a worker without its keys, which each worker reads from its own environment,
and is unpacked there once, so that its connections and breakers serve all prompts of that worker.
"""

from __future__ import annotations

import pickle
import secrets
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from functools import lru_cache
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from openrouter_resilient.shapes import Completion
from openrouter_resilient.wire.line import Line
from openrouter_resilient.wire.sockets import LIMIT

if TYPE_CHECKING:
    from openrouter_resilient.client import Client

_HERE: WeakValueDictionary[str, Client] = WeakValueDictionary()
_UNPACKING = threading.Lock()


class Errand:
    """A client and what every prompt of a batch is asked with, ready to travel."""

    def __init__(self, client: Client, params: Mapping[str, Any]) -> None:
        """Take them; workers in this very process will use the client as it is."""
        self._token = secrets.token_hex(8)
        self._client: Client | None = client
        self._packed = b""
        self._params = dict(params)
        _HERE[self._token] = client

    def __getstate__(self) -> dict[str, Any]:
        """Travel with the client packed, once for all prompts."""
        self._packed = self._packed or pickle.dumps(self._client)
        return {**self.__dict__, "_client": None}

    def run(self, number: str, prompt: Any) -> Completion | Exception:
        """Ask one prompt; the answer, or why there is none.

        Args:
            number: tells this question from all others: executors such as Dask's take two calls
                with the same arguments for one.
            prompt: as `Client.complete` takes it.
        """
        del number
        try:
            client = self._client or _HERE.get(self._token)
            if client is None:
                with _UNPACKING:
                    client = _unpacked(self._packed)
            return client.complete(prompt, **self._params)
        except Exception as error:  # noqa: BLE001  one bad prompt must not end a batch; it is kept
            return error.with_traceback(None)


@lru_cache(maxsize=8)  # batches that a worker serves at once
def _unpacked(packed: bytes) -> Client:
    client: Client = pickle.loads(packed)  # noqa: S301  by who sent the code to run, too
    return client


class Threads(Executor):
    """Threads that end with the program, whatever they wait for."""

    def __init__(self, workers: int) -> None:
        """Start them.

        Args:
            workers: how many.
        """
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._lines = [Line() for _ in range(workers)]
        for line in self._lines:
            threading.Thread(
                target=self._work, args=(line,), name="openrouter-map", daemon=True
            ).start()

    def submit(  # type: ignore[override]  # positional arguments are all it is given
        self, fn: Callable[..., Any], /, *args: Any
    ) -> Future[Any]:
        """Have it done by the next thread that is free."""
        future: Future[Any] = Future()

        def task() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args)
            except BaseException as error:  # noqa: BLE001  a future hands over whatever it was
                future.set_exception(error)
            else:
                future.set_result(result)

        self._tasks.put(task)
        return future

    def shutdown(  # its signature is the base class's; there is nothing worth waiting for
        self,
        wait: bool = True,  # noqa: ARG002, FBT001, FBT002
        *,
        cancel_futures: bool = False,
    ) -> None:
        """Let the threads end; what they are doing is cut off where `cancel_futures` says so."""
        for line in self._lines:
            if cancel_futures:
                line.hang_up()
            self._tasks.put(None)

    def _work(self, line: Line) -> None:
        LIMIT.line = line
        while (task := self._tasks.get()) is not None:
            task()
