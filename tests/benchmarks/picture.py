"""The README's picture: what a call costs beside its peers."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.measure import Result

PANELS = (
    ("whole reply, ", "a small reply, whole"),
    ("50 events, ", "a stream of 50 events"),
    ("import, ", "import"),
)
OWN, OTHERS = "#2f6f4f", "#b9bec4"


def draw(results: list[Result], path: Path) -> None:
    """Draw the times, one panel a kind of work, shortest bar on top."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(len(PANELS), 1, figsize=(7, 6.2), layout="constrained")
    for panel, (prefix, title) in zip(panels, PANELS, strict=True):
        rows = [r for r in results if r.what.startswith(prefix) and r.bound is None]
        rows = sorted((r for r in rows if " / " not in r.what), key=lambda row: -row.value)
        names = [row.what.removeprefix(prefix) for row in rows]
        millis = [row.value / 1000 if row.unit == "µs" else row.value for row in rows]
        colours = [OWN if name.startswith("this package") else OTHERS for name in names]
        bars = panel.barh(names, millis, color=colours)
        panel.bar_label(bars, [f"{value:,.2f}" for value in millis], padding=4, fontsize=8)
        panel.set_title(f"{title} (milliseconds, lower is better)", loc="left", fontsize=10)
        panel.spines[["top", "right", "bottom"]].set_visible(False)
        panel.xaxis.set_visible(False)
        panel.margins(x=0.15)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
