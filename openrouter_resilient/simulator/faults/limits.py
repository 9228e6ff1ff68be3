"""Faults of limits: rate limits with every kind of Retry-After, quotas, spending."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import TYPE_CHECKING

from openrouter_resilient.simulator.refusal import Refusal
from openrouter_resilient.simulator.row import Row

from .status import RELAYED, availability, provider, refuse

if TYPE_CHECKING:
    from openrouter_resilient.simulator.exchange import Exchange
    from openrouter_resilient.simulator.message import Json
    from openrouter_resilient.simulator.row import Play

BUSY = Refusal(429, "Rate limit exceeded", type="requests", code="rate_limit_exceeded")
FREE_DAILY = "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day"
FREE_MINUTE = "Rate limit exceeded: free-models-per-min."
SHARED = "High demand for {model} on OpenRouter - limited to 15 requests per minute"
DAY, MINUTE = 86_400, 60


def retry_after(text: str, header: str = "Retry-After", base: Refusal = BUSY) -> Play:
    """Answer a rate limit with a header; {seconds} stands for the option, {date} for that instant."""

    def play(exchange: Exchange) -> None:
        seconds = float(exchange.options.get("seconds", 0))  # type: ignore[arg-type]  # a number
        date = formatdate(time.time() + seconds, usegmt=True)
        value = text.format(seconds=f"{seconds:g}", ms=f"{seconds * 1000:g}", date=date)
        exchange.refuse(base.with_headers((header, value)))

    return play


def own_limit(message: str, period: int, source: str, kind: str) -> Play:
    """Answer OpenRouter's own limit: its headers, repeated in the metadata, reset in ms."""

    def play(exchange: Exchange) -> None:
        facts = _limit_headers(period)
        metadata: Json = {"headers": facts, "limit_source": source}
        refusal = Refusal(429, message, metadata=metadata).with_headers(*facts.items())
        exchange.refuse(exchange.face.nearest(refusal, kind))

    return play


def limit_under_200(exchange: Exchange) -> None:
    """Answer the daily limit under a 200: the headers are in the metadata only."""
    refusal = Refusal(429, FREE_DAILY, metadata={"headers": _limit_headers(DAY)})
    exchange.send_json(exchange.error(exchange.face.nearest(refusal, "free_quota")))


def capacity_exhausted(exchange: Exchange) -> None:
    """Answer that every provider is at capacity, and when to come back."""
    seconds = exchange.count("seconds")
    where = availability("capacity_exhausted", retryable=True, retry_after=seconds)
    text = f"All providers are at capacity. Retry after {seconds} seconds."
    refusal = exchange.face.nearest(Refusal(429, text, availability=where), "rate_limited")
    exchange.refuse(refusal.with_headers(("Retry-After", str(seconds))))


def _limit_headers(period: int) -> dict[str, str]:
    reset = (int(time.time()) // period + 1) * period  # midnight UTC, or the next whole minute
    return {
        "X-RateLimit-Limit": "50" if period == DAY else "20",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(reset * 1000),
    }


def row(name: str, kind: str, seen: str, play: Play, seconds: float | None = None) -> Row:
    """Make the row of a 429."""
    return Row(name, "limits", kind, seen, play, _seconds(seconds), status=429)


def _seconds(seconds: float | None) -> dict[str, float]:
    return {} if seconds is None else {"seconds": seconds}


MONEY = "You exceeded your current quota, please check your plan and billing details."
NO_QUOTA = Refusal(429, MONEY, type="insufficient_quota", code="insufficient_quota")
SPEND = Refusal(
    429,
    "This organization has reached its spend limit.",
    type="insufficient_quota",
    code="organization_spend_limit_exceeded",
)
UPSTREAM = Refusal(
    429,
    RELAYED,
    metadata=provider("rate limited upstream", limit_source="upstream_provider_shared_pool"),
)
BUSY_503 = Refusal(503, "Service temporarily unavailable")

# fmt: off
ROWS = (
    row("rate_limit",             "rate_limited", "a 429 without a hint",                              refuse(BUSY, "rate_limited")),
    row("rate_limit_seconds",     "rate_limited", "RFC 9110, 10.2.3: delay-seconds",                   retry_after("{seconds}"), 30.0),
    row("rate_limit_date",        "rate_limited", "RFC 9110, 10.2.3: HTTP-date",                       retry_after("{date}"), 30.0),
    row("rate_limit_ms",          "rate_limited", "retry-after-ms, read by all official SDKs",         retry_after("{ms}", "retry-after-ms"), 1.5),
    row("rate_limit_negative",    "rate_limited", "a clock that went backwards",                       retry_after("-5")),
    row("rate_limit_huge",        "rate_limited", "openai-python gives up above 120 s",                retry_after("4294967295")),
    row("rate_limit_garbage",     "rate_limited", "`Retry-After: soon`",                               retry_after("soon")),
    row("rate_limit_past_date",   "rate_limited", "an HTTP-date that is over",                         retry_after("Sun, 06 Nov 1994 08:49:37 GMT")),
    row("rate_limit_upstream",    "rate_limited", "open-webui/computer #293, 2026-09-20",              refuse(UPSTREAM, "rate_limited")),
    row("capacity_exhausted",     "rate_limited", "error.availability, since 2026-08-19",              capacity_exhausted, 40.0),
    row("free_per_minute",        "rate_limited", "limits: 20 requests a minute for :free",            own_limit(FREE_MINUTE, MINUTE, "openrouter_free_tier_minute", "rate_limited")),
    row("free_shared_capacity",   "rate_limited", "limit_source openrouter_shared_capacity",           own_limit(SHARED, MINUTE, "openrouter_shared_capacity", "rate_limited")),
    row("free_daily_quota",       "free_quota",   "Avarok/atlas #543, 2026-08-16; reset in ms",        own_limit(FREE_DAILY, DAY, "openrouter_free_tier_daily", "free_quota")),
    row("insufficient_quota",     "no_credit",    "OpenAI: money, not rate; retrying does not help",   refuse(NO_QUOTA, "no_credit")),
    row("spend_limit",            "quota",        "OpenAI organization_spend_limit_exceeded",          refuse(SPEND, "quota")),
    Row("daily_quota_under_200", "limits", "free_quota",  "the 429 may arrive inside a 200",            limit_under_200),
    Row("retry_after_503",       "limits", "unavailable", "Retry-After on a 503",                       retry_after("{seconds}", base=BUSY_503), {"seconds": 30.0}, status=503),
)
# fmt: on
