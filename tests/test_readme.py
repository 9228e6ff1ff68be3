"""The README is true: its examples run, and what it lists is what there is."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest

import openrouter_resilient
from openrouter_resilient import Client
from openrouter_resilient.endpoints.table import ENDPOINTS
from openrouter_resilient.health import channels
from openrouter_resilient.settings import (
    DEADLINE_VARIABLE,
    DOTENV_VARIABLE,
    FALLBACKS_VARIABLE,
    LEDGER_VARIABLE,
    MODELS_VARIABLE,
    REDIS_VARIABLE,
)
from openrouter_resilient.transports.chaos import FAULTS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
EXAMPLES = [code for code in BLOCKS if "def test_" not in code]
TESTS = [code for code in BLOCKS if "def test_" in code]


@pytest.mark.parametrize("down", [False, True], ids=["", "outage"])
@pytest.mark.parametrize("code", EXAMPLES, ids=lambda code: code.strip().splitlines()[0][:60])
def test_an_example_runs_whether_openrouter_is_up_or_down(
    code, simulator, monkeypatch, capsys, down
):
    for name, value in simulator.environment().items():
        monkeypatch.setenv(name, value)
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
    section = README.partition("## Chaos in staging")[2].partition("\n## ")[0]
    listed = section.partition("for all of them:")[2].partition(". The same")[0]

    assert list(FAULTS) == re.findall(r"`(\w+)`", listed)


def test_the_extras_it_lists_are_those_there_are():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    section = README.partition("## Extras")[2].partition("\n## ")[0]

    assert set(config["options.extras_require"]) == set(
        re.findall(r"^\| `(\w+)`", section, re.MULTILINE)
    )


def test_the_exceptions_it_lists_are_those_there_are():
    there = {
        name
        for name in openrouter_resilient.__all__
        if isinstance(getattr(openrouter_resilient, name), type)
        and issubclass(getattr(openrouter_resilient, name), Exception)
    }

    assert there == set(re.findall(r"`([A-Z]\w+)`", README)) & there


def test_the_variables_it_lists_are_those_there_are():
    there = {MODELS_VARIABLE, FALLBACKS_VARIABLE, DEADLINE_VARIABLE, DOTENV_VARIABLE}
    there |= {LEDGER_VARIABLE, REDIS_VARIABLE}
    there |= set(channels.VARIABLES)
    for row in ENDPOINTS.values():
        there |= {row.key_variable, row.url_variable}

    assert there == set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", README))


def test_its_second_command_is_what_ci_runs():
    commands = re.findall(r"```sh\n(python3 .*)\n```", README)

    assert 2 == len(commands)
    assert commands[1] in (ROOT / ".ci" / "run").read_text().replace(" --quiet", "")
