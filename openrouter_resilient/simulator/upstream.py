"""One face on its port: reads requests, decides which fault strikes, answers."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from .connection import Connection, EndedError
from .exchange import Exchange, Pace, answer_healthily
from .faces.openrouter import attempt
from .faults.status import MOVED
from .listener import Listener
from .message import MalformedRequestError, Request, response_head
from .record import Said
from .refusal import RefusedError
from .row import PLAIN, PortState

if TYPE_CHECKING:
    from collections.abc import Callable

    from .answering import Answer
    from .faces.base import Face, Question
    from .models import Model
    from .playing import Playing, Struck
    from .record import Record

BAD_REQUEST = 400


class Upstream:
    """A face that is being served."""

    def __init__(self, face: Face, record: Record, answer: Callable[[], Answer]) -> None:
        """Take a port; refuse until `open`."""
        self.face = face
        self.pace = Pace()
        self._record = record
        self._answer = answer
        self._listener = Listener(self._serve)
        self._closing = threading.Event()
        self._lock = threading.Lock()  # of the list below
        self._turn = (
            threading.Lock()
        )  # one at a time plays, heals, closes; held across the port's I/O
        self._playing: list[Playing] = []

    def open(self) -> None:
        """Begin to serve."""
        self._listener.open()

    def close(self) -> None:
        """Stop; whatever waits is woken."""
        self._closing.set()
        with self._turn:
            self._end_all()
            self._listener.close()

    @property
    def url(self) -> str:
        """The base URL as a client is to be given it now."""
        rows = [(p.row.url, p.options) for p in self._current() if not p.over]
        url, options = next((row for row in rows if row[0] != PLAIN), (PLAIN, {}))
        name = options.get("name", "")
        return url.format(port=self._listener.port, name=name) + self.face.base

    @property
    def playing(self) -> list[str]:
        """The names of what is played, and not over yet."""
        return [playing.row.name for playing in self._current() if not playing.over]

    def play(self, playing: Playing) -> None:
        """Play from now on; one fault for the whole face, one for each model."""
        with self._turn:
            models = playing.selection.models
            self._end([p for p in self._current() if p.selection.models == models])
            with self._lock:
                self._playing.append(playing)
            self._set_port()

    def heal(self) -> None:
        """Play nothing; whatever waits is woken."""
        with self._turn:
            self._end_all()
            self._set_port()

    def _current(self) -> list[Playing]:
        with self._lock:
            return list(self._playing)

    def _end_all(self) -> None:
        self._end(self._current())

    def _end(self, ended: list[Playing]) -> None:
        with self._lock:
            self._playing = [playing for playing in self._playing if playing not in ended]
        for playing in ended:
            playing.ended.set()

    def _set_port(self) -> None:
        states = [p.row.play for p in self._current() if isinstance(p.row.play, PortState)]
        if states:
            states[0].apply(self._listener)
        else:
            self._listener.open()

    # one connection

    def _serve(self, connection: Connection) -> None:
        """Answer until somebody closes."""
        try:
            self._greet(connection)
            while not connection.closed and (request := connection.read_request()):
                self._answer_one(connection, request)
                connection.served += 1
                if not request.keeps_alive:
                    return
        except MalformedRequestError:
            _answer_malformed(connection)
        except EndedError:
            connection.reset()
        except OSError:
            pass  # the client went away, or the port was closed: nobody is left to tell

    def _greet(self, connection: Connection) -> None:
        struck = self._strike_accepted(connection)
        if struck:
            nobody = self.face.question(Request())
            struck.row.play(self._exchange(connection, nobody, Said(), struck))

    def _answer_one(self, connection: Connection, request: Request) -> None:
        said = self._record.add(self.face.name, request)
        moved = request.target.startswith(MOVED)
        question = self.face.question(
            replace(request, target=request.target.removeprefix(MOVED)) if moved else request,
        )
        struck = None if moved else self._strike(connection, question)
        said.fault = struck.row.name if struck else None
        exchange = self._exchange(connection, question, said, struck)
        try:
            if struck:
                struck.row.play(exchange)
            if not struck or (struck.row.when == "accept" and not connection.closed):
                answer_healthily(exchange)
        except RefusedError as refused:
            exchange.refuse(refused.refusal)

    def _exchange(
        self,
        connection: Connection,
        question: Question,
        said: Said,
        struck: Struck | None,
    ) -> Exchange:
        return Exchange(
            face=self.face,
            question=question,
            connection=connection,
            said=said,
            ended=struck.ended if struck else self._closing,
            answer=self._answer(),
            pace=self.pace,
            options=struck.options if struck else {},
        )

    # which fault strikes

    def _strike(self, connection: Connection, question: Question) -> Struck | None:
        """Let the face's own fault strike, else one of a model that would serve."""
        return (
            self._strike_accepted(connection)
            or self._strike_requested()
            or self._strike_model(question)
        )

    def _strike_accepted(self, connection: Connection) -> Struck | None:
        """Strike a connection once: when it is accepted, or if older, at its next request."""
        for playing in self._current():
            if playing.row.when == "accept" and connection.greeted_by is not playing:
                connection.greeted_by = playing
                return playing.strike()
        return None

    def _strike_requested(self) -> Struck | None:
        for playing in self._current():
            if playing.row.when != "accept" and not playing.selection.models:
                return playing.strike()
        return None

    def _strike_model(self, question: Question) -> Struck | None:
        """Go through the models as OpenRouter does: a fault that comes as a status moves on."""
        struck = None
        for model in self._candidates(question):
            question.serving = model
            struck = self._strike_for(model)
            if struck is None or not struck.row.status:
                return struck  # it serves, or breaks when it is too late to ask another
            question.attempts.append(attempt(model, struck.row.status))
        return struck

    def _candidates(self, question: Question) -> list[Model]:
        if not any(playing.selection.models for playing in self._current()):
            return []
        try:
            self.face.check(question)
        except RefusedError:
            return []  # refused at the edge; no model is asked
        return self.face.candidates(question.body)

    def _strike_for(self, model: Model) -> Struck | None:
        for playing in self._current():
            if playing.selection.models and playing.covers(model) and (hit := playing.strike()):
                return hit
        return None


def _answer_malformed(connection: Connection) -> None:
    """Answer what is no HTTP as a web server would, and close."""
    headers = (("Content-Length", "0"), ("Connection", "close"))
    with contextlib.suppress(OSError):  # whoever sent it did not wait for an answer
        connection.write(response_head(BAD_REQUEST, headers))
