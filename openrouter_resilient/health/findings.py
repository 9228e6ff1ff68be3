"""What a doctor finds: what it looked at, how bad it is, and the mend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FINE, WARNING, PROBLEM = "ok", "warning", "PROBLEM"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        about: what it is: an endpoint, Redis, the clock.
        level: "ok", "warning" or "PROBLEM".
        text: what was found. Never a key.
        mend: what to do about it; empty if nothing need be done.
    """

    about: str
    level: str
    text: str
    mend: str = ""

    def __str__(self) -> str:
        """Say it in one line, two with a mend; whatever a server said moves no cursor."""
        text = _printable(f"{self.level:<8} {self.about}: {self.text}")
        return f"{text}\n         → {_printable(self.mend)}" if self.mend else text


def fine(about: str, text: str) -> Finding:
    """Nothing need be done."""
    return Finding(about, FINE, text)


def advice(about: str, text: str, mend: str) -> Finding:
    """It works, and could do better."""
    return Finding(about, FINE, text, mend)


def warning(about: str, text: str, mend: str) -> Finding:
    """It works, and may not for long."""
    return Finding(about, WARNING, text, mend)


def problem(about: str, text: str, mend: str) -> Finding:
    """It does not work."""
    return Finding(about, PROBLEM, text, mend)


def sound(findings: Sequence[Finding]) -> bool:
    """Whether there is no problem among them."""
    return not any(finding.level == PROBLEM for finding in findings)


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)
