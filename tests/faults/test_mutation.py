"""The matrix would notice: without a row of the fault table, or with a wrong one, a probe fails."""

from __future__ import annotations

from dataclasses import replace

import pytest

from openrouter_resilient.routing.faults import FAULTS, Kind, Scope
from openrouter_resilient.simulator import CATALOGUE

from .cells import ALSO, Cell, run

# For each kind a fault that shows it.
PROBES = {
    Kind(row.kind): Cell(name, "complete", ("openrouter",))
    for name, row in reversed(CATALOGUE.items())
    if row.kind and (name not in ALSO or row.kind == "stale_connection")
}


def test_there_is_a_probe_for_every_kind_that_a_server_can_play():
    assert set(FAULTS) - {Kind.ABANDONED} == set(PROBES)


def test_without_its_row_a_route_that_was_outrun_is_noticed(simulator, make_client, monkeypatch):
    simulator.play("openrouter", "no_headers")
    client = make_client(hedge_after=0.1)
    assert ["abandoned", None] == [a.fault for a in client.complete("hi").served.attempts]
    monkeypatch.delitem(FAULTS, Kind.ABANDONED)

    with pytest.raises(KeyError, match="abandoned"):
        client.complete("hi")


@pytest.mark.parametrize("kind", PROBES, ids=lambda kind: kind.value)
def test_without_its_row_the_probe_of_a_kind_fails(leaks_nothing, monkeypatch, kind):
    monkeypatch.delitem(FAULTS, kind)

    assert run(PROBES[kind]).problems


@pytest.mark.parametrize("kind", PROBES, ids=lambda kind: kind.value)
def test_with_its_scope_turned_round_the_probe_of_a_kind_fails(leaks_nothing, monkeypatch, kind):
    """The caller's fault taken for the endpoint's, or the other way round."""
    row = FAULTS[kind]
    turned = Scope.ENDPOINT if row.scope is Scope.REQUEST else Scope.REQUEST
    monkeypatch.setitem(FAULTS, kind, replace(row, scope=turned))

    assert run(PROBES[kind]).problems
