"""Which changes people are told of: what a round found, held against what they were told last.

A fold: the memory of the last round in, the memory and the alerts of this one out. No I/O, no
clock. Times of day are seconds since 1970.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

from openrouter_resilient.health.probe import Probed
from openrouter_resilient.health.report import duration

FLAPPING = 4  # changes within the hour: the fourth is told as flapping, and then nothing …
WITHIN_S = 3600.0
CALM_S = 1800.0  # … until it has kept still for this long
_RUBBISH = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    RecursionError,
    OverflowError,
    OSError,
)


@dataclass(frozen=True)
class Alert:
    """One thing to tell a person. Holds no key, no prompt, and no server's own words.

    Attributes:
        route: whose state changed.
        state: "down", "up" or "flapping".
        since: the time of day at which it changed.
        fault, why: the kind of fault and what it means; empty if it is up.
        lasted: seconds for which it was down before; None if it was not.
    """

    route: str
    state: str
    since: float
    fault: str = ""
    why: str = ""
    lasted: float | None = None

    @property
    def headline(self) -> str:
        """Whose state is what, in a few words: a route of several models by its endpoint alone."""
        several = "," in self.route
        return f"{self.route.partition(':')[0] if several else self.route} is {self.state}"

    def __str__(self) -> str:
        """Say it in one line."""
        state = f"{self.route} is {self.state}"
        if self.state == "down":
            return f"{state}: {self.fault}, {self.why}"
        if self.state == "flapping":
            return (
                f"{state}: {FLAPPING} changes within an hour. "
                f"Nothing more is told until it has kept still for {CALM_S / 60:.0f} minutes"
            )
        lasted = "" if self.lasted is None else f" after {duration(self.lasted)}"
        return f"{state} again{lasted}"


@dataclass(frozen=True)
class Told:
    """What is remembered of a route.

    Attributes:
        up: as it was found last.
        since: the time of day at which it came to be so.
        told_up: as people were told last.
        changes: the times of day of its changes within the last hour.
        muted: people were told that it is flapping.
    """

    up: bool
    since: float
    told_up: bool
    changes: tuple[float, ...] = ()
    muted: bool = False


@dataclass(frozen=True)
class Memory:
    """What is remembered between two rounds.

    Attributes:
        routes: of each route, as it is written.
        undelivered: what could not be delivered, and by which channel.
        at: the time of day of the round.
    """

    routes: Mapping[str, Told] = field(default_factory=dict)
    undelivered: tuple[tuple[str, Alert], ...] = ()
    at: float = 0.0

    def json(self) -> str:
        """As it is kept."""
        routes = {name: asdict(told) for name, told in self.routes.items()}
        left = [[channel, asdict(alert)] for channel, alert in self.undelivered]
        return json.dumps({"version": 1, "at": self.at, "routes": routes, "undelivered": left})


def read_memory(text: str) -> Memory:
    """The memory as it was kept; what cannot be read is forgotten: an alert too many, at worst."""
    try:
        found = json.loads(text)
        return Memory(
            {name: _told(**told) for name, told in found["routes"].items()},
            tuple((str(channel), _untold(**alert)) for channel, alert in found["undelivered"]),
            _time(found["at"]),
        )
    except _RUBBISH:
        return Memory()


def changes(memory: Memory, round_: Sequence[Probed], wall: float) -> tuple[Memory, list[Alert]]:
    """What to tell of a round, and what to remember of it.

    A route that is found up for the first time is no news; one that is found down is. Of one that
    was not asked nothing is known.
    """
    routes, alerts = dict(memory.routes), []
    for probed in (probed for probed in round_ if probed.asked):
        told, alert = _change(memory.routes.get(probed.route), probed, wall)
        routes[probed.route] = told
        if alert is not None:
            alerts.append(alert)
    return replace(memory, routes=routes, at=wall), alerts


def _change(before: Told | None, probed: Probed, wall: float) -> tuple[Told, Alert | None]:
    old = before or Told(up=True, since=wall, told_up=True)
    changed = old.up != probed.up
    recent = tuple(at for at in old.changes if wall - at < WITHIN_S)
    now = replace(
        old,
        up=probed.up,
        since=wall if changed else old.since,
        changes=(*recent, wall) if changed else recent,
    )
    if now.muted:
        if wall - now.since < CALM_S:
            return now, None
        now = replace(now, muted=False, changes=())
    if changed and len(now.changes) >= FLAPPING:
        return replace(now, muted=True), Alert(probed.route, "flapping", wall)
    if now.up == now.told_up:
        return now, None
    return replace(now, told_up=now.up), _alert(probed, now, old)


def _alert(probed: Probed, now: Told, old: Told) -> Alert:
    if probed.up:
        return Alert(probed.route, "up", now.since, lasted=now.since - old.since)
    return Alert(probed.route, "down", now.since, probed.fault or "", probed.why)


def _told(**fields: Any) -> Told:
    _check(bool, fields, ("up", "told_up", "muted"))
    changes_ = tuple(map(_time, fields["changes"]))
    return Told(**{**fields, "since": _time(fields["since"]), "changes": changes_})


def _untold(**fields: Any) -> Alert:
    _check(str, fields, ("route", "state", "fault", "why"))
    lasted = None if fields["lasted"] is None else _time(fields["lasted"])
    return Alert(**{**fields, "since": _time(fields["since"]), "lasted": lasted})


def _check(kind: type, fields: Mapping[str, Any], names: Sequence[str]) -> None:
    """Make sure of a type.

    Raises:
        KeyError, TypeError: one of the fields is missing, or of another type.
    """
    if not all(isinstance(fields[name], kind) for name in names):
        raise TypeError(f"one of {names} is no {kind.__name__}")


def _time(value: Any) -> float:
    """A time of day, or a length of time.

    Raises:
        ValueError, TypeError, OverflowError, OSError: it is none that a calendar has.
    """
    datetime.fromtimestamp(float(value), timezone.utc)
    return float(value)
