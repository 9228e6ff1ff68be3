"""What was recorded is answered again, with no key and no network; what was not is an error."""

from __future__ import annotations

import json
import os
import pickle
import threading

import pytest

from openrouter_resilient import (
    Chaos,
    Client,
    ConfigurationError,
    NotRecorded,
    Replay,
    RoutesExhausted,
    StreamInterrupted,
)
from openrouter_resilient.wire.clock import VirtualClock

NO_KEYS = {}


@pytest.fixture
def lesson(tmp_path):
    return tmp_path / "lesson.jsonl"


@pytest.fixture
def make_replay(lesson):
    """A client with no key that answers from the lesson, asking as `make_client` does."""

    def make(**options):
        options.setdefault("environment", NO_KEYS)
        options.setdefault("replay", lesson)
        options.setdefault("fallbacks", ("openai:gpt-4o",))
        return Client("anthropic/claude-sonnet-5", **options)

    return make


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_replay_answers_as_it_was_answered_with_no_key_and_no_server(
    simulator, make_client, make_replay, lesson
):
    asked = make_client(record=lesson).complete("Name three rivers.", temperature=0.2)
    simulator.stop()

    again = make_replay().complete("Name three rivers.", temperature=0.2)

    assert asked.text == again.text
    assert (asked.id, asked.served.model, asked.served.cost, asked.served.generation_id) == (
        again.id,
        again.served.model,
        again.served.cost,
        again.served.generation_id,
    )


@pytest.mark.parametrize("wire", ["stream", "whole"])
def test_a_line_says_that_its_answer_is_whole(make_client, lesson, wire):
    make_client(record=lesson, wire=wire).complete("hi")

    assert "whole" == lines(lesson)[1]["end"]


def test_served_says_that_it_was_replayed(make_client, make_replay, lesson):
    asked = make_client(record=lesson).complete("hi")

    again = make_replay().complete("hi")

    assert (False, True) == (asked.served.replayed, again.served.replayed)
    assert str(again.served).endswith(", replayed")


def test_a_stream_comes_in_its_original_pieces(simulator, make_client, make_replay, lesson):
    simulator.latency("openrouter", between_tokens=0.002)
    with make_client(record=lesson).stream("Tell me of the Danube.") as stream:
        asked = list(stream)

    with make_replay().stream("Tell me of the Danube.") as stream:
        again = list(stream)

    assert asked == again
    assert len(asked) > 1
    pieces = lines(lesson)[1]["pieces"]
    assert len(pieces) > len(asked) / 2  # as the network cut them, not joined to one


def test_a_character_cut_in_two_replays_as_it_came(simulator, make_client, make_replay, lesson):
    simulator.play("openrouter", "cut_mid_utf8")

    def words(client):
        with pytest.raises(StreamInterrupted) as caught, client.stream("hi") as stream:
            list(stream)
        return caught.value.partial.text

    assert words(make_client(record=lesson)) == words(make_replay())
    assert "base64" in lesson.read_text()


def test_an_outage_and_its_failover_replay_too(simulator, make_client, make_replay, lesson):
    simulator.outage("openrouter")
    asked = make_client(record=lesson).complete("hi")
    simulator.stop()

    again = make_replay().complete("hi")

    assert [("openrouter", "refused"), ("openai", None)] == [
        (attempt.endpoint, attempt.fault) for attempt in again.served.attempts
    ]
    assert asked.text == again.text


def test_a_fallback_that_was_there_by_its_key_alone_is_there_again(
    simulator, make_client, make_replay, lesson
):
    simulator.play("openrouter", "status_503")
    environment = simulator.environment()
    for name in ("GROQ_API_KEY", "ANTHROPIC_API_KEY"):
        del environment[name]
    make_client(record=lesson, fallbacks=None, environment=environment).complete("hi")

    again = make_replay(fallbacks=None, environment={"GROQ_API_KEY": "the-pupils-own"})

    assert "openai" == again.complete("hi").served.endpoint
    assert "groq" not in repr(again)


def test_a_call_that_failed_fails_again(simulator, make_client, make_replay, lesson):
    for face in ("openrouter", "openai"):
        simulator.play(face, "status_402")
    with pytest.raises(RoutesExhausted):
        make_client(record=lesson, rounds=1).complete("hi")

    with pytest.raises(RoutesExhausted) as caught:
        make_replay(rounds=1).complete("hi")

    assert ["no_credit", "no_credit"] == [attempt.fault for attempt in caught.value.history]


def test_a_stream_that_broke_breaks_again_at_the_same_place(
    simulator, make_client, make_replay, lesson
):
    simulator.play("openrouter", "reset_mid_stream", after=2)

    def broken(client):
        with pytest.raises(StreamInterrupted) as caught, client.stream("hi") as stream:
            list(stream)
        return caught.value.partial.text, caught.value.history[0].fault

    asked = broken(make_client(record=lesson))

    assert asked == broken(make_replay())
    assert (True, "reset") == (bool(asked[0]), asked[1])


def test_a_stream_that_was_left_early_goes_no_further_than_it_did(
    simulator, make_client, make_replay, lesson
):
    simulator.latency("openrouter", between_tokens=0.05)
    with make_client(record=lesson).stream("Tell me of the Danube.") as stream:
        first = next(iter(stream))

    with (
        pytest.raises(StreamInterrupted, match="nobody read on") as caught,
        make_replay().stream("Tell me of the Danube.") as stream,
    ):
        list(stream)

    assert caught.value.partial.text.startswith(first)


def test_what_was_recorded_several_times_replays_in_order_and_then_the_last_again(
    simulator, make_client, make_replay, lesson
):
    recording = make_client(record=lesson)
    for text in ("one", "two"):
        simulator.answer = text
        recording.complete("hi")

    client = make_replay()

    assert ["one", "two", "two"] == [client.complete("hi").text for _ in range(3)]


def test_a_second_session_joins_the_first(simulator, make_client, make_replay, lesson):
    for text in ("one", "two"):
        simulator.answer = text
        make_client(record=lesson).complete("hi")

    client = make_replay()

    assert ["one", "two"] == [client.complete("hi").text for _ in range(2)]


def test_a_request_that_is_not_there_is_an_error_that_shows_the_nearest(
    make_client, make_replay, lesson
):
    recording = make_client(record=lesson)
    recording.complete("Name three rivers.", temperature=0.2)
    recording.complete("What is the time?")

    with pytest.raises(NotRecorded) as caught:
        make_replay().complete("Name three lakes.", temperature=0.7)

    told = str(caught.value)
    assert f"{lesson} has no answer to this request to openrouter" in told
    assert "on line 2" in told
    assert "temperature was 0.2, is 0.7" in told
    assert "messages[0].content differs from character 12 on" in told
    assert 2 == caught.value.line
    assert "Name three rivers." == caught.value.nearest["messages"][0]["content"]


def test_neither_the_message_nor_the_pickle_of_that_error_holds_a_prompt(
    make_client, make_replay, lesson
):
    make_client(record=lesson).complete("rivers-there")
    with pytest.raises(NotRecorded) as caught:
        make_replay().complete("lakes-here", stop="shore", models=["openai/gpt-4o"])

    copied = pickle.loads(pickle.dumps(caught.value))

    for shown in (str(caught.value), repr(caught.value), str(vars(copied)), str(copied)):
        assert "rivers" not in shown
        assert "lakes" not in shown
        assert "shore" not in shown
    assert "model" in str(caught.value)
    assert str(caught.value) == str(copied)


def test_a_request_to_another_endpoint_is_another_request(make_client, make_replay, lesson):
    make_client(record=lesson).complete("hi")

    with pytest.raises(NotRecorded, match=r"to openai.*it went to openrouter"):
        make_replay().complete("hi", model="openai:gpt-4o")


def test_a_recording_holds_no_key_even_where_a_server_echoes_it(
    simulator, make_client, make_replay, lesson
):
    simulator.answer = lambda _face, _body: f"your key is {simulator.key('openrouter')}, is it?"
    with make_client(record=lesson).stream(f"is it {simulator.key('openrouter')}?") as stream:
        assert simulator.key("openrouter") in "".join(stream)

    assert 12 <= len(simulator.key("openrouter"))
    assert simulator.key("openrouter") not in lesson.read_text()
    assert "your key is *****" in make_replay().complete(
        f"is it {'*' * len(simulator.key('openrouter'))}?"
    ).text  # fmt: skip


def test_a_key_too_short_to_guard_anything_does_not_spoil_an_answer(simulator, lesson):
    from openrouter_resilient import Endpoint

    simulator.answer = "ollama runs models"
    own = Endpoint("own", simulator.url("openai"), key="ollama")
    client = Client("own:gpt-4o", endpoints=[own], record=lesson, rounds=1)
    with client, pytest.raises(RoutesExhausted):  # the simulator accepts its own key only
        client.complete("Does ollama run?")

    assert "Does ollama run?" == lines(lesson)[1]["body"]["messages"][0]["content"]


def test_a_key_that_is_cut_over_two_pieces_is_masked_and_the_cuts_stay():
    from openrouter_resilient.transports.lesson import Piece
    from openrouter_resilient.transports.recorder import _masked_pieces

    pieces = [Piece(0.1, b"your key sk-"), Piece(0.2, b"secret is"), Piece(0.3, b" wrong")]

    masked = _masked_pieces(pieces, (b"sk-secret",))

    assert [b"your key ***", b"****** is", b" wrong"] == [piece.data for piece in masked]
    assert [0.1, 0.2, 0.3] == [piece.seconds for piece in masked]


def test_a_recording_keeps_no_header_of_a_request(make_client, lesson):
    from openrouter_resilient import Endpoint

    own = Endpoint("own", "http://127.0.0.1:9/v1", headers={"X-Api-Key": "a-header-key"})
    client = make_client("own:any", record=lesson, endpoints=[own], fallbacks=(), rounds=1)
    with pytest.raises(RoutesExhausted):
        client.complete("hi")

    assert "refused" == lines(lesson)[1]["end"]["kind"]
    assert "a-header-key" not in lesson.read_text()


def test_a_torn_last_line_is_passed_over_with_a_warning(make_client, make_replay, lesson, caplog):
    make_client(record=lesson).complete("hi")
    make_client(record=lesson).complete("again")
    torn = lesson.read_bytes()[:-40]
    lesson.write_bytes(torn)

    client = make_replay()

    assert client.complete("hi").text
    assert "line 4 of" in caplog.text
    with pytest.raises(NotRecorded):
        client.complete("again")


def test_a_session_after_a_torn_line_begins_on_a_line_of_its_own(make_client, make_replay, lesson):
    make_client(record=lesson).complete("hi")
    lesson.write_bytes(lesson.read_bytes()[:-40])

    make_client(record=lesson).complete("again")

    assert make_replay().complete("again").text


def test_many_threads_record_one_whole_line_each(make_client, make_replay, lesson):
    client = make_client(record=lesson)
    threads = [threading.Thread(target=client.complete, args=(f"n {n}",)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert 17 == len(lines(lesson))
    replay = make_replay()
    assert all(replay.complete(f"n {n}").text for n in range(16))


def test_a_replay_waits_only_if_a_pace_was_asked_for(simulator, make_client, make_replay, lesson):
    simulator.latency("openrouter", first_token=0.2)
    make_client(record=lesson).complete("hi")

    def seconds(replay):
        clock = VirtualClock()
        began = clock.now()
        make_replay(replay=replay, clock=clock).complete("hi")
        return clock.now() - began

    assert 0.0 == seconds(lesson)
    assert 0.2 <= seconds(Replay(lesson, pace=1.0)) < 5.0
    assert 0.4 <= seconds(Replay(lesson, pace=2.0)) < 10.0


def test_a_replay_that_is_slower_than_the_limit_is_silent(
    simulator, make_client, make_replay, lesson
):
    simulator.latency("openrouter", first_token=0.2)
    make_client(record=lesson).complete("hi")
    client = make_replay(replay=Replay(lesson, pace=100.0), clock=VirtualClock())

    with pytest.raises(NotRecorded, match="to openai"):  # asked next, and it was not asked then
        client.complete("hi", first_token_timeout=2.0)


def test_chaos_can_be_recorded_for_a_lesson_on_outages(make_client, make_replay, lesson):
    client = make_client(record=lesson, chaos=Chaos(rate=1.0, faults=["status_503"]), rounds=1)
    with pytest.raises(RoutesExhausted):
        client.complete("hi")

    assert {503} == {line["status"] for line in lines(lesson)[1:]}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"record": "a.jsonl", "replay": "b.jsonl"}, "either records or replays"),
        ({"replay": "nowhere.jsonl"}, "cannot be read.*record"),
        ({"record": "no/such/folder/a.jsonl"}, "cannot be written"),
    ],
)
def test_what_cannot_be_recorded_or_replayed_is_told_before_any_request(make_client, options, told):
    with pytest.raises(ConfigurationError, match=told):
        make_client(**options)


@pytest.mark.parametrize("text", ["", "\n\n", '{"recording": 1, "endpoints": []}\n', "no json\n"])
def test_a_file_without_an_answer_is_no_recording(make_replay, lesson, text):
    lesson.write_text(text)

    with pytest.raises(ConfigurationError, match="holds no recorded answer"):
        make_replay()


def test_a_line_of_something_else_is_named(make_replay, lesson):
    lesson.write_text('{"prompt": "hi"}\n')

    with pytest.raises(ConfigurationError, match=r"line 1 of .* is no recorded answer"):
        make_replay()


@pytest.mark.parametrize("pace", [-1.0, float("inf"), float("nan")])
def test_a_pace_is_a_number_from_0_on(lesson, pace):
    with pytest.raises(ConfigurationError, match="pace"):
        Replay(lesson, pace=pace)


def test_a_line_with_half_a_character_can_be_written_and_read():
    from openrouter_resilient.transports.recorder import _encoded

    line = {"body": "half: \ud83d", "end": "whole: 🙂"}

    assert line == json.loads(_encoded(line).decode())
    assert "🙂".encode() in _encoded({"body": "🙂"})


def test_a_client_that_replays_survives_a_fork_and_a_pickle(make_client, make_replay, lesson):
    make_client(record=lesson).complete("hi")
    client = make_replay(environment=None)

    copied = pickle.loads(pickle.dumps(client))

    assert copied.complete("hi").served.replayed
    if hasattr(os, "fork"):
        client._carrier.begin_anew()
        assert client.complete("hi").served.replayed


def test_a_full_disk_costs_the_record_and_not_the_answer(make_client, lesson, caplog):
    client = make_client(record=lesson)
    lesson.unlink()
    lesson.mkdir()

    assert client.complete("hi").text
    assert "was not recorded" in caplog.text


def test_a_list_of_models_is_said_to_be_not_recorded(simulator, make_client, make_replay, lesson):
    recording = make_client(record=lesson)
    recording.complete("hi")
    recording.models()

    with pytest.raises(NotRecorded, match="keeps calls, and no lists"):
        make_replay(base_urls={"openrouter": "http://127.0.0.1:9/unlisted"}).models()
