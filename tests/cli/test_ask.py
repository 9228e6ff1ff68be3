"""`ask` as its users meet it: what is on stdout, what is on stderr, and the exit code."""

from __future__ import annotations

import json
import re
import signal
import sys

import pytest

from openrouter_resilient.cli import ask, main
from openrouter_resilient.client import Client

PROMPT = "Name three rivers."
ANSWER = f"Simulated answer to: {PROMPT}"
FACES = ("openrouter", "openai", "groq", "anthropic")


def last_body(simulator, face="openrouter"):
    return simulator.received(face)[-1].body


class TestAsAProcess:
    def test_the_answer_is_on_stdout_and_who_served_it_on_stderr(self, run):
        ended = run("ask", PROMPT)

        assert (0, f"{ANSWER}\n") == (ended.returncode, ended.stdout)
        assert ended.stderr.startswith(
            "anthropic/claude-sonnet-5-20260630 via openrouter (Anthropic), 1 attempt, "
        )
        assert ended.stderr.count("\n") == 1

    @pytest.mark.parametrize("arguments", [(), ("-",)])
    def test_without_a_prompt_or_with_a_dash_it_reads_stdin(self, run, arguments):
        ended = run("ask", *arguments, stdin="Où est la Seine ?\nEt le Rhône ?".encode())

        assert ended.stdout == "Simulated answer to: Où est la Seine ?\nEt le Rhône ?\n"

    def test_json_is_one_object_with_who_served_it_and_the_attempts(self, run, simulator):
        simulator.outage("openrouter")

        ended = run("ask", "--json", PROMPT)

        told = json.loads(ended.stdout)
        said = simulator.received("openai")[-1].answered
        assert (0, ANSWER, None) == (ended.returncode, told["text"], told["error"])
        assert (said.model, said.generation_id) == (
            told["served"]["model"],
            told["served"]["generation_id"],
        )
        assert [("openrouter", "refused"), ("openai", None)] == [
            (attempt["endpoint"], attempt["fault"]) for attempt in told["attempts"]
        ]
        assert "attempts" not in told["served"]

    def test_failover_is_warned_of_in_one_line_each(self, run, simulator):
        simulator.outage("openrouter")
        simulator.play("openai", "status_401")

        ended = run("ask", PROMPT)

        first, second, served = ended.stderr.splitlines()
        assert re.match(r"warning: openrouter failed after [\d.]+ s, refused: ", first)
        assert re.match(r"warning: openai failed after [\d.]+ s, unauthorized \(401\): ", second)
        assert served.startswith("llama-3.3-70b-versatile via groq, 3 attempts, ")

    def test_quiet_says_nothing_on_stderr_even_when_it_fails_over(self, run, simulator):
        simulator.outage("openrouter")

        ended = run("ask", "-q", PROMPT)

        assert (0, f"{ANSWER}\n", "") == (ended.returncode, ended.stdout, ended.stderr)

    def test_without_any_key_it_ends_with_2_and_says_which_variable_to_set(self, run, simulator):
        ended = run("ask", PROMPT, **dict.fromkeys(simulator.environment(), ""))

        assert (2, "") == (ended.returncode, ended.stdout)
        assert ended.stderr.startswith("error: no key is set. Set OPENROUTER_API_KEY ")
        assert ended.stderr.count("\n") == 1

    def test_a_refused_request_ends_with_3_and_is_asked_once(self, run, simulator):
        simulator.play("openrouter", "status_400")

        ended = run("ask", PROMPT)

        assert (3, "") == (ended.returncode, ended.stdout)
        assert ended.stderr.startswith("error: openrouter refused the request 400 ")
        assert len(simulator.requests) == 1

    def test_when_nobody_answers_it_ends_with_4(self, run, simulator):
        simulator.outage("openrouter")

        ended = run("ask", "-q", "--no-fallback", "--deadline", "5", PROMPT)

        assert (4, "") == (ended.returncode, ended.stdout)
        assert ended.stderr.startswith("error: every route failed: ")
        assert ended.stderr.count("\n") == 1

    def test_a_broken_stream_ends_with_5_and_what_came_stays(self, run, simulator):
        simulator.play("openrouter", "cut_mid_stream", after=2)

        ended = run("ask", "-q", PROMPT)

        assert (5, "Simulated answer\n") == (ended.returncode, ended.stdout)
        assert ended.stderr.startswith("error: the stream from openrouter broke ")
        assert len(simulator.requests) == 1

    def test_a_json_answer_that_is_cut_off_is_asked_elsewhere(self, run, simulator):
        simulator.play("openrouter", "cut_mid_stream", after=2)

        ended = run("ask", "--json", PROMPT)

        told = json.loads(ended.stdout)
        assert (0, "openai") == (ended.returncode, told["served"]["endpoint"])
        assert "truncated" == told["attempts"][0]["fault"]

    def test_a_reader_that_has_had_enough_is_no_failure(self, start, simulator):
        simulator.answer = "river " * 100_000  # many times what a pipe holds

        process = start("ask", "-q", PROMPT)
        process.stdout.read(6)
        process.stdout.close()

        assert process.wait(30) == 0
        assert process.stderr.read() == b""

    def test_text_is_there_as_it_comes_and_ctrl_c_leaves_quietly_with_130(self, start, simulator):
        simulator.play("openrouter", "stall_mid_stream", after=2)
        as_on_a_terminal = (  # where a test runs in the background, Ctrl-C would be ignored
            "import signal, sys\n"
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "from openrouter_resilient.cli import main\n"
            "sys.exit(main())"
        )

        process = start("ask", "--no-fallback", PROMPT, python=("-c", as_on_a_terminal))
        came = process.stdout.read(len(b"Simulated answer"))
        process.send_signal(signal.SIGINT)
        rest, said = process.communicate(timeout=30)

        assert came == b"Simulated answer"
        assert (130, b"\n", b"error: interrupted\n") == (process.returncode, rest, said)

    @pytest.mark.parametrize("fault", ["status_401", "status_400", "cut_mid_stream", "refused"])
    @pytest.mark.parametrize("form", [(), ("--json",)])
    def test_no_key_is_ever_printed(self, run, simulator, fault, form):
        simulator.play("openrouter", fault)

        ended = run("ask", *form, PROMPT)

        written = ended.stdout + ended.stderr
        assert written
        assert [face for face in FACES if simulator.key(face) in written] == []

    def test_a_prompt_that_is_not_utf8_is_named_as_such(self, run, simulator):
        ended = run("ask", stdin=b"\xff\xfe\xfa")

        assert (2, "") == (ended.returncode, ended.stdout)
        assert ended.stderr == "error: the prompt on stdin is not UTF-8\n"
        assert simulator.requests == []

    def test_a_character_that_the_output_lacks_is_replaced(self, run, simulator):
        simulator.answer = "Rhône, \U0001f30a"

        ended = run("ask", "-q", PROMPT, PYTHONIOENCODING="ascii")

        assert (0, "Rh?ne, ?\n", "") == (ended.returncode, ended.stdout, ended.stderr)

    @pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
    def test_no_character_of_an_object_is_lost_whatever_the_output_lacks(
        self, run, simulator, encoding
    ):
        simulator.answer = "Rhône, \U0001f30a"

        ended = run("ask", "--json", PROMPT, PYTHONIOENCODING=encoding)

        assert "Rhône, \U0001f30a" == json.loads(ended.stdout)["text"]
        assert ("Rhône" in ended.stdout) is (encoding == "utf-8")


@pytest.mark.usefixtures("settings")
class TestArguments:
    def test_words_are_joined_to_one_prompt(self, simulator):
        assert main(["ask", "-q", "Name", "three", "rivers."]) == 0

        assert last_body(simulator)["messages"] == [{"role": "user", "content": PROMPT}]

    def test_the_system_text_and_the_parameters_are_sent(self, simulator):
        given = ["--system", "Be brief.", "--max-tokens", "7", "--temperature", "0.5"]

        assert main(["ask", "-q", *given, PROMPT]) == 0

        body = last_body(simulator)
        assert body["messages"][0] == {"role": "system", "content": "Be brief."}
        assert (7, 0.5) == (body["max_tokens"], body["temperature"])

    def test_models_are_asked_in_the_order_they_are_given(self, simulator):
        given = ["--model", "openai/gpt-4o", "--model", "google/gemini-2.5-pro"]

        assert main(["ask", "-q", *given, PROMPT]) == 0

        body = last_body(simulator)
        assert ["openai/gpt-4o", "google/gemini-2.5-pro"] == body["models"]

    def test_fallbacks_are_asked_in_the_order_they_are_given(self, simulator, capsys):
        simulator.outage("openrouter")
        simulator.outage("groq")

        assert main(["ask", "-q", "--fallback", "groq", "--fallback", "anthropic", PROMPT]) == 0

        assert [request.face for request in simulator.requests] == ["anthropic"]

    def test_no_fallback_asks_nobody_else(self, simulator):
        simulator.play("openrouter", "status_401")

        assert main(["ask", "-q", "--no-fallback", PROMPT]) == 4

        assert {request.face for request in simulator.requests} == {"openrouter"}

    def test_the_deadline_is_that_of_the_whole_call(self, simulator, monkeypatch):
        given = []
        made = Client.__init__

        def noting(self, models, *, deadline, **options):
            given.append(deadline)
            made(self, models, deadline=deadline, **options)

        monkeypatch.setattr(Client, "__init__", noting)

        assert main(["ask", "-q", "--deadline", "2.5", PROMPT]) == 0

        assert given == [2.5]

    @pytest.mark.parametrize(("given", "streams"), [((), True), (("--whole",), False)])
    def test_whole_asks_for_one_body(self, simulator, capsys, given, streams):
        assert main(["ask", "-q", *given, PROMPT]) == 0

        assert last_body(simulator).get("stream", False) is streams
        assert capsys.readouterr().out == f"{ANSWER}\n"

    def test_a_whole_answer_that_is_cut_off_is_asked_elsewhere(self, simulator, capsys):
        simulator.play("openrouter", "truncated_length")

        assert main(["ask", "-q", "--whole", PROMPT]) == 0

        assert capsys.readouterr().out == f"{ANSWER}\n"
        assert simulator.requests[-1].face == "openai"

    def test_what_an_endpoint_could_not_be_told_is_warned_of(self, simulator, capsys, monkeypatch):
        simulator.outage("openrouter")
        stream = Client.stream
        monkeypatch.setattr(
            Client, "stream", lambda *a, **k: stream(*a, session_id="of this test", **k)
        )

        assert main(["ask", PROMPT]) == 0

        assert "warning: " in capsys.readouterr().err.splitlines()[1]

    @pytest.mark.parametrize(
        ("terminal", "said"),
        [(True, "Simulated answer\nwarning: "), (False, "Simulated answerwarning: ")],
    )
    def test_a_warning_has_a_line_of_its_own_on_a_terminal_and_a_file_has_the_answer_alone(
        self, simulator, capsys, monkeypatch, terminal, said
    ):
        simulator.play("openrouter", "cut_mid_stream", after=2)
        monkeypatch.setattr(sys, "stderr", sys.stdout)  # one screen shows both
        monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)

        assert 5 == main(["ask", PROMPT])

        assert capsys.readouterr().out.startswith(said)

    def test_an_answer_that_ends_its_line_gets_no_second_end(self, simulator, capsys):
        simulator.answer = "Rhine, Rhone, Seine\n"

        assert main(["ask", "-q", PROMPT]) == 0

        assert capsys.readouterr().out == "Rhine, Rhone, Seine\n"

    @pytest.mark.parametrize(
        "given",
        [
            ("--deadline", "0"),
            ("--deadline", "soon"),
            ("--deadline", "inf"),
            ("--max-tokens", "0"),
            ("--max-tokens", "2.5"),
            ("--temperature", "nan"),
            ("--fallback", "groq", "--no-fallback"),
        ],
    )
    def test_a_senseless_argument_is_refused_before_anything_is_sent(self, simulator, given):
        with pytest.raises(SystemExit) as left:
            main(["ask", PROMPT, *given])

        assert left.value.code == 2
        assert simulator.requests == []

    @pytest.mark.parametrize("given", ["  ", "\udcff"])
    def test_an_empty_or_unreadable_prompt_is_a_usage_error(self, simulator, capsys, given):
        assert main(["ask", given]) == 2

        assert capsys.readouterr().err.startswith("error: the prompt is ")
        assert simulator.requests == []

    def test_an_unreadable_system_text_is_a_usage_error(self, simulator, capsys):
        assert main(["ask", PROMPT, "--system", "\udcff"]) == 2

        assert "error: the system text is not UTF-8\n" == capsys.readouterr().err
        assert simulator.requests == []

    def test_a_mistyped_model_is_a_configuration_error_in_the_object_too(self, capsys):
        assert main(["ask", "--json", "--model", "gpt-4o", PROMPT]) == 2

        told = json.loads(capsys.readouterr().out)
        assert "ConfigurationError" == told["error"]["type"]
        assert (None, []) == (told["served"], told["attempts"])

    def test_ctrl_c_before_any_text_leaves_stdout_empty(self, capsys, monkeypatch):
        def interrupted(*args, **kwargs):
            raise KeyboardInterrupt

        monkeypatch.setattr(Client, "stream", interrupted)
        monkeypatch.setattr(Client, "complete", interrupted)

        assert main(["ask", "--json", PROMPT]) == 130
        assert main(["ask", PROMPT]) == 130
        assert capsys.readouterr().out == ""


def test_a_stdin_that_is_closed_is_an_empty_prompt(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", None)

    assert main(["ask"]) == 2
    assert capsys.readouterr().err.startswith("error: the prompt is empty")


def test_somebody_at_a_terminal_is_told_how_to_end_the_prompt(monkeypatch, capsys):
    class Terminal:
        buffer = None

        def isatty(self):
            return True

    Terminal.buffer = type("Typed", (), {"read": staticmethod(lambda: b"typed")})
    monkeypatch.setattr("sys.stdin", Terminal())

    assert ask._prompt([]) == "typed"
    assert "Ctrl-D" in capsys.readouterr().err
