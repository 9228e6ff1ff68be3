"""The file of a recording: one JSON object a line, readable by eye, and never a key in it.

The first line of a session names the endpoints that had keys; each further one is a request and
what came of it. A line that was torn by a crash is passed over with a warning. No socket here.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openrouter_resilient.endpoints.table import Endpoint
from openrouter_resilient.errors import ConfigurationError
from openrouter_resilient.routing.faults import Fault, Kind

LOG = logging.getLogger("openrouter_resilient")
FORMAT = 1
WHOLE, LEFT = "whole", "left"  # how a reply ended, where it did not break


@dataclass(frozen=True)
class Place:
    """Where a request went: an endpoint's name, and the path behind its base URL.

    Not the base URL: a lesson recorded through a proxy or against the simulator replays anywhere.
    """

    endpoint: str
    path: str


class Places:
    """URLs as places."""

    def __init__(self, endpoints: Mapping[str, Endpoint]) -> None:
        """Learn the base URLs."""
        bases = [(row.base_url, name) for name, row in endpoints.items()]
        self._bases = sorted(bases, key=lambda base: -len(base[0]))  # one may begin another
        self.with_keys = sorted(name for name, row in endpoints.items() if row.key)

    def of(self, url: str) -> Place:
        """The place of a URL; one of no known endpoint is its own name."""
        for base, name in self._bases:
            if url.startswith(base + "/"):
                return Place(name, url.removeprefix(base))
        return Place(url, "")


@dataclass(frozen=True)
class Piece:
    """Some bytes of a body as they were cut.

    Attributes:
        seconds: since the request went out.
        data: the bytes; none of them are compressed.
    """

    seconds: float
    data: bytes


@dataclass(frozen=True)
class Entry:
    """One request and what came of it.

    Attributes:
        line: where it stands in its file, counted from 1; 0 before it is written.
        place, url, body: what was asked; the URL for a reader only.
        status, headers: what the reply began with; None and empty if none came.
        head_seconds: until its headers came, or until it was clear that none would.
        pieces: its body.
        end: "whole", "left" if nobody read on, or the fault that it broke with.
        end_seconds: when that was.
    """

    line: int
    place: Place
    url: str
    body: Any
    status: int | None
    headers: dict[str, str]
    head_seconds: float
    pieces: tuple[Piece, ...]
    end: str | Fault
    end_seconds: float


@dataclass(frozen=True)
class Lesson:
    """What a file holds."""

    endpoints: frozenset[str]
    entries: tuple[Entry, ...]


def read_body(body: bytes) -> Any:
    """A request's body as JSON; as text if it is none."""
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")


def header_line(endpoints: list[str]) -> dict[str, Any]:
    """The first line of a session."""
    return {"recording": FORMAT, "endpoints": endpoints}


def to_line(entry: Entry) -> dict[str, Any]:
    """An entry as JSON."""
    end = entry.end
    return {
        "endpoint": entry.place.endpoint,
        "path": entry.place.path,
        "method": "POST",
        "url": entry.url,
        "body": entry.body,
        "status": entry.status,
        "headers": entry.headers,
        "head_seconds": round(entry.head_seconds, 4),
        "pieces": [[round(piece.seconds, 4), _written(piece.data)] for piece in entry.pieces],
        "end": {"kind": end.kind.value, "message": end.message} if isinstance(end, Fault) else end,
        "end_seconds": round(entry.end_seconds, 4),
    }


def read_lesson(path: Path) -> Lesson:
    """Everything that can be read in a file.

    Raises:
        ConfigurationError: it is not there, or is no recording.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ConfigurationError(
            f"the recording {path} cannot be read ({type(error).__name__}); "
            "make one with Client(record=…)"
        ) from error
    names: set[str] = set()
    entries: list[Entry] = []
    for number, line in _objects(path, text):
        if "recording" in line:
            names.update(filter(None, map(str, line.get("endpoints") or ())))
        else:
            entries.append(_entry(path, number, line))
    if not entries:
        raise ConfigurationError(f"{path} holds no recorded answer; make one with Client(record=…)")
    names.update(entry.place.endpoint for entry in entries)
    return Lesson(frozenset(names), tuple(entries))


def _objects(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The lines that are whole; a line feed alone ends one, since texts hold other line ends."""
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except ValueError:
            found = None
        if isinstance(found, dict):
            yield number, found
        else:
            LOG.warning("line %d of %s is torn and passed over", number, path)


def _entry(path: Path, number: int, line: Mapping[str, Any]) -> Entry:
    end = line.get("end")
    try:
        return Entry(
            number,
            Place(str(line["endpoint"]), str(line["path"])),
            str(line["url"]),
            line["body"],
            None if line["status"] is None else int(line["status"]),
            dict(line["headers"]),
            float(line["head_seconds"]),
            tuple(Piece(float(at), _read(data)) for at, data in line["pieces"]),
            Fault(Kind(end["kind"]), str(end["message"])) if isinstance(end, dict) else str(end),
            float(line["end_seconds"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigurationError(
            f"line {number} of {path} is no recorded answer ({type(error).__name__}); "
            "record it again with Client(record=…)"
        ) from error


def _written(data: bytes) -> str | dict[str, str]:
    """As text where it is some; a piece may be cut within a character."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def _read(data: str | Mapping[str, str]) -> bytes:
    return data.encode() if isinstance(data, str) else base64.b64decode(data["base64"])
