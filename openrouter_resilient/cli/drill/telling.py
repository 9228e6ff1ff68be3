"""How a drill is told: a table for people, an object for machines. Judges nothing."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any, NamedTuple

from openrouter_resilient.cli.drill.acts import CLOCK, Seen
from openrouter_resilient.cli.drill.stage import Played
from openrouter_resilient.cli.output import GREEN, RED, colourful, painted, print_object
from openrouter_resilient.served import AttemptRecord

NARROW, WIDE = 80, 120  # columns of a terminal; the table fits either, and all between
GAP = "  "
OK = 200


def as_table(rehearsal: Iterable[Played]) -> bool:
    """Print each scene as it ends, then the verdict.

    Returns:
        Whether every promise was kept.
    """
    began = CLOCK.now()
    colour = colourful(sys.stdout)
    widths = _widths(shutil.get_terminal_size((NARROW, 24)).columns)
    print(_row([column.title for column in COLUMNS], widths))
    print(_row(["-" * width for width in widths], widths))
    played: list[Played] = []
    for scene in rehearsal:
        played.append(scene)
        print(_told(scene, widths, colour=colour), flush=True)
    print(_verdict(played, CLOCK.now() - began))
    return all(scene.kept for scene in played)


def as_json(rehearsal: Iterable[Played]) -> bool:
    """Print one object.

    Returns:
        Whether every promise was kept.
    """
    began = CLOCK.now()
    scenes = [_object(played) for played in rehearsal]
    kept = all(scene["kept"] for scene in scenes)
    whole = {"kept": kept, "seconds": CLOCK.now() - began, "scenes": scenes}
    print_object(whole, indent=2)
    return kept


def _told(played: Played, widths: Sequence[int], *, colour: bool) -> str:
    """A scene's lines, and under them what it broke."""
    told = _row([column.cell(played) for column in COLUMNS], widths)
    if colour:  # only now: padding would count the colour's own characters
        mark, paint = _kept(played), GREEN if played.kept else RED
        told = re.sub(rf"(?<=  ){mark}(?=  )", painted(mark, paint), told, count=1)
    notes = [f"    broken promise: {sentence}" for sentence in played.broken]
    return "\n".join([told, *notes]) + "\n"


def _verdict(played: Sequence[Played], seconds: float) -> str:
    kept, right = sum(p.kept for p in played), sum(p.alone.right for p in played)
    return (
        f"{kept} of {len(played)} promises kept, in {seconds:.1f} s.\n"
        f"An app on OpenRouter alone would have had its answer in {right} of {len(played)} scenes."
    )


def _happened(played: Played) -> str:
    """Every call's story, those that are alike told once."""
    seen = played.seen
    stories = [(story, len(list(alike))) for story, alike in groupby(map(_story, seen.before))]
    times = [f"{count} x {story}" for story, count in stories]
    waited = f" after {seen.waited:.1f} s" if seen.waited else ""
    return "; then ".join([*times, f"{_story(seen)}{waited}"])


def _story(seen: Seen) -> str:
    """What each attempt of a call came to, those that OpenRouter made for it included."""
    parts = [part for attempt in seen.attempts for part in _tries(attempt)]
    return ", ".join([*parts, type(seen.error).__name__] if seen.error else parts)


def _tries(attempt: AttemptRecord) -> list[str]:
    failed = [f"{up.provider} {up.status}" for up in attempt.upstream if up.status != OK]
    return [*failed, f"{attempt.endpoint} {attempt.fault or 'answered'}"]


def _served(played: Played) -> str:
    served = played.seen.served
    if served is None:
        return "nobody"
    in_part = ", in part" if played.seen.error else ""
    return f"{served.endpoint}: {served.model}{in_part}"


def _kept(played: Played) -> str:
    return "yes" if played.kept else "NO"


def _alone(played: Played) -> str:
    alone = played.alone
    after = f" after {alone.seconds:.1f} s" if alone.seconds >= 1 else ""
    return f"{alone.told}{after}"


class _Column(NamedTuple):
    title: str
    narrow: int
    wide: int
    cell: Callable[[Played], str]


# fmt: off
COLUMNS = (
    _Column("scene",          11, 19, lambda played: played.scene.name),
    _Column("what happened",  14, 26, _happened),
    _Column("served by",      17, 27, _served),
    _Column("time",            6,  6, lambda played: f"{played.seen.seconds:.2f} s"),
    _Column("tries",           5,  5, lambda played: str(len(played.seen.attempts))),
    _Column("kept",            4,  4, _kept),
    _Column("on one provider", 11, 21, _alone),
)
# fmt: on


def _widths(columns: int) -> list[int]:
    """Share what a terminal has beyond the narrow table, up to the wide one."""
    share = (min(max(columns, NARROW), WIDE) - NARROW) / (WIDE - NARROW)
    return [int(column.narrow + share * (column.wide - column.narrow)) for column in COLUMNS]


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    """One row in as many lines as its longest cell takes."""
    wrapped = [wrap(cell, width) for cell, width in zip(cells, widths, strict=True)]
    lines = []
    for number in range(max(map(len, wrapped))):
        parts = [cell[number] if number < len(cell) else "" for cell in wrapped]
        padded = [part.ljust(width) for part, width in zip(parts, widths, strict=True)]
        lines.append(GAP.join(padded).rstrip())
    return "\n".join(lines)


def wrap(text: str, width: int) -> list[str]:
    """Cut a text into lines, at spaces and, within a model's id, after `/`, `-` and `:`."""
    lines = [""]
    for part in re.findall(r"[^\s/:-]*[/:-]+|[^\s/:-]+|\s+", text):
        if len(lines[-1]) + len(part.rstrip()) > width and lines[-1]:
            lines[-1] = lines[-1].rstrip()
            lines.append("")
        lines[-1] += part if lines[-1] else part.lstrip()
        while len(lines[-1].rstrip()) > width:
            at = _joint(lines[-1], width)
            lines[-1:] = [lines[-1][:at], lines[-1][at:]]
    return [line.rstrip() for line in lines]


def _joint(word: str, width: int) -> int:
    """Where to cut a word that is too long: before a capital, as in ConnectionError."""
    joints = [joint.start() for joint in re.finditer(r"(?<=[a-z])(?=[A-Z])", word)]
    return max((at for at in joints if at <= width), default=width)


def _object(played: Played) -> dict[str, Any]:
    scene, seen = played.scene, played.seen
    promise = {**asdict(scene.promise), "raises": _name(scene.promise.raises)}
    served = asdict(seen.served) if seen.served else None
    if served:
        del served["attempts"]  # they stand beside it, whether anybody served or not
    return {
        "name": scene.name,
        "kept": played.kept,
        "broken": played.broken,
        "promise": promise,
        "text": seen.text,
        "raised": _name(type(seen.error)) if seen.error else None,
        "served": served,
        "attempts": list(map(asdict, seen.attempts)),
        "seconds": seen.seconds,
        "calls_before": len(seen.before),
        "waited": seen.waited,
        "alone": asdict(played.alone),
    }


def _name(kind: type[BaseException] | None) -> str | None:
    return kind.__name__ if kind else None
