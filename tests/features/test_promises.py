"""What must hold whatever happens: `served` is what was said, and the deadline is the deadline."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from openrouter_resilient import Client, ResilientError
from openrouter_resilient.simulator import Simulator

DEADLINE, LATEST = 0.6, 0.9
FAULTS = (
    "refused", "no_headers", "status_500", "status_529", "status_401", "rate_limit_seconds",
    "cut_mid_stream", "error_mid_stream", "html_200", "half_json", "status_404_no_endpoints",
)  # fmt: skip
SAYINGS = (
    '{"name": "Danube"}', '```json\n{"name": "Rhine"}\n```', 'It is {"name": "Elbe"}.',
    "no idea", '{"name": 7}', "[]", "{",
)  # fmt: skip
FACES = ("openrouter", "openai", "anthropic")


class River(BaseModel):
    name: str


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(
    faults=st.fixed_dictionaries({face: st.sampled_from((None, *FAULTS)) for face in FACES}),
    times=st.integers(1, 3),
    said=st.lists(st.sampled_from(SAYINGS), min_size=1, max_size=4),
    repairs=st.integers(0, 3),
)
def test_parsing_never_makes_served_untrue_and_never_breaks_the_deadline(
    faults, times, said, repairs
):
    left = list(said)
    with Simulator() as simulator:
        simulator.answer = lambda _face, _body: left.pop(0) if len(left) > 1 else left[0]
        for face, fault in faults.items():
            if fault == "refused":
                simulator.outage(face)
            elif fault:
                simulator.play(face, fault, times=times)
        fallbacks = ["openai:gpt-4o", "anthropic:claude-sonnet-5"]
        environment = simulator.environment()
        began = time.monotonic()
        with Client("openai/gpt-4o", fallbacks=fallbacks, environment=environment) as client:
            try:
                parsed = client.parse("Which?", River, repairs=repairs, deadline=DEADLINE)
            except ResilientError as error:
                parsed, history = None, error.history
            else:
                history = parsed.served.attempts

        assert time.monotonic() - began < LATEST
        asked = [attempt for attempt in history if attempt.fault != "refused"]
        assert len(asked) >= len(simulator.requests)
        if parsed is not None:
            request = [r for r in simulator.requests if r.answered and r.answered.text][-1]
            assert (request.face, request.answered.model, request.answered.text) == (
                parsed.served.endpoint, parsed.served.model, parsed.text
            )  # fmt: skip
            assert parsed.value.name in parsed.text
            assert json.dumps(parsed.value.name) in parsed.text
