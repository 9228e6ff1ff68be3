"""A report's pictures, drawn by matplotlib (the `notebook` extra).

Each function draws on axes of the caller's, or makes a figure that is as wide as it is told, so
that its letters keep their size on a phone.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from openrouter_resilient.errors import ConfigurationError
from openrouter_resilient.ledger.look import (
    BAD,
    CACHE,
    DARK,
    GOOD,
    LIGHT,
    PALETTE,
    SHAKY,
    variables,
)
from openrouter_resilient.ledger.outages import DAY_S, Alone
from openrouter_resilient.ledger.report import Report
from openrouter_resilient.ledger.words import percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLE: dict[Any, Any] = {
    "font.size": 9,
    "font.family": "sans-serif",
    "text.parse_math": False,  # a name with dollars in it is no formula
    "text.color": LIGHT["ink"],
    "axes.labelcolor": LIGHT["soft"],
    "axes.edgecolor": LIGHT["line"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": LIGHT["line"],
    "ytick.color": LIGHT["line"],
    "xtick.labelcolor": LIGHT["soft"],
    "ytick.labelcolor": LIGHT["soft"],
    "svg.fonttype": "path",  # letters as wide there as here, whatever fonts there are
    "svg.hashsalt": "openrouter_resilient",  # the same picture is the same text
}
STRIP_DAYS = 90  # at most, as a status page shows
# Of the others: a clock that was never set dates a call 1970, and a bar for each day since then
# would take longer to draw than anybody waits.
MOST_DAYS = 400
LEAST_S = 0.001  # a scale of tens has no nought


def strip(report: Report, width: float = 8.0) -> Figure:
    """Day by day, how each endpoint was: a status page's strip.

    Args:
        report: with the days.
        width: of the figure, in inches.
    """
    rows = list(report.endpoints.items())
    with _figure(width, 0.45 + 0.62 * max(1, len(rows))) as (figure, _):
        days = _days(report, 30 if width < 5 else STRIP_DAYS)
        for place, (name, alone) in enumerate(rows):
            axes = figure.add_subplot(max(1, len(rows)), 1, place + 1)
            axes.bar(days, 1, width=0.8, color=[_colour(alone, day) for day in days])
            axes.set_xlim(days[0] - 0.6, days[-1] + 0.6)
            axes.set_title(name, loc="left", fontsize=9)
            axes.set_title(percent(alone.share.value), loc="right", fontsize=9)
            axes.set_yticks([])
            axes.spines[["left", "bottom"]].set_visible(False)
            last = place == len(rows) - 1
            axes.set_xticks(_ticks(days, width) if last else [])
            axes.set_xticklabels([_date(day) for day in _ticks(days, width)] if last else [])
            axes.tick_params(length=0)
    return figure


def who_served(report: Report, width: float = 8.0) -> Figure:
    """Answered calls by day, and who gave the answers."""
    with _figure(width, 2.4) as (figure, matplotlib):
        axes = figure.add_subplot()
        days = _days(report, MOST_DAYS)
        shades = _shades(report)
        base = [0] * len(days)
        for name, shade in shades.items():
            counts = [report.served.get(day, {}).get(name, 0) for day in days]
            axes.bar(days, counts, bottom=base, width=0.9, label=name, color=shade)
            base = [below + count for below, count in zip(base, counts, strict=True)]
        axes.set_xticks(_ticks(days, width), [_date(day) for day in _ticks(days, width)])
        axes.set_xlim(days[0] - 0.7, days[-1] + 0.7)
        axes.set_ylim(0, max(base) * 1.05 or 1)
        axes.set_ylabel("answers a day")
        axes.yaxis.set_major_locator(matplotlib.ticker.MaxNLocator(nbins=5, integer=True))
        if shades:
            _legend(axes, len(shades))
    return figure


def latency(report: Report, width: float = 8.0) -> Figure:
    """How long calls took; those that were answered after failures are marked."""
    with _figure(width, 2.6) as (figure, matplotlib):
        axes = figure.add_subplot()
        days = _days(report, MOST_DAYS)
        first, last = max(report.since / DAY_S, days[0]), report.until / DAY_S
        for more, shade, mark, name in (
            (False, PALETTE[0], "o", "one attempt"),
            (True, BAD, "D", "after failures"),
        ):
            points = [
                (at / DAY_S, max(s, LEAST_S))
                for at, s, over in report.sample
                if over is more and at / DAY_S >= first
            ]
            if points:
                axes.plot(
                    *zip(*points, strict=True),
                    mark,
                    markersize=4 if more else 3,
                    alpha=0.9 if more else 0.35,
                    color=shade,
                    label=name,
                    markeredgewidth=0,
                )
        if len(days) > 1:
            axes.set_xticks(_ticks(days, width), [_date(day) for day in _ticks(days, width)])
        else:
            middle = (first + last) / 2
            axes.set_xticks([middle], [_date(int(middle))])
        pad = max(0.02 * (last - first), 0.0007)
        axes.set_xlim(first - pad, last + pad)
        axes.set_yscale("log")  # a call that failed over may have taken a hundred times as long
        low, high = axes.get_ylim()
        subs = (1, 2, 5) if high < 100 * low else (1,)
        axes.yaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=subs))
        axes.yaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda s, _: f"{s:g} s"))
        axes.yaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
        axes.set_ylabel("a call took")
        if axes.get_legend_handles_labels()[0]:
            _legend(axes, 2)
    return figure


PICTURES = (
    ("Day by day", strip),
    ("Who served", who_served),
    ("How long it took", latency),
)


def as_svg(figure: Figure) -> str:
    """A figure as SVG text, the same each time; it goes dark with the page it stands in."""
    import matplotlib as mpl  # noqa: PLC0415  an extra, and there is a figure

    out = io.StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(out, format="svg", metadata={"Date": None}, transparent=True)
    text = out.getvalue()
    text = text[text.index("<svg") :]
    for name, colour in LIGHT.items():
        text = text.replace(colour, f"var(--{name})")
    head, end, rest = text.partition(">")
    return f"{head}{end}{_COLOURS}{rest}"


_COLOURS = (
    f"<style>:root{{{variables(LIGHT)}}}"
    f"@media (prefers-color-scheme:dark){{:root{{{variables(DARK)}}}}}</style>"
)


@contextmanager
def _figure(width: float, height: float) -> Iterator[tuple[Figure, Any]]:
    """A figure apart from pyplot: it touches no window and no style of the caller's."""
    try:
        import matplotlib.ticker  # noqa: PLC0415  an extra
        from matplotlib.figure import Figure  # noqa: PLC0415  the same
    except ImportError as error:
        raise ConfigurationError(
            "pictures need matplotlib: pip install 'openrouter_resilient[notebook]'"
        ) from error
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, matplotlib


def _days(report: Report, most: int) -> list[int]:
    first, last = int(report.since // DAY_S), int(report.until // DAY_S)
    return list(range(max(first, last - most + 1), last + 1))


def _ticks(days: list[int], width: float) -> list[int]:
    """Few enough that dates do not touch."""
    most = int(width * 0.85)
    step = max(1, -(-len(days) // most))
    return days[::-1][::step][::-1] if len(days) > 1 else days


def _date(day: int) -> str:
    moment = datetime.fromtimestamp(day * DAY_S, timezone.utc)
    return f"{moment.day} {moment:%b}"


def _shades(report: Report) -> dict[str, str]:
    """A colour for each who served, the most frequent first; grey for the cache."""
    totals: Counter[str] = Counter()
    for counts in report.served.values():
        totals.update(counts)
    names = [name for name, _ in totals.most_common() if name != "cache"]
    shades = {name: PALETTE[place % len(PALETTE)] for place, name in enumerate(names)}
    return shades | ({"cache": CACHE} if "cache" in totals else {})


def _colour(alone: Alone, day: int) -> str:
    good, bad = alone.days.get(day, (0, 0))
    if not good + bad:
        return LIGHT["none"]
    if not bad:
        return GOOD
    return SHAKY if bad / (good + bad) <= 0.05 else BAD


def _legend(axes: Axes, columns: int) -> None:
    """Above the picture, where it hides nothing."""
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=max(1, min(columns, 3)),
        frameon=False,
        borderaxespad=0.2,
        handlelength=1.2,
    )
