"""One call, when all is well."""

from __future__ import annotations

import json
import threading

import pytest

from openrouter_resilient import Client, Endpoint, ResilientError, llm_complete


def test_the_text_is_the_answer_to_the_prompt(simulator, make_client):
    simulator.answer = lambda _face, body: f"heard: {body['messages'][-1]['content']}"

    answer = make_client().complete("Name three rivers.")

    assert "heard: Name three rivers." == str(answer) == answer.text
    assert (
        answer.text
        == answer.choices[0].message.content
        == answer["choices"][0]["message"]["content"]
    )


def test_what_is_sent_is_what_was_asked(simulator, make_client):
    make_client().complete("hi", system="Be brief.", temperature=0.2, seed=None, top_k=3)

    body = simulator.requests[0].body
    assert [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hi"},
    ] == body["messages"]
    assert "anthropic/claude-sonnet-5" == body["model"]
    assert (0.2, 3, True) == (body["temperature"], body["top_k"], body["stream"])
    assert "seed" not in body


def test_up_to_three_models_ride_in_one_request(simulator, make_client):
    models = ["anthropic/claude-sonnet-5", "openai/gpt-4o", "meta-llama/llama-3.3-70b-instruct"]

    make_client(models).complete("hi")

    assert models == simulator.requests[0].body["models"]
    assert "model" not in simulator.requests[0].body


def test_a_fourth_model_becomes_a_route_of_its_own(simulator, make_client):
    first = ["anthropic/claude-sonnet-5", "openai/gpt-4o", "meta-llama/llama-3.3-70b-instruct"]
    simulator.play("openrouter", "status_404_no_endpoints", times=1)

    answer = make_client([*first, "openai/gpt-4o-mini"], fallbacks=()).complete("hi")

    assert [3, 1] == [len(attempt.models) for attempt in answer.served.attempts]
    assert "openai/gpt-4o-mini" == simulator.requests[1].body["model"]


def test_served_says_what_the_simulator_said(simulator, make_client):
    answer = make_client().complete("hi")

    said = simulator.requests[0].answered
    served = answer.served
    assert said.model == served.model == answer.model
    assert said.provider == served.provider
    assert said.generation_id == served.generation_id == answer.id
    assert said.cost == pytest.approx(served.cost)
    assert said.usage == served.usage
    assert ("openrouter", False) == (served.endpoint, served.substituted)
    assert "anthropic/claude-sonnet-5" == served.requested
    assert f"{said.model} via openrouter ({said.provider}), 1 attempt" in str(served)


def test_openrouters_own_failover_is_told_as_a_substitution(simulator, make_client):
    models = ["anthropic/claude-sonnet-5", "openai/gpt-4o"]
    simulator.play("openrouter", "status_502", models=models[:1])

    served = make_client(models).complete("hi").served

    assert served.substituted is True
    assert served.model.startswith("openai/gpt-4o")
    assert 1 == len(served.attempts)
    tried = [(attempt.provider, attempt.status) for attempt in served.attempts[0].upstream]
    told = simulator.requests[0].answered.upstream_attempts
    assert [(attempt["provider"], attempt["status"]) for attempt in told] == tried
    assert len(tried) >= 2


def test_a_whole_body_gives_the_same_answer_as_a_stream(simulator, make_client):
    client = make_client()

    streamed, whole = client.complete("hi"), client.complete("hi", wire="whole")

    assert streamed.text == whole.text
    assert "stream" not in simulator.requests[1].body
    assert streamed.choices[0].finish_reason == whole.choices[0].finish_reason == "stop"
    assert streamed.usage.total_tokens == whole.usage.total_tokens
    assert whole.served.model == simulator.requests[1].answered.model


def test_unknown_fields_of_a_reply_are_kept(simulator, make_client):
    answer = make_client().complete("hi")

    assert simulator.requests[0].answered.provider == answer.provider
    assert "native_finish_reason" in answer.choices[0].model_dump()


def test_tool_calls_come_parsed(simulator, make_client):
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
    }
    simulator.answer = lambda _face, _body: {"content": None, "tool_calls": [call]}

    answer = make_client().complete("Weather in Oslo?", tools=[TOOL])

    assert "" == answer.text
    assert "weather" == answer.tool_calls[0].function.name
    assert {"city": "Oslo"} == json.loads(answer.tool_calls[0].function.arguments)


def test_an_answer_can_be_given_back_as_a_message(simulator, make_client):
    client = make_client()
    answer = client.complete("hi")

    client.complete(
        [
            {"role": "user", "content": "hi"},
            answer.choices[0].message,
            {"role": "user", "content": "and?"},
        ]
    )

    assert answer.text == simulator.requests[1].body["messages"][1]["content"]


def test_reasoning_comes_beside_the_text(make_client):
    answer = make_client().complete("hi", reasoning={"effort": "low"})

    assert answer.choices[0].message.reasoning
    assert answer.choices[0].message.reasoning not in answer.text


def test_a_client_is_a_context_manager(simulator):
    with Client(environment=simulator.environment()) as client:
        assert client.complete("hi").text


def test_the_default_chain_is_claude_gpt_llama_then_each_direct_endpoint_with_a_key(simulator):
    client = Client(environment=simulator.environment())

    assert (
        "<Client openrouter:~anthropic/claude-sonnet-latest,~openai/gpt-latest,"
        "meta-llama/llama-3.3-70b-instruct → openai:gpt-4.1 → groq:llama-3.3-70b-versatile"
        " → anthropic:claude-sonnet-5>"
    ) == repr(client)


def test_a_direct_endpoint_is_asked_for_the_model_that_was_wanted_where_it_serves_it(simulator):
    client = Client(
        ["anthropic/claude-sonnet-5", "openai/gpt-4o:nitro", "openai/gpt-4o-mini"],
        environment=simulator.environment(),
    )

    assert "openai:gpt-4o → groq:llama-3.3-70b-versatile → anthropic:claude-sonnet-5" in repr(
        client
    )


def test_llm_complete_makes_its_client_once_and_shares_it_between_threads(simulator, monkeypatch):
    for name, value in simulator.environment().items():
        monkeypatch.setenv(name, value)
    texts = []
    threads = [
        threading.Thread(target=lambda: texts.append(str(llm_complete("hi")))) for _ in range(8)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 8 == len(texts)
    assert 1 == len(set(texts))


@pytest.mark.parametrize("status", [400, 401, 500])
@pytest.mark.parametrize("words", ["User not found.", "User not found"])
def test_a_servers_full_stop_is_not_doubled_in_a_message(make_echo, status, words):
    url = make_echo(status, json.dumps({"error": {"message": words, "code": status}}))
    client = Client("openai/gpt-4o", fallbacks=(), api_key="k", base_url=url, environment={})

    with pytest.raises(ResilientError, match=r"User not found\. \w") as caught:
        client.complete("hi")

    assert ".." not in str(caught.value)


def test_llm_complete_needs_no_working_directory(simulator, monkeypatch, tmp_path):
    for name, value in simulator.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()

    assert "Simulated answer to: hi" == str(llm_complete("hi"))


def test_llm_complete_follows_the_environment(simulator, monkeypatch):
    for name, value in simulator.environment().items():
        monkeypatch.setenv(name, value)
    llm_complete("hi")
    monkeypatch.setenv("OPENROUTER_RESILIENT_MODELS", "openai/gpt-4o, openai/gpt-4o-mini")

    llm_complete("hi")

    assert ["openai/gpt-4o", "openai/gpt-4o-mini"] == simulator.requests[1].body["models"]


def test_an_endpoint_of_ones_own_is_asked_by_its_name(simulator):
    own = Endpoint("mine", simulator.url("openai"), key=simulator.key("openai"), private=True)
    client = Client("mine:gpt-4o", fallbacks=(), endpoints=[own], environment={})

    answer = client.complete("hi", provider={"data_collection": "deny"})

    assert ("mine", "gpt-4o") == (answer.served.endpoint, simulator.requests[0].body["model"])
    assert ("provider was dropped: this API has no such parameter",) == answer.served.warnings


TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
