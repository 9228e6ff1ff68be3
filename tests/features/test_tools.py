"""Python functions as tools: their schemas, and a loop that never runs a call twice."""

from __future__ import annotations

import asyncio
import functools
import gc
import json
from typing import Literal

import pytest
from pydantic import BaseModel

from openrouter_resilient import SpendingCapReached
from openrouter_resilient.features.tools import definitions

SIMULATED = "Simulated answer to: "


class Place(BaseModel):
    city: str
    country: str = "Italy"


def weather(place: Place, days: int = 1, *, unit: Literal["C", "F"] = "C") -> dict[str, object]:
    """Tell the weather of some days.

    It is always sunny.

    Args:
        place: where, as a city
            and its country.
        days (int): how many.
        unit: of the temperature.

    Returns:
        The weather.
    """
    return {"place": place.city, "days": days, "unit": unit}


def call(name="add", call_id="call_1", **arguments):
    return {
        "id": call_id,
        "type": "function",
        "function": {"name": name, "arguments": json.dumps(arguments)},
    }


def calls_then_says(*calls):
    """Calls tools until there is a result, and then says what it was told."""

    def answer(_face, body):
        told = [m["content"] for m in body["messages"] if m["role"] == "tool"]
        return f"It is {', '.join(told)}." if told else {"content": None, "tool_calls": list(calls)}

    return answer


@pytest.fixture
def add():
    """A tool that counts how often it was run."""

    def add(a: int, b: int = 1) -> int:
        """Add two numbers."""
        add.runs.append((a, b))
        return a + b

    add.runs = []
    return add


def test_a_function_becomes_a_definition_by_its_signature_and_docstring():
    (made,) = definitions([weather])

    function = made["function"]
    parameters = function["parameters"]
    assert ("weather", "Tell the weather of some days.") == (
        function["name"],
        function["description"],
    )
    assert ["place"] == parameters["required"]
    assert "where, as a city and its country." == parameters["properties"]["place"]["description"]
    assert {"type": "integer", "description": "how many."} == parameters["properties"]["days"]
    assert ["C", "F"] == parameters["properties"]["unit"]["enum"]


@pytest.mark.parametrize("name", ["copy", "schema", "json", "model_x", "self_"])
def test_an_argument_may_have_any_name(name):
    space = {}
    exec(f"def f({name}: int): return {name}", space)  # noqa: S102  a name is what varies

    (made,) = definitions([space["f"]])

    assert [name] == list(made["function"]["parameters"]["properties"])


def test_definitions_that_are_none_of_ours_stay_as_they_are():
    server_tool = {"type": "openrouter:web_search"}

    assert [server_tool] == definitions([server_tool])


def any_number(*numbers: int) -> int:
    return sum(numbers)


def orders(user: int, place: Place, *, most: int = 9) -> str:
    """List the orders of a user."""
    return f"{most} of {user} in {place.city}"


def logged(function):
    @functools.wraps(function)
    def wrapped(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapped


@pytest.mark.parametrize(
    "tool",
    [
        functools.update_wrapper(functools.partial(orders, user=7), orders),
        functools.update_wrapper(functools.partial(orders, 7), orders),
        logged(functools.update_wrapper(functools.partial(logged(orders), user=7), orders)),
        functools.update_wrapper(functools.partial(logged(orders), user=7), orders),
    ],
    ids=["by name", "by place", "in a wrapper", "of a wrapper"],
)
def test_arguments_that_are_bound_are_not_the_models_to_give(simulator, make_client, tool):
    simulator.answer = calls_then_says(call("orders", place={"city": "Rome"}, most=2))

    run = make_client().run_tools("hi", tools=[tool])

    function = simulator.requests[0].body["tools"][0]["function"]
    assert ["place", "most"] == list(function["parameters"]["properties"])
    assert "List the orders of a user." == function["description"]
    assert "It is 2 of 7 in Rome." == run.text


def test_a_partial_with_a_name_is_told_by_what_it_is_made_of():
    tool = functools.partial(orders, user=7)
    tool.__name__ = "orders_of_seven"

    (made,) = definitions([tool])

    assert "List the orders of a user." == made["function"]["description"]
    assert ["place", "most"] == list(made["function"]["parameters"]["properties"])


async def later(a: int) -> int:
    return a


async def some_later(a: int):
    yield a


@pytest.mark.parametrize("function", [any_number, later, some_later, lambda a: a])
def test_what_no_model_can_call_is_refused_at_once(make_client, function):
    with pytest.raises(TypeError):
        make_client().complete("hi", tools=[function])


@pytest.mark.parametrize("wrapped", [False, True])
def test_what_a_tool_returns_may_be_known_to_a_type_checker_alone(wrapped):
    def prices(city: str) -> DataFrame:  # noqa: F821  as one that is imported for types only
        return city

    @functools.wraps(prices)
    def other(*args, **kwargs):
        return prices(*args, **kwargs)

    (tool,) = definitions([other if wrapped else prices])

    assert {"city": {"type": "string"}} == tool["function"]["parameters"]["properties"]


def test_a_parameter_of_a_type_that_is_not_there_is_named(make_client):
    def prices(city: City) -> str:  # noqa: F821  as one that is imported for types only
        return city

    with pytest.raises(TypeError, match=r"prices has a parameter whose type .* 'City'"):
        make_client().complete("hi", tools=[prices])


def test_two_tools_of_one_name_are_refused_at_once(simulator, make_client, add):
    def other(a: int) -> int:
        return a

    other.__name__ = "add"

    with pytest.raises(ValueError, match="two tools are called add"):
        make_client().run_tools("hi", tools=[add, other])

    assert not simulator.requests


def test_a_cap_holds_for_all_steps_together(simulator, make_client, add):
    simulator.answer = lambda _face, body: {
        "content": None, "tool_calls": [call(a=len(body["messages"]))]
    }  # fmt: skip
    one = make_client().complete("2 + 3?", tools=[add]).served.cost
    simulator.forget()

    with pytest.raises(SpendingCapReached, match="this run"):
        make_client().run_tools("2 + 3?", tools=[add], max_cost=one * 1.5)

    assert 2 == len(simulator.requests)


def test_complete_takes_functions_and_gives_calls_that_can_be_read(simulator, make_client, add):
    simulator.answer = calls_then_says(call(a=2, b=3))

    answer = make_client().complete("2 + 3?", tools=[add])

    assert ("add", {"a": 2, "b": 3}) == (answer.tool_calls[0].name, answer.tool_calls[0].input)
    assert "add" == simulator.requests[0].body["tools"][0]["function"]["name"]
    assert [] == add.runs


@pytest.mark.parametrize("written", ["[1]", "{", "7", "[" * 100_000])
def test_arguments_that_are_no_object_are_said_to_be_none(simulator, make_client, written):
    wrong = {"id": "c", "type": "function", "function": {"name": "f", "arguments": written}}
    simulator.answer = lambda _face, _body: {"content": None, "tool_calls": [wrong]}

    (made,) = make_client().complete("hi").tool_calls

    with pytest.raises(ValueError, match=r"no JSON object|Expecting"):
        _ = made.input


@pytest.mark.parametrize(
    "fallback", ["openai:gpt-4o", "groq:llama-3.3-70b-versatile", "anthropic:claude-sonnet-5"]
)
@pytest.mark.parametrize("down", [False, True])
def test_the_model_calls_and_then_answers(simulator, make_client, add, fallback, down):
    simulator.answer = calls_then_says(call(a=2, b=3), call(call_id="call_2", a=5))
    if down:
        simulator.outage("openrouter")

    run = make_client(fallbacks=[fallback]).run_tools("2 + 3, 5 + 1?", tools=[add])

    assert "It is 5, 6." == str(run)
    assert [(2, 3), (5, 1)] == add.runs
    assert run.finished
    assert [2, 0] == [len(step.called) for step in run.steps]
    endpoint = fallback.partition(":")[0] if down else "openrouter"
    assert [endpoint, endpoint] == [served.endpoint for served in run.served]


@pytest.mark.parametrize("fallback", ["openai:gpt-4o", "anthropic:claude-sonnet-5"])
def test_a_provider_that_fails_between_two_steps_is_left_with_the_conversation(
    simulator, make_client, fallback
):
    runs = []

    def add(a: int, b: int) -> int:
        """Add, while the provider goes down."""
        simulator.outage("openrouter")
        runs.append((a, b))
        return a + b

    simulator.answer = calls_then_says(call(a=2, b=3))

    run = make_client(fallbacks=[fallback]).run_tools("2 + 3?", tools=[add])

    assert "It is 5." == run.text
    assert [(2, 3)] == runs
    assert ["openrouter", fallback.partition(":")[0]] == [s.endpoint for s in run.served]


def test_a_stream_that_breaks_within_a_call_runs_nothing_twice(simulator, make_client, add):
    simulator.answer = calls_then_says(call(a=2, b=3))
    simulator.play("openrouter", "tool_call_cut")

    make_client().run_tools("2 + 3?", tools=[add])

    assert [(2, 3)] == add.runs


def test_a_call_that_is_said_twice_is_run_once(simulator, make_client, add):
    simulator.answer = calls_then_says(call(a=2, b=3), call(a=2, b=3))

    run = make_client().run_tools("2 + 3?", tools=[add])

    assert [(2, 3)] == add.runs
    assert "It is 5." == run.text


def test_two_calls_that_share_an_id_are_both_run_and_told_apart(simulator, make_client, add):
    simulator.answer = calls_then_says(call(a=2), call(a=3))

    make_client().run_tools("2 + 1, 3 + 1?", tools=[add])

    assert [(2, 1), (3, 1)] == add.runs
    ids = [
        m["tool_call_id"] for m in simulator.requests[-1].body["messages"] if m["role"] == "tool"
    ]
    assert ["call_1", "call_1_1"] == ids


def fails(a: int) -> int:
    """Fail."""
    raise LookupError(f"no {a}")


def test_a_tools_exception_goes_to_the_model(simulator, make_client):
    simulator.answer = calls_then_says(call("fails", a=2))

    run = make_client().run_tools("hi", tools=[fails])

    assert "It is error: LookupError: no 2." == run.text
    assert isinstance(run.steps[0].called[0].error, LookupError)


def test_a_tools_exception_is_raised_where_that_is_asked(simulator, make_client):
    simulator.answer = calls_then_says(call("fails", a=2))

    with pytest.raises(LookupError, match="no 2"):
        make_client().run_tools("hi", tools=[fails], on_error="raise")


class Unspeakable:
    def __str__(self):
        raise LookupError


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ({"a": 1}, '{"a":1}'),
        (b"\xff", r"b'\xff'"),
        ([b"\xff", 1], r"[b'\xff', 1]"),
        (Unspeakable(), "<Unspeakable>"),
    ],
)
@pytest.mark.parametrize("on_error", ["tell", "raise"])
def test_whatever_a_function_returned_it_is_not_said_to_have_failed(
    simulator, make_client, result, told, on_error
):
    def strange():
        return result

    simulator.answer = calls_then_says(call("strange"))

    run = make_client().run_tools("hi", tools=[strange], on_error=on_error)

    assert (f"It is {told}.", None) == (run.text, run.steps[0].called[0].error)


def test_what_a_generator_raises_is_its_functions_exception(simulator, make_client):
    def rivers():
        yield "Aare"
        raise LookupError("no more")

    simulator.answer = calls_then_says(call("rivers"))

    run = make_client().run_tools("hi", tools=[rivers])

    assert "It is error: LookupError: no more." == run.text


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("function", [later, some_later])
def test_an_asynchronous_function_in_a_wrapper_is_told_not_to_have_run(
    simulator, make_client, function
):
    @functools.wraps(function)
    def wrapped(**arguments):
        return function(**arguments)

    name = function.__name__
    simulator.answer = calls_then_says(call(name, a=2))

    run = make_client().run_tools("hi", tools=[wrapped])
    gc.collect()

    assert f"TypeError: {name} is asynchronous" in run.text
    assert isinstance(run.steps[0].called[0].error, TypeError)


def test_a_wrapper_may_wait_for_its_asynchronous_function(simulator, make_client):
    @functools.wraps(later)
    def wrapped(**arguments):
        return asyncio.run(later(**arguments))

    simulator.answer = calls_then_says(call("later", a=2))

    assert "It is 2." == make_client().run_tools("hi", tools=[wrapped]).text


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (call("add", a="many"), "a: Input should be a valid integer"),
        (call("add", b=1), "a: Field required"),
        (call("add", a=1, c=2), "c: Extra inputs are not permitted"),
        (call("subtract", a=1), "there is no function subtract"),
    ],
)
@pytest.mark.parametrize("on_error", ["tell", "raise"])
def test_the_models_own_mistake_goes_to_the_model(
    simulator, make_client, add, wrong, words, on_error
):
    simulator.answer = calls_then_says(wrong)

    run = make_client().run_tools("hi", tools=[add], on_error=on_error)

    assert words in run.text
    assert [] == add.runs


def test_the_last_step_can_only_answer(simulator, make_client, add):
    simulator.answer = lambda _face, body: (
        "enough" if body.get("tool_choice") == "none"
        else {"content": None, "tool_calls": [call(a=len(body["messages"]))]}
    )  # fmt: skip

    run = make_client().run_tools("hi", tools=[add], max_steps=3)

    assert ("enough", 3, 2) == (run.text, len(run.steps), len(add.runs))


def test_a_model_that_will_not_stop_calling_is_told_as_unfinished(simulator, make_client, add):
    simulator.answer = lambda _face, _body: {"content": None, "tool_calls": [call(a=1)]}

    run = make_client().run_tools("hi", tools=[add], max_steps=2)

    assert not run.finished
    assert 1 == len(add.runs)
    assert () == run.steps[-1].called


@pytest.mark.parametrize("endpoint", ["openai:gpt-4o", "anthropic:claude-sonnet-5"])
def test_an_unfinished_run_can_be_gone_on_with(simulator, make_client, add, endpoint):
    simulator.answer = lambda _face, _body: {
        "content": None, "tool_calls": [call(a=1), call(call_id="call_2", a=2)]
    }  # fmt: skip
    run = make_client().run_tools("hi", tools=[add], max_steps=1)
    simulator.answer = calls_then_says()
    simulator.outage("openrouter")

    answer = make_client(fallbacks=[endpoint]).complete(run.messages, tools=[add])

    told = [(m["tool_call_id"], m["content"]) for m in run.messages if m["role"] == "tool"]
    words = "not called: the steps of this run were over"
    assert [("call_1", words), ("call_2", words)] == told
    assert words in answer.text


def test_a_run_can_be_gone_on_with(simulator, make_client, add):
    client = make_client()
    run = client.run_tools("hi", tools=[add])

    client.complete([*run.messages, {"role": "user", "content": "and then?"}])

    assert ["user", "assistant", "user"] == [
        m["role"] for m in simulator.requests[-1].body["messages"]
    ]


def test_a_forced_choice_holds_for_the_first_step_only(simulator, make_client, add):
    make_client().run_tools("hi", tools=[add], tool_choice="required")

    assert ["required", None] == [r.body.get("tool_choice") for r in simulator.requests]


def test_the_repr_of_a_run_shows_no_text(simulator, make_client, add):
    simulator.answer = calls_then_says(call(a=41))

    assert "<ToolRun: 2 steps, 1 calls>" == repr(make_client().run_tools("hi", tools=[add]))


@pytest.mark.parametrize("wrong", [{"max_steps": 0}, {"on_error": "hide"}])
def test_settings_are_checked_at_once(make_client, add, wrong):
    with pytest.raises(ValueError, match="must be"):
        make_client().run_tools("hi", tools=[add], **wrong)
