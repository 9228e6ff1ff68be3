"""Numbers as arguments of commands."""

from __future__ import annotations

import math
from argparse import ArgumentTypeError

DAY_S = 86_400.0
LONGEST_S = 30 * DAY_S  # Windows waits no longer than 49 days, and each wait is spread a little


def seconds(text: str) -> float:
    """A positive number of seconds."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise ArgumentTypeError(f"{text} is no positive number of seconds")
    if number > LONGEST_S:
        raise ArgumentTypeError(f"{text} seconds are longer than {LONGEST_S / DAY_S:g} days")
    return number
