"""What vendors' status pages say. They annotate and never route: they lag, and miss most trouble.

In both gateway-wide outages of February 2026 OpenRouter's own page lagged by 4 to 6 minutes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from threading import Lock
from typing import Any

from cachetools import TTLCache, cached

from openrouter_resilient.health.http import Unanswered, fetch
from openrouter_resilient.health.parallel import in_parallel
from openrouter_resilient.wire.clock import monotonic

TIMEOUT_S = 5.0
KEPT_S = 60.0  # a page that lags by minutes need not be read at every glance
UNKNOWN = "unknown"
SUMMARY = "/api/v2/summary.json"  # Statuspage's; others serve it, too, for those who read that

# fmt: off
PAGES: Mapping[str, str] = {
    # OpenRouter's was moved from one vendor to another, and neither was seen to serve a form for
    # machines: it is read if it ever does, and until then its state is unknown, not guessed.
    "openrouter": "https://status.openrouter.ai",
    "openai":     "https://status.openai.com",
    "groq":       "https://groqstatus.com",
    "anthropic":  "https://status.claude.com",
}
WORDS: Mapping[str, str] = {  # Statuspage's indicators
    "none":        "operational",
    "minor":       "minor trouble",
    "major":       "major outage",
    "critical":    "critical outage",
    "maintenance": "maintenance",
}
# fmt: on


@dataclass(frozen=True)
class Page:
    """What a vendor's page says.

    Attributes:
        state: one of `WORDS`, or "unknown" where the page does not say so in a form that is known.
        incidents: the names of the incidents that are not over.
        why: why the state is unknown; empty if it is known.
    """

    state: str
    incidents: tuple[str, ...] = ()
    why: str = ""

    def __str__(self) -> str:
        """Say it in one line."""
        more = "; ".join(self.incidents) or self.why
        return f"{self.state} ({more})" if more else self.state


def read_pages(endpoints: Iterable[str], pages: Mapping[str, str] | None = None) -> dict[str, Page]:
    """Read the pages of these endpoints, side by side; those of nobody's are left out.

    Args:
        endpoints: their names.
        pages: where the pages are; None: the vendors' own.
    """
    homes = PAGES if pages is None else pages
    wanted = [name for name in dict.fromkeys(endpoints) if name in homes]
    read = in_parallel([partial(_read, homes[name]) for name in wanted])
    return dict(zip(wanted, read, strict=True))


@cached(TTLCache(maxsize=16, ttl=KEPT_S, timer=monotonic), lock=Lock())
def _read(home: str) -> Page:
    try:
        answer = fetch(home + SUMMARY, seconds=TIMEOUT_S)
    except Unanswered as unanswered:
        page = Page(UNKNOWN, why=f"the page cannot be read: {unanswered}")
    else:
        page = understood(answer.json()) if answer.status == 200 else _refused(answer.status)
    return replace(page, why=f"{page.why}; look at {home}") if page.why else page


def _refused(status: int) -> Page:
    return Page(UNKNOWN, why=f"the page answers {status}")


def understood(summary: Any) -> Page:
    """A page's state, from a Statuspage summary or anything else."""
    status = summary.get("status") if isinstance(summary, dict) else None
    indicator = status.get("indicator") if isinstance(status, dict) else None
    word = WORDS.get(indicator) if isinstance(indicator, str) else None
    if word is None:
        return Page(UNKNOWN, why="the page says nothing in a known form")
    listed = summary.get("incidents")
    incidents = [
        " ".join(entry["name"].split())[:120]
        for entry in (listed if isinstance(listed, list) else ())
        if isinstance(entry, dict)
        and isinstance(entry.get("name"), str)
        and entry.get("status") not in ("resolved", "postmortem")
    ]
    return Page(word, tuple(incidents))
