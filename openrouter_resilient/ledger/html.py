"""A report as one self-contained page that a customer can read, at a desk and on a phone."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

from openrouter_resilient.errors import ConfigurationError
from openrouter_resilient.ledger import words
from openrouter_resilient.ledger.intervals import Share
from openrouter_resilient.ledger.report import Latency, Report

WIDE_IN, NARROW_IN = 8.0, 3.7  # of the pictures; the narrow ones for screens below 600 pixels

STYLE = """
.orr{font:16px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif;color:#1d242c;background:#fff;
max-width:52rem;margin:0 auto;padding:1.25rem;overflow-wrap:anywhere;box-sizing:border-box}
.orr h1{font-size:1.5rem;line-height:1.25;margin:0 0 .25rem}
.orr h2{font-size:1.1rem;margin:2rem 0 .5rem}
.orr p{margin:.4rem 0}
.orr .big{font-size:2.4rem;font-weight:650;line-height:1.15;margin:1rem 0 .25rem}
.orr .soft{color:#5b6570;font-size:.92rem}
.orr .scroll{overflow-x:auto}
.orr table{border-collapse:collapse;width:100%;font-size:.92rem;font-variant-numeric:tabular-nums}
.orr th,.orr td{text-align:right;padding:.35rem .6rem;border-bottom:1px solid #e3e6ea;
vertical-align:top;white-space:nowrap}
.orr th:first-child,.orr td:first-child{text-align:left;padding-left:0;white-space:normal;
min-width:9rem}
.orr td.left,.orr th.left{text-align:left}
.orr img{display:block;width:100%;height:auto}
.orr ul{padding-left:1.1rem;margin:.4rem 0}
@media (max-width:600px){.orr{padding:1rem;font-size:15px}.orr .big{font-size:2rem}
.orr table.stack thead{display:none}.orr table.stack tr{display:grid;grid-template-columns:1fr 1fr;
border-bottom:1px solid #e3e6ea;padding:.4rem 0}
.orr table.stack td{border:0;text-align:left;padding:.1rem 0;white-space:normal;min-width:0}
.orr table.stack td:first-child{grid-column:1/-1;font-weight:600}
.orr table.stack td[data-name]::before{content:attr(data-name);display:block;color:#5b6570;
font-size:.8rem}}
"""


def as_page(report: Report) -> str:
    """A whole file."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<title>Availability report</title>"
        f"<style>body{{margin:0}}{STYLE}</style></head><body>{_body(report)}</body></html>\n"
    )


def as_section(report: Report) -> str:
    """The same as a part of a notebook."""
    return f"<style>{STYLE}</style>{_body(report)}"


def _body(report: Report) -> str:
    share = report.availability
    period = f"{words.instant_text(report.since)} to {words.instant_text(report.until)} UTC"
    parts = [
        '<main class="orr"><h1>Availability report</h1>',
        f'<p class="soft">{escape(period)} · {report.calls:,} calls</p>',
        f'<p class="big">{words.percent(share.value)}</p>',
        f"<p>{escape(words.headline(report))}</p>",
        f"<p>{escape(words.what_is_missing(report))}</p>",
        *(f'<p class="soft">{escape(line)}</p>' for line in words.caveats(report)),
        *_pictures(report),
        *_alone(report),
        *_outages(report),
        *_latency(report),
        *_costs(report),
        "</main>",
    ]
    return "".join(parts)


def _pictures(report: Report) -> Iterable[str]:
    if not report.endpoints:
        return
    from openrouter_resilient.ledger.pictures import PICTURES, as_svg  # noqa: PLC0415  an extra

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
        if draw is PICTURES[0][1]:
            yield _KEY


_KEY = (
    '<p class="soft">Green: no fault that day. Yellow: at most 5 % of its trials failed. '
    "Red: more. Grey: nobody asked it.</p>"
)


def _data(svg: str) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def _alone(report: Report) -> Iterable[str]:
    if not report.endpoints:
        return
    rows = [_share_row(name, alone.share) for name, alone in report.endpoints.items()]
    rows += [
        _share_row(f"{model} at {endpoint}", alone.share)
        for (endpoint, model), alone in report.models.items()
    ]
    rows.insert(0, _share_row("together, with failover", report.availability))
    yield "<h2>Had you used only this one</h2>"
    yield _table(("", "trials", "answered", "95 % interval"), rows)
    inferred = sum(alone.inferred for alone in report.endpoints.values())
    yield (
        '<p class="soft">Worked out from its own attempts and health checks'
        f"{f', and {inferred:,} calls between two of its faults within a minute' * bool(inferred)}"
        ".</p>"
    )


def _share_row(name: str, share: Share) -> tuple[str, ...]:
    ends = words.interval_text(share).removeprefix("95 %: ")
    return name, f"{share.asked:,}", words.percent(share.value), f"{ends} %"


def _outages(report: Report) -> Iterable[str]:
    saved = "1 call" if report.saved == 1 else f"{report.saved:,} calls"
    yield f"<h2>Outages survived</h2><p>Failover saved {saved}.</p>"
    outages = words.survived(report)
    if outages:
        rows = [
            (
                f"{words.instant_text(outage.began_at)} UTC",
                outage.endpoint,
                words.span_text(outage.seconds),
                f"{outage.faults:,}",
                f"{outage.saved:,}",
            )
            for outage in outages[: words.MOST_LISTED]
        ]
        head = ("began", "endpoint", "at least", "its faults", "calls answered")
        yield _table(head, rows)


def _latency(report: Report) -> Iterable[str]:
    rows = []
    for name, latency in (("one attempt", report.straight), ("failed over", report.failed_over)):
        rows += _latency_rows(name, latency)
    if rows:
        yield "<h2>Latency</h2>"
        yield _table(("", "calls", "50 %", "90 %", "95 %", "99 %"), rows)


def _latency_rows(name: str, latency: Latency) -> list[tuple[str, ...]]:
    return [
        (label, f"{latency.calls:,}", *map(words.seconds_text, values.values()))
        for label, values in (
            (name, latency.seconds),
            (f"{name}, first token", latency.first_token_seconds),
        )
        if values
    ]


def _costs(report: Report) -> Iterable[str]:
    if not report.costs:
        return
    rows = [
        (
            f"{cost.model or 'no model named'} at {cost.endpoint}",
            f"{cost.attempts:,}",
            words.count_text(cost.prompt_tokens),
            words.count_text(cost.completion_tokens),
            words.money(cost.known_usd),
        )
        for cost in report.costs
    ]
    yield "<h2>Tokens and cost</h2>"
    yield _table(("", "attempts", "tokens in", "tokens out", "cost"), rows)
    yield f'<p class="soft">{escape(words.cost_sentence(report))}</p>'


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table that becomes a list of blocks on a phone."""
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{_cells(head, row)}</tr>" for row in rows)
    return (
        f'<div class="scroll"><table class="stack"><thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cells(head: Sequence[str], row: Sequence[str]) -> str:
    first, *rest = row
    named = zip(head[1:], rest, strict=True)
    return f"<td>{escape(first)}</td>" + "".join(
        f'<td data-name="{escape(name)}">{escape(cell)}</td>' for name, cell in named
    )
