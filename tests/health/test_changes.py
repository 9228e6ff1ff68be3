"""Which changes people are told of."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from openrouter_resilient.health.changes import CALM_S, Alert, Memory, Told, changes, read_memory
from openrouter_resilient.health.probe import Probed

NOW = 1_760_000_000.0
MINUTE = 60.0


def probed(up, route="openai:gpt-4o", *, asked=True):
    fault, why = (None, "") if up else ("refused", "nothing accepts connections there")
    return Probed(route, "openai", up, up, fault, why, started_at=NOW, seconds=0.1, asked=asked)


def told(ups, every=5 * MINUTE):
    """The states of the alerts of each round, `ups` being what each finds (u or d)."""
    memory, said = Memory(), []
    for place, letter in enumerate(ups):
        memory, alerts = changes(memory, [probed(letter == "u")], NOW + place * every)
        memory = read_memory(memory.json())  # as it is kept between two rounds
        said.append(",".join(alert.state for alert in alerts))
    return said


@pytest.mark.parametrize(
    ("ups", "alerts"),
    [
        ("uu", ["", ""]),
        ("d", ["down"]),
        ("ddd", ["down", "", ""]),
        ("uddu", ["", "down", "", "up"]),
        ("uduudd", ["", "down", "up", "", "down", ""]),
    ],
)
def test_a_change_is_told_once_and_what_stays_is_not(ups, alerts):
    assert alerts == told(ups)


def test_one_that_flaps_is_told_as_that_and_then_not_at_all():
    assert ["", "down", "up", "down", "flapping", "", "", "", ""] == told("ududududu")


def test_changes_that_are_hours_apart_are_no_flapping():
    assert ["", "down", "up", "down", "up", "down"] == told("ududud", every=3600.0)


def test_once_it_has_kept_still_people_are_told_what_it_is_now():
    rounds = int(CALM_S / (5 * MINUTE))

    said = told("udud" + "u" + "d" * (rounds + 1))

    assert "flapping" == said[4]
    assert ["down"] != said[5:6]
    assert 0 == [state for state in said[5:] if state].count("up")


def test_the_end_of_an_outage_says_how_long_it_lasted():
    memory, _ = changes(Memory(), [probed(up=False)], NOW)

    _, (alert,) = changes(memory, [probed(up=True)], NOW + 20 * MINUTE)

    assert "openai:gpt-4o is up again after 20 min" == str(alert)


def test_each_route_has_its_own():
    both = [probed(up=False), probed(up=True, route="openai:gpt-4.1")]

    _, alerts = changes(Memory(), both, NOW)

    assert ["openai:gpt-4o"] == [alert.route for alert in alerts]


def test_of_a_route_that_was_not_asked_nothing_is_said_and_nothing_forgotten():
    memory, _ = changes(Memory(), [probed(up=False)], NOW)

    later, alerts = changes(memory, [probed(up=False, asked=False)], NOW + MINUTE)

    assert ([], memory.routes) == (alerts, later.routes)


def kept(**fields):
    """A memory of one alert that could not be delivered."""
    alert = {**asdict(Alert("x", "up", NOW)), **fields}
    left = [["webhook (plain)", alert]]
    return json.dumps({"version": 1, "at": NOW, "routes": {}, "undelivered": left})


def test_what_could_not_be_delivered_is_remembered():
    alert = Alert("x", "up", NOW, lasted=3.0)

    assert (("webhook (plain)", alert),) == read_memory(kept(lasted=3)).undelivered


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "[]",
        "{}",
        '{"routes": 1, "undelivered": [], "at": 1}',
        '{"routes": {}, "undelivered": [], "at": "yesterday"}',
        '{"routes": {"a": {}}}',
        '{"routes": {}, "undelivered": [], "at": NaN}',
        Memory({"a": Told(up=True, since="abc", told_up=True)}).json(),
        Memory({"a": Told(up="x", since=NOW, told_up=True)}).json(),
        kept(route=None),
        kept(since="abc"),
        kept(since=None),
        kept(since=1e99),
        kept(lasted="abc"),
        kept(lasted={}),
        kept(more=1),
        '{"undelivered": [], "at": 1, "routes": {"a": {"up": 1, "changes": ["x"]}}}',
    ],
)
def test_a_memory_that_cannot_be_read_is_forgotten(text):
    assert Memory() == read_memory(text)
