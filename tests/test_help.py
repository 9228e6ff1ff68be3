"""What `help()` says is enough to work by: what, with which arguments and units, and an example."""

from __future__ import annotations

import builtins
import inspect
import pydoc
import re
import textwrap
from dataclasses import fields, is_dataclass

import pytest

import openrouter_resilient
from openrouter_resilient import Client, errors
from openrouter_resilient import simulator as simulators
from openrouter_resilient.health.report import HealthReport, RouteHealth
from openrouter_resilient.ledger.reconcile import Reconciled
from openrouter_resilient.ledger.report import Latency, ModelCost, Report

REACHED = (HealthReport, RouteHealth, Report, Latency, ModelCost, Reconciled)  # through a Client
OTHER = ("play",)  # of no use to a caller
UNIT = re.compile(r"\bsecond|\bUSD\b|\$|\bshare\b|\btime it took\b")


def classes_and_functions():
    """Everything public that has a name of its own."""
    for module in (openrouter_resilient, simulators):
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isfunction(value) or inspect.isclass(value):
                yield name, value
    for value in REACHED:
        yield value.__name__, value


def own_members(owner):
    """What a class and its ancestors of this package have that is public."""
    found = {}
    for ancestor in reversed(owner.__mro__):
        if ancestor.__module__.startswith("openrouter_resilient"):
            found.update(vars(ancestor))
    return {name: value for name, value in found.items() if not name.startswith(("_", "model_"))}


def methods():
    for name, owner in CLASSES.items():
        for member, value in own_members(owner).items():
            function = getattr(value, "__func__", value)
            if inspect.isfunction(function):
                yield f"{name}.{member}", function
    for owner in (Client, openrouter_resilient.Ledger, simulators.Simulator):  # made by a user
        yield f"{owner.__name__}.__init__", owner.__init__


NAMED = dict(classes_and_functions())
CLASSES = {name: value for name, value in NAMED.items() if inspect.isclass(value)}
FUNCTIONS = {name: value for name, value in NAMED.items() if inspect.isfunction(value)}
FUNCTIONS |= dict(methods())
RECORDS = {name: owner for name, owner in CLASSES.items() if is_dataclass(owner)}
EVERYTHING = {**CLASSES, **FUNCTIONS}
each = pytest.mark.parametrize


def told(value):
    return inspect.getdoc(value) or ""


def arguments(function):
    given = inspect.signature(function).parameters
    return {name: str(p.annotation) for name, p in given.items() if name not in ("self", "cls")}


def entries(text):
    """What is said of each argument or field, by name: `a, b: words`, going on further indented."""
    found = {}
    pattern = r"^( *)((?:\*{0,2}\w+)(?:, \*{0,2}\w+)*): (.*(?:\n\1 +.*)*)"
    for _, names, words in re.findall(pattern, text, re.MULTILINE):
        found.update(dict.fromkeys(re.findall(r"\w+", names), words))
    return found


def example(value):
    return textwrap.dedent(told(value).partition("\nExample:\n")[2].partition("\n\nSource:")[0])


EXAMPLES = {name: value for name, value in EVERYTHING.items() if example(value)}


@each("name", EVERYTHING)
def test_it_says_in_a_sentence_what_it_is(name):
    first = told(EVERYTHING[name]).partition("\n\n")[0]

    assert re.match(r"(?s)[A-Z`].*[.:?]$", first)


@each("name", [name for name, value in FUNCTIONS.items() if arguments(value)])
def test_each_argument_is_explained(name):
    """One by one, or in the one sentence that there is."""
    words = told(FUNCTIONS[name])
    said = entries(words) if "Args:" in words else re.findall(r"\w+", words)

    assert [] == [argument for argument in arguments(FUNCTIONS[name]) if argument not in said]


@each("name", RECORDS)
def test_each_field_is_explained(name):
    said = entries(told(RECORDS[name]))
    public = [field.name for field in fields(RECORDS[name]) if field.name[0] != "_"]

    assert [] == [field for field in public if field not in said and field not in OTHER]


def with_fractions():
    """Arguments and fields that hold a number with a unit."""
    for name, function in FUNCTIONS.items():
        for argument, kind in arguments(function).items():
            if re.fullmatch(r"(str \| )?float( \| None)?", kind):
                yield name, argument
    for name, owner in RECORDS.items():
        for field in fields(owner):
            if re.fullmatch(r"float( \| None)?", str(field.type)) and field.name[0] != "_":
                yield name, field.name


@each(("name", "number"), list(with_fractions()))
def test_each_number_with_a_fraction_says_of_what(name, number):
    said = entries(told(EVERYTHING[name]))[number]

    assert UNIT.search(said) or re.search(r"(_usd|seconds)$", number), said


@each("name", [name for name, value in EVERYTHING.items() if "Raises:" in told(value)])
def test_the_exceptions_it_names_are_there(name):
    section = told(EVERYTHING[name]).partition("Raises:\n")[2].partition("\n\n")[0]

    raised = entries(section)
    assert raised
    assert [] == [kind for kind in raised if not exception(kind)]


def exception(name):
    found = getattr(errors, name, None) or getattr(openrouter_resilient, name, None)
    return found or getattr(builtins, name, None)


@each("name", EXAMPLES)
def test_its_example_runs_as_it_stands(name, simulator, monkeypatch, capsys):
    for variable, value in simulator.environment().items():
        monkeypatch.setenv(variable, value)
    with Client() as client:
        names = {**vars(openrouter_resilient), "client": client, "Simulator": simulators.Simulator}

        exec(compile(example(EXAMPLES[name]), name, "exec"), names)  # noqa: S102  as a reader does

    assert capsys.readouterr().out


def test_the_ways_to_ask_all_have_an_example():
    asking = ("complete", "stream", "map", "parse", "run_tools", "embed")

    assert {"Client", "Simulator", "llm_complete", *(f"Client.{name}" for name in asking)} <= set(
        EXAMPLES
    )


def test_the_help_of_complete_is_enough_to_use_it():
    """Shape of the prompt, the result, units, every way it can end, and a line to copy."""
    shown = re.sub(r".\x08", "", pydoc.render_doc(Client.complete))

    for word in ("role, content", "str()", ".text", ".tool_calls", ".served", "seconds", "USD"):
        assert word in shown
    raised = shown.partition("Raises:\n")[2].partition("Example:")[0]
    assert set(entries(textwrap.dedent(raised))) == {
        "ConfigurationError", "TypeError", "ValueError", "RequestRefused", "DeadlineExceeded",
        "RoutesExhausted", "SpendingCapReached", "NotRecorded",
    }  # fmt: skip
    assert "client.complete(" in shown
    assert "https://" in shown
