"""Faults that are a status, with the bodies that were seen with it.

The wording is OpenRouter's; another face writes the same in its own form, or, where the meaning
lies in fields it does not have, what it would answer for the same kind.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from openrouter_resilient.simulator.exchange import HTML_TYPE, answer_healthily
from openrouter_resilient.simulator.message import response_head
from openrouter_resilient.simulator.refusal import Refusal
from openrouter_resilient.simulator.row import Row

if TYPE_CHECKING:
    from openrouter_resilient.simulator.exchange import Exchange
    from openrouter_resilient.simulator.message import Header, Json
    from openrouter_resilient.simulator.row import Play

DOCS = "https://openrouter.ai/docs/api-reference/errors"
MOVED = "/moved"  # a redirect's target: under it a face answers healthily, and records

CLOUDFLARE_PAGE = """<!DOCTYPE html>
<html lang="en-US"><head><title>openrouter.ai | {status}: {message}</title></head>
<body><h1>Error code {status}</h1><p>{message}</p>
<p>Cloudflare Ray ID: 0123456789abcdef</p></body></html>
"""


def refuse(refusal: Refusal, kind: str) -> Play:
    """Answer an error in the face's form."""

    def play(exchange: Exchange) -> None:
        exchange.refuse(exchange.face.nearest(refusal, kind))

    return play


def page(status: int, message: str) -> Play:
    """Answer an error as Cloudflare's HTML, whatever the API."""

    def play(exchange: Exchange) -> None:
        html = CLOUDFLARE_PAGE.format(status=status, message=message).encode()
        exchange.send(html, HTML_TYPE, status=status)

    return play


def plain(status: int, text: str) -> Play:
    """Answer an error as bare text."""

    def play(exchange: Exchange) -> None:
        exchange.send(text.encode(), "text/plain; charset=UTF-8", status=status)

    return play


def redirect(status: int) -> Play:
    """Send the client elsewhere, by default to another path of the same host."""

    def play(exchange: Exchange) -> None:
        location = exchange.text("location") or "{path}"
        path = MOVED + exchange.question.request.target
        port = exchange.question.request.header("host").rpartition(":")[2]
        location = location.replace("{path}", path).replace("{port}", port)
        exchange.send(b"", HTML_TYPE, ("Location", location), status=status)

    return play


def no_content(exchange: Exchange) -> None:
    """Answer 204, which has no body and no length."""
    exchange.begin(204)


def interim(exchange: Exchange, status: int, *headers: Header) -> None:
    """Write an interim reply; it is not the answer, so it is not noted as said."""
    exchange.connection.write(response_head(status, headers))


def early_hints(exchange: Exchange) -> None:
    """Write 103 before a good reply."""
    interim(exchange, 103, ("Link", "</style.css>; rel=preload"))
    answer_healthily(exchange)


def continues(exchange: Exchange) -> None:
    """Write 100, three times, before a good reply; nobody asked."""
    for _ in range(3):
        interim(exchange, 100)
    answer_healthily(exchange)


def only_interim(exchange: Exchange) -> None:
    """Write 103 and close."""
    interim(exchange, 103)
    exchange.cut()


def provider(raw_message: str = "", **facts: object) -> Json:
    """Write the metadata of an error that a provider gave and OpenRouter passes on."""
    raw = {"raw": json.dumps({"error": {"message": raw_message}})} if raw_message else {}
    return {"provider_name": "{provider}", "is_byok": False, **raw, **facts}


def availability(code: str, *, retryable: bool = False, **facts: object) -> Json:
    """Write error.availability."""
    models = {"requested_models": ["{model}"]}
    return {"code": code, "retryable": retryable, **models, **facts, "docs_url": DOCS}


def typed(error_type: str, **facts: object) -> Json:
    """Write metadata with an error_type."""
    return {"error_type": error_type, **facts}


def row(name: str, kind: str, refusal: Refusal, seen: str) -> Row:
    """Make the row of a status in the face's own form."""
    return Row(name, "status", kind, seen, refuse(refusal, kind), status=refusal.status)


def html(status: int, message: str, kind: str = "unavailable") -> Row:
    """Make the row of a status that Cloudflare answers as a page."""
    name = f"status_{status}_html"
    seen = f"Cloudflare's {status} page (anomalyco/opencode #9038)"
    return Row(name, "status", kind, seen, page(status, message), status=status)


def moved(status: int) -> Row:
    """Make the row of a redirect to the same host."""
    seen = f"RFC 9110, 15.4: {status}; a POST must not be resent unasked"
    return Row(
        f"redirect_{status}",
        "status",
        "redirected",
        seen,
        redirect(status),
        {"location": ""},
    )


RELAYED = "Provider returned error"
SEEN_RELAYED = "production bodies of 2026-08-03, a Go router's fixtures"
SEEN_AVAILABILITY = "error.availability, since 2026-08-19 (changelog)"
SEEN_TABLE = "errors-and-debugging, table of statuses"
SEEN_TYPES = "error_type outranks the status (OpenAPI, ApiErrorType)"
OTHER_HOST = {"location": "http://localhost:{port}{path}"}  # the same listener under another name

# fmt: off
ROWS = (
    row("status_400",              "invalid_request",  Refusal(400, "Input validation error: messages: Invalid input", metadata=None), SEEN_TABLE),
    row("status_400_type",         "invalid_request",  Refusal(400, "Invalid request", metadata=typed("invalid_request")), SEEN_TABLE),
    row("status_400_too_many_models", "invalid_request", Refusal(400, "'models' array must have 3 items or fewer.", siblings={"user_id": "user_simulated"}), "smart-todo-III, 2026-02-11"),
    row("status_400_context",      "context_too_long", Refusal(400, "This endpoint's maximum context length is 128000 tokens. However, you requested about 230799 tokens.",
                                                               metadata=typed("context_length_exceeded")), "error_type context_length_exceeded"),
    row("status_400_context_untyped", "context_too_long", Refusal(400, "This model's maximum context length is 128000 tokens. However, your messages resulted in 230799 tokens.",
                                                               code="context_length_exceeded", param="messages"), "OpenAI's wording, relayed without an error_type"),
    row("status_400_content_policy", "blocked",        Refusal(400, "Input was flagged by the content policy", metadata=typed("content_policy_violation")), "error_type content_policy_violation"),
    row("status_400_refusal",      "blocked",          Refusal(400, "The model refused to answer", metadata=typed("refusal")), "error_type refusal"),
    row("status_400_unknown_model", "unknown_model",   Refusal(400, "acme/fake-1.0 is not a valid model ID", availability=availability("model_not_found")), SEEN_AVAILABILITY),
    row("status_400_provider",     "unavailable",      Refusal(400, RELAYED, metadata=provider("temperature is not supported")), SEEN_RELAYED),
    Row("status_400_text", "status", "invalid_request", "a proxy's bare 400", plain(400, "Bad Request"), status=400),
    row("status_401",              "unauthorized",     Refusal(401, "No auth credentials found", code="invalid_api_key"), SEEN_TABLE),
    row("status_401_user_not_found", "unauthorized",   Refusal(401, "User not found.", code="invalid_api_key"), "2026-02-17 and 02-19: valid keys, 80-90 % of requests"),
    row("status_401_provider",     "unavailable",      Refusal(401, RELAYED, metadata=provider("invalid API key")), SEEN_RELAYED + "; 98 min on 2026-09-24"),
    row("status_402",              "no_credit",        Refusal(402, "Insufficient credits. Add more using https://openrouter.ai/credits"), "oh-my-pi #9569"),
    row("status_402_max_tokens",   "no_credit",        Refusal(402, "This request requires more credits, or fewer max_tokens. You requested up to 65536 tokens, but can only afford 30104."), "openclaude #1125"),
    row("status_403_key",          "forbidden",        Refusal(403, "Only management keys can perform this operation"), SEEN_TABLE),
    row("status_403_guardrail",    "blocked",          Refusal(403, "Request blocked: prompt injection patterns detected", metadata={"patterns": ["ignore previous instructions"]}), SEEN_TABLE),
    row("status_403_moderation",   "blocked",          Refusal(403, "Your input was flagged by moderation", metadata={"reasons": ["violence"], "flagged_input": "…", "provider_name": "{provider}", "model_slug": "{model}"}), SEEN_TABLE),
    row("status_403_region",       "no_provider",      Refusal(403, "This model is not available in your region", availability=availability("region_restricted")), SEEN_AVAILABILITY),
    row("status_404_no_endpoints", "no_provider",      Refusal(404, "No endpoints found that support the requested parameters.", availability=availability("no_endpoints")), SEEN_AVAILABILITY),
    row("status_404_no_allowed_providers", "no_provider", Refusal(404, "No allowed providers are available for the selected model.", metadata={"available_providers": ["{provider}"]}), "provider-selection, `only`"),
    row("status_404_privacy",      "no_provider",      Refusal(404, "No endpoints found matching your data policy.", availability=availability("privacy_restricted", excluded_by=["data_collection"])), SEEN_AVAILABILITY),
    row("status_404_constraint",   "no_provider",      Refusal(404, "No endpoints found within max_price.", availability=availability("constraint_filtered", constraint={"field": "max_price", "detail": "0.01"})), SEEN_AVAILABILITY),
    row("status_404_deprecated",   "unknown_model",    Refusal(404, "{model} has been deprecated", availability=availability("model_deprecated", fallback_models=["openai/gpt-4o"])), SEEN_AVAILABILITY),
    row("status_404_free_ended",   "unknown_model",    Refusal(404, "The free period of this model has ended", availability=availability("free_variant_ended")), SEEN_AVAILABILITY),
    row("status_404_upstream_gone", "no_provider",     Refusal(404, "Model unavailable upstream", availability=availability("model_unavailable_upstream")), SEEN_AVAILABILITY),
    row("status_404_retryable",    "unavailable",      Refusal(404, "Temporarily unavailable", availability=availability("temporarily_unavailable", retryable=True)), "availability.retryable outranks the status"),
    row("status_408",              "upstream_timeout", Refusal(408, "Operation timed out. Please try again later."), SEEN_TABLE),
    row("status_409",              "unexpected_status", Refusal(409, "Conflict"), "PYSDK ConflictResponseError"),
    row("status_412",              "invalid_request",  Refusal(412, "Precondition failed"), "error_type precondition_failed"),
    row("status_413",              "invalid_request",  Refusal(413, "Request payload too large"), SEEN_TABLE),
    row("status_418",              "unexpected_status", Refusal(418, "I'm a teapot"), "RFC 9110, 15.5.19: reserved"),
    row("status_422",              "invalid_request",  Refusal(422, "Invalid argument"), SEEN_TABLE),
    row("status_424",              "unexpected_status", Refusal(424, "Failed dependency"), "Groq's table of errors"),
    row("status_425",              "unexpected_status", Refusal(425, "Too early"), "RFC 8470, 5.2"),
    row("status_498",              "overloaded",       Refusal(498, "Flex tier capacity exceeded", code="capacity_exceeded"), "Groq: flex tier, retryable"),
    row("status_499",              "unexpected_status", Refusal(499, "Client closed request"), "PYSDK ClientClosedRequestResponseError"),
    row("status_500",              "server_error",     Refusal(500, "Internal Server Error", metadata=typed("server")), "2026-02-17 05:27: 20 % of requests"),
    row("status_502",              "unavailable",      Refusal(502, "Bad gateway"), SEEN_TABLE),
    row("status_502_provider",     "unavailable",      Refusal(502, "Provider disconnected", metadata=provider(error_type="provider_unavailable")), SEEN_TABLE),
    row("status_503",              "unavailable",      Refusal(503, "Service temporarily unavailable"), "how an auth-lookup failure looks since Feb 2026"),
    row("status_503_provider",     "unavailable",      Refusal(503, RELAYED, metadata=provider("no healthy upstream")), SEEN_TABLE),
    row("status_503_overloaded",   "overloaded",       Refusal(503, RELAYED, metadata=provider(error_type="provider_overloaded")), "error_type provider_overloaded"),
    row("status_503_not_retryable", "no_provider",     Refusal(503, "No endpoints", availability=availability("no_endpoints")), "availability.retryable outranks the status"),
    row("status_504",              "upstream_timeout", Refusal(504, "The provider did not respond in time", metadata=typed("timeout")), "error_type timeout"),
    row("status_524",              "upstream_timeout", Refusal(524, "Request timed out. Please try again later."), SEEN_TABLE),
    row("status_529",              "overloaded",       Refusal(529, RELAYED, metadata=provider("Overloaded", error_type="provider_overloaded")), SEEN_TABLE),
    row("status_599",              "unavailable",      Refusal(599, "Network connect timeout error"), "RFC 9110, 15: an unknown 5xx is a 500"),
    row("type_outranks_400",       "unavailable",      Refusal(400, "Provider unavailable", metadata=typed("provider_unavailable")), SEEN_TYPES),
    row("type_outranks_500",       "rate_limited",     Refusal(500, "Rate limited", metadata=typed("rate_limit_exceeded")), SEEN_TYPES),
    row("type_outranks_502",       "upstream_timeout", Refusal(502, "Timed out", metadata=typed("timeout")), SEEN_TYPES),
    html(502, "Bad gateway"), html(503, "Service unavailable"), html(520, "Web server is returning an unknown error"),
    html(521, "Web server is down"), html(522, "Connection timed out"), html(523, "Origin is unreachable"),
    html(524, "A timeout occurred", "upstream_timeout"), html(525, "SSL handshake failed"),
    html(526, "Invalid SSL certificate"), html(527, "Railgun error"), html(530, "Origin DNS error"),
    Row("status_520_text", "status", "unavailable", "`error code: 1000` (anomalyco/opencode #9038)", plain(520, "error code: 1000"), status=520),
    moved(301), moved(302), moved(307), moved(308),
    Row("redirect_other_host", "status", "redirected",        "RFC 9110, 15.4: a key must not follow to another host", redirect(307), OTHER_HOST),
    Row("status_204",          "status", "unexpected_status", "RFC 9110, 15.3.5: no content, where some was due", no_content),
    Row("early_hints",         "status", "",                  "RFC 9110, 15.2: any number of 1xx before a reply; RFC 8297", early_hints),
    Row("continue_noise",      "status", "",                  "RFC 9110, 15.2.1: 100 that nobody asked for", continues),
    Row("only_early_hints",    "status", "reset",             "RFC 9110, 15.2: a 1xx is not the reply, and then none came", only_interim),
)
# fmt: on
