"""The simulated year: repeatable, and right where the right answer can be worked out."""

from __future__ import annotations

import importlib.util
import random
import statistics
import sys
from pathlib import Path

import pytest

import openrouter_resilient
from openrouter_resilient.routing.faults import Kind
from openrouter_resilient.routing.plan import Route

EXAMPLE = Path(openrouter_resilient.__file__).parents[1] / "examples" / "availability.py"
DAY_S = 86_400.0


@pytest.fixture(scope="module")
def simulation():
    spec = importlib.util.spec_from_file_location("availability", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    sys.modules["availability"] = module
    spec.loader.exec_module(module)
    return module


ONE, OTHER = Route("one", ("m",)), Route("other", ("m",))


def on_and_off(simulation, component, *, up_h, down_h, length, seed):
    """An endpoint that is wholly down now and then; times up and down are exponential."""
    chance = random.Random(f"{component} {seed}")
    dead = (simulation.Phase(1.0, 1.0, {Kind.REFUSED: 1.0}),)
    at = chance.expovariate(1 / (up_h * 3600))
    while at < length:
        ends = at + chance.expovariate(1 / (down_h * 3600))
        yield simulation.Outage(component, at, min(ends, length), dead)
        at = ends + chance.expovariate(1 / (up_h * 3600))


def both_down(simulation, seed, length):
    one = on_and_off(simulation, "one", up_h=6, down_h=2, length=length, seed=seed)
    other = on_and_off(simulation, "other", up_h=6, down_h=2, length=length, seed=seed)
    return sorted([*one, *other], key=lambda outage: outage.begins)


def test_the_same_seed_gives_the_same_year(simulation):
    def play(seed):
        year = simulation.make_year(seed, length=20 * DAY_S)
        routes = simulation.SETUPS["OpenRouter, one model"]
        return simulation.availability(routes, year, seed=seed, length=20 * DAY_S, probes=True)

    assert play(3) == play(3) != play(4)


def test_two_independent_endpoints_agree_with_the_product_of_their_downtimes(simulation):
    """Each is down a quarter of the time, so both are a sixteenth of it."""
    length = 40 * DAY_S
    found = [
        1
        - simulation.availability(
            (ONE, OTHER), both_down(simulation, seed, length), seed=seed, every=600.0, length=length
        )
        for seed in range(8)
    ]

    error = statistics.stdev(found) / len(found) ** 0.5
    assert abs(statistics.mean(found) - 1 / 16) < 3 * error
    assert error < 1 / 160


def test_it_agrees_with_the_very_times_at_which_both_were_down(simulation):
    """With the same outages there is no chance left but when calls fall."""
    length = 40 * DAY_S
    outages = both_down(simulation, 1, length)
    one = [o for o in outages if o.component == "one"]
    other = [o for o in outages if o.component == "other"]
    down = sum(max(0.0, min(a.ends, b.ends) - max(a.begins, b.begins)) for a in one for b in other)

    found = simulation.availability((ONE, OTHER), outages, seed=1, every=120.0, length=length)

    assert 1 - down / length == pytest.approx(found, abs=0.003)


def test_one_endpoint_alone_is_up_as_long_as_it_is_up(simulation):
    length = 40 * DAY_S
    outages = [o for o in both_down(simulation, 2, length) if o.component == "one"]
    down = sum(outage.ends - outage.begins for outage in outages)

    found = simulation.availability((ONE,), outages, seed=2, every=120.0, length=length)

    assert 1 - down / length == pytest.approx(found, abs=0.005)


def test_a_year_without_outages_is_answered_whole(simulation):
    assert 1.0 == simulation.availability((ONE, OTHER), [], seed=1)


@pytest.mark.parametrize(("probed", "asked"), [(False, ["one", "other"]), (True, ["other"])])
def test_a_call_that_heard_of_a_probe_does_not_ask_who_is_down(simulation, probed, asked):
    dead = (simulation.Phase(1.0, 1.0, {Kind.SILENT: 1.0}),)
    world = simulation.World(random.Random(1))
    world.outages = [simulation.Outage("one", 0.0, DAY_S, dead)]
    caller = simulation.Caller((ONE, OTHER), world, random.Random(1))
    caller.clock.advance(60)
    if probed:
        caller.probe()

    routes, ask = [], world.ask
    world.ask = lambda route, now: routes.append(route.endpoint) or ask(route, now)
    answered = caller.call()

    assert answered
    assert asked == routes


def test_openrouter_passes_over_a_vendor_that_is_down_as_far_as_its_hosts_and_models_go(simulation):
    """The first model's other hosts carry so much of it; the second model is up."""
    dead = (simulation.Phase(1.0, 1.0, {Kind.REFUSED: 1.0}),)
    world = simulation.World(random.Random(1))
    world.outages = [simulation.Outage("anthropic", 0.0, DAY_S, dead)]

    def answered(route):
        return statistics.mean(world.ask(route, 1.0) is None for _ in range(20_000))

    assert simulation.HOSTS_CARRY == pytest.approx(answered(simulation.ONE_MODEL), abs=0.02)
    assert 1.0 == answered(simulation.THREE_MODELS)


def test_outages_that_touch_are_played_together_and_others_apart(simulation):
    margin = simulation.MARGIN_S
    spans = [(0, 100), (50, 60), (100 + 2 * margin, 900), (900 + 2 * margin + 1, 2_000)]
    outages = [simulation.Outage("one", begins, ends, ()) for begins, ends in spans]

    assert [3, 1] == [len(group) for group in simulation.stretches(outages)]


def test_a_shared_component_takes_several_down_together(simulation):
    year = simulation.make_year(5, length=3 * 365 * DAY_S)
    shared = [trouble for trouble in simulation.WORLD if trouble.name == "cloudflare"]
    only = simulation.make_year(5, shared, length=3 * 365 * DAY_S)

    together = {outage.begins: set() for outage in only}
    for outage in only:
        together[outage.begins].add(outage.component)
    assert {outage.begins for outage in only} <= {outage.begins for outage in year}
    assert any(len(components) > 1 for components in together.values())


def test_outages_are_as_frequent_and_as_long_as_was_published(simulation):
    years = 40
    trouble = next(t for t in simulation.WORLD if t.name == "openai, brown-out")
    outages = simulation.make_year(1, [trouble], length=years * simulation.YEAR_S)
    minutes = [(outage.ends - outage.begins) / 60 for outage in outages]

    assert years * 8_760 / trouble.every_h == pytest.approx(len(outages), rel=0.05)
    assert 75 == pytest.approx(statistics.median(minutes), rel=0.06)
    assert 301 == pytest.approx(statistics.quantiles(minutes, n=10)[-1], rel=0.08)


def test_the_table_has_a_row_a_setup(simulation):
    found = {(name, probes): [0.999, 0.9999] for name in simulation.SETUPS for probes in (0, 1)}

    table = simulation.table(found)

    assert len(simulation.SETUPS) + 2 == len(table.splitlines())
    assert "99.9450 %" in table


@pytest.mark.slow
@pytest.mark.parametrize("name", ["OpenAI alone", "… and OpenAI behind it"])
def test_the_readme_has_what_the_example_finds_now(simulation, name):
    """Whoever changes the routing or the outages runs the command again."""
    played = [
        simulation.availability(simulation.SETUPS[name], simulation.make_year(seed), seed=seed)
        for seed in range(1, 11)
    ]
    found = {(setup, probes): played for setup in simulation.SETUPS for probes in (False, True)}
    row = next(line for line in simulation.table(found).splitlines() if name in line)

    shown = row.split("|")[1:5]  # all but the column of the probes
    assert "|".join(["", *shown, ""]) in EXAMPLE.parents[1].joinpath("README.md").read_text()
