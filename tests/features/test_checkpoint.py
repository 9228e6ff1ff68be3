"""The file of a batch: what is in it, what is not, and how it survives being cut off."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openrouter_resilient import ConfigurationError, image

PROMPTS = ["one", "two", "three"]
PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.jsonl"


@pytest.fixture
def run(make_client, path):
    """Goes through the prompts with the checkpoint."""

    def go(prompts=PROMPTS, **params):
        return make_client().map(prompts, checkpoint=path, progress=False, **params)

    return go


def test_a_second_run_asks_nothing_and_gives_the_same(simulator, run):
    first = run()
    simulator.forget()

    second = run()

    assert not simulator.requests
    assert [answer.text for answer in first] == [answer.text for answer in second]
    assert [answer.served for answer in first] == [answer.served for answer in second]
    assert [answer.model_dump() for answer in first] == [answer.model_dump() for answer in second]


def test_only_what_is_missing_is_asked(run, asked, simulator):
    run(["one", "three"])
    simulator.forget()

    answers = run(["zero", "one", "two", "three"])

    assert {"zero": 1, "two": 1} == asked()
    assert ["zero", "one", "two", "three"] == [answer.text.split()[-1] for answer in answers]


def test_a_prompt_that_stands_twice_is_asked_twice_and_each_answer_kept(run, asked, simulator):
    run(["same", "same"])
    assert {"same": 2} == asked()
    simulator.forget()

    run(["same", "same", "same"])

    assert {"same": 1} == asked()


@pytest.mark.parametrize(
    "params", [{"temperature": 1.0}, {"system": "x"}, {"model": "openai/gpt-4o"}]
)
def test_another_question_is_another_answer(simulator, run, params):
    run()
    simulator.forget()

    run(**params)

    assert len(PROMPTS) == len(simulator.requests)


def test_how_it_is_asked_makes_no_other_question(simulator, run):
    run()
    simulator.forget()

    run(deadline=20.0, hedge_after=5.0, fallbacks=(), wire="whole")

    assert not simulator.requests


def test_in_an_outage_of_everybody_what_failed_is_asked_again_next_time(
    simulator, make_client, path
):
    simulator.outage("openrouter")
    alone = make_client(fallbacks=(), rounds=1)
    failed = alone.map(PROMPTS, checkpoint=path, progress=False)
    simulator.heal()

    answers = alone.map(PROMPTS, checkpoint=path, progress=False, deadline=20.0)

    assert all(isinstance(error, Exception) for error in failed)
    assert PROMPTS == [answer.text.split()[-1] for answer in answers]


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_last_line_that_was_torn_off_is_as_if_it_never_was(run, path, asked, simulator, cut):
    run(workers=1)
    path.write_bytes(path.read_bytes()[:-cut])
    simulator.forget()

    run()

    assert ({} if cut == 1 else {"three": 1}) == asked()  # the end of a line alone loses nothing
    assert 3 == len([json.loads(line) for line in path.read_text().splitlines()])


def test_each_answer_is_in_the_file_before_the_next_prompt_is_asked(simulator, run, path):
    lines = []
    simulator.answer = lambda _face, _body: lines.append(path.read_text().count("\n")) or "ok"

    run(workers=1)

    assert [0, 1, 2] == lines


def test_no_key_is_ever_in_it(simulator, run, path):
    run(extra_headers=None, system="s")

    text = path.read_text()
    assert not [face for face in ("openrouter", "openai") if simulator.key(face) in text]


def test_a_file_that_is_none_is_left_as_it_is(run, path):
    path.write_text('{"some": "other"}\n[1, 2]\n')

    with pytest.raises(ConfigurationError, match=r"line 1 of .* is no line of a checkpoint"):
        run()

    assert '{"some": "other"}\n[1, 2]\n' == path.read_text()


@pytest.mark.parametrize(
    "damage",
    [
        {"completion": {"id": "x"}},
        {"completion": {"choices": "none"}},
        {"completion": None},
        {"served": {}},
        {"served": []},
        {"prompt": [1]},
        {"prompt": None},
    ],
)
def test_a_damaged_line_is_named_before_anything_is_asked(run, path, simulator, damage):
    run(workers=1)
    first, second, third = path.read_text().splitlines()
    path.write_text(f"{first}\n{json.dumps({**json.loads(second), **damage})}\n{third}\n")
    before = path.read_text()
    simulator.forget()

    with pytest.raises(ConfigurationError, match=r"line 2 of .* is no line of a checkpoint"):
        run()

    assert not simulator.requests
    assert before == path.read_text()


@pytest.mark.parametrize("text", ['{"some": "other"}', "some notes", "[" * 100_000, "7"])
def test_a_file_of_one_line_without_its_end_that_is_none_is_left_as_it_is(run, path, text):
    path.write_text(text)

    with pytest.raises(ConfigurationError, match="line 1 of"):
        run()

    assert text == path.read_text()


def test_two_runs_do_not_share_a_file(simulator, make_client, run, path):
    caught = []

    def meanwhile(_face, _body):
        try:
            run(["other"])
        except ConfigurationError as error:
            caught.append(str(error))
        return "ok"

    simulator.answer = meanwhile
    run(["one"])

    assert "another run is writing" in caught[0]


def test_odd_characters_come_back_as_they_were(simulator, run):
    simulator.answer = "\u2028 \x00 \U0001f600 \u00e4 \n\r end"

    first, second = run(["one"]), run(["one"])

    assert first[0].text == second[0].text


@pytest.mark.parametrize("kind", ["parts", "bytes", "path", "PIL", "matplotlib"])
def test_a_prompt_with_a_picture_is_known_again(simulator, run, tmp_path, kind):
    def picture():
        """A new object each time, as in a new run."""
        if kind == "PIL":
            return pytest.importorskip("PIL.Image").new("RGB", (3, 2))
        if kind == "matplotlib":
            return pytest.importorskip("matplotlib.figure").Figure(figsize=(1, 1))
        (tmp_path / "picture.png").write_bytes(PNG)
        return {"parts": image(PNG), "bytes": PNG, "path": tmp_path / "picture.png"}[kind]

    first = run([["What is this?", picture()]])
    simulator.forget()

    second = run([["What is this?", picture()]])

    assert not simulator.requests
    assert "Simulated answer to: What is this? (and 1 picture)" == first[0].text == second[0].text


def test_another_picture_is_another_question(simulator, run):
    run([["What is this?", PNG]])
    simulator.forget()

    run([["What is this?", PNG + b"more"]])

    assert 1 == len(simulator.requests)


def test_a_malformed_prompt_is_an_error_in_its_place(run):
    one, wrong, gone, three = run(["one", "", ["What?", Path("no.png")], "three"])

    assert isinstance(wrong, ValueError)
    assert isinstance(gone, FileNotFoundError)
    assert "one" in one.text
    assert "three" in three.text
