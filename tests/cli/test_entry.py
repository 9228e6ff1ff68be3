"""The tables of commands and exit codes, held from both sides, and a `--help` that is quick."""

from __future__ import annotations

import errno
import logging
import re
import shlex
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path

import pytest

from openrouter_resilient import errors
from openrouter_resilient._version import __version__
from openrouter_resilient.cli import main
from openrouter_resilient.cli.commands import COMMANDS, Command, load
from openrouter_resilient.cli.entry import _parser
from openrouter_resilient.cli.exits import EXITS, exit_code
from openrouter_resilient.cli.output import colourful, complain, warnings_shown

FULL = Path("/dev/full")
HEAVY = ("requests", "urllib3", "pydantic", "dotenv", "cachetools")
OWN_HEAVY = ("client", "simulator", "shapes", "settings", "wire", "endpoints")
EXAMPLES = [(command.name, example) for command in COMMANDS for example in load(command).EXAMPLES]
CODES = {
    errors.ResilientError: 1,
    errors.ConfigurationError: 2,
    errors.NotRecorded: 2,
    errors.RequestRefused: 3,
    errors.InvalidRequest: 3,
    errors.ContextTooLong: 3,
    errors.ContentBlocked: 3,
    errors.CallFailed: 4,
    errors.DeadlineExceeded: 4,
    errors.RoutesExhausted: 4,
    errors.StreamInterrupted: 5,
    errors.SpendingCapReached: 6,
    errors.InvalidStructuredOutput: 1,
    KeyboardInterrupt: 130,
    BrokenPipeError: 0,
    PermissionError: 2,
}


@pytest.mark.parametrize("arguments", [("--help",), ("ask", "--help"), ("drill", "--help")])
def test_a_help_loads_nothing_heavy(run, arguments):
    ended = run(*arguments, python=("-X", "importtime", "-m", "openrouter_resilient"))

    loaded = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    heavy = {*HEAVY, *(f"openrouter_resilient.{name}" for name in OWN_HEAVY)}
    assert "openrouter_resilient.cli.entry" in loaded
    assert heavy & loaded == set()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [(("--help",), set()), (("ask", "--help"), {"ask"}), (("drill", "--help"), {"drill"})],
)
def test_only_the_chosen_command_is_loaded(run, arguments, expected):
    telling = (
        "import sys\n"
        "from openrouter_resilient.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print(*sys.modules, file=sys.stderr)"
    )

    loaded = set(run(*arguments, python=("-c", telling)).stderr.split())

    names = {command.name for command in COMMANDS}
    assert expected == {name for name in names if f"openrouter_resilient.cli.{name}" in loaded}
    assert {f"openrouter_resilient.{name}" for name in OWN_HEAVY} & loaded == set()


def test_the_help_names_every_command_and_every_exit_code(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--help"])

    told = capsys.readouterr().out
    assert left.value.code == 0
    for command in COMMANDS:
        assert re.search(rf"^ +{command.name} +{re.escape(command.summary)}$", told, re.MULTILINE)
    for row in EXITS:
        assert re.search(rf"^ +{row.code} +{re.escape(row.meaning)}$", told, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_each_commands_help_has_its_examples_and_the_exit_codes(command, capsys):
    with pytest.raises(SystemExit):
        main([command.name, "--help"])

    told = capsys.readouterr().out
    examples = load(command).EXAMPLES
    assert examples
    assert [example for example in examples if example not in told] == []
    assert EXITS[-1].meaning in told


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_each_option_says_what_it_is_for(command):
    parser = ArgumentParser()
    load(command).add_arguments(parser)

    assert [action.dest for action in parser._actions if not action.help] == []


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_every_example_is_a_command_line_that_parses(name, example):
    own = re.search(r"openrouter-resilient ([^|]*)", example).group(1)

    assert _parser(chosen=name).parse_args(shlex.split(own)).run is not None


def test_a_command_is_a_row_and_a_module(monkeypatch, capsys, tmp_path):
    (tmp_path / "wave.py").write_text(
        "EXAMPLES = ('openrouter-resilient wave',)\n"
        "def add_arguments(parser): parser.add_argument('--to')\n"
        "def run(arguments): print('hello', arguments.to); return 1\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    row = Command("wave", "greet", "wave")
    monkeypatch.setattr("openrouter_resilient.cli.entry.COMMANDS", (*COMMANDS, row))

    assert main(["wave", "--to", "you"]) == 1
    assert capsys.readouterr().out == "hello you\n"


def test_the_version_is_the_packages(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--version"])

    assert left.value.code == 0
    assert capsys.readouterr().out == f"openrouter-resilient {__version__}\n"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("0", "no positive number"),
        ("-1", "no positive number"),
        ("inf", "no positive number"),
        ("soon", "no positive number"),
        ("1e12", "1e12 seconds are longer than 30 days"),
    ],
)
@pytest.mark.parametrize("command", [("health", "--watch"), ("probe", "--every")])
def test_a_rhythm_that_no_machine_keeps_is_a_usage_error(capsys, command, given, words):
    with pytest.raises(SystemExit) as left:
        main([command[0], f"{command[1]}={given}"])

    assert 2 == left.value.code
    assert words in capsys.readouterr().err


def test_no_command_at_all_is_a_usage_error_that_shows_the_help(capsys):
    assert main([]) == 2

    shown = capsys.readouterr()
    assert "" == shown.out
    assert "exit codes:" in shown.err


def test_an_unknown_command_is_a_usage_error_that_names_the_known_ones(capsys):
    with pytest.raises(SystemExit) as left:
        main(["aks"])

    assert left.value.code == 2
    assert all(command.name in capsys.readouterr().err for command in COMMANDS[:1])


@pytest.mark.parametrize(("kind", "code"), CODES.items(), ids=str)
def test_each_exception_leaves_with_the_code_of_its_nearest_ancestor(kind, code):
    assert code == exit_code(kind("what happened"))


def test_every_exception_of_the_package_has_an_expected_code():
    def heirs(kind):
        return {kind}.union(*map(heirs, kind.__subclasses__()))

    own = {kind for kind in heirs(errors.ResilientError) if kind.__module__ == errors.__name__}
    assert own <= set(CODES)


def test_an_exit_code_stands_for_one_thing():
    codes = [row.code for row in EXITS]
    assert len(codes) == len(set(codes))


def test_a_defect_is_not_dressed_up_as_an_exit_code(monkeypatch):
    def defective(arguments):
        raise AttributeError("a defect")

    monkeypatch.setattr("openrouter_resilient.cli.ask.run", defective)

    with pytest.raises(AttributeError, match="a defect"):
        main(["ask", "x"])


def test_a_file_that_cannot_be_read_is_told_in_one_line(monkeypatch, capsys):
    def unreadable(arguments):
        raise PermissionError(errno.EACCES, "Permission denied", "rivers.txt")

    monkeypatch.setattr("openrouter_resilient.cli.ask.run", unreadable)
    monkeypatch.setattr("openrouter_resilient.cli.entry.discard", lambda _: None)

    assert main(["ask", "x"]) == 2
    assert capsys.readouterr().err == "error: Permission denied: rivers.txt\n"


@pytest.mark.skipif(not FULL.exists(), reason="no device here is always full")
@pytest.mark.parametrize(
    "arguments", [("ask", "-q", "x"), ("ask", "-q", "--json", "x"), ("--help",)]
)
def test_a_full_disk_is_told_in_one_line_and_python_adds_nothing(environment, arguments):
    with FULL.open("wb") as full:
        ended = subprocess.run(
            (sys.executable, "-m", "openrouter_resilient", *arguments),
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment,
            timeout=30,
            check=False,
        )

    assert (2, b"error: No space left on device\n") == (ended.returncode, ended.stderr)


@pytest.mark.skipif(not FULL.exists(), reason="no device here is always full")
@pytest.mark.parametrize(
    ("arguments", "code"), [(("ask", "x"), 0), (("ask", " "), 2), (("nonsense",), 2)]
)
def test_a_full_disk_under_what_is_said_beside_the_output_changes_no_exit_code(
    environment, simulator, arguments, code
):
    simulator.play("status_500", times=2)  # so that a failover is warned of, too
    with FULL.open("wb") as full:
        ended = subprocess.run(
            (sys.executable, "-m", "openrouter_resilient", *arguments),
            stdout=subprocess.PIPE,
            stderr=full,
            env=environment,
            timeout=30,
            check=False,
        )

    assert code == ended.returncode
    assert (code == 0) is ended.stdout.startswith(b"Simulated answer")


@pytest.mark.parametrize("arguments", [("--help",), ("ask", "-q", "--json", "x")])
def test_a_reader_that_has_left_is_no_failure_and_python_adds_nothing(start, arguments):
    process = start(*arguments)
    process.stdout.close()

    assert process.wait(30) == 0
    assert process.stderr.read() == b""


def test_outputs_that_are_closed_take_nothing_and_do_no_harm(run):
    closed = (
        "import sys\n"
        "sys.stdout = sys.stderr = None\n"
        "from openrouter_resilient.cli import main\n"
        "sys.exit(main(['ask', 'Name three rivers.']))"
    )

    ended = run(python=("-c", closed), PYTHONWARNINGS="ignore")

    assert (0, "", "") == (ended.returncode, ended.stdout, ended.stderr)


def test_a_message_is_one_line_whatever_a_server_put_in_it(capsys):
    complain("the server said:\n\x1b[2Jgone\r\x07")

    assert capsys.readouterr().err == "error: the server said: [2Jgone\n"


@pytest.mark.parametrize(("quiet", "shown"), [(False, "warning: it failed\n"), (True, "")])
def test_warnings_are_shown_only_while_a_command_runs_and_only_if_wanted(capsys, quiet, shown):
    logger = logging.getLogger("openrouter_resilient")

    with warnings_shown(quiet=quiet):
        logger.warning("it %s", "failed")
        logger.info("served")

    assert shown == capsys.readouterr().err
    assert logger.handlers == []


@pytest.mark.parametrize(
    ("terminal", "no_color", "term", "expected"),
    [
        (True, "", "xterm", True),
        (False, "", "xterm", False),
        (True, "1", "xterm", False),
        (True, "", "dumb", False),
    ],
)
def test_colour_is_for_terminals_whose_owner_wants_it(
    monkeypatch, terminal, no_color, term, expected
):
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", term)
    stream = type("Stream", (), {"isatty": staticmethod(lambda: terminal)})

    assert expected is colourful(stream)
