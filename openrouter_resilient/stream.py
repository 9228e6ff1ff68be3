"""Text as it comes. Nothing that was handed over is ever generated again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from openrouter_resilient.errors import StreamInterrupted
from openrouter_resilient.routing.faults import Broken, Fault
from openrouter_resilient.served import Served
from openrouter_resilient.shapes import Completion, Delta
from openrouter_resilient.wire.exchange import Exchange

if TYPE_CHECKING:
    from typing_extensions import Self

Ended = Callable[[Exchange, Fault | None], tuple[Served, Fault | None]]
Dropped = Callable[[Exchange], None]


class Stream:
    """An answer that is still being given. Iterate it for text, or call `deltas()` for everything.

    Use it as a context manager, so that leaving early ends the generation (and, where the provider
    supports that, its cost). At the end of a notebook's cell it is shown there as it comes. Not to
    be shared between threads.

    Example:
        with client.stream("Tell me about the Danube.") as stream:
            for text in stream:
                print(text, end="", flush=True)
        print(stream.served)
    """

    def __init__(
        self, exchange: Exchange, ready: list[Delta], ended: Ended, dropped: Dropped
    ) -> None:
        """Take over an exchange whose first deltas have come.

        Args:
            exchange: the attempt that answers.
            ready: what has come of it.
            ended: called once, when it has ended, with the fault if it broke; gives the record and
                the fault as it may be told, without a key that a server echoed.
            dropped: called instead, when it is garbage collected and nobody has ended it.
        """
        self._exchange = exchange
        self._ready = iter(ready)  # what nobody has been handed yet, whoever iterates
        self._ended = ended
        self._dropped = dropped
        self._completion: Completion | None = None

    def __iter__(self) -> Iterator[str]:
        """The pieces of text as they come.

        Raises:
            StreamInterrupted: it broke; `.partial` has what came before.
        """
        for delta in self.deltas():
            if delta.text:
                yield delta.text

    def deltas(self) -> Iterator[Delta]:
        """Everything as it comes: text, reasoning, pieces of tool calls.

        Raises:
            StreamInterrupted: it broke; `.partial` has what came before.
        """
        while True:
            yield from self._ready
            if self._completion is not None:
                return
            try:
                if self._exchange.done:
                    self._exchange.so_far()  # and if it holds odd values, say so
                    self._end(None)
                    return
                self._ready = iter(self._exchange.advance())
            except Broken as broken:
                raise self._broken(broken.fault) from None  # its message says all of it
            except (
                BaseException
            ):  # Ctrl-C above all: leave no connection behind, and let it through
                self._exchange.close()
                raise

    @property
    def completion(self) -> Completion:
        """The whole answer; what has not come yet is waited for.

        Raises:
            StreamInterrupted: it broke; `.partial` has what came before.
        """
        for _ in self.deltas():
            pass
        assert self._completion is not None  # noqa: S101  the loop ends with it, or raises
        return self._completion

    @property
    def served(self) -> Served:
        """Who answers; what has not come yet is waited for."""
        return self.completion.served

    def close(self) -> None:
        """Stop here. `.completion` is what has come; asking for more gives nothing."""
        if self._completion is None:
            self._ready = iter(())
            self._end(None)

    def __enter__(self) -> Self:
        """Close it at the end of the block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def __del__(self) -> None:
        """Leave a record of a stream that nobody closed; its connection closes with it."""
        if self._completion is None:
            self._dropped(self._exchange)

    def _ipython_display_(self) -> None:
        """Show it in a notebook's cell as it comes, and at its end who gave it.

        Raises:
            NotImplementedError: this is no notebook, so that its repr is shown instead.
            StreamInterrupted: it broke; what came before it is shown.
        """
        from openrouter_resilient.live import follow, in_notebook  # noqa: PLC0415  for notebooks

        if not in_notebook():
            raise NotImplementedError
        with self:
            follow(self.deltas(), self._bundle)

    def _bundle(self) -> dict[str, str]:
        so_far = self._completion or self._exchange.handed_over()
        return {"text/html": so_far._repr_html_(), "text/plain": so_far.text}

    def __repr__(self) -> str:
        """Say whether it has ended, never what it says."""
        return f"<Stream, {'open' if self._completion is None else 'ended'}>"

    def _end(self, fault: Fault | None) -> tuple[Completion, Fault | None]:
        """Keep what has come, with its record."""
        served, told = self._ended(self._exchange, fault)
        completion = self._completion = self._exchange.handed_over()
        completion._served = served  # noqa: SLF001  one package; users may only read it
        return completion, told

    def _broken(self, fault: Fault) -> StreamInterrupted:
        partial, told = self._end(fault)
        served = partial.served
        error = StreamInterrupted(
            f"the stream from {served.endpoint} broke after {len(partial.text)} characters, "
            f"{told}. What came is in .partial; ask again if a new answer may begin",
            history=served.attempts,
        )
        error.partial = partial
        return error
