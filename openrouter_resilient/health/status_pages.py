"""What vendors' status pages say. They annotate and never route: they lag, and miss most trouble.

In both gateway-wide outages of February 2026 OpenRouter's own page lagged by 4 to 6 minutes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from openrouter_resilient.health.http import Unanswered, fetch
from openrouter_resilient.health.parallel import in_parallel

TIMEOUT_S = 5.0
UNKNOWN = "unknown"

# OpenAI's and Groq's pages are of other makes than Anthropic's, and serve the same JSON.
# OpenRouter's has changed its host and its make, and what it serves to machines was never seen to
# be this; if it ever is, it is read, and until then its state is unknown rather than guessed.
# fmt: off
PAGES: Mapping[str, str] = {
    "openrouter": "https://status.openrouter.ai/api/v2/summary.json",
    "openai":     "https://status.openai.com/api/v2/summary.json",
    "groq":       "https://groqstatus.com/api/v2/summary.json",
    "anthropic":  "https://status.claude.com/api/v2/summary.json",
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
    """Read the pages of these endpoints, side by side; those of nobody's are left out."""
    urls = PAGES if pages is None else pages
    wanted = [name for name in dict.fromkeys(endpoints) if name in urls]
    read = in_parallel([partial(_read, urls[name]) for name in wanted])
    return dict(zip(wanted, read, strict=True))


def _read(url: str) -> Page:
    try:
        answer = fetch(url, seconds=TIMEOUT_S)
    except Unanswered as unanswered:
        return Page(UNKNOWN, why=f"the page cannot be read: {unanswered}")
    if answer.status != 200:
        return Page(UNKNOWN, why=f"the page answers {answer.status}")
    return understood(answer.json())


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
