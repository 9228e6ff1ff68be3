"""Put the stored results into the README: its table and its picture.

    python -m tests.benchmarks.publish

Reads `results.json`, which a whole run of `python -m tests.benchmarks` writes.
"""

from __future__ import annotations

import json
from pathlib import Path

STORED = Path(__file__).with_name("results.json")
PICTURE = Path(__file__).with_name("speed.svg")
README = Path(__file__).parents[2] / "README.md"
BEGIN, END = "<!-- speed: made by tests/benchmarks/publish.py -->", "<!-- end of speed -->"
PANELS = (
    ("whole", "A small reply, whole", "µs"),
    ("streamed", "A stream of 50 events", "µs"),
    ("imports", "Import", "ms"),
)
OWN, OTHERS = "#2f6f4f", "#b9bec4"


def table(stored: dict) -> str:
    """The bounds and what was measured, as a table in Markdown."""
    lines = ["| what | measured | promised |", "|---|---|---|"]
    for row in stored["results"]:
        if row["bound"] is not None:
            sign = "≥" if row["least"] else "≤"
            kept = row["value"] >= row["bound"] if row["least"] else row["value"] <= row["bound"]
            missed = "" if kept else " (missed)"
            what = f"{row['scene']}: {row['what']}"
            lines.append(f"| {what} | {_shown(row)} | {sign} {row['bound']:g}{missed} |")
    return "\n".join(lines)


def section(stored: dict) -> str:
    """What stands in the README between the two marks."""
    machine, versions = stored["machine"], stored["versions"]
    known = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    absent = "".join(f" {name} was absent." for name in stored["skipped"])
    return (
        f"{BEGIN}\n\n{table(stored)}\n\n"
        f"Medians of one interleaved run; Python {machine['python']}, {machine['cores']} cores, "
        f"{known}.{absent}\n\n{END}"
    )


def draw(stored: dict, path: Path) -> None:
    """Draw the times, one panel a kind of work, shortest bar on top."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "openrouter_resilient"  # the same results, the same file
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(len(PANELS), 1, figsize=(7, 7), layout="constrained",
                                  gridspec_kw={"height_ratios": [8, 5, 5]})  # fmt: skip
    for panel, (scene, title, unit) in zip(panels, PANELS, strict=True):
        rows = [row for row in stored["results"] if row["scene"] == scene and row["unit"] == unit]
        rows = [row for row in rows if " with a " not in row["what"]]
        rows.sort(key=lambda row: -row["value"])
        millis = [row["value"] / 1000 if unit == "µs" else row["value"] for row in rows]
        colours = [OWN if row["what"] == "this package" else OTHERS for row in rows]
        bars = panel.barh([row["what"] for row in rows], millis, color=colours)
        panel.bar_label(bars, [f"{value:,.2f}" for value in millis], padding=4, fontsize=8)
        panel.set_title(f"{title} (milliseconds, lower is better)", loc="left", fontsize=10)
        panel.spines[["top", "right", "bottom"]].set_visible(False)
        panel.xaxis.set_visible(False)
        panel.margins(x=0.15)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def main() -> None:
    """The command."""
    stored = json.loads(STORED.read_text())
    before, _, rest = README.read_text().partition(BEGIN)
    README.write_text(before + section(stored) + rest.partition(END)[2])
    draw(stored, PICTURE)


def _shown(row: dict) -> str:
    digits = 2 if abs(row["value"]) < 10 else 1
    unit = "×" if row["unit"] == "×" else f" {row['unit']}"
    return f"{row['value']:.{digits}f}{unit}"


if __name__ == "__main__":
    main()
