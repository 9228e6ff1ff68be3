"""For the tests of those who use the client: a fixture, a mark, and no network ever.

    def test_my_service_survives_an_outage(openrouter_simulator):
        openrouter_simulator.outage("openrouter")

        assert my_service.summarise("…")

pytest loads this in every project that has the package installed, so that nothing of the simulator
is imported before the fixture is first asked for.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .simulator import Simulator

FIXTURE, MARK = "openrouter_simulator", "openrouter_fault"


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known, for --strict-markers and --markers."""
    config.addinivalue_line(
        "markers",
        f'{MARK}(name, face="openrouter", **options): play a fault of the simulator\'s catalogue '
        "during the test, with the options that Simulator.play takes.",
    )


@pytest.hookimpl(trylast=True)  # a conftest may mark tests in this hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that is marked has the simulator, whether or not it asks for it by name."""
    for item in items:
        names = getattr(item, "fixturenames", None)
        if names is not None and FIXTURE not in names and item.get_closest_marker(MARK):
            names.insert(0, FIXTURE)


@pytest.fixture
def openrouter_simulator(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Simulator]:
    """Fake OpenRouter, OpenAI, Groq and Anthropic that the client finds by itself.

    The environment variables point at them, no `.env` is read, REDIS_URL and proxies are unset, and
    nothing but this machine can be reached: whatever tries fails like an unplugged cable, and the
    test fails with its address.
    """
    from .offline import offline  # noqa: PLC0415  see the module's docstring
    from .simulator import Simulator  # noqa: PLC0415  the same
    from .surroundings import surroundings  # noqa: PLC0415  the same

    with offline() as attempts, Simulator() as simulator:
        for name, value in surroundings(simulator, os.environ).items():
            if value is None:
                monkeypatch.delenv(name)
            else:
                monkeypatch.setenv(name, value)
        for mark in reversed(list(request.node.iter_markers(MARK))):  # the closest one wins
            _play(simulator, *mark.args, **mark.kwargs)
        yield simulator
    if attempts:
        pytest.fail(f"the test tried to reach the network: {', '.join(attempts)}", pytrace=False)


def _play(simulator: Simulator, name: str, face: str = "openrouter", **options: Any) -> None:
    simulator.play(face, name, **options)
