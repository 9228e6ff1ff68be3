"""One cell of the matrix: a fault, a form of call, and who is down; and what came of it.

A cell has its own simulator and client, so that cells can run side by side. Nothing is asserted
here: `run` returns what contradicts the promises, in words.
"""

from __future__ import annotations

import contextlib
import pickle
import time
import traceback
from dataclasses import dataclass, field

from openrouter_resilient import Client, ResilientError, StreamInterrupted
from openrouter_resilient.errors import CallFailed, ContentBlocked, ContextTooLong, InvalidRequest
from openrouter_resilient.routing.faults import FAULTS, Kind, Scope
from openrouter_resilient.simulator import CATALOGUE, Simulator
from openrouter_resilient.simulator.completion import pieces
from openrouter_resilient.simulator.row import Pattern

DEADLINE, ALLOWED = 2.0, 0.2
# Those that move many megabytes run one at a time. 40 of them are more than the client accepts;
# that memory stays flat under 200 is shown elsewhere.
HEAVY = {"huge_body": {"megabytes": 40}, "gzip_bomb": {"megabytes": 40}, "big_line": {}}
PROMPT = "Name three rivers that flow north, please."
ANSWER = f"Simulated answer to: {PROMPT}"
MODELS = {"openrouter": "anthropic/claude-sonnet-5", "openai": "gpt-4o"}

# What the two ways of asking make of a fault that is one thing in a stream and another in a body.
WHOLE_KINDS = {
    "stall_mid_stream": "silent",  # a body is not begun until it is whole
    "reset_mid_stream": "truncated",  # half a body, closed in good order
    "big_line": "empty",  # as a body it is not too big
}
# A direct API has no providers to choose from: what it cannot serve is a model it does not have.
DIRECT_KINDS = {"no_provider": "unknown_model", "free_quota": "unknown_model"}
# OpenAI's form of an error has no number; where the status is lost, "server_error" is all it says.
DIRECT_FAULTS = {"error_in_own_form": "server_error", "json_error_for_events": "server_error"}
# A connection has to have served before it can be stale.
WARMED = frozenset({"stale_connection", "close_after_reply"})
# No request arrives while one of these is played.
UNSEEN = frozenset(
    name for name, row in CATALOGUE.items() if row.when == "port" or row.url.startswith("https")
) | {"accept_and_close", "accept_and_reset"}
# What comes and goes: an attempt may end in either.
ALSO = {
    "stale_connection": {None},
    "close_after_reply": {None, "stale_connection"},
} | {
    name: {None, "server_error"} for name, row in CATALOGUE.items() if isinstance(row.play, Pattern)
}
SHOWN_BEFORE_IT_BREAKS = frozenset(
    name for name, row in CATALOGUE.items() if row.kind and "after" in row.options
)
# As the table stands when the tests begin, whatever one of them does to it.
SCOPES = {kind: row.scope for kind, row in FAULTS.items()}
RAISES = {
    Kind.INVALID_REQUEST: InvalidRequest,
    Kind.BLOCKED: ContentBlocked,
    Kind.CONTEXT_TOO_LONG: ContextTooLong,
}


@dataclass(frozen=True)
class Cell:
    """A fault, how the call is made (`complete`, `stream`, `whole`), and the faces that play it."""

    fault: str
    form: str
    down: tuple[str, ...]

    @property
    def kind(self):
        """The kind that an attempt at OpenRouter ends in; None for an answer."""
        row = CATALOGUE[self.fault]
        name = WHOLE_KINDS.get(self.fault, row.kind) if self.form == "whole" else row.kind
        return Kind(name) if name else None

    def kind_at(self, face):
        """The same at any face."""
        if face not in self.down or self.kind is None:
            return None
        name = self.kind.value
        if face == "openrouter":
            return self.kind
        return Kind(DIRECT_FAULTS.get(self.fault, DIRECT_KINDS.get(name, name)))

    @property
    def interrupted(self):
        """Whether it breaks under a text that was handed over."""
        return self.form == "stream" and self.fault in SHOWN_BEFORE_IT_BREAKS

    def __str__(self):
        return f"{self.fault}, {self.form}, {' and '.join(self.down)} down"


@dataclass
class Result:
    """What came of a cell."""

    outcome: str = ""
    seconds: float = 0.0
    served: str = ""
    problems: list = field(default_factory=list)
    keys: tuple = ()

    def expect(self, expected, seen, what):
        if expected != seen:
            self.problems.append(f"{what}: {expected!r} expected, {seen!r} seen")


def run(cell):
    """Play it out."""
    result = Result()
    with Simulator(MODELS) as simulator:
        result.keys = tuple(map(simulator.key, MODELS))
        for face in cell.down:
            simulator.play(face, cell.fault, **HEAVY.get(cell.fault, {}))
        client = Client(
            MODELS["openrouter"],
            fallbacks=[f"openai:{MODELS['openai']}"],
            environment=simulator.environment(),
            deadline=DEADLINE,
            jitter=lambda: 0.0,
        )
        try:
            _call_and_judge(cell, simulator, client, result)
        finally:
            client.close()
    return result


def _call_and_judge(cell, simulator, client, result):
    if cell.fault in WARMED:
        client.complete("Warm up.", wire="whole")
        simulator.forget()
    began = time.monotonic()
    got, text = _ask(client, cell.form)
    result.seconds = time.monotonic() - began
    if result.seconds > DEADLINE + ALLOWED:
        result.problems.append(f"it took {result.seconds:.2f} s")
    if isinstance(got, BaseException):
        result.outcome = type(got).__name__
        _judge_error(cell, simulator, got, text, result)
        history = getattr(got, "history", ())
    else:
        result.outcome, result.served = "answered", got.served.endpoint
        _judge_answer(cell, simulator, got, text, result)
        history = got.served.attempts
    _judge_attempts(cell, simulator, history, result)
    _judge_secrecy(got, result)


def _ask(client, form):
    """What the call ended in, and the pieces of text that were handed over before it did."""
    shown = []
    try:
        if form != "stream":
            answer = client.complete(PROMPT, wire="whole" if form == "whole" else "stream")
            return answer, [answer.text]
        with client.stream(PROMPT) as stream:
            shown.extend(stream)
            return stream.completion, shown
    except Exception as error:
        return error, shown


def _judge_answer(cell, simulator, answer, text, result):
    """The answer is the healthy one, and all that is claimed of it was said on the wire."""
    served = answer.served
    received = [r for r in simulator.received(served.endpoint) if r.answered is not None]
    said = received[-1].answered
    result.expect(ANSWER, "".join(text), "text")
    result.expect(said.text, answer.text, "text in the record")
    for name in ("model", "provider", "generation_id", "request_id", "cost", "usage",
                 "finish_reason"):  # fmt: skip
        result.expect(getattr(said, name), getattr(served, name), name)
    if cell.interrupted or _must_fail(cell):
        result.problems.append("it was answered")
    if cell.kind is None:
        result.expect("openrouter", served.endpoint, "endpoint")
    result.expect(simulator.requests[-1].face, served.endpoint, "the face asked last")


def _judge_error(cell, simulator, error, shown, result):
    """The documented exception, and for an interrupted stream exactly what had been written."""
    if not isinstance(error, ResilientError):
        result.problems.append("".join(traceback.format_exception(error)))
        return
    if cell.interrupted:
        _judge_interruption(cell, simulator, error, shown, result)
    elif not _must_fail(cell) and (cell.fault not in ALSO or len(cell.down) < len(MODELS)):
        result.problems.append(f"it was not answered: {error!r}")
    else:
        raises = RAISES.get(cell.kind, CallFailed)
        if not isinstance(error, raises):
            result.problems.append(f"{raises.__name__} expected, {error!r} seen")
        result.expect([], shown, "shown")
    if cell.kind and SCOPES[cell.kind] is Scope.REQUEST:
        result.expect(["openrouter"], [r.face for r in simulator.requests], "requests")


def _judge_interruption(cell, simulator, error, shown, result):
    result.expect(StreamInterrupted, type(error), "exception")
    expected = "" if cell.fault == "tool_call_cut" else "".join(pieces(ANSWER)[:2])
    result.expect(expected, "".join(shown), "shown")
    if isinstance(error, StreamInterrupted):
        result.expect(expected, error.partial.text, "partial")
        result.served = error.partial.served.endpoint
    said = simulator.received("openrouter")[-1].answered.text or ""
    if cell.fault != "bad_json_event":  # there the server goes on as if nothing were amiss
        result.expect(expected, said, "text in the record")


def _must_fail(cell):
    """Whether nobody can answer, or nobody else may be asked."""
    if cell.kind is None or cell.fault in ALSO:
        return False
    return SCOPES[cell.kind] is Scope.REQUEST or len(cell.down) == len(MODELS)


def _judge_attempts(cell, simulator, history, result):
    """Every request was an attempt and the other way round, and each was named for what it was."""
    asked = [attempt.endpoint for attempt in history]
    if cell.fault in UNSEEN:
        asked = [endpoint for endpoint in asked if endpoint not in cell.down]
    if cell.fault == "close_after_reply":  # what is sent as the server closes arrives nowhere
        asked = [attempt.endpoint for attempt in history if attempt.fault is None]
    result.expect(asked, [request.face for request in simulator.requests], "who was asked")
    for number, attempt in enumerate(history, 1):
        result.expect(number, attempt.number, "number of an attempt")
        kind = cell.kind_at(attempt.endpoint)
        allowed = {kind.value if kind else None} | ALSO.get(cell.fault, set())
        if attempt.fault not in allowed:
            result.problems.append(
                f"attempt {number} at {attempt.endpoint}: one of {allowed} expected, "
                f"{attempt.fault!r} seen ({attempt.status}, {attempt.message})"
            )
    if cell.fault not in UNSEEN and len(history) == len(simulator.requests):
        for attempt, request in zip(history, simulator.requests, strict=True):
            _judge_fault(attempt, request, result)


def _judge_fault(attempt, request, result):
    """What a failed attempt says of ids, and of the words it was told, was said as well."""
    if request.answered is None:
        return
    if attempt.request_id is not None:
        result.expect(request.answered.request_id, attempt.request_id, "request_id of an attempt")
    if attempt.generation_id is not None:
        result.expect(
            request.answered.generation_id, attempt.generation_id, "generation_id of an attempt"
        )


def _judge_secrecy(got, result):
    """No key shows in what a caller can print or store."""
    seen = [str(got), repr(got)]
    if isinstance(got, BaseException):
        seen += traceback.format_exception(got)
    served = getattr(getattr(got, "partial", got), "served", None)
    seen += [str(served), repr(served), repr(getattr(got, "history", ()))]
    with contextlib.suppress(TypeError):  # where it cannot be pickled nothing leaks
        seen.append(pickle.dumps(got).decode("latin-1"))
    if isinstance(got, BaseException):
        copy = pickle.loads(pickle.dumps(got))
        result.expect(str(got), str(copy), "the exception after a pickle")
    leaks = [text[:80] for text in seen if any(key in text for key in result.keys)]
    if leaks:
        result.problems.append(f"a key shows in {leaks}")
