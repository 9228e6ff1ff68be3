"""The simulator in the place of a key, and only there."""

from __future__ import annotations

import os
import sys

import pytest

from openrouter_resilient import Client, ConfigurationError, llm_complete, simulated


@pytest.fixture(autouse=True)
def command_line(monkeypatch):
    """A program that was given nothing but its own argument."""
    monkeypatch.setattr(sys, "argv", ["program", "folder"])
    return sys.argv


def test_where_no_key_is_set_fake_upstreams_answer_and_it_is_said(capsys):
    with simulated() as simulator:
        answer = llm_complete("hi")

        assert "Simulated answer to: hi" == str(answer)
        assert 1 == len(simulator.requests)
    assert capsys.readouterr().err.startswith("(simulated: fake upstreams on this machine answer.")


@pytest.mark.parametrize("variable", ["OPENROUTER_API_KEY", "GROQ_API_KEY"])
def test_with_any_key_the_real_ones_are_asked(variable, monkeypatch, capsys):
    monkeypatch.setenv(variable, "a-real-key")

    with simulated() as simulator:
        assert simulator is None
        assert "a-real-key" == os.environ[variable]
    assert not capsys.readouterr().err


def test_a_key_in_a_dotenv_file_counts(tmp_path):
    (tmp_path / ".env").write_text("OPENAI_API_KEY=a-real-key\n")

    with simulated() as simulator:
        assert simulator is None


def test_asked_for_it_takes_the_place_of_keys_and_settings_and_gives_them_back(
    monkeypatch, command_line
):
    monkeypatch.setenv("OPENROUTER_API_KEY", "a-real-key")
    monkeypatch.setenv("OPENROUTER_RESILIENT_LEDGER", "real.db")
    monkeypatch.setenv("REDIS_URL", "redis://real.invalid")
    monkeypatch.setenv("https_proxy", "http://192.0.2.1:9")
    before = dict(os.environ)
    command_line.append("--simulate")

    with simulated(), Client() as client:
        assert "openrouter" == client.complete("hi").served.endpoint

    assert before == dict(os.environ)
    assert ["program", "folder"] == command_line
    assert not os.path.exists("real.db")  # noqa: PTH110  what is simulated belongs in no real record


def test_a_fault_can_be_named_on_the_command_line(command_line, capsys):
    command_line.append("--simulate=refused")

    with simulated(), Client() as client:
        assert "openai" == client.complete("hi").served.endpoint
    assert "OpenRouter fails there by 'refused'" in capsys.readouterr().err


def test_a_fault_that_is_not_there_names_the_nearest(command_line):
    command_line.append("--simulate=cut_midstream")

    with pytest.raises(ConfigurationError, match="did you mean 'cut_mid_stream'"), simulated():
        pass


def test_a_fault_may_stand_after_a_space_and_an_argument_of_the_program_stays(command_line, capsys):
    command_line[1:] = ["--simulate", "refused", "folder"]

    with simulated(), Client() as client:
        assert "openai" == client.complete("hi").served.endpoint
    assert ["program", "folder"] == command_line
    assert "OpenRouter fails there by 'refused'" in capsys.readouterr().err


def test_a_word_that_is_no_fault_belongs_to_the_program(command_line):
    command_line[1:] = ["--simulate", "folder"]

    with simulated() as simulator:
        assert simulator

    assert ["program", "folder"] == command_line


def test_a_fault_like_no_other_is_not_compared_with_any(command_line):
    command_line.append("--simulate=nonsense")

    with (
        pytest.raises(ConfigurationError, match=r"'nonsense'; there are .* more\. All of them: "),
        simulated(),
    ):
        pass


def test_a_program_ends_with_a_line_where_there_is_no_such_fault(command_line, capsys):
    command_line.append("--simulate=cut_midstream")

    with pytest.raises(SystemExit) as ended, simulated(usage="How to use it."):
        pass

    assert 2 == ended.value.code
    (line,) = capsys.readouterr().err.splitlines()
    assert "did you mean 'cut_mid_stream'? All of them: python -c " in line


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_a_program_that_is_asked_for_help_prints_it_and_ends(command_line, word, capsys):
    command_line.append(word)

    with pytest.raises(SystemExit) as ended, simulated(usage="How to use it.\n"):
        pass

    assert 0 == ended.value.code
    assert ("How to use it.\n", "") == capsys.readouterr()


def test_where_results_are_kept_a_missing_key_is_no_wish_for_fake_ones(command_line):
    with simulated(without_key=False) as simulator:
        assert simulator is None

    command_line.append("--simulate")
    with simulated(without_key=False) as simulator:
        assert simulator


def test_what_the_program_raises_gives_the_environment_back(monkeypatch):
    before = dict(os.environ)

    with pytest.raises(ZeroDivisionError), simulated():
        _ = 1 / 0

    assert before == dict(os.environ)
