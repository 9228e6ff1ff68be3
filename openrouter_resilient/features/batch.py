"""Many prompts, in order: who is asked next, what has come, and what is still to come.

One thread (the caller's) decides; workers only ask. It knows nothing of files, bars and sockets.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import CancelledError, Executor, Future
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from openrouter_resilient.errors import CallFailed, ConfigurationError, SpendingCapReached
from openrouter_resilient.features.checkpoint import Checkpoint, digest_of
from openrouter_resilient.features.pacing import Pace
from openrouter_resilient.features.progress import Progress
from openrouter_resilient.features.spending import Spending
from openrouter_resilient.features.workers import Errand, Threads
from openrouter_resilient.routing.faults import Kind
from openrouter_resilient.served import AttemptRecord
from openrouter_resilient.shapes import Completion

if TYPE_CHECKING:
    from openrouter_resilient.client import Client

Result = Completion | Exception
MOST_TURNS = 5  # how often a prompt is asked that nobody answers because of rate limits
LOOK_EVERY_S = 1.0  # so that Ctrl-C is noticed where waiting for a queue cannot be interrupted


class BatchInterrupted(KeyboardInterrupt):
    """Ctrl-C came in the middle of a batch.

    Attributes:
        results: what had come by then, in the order of the prompts; None for what had not.
    """

    def __init__(self, results: list[Result | None]) -> None:
        """Keep what has come."""
        done = sum(result is not None for result in results)
        super().__init__(
            f"{done:,} of {len(results):,} prompts were done; .results has what came. "
            "With checkpoint=… the same line goes on where it stopped"
        )
        self.results = results


@dataclass(frozen=True)
class Way:
    """How a batch is to be gone through; see `Client.map`."""

    workers: int = 8
    checkpoint: Path | str | None = None
    executor: Executor | None = None
    progress: bool = True
    max_cost: float | None = None


def ask_all(
    client: Client, prompts: Iterable[Any], params: Mapping[str, Any], *, way: Way
) -> list[Result]:
    """See `Abilities.map`."""
    if not isinstance(way.workers, int) or way.workers < 1:
        raise ConfigurationError(f"workers must be at least 1, not {way.workers!r}")
    if isinstance(prompts, str):
        raise TypeError("map takes a list of prompts; for one, call client.complete(…)")
    if way.executor is not None and not isinstance(way.executor, Executor):
        kind = type(way.executor).__name__
        raise TypeError(f"executor must be a concurrent.futures.Executor, not {kind}")
    listed = list(map(_listed, prompts))
    with ExitStack() as stack:
        kept = stack.enter_context(Checkpoint(way.checkpoint)) if way.checkpoint else None
        bar = Progress(len(listed), client._carrier.clock, shown=way.progress)
        stack.callback(bar.close)
        batch = _Batch(client, listed, params, way=way, bar=bar)
        if kept is not None:
            batch.resume(kept)
        return batch.run()


class _Batch:
    """The state of one run."""

    def __init__(
        self,
        client: Client,
        prompts: list[Any],
        params: Mapping[str, Any],
        *,
        way: Way,
        bar: Progress,
    ) -> None:
        self._client = client
        self._prompts = prompts
        self._params = params
        self._errand = Errand(client, params)
        self._executor = way.executor
        self._clock = client._carrier.clock
        self._bar = bar
        self._pace = Pace(way.workers)
        self._workers = min(way.workers, len(prompts))
        self._spending = None if way.max_cost is None else Spending(way.max_cost, "this batch")
        self._results: list[Result | None] = [None] * len(prompts)
        self._pending: deque[int] = deque()
        self._turns = [0] * len(prompts)
        self._digests: list[str | None] = [None] * len(prompts)
        self._kept: Checkpoint | None = None
        self._flying: dict[int, tuple[Future[Result], float]] = {}
        self._landed: SimpleQueue[tuple[int, Result, OSError | None]] = SimpleQueue()
        for number, prompt in enumerate(prompts):
            if isinstance(prompt, Exception):
                self._settle(number, prompt, cost=0.0)
            else:
                self._pending.append(number)

    def resume(self, kept: Checkpoint) -> None:
        """Take from an earlier run what it has, and add to it what comes."""
        self._kept = kept
        missing: deque[int] = deque()
        for number in self._pending:
            digest = self._digests[number] = self._digest(self._prompts[number])
            known = kept.take(digest) if digest else None
            if known is None:
                missing.append(number)
            else:
                self._settle(number, known, cost=0.0)
        self._pending = missing

    def _digest(self, prompt: Any) -> str | None:
        """What the checkpoint knows a prompt by; None for one that asking will refuse."""
        try:
            return digest_of(self._client, prompt, self._params)
        except (TypeError, ValueError, OSError):
            return None

    def run(self) -> list[Result]:
        with ExitStack() as stack:
            executor = self._executor
            if executor is None and self._pending:
                executor = Threads(self._workers)
                stack.callback(executor.shutdown, cancel_futures=True)
            try:
                if executor:
                    self._go_through(executor)
            except BaseException as error:
                for future, _ in self._flying.values():
                    future.cancel()
                if isinstance(error, KeyboardInterrupt):
                    raise self._interrupted() from None
                raise
        return [result for result in self._results if result is not None]

    def _go_through(self, executor: Executor) -> None:
        while self._pending or self._flying:
            self._send(executor)
            self._land()

    def _send(self, executor: Executor) -> None:
        """As many as may be under way now."""
        now = self._clock.now()
        while (
            self._pending and len(self._flying) < self._pace.width and now >= self._pace.resume_at
        ):
            number = self._pending.popleft()
            try:
                if self._spending is not None:
                    self._spending.check(())
                self._turns[number] += 1
                task = f"{id(self)}-{number}-{self._turns[number]}"
                future = executor.submit(self._errand.run, task, self._prompts[number])
            except (SpendingCapReached, RuntimeError) as error:  # the executor was shut down, say
                self._settle(number, error, cost=0.0)
                continue
            self._flying[number] = future, now
            future.add_done_callback(partial(self._came, number))

    def _came(self, number: int, future: Future[Result]) -> None:
        """In the worker's thread: keep an answer before anything else can happen to it."""
        result: Result
        trouble: OSError | None = None
        try:
            result = future.result()
        except (Exception, CancelledError) as error:  # noqa: BLE001  the executor's own, kept
            result = error
        except BaseException:  # noqa: BLE001  it was cut off, and nobody waits for it
            return
        digest = self._digests[number]
        if self._kept is not None and digest and isinstance(result, Completion):
            try:
                self._kept.add(digest, result)
            except OSError as error:
                trouble = error
        self._landed.put((number, result, trouble))

    def _land(self) -> None:
        """Wait for a result, or until it is time to send more."""
        if not self._flying and not self._pending:
            return
        pause = self._pace.resume_at - self._clock.now()
        try:
            timeout = min(LOOK_EVERY_S, pause) if pause > 0 else LOOK_EVERY_S
            number, result, trouble = self._landed.get(timeout=timeout)
        except Empty:
            return
        _, asked_at = self._flying.pop(number)
        if trouble is not None:
            self._results[number] = result
            raise trouble
        cost = _cost(result)
        if self._spending is not None:
            self._spending.add(cost)
        if self._must_wait(result, asked_at) and self._turns[number] < MOST_TURNS:
            self._pending.appendleft(number)
        else:
            self._settle(number, result, cost=cost)

    def _must_wait(self, result: Result, asked_at: float) -> bool:
        """Keep pace with the servers; whether this prompt is to be asked again later."""
        now = self._clock.now()
        if not any(attempt.fault == Kind.RATE_LIMITED.value for attempt in _trail(result)):
            if isinstance(result, Completion):
                self._pace.answered()
            return False
        self._pace.slow_down(asked_at, now)
        return isinstance(result, CallFailed) and self._pace.pause(now, result.retry_after)

    def _settle(self, number: int, result: Result, *, cost: float) -> None:
        self._results[number] = result
        self._bar.add(result, cost)

    def _interrupted(self) -> BatchInterrupted:
        while True:
            try:
                number, result, _ = self._landed.get_nowait()
            except Empty:
                return BatchInterrupted(list(self._results))
            if not isinstance(result, CancelledError):
                self._results[number] = result


def _listed(prompt: Any) -> Any:
    """A prompt that can be gone through as often as needed: for a checkpoint, and in each turn.

    What an iterator raises stands in its place.
    """
    if not isinstance(prompt, Iterator):
        return prompt
    try:
        return list(prompt)
    except Exception as error:  # noqa: BLE001  one bad prompt must not end a batch; it is kept
        return error


def _trail(result: Result) -> tuple[AttemptRecord, ...]:
    """Every request that was made for it."""
    if isinstance(result, Completion):
        return result.served.attempts
    history: tuple[AttemptRecord, ...] = getattr(result, "history", ())
    return history


def _cost(result: Result) -> float:
    """USD that its requests reported."""
    return sum(attempt.cost or 0.0 for attempt in _trail(result))
