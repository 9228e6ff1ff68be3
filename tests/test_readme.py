"""The README is true: its examples run, and what it lists is what there is."""

from __future__ import annotations

import ast
import configparser
import importlib
import json
import logging
import re
import shlex
from argparse import ArgumentParser
from dataclasses import fields
from pathlib import Path

import pytest

from openrouter_resilient import Client, Served
from openrouter_resilient.cli.commands import COMMANDS, load
from openrouter_resilient.cli.entry import _parser
from openrouter_resilient.endpoints.table import ENDPOINTS
from openrouter_resilient.rehearsal import OPTION
from openrouter_resilient.transports.chaos import FAULTS

from .benchmarks import publish

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "openrouter_resilient"
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
EXAMPLES = [code for code in BLOCKS if "def test_" not in code]
TESTS = [code for code in BLOCKS if "def test_" in code]


def section(name):
    return README.partition(f"\n## {name}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("down", [False, True], ids=["", "outage"])
@pytest.mark.parametrize("code", EXAMPLES, ids=lambda code: code.strip().splitlines()[0][:60])
def test_an_example_runs_whether_openrouter_is_up_or_down(
    code, simulator, monkeypatch, capsys, caplog, down
):
    for name, value in simulator.environment().items():
        monkeypatch.setenv(name, value)
    caplog.set_level(logging.WARNING, "openrouter_resilient")  # an example may set another
    if down:
        Client().models()  # the last list is what an outage leaves of it
        simulator.outage("openrouter")

    exec(compile(code, "README.md", "exec"), {})  # noqa: S102  that is what the reader does

    assert capsys.readouterr().out


def test_its_examples_of_tests_pass_as_tests(pytester, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(**{f"test_{number}": code for number, code in enumerate(TESTS)})

    result = pytester.runpytest_subprocess(
        "-p", "openrouter_resilient.simulator.pytest_plugin", "-W", "error"
    )

    assert 3 == len(TESTS)
    result.assert_outcomes(passed=3)


def test_the_faults_of_chaos_that_it_lists_are_those_there_are():
    listed = section("Chaos in staging").partition("for all of them:")[2].partition(". The same")[0]

    assert list(FAULTS) == re.findall(r"`(\w+)`", listed)


def test_the_extras_it_lists_are_those_there_are():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")

    assert set(config["options.extras_require"]) == set(
        re.findall(r"^\| `(\w+)`", section("Extras"), re.MULTILINE)
    )


def variables_read():
    """Names of environment variables, wherever the package spells one out."""
    for path in PACKAGE.rglob("*.py"):
        if "simulator" not in path.parts:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield from re.findall(r"^[A-Z]+(?:_[A-Z]+)+$", node.value)
    for row in ENDPOINTS.values():
        yield from (row.key_variable, row.url_variable)


def test_the_variables_it_lists_are_those_that_are_read():
    there = set(variables_read())

    assert len(there) > 15
    assert there == set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", section("Settings")))
    assert set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", README)) <= there


def test_the_commands_it_lists_are_those_there_are():
    listed = re.findall(r"^\| `openrouter-resilient (\w+)` \| (.*) \|$", README, re.MULTILINE)

    assert [(command.name, command.summary) for command in COMMANDS] == listed


LINES = [
    (name, arguments)
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for name, arguments in re.findall(r"openrouter-resilient (\w+)([^\n#|)&]*)", block)
]


@pytest.mark.parametrize(("name", "arguments"), LINES)
def test_its_command_lines_are_such_that_parse(name, arguments):
    assert _parser(chosen=name).parse_args([name, *shlex.split(arguments)]).run is not None


def test_the_options_it_names_are_there():
    there = {"--help", "--version", OPTION}
    for command in COMMANDS:
        parser = ArgumentParser()
        load(command).add_arguments(parser)
        there |= set(parser._option_string_actions)
    own = re.findall(r"`([^`]*)`", re.sub(r"```.*?```", "", README, flags=re.DOTALL))
    named = {
        option
        for words in own
        if not words.startswith(("python", "pip"))
        for option in re.findall(r"(?<!\S)--[a-z-]+", words)
    }

    assert {"--live", "--help"} <= named <= there


def test_the_fields_of_served_that_it_lists_are_those_there_are():
    listed = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", section("What you get back"), re.MULTILINE)

    assert sorted(field.name for field in fields(Served)) == sorted(
        name for cell in listed for name in re.findall(r"`(\w+)`", cell)
    )


def test_its_contents_are_its_sections():
    contents = README.partition("\n## ")[0]
    headings = [line[3:] for line in README.splitlines() if line.startswith("## ")]

    linked = re.findall(r"\[([^\]]+)\]\((#[^)]+)\)", contents)
    assert sorted({*headings} - {"License"}) == sorted(name for name, _ in linked)
    assert [link for name, link in linked if link != anchor(name)] == []


def test_its_links_lead_somewhere():
    anchors = {anchor(line.lstrip("# ")) for line in README.splitlines() if line.startswith("#")}
    links = re.findall(r"\]\(([^)]+)\)", README)

    assert [link for link in links if link[0] == "#" and link not in anchors] == []
    files = [link for link in links if link[0] != "#" and "://" not in link]
    assert [name for name in files if not (ROOT / name).exists()] == []


def anchor(heading):
    """As GitHub makes it of a heading."""
    return "#" + re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_its_picture_of_the_house_is_made_from_the_code():
    from tests.house import drawn

    assert README == drawn(README), "draw it anew: python -m tests.house"


def test_the_places_it_names_for_what_is_new_are_there():
    rows = section("Contributing").partition("### Where something new goes")[2]
    named = re.findall(r"`([A-Z]+)`|`([\w/]+(?:\.py|/))`", rows.partition("\n### ")[0])
    tables: list[str] = []
    for table, place in named:
        if table:
            tables.append(table)
            continue
        assert (PACKAGE / place).exists(), place
        if place.endswith(".py") and tables:
            home = importlib.import_module(f"openrouter_resilient.{place[:-3].replace('/', '.')}")
            assert [name for name in tables if not hasattr(home, name)] == []
        tables = []
    assert len(named) > 25


def test_its_second_command_is_what_ci_runs():
    commands = re.findall(r"```sh\n(python3 .*)\n```", README)

    assert 2 == len(commands)
    assert commands[1] in (ROOT / ".ci" / "run").read_text().replace(" --quiet", "")


def test_what_it_says_of_speed_is_what_was_measured():
    stored = json.loads(publish.STORED.read_text())

    assert publish.section(stored) in README


def test_its_picture_of_speed_is_there():
    path = re.search(r"!\[what a call costs[^]]*\]\(([^)]*)\)", README)[1]

    assert publish.PICTURE == ROOT / path
    assert "<svg" in publish.PICTURE.read_text()
