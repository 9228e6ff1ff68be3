"""How each fault is recognised: a status, a body or an exception in, a `Fault` out.

The order is the rule, first match wins: `availability.retryable`, then a moderation block, then
the error's own names (`metadata.error_type`, `code`, `type`), then "an upstream provider said so",
then the message, then the status. Source: https://openrouter.ai/docs/api_reference/errors-and-debugging
("use this value, not the HTTP status code alone"; "always switch on availability.retryable").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from openrouter_resilient.routing.faults import FAULTS, Fault, Kind, Scope

MESSAGE_LIMIT = 500  # characters of a server's words that are kept
HEAD_LIMIT = 4096  # characters of a page in which its title is looked for
LONGEST_WAIT_S = 86_400.0  # a Retry-After beyond a day (a daily quota's) is a mistake

# fmt: off
NAMES: dict[str, Kind] = {
    # OpenRouter, metadata.error_type (ApiErrorType in its OpenAPI document)
    "context_length_exceeded":             Kind.CONTEXT_TOO_LONG,
    "max_tokens_exceeded":                 Kind.CONTEXT_TOO_LONG,
    "token_limit_exceeded":                Kind.CONTEXT_TOO_LONG,
    "string_too_long":                     Kind.INVALID_REQUEST,
    "authentication":                      Kind.UNAUTHORIZED,
    "payment_required":                    Kind.NO_CREDIT,
    "permission_denied":                   Kind.FORBIDDEN,
    "rate_limit_exceeded":                 Kind.RATE_LIMITED,
    "provider_overloaded":                 Kind.OVERLOADED,
    "provider_unavailable":                Kind.UNAVAILABLE,
    "invalid_request":                     Kind.INVALID_REQUEST,
    "invalid_prompt":                      Kind.INVALID_REQUEST,
    "not_found":                           Kind.UNKNOWN_MODEL,
    "precondition_failed":                 Kind.INVALID_REQUEST,
    "payload_too_large":                   Kind.INVALID_REQUEST,
    "unprocessable":                       Kind.INVALID_REQUEST,
    "content_policy_violation":            Kind.BLOCKED,
    "refusal":                             Kind.BLOCKED,
    "invalid_image":                       Kind.INVALID_REQUEST,
    "image_too_large":                     Kind.INVALID_REQUEST,
    "image_too_small":                     Kind.INVALID_REQUEST,
    "unsupported_image_format":            Kind.INVALID_REQUEST,
    "image_download_failed":               Kind.INVALID_REQUEST,
    "image_not_found":                     Kind.INVALID_REQUEST,
    "server":                              Kind.SERVER_ERROR,
    "timeout":                             Kind.UPSTREAM_TIMEOUT,
    "unmapped":                            Kind.SERVER_ERROR,
    # OpenRouter, error.availability.code
    "model_not_found":                     Kind.UNKNOWN_MODEL,  # OpenAI's code as well
    "wrong_endpoint":                      Kind.UNKNOWN_MODEL,
    "no_endpoints":                        Kind.NO_PROVIDER,
    "model_deprecated":                    Kind.UNKNOWN_MODEL,
    "model_unavailable_upstream":          Kind.NO_PROVIDER,
    "capacity_exhausted":                  Kind.RATE_LIMITED,
    "temporarily_unavailable":             Kind.UNAVAILABLE,
    "region_restricted":                   Kind.NO_PROVIDER,
    "privacy_restricted":                  Kind.NO_PROVIDER,
    "constraint_filtered":                 Kind.NO_PROVIDER,
    "free_variant_ended":                  Kind.UNKNOWN_MODEL,
    # OpenAI, Groq and Anthropic: error.code or error.type
    "invalid_api_key":                     Kind.UNAUTHORIZED,
    "insufficient_quota":                  Kind.NO_CREDIT,
    "credit_balance_exhausted":            Kind.NO_CREDIT,
    "organization_spend_limit_exceeded":   Kind.QUOTA,
    "project_spend_limit_exceeded":        Kind.QUOTA,
    "organization_usage_limit_exceeded":   Kind.QUOTA,
    "enforced_spend_limit_reached":        Kind.QUOTA,
    "slow_down":                           Kind.RATE_LIMITED,
    "content_filter":                      Kind.BLOCKED,
    "model_decommissioned":                Kind.UNKNOWN_MODEL,
    "organization_restricted":             Kind.FORBIDDEN,  # Groq, under a 400
    "model_permission_blocked_org":        Kind.NO_PROVIDER,  # Groq: an admin's choice of models
    "model_permission_blocked_project":    Kind.NO_PROVIDER,  # the same
    "server_error":                        Kind.SERVER_ERROR,
    "capacity_exceeded":                   Kind.OVERLOADED,
    "tool_use_failed":                     Kind.UNREADABLE,  # Groq: the model's own bad output
    "json_validate_failed":                Kind.UNREADABLE,  # the same
    "authentication_error":                Kind.UNAUTHORIZED,
    "billing_error":                       Kind.NO_CREDIT,
    "permission_error":                    Kind.FORBIDDEN,
    "not_found_error":                     Kind.UNKNOWN_MODEL,
    "request_too_large":                   Kind.INVALID_REQUEST,
    "rate_limit_error":                    Kind.RATE_LIMITED,
    "timeout_error":                       Kind.UPSTREAM_TIMEOUT,
    "api_error":                           Kind.SERVER_ERROR,
    "overloaded_error":                    Kind.OVERLOADED,
    "exceed_context_size_error":           Kind.CONTEXT_TOO_LONG,  # llama.cpp
}

VAGUE = ("server_error", "api_error")  # how OpenAI and Anthropic call every 5xx: its number says more

WORDS: tuple[tuple[tuple[int, ...], str, Kind], ...] = (
    # statuses        words in the message                              kind; for bodies without a name
    ((400, 413, 422), r"context (length|window|limit|size)|maximum context|prompt is too long|too many tokens", Kind.CONTEXT_TOO_LONG),
    ((400, 404),      r"not a valid model id|model .{0,80}(does not exist|not found|decommissioned)", Kind.UNKNOWN_MODEL),
    ((404,),          r"no (allowed providers|endpoints)",              Kind.NO_PROVIDER),
    ((429,),          r"free-models-per-day",                           Kind.FREE_QUOTA),
    ((429,),          r"requests per day|\bdaily\b",                    Kind.QUOTA),
    ((429,),          r"current quota|plan and billing",                Kind.NO_CREDIT),
    ((429,),          r"spend(ing)? limit",                             Kind.QUOTA),
    ((403,),          r"moderation|flagged|prompt injection|guardrail|blocked", Kind.BLOCKED),
    ((400,),          r"content (policy|management policy)|safety system", Kind.BLOCKED),
    # An account's trouble under the caller's status, with no name but "invalid_request_error"
    ((400,),          r"credit balance is too low",                     Kind.NO_CREDIT),  # Anthropic
    ((400,),          r"reached your .{0,40}usage limits",              Kind.QUOTA),  # Anthropic
    ((400,),          r"organization must be verified",                 Kind.NO_PROVIDER),  # OpenAI: some models
)

STATUSES: dict[int, Kind] = {
    400: Kind.INVALID_REQUEST, 401: Kind.UNAUTHORIZED,     402: Kind.NO_CREDIT,
    403: Kind.FORBIDDEN,       404: Kind.UNKNOWN_MODEL,    408: Kind.UPSTREAM_TIMEOUT,
    410: Kind.UNKNOWN_MODEL,   412: Kind.INVALID_REQUEST,  413: Kind.INVALID_REQUEST,
    422: Kind.INVALID_REQUEST, 429: Kind.RATE_LIMITED,     498: Kind.OVERLOADED,
    500: Kind.SERVER_ERROR,    504: Kind.UPSTREAM_TIMEOUT, 524: Kind.UPSTREAM_TIMEOUT,
    529: Kind.OVERLOADED,
}

# Most telling first: an exception usually wraps another (requests wraps urllib3 wraps the socket's),
# and the first row that fits any of them names the fault. Qualified names, so that nothing here
# has to import the libraries.
EXCEPTIONS: tuple[tuple[str, Kind], ...] = (
    ("socket.gaierror",                         Kind.UNRESOLVED),
    ("urllib3.exceptions.NameResolutionError",  Kind.UNRESOLVED),
    ("ssl.SSLEOFError",                         Kind.RESET),  # the connection, not the certificate
    ("ssl.SSLZeroReturnError",                  Kind.RESET),
    ("ssl.SSLError",                            Kind.TLS),
    ("urllib3.exceptions.SSLError",             Kind.TLS),
    ("requests.exceptions.SSLError",            Kind.TLS),
    ("builtins.ConnectionRefusedError",         Kind.REFUSED),
    ("builtins.ConnectionResetError",           Kind.RESET),  # even while connecting
    ("urllib3.exceptions.NewConnectionError",   Kind.REFUSED),
    ("urllib3.exceptions.ProxyError",           Kind.REFUSED),
    ("requests.exceptions.ProxyError",          Kind.REFUSED),
    ("urllib3.exceptions.ConnectTimeoutError",  Kind.CONNECT_TIMEOUT),
    ("requests.exceptions.ConnectTimeout",      Kind.CONNECT_TIMEOUT),
    ("urllib3.exceptions.ReadTimeoutError",     Kind.SILENT),
    ("urllib3.exceptions.TimeoutError",         Kind.SILENT),
    ("requests.exceptions.Timeout",             Kind.SILENT),
    ("builtins.TimeoutError",                   Kind.SILENT),
    ("http.client.IncompleteRead",              Kind.TRUNCATED),
    ("urllib3.exceptions.IncompleteRead",       Kind.TRUNCATED),
    ("urllib3.exceptions.InvalidChunkLength",   Kind.TRUNCATED),
    ("requests.exceptions.ChunkedEncodingError", Kind.TRUNCATED),
    ("http.client.RemoteDisconnected",          Kind.RESET),
    ("builtins.ConnectionError",                Kind.RESET),
    ("http.client.HTTPException",               Kind.UNREADABLE),
    ("zlib.error",                              Kind.UNREADABLE),
    ("urllib3.exceptions.DecodeError",          Kind.UNREADABLE),
    ("urllib3.exceptions.InvalidHeader",        Kind.UNREADABLE),
    ("urllib3.exceptions.HeaderParsingError",   Kind.UNREADABLE),
    ("requests.exceptions.ContentDecodingError", Kind.UNREADABLE),
    ("requests.exceptions.InvalidHeader",       Kind.UNREADABLE),
    ("builtins.RecursionError",                 Kind.UNREADABLE),
    ("builtins.ValueError",                     Kind.UNREADABLE),
    ("urllib3.exceptions.HTTPError",            Kind.RESET),
    ("requests.exceptions.RequestException",    Kind.RESET),
    ("builtins.OSError",                        Kind.REFUSED),  # no route to host, network is down
)
# fmt: on


@dataclass(frozen=True)
class _Evidence:
    """The parts of an error body that tell, whatever shape it came in.

    A `page` is no API's: a firewall's "Web Page Blocked" says nothing of the prompt.
    """

    error: Mapping[str, Any]
    metadata: Mapping[str, Any]
    availability: Mapping[str, Any]
    status: int
    message: str
    page: bool

    @property
    def provider_name(self) -> str | None:
        name = self.metadata.get("provider_name")
        return name if isinstance(name, str) and name else None


def classify_reply(
    status: int, body: object, headers: Mapping[str, str], *, wall_now: float
) -> Fault:
    """Name the fault of a reply that is an error.

    Args:
        status: the HTTP status; for an error inside a 200, 200.
        body: the parsed JSON body, or the raw text, or None.
        headers: the reply's headers, with lower-case names.
        wall_now: the time of day (seconds since 1970), for dates in `Retry-After`.

    Returns:
        The fault. Never raises, whatever the body holds.
    """
    seen = _evidence(status, body)
    return Fault(
        kind=_kind(seen),
        message=seen.message,
        status=status if status != 200 else None,
        code=_text(seen.error.get("code")) or _text(seen.availability.get("code")),
        error_type=_text(seen.metadata.get("error_type")) or _text(seen.error.get("error_type")),
        retry_after=_retry_after(seen, headers, wall_now),
        relayed=seen.provider_name is not None,
        request_id=headers.get("x-request-id") or headers.get("request-id"),
    )


def classify_exception(error: BaseException) -> Fault:
    """Name the fault behind an exception of the socket, of urllib3 or of requests."""
    chain = list(_chain(error))
    names = {name for link in chain for name in _qualified_names(type(link))}
    kind = next((kind for name, kind in EXCEPTIONS if name in names), Kind.RESET)
    return Fault(kind=kind, message=_cause(chain))


def _evidence(status: int, body: object) -> _Evidence:
    """Take an error body apart; anything that is not as documented is treated as absent."""
    whole = _mapping(body[0] if isinstance(body, list) and body else body)
    error = _mapping(whole.get("error")) or _bare_error(whole, status)
    inner = _status(error.get("code")) or _status(error.get("http_status"))
    return _Evidence(
        error=error,
        metadata=_mapping(error.get("metadata")),
        availability=_mapping(error.get("availability")),
        status=status if status >= 300 else inner or (500 if status == 200 else status),
        message=_words(error, body),
        page=isinstance(body, str) and body.lstrip()[:1] == "<",
    )


def _bare_error(whole: Mapping[str, Any], status: int) -> Mapping[str, Any]:
    """An error that is a text, or the whole body: of older vLLM and Mistral, and of FastAPI."""
    said, detail = whole.get("error"), whole.get("detail")
    if isinstance(said, str):
        return {"message": said}
    if status < 300:
        return {}
    if isinstance(detail, list):  # one for each mistake; its `input` would quote the request
        detail = "; ".join(str(_mapping(part).get("msg")) for part in detail)
    if isinstance(detail, str):
        return {"message": detail}
    return whole if whole.get("object") == "error" else {}


def _kind(seen: _Evidence) -> Kind:
    """The rules, in their order."""
    named = _named(seen)
    retryable = seen.availability.get("retryable")
    if retryable is True:
        return named if named and FAULTS[named].scope is Scope.ENDPOINT else Kind.UNAVAILABLE
    if _moderated(seen):
        return Kind.BLOCKED
    if named:
        return named
    if seen.provider_name and seen.status in (400, 401, 402, 403, 404, 409, 422):
        return Kind.UNAVAILABLE
    return _by_words(seen) or _by_status(seen.status)


def _named(seen: _Evidence) -> Kind | None:
    """What the error calls itself. A provider's own trouble with a key is not the caller's."""
    for name in (
        seen.availability.get("code"),
        seen.metadata.get("error_type"),
        seen.error.get("error_type"),
        seen.error.get("code"),
        seen.error.get("type"),
    ):
        kind = NAMES.get(name) if isinstance(name, str) else None
        if name in VAGUE and seen.status > 500:
            continue
        if kind and not (seen.provider_name and FAULTS[kind].scope is Scope.ACCOUNT):
            return kind
    return None


def _moderated(seen: _Evidence) -> bool:
    """OpenRouter's moderation says `reasons` and `flagged_input`, a guardrail says `patterns`."""
    return any(key in seen.metadata for key in ("reasons", "flagged_input", "patterns"))


def _by_words(seen: _Evidence) -> Kind | None:
    for statuses, words, kind in () if seen.page else WORDS:
        if seen.provider_name and FAULTS[kind].scope is Scope.ACCOUNT:
            continue  # the provider's account
        if seen.status in statuses and re.search(words, seen.message, re.IGNORECASE):
            return kind
    return None


def _by_status(status: int) -> Kind:
    if status in STATUSES:
        return STATUSES[status]
    if status >= 500:
        return Kind.UNAVAILABLE
    return Kind.REDIRECTED if 300 <= status < 400 else Kind.UNEXPECTED_STATUS


def _retry_after(seen: _Evidence, headers: Mapping[str, str], wall_now: float) -> float | None:
    """Seconds to wait, from the first source that makes sense; garbage is ignored."""
    relayed = {
        name.lower(): str(value) for name, value in _mapping(seen.metadata.get("headers")).items()
    }
    candidates = (
        _number(headers.get("retry-after-ms"), scale=0.001),
        _number(headers.get("retry-after")),
        _date(headers.get("retry-after"), wall_now),
        _number(seen.availability.get("retry_after")),
        _reset(relayed.get("x-ratelimit-reset"), wall_now),
        _reset(headers.get("x-ratelimit-reset"), wall_now),
    )
    return next((wait for wait in candidates if wait is not None), None)


def _number(value: object, *, scale: float = 1.0) -> float | None:
    try:
        wait = float(value) * scale  # type: ignore[arg-type]  # what is no number is ignored below
    except (TypeError, ValueError, OverflowError):
        return None
    return wait if 0.0 <= wait <= LONGEST_WAIT_S else None


def _date(value: str | None, wall_now: float) -> float | None:
    """RFC 9110, section 10.2.3: Retry-After may be an HTTP date."""
    try:
        return _number(parsedate_to_datetime(value or "").timestamp() - wall_now)
    except (TypeError, ValueError, OverflowError):
        return None


def _reset(value: str | None, wall_now: float) -> float | None:
    """A unix time; milliseconds were observed, the documentation gives no unit."""
    try:
        instant = float(value or "")
    except ValueError:
        return None
    return _number((instant / 1000 if instant > 1e11 else instant) - wall_now)


def _words(error: Mapping[str, Any], body: object) -> str:
    """The server's own words: its message, or the beginning of a text that is no JSON."""
    said = error.get("message")
    text = said if isinstance(said, str) else body if isinstance(body, str) else ""
    if text.lstrip()[:1] == "<":
        title = re.search(r"<title[^>]*>([^<]*)</title>", text[:HEAD_LIMIT], re.IGNORECASE)
        text = f"an HTML page, {title[1].strip()!r}" if title else "an HTML page"
    return " ".join(text.split())[:MESSAGE_LIMIT]


def _status(value: object) -> int | None:
    """A code that is an HTTP status, as a number or as text."""
    number = _number(value)
    return int(number) if number is not None and 300 <= number <= 599 else None


def _text(value: object) -> str | None:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and all it wraps, outermost first."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        link = waiting.pop(0)
        if isinstance(link, BaseException) and id(link) not in seen:
            seen.add(id(link))
            yield link
            # Not __context__: it may be an exception that the caller was handling all along.
            waiting += [getattr(link, "reason", None), *link.args, link.__cause__]


def _qualified_names(kind: type) -> Iterator[str]:
    for base in kind.__mro__:
        yield f"{base.__module__}.{base.__qualname__}"


def _cause(chain: list[BaseException]) -> str:
    """The innermost exception in words. Its class and errno say enough; a text may hold a URL."""
    inner = chain[-1]
    reason = inner.strerror if isinstance(inner, OSError) and inner.strerror else ""
    return f"{type(inner).__name__} {reason}".strip()[:MESSAGE_LIMIT]
