"""Vectors: made of their text alone, so that one text has the same vector wherever it is asked."""

from __future__ import annotations

import base64
import hashlib
import math
import struct
from typing import TYPE_CHECKING, Any

from .completion import count_tokens
from .refusal import Refusal, RefusedError

if TYPE_CHECKING:
    from .message import Json
    from .models import Vectors

FIELDS = frozenset({"input", "model", "dimensions", "encoding_format", "user"})
MOST_TEXTS = 2048  # OpenAI's limit


def check(body: Json, known: frozenset[str] | None) -> None:
    """Raise RefusedError unless the real API would embed this."""
    for name in body:
        if known is not None and name not in known:
            raise RefusedError(Refusal(400, f"Unrecognized request argument supplied: {name}"))
    listed = texts(body)
    fine = all(isinstance(text, str) and text for text in listed)
    if not listed or not fine or len(listed) > MOST_TEXTS:
        raise RefusedError(Refusal(400, "'$.input' is invalid.", param="input"))


def texts(body: Json) -> list[Any]:
    """Return the texts of a request."""
    given = body.get("input")
    return [given] if isinstance(given, str) else list(given or [])


def whole(body: Json, model: Vectors) -> Json:
    """Answer with a vector for each text."""
    listed = texts(body)
    length = int(body.get("dimensions") or model.dimensions)
    packed = body.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": place, "embedding": written(vector(text, length), packed)}
        for place, text in enumerate(listed)
    ]
    tokens = sum(map(count_tokens, listed))
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": model.said, "usage": usage}


def vector(text: str, length: int) -> list[float]:
    """Make up a vector of length one that depends on nothing but the text."""
    shaken = hashlib.shake_256(text.encode(errors="surrogatepass"))
    raw = [byte - 127.5 for byte in shaken.digest(length)]
    norm = math.hypot(*raw)
    return list(struct.unpack(f"<{length}f", struct.pack(f"<{length}f", *(x / norm for x in raw))))


def written(numbers: list[float], packed: bool) -> list[float] | str:  # noqa: FBT001  of the request
    """Write a vector as numbers, or as the base64 of 32-bit floats."""
    if not packed:
        return numbers
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()
