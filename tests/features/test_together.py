"""What two features do to each other: each stays what it is."""

from __future__ import annotations

import _thread
import json
import threading
import time

import pytest
from pydantic import BaseModel

from openrouter_resilient import (
    BatchInterrupted,
    Completion,
    InvalidStructuredOutput,
    SpendingCapReached,
)
from openrouter_resilient.wire.clock import VirtualClock

CLAUDE = "anthropic:claude-sonnet-5"


class River(BaseModel):
    name: str


DANUBE, RHINE = River(name="Danube"), River(name="Rhine")
GOOD, WRONG = DANUBE.model_dump_json(), '{"name": 7}'


def says(*answers):
    """Answers one after the other; the last again and again."""
    left = list(answers)
    return lambda _face, _body: left.pop(0) if len(left) > 1 else left[0]


def trail(served):
    return [(attempt.endpoint, attempt.fault) for attempt in served.attempts]


@pytest.fixture
def silent(simulator):
    """OpenRouter takes every request and says nothing."""
    simulator.play("openrouter", "no_headers")
    return simulator


@pytest.fixture
def add(simulator):
    """A tool that counts how often it was run, and a model that calls it once."""

    def add(a: int, b: int) -> int:
        """Add two numbers."""
        add.runs += 1
        return a + b

    def answer(_face, body):
        told = [m["content"] for m in body["messages"] if m["role"] == "tool"]
        function = {"name": "add", "arguments": json.dumps({"a": 2, "b": 3})}
        call = {"id": "call_1", "type": "function", "function": function}
        return f"It is {told[0]}." if told else {"content": None, "tool_calls": [call]}

    add.runs = 0
    simulator.answer = answer
    return add


class TestTheCacheAndTools:
    def test_a_run_that_is_made_again_asks_nobody_and_runs_its_functions(
        self, simulator, make_client, add
    ):
        client = make_client(cache_seconds=60)
        first = client.run_tools("2 + 3?", tools=[add])
        asked = len(simulator.requests)

        again = client.run_tools("2 + 3?", tools=[add])

        assert "It is 5." == str(first) == str(again)
        assert 2 == asked == len(simulator.requests)
        assert [True, True] == [served.cached for served in again.served]
        assert 0.0 == again.cost
        assert 2 == add.runs  # once for each call of it in each run

    def test_in_an_outage_of_everybody_a_run_goes_on_from_what_is_known(
        self, simulator, make_client, add
    ):
        clock = VirtualClock(time.monotonic() + 1e6)
        options = {"cache_seconds": 60, "stale_if_error": 3600, "rounds": 1, "deadline": 9e6}
        client = make_client(clock=clock, **options)
        client.run_tools("2 + 3?", tools=[add])
        for face in ("openrouter", "openai"):
            simulator.outage(face)
        clock.advance(100)

        run = client.run_tools("2 + 3?", tools=[add])

        assert "It is 5." == str(run)
        assert [True, True] == [served.stale for served in run.served]

    def test_in_an_outage_of_openrouter_a_run_that_is_not_known_is_made_elsewhere(
        self, simulator, make_client, add
    ):
        simulator.outage("openrouter")
        client = make_client(fallbacks=[CLAUDE], cache_seconds=60)

        runs = [client.run_tools("2 + 3?", tools=[add]) for _ in range(2)]

        assert ["It is 5.", "It is 5."] == list(map(str, runs))
        assert 2 == len(simulator.requests)
        assert {"anthropic"} == {served.endpoint for run in runs for served in run.served}


class TestTheCacheAndForms:
    def test_an_instance_of_a_known_answer_is_made_anew_and_says_so(self, simulator, make_client):
        simulator.answer = GOOD
        client = make_client(cache_seconds=60)
        first = client.parse("Which?", River)

        again = client.parse("Which?", River)

        assert DANUBE == first.value == again.value
        assert first.value is not again.value
        assert (False, True) == (first.served.cached, again.served.cached)
        assert (0.0, ()) == (again.served.cost, again.served.attempts)
        assert 1 == len(simulator.requests)

    def test_what_was_mended_once_is_known_from_then_on(self, simulator, make_client):
        simulator.answer = says(WRONG, GOOD)
        client = make_client(cache_seconds=60)
        client.parse("Which?", River)

        assert DANUBE == client.parse("Which?", River).value
        assert 2 == len(simulator.requests)

    def test_a_known_answer_that_is_wrong_is_mended_by_whoever_did_not_give_it(
        self, simulator, make_client
    ):
        simulator.answer = says(WRONG, WRONG, GOOD)
        client = make_client(cache_seconds=60)
        with pytest.raises(InvalidStructuredOutput):
            client.parse("Which?", River, repairs=0)
        simulator.forget()
        simulator.answer = GOOD

        parsed = client.parse("Which?", River)

        assert ["openai"] == [request.face for request in simulator.requests]
        assert [("openai", None)] == trail(parsed.served)
        assert DANUBE == parsed.value

    def test_a_known_answer_that_is_wrong_is_not_the_last_word(self, simulator, make_client):
        simulator.answer = says(WRONG, GOOD)
        client = make_client(cache_seconds=60)
        with pytest.raises(InvalidStructuredOutput):
            client.parse("Which?", River, repairs=0)

        assert DANUBE == client.parse("Which?", River, repairs=0).value

    @pytest.mark.parametrize("repairs", [0, 1, 2])
    def test_a_right_answer_takes_the_place_of_a_known_one_that_is_wrong(
        self, simulator, make_client, repairs
    ):
        client = make_client(cache_seconds=60)
        simulator.answer = WRONG
        with pytest.raises(InvalidStructuredOutput):
            client.parse("Which?", River, repairs=repairs)
        simulator.answer = GOOD
        client.parse("Which?", River, repairs=repairs)
        asked = len(simulator.requests)

        again = client.parse("Which?", River, repairs=repairs)

        assert (DANUBE, True) == (again.value, again.served.cached)
        assert asked == len(simulator.requests)

    def test_many_that_want_the_same_form_make_one_request(self, simulator, make_client):
        simulator.answer = GOOD
        simulator.latency("openrouter", first_token=0.3)
        client = make_client(cache_seconds=60)
        values = []
        threads = [
            threading.Thread(target=lambda: values.append(client.parse("Which?", River).value))
            for _ in range(20)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)

        assert [DANUBE] * 20 == values
        assert 1 == len(simulator.requests)


class TestHedgingAndClaudeItself:
    def test_claude_answers_beside_a_silent_openrouter(self, silent, make_client):
        answer = make_client(fallbacks=[CLAUDE], hedge_after=0.1).complete("hello there")

        assert "Simulated answer to: hello there" == answer.text
        assert [("openrouter", "abandoned"), ("anthropic", None)] == trail(answer.served)
        said = silent.received("anthropic")[0].answered
        assert (said.model, said.usage["completion_tokens"]) == (
            answer.served.model, answer.usage.completion_tokens
        )  # fmt: skip

    def test_claude_streams_beside_a_silent_openrouter(self, silent, make_client):
        with make_client(fallbacks=[CLAUDE], hedge_after=0.1).stream("hello there") as stream:
            assert "Simulated answer to: hello there" == "".join(stream)

        assert [("openrouter", "abandoned"), ("anthropic", None)] == trail(stream.served)

    def test_claude_calls_a_tool_beside_a_silent_openrouter(self, silent, make_client, add):
        run = make_client(fallbacks=[CLAUDE], hedge_after=0.1).run_tools("2 + 3?", tools=[add])

        assert ("It is 5.", 1) == (str(run), add.runs)

    def test_what_claude_is_not_sent_is_told_of_claude_alone(self, silent, make_client):
        client = make_client(fallbacks=[CLAUDE], hedge_after=0.1)

        served = client.complete("hello there", seed=1).served

        assert ("seed was dropped: this API has no such parameter",) == served.warnings

    def test_a_silent_claude_is_hung_up_on(self, simulator, make_client):
        simulator.play("anthropic", "no_headers")
        client = make_client(
            "anthropic:claude-sonnet-5", fallbacks=["openai:gpt-4o"], hedge_after=0.1
        )

        assert [("anthropic", "abandoned"), ("openai", None)] == trail(client.complete("hi").served)


class TestHedgingAndForms:
    def test_a_form_is_read_from_whoever_spoke_first(self, silent, make_client):
        silent.answer = GOOD

        parsed = make_client(hedge_after=0.1).parse("Which?", River)

        assert DANUBE == parsed.value
        assert [("openrouter", "abandoned"), ("openai", None)] == trail(parsed.served)

    def test_whoever_answered_wrongly_is_not_asked_first_again(self, simulator, make_client):
        """OpenRouter won the race, and so is the one to be passed over; not who was hung up on."""
        simulator.play("openrouter", "first_token_late", seconds=0.4, times=1)
        simulator.play("openai", "no_headers", times=1)
        simulator.answer = lambda face, _body: WRONG if face == "openrouter" else GOOD

        parsed = make_client(hedge_after=0.1).parse("Which?", River)

        assert DANUBE == parsed.value
        assert [("openrouter", None), ("openai", "abandoned"), ("openai", None)] == (
            trail(parsed.served)
        )
        assert [1, 2, 3] == [attempt.number for attempt in parsed.served.attempts]


class TestHedgingAndTheRest:
    def test_the_winners_cost_counts_once_and_the_losers_not_at_all(self, simulator, make_client):
        simulator.play("openrouter", "first_token_late", seconds=0.4)
        simulator.play("openai", "no_headers")
        client = make_client(hedge_after=0.1, max_cost=1.0)

        answer = client.complete("hi")

        assert [("openrouter", None), ("openai", "abandoned")] == trail(answer.served)
        assert simulator.received("openrouter")[0].answered.cost == pytest.approx(
            client._spending.spent
        )

    def test_an_answer_that_was_hedged_is_cached_as_the_winners(self, silent, make_client):
        client = make_client(hedge_after=0.1, cache_seconds=60)
        first = client.complete("hi").served
        asked = len(silent.requests)

        again = client.complete("hi").served

        assert 2 == asked == len(silent.requests)
        assert (first.endpoint, first.model) == (again.endpoint, again.model) != (None, None)
        assert (True, ()) == (again.cached, again.attempts)

    def test_vectors_are_hedged_by_the_same_model_elsewhere(self, silent, make_client):
        calm = make_client(fallbacks=()).embed(["Danube"], model="openai:text-embedding-3-small")

        vectors = make_client(hedge_after=0.1).embed(["Danube"])

        assert calm.vectors == vectors.vectors
        assert [("openrouter", "abandoned"), ("openai", None)] == trail(vectors.served[0])

    def test_a_batch_is_hedged_prompt_by_prompt(self, silent, make_client):
        asking = [f"prompt {number}." for number in range(8)]

        results = make_client(hedge_after=0.05).map(asking, progress=False, workers=4)

        assert all(asked in result.text for asked, result in zip(asking, results, strict=True))
        assert {"openai"} == {result.served.endpoint for result in results}

    def test_ctrl_c_in_a_batch_hangs_up_on_both_sides_of_each_race(self, simulator, make_client):
        for face in ("openrouter", "openai"):
            simulator.play(face, "no_headers")

        def interrupt():
            while len(simulator.requests) < 8:
                waiting.wait(0.01)
            _thread.interrupt_main()

        waiting = threading.Event()
        threading.Thread(target=interrupt, daemon=True).start()
        records = []
        client = make_client(hedge_after=0.05, on_call=records.append)

        with pytest.raises(BatchInterrupted):
            client.map(["hi"] * 8, progress=False, workers=4)

        for thread in threading.enumerate():
            if thread.name.startswith(("openrouter-map", "openrouter-hedge")):
                thread.join(5)  # one that is not hung up on waits for its token for 10 s
                assert not thread.is_alive()
        assert [("cancelled", "cancelled")] * 4 == [
            tuple(attempt.fault for attempt in record.attempts) for record in records
        ]


class TestABatchWithCacheAndCap:
    def test_what_is_known_costs_nothing_of_the_cap(self, simulator, make_client):
        asking = [f"prompt {number % 10}." for number in range(40)]
        client = make_client(cache_seconds=60)
        one = client.complete(asking[0]).served.cost

        results = client.map(asking, progress=False, max_cost=one * 9.5)

        assert all(isinstance(result, Completion) for result in results)
        assert 10 == len(simulator.requests)
        assert 31 <= sum(result.served.cached for result in results)

    def test_once_the_cap_is_reached_what_is_known_is_not_asked_for_either(
        self, simulator, make_client
    ):
        """A batch that has spent its cap stops where it is, whatever the rest would cost."""
        client = make_client(cache_seconds=60)

        results = client.map(
            ["one", "two", "one"], progress=False, workers=1, max_cost=1e-9
        )  # fmt: skip

        assert [Completion, SpendingCapReached, SpendingCapReached] == list(map(type, results))
        assert 1 == len(simulator.requests)

    def test_in_an_outage_of_openrouter_it_is_answered_all_the_same(self, simulator, make_client):
        simulator.outage("openrouter")
        asking = [f"prompt {number % 10}." for number in range(40)]

        results = make_client(cache_seconds=60).map(asking, progress=False, max_cost=1e-9)

        assert all(asked in result.text for asked, result in zip(asking, results, strict=True))
        assert 10 == len(simulator.requests)

    def test_a_clients_own_cap_is_an_error_for_each_that_is_not_known(self, simulator, make_client):
        client = make_client(cache_seconds=60, max_cost=1e-9)
        client.complete("one")

        results = client.map(["one", "two"], progress=False)

        assert [Completion, SpendingCapReached] == list(map(type, results))
