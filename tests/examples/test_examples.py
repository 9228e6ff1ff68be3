"""Each example does what it says: without a key, with one, and in an outage."""

from __future__ import annotations

import csv
import os
import pty
import re
import signal
import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests.examples.conftest import EXAMPLES
from tests.processes import ROOT, clean_environment, until

pytestmark = pytest.mark.slow  # each is a process of its own

QUESTION = "Name three rivers."
ANSWER = f"Simulated answer to: {QUESTION}"
NEED = {"moving_from_openai.py": "openai", "moving_from_try_except.py": "openai"}
KEEP = ("extract.py", "nightly.py")  # results, for which simulated ones must not be taken
LETTERS = {"a.txt": "Please pay 12 EUR. Bob", "b.txt": "It rains. Eve"}


@pytest.fixture
def folders(tmp_path):
    """What the examples are asked to work on."""
    (tmp_path / "letters").mkdir()
    for name, text in LETTERS.items():
        (tmp_path / "letters" / name).write_text(text)
    (tmp_path / "numbers.csv").write_text("visitors,12\n")


# An example, what is given to it, and what of it shows that it did its work.
SHOWN = {
    "first_call.py": ((), "", ANSWER),
    "chat.py": ((), f"{QUESTION}\n", ANSWER),
    "extract.py": (("letters", "letters.csv"), "", "b.txt: "),
    "tools.py": ((), "", "That makes 357 days."),
    "nightly.py": (("numbers.csv", "reports"), "", ""),
    "own_servers.py": ((), "", ANSWER),
    "moving_from_openai.py": ((), "", f"after:  {ANSWER}"),
    "moving_from_litellm.py": ((), "", f"after:  {ANSWER}"),
    "moving_from_try_except.py": ((), "", f"after:  {ANSWER}"),
}


@pytest.fixture(params=SHOWN)
def example(request, folders):
    """Each of them, where what it shows beside this package is installed."""
    if request.param in NEED and find_spec(NEED[request.param]) is None:
        pytest.skip(f"{NEED[request.param]} is not installed")
    return request.param


def test_without_a_key_it_runs_and_says_that_nobody_real_answered(run, example):
    arguments, stdin, shown = SHOWN[example]
    asked = ["--simulate"] if example in KEEP else []

    done = run(example, *arguments, *asked, stdin=stdin)

    assert (0, "(simulated:") == (done.returncode, done.stderr[:11]), done.stderr
    assert shown in done.stdout
    assert "Traceback" not in done.stderr


def test_with_a_key_it_asks_who_the_key_is_for(run, example, simulator):
    arguments, stdin, shown = SHOWN[example]
    if example == "tools.py":
        simulator.answer = "That makes 357 days."  # a model that needs no tool

    done = run(example, *arguments, stdin=stdin, **simulator.environment())

    assert 0 == done.returncode, done.stderr
    assert shown in done.stdout
    assert "simulated:" not in done.stderr
    assert simulator.received("openrouter")


def test_in_an_outage_it_goes_on(run, example):
    arguments, stdin, shown = SHOWN[example]

    done = run(example, *arguments, "--simulate=refused", stdin=stdin)

    assert 0 == done.returncode, done.stderr
    assert "OpenRouter fails there by 'refused'" in done.stderr
    assert shown in done.stdout


def test_the_first_call_shows_who_was_tried_and_who_answered(run):
    said = run("first_call.py", "--simulate=refused").stdout

    assert re.search(r"served by gpt-4\.1-\S+ via openai, 2 attempts", said)
    assert re.search(r"- openrouter:\S+ failed after \S+ s, refused", said)


def test_the_first_call_ends_with_a_sentence_where_nobody_answers(run, simulator):
    for face in ("openrouter", "openai", "groq", "anthropic"):
        simulator.outage(face)

    done = run("first_call.py", **simulator.environment())

    assert 1 == done.returncode
    assert "Traceback" not in done.stderr
    assert "refused" in done.stderr.splitlines()[-1]


def test_a_conversation_keeps_what_came_of_an_answer_that_broke_off(run, simulator):
    simulator.play("cut_mid_stream", after=2, times=1)

    done = run("chat.py", stdin=f"{QUESTION}\ngo on\n", **simulator.environment())

    assert "Simulated answer\n[it broke off here" in done.stdout
    assert "Simulated answer to: go on" in done.stdout
    said = [(m["role"], m["content"]) for m in simulator.requests[-1].body["messages"][1:]]
    assert [("user", QUESTION), ("assistant", "Simulated answer"), ("user", "go on")] == said


def test_a_conversation_outlives_a_question_that_nobody_answered(start, simulator):
    faces = ("openrouter", "openai", "groq", "anthropic")
    for face in faces:
        simulator.outage(face)
    process = start("chat.py", **simulator.environment())
    process.stdin.write(f"{QUESTION}\n")
    process.stdin.flush()

    assert "> [no answer: " in process.stdout.readline()

    simulator.heal()
    said, _ = process.communicate("And lakes?\n", timeout=60)
    assert "Simulated answer to: And lakes?" in said
    (message,) = simulator.requests[-1].body["messages"][1:]
    assert "And lakes?" == message["content"]


def test_ctrl_c_before_the_first_word_stops_the_answer_and_not_the_conversation(start, simulator):
    simulator.play("no_headers")
    process = start("chat.py", **simulator.environment())
    process.stdin.write(f"{QUESTION}\n")
    process.stdin.flush()
    until(lambda: simulator.requests)

    process.send_signal(signal.SIGINT)
    assert "[stopped]\n" in (process.stdout.readline(), process.stdout.readline())
    simulator.heal()
    said, warned = process.communicate("And lakes?\n", timeout=60)

    assert "Simulated answer to: And lakes?" in said, warned
    (message,) = simulator.requests[-1].body["messages"][1:]  # no empty answer stands before it
    assert "And lakes?" == message["content"]


@pytest.mark.parametrize("example", ["extract.py", "nightly.py", "first_call.py"])
def test_ctrl_c_ends_a_program_without_a_traceback(start, folders, simulator, example):
    simulator.play("no_headers")
    process = start(example, *SHOWN[example][0], **simulator.environment())
    until(lambda: simulator.requests)

    process.send_signal(signal.SIGINT)
    _, warned = process.communicate(timeout=60)

    assert 130 == process.returncode
    assert "Traceback" not in warned
    assert "extract.py" != example or "stopped; the same line goes on\n" == warned


@pytest.mark.parametrize("example", SHOWN)
def test_help_is_what_the_example_says_of_itself(run, example):
    if example in NEED and find_spec(NEED[example]) is None:
        pytest.skip(f"{NEED[example]} is not installed")
    done = run(example, "--help")

    assert (0, "") == (done.returncode, done.stderr)
    first, _, rest = (EXAMPLES / example).read_text().removeprefix('"""').partition("\n")
    assert first in done.stdout
    assert f"python examples/{example}" in done.stdout
    assert "--simulate" in done.stdout or "--simulate" not in rest


@pytest.mark.parametrize(("example", "needed"), [*NEED.items(), ("web/app.py", "flask")])
def test_what_is_not_installed_is_named(run, tmp_path, example, needed):
    (tmp_path / f"{needed}.py").write_text("raise ModuleNotFoundError(name=__name__)")

    done = run(example, PYTHONPATH=os.pathsep.join((str(tmp_path), str(ROOT))))

    assert 1 == done.returncode
    (line,) = done.stderr.splitlines()
    assert line.endswith(f": pip install {needed}")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no terminal of this kind")
def test_ctrl_c_stops_an_answer_and_not_the_conversation(simulator, tmp_path):
    simulator.play("stall_mid_stream", after=2)
    ours, theirs = pty.openpty()
    environment = clean_environment(**simulator.environment())
    process = subprocess.Popen(
        (sys.executable, EXAMPLES / "chat.py"), stdin=theirs, stdout=theirs, stderr=theirs,
        env=environment, cwd=tmp_path, start_new_session=True,
    )  # fmt: skip
    try:
        os.write(ours, b"hi\n")
        seen = read_until(ours, "Simulated answer")
        process.send_signal(signal.SIGINT)
        seen += read_until(ours, "[stopped]\r\n> ")
        simulator.heal()
        os.write(ours, b"and now?\n")
        seen += read_until(ours, "Simulated answer to: and now?")
        os.write(ours, b"\x04")

        assert 0 == process.wait(60), seen
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)


def read_until(descriptor, wanted):
    """What a terminal shows, up to some words; the test's own limit bounds it."""
    seen = ""
    while wanted not in seen:
        seen += os.read(descriptor, 4096).decode()
    return seen


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_folder_that_was_read_is_not_paid_for_again(run, folders, simulator, tmp_path):
    environment = simulator.environment()
    run("extract.py", "letters", "letters.csv", **environment)
    (tmp_path / "letters" / "b.txt").write_text("It still rains. Eve")

    again = run("extract.py", "letters", "letters.csv", **environment)

    assert "a.txt: known\n" in again.stdout
    assert 3 == len(simulator.requests)
    rows = rows_of(tmp_path / "letters.csv")
    assert ["a.txt", "b.txt"] == [row["file"] for row in rows]
    assert "simulated" == rows[0]["sender"]


def test_a_run_that_was_killed_goes_on_where_it_was(run, start, folders, simulator, tmp_path):
    environment = simulator.environment()
    simulator.play("no_headers", every=2)
    process = start("extract.py", "letters", "letters.csv", **environment)
    until(lambda: len(simulator.requests) == 2)
    process.kill()
    process.wait()
    simulator.heal()

    again = run("extract.py", "letters", "letters.csv", **environment)

    assert "a.txt: known\n" in again.stdout
    assert ["a.txt", "b.txt"] == [row["file"] for row in rows_of(tmp_path / "letters.csv")]


def test_one_text_that_nobody_can_read_does_not_stop_the_others(run, folders, simulator, tmp_path):
    simulator.answer = lambda _face, body: (
        "I would rather not."
        if "Bob" in str(body)
        else ('{"sender": "Eve", "subject": "Rain", "urgent": false, "amount_eur": null}')
    )

    done = run("extract.py", "letters", "letters.csv", **simulator.environment())

    assert 1 == done.returncode
    assert "a.txt: InvalidStructuredOutput" in done.stderr
    assert ["Eve"] == [row["sender"] for row in rows_of(tmp_path / "letters.csv")]


def test_a_text_of_another_encoding_does_not_stop_the_others(run, folders, tmp_path):
    (tmp_path / "letters" / "a.txt").write_bytes(b"12 EUR f\xfcr Bob")

    done = run("extract.py", "letters", "letters.csv", "--simulate")

    assert 1 == done.returncode
    assert "a.txt: UnicodeDecodeError: 'utf-8' codec" in done.stderr
    assert ["b.txt"] == [row["file"] for row in rows_of(tmp_path / "letters.simulated.csv")]


@pytest.mark.parametrize(
    ("folder", "told"), [("lettres", "lettres is no folder"), ("empty", "no *.txt in empty")]
)
def test_a_folder_that_has_no_texts_leaves_the_table_as_it_was(run, tmp_path, folder, told):
    (tmp_path / "empty").mkdir()
    (tmp_path / "letters.csv").write_text("file,sender\na.txt,Bob\n")

    done = run("extract.py", folder, "letters.csv", "--simulate")

    assert 2 == done.returncode
    assert told in done.stderr.splitlines()[-1]
    assert "file,sender\na.txt,Bob\n" == (tmp_path / "letters.csv").read_text()


def test_the_folder_of_a_table_is_made_and_nothing_unfinished_stays_there(
    run, folders, simulator, tmp_path
):
    run("extract.py", "letters", "tables/letters.csv", **simulator.environment())

    there = sorted(path.name for path in (tmp_path / "tables").iterdir())
    assert ["letters.csv", "letters.jsonl"] == there


@pytest.mark.parametrize("example", KEEP)
def test_what_keeps_results_says_that_a_key_is_missing_and_keeps_none(
    run, folders, tmp_path, example
):
    before = {*tmp_path.rglob("*.csv")}

    done = run(example, *SHOWN[example][0])

    assert 1 == done.returncode
    (line,) = done.stderr.splitlines()
    assert "no key is set. Set OPENROUTER_API_KEY" in line
    assert before == {*tmp_path.rglob("*.csv")}
    assert [] == [*tmp_path.rglob("*.md")]


@pytest.mark.parametrize("example", KEEP)
def test_what_was_rehearsed_is_not_taken_for_done(run, folders, simulator, example):
    arguments = SHOWN[example][0]
    run(example, *arguments, "--simulate")

    done = run(example, *arguments, **simulator.environment())

    assert 0 == done.returncode, done.stderr
    assert "known" not in done.stdout
    assert simulator.requests


def test_a_rehearsal_has_a_table_of_its_own(run, folders, tmp_path):
    run("extract.py", "letters", "letters.csv", "--simulate")

    assert ["a.txt", "b.txt"] == [r["file"] for r in rows_of(tmp_path / "letters.simulated.csv")]
    assert not (tmp_path / "letters.csv").exists()


def test_a_night_has_one_report(run, folders, simulator, tmp_path):
    environment = simulator.environment()

    first = run("nightly.py", "numbers.csv", "reports", **environment)
    second = run("nightly.py", "numbers.csv", "reports", **environment)

    assert (0, 0, "", "") == (first.returncode, second.returncode, first.stderr, second.stderr)
    assert 1 == len(simulator.requests)
    (report,) = (tmp_path / "reports").glob("*.md")
    assert "visitors,12" in report.read_text()
    assert "via openrouter" in report.read_text()


def test_a_night_without_an_answer_leaves_nothing_behind_and_says_so(
    run, folders, simulator, tmp_path
):
    for face in ("openrouter", "openai", "groq", "anthropic"):
        simulator.play(face, "status_402")

    done = run("nightly.py", "numbers.csv", "reports", **simulator.environment())

    assert 75 == done.returncode
    assert done.stderr.startswith("no report tonight: ")
    assert [] == list((tmp_path / "reports").glob("20*"))


def test_numbers_of_another_encoding_are_somebodys_to_look_at(run, folders, tmp_path):
    (tmp_path / "numbers.csv").write_bytes(b"G\xe4ste,12\n")

    done = run("nightly.py", "numbers.csv", "reports", "--simulate")

    assert 1 == done.returncode
    assert "the report needs you: 'utf-8' codec" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_model_gets_what_the_functions_return(run):
    said = run("tools.py").stdout

    assert re.search(r"days_between\(.*\) -> 357\n", said)
    assert 2 == said.count("via openrouter")


@pytest.mark.parametrize("example", ["moving_from_litellm.py", "moving_from_try_except.py"])
def test_who_served_stands_under_the_answer(run, example):
    if example in NEED and find_spec(NEED[example]) is None:
        pytest.skip(f"{NEED[example]} is not installed")
    said = run(example).stdout

    assert re.search(rf"^after:  {ANSWER}\n        served by .+ via openrouter", said, re.MULTILINE)


def test_no_line_ends_with_a_blank(run):
    said = run("own_servers.py").stdout

    assert [] == [line for line in said.splitlines() if line != line.rstrip()]


def test_what_must_stay_in_the_house_passes_the_proxy_over(run):
    said = run("own_servers.py").stdout

    first, second = said.split("\n\n")
    assert "via litellm" in first
    assert "via ollama" in second
    assert "- litellm:gpt-4o: " in second


@pytest.mark.skipif(find_spec("openai") is None, reason="openai is not installed")
def test_before_an_outage_was_an_error_and_half_an_answer_a_whole_one(run):
    down = run("moving_from_openai.py", "--simulate=refused").stdout
    half = run("moving_from_try_except.py", "--simulate=end_without_finish").stdout

    assert "before: APIConnectionError\n" in down
    assert f"after:  {ANSWER}\n" in down
    assert "before: Simulated answer\n" in half
    assert f"after:  {ANSWER}\n" in half


@pytest.mark.skipif(find_spec("litellm") is None, reason="litellm is not installed")
def test_litellm_gives_the_same_before(run):
    said = run("moving_from_litellm.py", LITELLM_LOCAL_MODEL_COST_MAP="True", PYTHONWARNINGS="")

    assert f"before: {ANSWER}\n" in said.stdout
