"""Faults that come and go with the number of requests; each plays another row by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openrouter_resilient.simulator.row import Pattern, Row

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from openrouter_resilient.simulator.exchange import Option


def _option(options: Mapping[str, Option], name: str) -> float:
    return float(options[name])  # type: ignore[arg-type]  # the row's default is a number


def _fault(options: Mapping[str, Option], *, fails: bool) -> str | None:
    return str(options["fault"]) if fails else None


def first_k(number: int, options: Mapping[str, Option], _chance: Random) -> str | None:
    """Fail the first k requests."""
    return _fault(options, fails=number <= _option(options, "k"))


def after_k(number: int, options: Mapping[str, Option], _chance: Random) -> str | None:
    """Fail all but the first k requests."""
    return _fault(options, fails=number > _option(options, "k"))


def every_nth(number: int, options: Mapping[str, Option], _chance: Random) -> str | None:
    """Fail each n-th request."""
    return _fault(options, fails=number % _option(options, "n") == 0)


def flap(number: int, options: Mapping[str, Option], _chance: Random) -> str | None:
    """Serve `up` requests, fail `down`, and so on."""
    up, down = _option(options, "up"), _option(options, "down")
    return _fault(options, fails=(number - 1) % (up + down) >= up)


def share(_number: int, options: Mapping[str, Option], chance: Random) -> str | None:
    """Fail a share of requests."""
    return _fault(options, fails=chance.random() < _option(options, "share"))


def recover(number: int, options: Mapping[str, Option], chance: Random) -> str | None:
    """Fail everything at first, then less and less, nothing after k requests."""
    return _fault(options, fails=chance.random() >= (number - 1) / _option(options, "k"))


def brownout(number: int, options: Mapping[str, Option], chance: Random) -> str | None:
    """Fail a share with one fault, then a larger share with another, then recover."""
    first, second = _option(options, "first_requests"), _option(options, "second_requests")
    if number <= first:
        phase = "first"
    elif number <= first + second:
        phase = "second"
    else:
        return None
    fails = chance.random() < _option(options, f"{phase}_share")
    return str(options[f"{phase}_fault"]) if fails else None


FEBRUARY: dict[str, Option] = {
    "first_requests": 20, "first_share": 0.2, "first_fault": "status_500",
    "second_requests": 40, "second_share": 0.85, "second_fault": "status_401_user_not_found",
}  # fmt: skip
FAULT: dict[str, Option] = {"fault": "status_500"}


# fmt: off
ROWS = (
    Row("first_k_fail",    "pattern", "server_error", "a cold start",                                  Pattern(first_k),   {"k": 3, **FAULT}),
    Row("fails_after_k",   "pattern", "",             "an outage that begins later",                   Pattern(after_k),   {"k": 3, **FAULT}),
    Row("every_nth_fails", "pattern", "",             "one bad server behind a balancer",              Pattern(every_nth), {"n": 3, **FAULT}),
    Row("share_fails",     "pattern", "",             "2026-02-17 05:27-05:40: 20 % of requests",      Pattern(share),     {"share": 0.2, **FAULT}),
    Row("brownout",        "pattern", "",             "2026-02-17 and 02-19: 20 % 500s, then 85 % 401s", Pattern(brownout), FEBRUARY),
    Row("flaps",           "pattern", "",             "an upstream that restarts again and again",     Pattern(flap),      {"up": 3, "down": 3, **FAULT}),
    Row("recovers_slowly", "pattern", "server_error", "a cache that fills again",                      Pattern(recover),   {"k": 10, **FAULT}),
)
# fmt: on
