"""How faults are recognised, in the servers' own bodies and the libraries' own exceptions."""

# ruff: noqa: E501  a row of a table is one line

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
import zlib
from email.utils import formatdate

import pytest
import requests.exceptions
import urllib3.exceptions

from openrouter_resilient.routing import recognition
from openrouter_resilient.routing.faults import Kind
from openrouter_resilient.routing.recognition import (
    EXCEPTIONS,
    NAMES,
    STATUSES,
    WORDS,
    classify_exception,
    classify_reply,
)

WALL = 1_788_000_000.0  # the time of day at which the replies come


def reply(status, body=None, headers=None):
    return classify_reply(status, body, headers or {}, wall_now=WALL)


def kind_of(status, body=None):
    return reply(status, body).kind


def error(**fields):
    return {"error": fields}


# ---- what servers answered, in their own words

RELAYED_401 = {
    "error": {
        "message": "Provider returned error",
        "code": 401,
        "metadata": {
            "raw": '{"error":{"message":"invalid API key"}}',
            "provider_name": "Darkbloom",
            "is_byok": False,
        },
    }
}
FOUR_MODELS = {
    "error": {"message": "'models' array must have 3 items or fewer.", "code": 400},
    "user_id": "user_2abc",
}
DAILY_FREE = {
    "error": {
        "message": "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free "
        "model requests per day",
        "code": 429,
        "metadata": {
            "headers": {
                "X-RateLimit-Limit": "50",
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": "1788048000000",
            }
        },
    }
}
UPSTREAM_502_UNDER_200 = {
    "id": "gen-1",
    "error": {"message": "Upstream error from Nvidia: Service temporarily overloaded", "code": 502},
}
AT_CAPACITY = {
    "error": {
        "message": "All providers for X are at capacity. Retry after 40 seconds.",
        "error_type": "rate_limit_exceeded",
        "http_status": 429,
        "availability": {"code": "capacity_exhausted", "retryable": True, "retry_after": 40},
    }
}
MODERATED = {
    "error": {
        "message": "Input was flagged",
        "code": 403,
        "metadata": {
            "reasons": ["violence"],
            "flagged_input": "…",
            "provider_name": "OpenAI",
            "model_slug": "openai/gpt-4o",
        },
    }
}
GUARDRAIL = {
    "error": {
        "message": "Request blocked: prompt injection patterns detected",
        "code": 403,
        "metadata": {"patterns": ["ignore previous instructions"]},
    }
}
NO_CREDIT = "Insufficient credits. Add more using https://openrouter.ai/credits"
FEWER_TOKENS = (
    "This request requires more credits, or fewer max_tokens. You requested up to 65536 tokens, "
    "but can only afford 30104."
)
QUOTA_OPENAI = {
    "error": {
        "message": "You exceeded your current quota, please check your plan and billing details.",
        "type": "insufficient_quota",
        "param": None,
        "code": "insufficient_quota",
    }
}
UNKNOWN_PARAMETER = {
    "error": {
        "message": "Unrecognized request argument supplied: reasoning",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }
}
CLOUDFLARE = "<!DOCTYPE html>\n<html><head><title>openrouter.ai | 502: Bad gateway</title></head>"

# fmt: off
BODIES = [
    # status, body, kind, relayed
    ("relayed 401",        401, RELAYED_401, Kind.UNAVAILABLE, True),
    ("valid key, outage",  401, error(message="User not found.", code=401), Kind.UNAUTHORIZED, False),
    ("no key",             401, error(message="Missing Authentication header", code=401), Kind.UNAUTHORIZED, False),
    ("relayed 400",        400, error(message="Provider returned error", code=400, metadata={"provider_name": "Azure", "raw": "Bad Request"}), Kind.UNAVAILABLE, True),
    ("four models",        400, FOUR_MODELS, Kind.INVALID_REQUEST, False),
    ("no valid id",        400, error(message="acme/fake-1.0 is not a valid model ID", code=400), Kind.UNKNOWN_MODEL, False),
    ("no credit",          402, error(message=NO_CREDIT, code=402), Kind.NO_CREDIT, False),
    ("fewer tokens",       402, error(message=FEWER_TOKENS, code=402), Kind.NO_CREDIT, False),
    ("prompt limit",       402, error(message="Prompt tokens limit exceeded: 230799 > 91442", code=402), Kind.NO_CREDIT, False),
    ("moderated",          403, MODERATED, Kind.BLOCKED, True),
    ("guardrail",          403, GUARDRAIL, Kind.BLOCKED, False),
    ("management key",     403, error(message="Only management keys can perform this operation", code=403), Kind.FORBIDDEN, False),
    ("no provider",        404, error(message="No allowed providers are available for the selected model.", code=404), Kind.NO_PROVIDER, False),
    ("no endpoints",       404, error(message="No endpoints found matching your data policy.", code=404), Kind.NO_PROVIDER, False),
    ("timed out",          408, error(message="Operation timed out. Please try again later.", code=408), Kind.UPSTREAM_TIMEOUT, False),
    ("too large",          413, error(message="Request payload too large", code=413), Kind.INVALID_REQUEST, False),
    ("invalid argument",   422, error(message="Invalid argument", code=422), Kind.INVALID_REQUEST, False),
    ("daily free quota",   429, DAILY_FREE, Kind.FREE_QUOTA, False),
    ("high balance quota", 429, error(message="Rate limit exceeded: free-models-per-day-high-balance.", code=429), Kind.FREE_QUOTA, False),
    ("relayed 429",        429, error(message="Provider returned error", code=429, metadata={"provider_name": "Venice"}), Kind.RATE_LIMITED, True),
    ("code as text",       429, error(message="slow", type="requests", code="429"), Kind.RATE_LIMITED, False),
    ("at capacity",        429, AT_CAPACITY, Kind.RATE_LIMITED, False),
    ("internal",           500, error(message="Internal Server Error", code=500, metadata={"error_type": "server"}), Kind.SERVER_ERROR, False),
    ("disconnected",       502, error(message="Provider disconnected mid-stream", code=502, metadata={"error_type": "provider_unavailable"}), Kind.UNAVAILABLE, False),
    ("Cloudflare's page",  502, CLOUDFLARE, Kind.UNAVAILABLE, False),
    ("Cloudflare's text",  520, "error code: 1000", Kind.UNAVAILABLE, False),
    ("unavailable",        503, error(message="Service temporarily unavailable", code=503), Kind.UNAVAILABLE, False),
    ("edge timeout",       524, error(message="Request timed out. Please try again later.", code=524), Kind.UPSTREAM_TIMEOUT, False),
    ("overloaded",         529, error(message="Provider returned error", code=529, metadata={"provider_name": "Anthropic"}), Kind.OVERLOADED, True),
    ("502 under 200",      200, UPSTREAM_502_UNDER_200, Kind.UNAVAILABLE, False),
    ("401 under 200",      200, error(message="User not found.", code=401), Kind.UNAUTHORIZED, False),
    ("429 text under 200", 200, error(message="slow", code="429"), Kind.RATE_LIMITED, False),
    ("named under 200",    200, error(message="Upstream failed", code="server_error"), Kind.SERVER_ERROR, False),
    ("http_status alone",  200, error(message="…", http_status=402), Kind.NO_CREDIT, False),
    ("bare text error",    503, {"error": "upstream connect error"}, Kind.UNAVAILABLE, False),
    ("no body",            500, None, Kind.SERVER_ERROR, False),
    ("empty error",        200, error(), Kind.SERVER_ERROR, False),
    ("OpenAI: no money",   429, QUOTA_OPENAI, Kind.NO_CREDIT, False),
    ("OpenAI: project",    429, error(message="…", type="insufficient_quota", code="project_spend_limit_exceeded"), Kind.QUOTA, False),
    ("OpenAI: parameter",  400, UNKNOWN_PARAMETER, Kind.INVALID_REQUEST, False),
    ("OpenAI: key",        401, error(message="Incorrect API key provided", type="invalid_request_error", code="invalid_api_key"), Kind.UNAUTHORIZED, False),
    ("OpenAI: model",      404, error(message="The model `gpt-9` does not exist", type="invalid_request_error", code="model_not_found"), Kind.UNKNOWN_MODEL, False),
    ("OpenAI: context",    400, error(message="This model's maximum context length is 128000 tokens.", type="invalid_request_error", code="context_length_exceeded"), Kind.CONTEXT_TOO_LONG, False),
    ("OpenAI: slow down",  503, error(message="Slow down", type="server_error", code="slow_down"), Kind.RATE_LIMITED, False),
    ("OpenAI: country",    403, error(message="Country, region, or territory not supported", code="unsupported_country_region_territory"), Kind.FORBIDDEN, False),
    ("Groq: flex",         498, error(message="Capacity exceeded", type="capacity_exceeded"), Kind.OVERLOADED, False),
    ("Groq: tool",         400, error(message="Failed to call a function.", type="invalid_request_error", code="tool_use_failed"), Kind.UNREADABLE, False),
    ("Anthropic: busy",    529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, Kind.OVERLOADED, False),
    ("Groq: restricted",   400, error(message="Organization has been restricted.", type="invalid_request_error", code="organization_restricted"), Kind.FORBIDDEN, False),
    ("Groq: model",        403, error(message="The model `groq/compound` is blocked at the organization level.", type="permissions_error", code="model_permission_blocked_org"), Kind.NO_PROVIDER, False),
    ("Anthropic: money",   400, {"type": "error", "error": {"type": "invalid_request_error", "message": "Your credit balance is too low to access the Anthropic API."}}, Kind.NO_CREDIT, False),
    ("OpenAI: unverified", 400, error(message="Your organization must be verified to stream this model.", type="invalid_request_error", param="stream", code="unsupported_value"), Kind.NO_PROVIDER, False),
    ("Anthropic: cap",     429, {"type": "error", "error": {"type": "enforced_spend_limit_reached", "message": "…"}}, Kind.QUOTA, False),
]
# fmt: on


@pytest.mark.parametrize(
    ("status", "body", "kind", "relayed"), [row[1:] for row in BODIES], ids=[r[0] for r in BODIES]
)
def test_a_servers_own_words_are_understood(status, body, kind, relayed):
    fault = reply(status, body)

    assert (kind, relayed) == (fault.kind, fault.relayed)


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        ({"object": "error", "message": "maximum context length is 4096 tokens", "code": 400},
         Kind.CONTEXT_TOO_LONG, "maximum context length is 4096 tokens"),
        ({"detail": "Model not loaded"}, Kind.INVALID_REQUEST, "Model not loaded"),
        ({"detail": [{"loc": ["body", "n"], "msg": "Field required", "input": "a prompt"}]},
         Kind.INVALID_REQUEST, "Field required"),
        ([{"error": {"code": 400, "message": "API key not valid."}}],
         Kind.INVALID_REQUEST, "API key not valid."),
        ([], Kind.INVALID_REQUEST, ""),
        ([7], Kind.INVALID_REQUEST, ""),
        ({"detail": [7]}, Kind.INVALID_REQUEST, "None"),
        ({"object": "error", "message": 7}, Kind.INVALID_REQUEST, ""),
    ],
)  # fmt: skip
def test_an_error_without_an_error_object_is_read_all_the_same(body, kind, message):
    fault = reply(400, body)

    assert (kind, message) == (fault.kind, fault.message)


# ---- what outranks what

AVAILABILITY_FIRST = error(
    code=429,
    metadata={"error_type": "invalid_request"},
    availability={"code": "temporarily_unavailable", "retryable": False},
)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        # `availability` outranks `error_type` outranks the status
        (429, AVAILABILITY_FIRST, Kind.UNAVAILABLE),
        (404, error(code=404, availability={"code": "no_endpoints", "retryable": True}),
         Kind.UNAVAILABLE),
        (404, error(code=404, availability={"code": "no_endpoints", "retryable": False}),
         Kind.NO_PROVIDER),
        (404, error(code=404, availability={"retryable": "yes"}), Kind.UNKNOWN_MODEL),
        (400, error(metadata={"error_type": "invalid_request"}, availability={"retryable": True}),
         Kind.UNAVAILABLE),
        (403, error(metadata={"reasons": []}, availability={"retryable": True}), Kind.UNAVAILABLE),
        (500, error(code=500, metadata={"error_type": "context_length_exceeded"}),
         Kind.CONTEXT_TOO_LONG),
        (400, error(code="server_error", metadata={"error_type": "rate_limit_exceeded"}),
         Kind.RATE_LIMITED),
        (400, error(code="slow_down", type="server_error"), Kind.RATE_LIMITED),
        # a moderation block outranks the names beside it
        (403, error(metadata={"error_type": "permission_denied", "reasons": ["x"]}), Kind.BLOCKED),
        # a provider's trouble with its key or credit is not the caller's
        (401, error(metadata={"provider_name": "P", "error_type": "authentication"}),
         Kind.UNAVAILABLE),
        (402, error(metadata={"provider_name": "P", "error_type": "payment_required"}),
         Kind.UNAVAILABLE),
        (400, error(metadata={"provider_name": "P", "error_type": "context_length_exceeded"}),
         Kind.CONTEXT_TOO_LONG),
        (401, error(metadata={"provider_name": ""}), Kind.UNAUTHORIZED),
        (401, error(metadata={"provider_name": 7}), Kind.UNAUTHORIZED),
        # the HTTP status outranks the number in the body
        (503, error(code=400), Kind.UNAVAILABLE),
        # a name outranks the message
        (400, error(message="maximum context", code="server_error"), Kind.SERVER_ERROR),
        # a name that stands for every 5xx says less than the number
        (503, error(type="server_error"), Kind.UNAVAILABLE),
        (529, error(type="api_error"), Kind.OVERLOADED),
        (500, error(type="api_error"), Kind.SERVER_ERROR),
        # words about an account, too, are the provider's own trouble where one is named
        (429, error(message="your current quota", metadata={"provider_name": "P"}),
         Kind.RATE_LIMITED),
        # a name that nobody knows says nothing
        (429, error(code="brand_new_code", metadata={"error_type": "newer"}), Kind.RATE_LIMITED),
    ],
)  # fmt: skip
def test_the_first_rule_that_fits_wins(status, body, kind):
    assert kind is kind_of(status, body)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 422])
def test_an_upstreams_4xx_that_was_passed_on_is_not_the_callers(status):
    fault = reply(status, error(message="Provider returned error", metadata={"provider_name": "P"}))

    assert (Kind.UNAVAILABLE, True) == (fault.kind, fault.relayed)


# ---- the tables, row by row

# fmt: off
IN_ERROR_TYPE = {
    "context_length_exceeded": Kind.CONTEXT_TOO_LONG, "max_tokens_exceeded": Kind.CONTEXT_TOO_LONG,
    "token_limit_exceeded": Kind.CONTEXT_TOO_LONG,    "string_too_long": Kind.INVALID_REQUEST,
    "authentication": Kind.UNAUTHORIZED,              "payment_required": Kind.NO_CREDIT,
    "permission_denied": Kind.FORBIDDEN,              "rate_limit_exceeded": Kind.RATE_LIMITED,
    "provider_overloaded": Kind.OVERLOADED,           "provider_unavailable": Kind.UNAVAILABLE,
    "invalid_request": Kind.INVALID_REQUEST,          "invalid_prompt": Kind.INVALID_REQUEST,
    "not_found": Kind.UNKNOWN_MODEL,                  "precondition_failed": Kind.INVALID_REQUEST,
    "payload_too_large": Kind.INVALID_REQUEST,        "unprocessable": Kind.INVALID_REQUEST,
    "content_policy_violation": Kind.BLOCKED,         "refusal": Kind.BLOCKED,
    "invalid_image": Kind.INVALID_REQUEST,            "image_too_large": Kind.INVALID_REQUEST,
    "image_too_small": Kind.INVALID_REQUEST,          "unsupported_image_format": Kind.INVALID_REQUEST,
    "image_download_failed": Kind.INVALID_REQUEST,    "image_not_found": Kind.INVALID_REQUEST,
    "server": Kind.SERVER_ERROR,                      "timeout": Kind.UPSTREAM_TIMEOUT,
    "unmapped": Kind.SERVER_ERROR,
}
IN_AVAILABILITY = {
    "model_not_found": Kind.UNKNOWN_MODEL,            "wrong_endpoint": Kind.UNKNOWN_MODEL,
    "no_endpoints": Kind.NO_PROVIDER,                 "model_deprecated": Kind.UNKNOWN_MODEL,
    "model_unavailable_upstream": Kind.NO_PROVIDER,   "capacity_exhausted": Kind.RATE_LIMITED,
    "temporarily_unavailable": Kind.UNAVAILABLE,      "region_restricted": Kind.NO_PROVIDER,
    "privacy_restricted": Kind.NO_PROVIDER,           "constraint_filtered": Kind.NO_PROVIDER,
    "free_variant_ended": Kind.UNKNOWN_MODEL,
}
IN_CODE_OR_TYPE = {
    "model_not_found": Kind.UNKNOWN_MODEL,            "invalid_api_key": Kind.UNAUTHORIZED,
    "insufficient_quota": Kind.NO_CREDIT,             "credit_balance_exhausted": Kind.NO_CREDIT,
    "organization_spend_limit_exceeded": Kind.QUOTA,  "project_spend_limit_exceeded": Kind.QUOTA,
    "organization_usage_limit_exceeded": Kind.QUOTA,  "enforced_spend_limit_reached": Kind.QUOTA,
    "slow_down": Kind.RATE_LIMITED,                   "content_filter": Kind.BLOCKED,
    "model_decommissioned": Kind.UNKNOWN_MODEL,       "server_error": Kind.SERVER_ERROR,
    "capacity_exceeded": Kind.OVERLOADED,             "tool_use_failed": Kind.UNREADABLE,
    "json_validate_failed": Kind.UNREADABLE,          "authentication_error": Kind.UNAUTHORIZED,
    "billing_error": Kind.NO_CREDIT,                  "permission_error": Kind.FORBIDDEN,
    "not_found_error": Kind.UNKNOWN_MODEL,            "request_too_large": Kind.INVALID_REQUEST,
    "rate_limit_error": Kind.RATE_LIMITED,            "timeout_error": Kind.UPSTREAM_TIMEOUT,
    "api_error": Kind.SERVER_ERROR,                   "overloaded_error": Kind.OVERLOADED,
    "exceed_context_size_error": Kind.CONTEXT_TOO_LONG, "organization_restricted": Kind.FORBIDDEN,
    "model_permission_blocked_org": Kind.NO_PROVIDER, "model_permission_blocked_project": Kind.NO_PROVIDER,
}
# fmt: on
TEAPOT = 418  # a status no API uses: whatever is recognised under it was recognised by name

NAMED = [
    *((error(metadata={"error_type": name}), name, kind) for name, kind in IN_ERROR_TYPE.items()),
    *((error(error_type=name), name, kind) for name, kind in IN_ERROR_TYPE.items()),
    *((error(availability={"code": name}), name, kind) for name, kind in IN_AVAILABILITY.items()),
    *((error(code=name), name, kind) for name, kind in IN_CODE_OR_TYPE.items()),
    *((error(type=name), name, kind) for name, kind in IN_CODE_OR_TYPE.items()),
]


@pytest.mark.parametrize(("body", "name", "kind"), NAMED)
def test_an_errors_own_name_is_known_where_it_stands(body, name, kind, monkeypatch):
    assert kind is kind_of(TEAPOT, body)

    monkeypatch.delitem(NAMES, name)
    assert Kind.UNEXPECTED_STATUS is kind_of(TEAPOT, body)


def test_every_name_of_the_table_was_meant():
    assert {**IN_ERROR_TYPE, **IN_AVAILABILITY, **IN_CODE_OR_TYPE} == NAMES


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Kind.INVALID_REQUEST), (401, Kind.UNAUTHORIZED), (402, Kind.NO_CREDIT),
        (403, Kind.FORBIDDEN), (404, Kind.UNKNOWN_MODEL), (408, Kind.UPSTREAM_TIMEOUT),
        (410, Kind.UNKNOWN_MODEL), (412, Kind.INVALID_REQUEST), (413, Kind.INVALID_REQUEST),
        (422, Kind.INVALID_REQUEST), (429, Kind.RATE_LIMITED), (498, Kind.OVERLOADED),
        (500, Kind.SERVER_ERROR), (504, Kind.UPSTREAM_TIMEOUT), (524, Kind.UPSTREAM_TIMEOUT),
        (529, Kind.OVERLOADED),
    ],
)  # fmt: skip
def test_a_status_alone_is_known(status, kind, monkeypatch):
    assert kind is kind_of(status)

    monkeypatch.delitem(STATUSES, status)
    assert kind is not kind_of(status)


def test_no_status_of_the_table_lacks_its_example():
    assert 16 == len(STATUSES)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, Kind.UNAVAILABLE) for status in (501, 502, 503, 505, 520, 521, 523, 530, 599)),
        *((status, Kind.REDIRECTED) for status in (300, 301, 302, 303, 307, 308)),
        *((status, Kind.UNEXPECTED_STATUS) for status in (204, 206, 405, 409, 418, 451, 499)),
    ],
)
def test_a_status_outside_the_table_is_known_by_its_hundred(status, kind):
    assert kind is kind_of(status)


SAID = [
    # status, words, the row of the table that they meet, kind
    (400, "This endpoint's maximum context length is 8192 tokens", 0, Kind.CONTEXT_TOO_LONG),
    (413, "prompt is too long: 210000 tokens > 200000 maximum", 0, Kind.CONTEXT_TOO_LONG),
    (422, "Too many tokens in the prompt", 0, Kind.CONTEXT_TOO_LONG),
    (400, "It exceeds the context window", 0, Kind.CONTEXT_TOO_LONG),
    (
        400,
        "input length and `max_tokens` exceed context limit: 198000 + 8192 > 200000",
        0,
        Kind.CONTEXT_TOO_LONG,
    ),
    (400, "request (4390 tokens) exceeds the available context size", 0, Kind.CONTEXT_TOO_LONG),
    (400, "acme/fake-1.0 is not a valid model ID", 1, Kind.UNKNOWN_MODEL),
    (400, "The model `llama-2` has been decommissioned", 1, Kind.UNKNOWN_MODEL),
    (400, "model gpt-9 does not exist", 1, Kind.UNKNOWN_MODEL),
    (404, "No endpoints found that support tool use", 2, Kind.NO_PROVIDER),
    (404, "No allowed providers are available for the selected model", 2, Kind.NO_PROVIDER),
    (429, "Rate limit exceeded: free-models-per-day", 3, Kind.FREE_QUOTA),
    (429, "Limit 1000 requests per day", 4, Kind.QUOTA),
    (429, "Daily limit reached", 4, Kind.QUOTA),
    (429, "You exceeded your current quota", 5, Kind.NO_CREDIT),
    (429, "Please check your plan and billing details.", 5, Kind.NO_CREDIT),
    (429, "You have reached your spend limit", 6, Kind.QUOTA),
    (429, "The project's spending limit is reached", 6, Kind.QUOTA),
    (403, "Your input was flagged", 7, Kind.BLOCKED),
    (403, "A guardrail refused this", 7, Kind.BLOCKED),
    (403, "moderation endpoint says no", 7, Kind.BLOCKED),
    (400, "Rejected by the content management policy", 8, Kind.BLOCKED),
    (400, "Rejected by our safety system", 8, Kind.BLOCKED),
    (400, "Your credit balance is too low to access the Anthropic API.", 9, Kind.NO_CREDIT),
    (400, "You have reached your specified API usage limits.", 10, Kind.QUOTA),
    (400, "You have reached your workspace API usage limits.", 10, Kind.QUOTA),
    (400, "Your organization must be verified to stream this model.", 11, Kind.NO_PROVIDER),
]


@pytest.mark.parametrize(("status", "words", "row", "kind"), SAID)
def test_words_tell_where_no_name_does(status, words, row, kind, monkeypatch):
    assert kind is kind_of(status, error(message=words))

    monkeypatch.setattr(recognition, "WORDS", WORDS[:row] + WORDS[row + 1 :])
    assert kind is not kind_of(status, error(message=words))


def test_every_row_of_words_has_an_example():
    assert set(range(len(WORDS))) == {row for _, _, row, _ in SAID}


@pytest.mark.parametrize(
    ("status", "words", "kind"),
    [
        (500, "maximum context length", Kind.SERVER_ERROR),
        (429, "prompt is too long", Kind.RATE_LIMITED),
        (400, "the region is wrong", Kind.INVALID_REQUEST),
        (403, "Your country is not supported", Kind.FORBIDDEN),
        (403, "Only management keys can perform this operation", Kind.FORBIDDEN),
        (429, "Rate limit exceeded: 20 requests per minute", Kind.RATE_LIMITED),
        (400, "temperature must be at most 2", Kind.INVALID_REQUEST),
        (400, f"model {'x' * 90} does not exist", Kind.INVALID_REQUEST),
    ],
)
def test_words_tell_nothing_under_another_status_or_in_another_sense(status, words, kind):
    assert kind is kind_of(status, error(message=words))


@pytest.mark.parametrize(
    ("status", "title", "kind"),
    [
        (403, "Web Page Blocked", Kind.FORBIDDEN),
        (429, "Daily limit", Kind.RATE_LIMITED),
        (404, "No endpoints", Kind.UNKNOWN_MODEL),
    ],
)
def test_a_page_is_a_firewalls_or_a_proxys_and_its_title_tells_nothing(status, title, kind):
    assert kind is kind_of(status, f"<html><head><title>{title}</title></head>")


# ---- exceptions


def chained(outer, cause):
    outer.__cause__ = cause
    return outer


RAISED = {
    # by the qualified name of its row in the table
    "socket.gaierror": (socket.gaierror(-2, "…"), Kind.UNRESOLVED),
    "urllib3.exceptions.NameResolutionError": (
        urllib3.exceptions.NameResolutionError("h", None, socket.gaierror()), Kind.UNRESOLVED),
    "ssl.SSLEOFError": (ssl.SSLEOFError(), Kind.RESET),
    "ssl.SSLZeroReturnError": (ssl.SSLZeroReturnError(), Kind.RESET),
    "ssl.SSLError": (ssl.SSLCertVerificationError(), Kind.TLS),
    "urllib3.exceptions.SSLError": (urllib3.exceptions.SSLError("…"), Kind.TLS),
    "requests.exceptions.SSLError": (requests.exceptions.SSLError("…"), Kind.TLS),
    "builtins.ConnectionRefusedError": (ConnectionRefusedError(), Kind.REFUSED),
    "builtins.ConnectionResetError": (
        chained(urllib3.exceptions.NewConnectionError(None, "…"), ConnectionResetError()),
        Kind.RESET),
    "urllib3.exceptions.NewConnectionError": (
        urllib3.exceptions.NewConnectionError(None, "…"), Kind.REFUSED),
    "urllib3.exceptions.ProxyError": (urllib3.exceptions.ProxyError("…", None), Kind.REFUSED),
    "requests.exceptions.ProxyError": (requests.exceptions.ProxyError(), Kind.REFUSED),
    "urllib3.exceptions.ConnectTimeoutError": (
        urllib3.exceptions.ConnectTimeoutError(), Kind.CONNECT_TIMEOUT),
    "requests.exceptions.ConnectTimeout": (
        requests.exceptions.ConnectTimeout(), Kind.CONNECT_TIMEOUT),
    "urllib3.exceptions.ReadTimeoutError": (
        urllib3.exceptions.ReadTimeoutError(None, None, "…"), Kind.SILENT),
    "urllib3.exceptions.TimeoutError": (urllib3.exceptions.TimeoutError(), Kind.SILENT),
    "requests.exceptions.Timeout": (requests.exceptions.ReadTimeout(), Kind.SILENT),
    "builtins.TimeoutError": (TimeoutError(), Kind.SILENT),
    "http.client.IncompleteRead": (http.client.IncompleteRead(b""), Kind.TRUNCATED),
    "urllib3.exceptions.IncompleteRead": (
        urllib3.exceptions.IncompleteRead(1, 2), Kind.TRUNCATED),
    "urllib3.exceptions.InvalidChunkLength": (
        urllib3.exceptions.InvalidChunkLength.__new__(urllib3.exceptions.InvalidChunkLength),
        Kind.TRUNCATED),
    "requests.exceptions.ChunkedEncodingError": (
        requests.exceptions.ChunkedEncodingError(), Kind.TRUNCATED),
    "http.client.RemoteDisconnected": (http.client.RemoteDisconnected(), Kind.RESET),
    "builtins.ConnectionError": (BrokenPipeError(), Kind.RESET),
    "http.client.HTTPException": (http.client.BadStatusLine("SSH-2.0"), Kind.UNREADABLE),
    "zlib.error": (zlib.error("…"), Kind.UNREADABLE),
    "urllib3.exceptions.DecodeError": (urllib3.exceptions.DecodeError(), Kind.UNREADABLE),
    "urllib3.exceptions.InvalidHeader": (urllib3.exceptions.InvalidHeader(), Kind.UNREADABLE),
    "urllib3.exceptions.HeaderParsingError": (
        urllib3.exceptions.HeaderParsingError([], b""), Kind.UNREADABLE),
    "requests.exceptions.ContentDecodingError": (
        requests.exceptions.ContentDecodingError(), Kind.UNREADABLE),
    "requests.exceptions.InvalidHeader": (requests.exceptions.InvalidHeader(), Kind.UNREADABLE),
    "builtins.RecursionError": (RecursionError(), Kind.UNREADABLE),
    "builtins.ValueError": (UnicodeDecodeError("utf-8", b"", 0, 1, "…"), Kind.UNREADABLE),
    "urllib3.exceptions.HTTPError": (urllib3.exceptions.ProtocolError(), Kind.RESET),
    "requests.exceptions.RequestException": (requests.exceptions.ConnectionError(), Kind.RESET),
    "builtins.OSError": (OSError(113, "No route to host"), Kind.REFUSED),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(RAISED))
def test_an_exception_is_known_by_its_row(name, monkeypatch):
    raised, kind = RAISED[name]
    assert kind is classify_exception(raised).kind

    monkeypatch.setattr(recognition, "EXCEPTIONS", ((name, Kind.TOO_BIG),))
    assert Kind.TOO_BIG is classify_exception(raised).kind


def test_every_row_of_exceptions_has_an_example():
    assert {name for name, _ in EXCEPTIONS} == set(RAISED)


def test_an_exception_that_nobody_foresaw_is_a_reset():
    assert Kind.RESET is classify_exception(RuntimeError("…")).kind


MEANT = {
    # every exception class of the libraries below the client, by what it is meant to be taken for
    requests.exceptions: {
        Kind.RESET: "BaseHTTPError ConnectionError HTTPError InvalidJSONError RequestException "
        "RetryError StreamConsumedError TooManyRedirects URLRequired UnrewindableBodyError",
        Kind.TRUNCATED: "ChunkedEncodingError",
        Kind.CONNECT_TIMEOUT: "ConnectTimeout",
        Kind.UNREADABLE: "CompatJSONDecodeError ContentDecodingError InvalidHeader InvalidProxyURL "
        "InvalidSchema InvalidURL JSONDecodeError MissingSchema",
        Kind.REFUSED: "ProxyError",
        Kind.SILENT: "ReadTimeout Timeout",
        Kind.TLS: "SSLError",
    },
    urllib3.exceptions: {
        Kind.RESET: "BodyNotHttplibCompatible ClosedPoolError ConnectionError EmptyPoolError "
        "FullPoolError HTTPError HostChangedError MaxRetryError PoolError ProtocolError "
        "RequestError ResponseError TimeoutStateError UnrewindableBodyError",
        Kind.CONNECT_TIMEOUT: "ConnectTimeoutError",
        Kind.UNREADABLE: "DecodeError HeaderParsingError InvalidHeader LocationParseError "
        "LocationValueError MessageDefect ProxySchemeUnknown ProxySchemeUnsupported "
        "ResponseNotChunked URLSchemeUnknown",
        Kind.TRUNCATED: "IncompleteRead InvalidChunkLength httplib_IncompleteRead",
        Kind.UNRESOLVED: "NameResolutionError",
        Kind.REFUSED: "NewConnectionError ProxyError",
        Kind.SILENT: "ReadTimeoutError TimeoutError",
        Kind.TLS: "SSLError",
    },
    http.client: {
        Kind.UNREADABLE: "BadStatusLine CannotSendHeader CannotSendRequest HTTPException "
        "ImproperConnectionState InvalidURL LineTooLong NotConnected ResponseNotReady "
        "UnimplementedFileMode UnknownProtocol UnknownTransferEncoding error",
        Kind.TRUNCATED: "IncompleteRead",
        Kind.RESET: "RemoteDisconnected",
    },
    socket: {
        Kind.RESET: "_GiveupOnSendfile",
        Kind.REFUSED: "error herror",
        Kind.UNRESOLVED: "gaierror",
        Kind.SILENT: "timeout",
    },
}


@pytest.mark.parametrize("module", list(MEANT), ids=lambda module: module.__name__)
def test_each_exception_of_a_library_is_taken_for_what_was_meant(module):
    meant = {name: kind for kind, names in MEANT[module].items() for name in names.split()}

    taken = {
        name: classify_exception(thing.__new__(thing)).kind
        for name, thing in vars(module).items()
        if isinstance(thing, type)
        and issubclass(thing, BaseException)
        and not issubclass(thing, Warning)
    }

    assert {name: meant.get(name, "nobody decided") for name in taken} == taken


NEVER_CONNECTED = urllib3.exceptions.MaxRetryError(
    None, "/", urllib3.exceptions.NewConnectionError(None, "…")
)


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (requests.exceptions.ConnectionError(NEVER_CONNECTED), Kind.REFUSED),
        # a stall within a body comes as a ConnectionError
        (requests.exceptions.ConnectionError(
            urllib3.exceptions.ReadTimeoutError(None, None, "Read timed out.")), Kind.SILENT),
        (requests.exceptions.ConnectionError(
            urllib3.exceptions.ProtocolError("…", http.client.RemoteDisconnected())), Kind.RESET),
        (requests.exceptions.ConnectionError(
            urllib3.exceptions.ProtocolError("…", ConnectionResetError(104, "…"))), Kind.RESET),
        (requests.exceptions.ChunkedEncodingError(
            urllib3.exceptions.ProtocolError("…", http.client.IncompleteRead(b""))),
         Kind.TRUNCATED),
        (requests.exceptions.SSLError(urllib3.exceptions.MaxRetryError(
            None, "/", ssl.SSLCertVerificationError())), Kind.TLS),
        (requests.exceptions.SSLError(ssl.SSLEOFError()), Kind.RESET),
        (requests.exceptions.ProxyError(urllib3.exceptions.MaxRetryError(
            None, "/", urllib3.exceptions.ProxyError("…", ConnectionRefusedError()))),
         Kind.REFUSED),
        (chained(requests.exceptions.ConnectionError(), socket.gaierror()), Kind.UNRESOLVED),
        (chained(RuntimeError(), TimeoutError()), Kind.SILENT),
    ],
)  # fmt: skip
def test_what_an_exception_wraps_is_more_telling_than_its_wrapping(raised, kind):
    assert kind is classify_exception(raised).kind


def test_what_the_caller_was_handling_when_it_was_raised_tells_nothing():
    raised = requests.exceptions.ConnectionError()
    raised.__context__ = socket.gaierror()

    assert Kind.RESET is classify_exception(raised).kind


def test_an_exception_that_wraps_itself_is_no_endless_loop():
    first, second = RuntimeError(), TimeoutError()
    first.__cause__, second.__cause__ = second, first

    assert Kind.SILENT is classify_exception(first).kind


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (requests.exceptions.ConnectionError("https://key@host/"), "ConnectionError"),
        (ConnectionRefusedError(111, "Connection refused"),
         "ConnectionRefusedError Connection refused"),
        (chained(RuntimeError("secret"), OSError(113, "No route to host")),
         "OSError No route to host"),
    ],
)  # fmt: skip
def test_an_exceptions_own_text_which_may_hold_a_url_is_not_repeated(raised, message):
    assert message == classify_exception(raised).message


# ---- Retry-After

DATE = formatdate(WALL + 90, usegmt=True)
RESET_MS = str(int((WALL + 120) * 1000))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "30"}, 30.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": DATE}, 90.0),
        ({"retry-after": formatdate(WALL - 90, usegmt=True)}, None),  # it has passed
        ({"retry-after": "Wed, 21 Oct 9999 07:28:00 GMT"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "86400"}, 86_400.0),
        ({"retry-after": "86401"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "Mon, 99 Foo 20"}, None),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "garbage", "retry-after": "9"}, 9.0),
        ({"x-ratelimit-reset": RESET_MS}, 120.0),
        ({"x-ratelimit-reset": str(WALL + 120)}, 120.0),
        ({"x-ratelimit-reset": "60"}, None),  # a unix time long past
        ({"x-ratelimit-reset": "1s"}, None),
        ({"x-ratelimit-reset": RESET_MS, "retry-after": "9"}, 9.0),
    ],
)
def test_headers_say_when_to_come_again(headers, seconds):
    assert seconds == reply(429, None, headers).retry_after


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({"availability": {"retry_after": 40}}, 40.0),
        ({"availability": {"retry_after": "40"}}, 40.0),
        ({"availability": {"retry_after": -1}}, None),
        ({"availability": {"retry_after": 10**400}}, None),
        ({"availability": {"retry_after": [40]}}, None),
        ({"availability": "soon"}, None),
        ({"metadata": {"headers": {"X-RateLimit-Reset": RESET_MS}}}, 120.0),
        ({"metadata": {"headers": {"x-ratelimit-reset": int(WALL + 120)}}}, 120.0),
        ({"metadata": {"headers": {"X-RateLimit-Reset": None}}}, None),
        ({"metadata": {"headers": ["X-RateLimit-Reset"]}}, None),
    ],
)
def test_bodies_say_it_as_well(fields, seconds):
    assert seconds == reply(429, error(**fields)).retry_after


def test_headers_outrank_the_body():
    body = error(availability={"retry_after": 40})

    assert 7.0 == reply(429, body, {"retry-after": "7"}).retry_after


def test_the_daily_quota_says_when_the_day_is_over():
    assert 48_000.0 == reply(429, DAILY_FREE).retry_after


# ---- what is kept


def test_the_servers_words_are_kept():
    fault = reply(
        429,
        error(message="Slow\n  down", code=429, metadata={"error_type": "rate_limit_exceeded"}),
        {"x-request-id": "req-1"},
    )

    assert ("Slow down", 429, "429", "rate_limit_exceeded", "req-1") == (
        fault.message, fault.status, fault.code, fault.error_type, fault.request_id
    )  # fmt: skip


def test_an_error_under_200_has_no_status():
    assert reply(200, UPSTREAM_502_UNDER_200).status is None


@pytest.mark.parametrize(
    ("code", "expected"), [(502, "502"), ("x", "x"), (None, None), (True, None), ([1], None)]
)
def test_codes_are_kept_as_text(code, expected):
    assert expected == reply(500, error(code=code)).code


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (CLOUDFLARE, "an HTML page, 'openrouter.ai | 502: Bad gateway'"),
        ("  <html><body>Sorry", "an HTML page"),
        ("error code: 1000", "error code: 1000"),
        ({"error": "upstream connect error"}, "upstream connect error"),
        ({"message": "elsewhere"}, ""),
        (error(message=["no", "text"]), ""),
        (error(message="x" * 900), "x" * 500),
        ([1, 2], ""),
        (None, ""),
    ],
)
def test_a_message_is_short_and_holds_no_page(body, message):
    assert message == reply(500, body).message


def test_a_page_made_of_unfinished_titles_costs_no_time():
    started_at = time.process_time()
    reply(502, "<title" * 40_000)

    assert 1.0 > time.process_time() - started_at


@pytest.mark.parametrize(
    "body",
    [
        error(code=10**400),
        error(code=float("nan")),
        error(code={"a": 1}, type=7, message=None, metadata=[], availability=3),
        error(metadata={"headers": {"X-RateLimit-Reset": {}}, "provider_name": []}),
        {"error": []},
        {"error": True},
        [],
        "",
        7,
    ],
)
def test_nothing_a_body_holds_raises(body):
    assert Kind.SERVER_ERROR is kind_of(500, body)


def test_a_body_as_it_comes_off_the_wire_is_understood():
    assert Kind.UNAVAILABLE is kind_of(401, json.loads(json.dumps(RELAYED_401)))
