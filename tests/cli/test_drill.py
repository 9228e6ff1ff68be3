"""The drill: run once for real, and then made to fail in every way it promises to notice."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest

from openrouter_resilient import errors
from openrouter_resilient.cli import main
from openrouter_resilient.cli.drill import acts, promises, scenes, stage, telling
from openrouter_resilient.cli.drill.promises import Promise, broken
from openrouter_resilient.cli.drill.scenes import SCENES, Scene, healthy, plays
from openrouter_resilient.client import Client
from openrouter_resilient.served import UpstreamAttempt

WELL, MODEL_DOWN, HANGS, DOWN, *_ = SCENES
CUT = next(scene for scene in SCENES if scene.name == "stream cut off")
EARLY = next(scene for scene in SCENES if scene.name.startswith("stream ends early"))
QUICK = tuple(scene for scene in SCENES if scene is not HANGS and not scene.remembers)
ANYWHERE_S = 20.0


def play(*row: Scene) -> Sequence[stage.Played]:
    return list(stage.rehearse(row))


def test_the_whole_drill_keeps_every_promise_whatever_the_users_own_settings_say(run, tmp_path):
    (tmp_path / ".env").write_text("OPENROUTER_RESILIENT_FALLBACKS=nobody:nothing\n")
    (tmp_path / "netrc").write_text("default login their password own\n")
    (tmp_path / "netrc").chmod(0o600)
    theirs = {
        "TMPDIR": str(tmp_path),
        "NETRC": str(tmp_path / "netrc"),
        "OPENROUTER_API_KEY": "sk-or-v1-their-own",
        "OPENROUTER_BASE_URL": "http://127.0.0.1:9/api/v1",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
    }

    ended = run("drill", "--json", **theirs)

    told = json.loads(ended.stdout)
    by_name = {scene["name"]: scene for scene in told["scenes"]}
    assert (0, "", True) == (ended.returncode, ended.stderr, told["kept"])
    assert [scene.name for scene in SCENES] == list(by_name)
    assert [[]] * len(SCENES) == [scene["broken"] for scene in told["scenes"]]
    assert told["seconds"] < ANYWHERE_S
    assert 3 == by_name["down for longer"]["calls_before"]
    assert by_name["back again"]["calls_before"] > 0
    assert by_name["back again"]["waited"] > 4
    assert by_name["stream cut off"]["text"] == "Simulated answer"
    assert by_name["stream cut off"]["raised"] == "StreamInterrupted"
    assert {"all is well": "the answer", "back again": "the answer"} == {
        name: scene["alone"]["told"] for name, scene in by_name.items() if scene["alone"]["right"]
    }
    assert by_name["OpenRouter hangs"]["alone"]["told"] == "ReadTimeout"
    assert by_name["stream ends early, as if it were whole"]["alone"]["told"].startswith("half a")


class TestExitCode:
    def test_promises_that_are_kept_end_with_0(self, monkeypatch, capsys):
        monkeypatch.setattr(scenes, "SCENES", (WELL,))

        assert main(["drill"]) == 0
        assert "1 of 1 promises kept" in capsys.readouterr().out

    @pytest.mark.parametrize("form", [[], ["--json"]])
    def test_an_impossible_bound_ends_with_1(self, monkeypatch, capsys, form):
        impossible = replace(WELL, promise=replace(WELL.promise, within=0.0))
        monkeypatch.setattr(scenes, "SCENES", (impossible, WELL))

        assert main(["drill", *form]) == 1
        assert "s, and may take 0 s" in capsys.readouterr().out

    def test_a_client_that_names_another_model_than_the_reply_did_ends_with_1(
        self, monkeypatch, capsys
    ):
        honest = Client.complete

        def lying(*args, **kwargs):
            completion = honest(*args, **kwargs)
            completion._served = replace(completion.served, model="openai/gpt-9")
            return completion

        monkeypatch.setattr(Client, "complete", lying)
        monkeypatch.setattr(scenes, "SCENES", (WELL,))

        assert main(["drill"]) == 1
        shown = capsys.readouterr().out
        assert "model is told as openai/gpt-9, and was anthropic/claude-sonnet-5" in shown
        assert "0 of 1 promises kept" in shown

    def test_a_client_that_starts_again_under_shown_text_ends_with_1(self, monkeypatch, capsys):
        honest = Client.stream

        def restarting(client, prompt):
            class Restarted:
                def __enter__(self):
                    return self

                def __exit__(self, *error):
                    pass

                def __iter__(self):
                    try:
                        yield from honest(client, prompt)
                    except errors.StreamInterrupted:
                        yield client.complete(prompt, model="openai/gpt-4o", fallbacks=()).text

            return Restarted()

        monkeypatch.setattr(Client, "stream", restarting)
        monkeypatch.setattr(scenes, "SCENES", (EARLY,))

        assert main(["drill"]) == 1
        assert "it should have raised StreamInterrupted" in capsys.readouterr().out

    def test_a_client_that_crashes_ends_with_1_and_the_drill_goes_on(self, monkeypatch, capsys):
        def crashing(*args, **kwargs):
            raise ZeroDivisionError("a defect")

        monkeypatch.setattr(Client, "complete", crashing)
        monkeypatch.setattr(scenes, "SCENES", (WELL, CUT))

        assert main(["drill"]) == 1
        shown = capsys.readouterr().out
        assert "it raised ZeroDivisionError: a defect" in shown
        assert "1 of 2 promises kept" in shown


@pytest.fixture(scope="module")
def rehearsed():
    """Four scenes, each with what the client saw and what the simulator recorded."""
    kept = {}
    judge = promises.broken
    with pytest.MonkeyPatch.context() as patch:

        def judging(promise, seen, received):
            kept[promise] = (seen, received)
            return judge(promise, seen, received)

        patch.setattr(promises, "broken", judging)
        play(WELL, MODEL_DOWN, DOWN, CUT)
    return kept


def served(**change):
    return lambda seen: replace(seen, served=replace(seen.served, **change))


def with_error(error):
    return lambda seen: replace(seen, error=error)


def other_partial(seen):
    error = errors.StreamInterrupted("cut")
    error.partial = seen.error.partial.model_copy(deep=True)
    error.partial._served = seen.error.partial.served
    error.partial.choices[0].message.content = "something else"
    return replace(seen, error=error)


def other_upstream(seen):
    *most, last = seen.attempts
    upstream = (UpstreamAttempt("Nobody", "a/b", 200),)
    return replace(seen, attempts=(*most, replace(last, upstream=upstream)))


LIES = [
    (WELL, served(model="openai/gpt-9"), "model is told as openai/gpt-9"),
    (WELL, served(provider="Nobody"), "provider is told as Nobody"),
    (WELL, served(generation_id=None), "generation_id is told as None"),
    (WELL, served(cost=0.0), "cost is told as 0.0"),
    (WELL, served(endpoint="openai"), "openrouter should have served it, and openai did"),
    (WELL, served(substituted=True), "served.substituted is True, and should be False"),
    (MODEL_DOWN, served(substituted=False), "served.substituted is False, and should be True"),
    (MODEL_DOWN, other_upstream, "upstream is told as"),
    (WELL, lambda seen: replace(seen, text=seen.text * 2), "that are not what was said"),
    (WELL, lambda seen: replace(seen, seconds=60.0), "it took 60.00 s"),
    (WELL, with_error(OSError("x")), "it raised OSError: x"),
    (DOWN, lambda seen: replace(seen, attempts=seen.attempts[1:]), "taken 2 attempts, and took 1"),
    (DOWN, lambda seen: replace(seen, attempts=seen.attempts[:1]), "it tells of requests to []"),
    (CUT, with_error(None), "should have raised StreamInterrupted, and raised nothing"),
    (CUT, with_error(errors.RoutesExhausted("x")), "and raised RoutesExhausted: x"),
    (CUT, lambda seen: replace(seen, text=seen.text + " twice"), "that are not what was said"),
    (CUT, other_partial, "partial text is not what was handed over"),
    (CUT, lambda seen: replace(seen, served=None), "and nobody did"),
]


@pytest.mark.parametrize(("scene", "lie", "sentence"), LIES)
def test_a_lie_is_noticed_and_the_truth_is_not_taken_for_one(rehearsed, scene, lie, sentence):
    seen, received = rehearsed[scene.promise]

    assert broken(scene.promise, seen, received) == []
    assert any(sentence in told for told in broken(scene.promise, lie(seen), received))


def test_a_server_that_nobody_saw_is_noticed(rehearsed):
    seen, _ = rehearsed[WELL.promise]

    assert "the client names a server, and none answered" in broken(WELL.promise, seen, [])


def test_a_request_that_is_not_told_of_is_noticed(rehearsed):
    seen, received = rehearsed[WELL.promise]

    told = broken(WELL.promise, seen, [*received, *received])

    assert [
        "it tells of requests to ['openrouter'], and ['openrouter', 'openrouter'] received one"
    ] == told


def test_calls_on_the_way_that_were_not_answered_are_noticed(rehearsed):
    seen, received = rehearsed[WELL.promise]
    failed = replace(seen, error=errors.CallFailed("x"))

    told = broken(WELL.promise, replace(seen, before=(seen, failed)), received)

    assert told == ["1 of 2 calls before it raised CallFailed: x"]


def test_whoever_is_back_too_late_is_noticed(rehearsed):
    seen, received = rehearsed[WELL.promise]
    promise = replace(WELL.promise, back_within=6.5)

    assert broken(promise, replace(seen, waited=6.4), received) == []
    told = broken(promise, replace(seen, waited=9.0), received)
    assert told == ["it was 9.0 s until it was back, and may be 6.5 s"]


def test_every_check_is_in_the_list():
    named = {
        name
        for name, value in vars(promises).items()
        if callable(value) and getattr(value, "__annotations__", {}).get("return") == "str | None"
    }

    assert named == {check.__name__ for check in promises.CHECKS}


def test_waiting_for_openrouter_ends_when_patience_does(make_client, simulator, monkeypatch):
    monkeypatch.setattr(acts, "PATIENCE_S", 0.0)
    monkeypatch.setattr(acts, "PAUSE_S", 0.0)
    simulator.outage("openrouter")

    seen = acts.until_back(make_client(), iter(["first", "second"]))

    assert seen.served.endpoint == "openai"
    assert seen.waited > 0


@pytest.mark.parametrize(
    ("fault", "act", "told"),
    [
        ("status_500", acts.once, "HTTP 500"),
        ("accept_and_close", acts.once, "ConnectionError"),
        ("html_200", acts.once, "JSONDecodeError"),
        ("cut_mid_stream", acts.streamed, "ChunkedEncodingError"),
        ("end_without_finish", acts.streamed, "half a text, taken for whole"),
        ("no_done", acts.streamed, "the answer"),
    ],
)
def test_what_a_single_provider_gives_is_told_as_it_was(fault, act, told):
    (played,) = play(Scene("x", plays(fault), act, Promise("openai", 2, within=9)))

    assert told == played.alone.told
    assert (told == "the answer") is played.alone.right


def test_an_answer_of_an_unexpected_form_is_told_of_the_single_provider_too():
    (played,) = play(Scene("x", plays("choices_empty"), acts.once, Promise("openai", 2, within=9)))

    assert (False, "IndexError") == (played.alone.right, played.alone.told)


@pytest.fixture(scope="module")
def quick():
    """Every scene that waits for nothing, played once."""
    return play(*QUICK)


class TestTable:
    @pytest.mark.parametrize(("columns", "widest"), [(60, 80), (80, 80), (100, 100), (200, 120)])
    def test_it_fits_the_terminal(self, quick, monkeypatch, capsys, columns, widest):
        monkeypatch.setenv("COLUMNS", str(columns))

        assert telling.as_table(quick) is True

        lines = capsys.readouterr().out.splitlines()
        assert max(map(len, lines)) <= widest
        assert [column.title for column in telling.COLUMNS[2:6]] == re.findall(
            r"served by|time|tries|kept", lines[0]
        )

    @pytest.mark.parametrize("columns", [80, 120])
    def test_nothing_is_lost_in_wrapping(self, quick, monkeypatch, capsys, columns):
        monkeypatch.setenv("COLUMNS", str(columns))

        telling.as_table(quick)

        body = capsys.readouterr().out.rpartition("--\n")[2]
        *blocks, _verdict = body.split("\n\n")
        for played, block in zip(quick, blocks, strict=True):
            at = 0
            for column, width in zip(telling.COLUMNS, telling._widths(columns), strict=True):
                shown = "".join(line[at : at + width] for line in block.splitlines())
                assert column.cell(played).replace(" ", "") == shown.replace(" ", "")
                at += width + len(telling.GAP)

    @pytest.mark.parametrize(
        ("text", "width", "lines"),
        [
            ("openai answered", 20, ["openai answered"]),
            ("openai answered", 10, ["openai", "answered"]),
            ("openai/gpt-5-2025-08-07", 14, ["openai/gpt-5-", "2025-08-07"]),
            ("ConnectionError", 11, ["Connection", "Error"]),
            ("incomprehensibilities", 8, ["incompre", "hensibil", "ities"]),
            ("", 8, [""]),
        ],
    )
    def test_a_cell_is_cut_where_it_reads_best(self, text, width, lines):
        assert lines == telling.wrap(text, width)

    def test_a_verdict_is_coloured_on_a_terminal_and_plain_elsewhere(
        self, quick, monkeypatch, capsys
    ):
        failed = replace(quick[0], broken=["it took too long"])

        telling.as_table([quick[0], failed])
        plain = capsys.readouterr().out
        monkeypatch.setattr(telling, "colourful", lambda _stream: True)
        telling.as_table([quick[0], failed])
        coloured = capsys.readouterr().out

        assert "\x1b" not in plain
        assert "    broken promise: it took too long\n" in plain
        assert coloured.count("\x1b[32myes\x1b[0m") == 1
        assert coloured.count("\x1b[31mNO\x1b[0m") == 1

    def test_calls_that_went_alike_are_told_once(self, quick):
        longer = next(played for played in quick if played.scene.name == "down for longer")

        assert telling._happened(longer) == (
            "3 x openrouter refused, openai answered; then openai answered"
        )

    def test_attempts_that_openrouter_made_itself_are_told(self, quick):
        model_down = next(played for played in quick if played.scene is MODEL_DOWN)

        assert telling._happened(model_down) == "Anthropic 502, openrouter answered"


def test_a_scene_is_played_on_upstreams_that_are_healthy_but_for_what_it_says():
    after_an_outage = Scene("x", healthy, acts.once, Promise("openrouter", 1, within=9))

    first, second = play(DOWN, after_an_outage)

    assert ([], []) == (first.broken, second.broken)


def test_the_environment_is_as_it_was_after_a_drill(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "theirs")

    play(WELL)

    import os

    assert ("theirs", None) == (os.environ["NO_PROXY"], os.environ.get("no_proxy"))
