"""The README's guide to the first outage is true: its log, its words for faults, its exceptions."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest

import openrouter_resilient
from openrouter_resilient import ResilientError, RoutesExhausted
from openrouter_resilient.routing.faults import FAULTS, Scope
from openrouter_resilient.wire.clock import SystemClock

README = (Path(__file__).parent.parent / "README.md").read_text()
GUIDE = README.partition("\n## Your first outage\n")[2].partition("\n## ")[0]
WHOSE = {
    "the endpoint's": Scope.ENDPOINT,
    "your account's there, or an outage that looks like it": Scope.ACCOUNT,
    "the model's, for this request": Scope.MODEL,
}


def section(name):
    return GUIDE.partition(f"\n### {name}\n")[2].partition("\n### ")[0]


def rows(text):
    """The cells of a table, without its heading."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


class Hurrying(SystemClock):
    """Skips what is slept."""

    ahead = 0.0

    def now(self):
        return super().now() + self.ahead

    def sleep_until(self, instant):
        self.ahead += max(0.0, instant - self.now())


def an_outage(simulator, make_client):
    """As the README tells it; what the last call but one raised is handed over."""
    clock = Hurrying()
    client = make_client(clock=clock)
    client.complete("all is well")
    simulator.play("status_500")
    client.complete("it begins")
    simulator.play("status_401")
    client.complete("its worst phase")
    client.complete("three faults in a row")
    simulator.outage("openai")
    with pytest.raises(RoutesExhausted):
        client.complete("the fallback fails as well")
    simulator.heal()
    clock.ahead += 20.0
    client.complete("over")


def steady(line):
    """Without the seconds."""
    return re.sub(r"\d+\.\d s", "… s", line)


def test_its_log_is_what_such_an_outage_writes(simulator, make_client, caplog):
    caplog.set_level(logging.INFO, "openrouter_resilient")

    an_outage(simulator, make_client)

    block = section("What you will see").partition("```text\n")[2].partition("```")[0]
    shown = [line for line in block.splitlines() if not line.startswith("#")]
    lines = [f"{record.levelname} {record.getMessage()}" for record in caplog.records]
    assert list(map(steady, shown)) == list(map(steady, lines))


def test_its_words_for_faults_are_those_of_the_table_and_stand_by_whose_they_are():
    told = {
        WHOSE[whose]: re.findall(r"`(\w+)`", words)
        for words, whose, _ in rows(section("What you will see"))
    }
    there = {
        scope: [kind.value for kind, row in FAULTS.items() if row.scope is scope]
        for scope in WHOSE.values()
    }

    assert {scope: sorted(kinds) for scope, kinds in there.items()} == {
        scope: sorted(kinds) for scope, kinds in told.items()
    }


def tree(kind, depth=0):
    """The names of a class and its heirs, each with how deep it stands."""
    yield depth, kind.__name__
    for heir in kind.__subclasses__():
        if heir.__module__.startswith("openrouter_resilient."):
            yield from tree(heir, depth + 1)


def test_its_table_of_exceptions_is_the_tree():
    listed = [(cell.count("↳"), cell) for cell, _, _ in rows(section("What can be raised"))]

    assert list(tree(ResilientError)) == [(depth, cell.strip("↳ `")) for depth, cell in listed]


def test_every_exception_that_can_be_had_is_in_the_guide_with_what_to_do():
    there = {
        name
        for name in openrouter_resilient.__all__
        if isinstance(getattr(openrouter_resilient, name), type)
        and issubclass(getattr(openrouter_resilient, name), BaseException)
    }

    assert there == set(re.findall(r"`([A-Z]\w+)`", section("What can be raised"))) & there
    assert all(all(cells) for cells in rows(section("What can be raised")))
