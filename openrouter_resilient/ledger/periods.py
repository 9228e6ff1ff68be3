"""Spans of time as people write them: `30d`, `12h`, or the day they begin."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from openrouter_resilient.errors import ConfigurationError

SECONDS = {"m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
END_OF_DATES = 253_402_300_800.0  # the year 10,000, in seconds since 1970


def seconds_of(period: str) -> float:
    """The length of a period such as `30d`, `12h`, `4w` or `90m`.

    Raises:
        ConfigurationError: it is none, or longer than the calendar.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([mhdw])\s*", period)
    if found is None:
        raise ConfigurationError(
            f"{period!r} is no period; write a number and m, h, d or w, such as 30d"
        )
    seconds = float(found[1]) * SECONDS[found[2]]
    if seconds >= END_OF_DATES:
        raise ConfigurationError(f"{period[:40]!r} is no period; it is longer than the calendar")
    return seconds


def beginning(since: str | float | None, now: float) -> float:
    """The instant a period begins, in seconds since 1970.

    Args:
        since: a period that ends now, a date (`2026-11-01`, UTC), seconds since 1970, or None for
            the beginning of the record.
        now: seconds since 1970.

    Raises:
        ConfigurationError: it is none of them, or beyond the calendar.
    """
    at = 0.0 if since is None else _instant(since, now) if isinstance(since, str) else float(since)
    if not at < END_OF_DATES:  # it may be no number, too
        raise ConfigurationError(f"{since!r} is no period; it begins after the year 9999")
    return at


def _instant(since: str, now: float) -> float:
    try:
        day = datetime.fromisoformat(since)
    except ValueError:
        return now - seconds_of(since)
    return (day if day.tzinfo else day.replace(tzinfo=timezone.utc)).timestamp()
