"""What a scene promises, and THE list of checks: what was seen against what really happened.

What really happened is the simulator's own record, which knows nothing of the client.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from openrouter_resilient.cli.drill.acts import Seen
from openrouter_resilient.errors import ResilientError, StreamInterrupted
from openrouter_resilient.simulator import Answered, Received

UNSEEN = ("refused",)  # kinds of fault whose attempt no server can have seen
SAID = ("model", "provider", "generation_id", "cost")  # of a served, as the reply said it


@dataclass(frozen=True)
class Promise:
    """What must come of a scene's last call.

    Attributes:
        endpoint: who must serve, if only in part.
        attempts: how many requests it must take, no more and no less.
        within: seconds it may take.
        substituted: whether another model than the first asked must be owned to; None where the
            answer is not whole.
        raises: what must be raised; None for an answer.
        back_within: seconds from the scene's beginning; None where nobody waits.
    """

    endpoint: str
    attempts: int
    within: float
    substituted: bool | None = None
    raises: type[ResilientError] | None = None
    back_within: float | None = None


# The promise, what the caller saw, the requests of that call as the simulator received them; what
# is wrong, None if nothing is.
Check = Callable[[Promise, Seen, Sequence[Received]], str | None]


def broken(promise: Promise, seen: Seen, received: Sequence[Received]) -> list[str]:
    """Say, in a sentence each, what was promised and not kept."""
    verdicts = (check(promise, seen, received) for check in CHECKS)
    return [verdict for verdict in verdicts if verdict]


def raised_as_promised(promise: Promise, seen: Seen, _received: Sequence[Received]) -> str | None:
    """An answer, or exactly the exception that was promised."""
    if promise.raises is None:
        return f"it raised {_named(seen.error)}" if seen.error else None
    if type(seen.error) is promise.raises:
        return None
    return f"it should have raised {promise.raises.__name__}, and raised {_named(seen.error)}"


def served_as_promised(promise: Promise, seen: Seen, _received: Sequence[Received]) -> str | None:
    """By the endpoint that was promised."""
    endpoint = seen.served.endpoint if seen.served else "nobody"
    if endpoint == promise.endpoint:
        return None
    return f"{promise.endpoint} should have served it, and {endpoint} did"


def as_many_attempts(promise: Promise, seen: Seen, _received: Sequence[Received]) -> str | None:
    """No request too many, none too few."""
    if len(seen.attempts) == promise.attempts:
        return None
    return f"it should have taken {promise.attempts} attempts, and took {len(seen.attempts)}"


def in_time(promise: Promise, seen: Seen, _received: Sequence[Received]) -> str | None:
    """Within the seconds that were promised."""
    if seen.seconds <= promise.within:
        return None
    return f"it took {seen.seconds:.2f} s, and may take {promise.within:g} s"


def back_in_time(promise: Promise, seen: Seen, _received: Sequence[Received]) -> str | None:
    """A recovered endpoint is soon in use again."""
    if promise.back_within is None or seen.waited <= promise.back_within:
        return None
    return f"it was {seen.waited:.1f} s until it was back, and may be {promise.back_within:g} s"


def owned_to_substitution(
    promise: Promise, seen: Seen, _received: Sequence[Received]
) -> str | None:
    """Whether another model answered is told."""
    said = seen.served.substituted if seen.served else None
    if promise.substituted is None or said is promise.substituted:
        return None
    return f"served.substituted is {said}, and should be {promise.substituted}"


def true_to_the_reply(_promise: Promise, seen: Seen, received: Sequence[Received]) -> str | None:
    """Who served it, under which id and for how much, is what the server said of itself."""
    if seen.served is None:
        return None
    answered = received[-1].answered if received else None
    if answered is None:
        return "the client names a server, and none answered"
    claims = [(name, getattr(seen.served, name), getattr(answered, name)) for name in SAID]
    claims.append(("endpoint", seen.served.endpoint, received[-1].face))
    claims.append(("upstream", _upstream(seen), _upstream_said(answered)))
    lies = [f"{name} is told as {told}, and was {was}" for name, told, was in claims if told != was]
    return "; ".join(lies) or None


def word_for_word(_promise: Promise, seen: Seen, received: Sequence[Received]) -> str | None:
    """Exactly what was said to this prompt was handed over: nothing lost, mixed up or repeated."""
    if seen.served is None:
        return None
    said = (received[-1].answered if received else None) or Answered()
    if seen.text != said.text:
        return f"{len(seen.text)} characters were handed over that are not what was said"
    partial = seen.error.partial if isinstance(seen.error, StreamInterrupted) else None
    if partial and partial.text != seen.text:
        return "the exception's partial text is not what was handed over"
    return None


def every_attempt_told(_promise: Promise, seen: Seen, received: Sequence[Received]) -> str | None:
    """The trail names every request that arrived anywhere, in order, and no other."""
    told = [attempt.endpoint for attempt in seen.attempts if attempt.fault not in UNSEEN]
    arrived = [request.face for request in received]
    if told == arrived:
        return None
    return f"it tells of requests to {told}, and {arrived} received one"


def answered_all_along(_promise: Promise, seen: Seen, _received: Sequence[Received]) -> str | None:
    """The calls that led to this one were answered, too."""
    failed = [call for call in seen.before if call.error]
    if not failed:
        return None
    return f"{len(failed)} of {len(seen.before)} calls before it raised {_named(failed[0].error)}"


CHECKS: tuple[Check, ...] = (
    raised_as_promised,
    served_as_promised,
    as_many_attempts,
    in_time,
    back_in_time,
    owned_to_substitution,
    true_to_the_reply,
    word_for_word,
    every_attempt_told,
    answered_all_along,
)


def _named(error: Exception | None) -> str:
    return f"{type(error).__name__}: {error}" if error else "nothing"


def _upstream(seen: Seen) -> list[tuple[object, ...]]:
    last = seen.attempts[-1].upstream if seen.attempts else ()
    return [(attempt.provider, attempt.model, attempt.status) for attempt in last]


def _upstream_said(answered: Answered) -> list[tuple[object, ...]]:
    said = answered.upstream_attempts
    return [(attempt["provider"], attempt["model"], attempt["status"]) for attempt in said]
