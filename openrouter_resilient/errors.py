"""The exception tree. Parents say what to do about it, leaves say what happened.

    ResilientError                      everything this package raises on purpose
    ├── ConfigurationError              before any request: what is missing or wrong, and the mend
    ├── RequestRefused                  the request itself is at fault: change it
    │   ├── InvalidRequest
    │   ├── ContextTooLong
    │   └── ContentBlocked
    ├── CallFailed                      nobody answered: wait, or add a route
    │   ├── DeadlineExceeded            (also a TimeoutError)
    │   └── RoutesExhausted
    ├── StreamInterrupted               after text was handed over; .partial has it
    ├── NotRecorded                     a replay has no answer to this request
    ├── SpendingCapReached              no request was sent any more: max_cost is spent
    └── InvalidStructuredOutput         an answer came, and not in the form that was asked for

A test holds this drawing against the classes. No message, repr or pickle of them holds a key,
a prompt or an answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openrouter_resilient.served import AttemptRecord
    from openrouter_resilient.shapes import Completion


class ResilientError(Exception):
    """Everything this package raises on purpose.

    Attributes:
        history: what was tried, oldest first; empty where nothing was sent.
    """

    def __init__(self, message: str, *, history: tuple[AttemptRecord, ...] = ()) -> None:
        """Keep the trail beside the message."""
        super().__init__(message)
        self.history = history


class ConfigurationError(ResilientError, ValueError):
    """Something is missing or wrong in the set-up; raised before any request."""


class RequestRefused(ResilientError):
    """The request itself is at fault. It was sent once, and no fallback was asked.

    Attributes:
        endpoint: the name of the endpoint that refused.
        status: the HTTP status; None if the refusal came in a body or a stream.
        code: the server's own code, as text; None if it gave none.
        error_type: OpenRouter's `metadata.error_type`; None if it gave none.
        server_message: the server's own words, at most 500 characters.
        request_id: what to quote to the provider's support; None if it gave none.
    """

    endpoint: str | None = None
    status: int | None = None
    code: str | None = None
    error_type: str | None = None
    server_message: str = ""
    request_id: str | None = None


class InvalidRequest(RequestRefused):
    """A parameter or a message is wrong (HTTP 400, 412, 413, 422)."""


class ContextTooLong(RequestRefused):
    """The prompt fits none of the plan's models; a model with a larger context may hold it."""


class ContentBlocked(RequestRefused):
    """Moderation or a guardrail refused the content; never walked around."""


class CallFailed(ResilientError):
    """Nobody answered. The attempts are in `.history`.

    Attributes:
        retry_after: seconds after which a server asked to be tried again; None if none did.
    """

    retry_after: float | None = None


class DeadlineExceeded(CallFailed, TimeoutError):
    """The deadline came before an answer did."""


class RoutesExhausted(CallFailed):
    """Every route had its turns, and none answered."""


class StreamInterrupted(ResilientError):
    """The stream broke after text had been handed over; nothing is generated again under it.

    Attributes:
        partial: the completion as far as it came; its `.text` is what was handed over.
    """

    partial: Completion | None = None


class NotRecorded(ResilientError):
    """A replay has no answer to this request; the message says how the nearest one differs.

    Attributes:
        line: where the nearest one stands in the file, counted from 1.
        nearest: its body, with the texts of its prompt; left out when the error is pickled.
    """

    line: int = 0
    nearest: dict[str, object] | None = None

    def __reduce__(self) -> tuple[object, ...]:
        """Travel without a prompt."""
        return type(self), self.args, {**self.__dict__, "nearest": None}


class SpendingCapReached(ResilientError):
    """What was reported as spent has reached `max_cost`, and no further request was sent.

    Attributes:
        cap: the limit, in USD.
        spent: what the replies reported so far, in USD.
    """

    cap: float = 0.0
    spent: float = 0.0


class InvalidStructuredOutput(ResilientError):
    """The answer does not have the form that was asked for, and asking again did not mend it.

    Attributes:
        text: the last answer as it came; left behind by a pickle, as texts belong in no record.
        error: why it was not accepted: pydantic's `ValidationError`, or a `ValueError`.
    """

    text: str = ""
    error: ValueError | None = None

    def __reduce__(self) -> tuple[object, ...]:
        """Travel without the text, and without the error, which quotes it."""
        kept = {k: v for k, v in self.__dict__.items() if k not in ("text", "error")}
        return type(self), self.args, kept
