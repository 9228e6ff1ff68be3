"""One row of the catalogue of faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from .exchange import Exchange, Option
    from .listener import Listener

Play = Callable[["Exchange"], None]
PLAIN = "http://127.0.0.1:{port}"
ENCRYPTED = "https://127.0.0.1:{port}"

# When a fault strikes: while the port is set up, when a connection is accepted, or at a request.
When = Literal["port", "accept", "request"]


@dataclass(frozen=True)
class PortState:
    """A fault of the whole port: no request is ever seen, so none can be counted."""

    apply: Callable[[Listener], None]

    def __call__(self, exchange: Exchange) -> None:
        """Reset what was under way when the port went."""
        exchange.reset()


@dataclass(frozen=True)
class Pattern:
    """A fault that plays another one, or none, depending on how many requests there were."""

    # The number of the request (from 1), the options and a source of chance in; a name out.
    decide: Callable[[int, Mapping[str, Option], Random], str | None]

    def __call__(self, exchange: Exchange) -> None:
        """Never called: the fault that was decided on is."""
        raise NotImplementedError


@dataclass(frozen=True)
class Row:
    """One fault: its name, the kind a client should call it, where it was seen, what plays it.

    Attributes:
        name: what `Simulator.play` takes.
        family: the file it stands in.
        kind: of fault that a client should make of it in a streamed call; "" where it must get its
            answer. The whole-body form of a stream fault is the nearest there is.
        seen: where it was seen, or is documented.
        play: what plays it.
        options: what may be set, and to what it is set otherwise; seconds where it is a time.
        when: it strikes: "port", "accept" or "request".
        status: the HTTP status that it answers; 0 if it answers none.
        url: what a client is given as base URL while it is played.
    """

    name: str
    family: str
    kind: str
    seen: str
    play: Play = field(repr=False)
    options: Mapping[str, Option] = field(default_factory=dict)
    when: When = "request"
    status: int = 0  # an error status that is answered at once, so that OpenRouter would fall over
    url: str = PLAIN  # what the face's address looks like while this is played


def either(streamed: Play, whole: Play) -> Play:
    """Return what plays one thing where events were asked for and another where a body was."""

    def play(exchange: Exchange) -> None:
        (streamed if exchange.streaming else whole)(exchange)

    return play
