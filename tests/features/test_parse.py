"""An answer of a form: held to, checked, unwrapped, and asked for once more."""

from __future__ import annotations

import enum
import json
import pickle
import time
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError

from openrouter_resilient import (
    Completion,
    ConfigurationError,
    InvalidStructuredOutput,
    Parsed,
    RoutesExhausted,
    SpendingCapReached,
)
from openrouter_resilient.features.json_schema import problems
from openrouter_resilient.features.parse import form_of
from openrouter_resilient.features.wrapping import candidates


class River(BaseModel):
    name: str
    length_km: int = Field(ge=1, le=7000)


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    tricks: list[str]


class Zoo(BaseModel):
    animals: list[Annotated[Cat | Dog, Field(discriminator="kind")]]
    colour: Color
    note: str | None = None


class Node(BaseModel):
    name: str
    children: list[Node] = []


class Address(BaseModel):
    street: str | None = None


class Person(BaseModel):
    """Whatever object it is: it fits."""

    name: str | None = None
    address: Address | None = None


class Loose(BaseModel):
    counts: dict[str, int]


SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "size": {"enum": ["small", "big"]}},
    "required": ["city", "size"],
}
DANUBE = {"name": "Danube", "length_km": 2850}
GOOD = json.dumps(DANUBE)


def says(*answers):
    """Answers one after the other; the last again and again."""
    left = list(answers)
    return lambda _face, _body: left.pop(0) if len(left) > 1 else left[0]


@pytest.mark.parametrize(
    ("shape", "raw", "value"),
    [
        (River, DANUBE, River(name="Danube", length_km=2850)),
        (Zoo, {"animals": [{"kind": "cat", "lives": 9}, {"kind": "dog", "tricks": []}],
               "colour": "red", "note": None},
         Zoo(animals=[Cat(kind="cat", lives=9), Dog(kind="dog", tricks=[])], colour=Color.RED)),
        (Node, {"name": "a", "children": [{"name": "b", "children": []}]},
         Node(name="a", children=[Node(name="b")])),
        (Loose, {"counts": {"a": 1}}, Loose(counts={"a": 1})),
        (list[int], {"value": [1, 2]}, [1, 2]),
        (int | str, {"value": "x"}, "x"),
        (Color, {"value": "blue"}, Color.BLUE),
        (dict[str, int], {"a": 1}, {"a": 1}),
        (tuple[int, str], {"value": [1, "a"]}, (1, "a")),
        (SCHEMA, {"city": "Ulm", "size": "big"}, {"city": "Ulm", "size": "big"}),
    ],
)  # fmt: skip
def test_an_answer_becomes_an_instance(simulator, make_client, served_by, shape, raw, value):
    simulator.answer = json.dumps(raw)

    parsed = make_client().parse("Which?", shape)

    assert value == parsed.value
    assert isinstance(parsed, Parsed)
    assert served_by == parsed.served.endpoint
    assert json.dumps(raw) == parsed.text


@pytest.mark.parametrize("shape", [River, Zoo, Node, list[River], Color, int | str])
@pytest.mark.parametrize("fallback", ["openai:gpt-4o", "anthropic:claude-sonnet-5"])
def test_each_api_is_held_to_the_schema_by_itself(simulator, make_client, shape, fallback):
    """The simulator answers with what the schema it was sent allows."""
    simulator.outage("openrouter")

    assert make_client(fallbacks=[fallback]).parse("Which?", shape, repairs=0).value is not None


def test_openrouter_is_told_to_ask_only_providers_that_hold_to_it(simulator, make_client):
    make_client().parse("Which?", River, provider={"sort": "price"})

    body = simulator.requests[0].body
    assert {"require_parameters": True, "sort": "price"} == body["provider"]
    schema = body["response_format"]["json_schema"]
    assert schema["strict"] is True
    assert ["name", "length_km"] == schema["schema"]["required"]
    assert schema["schema"]["additionalProperties"] is False


def test_what_no_api_holds_to_alike_is_said_in_the_description():
    schema = form_of(River).response_format()["json_schema"]["schema"]

    assert {"type": "integer", "description": "(maximum: 7000, minimum: 1)"} == (
        schema["properties"]["length_km"]
    )


@pytest.mark.parametrize("shape", [Loose, dict[str, int], tuple[int, str], Any])
def test_a_form_that_leaves_something_open_is_not_called_strict(shape):
    assert form_of(shape).response_format()["json_schema"]["strict"] is False


OLD = {
    "type": "object",
    "properties": {"a": {"$ref": "#/definitions/A"},
                   "definitions": {"const": {"$ref": "#/definitions/A"}}},
    "definitions": {"A": {"type": "object", "properties": {"x": {"type": "integer"}}}},
}  # fmt: skip


def test_the_definitions_of_older_schemas_are_sent_as_strict_apis_know_them():
    sent = form_of(OLD).response_format()["json_schema"]

    assert sent["strict"] is True
    assert {"$ref": "#/$defs/A"} == sent["schema"]["properties"]["a"]
    assert [{"$ref": "#/definitions/A"}] == sent["schema"]["properties"]["definitions"]["enum"]
    assert ["x"] == sent["schema"]["$defs"]["A"]["required"]
    assert "definitions" not in sent["schema"]


@pytest.mark.parametrize(
    ("definition", "wrapped"),
    [
        ({"type": "object", "properties": {"x": {"type": "integer"}}}, False),
        ({"type": "array", "items": {"$ref": "#/definitions/A"}}, True),
    ],
)
def test_a_root_that_refers_to_an_older_definition_is_found(definition, wrapped):
    form = form_of({"$ref": "#/definitions/A", "definitions": {"A": definition}})

    sent = form.response_format()["json_schema"]
    assert wrapped is form.wrapped
    assert sent["strict"] is True
    assert {"A"} == set(sent["schema"]["$defs"])
    assert "definitions" not in json.dumps(sent)


def test_what_refers_to_the_root_of_a_schema_does_so_when_it_is_wrapped():
    numbers = {"type": "array", "items": {"anyOf": [{"type": "integer"}, {"$ref": "#"}]}}

    sent = form_of(numbers).response_format()["json_schema"]
    items = sent["schema"]["properties"]["value"]["items"]
    assert sent["strict"] is False
    assert {"$ref": "#/properties/value"} == items["anyOf"][1]


@pytest.mark.parametrize("reference", ["#/$defs/B", "#/properties/b", "https://example.org/b.json"])
def test_a_schema_that_refers_elsewhere_is_sent_as_it_is_and_not_called_strict(reference):
    schema = {"type": "object", "properties": {"a": {"$ref": reference}, "b": {"type": "null"}}}

    sent = form_of(schema).response_format()["json_schema"]
    assert (False, schema) == (sent["strict"], sent["schema"])


@pytest.mark.parametrize(
    "text",
    [
        f"```json\n{GOOD}\n```",
        f"Sure! Here it is:\n```\n{GOOD}\n```\nAnything else?",
        f"The river you mean is {GOOD}, I think.",
        f"  {GOOD}\n",
        f"{GOOD} or, to say it again, {GOOD}",
    ],
)
def test_wrapping_is_taken_off(simulator, make_client, text):
    simulator.answer = text

    assert River(**DANUBE) == make_client().parse("Which?", River, repairs=0).value


def test_of_two_different_answers_none_is_chosen(simulator, make_client):
    simulator.answer = f'{GOOD} or rather {{"name": "Rhine", "length_km": 1233}}'

    with pytest.raises(InvalidStructuredOutput) as caught:
        make_client().parse("Which?", River, repairs=0)

    assert "several" in str(caught.value.error)


def test_a_text_of_nothing_but_brackets_takes_no_time():
    began = time.process_time()

    assert [] == candidates("[" * 1_000_000)
    assert time.process_time() - began < 1.0


def test_brackets_that_are_no_json_are_passed_over():
    assert [{"a": 1}] == candidates('see [1, footnote] and {this}: {"a": 1}')


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        (Person, '{"name": "Bob", "address": {"street": "Main St"}, "bio": "He was born in'),
        (Person, '{"name": "Bob", "address": {"street": "Main St"}, "bio": "said "hi" to all"}'),
        (Person, '{"name": "Bob", "bio": "said "}" to all", "address": {"street": "Main St"}}'),
        (Person, '{name: "Bob", address: {"street": "Main St"}}'),
        (Person, '"name": "Bob", "address": {"street": "Main St"}}'),
        (Person, '[{"name": "Bob"}, {"name": "B'),
        (Person, '```json\n{"name": "Bob", "address": {"street": "Main St"}, "bio": "\n```'),
        (Person, '{"bio": "Write\n```json\n{"street": "Main St"}\n```", "name": "Bob"}'),
        (Person, '{"name": "Bob"} or rather {"name": "B'),
        (Person, "void main() {} and nothing else"),
        (Node, '{"name": "root", "children": [{"name": "leaf", "children": []}],}'),
        (list[int], "The first three primes (see [1]) are 2, 3 and 5."),
        (list[int], "The first three primes are 2, 3 and 5 [1]."),
        (list[int], "[[1]](https://example.org) says 2, 3 and 5."),
    ],
)
def test_a_piece_of_an_answer_is_never_taken_for_it(simulator, make_client, shape, text):
    simulator.answer = text

    with pytest.raises(InvalidStructuredOutput):
        make_client().parse("Who?", shape, repairs=0)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Here they are:\n[2, 3, 5]\nas in [1].", [2, 3, 5]),
        ("{}", {}),
        ('Not {"name": …} but\n{"name": "a [b"}', {"name": "a [b"}),
        ('As in [1]: {"name": "a"}.', {"name": "a"}),
        ('They are [{"name": "a"}].', [{"name": "a"}]),
    ],
)
def test_what_stands_by_itself_among_words_is_the_answer(text, value):
    assert [value] == candidates(text)


def test_of_an_answer_that_was_cut_off_only_a_whole_one_counts():
    assert [DANUBE] == candidates(GOOD, cut=True)
    assert [] == candidates("12", cut=True)
    assert [] == candidates(f"It is {GOOD} or rath", cut=True)
    assert [] == candidates(f"```\n{GOOD}\n```\nor\n```\n{{", cut=True)


def test_an_answer_that_was_cut_off_is_told_so():
    message = {"role": "assistant", "content": f"It is {GOOD}"}
    choice = {"index": 0, "message": message, "finish_reason": "length"}
    said = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}

    with pytest.raises(ValueError, match="cut off"):
        form_of(River).read(Completion.model_validate(said))


def test_a_wrong_answer_is_asked_for_again_elsewhere_with_what_was_wrong(simulator, make_client):
    simulator.answer = says('{"name": "Danube"}', GOOD)

    parsed = make_client().parse("Which?", River)

    first, second = simulator.requests
    assert River(**DANUBE) == parsed.value
    assert ("openrouter", "openai") == (first.face, second.face)
    said, again = second.body["messages"][-2:]
    assert ("assistant", '{"name": "Danube"}') == (said["role"], said["content"])
    assert "length_km: Field required" in again["content"]
    assert ["openrouter", "openai"] == [a.endpoint for a in parsed.served.attempts]
    assert [1, 2] == [a.number for a in parsed.served.attempts]


def test_a_wrong_answer_during_an_outage_is_mended_by_whoever_is_left(simulator, make_client):
    simulator.outage("openrouter")
    simulator.answer = says("no idea", GOOD)

    parsed = make_client().parse("Which?", River)

    assert ["openai", "openai"] == [request.face for request in simulator.requests]
    assert "openai" == parsed.served.endpoint


@pytest.mark.parametrize(("repairs", "requests"), [(0, 1), (1, 2), (3, 4)])
def test_it_is_asked_again_so_often_and_no_more(simulator, make_client, repairs, requests):
    simulator.answer = '{"name": 7}'

    with pytest.raises(InvalidStructuredOutput) as caught:
        make_client().parse("Which?", River, repairs=repairs)

    assert requests == len(simulator.requests) == len(caught.value.history)
    assert '{"name": 7}' == caught.value.text
    assert isinstance(caught.value.error, ValidationError)


def test_the_exception_shows_no_answer_in_its_message_repr_or_pickle(simulator, make_client):
    simulator.answer = '{"name": "a secret"}'

    with pytest.raises(InvalidStructuredOutput) as caught:
        make_client().parse("Which?", River)

    copy = pickle.dumps(caught.value)
    assert "secret" not in f"{caught.value}{caught.value!r}"
    assert b"secret" not in copy
    assert caught.value.history == pickle.loads(copy).history


def test_a_schema_without_a_class_is_checked_as_well(simulator, make_client):
    simulator.answer = '{"city": "Ulm", "size": "huge"}'

    with pytest.raises(InvalidStructuredOutput) as caught:
        make_client().parse("Which?", SCHEMA, repairs=0)

    assert "the answer.size should be one of ['small', 'big']" == str(caught.value.error)


@pytest.mark.parametrize(
    ("schema", "fits", "does_not"),
    [
        ({"type": "integer"}, [1, 1.0, 10**400], [1.5, True, float("inf"), float("nan"), "1"]),
        ({"type": ["string", "null"]}, ["a", None], [1]),
        ({"type": "array", "uniqueItems": True}, [[1, 2], []], [[1, 1]]),
        ({"type": "object", "minProperties": 1, "maxProperties": 1}, [{"a": 1}], [{}, [1]]),
        ({"type": "string", "pattern": "^a+$", "maxLength": 2}, ["a", "aa"], ["b", "aaa"]),
        ({"oneOf": [{"const": 1}, {"enum": ["x"]}]}, [1, "x"], [2]),
        ({"$ref": "#/$defs/n", "$defs": {"n": {"type": "array", "items": {"$ref": "#/$defs/n"}}}},
         [[], [[], [[]]]], [[1], {}]),
        ({"properties": {"a": False}}, [{}, {"b": 1}], [{"a": 1}]),
        ({"type": "object", "additionalProperties": False, "required": ["a"],
          "properties": {"a": {}}}, [{"a": None}], [{}, {"a": 1, "b": 2}]),
        ({"prefixItems": [{"type": "integer"}, {"type": "string"}], "items": False},
         [[], [1], [1, "a"]], [["a"], [1, 2], [1, "a", None]]),
        ({"items": [{"type": "integer"}], "additionalItems": {"type": "string"}},
         [[], [1], [1, "a"]], [["a"], [1, 2]]),
        ({"properties": {"x0": {"minimum": 5}}, "additionalProperties": False,
          "patternProperties": {"^x": {"type": "integer"}, "1$": {"maximum": 1}}},
         [{"x1": 1}, {"x0": 7}, {"x2": 2}, {"y1": "a"}],
         [{"x1": "a"}, {"x1": 2}, {"x0": 1}, {"y": 1}]),
        ({"patternProperties": {r"^\p{L}$": {}, "^x": {"type": "null"}},
          "additionalProperties": False}, [{"é": 1}, {"x": None}], [{"x": 1}]),
        ({"type": "string", "pattern": r"^\p{L}+$", "maxLength": 2}, ["é", "1"], ["aaa", 1]),
        ({"pattern": "["}, ["a"], []),
        ({"pattern": "a{99999999999999999999}"}, ["a"], []),
    ],
)  # fmt: skip
def test_a_schema_is_held_to_word_by_word(schema, fits, does_not):
    assert [[]] * len(fits) == [problems(value, schema) for value in fits]
    assert all(problems(value, schema) for value in does_not)


def test_an_answer_that_is_nested_without_end_is_told_as_wrong(simulator, make_client):
    nested = {"$ref": "#/$defs/n", "$defs": {"n": {"items": {"$ref": "#/$defs/n"}}}}
    simulator.answer = "[" * 900 + "]" * 900

    with pytest.raises(InvalidStructuredOutput) as caught:
        make_client().parse("Which?", nested, repairs=0)

    assert "nested" in str(caught.value.error)


def test_a_refusal_is_not_asked_again(simulator, make_client):
    simulator.answer = lambda _face, _body: {"content": None, "refusal": "I'd rather not."}

    with pytest.raises(InvalidStructuredOutput, match="Refused"):
        make_client().parse("Which?", River)

    assert 1 == len(simulator.requests)


def test_the_deadline_holds_for_all_that_is_asked(simulator, make_client):
    simulator.answer = "no idea"
    simulator.latency("openrouter", first_token=0.3)
    simulator.latency("openai", first_token=0.3)
    began = time.monotonic()

    with pytest.raises(InvalidStructuredOutput):
        make_client().parse("Which?", River, repairs=50, deadline=1.0)

    assert time.monotonic() - began < 1.2


def test_what_is_left_of_the_deadline_is_all_that_a_second_try_has(simulator, make_client):
    def answer(_face, _body):
        for face in ("openrouter", "openai"):
            simulator.play(face, "no_headers")
        return "no idea"

    simulator.answer = answer
    began = time.monotonic()

    with pytest.raises(InvalidStructuredOutput) as caught:
        make_client().parse("Which?", River, deadline=1.0)

    assert time.monotonic() - began < 1.3
    assert "no idea" == caught.value.text


def test_the_record_and_the_error_count_on_over_all_that_was_asked(simulator, make_client):
    simulator.play("openrouter", "status_503", times=1)
    simulator.answer = says("no idea", "none", GOOD)

    served = make_client().parse("Which?", River, repairs=2).served

    assert ["unavailable", None, None, None] == [a.fault for a in served.attempts]
    assert ["openrouter", "openrouter", "openai", "openrouter"] == [
        a.endpoint for a in served.attempts
    ]
    numbers = [attempt.number for attempt in served.attempts]
    begun = [attempt.begun_seconds for attempt in served.attempts]
    assert list(range(1, len(numbers) + 1)) == numbers
    assert sorted(begun) == begun
    assert begun[-1] < served.first_token_seconds < served.seconds


def test_a_failure_after_a_wrong_answer_has_the_whole_trail(simulator, make_client):
    def answer(_face, _body):
        for face in ("openrouter", "openai"):
            simulator.play(face, "status_401")
        return "no idea"

    simulator.answer = answer

    with pytest.raises(InvalidStructuredOutput) as caught:
        make_client().parse("Which?", River)

    assert [None, "unauthorized", "unauthorized"] == [a.fault for a in caught.value.history]
    assert [1, 2, 3] == [a.number for a in caught.value.history]


def test_a_cap_holds_for_all_that_is_asked(simulator, make_client):
    simulator.answer = "no idea"

    with pytest.raises(SpendingCapReached, match="this parse") as caught:
        make_client().parse("Which?", River, max_cost=1e-9)

    assert 1 == len(simulator.requests) == len(caught.value.history)


def test_where_a_model_cannot_be_held_to_a_schema_it_is_told_in_words(simulator, make_client):
    simulator.outage("openrouter")
    simulator.answer = GOOD

    parsed = make_client(fallbacks=["groq:llama-3.3-70b-versatile"]).parse("Which?", River)

    body = simulator.requests[0].body
    assert River(**DANUBE) == parsed.value
    assert "response_format" not in body
    assert "length_km" in body["messages"][0]["content"]


def test_where_no_provider_at_openrouter_holds_to_a_schema_it_is_told_in_words(
    simulator, make_client
):
    simulator.play("openrouter", "status_404_no_endpoints", times=1)
    simulator.answer = GOOD

    parsed = make_client(fallbacks=(), rounds=1).parse("Which?", River)

    assert River(**DANUBE) == parsed.value
    assert ["no_provider", None] == [a.fault for a in parsed.served.attempts]
    assert "response_format" not in simulator.requests[1].body


def test_a_call_that_does_not_check_its_answer_is_never_told_in_words(simulator, make_client):
    simulator.outage("openrouter")
    schema = form_of(River).response_format()

    with pytest.raises(RoutesExhausted, match="cannot hold an answer to response_format"):
        make_client(fallbacks=["groq:llama-3.3-70b-versatile"], rounds=1).complete(
            "Which?", response_format=dict(schema)
        )

    assert not simulator.requests


def test_a_system_text_and_messages_stay_where_they_are(simulator, make_client):
    make_client().parse([{"role": "user", "content": "Which?"}], River, system="Be brief.")

    assert ["system", "user"] == [m["role"] for m in simulator.requests[0].body["messages"]]


@pytest.mark.parametrize("shape", [5, object(), "NoSuchClass", pytest.MonkeyPatch])
def test_what_is_no_form_is_a_type_error_before_any_request(simulator, make_client, shape):
    with pytest.raises(TypeError, match="no form of an answer; give a type that pydantic knows"):
        make_client().parse("hi", shape)

    assert [] == simulator.requests


def test_what_complete_refuses_parse_refuses(make_client):
    with pytest.raises(ConfigurationError):
        make_client().parse("hi", River, deadline=-1.0)
