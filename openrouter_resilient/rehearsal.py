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


@contextlib.contextmanager
def simulated() -> Iterator[Simulator | None]:
    """Let fake upstreams on this machine answer, where no key is set.

    For examples, demonstrations and first steps: the same program asks the real ones as soon as a
    key of any of them is in the environment or in a `.env` file. On the command line of the program
    `--simulate` takes the fake ones in any case, and `--simulate=refused` lets OpenRouter fail in
    a way that the simulator's catalogue names; the option is then taken off `sys.argv`. That
    nobody real answers is said on stderr.

    Until the end of the block the environment variables point at them, and a client that is made
    within it finds them by itself. Not for tests, which have the fixture `openrouter_simulator`.

    Yields:
        The simulator, to play faults on; None where the real ones are asked.

    Raises:
        ConfigurationError: there is no such fault; the message names the nearest.
    """
    wanted, fault = _asked_for(sys.argv)
    if not wanted and _any_key():
        yield None
        return
    from openrouter_resilient.simulator import Simulator  # noqa: PLC0415  where there is no key
    from openrouter_resilient.simulator.surroundings import surroundings  # noqa: PLC0415  the same

    with Simulator() as simulator:
        if fault:
            _play(simulator, fault)
        _announce(fault)
        with _changed(os.environ, surroundings(simulator, os.environ)):
            yield simulator


def _asked_for(arguments: list[str]) -> tuple[bool, str]:
    """Take the option off a command line: whether it was there, and the fault it named."""
    found = [word for word in arguments if word.partition("=")[0] == OPTION]
    for word in found:
        arguments.remove(word)
    return bool(found), found[-1].partition("=")[2] if found else ""


def _any_key() -> bool:
    endpoints = resolve(Settings())
    return any(endpoints[name].key for name in ENDPOINTS)


def _play(simulator: Simulator, fault: str) -> None:
    try:
        simulator.play(fault)
    except ValueError as error:
        raise ConfigurationError(f"{OPTION}={fault}: {error}") from None


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
