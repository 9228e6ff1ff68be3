"""The README is true: its examples run, and what it lists is what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import openrouter_resilient
from openrouter_resilient.endpoints.table import ENDPOINTS
from openrouter_resilient.health import channels
from openrouter_resilient.settings import (
    DEADLINE_VARIABLE,
    FALLBACKS_VARIABLE,
    MODELS_VARIABLE,
    REDIS_VARIABLE,
)

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("code", EXAMPLES, ids=lambda code: code.strip().splitlines()[0][:60])
def test_an_example_runs(code, simulator, monkeypatch, capsys):
    for name, value in simulator.environment().items():
        monkeypatch.setenv(name, value)

    exec(compile(code, "README.md", "exec"), {})  # noqa: S102  that is what the reader does

    assert capsys.readouterr().out


def test_the_exceptions_it_lists_are_those_there_are():
    there = {
        name
        for name in openrouter_resilient.__all__
        if isinstance(getattr(openrouter_resilient, name), type)
        and issubclass(getattr(openrouter_resilient, name), Exception)
    }

    assert there == set(re.findall(r"`([A-Z]\w+)`", README)) & there


def test_the_variables_it_lists_are_those_there_are():
    there = {MODELS_VARIABLE, FALLBACKS_VARIABLE, DEADLINE_VARIABLE, REDIS_VARIABLE}
    there |= set(channels.VARIABLES)
    for row in ENDPOINTS.values():
        there |= {row.key_variable, row.url_variable}

    assert there == set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", README))


def test_its_second_command_is_what_ci_runs():
    commands = re.findall(r"```sh\n(python3 .*)\n```", README)

    assert 2 == len(commands)
    assert commands[1] in (ROOT / ".ci" / "run").read_text().replace(" --quiet", "")
