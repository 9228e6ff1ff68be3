"""The fault table: every kind of failure, whose it is, and what follows from that.

A fact about a kind of fault stands here and nowhere else; how a fault is recognised on the wire
stands in `recognition.py`. Code reads the table, and nothing else decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from openrouter_resilient import errors


class Scope(Enum):
    """Whose fault it is; this alone decides what happens next."""

    REQUEST = "request"  # the caller's: raised at once, never masked
    MODEL = "model"  # this route cannot serve this request; another model may
    ACCOUNT = "account"  # key or credit: the endpoint is of no use to this call, and a warning
    ENDPOINT = "endpoint"  # down, slow or broken: the next route
    NOBODY = "nobody"  # the client's own doing: nothing follows from it


class Quick(Enum):
    """Whether the same route is worth one quick retry before the next one is asked."""

    NO = "no"
    SOON = "soon"  # after 0.2–0.6 s, or its Retry-After if that is short
    AT_ONCE = "at once"


class Kind(Enum):
    """What went wrong."""

    REFUSED = "refused"
    UNRESOLVED = "unresolved"
    TLS = "tls"
    CONNECT_TIMEOUT = "connect_timeout"
    RESET = "reset"
    STALE_CONNECTION = "stale_connection"
    SILENT = "silent"
    STALLED = "stalled"
    INVALID_REQUEST = "invalid_request"
    CONTEXT_TOO_LONG = "context_too_long"
    BLOCKED = "blocked"
    UNKNOWN_MODEL = "unknown_model"
    NO_PROVIDER = "no_provider"
    FREE_QUOTA = "free_quota"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NO_CREDIT = "no_credit"
    QUOTA = "quota"
    RATE_LIMITED = "rate_limited"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    SERVER_ERROR = "server_error"
    UNAVAILABLE = "unavailable"
    OVERLOADED = "overloaded"
    REDIRECTED = "redirected"
    UNEXPECTED_STATUS = "unexpected_status"
    UNREADABLE = "unreadable"
    TRUNCATED = "truncated"
    EMPTY = "empty"
    TOO_BIG = "too_big"
    ABANDONED = "abandoned"


@dataclass(frozen=True)
class Row:
    """What follows from a kind of fault.

    Attributes:
        scope: whose fault it is.
        quick: whether the same route is worth one quick retry.
        counts: whether it counts against the breaker.
        why: the reason, in words a reader of an error message understands.
        raises: the exception if this fault ends the call by itself.
        sent: whether the request may have reached the server, and so may have been billed.
    """

    scope: Scope
    quick: Quick
    counts: bool
    why: str
    raises: type[errors.RequestRefused] | None = None
    sent: bool = True


_REQUEST, _MODEL, _ACCOUNT, _ENDPOINT = Scope.REQUEST, Scope.MODEL, Scope.ACCOUNT, Scope.ENDPOINT
_NOBODY = Scope.NOBODY
_NO, _SOON, _AT_ONCE = Quick.NO, Quick.SOON, Quick.AT_ONCE

# A wrong key counts against the breaker, too: in both outages of February 2026 OpenRouter answered
# 401 to valid keys in the worst phase, and a breaker blind to it would have closed again.
# fmt: off
FAULTS: dict[Kind, Row] = {
    #                         scope      quick     counts why
    Kind.REFUSED:           Row(_ENDPOINT, _NO,      True,  "nothing accepts connections there", sent=False),
    Kind.UNRESOLVED:        Row(_ENDPOINT, _NO,      True,  "its name did not resolve", sent=False),
    Kind.TLS:               Row(_ENDPOINT, _NO,      True,  "no secure connection could be made", sent=False),
    Kind.CONNECT_TIMEOUT:   Row(_ENDPOINT, _NO,      True,  "the connection was not accepted in time", sent=False),
    Kind.RESET:             Row(_ENDPOINT, _SOON,    True,  "the connection was closed on us"),
    Kind.STALE_CONNECTION:  Row(_ENDPOINT, _AT_ONCE, False, "an idle connection had been closed; a new one is needed", sent=False),
    Kind.SILENT:            Row(_ENDPOINT, _NO,      True,  "no token came in time"),
    Kind.STALLED:           Row(_ENDPOINT, _NO,      True,  "the answer stopped half-way"),
    Kind.INVALID_REQUEST:   Row(_REQUEST,  _NO,      False, "the request is invalid", errors.InvalidRequest),
    Kind.CONTEXT_TOO_LONG:  Row(_MODEL,    _NO,      False, "the prompt is too long for the model", errors.ContextTooLong),
    Kind.BLOCKED:           Row(_REQUEST,  _NO,      False, "moderation or a guardrail refused it", errors.ContentBlocked),
    Kind.UNKNOWN_MODEL:     Row(_MODEL,    _NO,      False, "no such model, or it is retired; check the id"),
    Kind.NO_PROVIDER:       Row(_MODEL,    _NO,      False, "no provider meets the request's constraints"),
    Kind.FREE_QUOTA:        Row(_MODEL,    _NO,      False, "the free requests of the day are used up; wait, or ask a paid model"),
    Kind.UNAUTHORIZED:      Row(_ACCOUNT,  _NO,      True,  "the key was not accepted; check it"),
    Kind.FORBIDDEN:         Row(_ACCOUNT,  _NO,      True,  "the key may not do this"),
    Kind.NO_CREDIT:         Row(_ACCOUNT,  _NO,      True,  "no credit; add some, or set a smaller max_tokens"),
    Kind.QUOTA:             Row(_ACCOUNT,  _NO,      True,  "a quota is used up until it is reset"),
    Kind.RATE_LIMITED:      Row(_ENDPOINT, _SOON,    True,  "too many requests"),
    Kind.UPSTREAM_TIMEOUT:  Row(_ENDPOINT, _SOON,    True,  "the server gave up waiting for its upstream"),
    Kind.SERVER_ERROR:      Row(_ENDPOINT, _SOON,    True,  "an error inside the server"),
    Kind.UNAVAILABLE:       Row(_ENDPOINT, _SOON,    True,  "the service is not available"),
    Kind.OVERLOADED:        Row(_ENDPOINT, _SOON,    True,  "the service is overloaded"),
    Kind.REDIRECTED:        Row(_ENDPOINT, _NO,      True,  "it redirects, which is never followed with a key; set the new base URL"),
    Kind.UNEXPECTED_STATUS: Row(_ENDPOINT, _NO,      True,  "a status this API does not use"),
    Kind.UNREADABLE:        Row(_ENDPOINT, _SOON,    True,  "the answer could not be read"),
    Kind.TRUNCATED:         Row(_ENDPOINT, _SOON,    True,  "the answer was cut off"),
    Kind.EMPTY:             Row(_ENDPOINT, _SOON,    True,  "the answer was empty"),
    Kind.TOO_BIG:           Row(_ENDPOINT, _NO,      True,  "the answer was larger than the client accepts"),
    Kind.ABANDONED:         Row(_NOBODY,   _NO,      False, "another route spoke first, and this one was hung up on"),
}
# fmt: on


@dataclass(frozen=True)
class Fault:
    """One classified failure.

    Attributes:
        kind: what went wrong.
        message: the server's own words, or the local cause; cut at 500 characters, keys masked.
        status: the HTTP status; None if no reply came or the error stood in a body under 200.
        code: the server's own code as text.
        error_type: OpenRouter's `metadata.error_type`.
        retry_after: seconds after which the server wants to be asked again.
        relayed: an upstream provider's failure, passed on by OpenRouter: the gateway itself is up.
        request_id: what to quote to the provider's support.
    """

    kind: Kind
    message: str = ""
    status: int | None = None
    code: str | None = None
    error_type: str | None = None
    retry_after: float | None = None
    relayed: bool = False
    request_id: str | None = None

    @property
    def row(self) -> Row:
        """What the table says of this kind."""
        return FAULTS[self.kind]

    @property
    def scope(self) -> Scope:
        """Whose fault it is."""
        return FAULTS[self.kind].scope

    def __str__(self) -> str:
        """Say it in one line: kind, status, and the server's words or ours."""
        status = f" ({self.status})" if self.status else ""
        return f"{self.kind.value}{status}: {self.message or self.row.why}"


class Broken(Exception):
    """An attempt broke; internal to the package, turned into an outcome by the client."""

    def __init__(self, fault: Fault) -> None:
        """Carry the fault."""
        super().__init__(str(fault))
        self.fault = fault
