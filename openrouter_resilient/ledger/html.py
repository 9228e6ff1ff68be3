"""A report as one self-contained page that a customer can read, at a desk and on a phone."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from openrouter_resilient.errors import ConfigurationError
from openrouter_resilient.ledger import words
from openrouter_resilient.ledger.intervals import Share
from openrouter_resilient.ledger.look import BAD, DARK, GOOD, LIGHT, SHAKY, STYLE
from openrouter_resilient.ledger.report import Report

WIDE_IN, NARROW_IN = 8.0, 3.7  # of the pictures; the narrow ones for screens below 600 pixels


def as_page(report: Report) -> str:
    """A whole file."""
    paper = (
        f"body{{margin:0;background:{LIGHT['paper']}}}main.orr{{margin:0 auto}}"
        f"@media (prefers-color-scheme:dark){{body{{background:{DARK['paper']}}}}}"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<title>Availability report</title>"
        f"<style>{paper}{STYLE}</style></head><body>{_body(report)}</body></html>\n"
    )


def as_section(report: Report) -> str:
    """The same as a part of a notebook."""
    return f"<style>{STYLE}</style>{_body(report)}"


def _body(report: Report) -> str:
    period = f"{words.instant_text(report.since)} to {words.instant_text(report.until)} UTC"
    parts = [
        '<main class="orr"><h1>Availability report</h1>',
        f'<p class="soft">{escape(period)}</p>',
        f'<p class="big">{words.percent(report.availability.value)}</p>',
        f'<p class="said">{escape(words.headline(report))}</p>',
        f"<p>{escape(words.what_is_missing(report))}</p>",
        _tiles(report),
        *_pictures(report),
        *_alone(report),
        *_outages(report),
        *_latency(report),
        *_costs(report),
        *_notes(report),
        "</main>",
    ]
    return "".join(parts)


def _tiles(report: Report) -> str:
    outages = words.survived(report)
    longest = words.span_text(outages[0].seconds) if outages else "none"
    tiles = (
        tuple(words.calls_text(report.calls).split()),
        (f"{report.saved:,}", "of them saved by failover"),
        (longest, "longest outage survived"),
        (words.known_cost(report), "cost, as far as it is known"),
    )
    shown = "".join(
        f'<div class="tile"><b>{escape(value)}</b><span>{name}</span></div>'
        for value, name in tiles
    )
    return f'<div class="tiles">{shown}</div>'


def _pictures(report: Report) -> Iterable[str]:
    if not report.endpoints:
        return
    from openrouter_resilient.ledger.pictures import PICTURES, as_svg, strip  # noqa: PLC0415  an extra

    for title, draw in PICTURES:
        try:
            wide, narrow = (as_svg(draw(report, width)) for width in (WIDE_IN, NARROW_IN))
        except ConfigurationError as error:
            yield f'<p class="soft">{escape(str(error))}</p>'
            return
        yield (
            f"<h2>{title}</h2><picture>"
            f'<source media="(max-width: 600px)" srcset="{_data(narrow)}">'
            f'<img alt="{title}" src="{_data(wide)}"></picture>'
        )
        if draw is strip:
            yield _KEY


def _key() -> str:
    meanings = (
        (GOOD, "no fault that day"),
        (SHAKY, "up to 5 % of its trials failed"),
        (BAD, "more failed"),
        ("var(--none)", "nobody asked it"),
    )
    shown = "".join(f'<span><i style="background:{c}"></i>{what}</span>' for c, what in meanings)
    return f'<div class="key">{shown}</div>'


_KEY = _key()


def _data(svg: str) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


@dataclass(frozen=True)
class _Row:
    """A row of a table: its cells, and the class that says how it stands out."""

    cells: tuple[str, ...]
    style: str = ""


def _alone(report: Report) -> Iterable[str]:
    if not report.endpoints:
        return
    rows = [_share_row("together, with failover", report.availability, "lead")]
    for name, alone in report.endpoints.items():
        rows.append(_share_row(name, alone.share))
        rows += [
            _share_row(model, one.share, "sub")
            for (endpoint, model), one in report.models.items()
            if endpoint == name
        ]
    yield "<h2>Had you used only this one</h2>"
    yield _table(("endpoint and model", "trials", "answered", "95 % interval"), rows)
    yield f'<p class="soft">{escape(words.what_trials_are(report))}</p>'


def _share_row(name: str, share: Share, style: str = "") -> _Row:
    cells = name, f"{share.asked:,}", words.percent(share.value), words.interval_text(share)
    return _Row(cells, style)


def _outages(report: Report) -> Iterable[str]:
    outages = words.survived(report)
    if outages:
        yield "<h2>Longest outages survived</h2>"
        rows = [
            _Row(
                (
                    f"{words.instant_text(outage.began_at)} UTC",
                    outage.endpoint,
                    words.span_text(outage.seconds),
                    f"{outage.faults:,}",
                    f"{outage.saved:,}",
                )
            )
            for outage in outages[: words.MOST_LISTED]
        ]
        head = ("began", "endpoint", "at least", "its faults", "calls answered")
        yield _table(head, rows, texts=2)


def _latency(report: Report) -> Iterable[str]:
    rows = [
        _Row((label, f"{count:,}", *map(words.seconds_text, values)))
        for name, latency in (
            ("one attempt", report.straight),
            ("after failures", report.after_failures),
        )
        for label, count, values in words.latency_rows(name, latency)
    ]
    if rows:
        yield "<h2>Latency</h2>"
        yield _table(("", "calls", "median", "90 % within", "95 %", "99 %"), rows)


def _costs(report: Report) -> Iterable[str]:
    if not report.costs:
        return
    rows = [
        _Row(
            (
                cost.model or "no model named",
                cost.endpoint,
                f"{cost.attempts:,}",
                words.count_text(cost.prompt_tokens),
                words.count_text(cost.completion_tokens),
                words.money(cost.known_usd),
            )
        )
        for cost in report.costs
    ]
    yield "<h2>Tokens and cost</h2>"
    head = ("model", "endpoint", "attempts", "tokens in", "tokens out", "cost")
    yield _table(head, rows, texts=2)
    yield f'<p class="soft">{escape(words.cost_sentence(report))}</p>'


def _notes(report: Report) -> Iterable[str]:
    lines = words.caveats(report)
    if lines:
        yield "<h2>How to read this</h2>"
        yield from (f'<p class="soft">{escape(line)}</p>' for line in lines)


def _table(head: Sequence[str], rows: Iterable[_Row], *, texts: int = 1) -> str:
    """A table that becomes a list of blocks on a phone.

    Args:
        head: names of the columns.
        rows: as many cells in each.
        texts: how many columns, from the first, are texts; the others are numbers.
    """
    kinds = [' class="text"' if place < texts else "" for place in range(len(head))]
    top = "".join(f"<th{k}>{escape(name)}</th>" for k, name in zip(kinds, head, strict=True))
    body = "".join(
        f'<tr class="{row.style}">{_cells(head, kinds, row.cells)}</tr>'
        if row.style
        else f"<tr>{_cells(head, kinds, row.cells)}</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _cells(head: Sequence[str], kinds: Sequence[str], cells: Sequence[str]) -> str:
    first, *rest = cells
    named = zip(head[1:], kinds[1:], rest, strict=True)
    return f"<td{kinds[0]}>{escape(first)}</td>" + "".join(
        f'<td{kind} data-name="{escape(name)}">{escape(cell)}</td>' for name, kind, cell in named
    )
