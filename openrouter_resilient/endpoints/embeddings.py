"""Embeddings: what is sent for vectors, and how they are read.

Vectors of two models do not mix: a reply that names another model is a fault of the attempt.
"""

from __future__ import annotations

import base64
import struct
from operator import itemgetter
from typing import Any

from openrouter_resilient.endpoints.verdicts import Drop, Exclude, Put, Verdict, drop, exclude, keep
from openrouter_resilient.routing.faults import Broken, Fault, Kind
from openrouter_resilient.routing.plan import Route, bare_model
from openrouter_resilient.shapes import Request

# fmt: off
PARAMETERS = {
    # parameter        elsewhere than at OpenRouter, which takes them all
    "dimensions":      keep,
    "encoding_format": keep,
    "user":            keep,
    "input_type":      exclude,  # the vectors would be others
    "provider":        drop,
    "session_id":      drop,
    "trace":           drop,
}
# fmt: on


def judged(request: Request, route: Route) -> list[Verdict]:
    """What becomes of each parameter at a direct endpoint."""
    return [
        PARAMETERS.get(name, drop)(name, value, route.models[0])
        for name, value in request.parameters.items()
        if name != "input"
    ]


def objection(request: Request, route: Route, dialect: str) -> str | None:
    """Why this request cannot be said there; None if it can."""
    excluded = (v.why for v in judged(request, route) if isinstance(v, Exclude))
    return next(excluded, None)


def to_openrouter(
    request: Request, route: Route, dialect: str, *, stream: bool
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The JSON body for OpenRouter."""
    assert not stream  # noqa: S101  vectors come whole
    return {"model": route.models[0], **request.parameters}, ()


def to_wire(
    request: Request, route: Route, dialect: str, *, stream: bool
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The JSON body for a direct endpoint, and what was left out of it."""
    assert not stream  # noqa: S101  vectors come whole
    verdicts = judged(request, route)
    put = {verdict.name: verdict.value for verdict in verdicts if isinstance(verdict, Put)}
    warnings = tuple(verdict.why for verdict in verdicts if isinstance(verdict, Drop))
    return {"model": route.models[0], "input": request.parameters["input"], **put}, warnings


class VectorsReader:
    """Reads vectors as the message of a completion, so that all else of a call is the same.

    Attributes:
        ended: never: vectors come whole.
    """

    ended = False

    def __init__(self, request: Request, route: Route) -> None:
        """Know which model was asked, and for how many vectors."""
        self._model = route.models[0]
        self._count = len(request.parameters["input"])

    def chunks(self, event: dict[str, Any]) -> list[dict[str, Any]]:
        """An event; there are none but errors."""
        return [event]

    def whole(self, body: dict[str, Any]) -> dict[str, Any]:
        """The body with a choice that holds the vectors, in the order of their texts.

        Raises:
            Broken: they are no vectors, too few or too many, or another model's.
        """
        data = body.get("data")
        if body.get("error") or not isinstance(data, list):
            return body
        self._check_model(body.get("model"))
        try:
            vectors = [_vector(entry["embedding"]) for entry in _in_order(data)]
        except (TypeError, ValueError, KeyError, AttributeError, struct.error):
            raise Broken(Fault(Kind.UNREADABLE, "it holds no vectors, or in no order")) from None
        if len(vectors) != self._count or len(set(map(len, vectors))) > 1:
            raise Broken(Fault(Kind.UNREADABLE, "not one vector a text, all of one length"))
        message = {"role": "assistant", "content": None, "embeddings": vectors}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        rest = {name: value for name, value in body.items() if name not in ("data", "object")}
        return {**rest, "choices": [choice]}

    def _check_model(self, said: object) -> None:
        """Names differ by author, date and version; none is another's with a word exchanged."""
        if not isinstance(said, str) or not said:
            return
        asked, named = (set(bare_model(name).split("-")) for name in (self._model, said))
        if not (asked <= named or named <= asked):
            raise Broken(Fault(Kind.UNREADABLE, f"the vectors are those of {said[:100]}"))


def _in_order(data: list[Any]) -> list[Any]:
    """The entries in the order of their texts: by their indices, where they have any.

    Raises:
        ValueError: the indices do not say which vector is which text's.
    """
    indices = [entry.get("index") for entry in data]
    if all(index is None for index in indices):
        return data
    if any(type(index) is not int for index in indices) or sorted(indices) != [*range(len(data))]:
        raise ValueError
    return [entry for _, entry in sorted(zip(indices, data, strict=True), key=itemgetter(0))]


def _vector(embedding: Any) -> list[float]:
    """A list of numbers, or their base64 as 32-bit floats."""
    if isinstance(embedding, str):
        packed = base64.b64decode(embedding, validate=True)
        return list(struct.unpack(f"<{len(packed) // 4}f", packed))
    if not embedding or not all(type(number) in (float, int) for number in embedding):
        raise ValueError
    return list(embedding)
