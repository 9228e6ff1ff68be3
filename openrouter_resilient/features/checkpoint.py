"""The answers of a batch in a file, one a line, so that a run that was killed can be taken up.

Texts are in it, by the choice of whoever names the file; a key never is. A line is handed to the
operating system before its answer counts as given: a process that is killed loses none of them. (A
machine that loses its power may lose the last seconds.)
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from openrouter_resilient.errors import ConfigurationError
from openrouter_resilient.given import models_of
from openrouter_resilient.served import Served
from openrouter_resilient.shapes import Completion

if TYPE_CHECKING:
    from typing_extensions import Self

    from openrouter_resilient.client import Client

try:
    import fcntl
except ImportError:  # Windows has none; there, two runs must be kept apart by their user
    fcntl = None  # type: ignore[assignment]

# What changes how an answer is come by, and not the answer.
BESIDE = ("deadline", "first_token_timeout", "wire", "hedge_after", "max_cost", "cache_seconds",
          "stale_if_error", "fallbacks")  # fmt: skip
SERVED = TypeAdapter(Served)
BEGINNING = b'{"prompt": "'  # of each line


class Checkpoint:
    """One file, held by one run at a time. Thread-safe."""

    def __init__(self, path: Path | str) -> None:
        """Open it, and read what is there; a last line that was torn off is as if it never was.

        Raises:
            ConfigurationError: another run holds the file, it is no checkpoint, or a line of it is
                damaged.
            OSError: it cannot be opened.
        """
        self._path = Path(path)
        self._lock = threading.Lock()
        self._file = self._path.open("a+b")
        try:
            self._hold()
            self._done = self._read()
        except BaseException:
            self._file.close()
            raise

    def take(self, digest: str) -> Completion | None:
        """An answer to this prompt from an earlier run, each once; None if there is none."""
        waiting = self._done.get(digest)
        return waiting.popleft() if waiting else None

    def add(self, digest: str, completion: Completion) -> None:
        """Keep an answer, before anybody is given it."""
        line = {
            "prompt": digest,
            "completion": completion.model_dump(exclude_unset=True),
            "served": asdict(completion.served),
        }
        data = json.dumps(line).encode() + b"\n"
        with self._lock:
            if not self._file.closed:  # a run that was interrupted may still be given an answer
                self._file.write(data)
                self._file.flush()

    def __enter__(self) -> Self:
        """Close it at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        with self._lock:
            self._file.close()

    def _hold(self) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigurationError(
                f"another run is writing {self._path}; wait for it, or name another checkpoint"
            ) from None

    def _read(self) -> dict[str, deque[Completion]]:
        self._file.seek(0)
        data = self._file.read()
        whole, _, rest = data.rpartition(b"\n")
        lines = [self._parsed(line, place) for place, line in enumerate(whole.splitlines(), 1)]
        if rest:
            lines += self._mended(rest, len(data) - len(rest), len(lines) + 1)
        done: dict[str, deque[Completion]] = defaultdict(deque)
        for prompt, completion in lines:
            done[prompt].append(completion)
        return done

    def _mended(self, rest: bytes, at: int, place: int) -> list[tuple[str, Completion]]:
        """The last line, which lacks its end: whole but for that, or cut away."""
        ours = at > 0 or rest.startswith(BEGINNING[: len(rest)])  # or else it is another's file
        if ours and not _is_json(rest):
            self._file.truncate(at)
            return []
        line = self._parsed(rest, place)
        self._file.write(b"\n")
        self._file.flush()
        return [line]

    def _parsed(self, data: bytes, place: int) -> tuple[str, Completion]:
        try:
            return _line(data)
        except (ValueError, RecursionError):
            raise ConfigurationError(
                f"line {place} of {self._path} is no line of a checkpoint; "
                "take it out, or name another file"
            ) from None


def digest_of(client: Client, prompt: Any, params: Mapping[str, Any]) -> str:
    """What tells a prompt from all others, with everything its answer depends on.

    Raises:
        TypeError, ValueError: the prompt is malformed.
        OSError: a file in it cannot be read.
    """
    asked = {name: value for name, value in params.items() if name not in BESIDE}
    models = models_of(asked) or client._models
    own = {name: asked.pop(name, None) for name in ("system", "model", "models")}
    request = client._request(prompt, own["system"], asked)
    whole = json.dumps([models, request.messages, request.parameters], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()


def _line(data: bytes) -> tuple[str, Completion]:
    """One line, checked: what its prompt is known by, and its answer.

    Raises:
        ValueError: it is none.
    """
    line = json.loads(data)
    if not isinstance(line, dict) or not {"prompt", "completion", "served"} <= line.keys():
        raise ValueError("no line of a checkpoint")
    if not isinstance(line["prompt"], str):
        raise ValueError("no digest of a prompt")  # noqa: TRY004  what is in a file is a value
    completion = Completion.model_validate(line["completion"])
    completion._served = SERVED.validate_python(line["served"])
    return line["prompt"], completion


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True
