"""What a count supports: a share with its 95 % interval, and what may be claimed of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

Z = 1.959963984540054  # the normal distribution's 97.5 % point
CLAIMS = (0.9, 0.95, 0.99, 0.995, 0.999, 0.9999, 0.99999)


@dataclass(frozen=True)
class Share:
    """How many of so many, and the interval that holds the true share with 95 % confidence.

    Attributes:
        value: None where nothing was counted.
        low, high: the interval; 0 and 1 where nothing was counted.
    """

    good: int
    asked: int

    @property
    def value(self) -> float | None:
        """The share itself."""
        return self.good / self.asked if self.asked else None

    @property
    def low(self) -> float:
        """The lower end."""
        return interval(self.good, self.asked)[0]

    @property
    def high(self) -> float:
        """The upper end."""
        return interval(self.good, self.asked)[1]


def interval(good: int, asked: int) -> tuple[float, float]:
    """The 95 % interval of a share.

    Wilson's score interval, which is honest for small counts (Brown, Cai, DasGupta, Statistical
    Science 16(2), 2001). Where all or none were good, the exact one-sided bound: of n calls without
    a failure, at most 3/n fail ("rule of three"; Hanley, Lippman-Hand, JAMA 249(13), 1983).
    """
    if not asked:
        return 0.0, 1.0
    if good == asked:
        return 0.05 ** (1 / asked), 1.0
    if not good:
        return 0.0, 1.0 - 0.05 ** (1 / asked)
    bad = asked - good  # the small side keeps its digits
    centre = (bad + Z * Z / 2) / (asked + Z * Z)
    half = Z / (asked + Z * Z) * math.sqrt(bad * good / asked + Z * Z / 4)
    return 1.0 - (centre + half), 1.0 - (centre - half)


def best_claim(share: Share) -> float | None:
    """The highest round availability that the interval supports; None where it supports none."""
    return max((claim for claim in CLAIMS if share.low >= claim), default=None)


def next_claim(share: Share) -> float | None:
    """The lowest round availability that it does not support; None where it supports all."""
    return min((claim for claim in CLAIMS if share.low < claim), default=None)


def calls_needed(share: Share, claim: float) -> int:
    """How many more calls, all of them answered, would support a claim; 0 where it is supported."""
    if interval(share.good, share.asked)[0] >= claim:
        return 0
    few, many = 0, 1
    while interval(share.good + many, share.asked + many)[0] < claim:
        few, many = many, many * 2
    while many - few > 1:
        middle = (few + many) // 2
        if interval(share.good + middle, share.asked + middle)[0] < claim:
            few = middle
        else:
            many = middle
    return many
