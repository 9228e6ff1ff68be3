"""The simulator in the place of a key, so that a program can be tried as it stands."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING

from openrouter_resilient.endpoints.table import ENDPOINTS, resolve
from openrouter_resilient.errors import ConfigurationError
from openrouter_resilient.settings import Settings

if TYPE_CHECKING:
    from openrouter_resilient.simulator import Simulator

OPTION = "--simulate"
ALL_FAULTS = (
    'All of them: python -c "from openrouter_resilient.simulator import CATALOGUE as c; print(*c)"'
)


@contextlib.contextmanager
def simulated(*, usage: str | None = None, without_key: bool = True) -> Iterator[Simulator | None]:
    """Let fake upstreams on this machine answer, where no key is set.

    For examples, demonstrations and first steps: the same program asks the real ones as soon as a
    key of any of them is in the environment or in a `.env` file. On the command line of the program
    `--simulate` takes the fake ones in any case, and `--simulate=refused` (or `--simulate refused`)
    lets OpenRouter fail in a way that the simulator's catalogue names; the option is then taken off
    `sys.argv`. That nobody real answers is said on stderr.

    Until the end of the block the environment variables point at them, and a client that is made
    within it finds them by itself. Not for tests, which have the fixture `openrouter_simulator`.

    Args:
        usage: what `--help` and `-h` print, ending the program; an unknown fault then ends it
            as well, with a line on stderr and exit code 2.
        without_key: whether a missing key is enough. False where results are kept, so that only
            `--simulate` brings simulated ones.

    Yields:
        The simulator, to play faults on; None where the real ones are asked.

    Raises:
        ConfigurationError: there is no such fault; the message says where all of them are.
    """
    if usage is not None and {"-h", "--help"} & set(sys.argv[1:]):
        print(usage.strip())  # noqa: T201  what was asked for
        sys.exit(0)
    wanted, fault = _asked_for(sys.argv)
    if not wanted and (not without_key or _any_key()):
        yield None
        return
    from openrouter_resilient.simulator import Simulator  # noqa: PLC0415  where there is no key
    from openrouter_resilient.simulator.surroundings import surroundings  # noqa: PLC0415  the same

    with Simulator() as simulator:
        if fault:
            _play(simulator, fault, is_program=usage is not None)
        _announce(fault)
        with _changed(os.environ, surroundings(simulator, os.environ)):
            yield simulator


def _asked_for(arguments: list[str]) -> tuple[bool, str]:
    """Take the option off a command line: whether it was there, and the fault it named."""
    found = [place for place, word in enumerate(arguments) if word.partition("=")[0] == OPTION]
    fault = ""
    for place in reversed(found):
        named = arguments.pop(place).partition("=")[2]
        if not named and _is_fault(arguments[place : place + 1]):
            named = arguments.pop(place)
        fault = fault or named
    return bool(found), fault


def _is_fault(following: list[str]) -> bool:
    """Whether the word after the option belongs to it, and is no argument of the program."""
    from openrouter_resilient.simulator import CATALOGUE  # noqa: PLC0415  where there is no key

    return any(word in CATALOGUE for word in following)


def _any_key() -> bool:
    endpoints = resolve(Settings())
    return any(endpoints[name].key for name in ENDPOINTS)


def _play(simulator: Simulator, fault: str, *, is_program: bool) -> None:
    try:
        simulator.play(fault)
    except ValueError as error:
        message = f"{OPTION}={fault}: {error}{'' if str(error).endswith('?') else '.'} {ALL_FAULTS}"
        if not is_program:
            raise ConfigurationError(message) from None
        print(message, file=sys.stderr)  # noqa: T201  as a command line says it
        sys.exit(2)


def _announce(fault: str) -> None:
    failing = f"; OpenRouter fails there by {fault!r}" if fault else ""
    print(  # noqa: T201  an answer that nobody gave must not be taken for one
        f"(simulated: fake upstreams on this machine answer{failing}. "
        "Set OPENROUTER_API_KEY for the real ones.)",
        file=sys.stderr,
    )


@contextlib.contextmanager
def _changed(
    environment: MutableMapping[str, str], changes: Mapping[str, str | None]
) -> Iterator[None]:
    """Change variables, and change them back."""
    before = {name: environment.get(name) for name in changes}
    _set(environment, changes)
    try:
        yield
    finally:
        _set(environment, before)


def _set(environment: MutableMapping[str, str], values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        environment.pop(name, None)
        if value is not None:
            environment[name] = value
