"""Server-sent events from bytes that were cut anywhere. No I/O.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream.
One departure: bytes that are no UTF-8 are a fault here, since a text with holes is a wrong answer.
"""

from __future__ import annotations

from openrouter_resilient.routing.faults import Fault, Kind

MAX_EVENT_BYTES = 8 * 1024 * 1024  # an image comes as one event of a few megabytes
BOM = b"\xef\xbb\xbf"


class SSEDecoder:
    """Bytes in, the data of whole events out. How the bytes were cut never changes the result.

    Attributes:
        fault: why nothing more can be read; the events before it have been handed out.
    """

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        """Begin before the first byte."""
        self.fault: Fault | None = None
        self._limit = max_event_bytes
        self._buffer = bytearray()
        self._begun = False
        self._after_cr = False

    @property
    def midway(self) -> bool:
        """An event has begun and has not come to its end."""
        return bool(self._buffer.strip(b"\n"))

    def feed(self, data: bytes) -> list[str]:
        """Take bytes as they came, and return the data of the events that they complete."""
        if self.fault is not None:
            return []
        searched = len(self._buffer)
        self._buffer += self._with_newlines(data)
        if not self._begun and not self._begin():
            return []
        cut = self._buffer.rfind(b"\n\n", max(0, searched - 4))
        if cut < 0:
            self._check_size(self._buffer)
            return []
        whole = bytes(self._buffer[:cut])
        del self._buffer[: cut + 2]
        events = self._events(whole)
        self._check_size(self._buffer)
        return events

    def flush(self) -> list[str]:
        """The data of a last event that lacks its blank line, once the bytes have ended."""
        rest, self._buffer = bytes(self._buffer), bytearray()
        return self._events(rest) if rest and self.fault is None else []

    def _with_newlines(self, data: bytes) -> bytes:
        """CR and CRLF are line ends, too; a CRLF may be cut in two."""
        if b"\r" not in data and not self._after_cr:
            return data
        if self._after_cr and data[:1] == b"\n":
            data = data[1:]
            self._after_cr = False
            return self._with_newlines(data)
        if data:
            self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _begin(self) -> bool:
        """Skip a byte order mark; False while it cannot be told yet whether there is one."""
        if len(self._buffer) < len(BOM) and BOM.startswith(self._buffer):
            return False
        self._begun = True
        if self._buffer.startswith(BOM):
            del self._buffer[: len(BOM)]
        return True

    def _events(self, whole: bytes) -> list[str]:
        """The data of each event in a text of whole events."""
        blocks = self._blocks(whole)
        events: list[str] = []
        for block in blocks:
            if block.startswith("data: ") and "\n" not in block:  # nearly all of them
                events.append(block[6:])
            else:
                events += _data_of(block)
        return events

    def _blocks(self, whole: bytes) -> list[str]:
        if len(whole) > self._limit:
            return self._readable(whole)  # one of them may be too large
        try:
            return whole.decode().split("\n\n")
        except UnicodeDecodeError:
            return self._readable(whole)

    def _readable(self, whole: bytes) -> list[str]:
        """The events before the first that is too large or no UTF-8; that one is the fault."""
        blocks: list[str] = []
        for block in whole.split(b"\n\n"):
            self._check_size(block)
            if self.fault is not None:
                break
            try:
                blocks.append(block.decode())
            except UnicodeDecodeError:
                self.fault = Fault(Kind.UNREADABLE, "an event is not UTF-8")
                break
        return blocks

    def _check_size(self, block: bytes | bytearray) -> None:
        """The line ends around an event do not count: how many are here depends on the cut."""
        if len(block) <= self._limit or self.fault is not None:
            return
        if len(block.strip(b"\n")) > self._limit:
            self.fault = Fault(Kind.TOO_BIG, f"an event of more than {self._limit:,} bytes")


def _data_of(block: str) -> list[str]:
    """The data of one event, its lines joined; nothing for a comment or an event without data."""
    lines = [
        line[5:].removeprefix(" ")
        for line in block.split("\n")
        if line.startswith("data:") or line == "data"
    ]
    return ["\n".join(lines)] if lines else []
