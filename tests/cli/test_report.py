"""`report`, `reconcile` and `prune`, from the command line."""

from __future__ import annotations

import json

import pytest

from openrouter_resilient import Ledger
from openrouter_resilient.cli import main
from tests.ledger.making import START, answered_by_fallback, make_record


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "calls.db"
    ledger = Ledger(path)
    for record in (make_record(), make_record(), answered_by_fallback(START + 60)):
        ledger.add(record)
    ledger.close()
    return path


def test_a_report_is_a_page_of_text(path, capsys):
    assert 0 == main(["report", "--ledger", str(path)])

    out = capsys.readouterr().out
    assert "Answered 3 of 3: 100 %" in out
    assert "failover saved 1 call" in out


def test_the_setting_names_the_ledger(path, monkeypatch, capsys):
    monkeypatch.setenv("OPENROUTER_RESILIENT_LEDGER", str(path))

    assert 0 == main(["report", "--json"])
    assert 3 == json.loads(capsys.readouterr().out)["calls"]


def test_html_is_written_to_a_file(path, tmp_path, capsys):
    target = tmp_path / "report.html"

    assert 0 == main(["report", "--ledger", str(path), "--html", str(target)])
    assert target.read_text().startswith("<!DOCTYPE html>")


def test_a_page_is_not_written_over_the_ledger(path, capsys):
    assert 2 == main(["report", "--ledger", str(path), "--html", f"{path.parent}/./{path.name}"])

    assert "is the ledger; name another file for --html" in capsys.readouterr().err
    assert 0 == main(["report", "--ledger", str(path)])


@pytest.mark.parametrize(
    "arguments",
    [
        ["report"],
        ["report", "--ledger", "mistyped.db"],
        ["report", "--ledger", "~nosuchuser/calls.db"],
        ["report", "--ledger", "{path}", "--since", "yesterday"],
        ["report", "--ledger", "{path}", "--since", "9999-12-31T23:59-23:59"],
        ["prune", "--ledger", "{path}", "--keep", "forever"],
    ],
)
def test_what_cannot_be_done_is_a_matter_of_usage(path, tmp_path, arguments, capsys):
    before = set(tmp_path.iterdir())

    assert 2 == main([argument.format(path=path) for argument in arguments])
    assert capsys.readouterr().err.startswith("error: ")
    assert {file for file in tmp_path.iterdir() if not file.name.startswith("calls.db-")} == before


def test_prune_says_how_many_it_forgot(path, capsys):
    Ledger(path).add(make_record(started_at=1_000_000.0))

    assert 0 == main(["prune", "--ledger", str(path), "--keep", "3650d"])
    assert "1 call deleted" in capsys.readouterr().out
    assert 3 == Ledger(path).report().calls


def test_reconcile_fills_in_what_it_can(simulator, path, monkeypatch, capsys):
    for name, value in simulator.environment().items():
        monkeypatch.setenv(name, value)

    code = main(["reconcile", "--ledger", str(path), "--since", "2026-01-01"])

    assert 0 == code
    assert "1 estimated" in capsys.readouterr().out


def test_reconcile_without_openrouter_is_a_check_that_failed(simulator, path, monkeypatch, capsys):
    for name, value in simulator.environment().items():
        monkeypatch.setenv(name, value)
    simulator.outage("openrouter")

    assert 1 == main(["reconcile", "--ledger", str(path), "--since", "2026-01-01"])
    assert "could not be asked" in capsys.readouterr().out
