"""A report in words: what the record supports, and what it does not."""

from __future__ import annotations

import math
from dataclasses import asdict
from datetime import datetime, timezone
from shlex import quote
from typing import Any

from openrouter_resilient.ledger.intervals import Share, best_claim, calls_needed, next_claim
from openrouter_resilient.ledger.outages import DAY_S, Alone, Outage
from openrouter_resilient.ledger.report import Latency, Report
from openrouter_resilient.served import in_usd

MOST_LISTED = 5  # outages


def percent(value: float | None) -> str:
    """A share with the digits that tell it from 100 %; rounded down, so that it claims no more."""
    if value is None:
        return "–"
    if value >= 1.0:
        return "100 %"
    for digits in (2, 3, 4, 5):
        if value < 1 - 0.5 * 10 ** -(digits + 2):
            return f"{_down(value, digits)} %"
    return "99.99999 %"


def interval_text(share: Share) -> str:
    """Such as `99.96–99.99 %`; its ends are rounded outwards."""
    digits = 4 if share.low >= 0.9999 else 2 if share.low >= 0.9 else 0
    return f"{_down(share.low, digits)}–{_up(share.high, digits)} %"


def headline(report: Report) -> str:
    """What may be said to a customer, with what it rests on."""
    share = report.availability
    if not share.asked:
        return "No call in this period says anything of availability."
    said = f"Answered {share.good:,} of {share.asked:,}: {percent(share.value)}"
    best = best_claim(share)
    claim = f"You can claim {claim_text(best)}." if best else "It supports no claim yet."
    ends = interval_text(share).removesuffix(" %")
    return f"{said} (95 %: {ends}). {claim}"


def what_is_missing(report: Report) -> str:
    """How much more the next claim needs."""
    share = report.availability
    claim = next_claim(share)
    if claim is None:
        return "There is no higher claim to make."
    more = calls_needed(share, claim)
    return f"To claim {claim_text(claim)}, {more:,} more calls are needed, all of them answered."


def caveats(report: Report) -> list[str]:
    """What a careful reader should know of the numbers."""
    lines = []
    failed = report.availability.asked - report.availability.good
    if failed:
        late = f", {report.late:,} of them too late" if report.late else ""
        bunches = "one bunch" if report.bunches == 1 else f"{report.bunches:,} bunches"
        lines.append(
            f"Not answered: {failed:,}{late}, in {bunches}. The interval takes calls for "
            "independent; with few bunches the truth may lie outside it more often."
        )
    if report.cached:
        stale = f", {report.stale:,} of them expired, as nobody answered" if report.stale else ""
        lines.append(f"From the cache: {report.cached:,} of the answers{stale}.")
    if report.left_out:
        refused = report.endings.get("refused", 0)
        stopped = report.left_out - refused
        lines.append(
            f"Left out: {refused:,} refused as wrong in themselves, and {stopped:,} that their "
            "caller stopped."
        )
    return lines


def claim_text(claim: float) -> str:
    """Such as `99.9 %`."""
    return f"{claim * 100:.10g} %"


def day_text(day: int) -> str:
    """A day, counted from 1970, as a date."""
    return instant_text(day * DAY_S)[:10]


def instant_text(at: float) -> str:
    """Seconds since 1970 as UTC."""
    return f"{datetime.fromtimestamp(at, timezone.utc):%Y-%m-%d %H:%M}"


def span_text(seconds: float) -> str:
    """A length of time, in the unit that reads best."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5_400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.1f} h"


def seconds_text(seconds: float) -> str:
    """A latency."""
    return f"{seconds * 1000:.0f} ms" if seconds < 0.995 else f"{seconds:.1f} s"


def money(usd: float | None) -> str:
    """Dollars: cents where they are enough, and the digits that small sums need."""
    if usd is None:
        return "unknown"
    return f"${usd:,.2f}" if usd >= 1 else in_usd(usd)


def calls_text(count: int) -> str:
    """So many calls."""
    return "1 call" if count == 1 else f"{count:,} calls"


def outage_text(outage: Outage) -> str:
    """One outage in one line."""
    were = "was" if outage.saved == 1 else "were"
    return (
        f"{instant_text(outage.began_at)}  {outage.endpoint}, "
        f"at least {span_text(outage.seconds)}, {outage.faults:,} faults; "
        f"{calls_text(outage.saved)} {were} answered meanwhile"
    )


def survived(report: Report) -> list[Outage]:
    """Outages worth telling: more than one fault; the longest first."""
    return [outage for outage in report.outages if outage.faults > 1]


def as_text(report: Report) -> str:
    """A page of text, 100 columns at most."""
    period = f"{instant_text(report.since)} to {instant_text(report.until)} UTC"
    parts = [f"{period}: {calls_text(report.calls)}", "", headline(report), what_is_missing(report)]
    parts += caveats(report)
    parts += _alone_lines(report)
    parts += _outage_lines(report)
    parts += ["", "latency                        calls      50 %      90 %      95 %      99 %"]
    parts += _latency_lines("one attempt", report.straight)
    parts += _latency_lines("after failures", report.after_failures)
    parts += _cost_lines(report)
    parts += _served_lines(report)
    return "\n".join(parts)


def as_json(report: Report) -> dict[str, Any]:
    """Everything, in plain types; instants are seconds since 1970, lengths of time seconds."""
    share = report.availability
    return {
        "since": report.since,
        "until": report.until,
        "calls": report.calls,
        "endings": report.endings,
        "headline": headline(report),
        "availability": _share(share)
        | {"claim": best_claim(share), "next_claim": next_claim(share)}
        | {"calls_needed": calls_needed(share, next_claim(share) or 0.0)},
        "late": report.late,
        "failure_bunches": report.bunches,
        "endpoints": {name: _alone(alone) for name, alone in report.endpoints.items()},
        "models": [
            {"endpoint": endpoint, "model": model} | _alone(alone)
            for (endpoint, model), alone in report.models.items()
        ],
        "saved": report.saved,
        "cached": report.cached,
        "stale": report.stale,
        "outages": [asdict(outage) for outage in report.outages],
        "latency": {
            "one_attempt": asdict(report.straight),
            "after_failures": asdict(report.after_failures),
        },
        "costs": [asdict(cost) for cost in report.costs],
        "served": {day_text(day): counts for day, counts in report.served.items()},
    }


def _alone(alone: Alone) -> dict[str, Any]:
    return _share(alone.share) | {"probes": alone.probes, "inferred": alone.inferred}


def _share(share: Share) -> dict[str, Any]:
    return {
        "good": share.good,
        "asked": share.asked,
        "value": share.value,
        "low": share.low,
        "high": share.high,
    }


def _alone_lines(report: Report) -> list[str]:
    if not report.endpoints:
        return []
    lines = ["", "had you used only this one      trials    answered   95 % interval"]
    rows = [(name, alone) for name, alone in report.endpoints.items()]
    rows += [(f"  {model} ({at})", alone) for (at, model), alone in report.models.items()]
    for name, alone in rows:
        share = alone.share
        head = f"{name}\n{'':30}" if len(name) > 30 else f"{name:30}"
        lines.append(
            f"{head}{share.asked:>8,}  {percent(share.value):>10}   {interval_text(share)}"
        )
    return [*lines, what_trials_are(report)]


def what_trials_are(report: Report) -> str:
    """What the counts of trials rest on."""
    alone = report.endpoints.values()
    probes, inferred = sum(a.probes for a in alone), sum(a.inferred for a in alone)
    said = "Trials are calls that asked it"
    if probes:
        said += f"; probes among them: {probes:,}"
    if inferred:
        said += (
            "; calls that would have met its outage, as they came between two of its faults within "
            f"a minute: {inferred:,}"
        )
    return f"{said}."


def _outage_lines(report: Report) -> list[str]:
    lines = ["", f"failover saved {calls_text(report.saved)}"]
    outages = survived(report)
    if outages:
        lines[-1] += "; the longest outages:"
        lines += [f"  {outage_text(outage)}" for outage in outages[:MOST_LISTED]]
    return lines


def _latency_lines(name: str, latency: Latency) -> list[str]:
    return [
        f"{label:28}{count:>8,}" + "".join(f"{seconds_text(value):>10}" for value in values)
        for label, count, values in latency_rows(name, latency)
    ]


def latency_rows(name: str, latency: Latency) -> list[tuple[str, int, list[float]]]:
    """What it is, of how many calls, and the percentiles in seconds."""
    rows = [
        (name, latency.calls, list(latency.seconds.values())),
        (f"{name}, first token", latency.streamed, list(latency.first_token_seconds.values())),
    ]
    return [row for row in rows if row[1]]


def _cost_lines(report: Report) -> list[str]:
    if not report.costs:
        return []
    lines = [
        "",
        "cost                          attempts       tokens in      tokens out         cost",
    ]
    for cost in report.costs:
        name = f"{cost.model or 'no model named'} ({cost.endpoint})"
        head = f"{name}\n{'':30}" if len(name) > 30 else f"{name:30}"
        lines.append(
            f"{head}{cost.attempts:>8,} {count_text(cost.prompt_tokens):>15}"
            f" {count_text(cost.completion_tokens):>15} {money(cost.known_usd):>12}"
        )
    return [*lines, cost_sentence(report)]


def known_cost(report: Report) -> str:
    """What is known to have been paid."""
    return money(sum(cost.known_usd or 0.0 for cost in report.costs))


def cost_sentence(report: Report) -> str:
    """The sum, how far it can be trusted, and what fills in the rest.

    It names the ledger's file and not its folder, which is not for a customer.
    """
    estimated = sum(cost.estimated_usd for cost in report.costs)
    unknown = sum(cost.unknown for cost in report.costs)
    wasted = sum(cost.failover_usd for cost in report.costs)
    said = (
        f"Together {known_cost(report)}, of which {money(wasted)} for attempts that gave no answer"
    )
    said += f", {money(estimated)} estimated from a price list." if estimated else "."
    if unknown:
        attempts = "1 attempt" if unknown == 1 else f"{unknown:,} attempts"
        ask = "client.ledger.reconcile()"
        if report.ledger:
            ask = f"openrouter-resilient reconcile --ledger {quote(report.ledger.name)}"
        said += f" The cost of {attempts} is not known; `{ask}` asks."
    return said


def _served_lines(report: Report) -> list[str]:
    if not report.served:
        return []
    names = sorted({name for counts in report.served.values() for name in counts})
    lines = ["", "who served   " + "".join(f"{name[:13]:>14}" for name in names)]
    for day, counts in list(report.served.items())[-14:]:
        row = "".join(f"{counts.get(name, 0):>14,}" for name in names)
        lines.append(f"{day_text(day)}   {row}")
    return lines


def count_text(count: int | None) -> str:
    """A count; a dash where nobody counted."""
    return "–" if count is None else f"{count:,}"


def _down(value: float, digits: int) -> str:
    scale: int = 10**digits
    return f"{math.floor(value * 100 * scale + 1e-6) / scale:.{digits}f}"


def _up(value: float, digits: int) -> str:
    """Rounded up, but to 100 only what is 100."""
    if value >= 1:
        return "100"
    scale: int = 10**digits
    return f"{min(math.ceil(value * 100 * scale - 1e-6), 100 * scale - 1) / scale:.{digits}f}"
