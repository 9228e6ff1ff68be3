"""Keys: where they come from, whom they reach, and where they never show."""

from __future__ import annotations

import gc
import json
import logging
import os
import pickle
import traceback

import pytest

from openrouter_resilient import (
    Client,
    ConfigurationError,
    Endpoint,
    ResilientError,
    StreamInterrupted,
)

CANARY = "sk-or-v1-canary0123456789abcdef"
OTHER = "sk-openai-canary9876543210"


@pytest.mark.parametrize(
    "fault",
    ["status_401", "status_400", "status_500", "refused", "no_headers", "cut_mid_stream", None],
)
def test_no_key_shows_in_logs_reprs_errors_or_pickles(simulator, caplog, fault):
    caplog.set_level(logging.DEBUG)
    keys = {name: f"canary-{name}" for name in ("openrouter", "openai")}
    urls = {name: simulator.url(name) for name in keys}
    client = Client(
        "openai/gpt-4o",
        fallbacks=["openai:gpt-4o"],
        keys=keys,
        base_urls=urls,
        deadline=0.6,
        rounds=1,
        environment={},
    )
    seen = [repr(client), str(client), repr(client.endpoints), repr(vars(client))]
    for face in keys:
        if fault:
            simulator.play(face, fault)
    try:
        answer = client.complete("hi")
        seen += [repr(answer), repr(answer.served), answer.model_dump_json()]
    except ResilientError as error:
        seen += [str(error), repr(error), *traceback.format_exception(error)]
        seen += [repr(error.history), repr(pickle.loads(pickle.dumps(error)).history)]
        seen.append(repr(pickle.dumps(error)))
    seen += [record.getMessage() + repr(record.__dict__) for record in caplog.records]

    assert not [text for text in seen if "canary-" in text]
    assert {"canary-openrouter"} >= {r.key for r in simulator.received("openrouter")}
    assert {"canary-openai"} >= {r.key for r in simulator.received("openai")}


def test_a_key_that_a_server_echoes_is_masked(make_echo):
    url = make_echo(401, json.dumps({"error": {"message": f"bad key {CANARY}", "code": 401}}))
    client = Client("openai/gpt-4o", fallbacks=(), api_key=CANARY, base_url=url, environment={})

    with pytest.raises(ResilientError, match="bad key \\[key\\]") as caught:
        client.complete("hi")

    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_a_key_that_a_broken_stream_echoes_is_masked(make_echo):
    said = {"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}]}
    failed = {"error": {"message": f"bad key {CANARY}", "code": 502}}
    events = f"data: {json.dumps(said)}\n\ndata: {json.dumps(failed)}\n\n"
    url = make_echo(200, events, "text/event-stream")
    client = Client("openai/gpt-4o", fallbacks=(), api_key=CANARY, base_url=url, environment={})

    with pytest.raises(StreamInterrupted, match="bad key \\[key\\]") as caught:
        list(client.stream("hi"))

    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_a_key_that_a_server_echoes_is_masked_in_the_record_of_a_dropped_stream(make_echo):
    chunk = {"provider": f"whose key is {CANARY}", "choices": [{"delta": {"content": "hi"}}]}
    url = make_echo(200, f"data: {json.dumps(chunk)}\n\n", "text/event-stream")
    client = Client("openai/gpt-4o", fallbacks=(), api_key=CANARY, base_url=url, environment={})
    stream = client.stream("hi")

    del stream
    gc.collect()

    assert ["whose key is [key]"] == [record.provider for record in client.ledger.calls]


def test_a_key_that_is_cut_in_two_where_a_message_ends_is_masked(make_echo):
    words = "x" * (500 - len(CANARY) // 2 - 1)
    url = make_echo(401, json.dumps({"error": {"message": f"{words} {CANARY}", "code": 401}}))
    client = Client("openai/gpt-4o", fallbacks=(), api_key=CANARY, base_url=url, environment={})

    with pytest.raises(ResilientError) as caught:
        client.complete("hi")

    assert CANARY[:12] not in str(caught.value)


def test_a_pickled_client_leaves_its_keys_behind_and_reads_them_where_it_arrives(
    simulator, monkeypatch
):
    client = Client(
        "openai/gpt-4o",
        api_key=CANARY,
        fallbacks=["mine:gpt-4o"],
        endpoints=[Endpoint("mine", "http://127.0.0.1:9/v1", key=OTHER)],
    )
    bytes_ = pickle.dumps(client)
    for name, value in simulator.environment().items():
        monkeypatch.setenv(name, value)

    arrived = pickle.loads(bytes_)

    assert CANARY.encode() not in bytes_
    assert OTHER.encode() not in bytes_
    assert "openrouter" == arrived.complete("hi").served.endpoint


def test_arguments_come_before_the_environment_and_that_before_the_dotenv_file(simulator, tmp_path):
    (tmp_path / ".env").write_text(
        f"OPENROUTER_API_KEY=from-file\nOPENROUTER_BASE_URL={simulator.url('openrouter')}\n"
    )
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    before = dict(os.environ)

    def key_of(**options):
        client = Client("openai/gpt-4o", fallbacks=(), folder=below, **options)
        with pytest.raises(ResilientError):
            client.complete("hi")
        return simulator.requests[-1].key

    assert "from-file" == key_of(environment={})
    assert "from-environment" == key_of(environment={"OPENROUTER_API_KEY": "from-environment"})
    assert "argued" == key_of(environment={"OPENROUTER_API_KEY": "x"}, api_key="argued")
    assert before == dict(os.environ)


def test_a_missing_key_is_said_before_any_request():
    with pytest.raises(ConfigurationError, match="Set OPENROUTER_API_KEY"):
        Client(environment={})


def test_a_chosen_fallback_without_its_key_is_said_at_once():
    with pytest.raises(ConfigurationError, match="needs a key: set GROQ_API_KEY"):
        Client(fallbacks=["groq:llama-3.3-70b-versatile"], api_key=CANARY, environment={})


def test_a_netrc_entry_does_not_replace_the_key(simulator, make_client, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))

    make_client().complete("hi")

    assert simulator.key("openrouter") == simulator.requests[0].key
