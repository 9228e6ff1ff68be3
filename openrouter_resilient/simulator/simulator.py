"""The simulator: four fake APIs on loopback ports, the faults they play, the record they keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .answering import default_answer
from .catalogue import known
from .exchange import Pace
from .faces import FACES
from .playing import Selection, make_playing
from .record import Record
from .upstream import Upstream

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from .answering import Answer
    from .exchange import Option
    from .faces.base import Face
    from .models import Model
    from .record import Received


DEFAULT_FACE = "openrouter"


class Simulator:
    """Fake upstreams that answer like the real APIs and fail on cue.

    Every request and what was answered to it is in `requests`, so a test can compare what a
    client claims with what happened. Seconds are plain floats. Safe to use from many threads.

    Attributes:
        answer: what is answered: a text, or a function of the face's name and the request body
            that returns a text or a whole assistant message. By default a text with the prompt in
            it.

    Example:
        with Simulator() as simulator, Client(environment=simulator.environment()) as client:
            simulator.outage("openrouter")
            print(client.complete("hi").served)
    """

    def __init__(
        self,
        faces: Iterable[str] = tuple(FACES),
        *,
        seed: int = 0,
        answer: Answer = default_answer,
    ) -> None:
        """Make it ready; `start`, or a with statement, opens the ports.

        Args:
            faces: which APIs to play.
            seed: makes `rate` and the patterns that use chance repeat.
            answer: see the class.
        """
        self.answer = answer
        self._seed = seed
        self._record = Record()
        self._faces: dict[str, Face] = {name: FACES[known(name, FACES, "face")]() for name in faces}
        self._upstreams: dict[str, Upstream] = {}

    def __repr__(self) -> str:
        """Show where the faces are, never their keys."""
        places = ", ".join(f"{name}={up.url}" for name, up in self._upstreams.items())
        return f"Simulator({places or 'stopped'})"

    def __enter__(self) -> Simulator:  # noqa: PYI034 - Self came with Python 3.11
        """Start."""
        return self.start()

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: object,
        _where: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    def start(self) -> Simulator:
        """Open every port; starting twice changes nothing."""
        if not self._upstreams:
            self._upstreams = {
                name: Upstream(face, self._record, lambda: self.answer)
                for name, face in self._faces.items()
            }
            for upstream in self._upstreams.values():
                upstream.open()
        return self

    def stop(self) -> None:
        """Close every port and connection; the record stays."""
        upstreams, self._upstreams = self._upstreams, {}
        for upstream in upstreams.values():
            upstream.close()

    # where, and with what key

    def url(self, face: str) -> str:
        """Return a face's base URL, as a client is to be given it at this moment."""
        return self._upstream(face).url

    def key(self, face: str) -> str:
        """Return the only key a face accepts."""
        return self._faces[known(face, self._faces, "face")].key

    def environment(self) -> dict[str, str]:
        """Return the environment variables that point a client here."""
        keys = {f"{face.variable}_API_KEY": face.key for face in self._faces.values()}
        urls = {f"{face.variable}_BASE_URL": self.url(name) for name, face in self._faces.items()}
        return keys | urls

    # what happens

    def play(
        self,
        face: str,
        name: str | None = None,
        /,
        *,
        times: int | None = None,
        every: int | None = None,
        rate: float | None = None,
        models: Iterable[str] = (),
        **options: Option,
    ) -> None:
        """Play a fault on a face from now on, in place of the one before.

        Args:
            face: the face's name; it may be left out, and is OpenRouter then.
            name: of a fault, from CATALOGUE.
            times: strike so many requests, then be healthy.
            every: strike each n-th request.
            rate: strike this share of requests, by seeded chance.
            models: strike only where one of these would serve. OpenRouter then asks the next
                model of the request if the fault is a status; other faults come too late for that.
                Faults of different models are played side by side.
            options: the row's own.

        Raises:
            ValueError: no such face, fault, option or model; the message names the nearest.
        """
        if name is None:
            face, name = DEFAULT_FACE, face
        upstream = self._upstream(face)
        served = tuple(_model(upstream.face, model) for model in models)
        selection = Selection(times=times, every=every, rate=rate, models=served)
        upstream.play(make_playing(name, options, selection=selection, seed=self._seed))

    def outage(self, face: str) -> None:
        """Close a face's port: connections are refused."""
        self.play(face, "refused")

    def heal(self, face: str | None = None) -> None:
        """Make a face healthy again, or all of them; whatever still hangs is cut off."""
        for upstream in [self._upstream(face)] if face else list(self._upstreams.values()):
            upstream.heal()

    def playing(self, face: str = DEFAULT_FACE) -> list[str]:
        """Return the names of the faults that a face plays at this moment."""
        return self._upstream(face).playing

    def latency(self, face: str, *, first_token: float = 0.0, between_tokens: float = 0.0) -> None:
        """Set how slow a healthy answer is; OpenRouter sends comments or padding meanwhile.

        Args:
            face: whose.
            first_token: seconds until the first token.
            between_tokens: seconds between two of them.
        """
        self._upstream(face).pace = Pace(first_token, between_tokens)

    # what happened

    @property
    def requests(self) -> list[Received]:
        """Every request so far, in order of arrival; a copy."""
        return self._record.all()

    def received(self, face: str) -> list[Received]:
        """Return the requests of one face, in order of arrival."""
        known(face, self._faces, "face")
        return [received for received in self._record.all() if received.face == face]

    def forget(self) -> None:
        """Empty the record."""
        self._record.forget()

    def _upstream(self, face: str) -> Upstream:
        known(face, self._faces, "face")
        if face not in self._upstreams:
            message = "the simulator is stopped; use it in a with statement, or call start()"
            raise RuntimeError(message)
        return self._upstreams[face]


def _model(face: Face, name: str) -> Model:
    found = face.find(name)
    if found is None:
        known(name, face.models, f"model of {face.name}")
        raise AssertionError  # `known` has raised: what cannot be found is not in the table
    return found
