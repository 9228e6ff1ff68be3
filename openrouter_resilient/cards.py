"""What a notebook shows of an answer and of who gave it. All that came from outside is escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openrouter_resilient.served import Served

# Colours are the notebook's own (inherit, currentColor), so that a dark theme stays dark.
_FRAME = (
    "border:1px solid rgba(128,128,128,.35);border-radius:6px;padding:.7em 1em;max-width:60em;"
    "font-family:system-ui,sans-serif;line-height:1.45;overflow-wrap:anywhere"
)
_TEXT = "white-space:pre-wrap;margin:0 0 .7em"
_SMALL = "font-size:.9em;opacity:.8;margin:0"
_LIST = "font-size:.9em;opacity:.8;margin:.4em 0 0;padding-left:1.6em"


def completion_card(text: str, tool_calls: Iterable[str], served: Served | None) -> str:
    """The text, what was to be called, and who served it."""
    said = f'<div style="{_TEXT}">{escape(text)}</div>' if text else ""
    calls = "".join(
        f'<div style="{_TEXT}">calls <code>{escape(call)}</code></div>' for call in tool_calls
    )
    return f'<div style="{_FRAME}">{said}{calls}{_served(served) if served else ""}</div>'


def served_card(served: Served) -> str:
    """Who served it, the trail and the cost."""
    return f'<div style="{_FRAME}">{_served(served)}</div>'


def _served(served: Served) -> str:
    broken = bool(served.attempts) and bool(served.attempts[-1].fault) and not served.cached
    verb = "broke off at" if broken else "served by"
    lines = [f'<p style="{_SMALL}">{verb} <b>{escape(str(served))}</b></p>']
    if served.substituted:
        lines.append(f'<p style="{_SMALL}">in place of {escape(served.requested)}</p>')
    lines += [
        f'<p style="{_SMALL}">note: {escape(note)}</p>'
        for note in (*served.warnings, *(f"skipped {route}" for route in served.skipped))
    ]
    if len(served.attempts) > 1 or any(attempt.fault for attempt in served.attempts):
        tried = "".join(f"<li>{escape(str(attempt))}</li>" for attempt in served.attempts)
        lines.append(f'<ol style="{_LIST}">{tried}</ol>')
    return "".join(lines)
