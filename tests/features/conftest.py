"""A client with an outage of OpenRouter or without one: what every feature must stand."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["openrouter", "openai"])
def served_by(request, simulator):
    """Who answers: OpenRouter, or in its outage OpenAI."""
    if request.param != "openrouter":
        simulator.outage("openrouter")
    return request.param
