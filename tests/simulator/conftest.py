"""A simulator for each test, and a client that reads to the last byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from openrouter_resilient.simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Serve all four faces for one test."""
    with Simulator() as running:
        yield running


@pytest.fixture(scope="module")
def shared() -> Iterator[Simulator]:
    """Serve all four faces for a whole file; its tests heal what they break."""
    with Simulator() as running:
        yield running
