"""What would be sent where: nothing is sent, nothing is given away, and it is what then happens."""

from __future__ import annotations

import pytest

from openrouter_resilient import ConfigurationError, Endpoint, RoutesExhausted
from openrouter_resilient.sheet import Sheet


def routes(sheet):
    return [row[1] for row in sheet.rows]


def test_it_sends_nothing(simulator, make_client):
    make_client().explain("hi", temperature=0.5)

    assert not simulator.requests


def test_the_order_is_the_one_in_which_routes_are_then_asked(simulator, make_client):
    client = make_client(
        ["anthropic/claude-sonnet-5", "openai/gpt-4o"],
        fallbacks=["openai:gpt-4o", "groq:llama-3.3-70b-versatile"],
        rounds=2,
    )
    sheet = client.explain("hi")
    for face in ("openrouter", "openai", "groq"):
        simulator.outage(face)

    with pytest.raises(RoutesExhausted) as caught:
        client.complete("hi")

    first_round = [attempt.route for attempt in caught.value.history[:3]]
    assert first_round == routes(sheet)[:3]


def test_each_attempt_has_its_limits(make_client):
    sheet = make_client(first_token_timeout=7.0, stall_timeout=4.0).explain("hi", deadline=30.0)

    first, last = sheet.rows
    assert ["1", "0.0 s", "7.0 s", "4.0 s"] == [first[0], first[2], first[3], first[4]]
    assert ["2", "7.0 s", "30.0 s", "4.0 s"] == [last[0], last[2], last[3], last[4]]
    assert "Within 30 s" in sheet.title


def test_in_an_outage_it_says_whose_breaker_is_open_and_asks_them_last(simulator, make_client):
    client = make_client()
    simulator.outage("openrouter")
    for _ in range(3):
        client.complete("hi")

    soon, late = client.explain("hi", deadline=4.0), client.explain("hi", deadline=60.0)

    assert "openai:gpt-4o" == routes(soon)[0] == routes(late)[0]
    assert "open" == soon.rows[1][5]
    assert "a trial" == late.rows[1][5]


def test_a_hedge_is_shown_beside_the_attempt_it_helps(make_client):
    first, second = make_client().explain("hi", hedge_after=3.0).rows

    assert "0.0 s" == first[2]
    assert "3.0 s, beside 1" == second[2]


def test_who_is_skipped_is_named_with_the_reason(make_client):
    sheet = make_client().explain("hi", provider={"zdr": True})

    assert ["openrouter:anthropic/claude-sonnet-5"] == list(dict.fromkeys(routes(sheet)))
    assert "Skipped openai:gpt-4o" in str(sheet)
    assert "private" in str(sheet)


def test_what_an_endpoint_would_not_be_sent_is_named(make_client):
    assert "openai: session_id was dropped" in str(make_client().explain("hi", session_id="s"))


def test_it_shows_the_names_of_fields_and_nothing_that_is_in_them(make_client, simulator):
    client = make_client(max_price={"prompt": 12345})
    sheet = client.explain("the secret plan", system="the hidden rule", user="alice", stop=["end!"])

    shown = str(sheet) + sheet._repr_html_()
    assert "messages, user, stop" in sheet.rows[0][6]
    for hidden in ("secret", "hidden", "alice", "end!", "12345", simulator.key("openrouter")):
        assert hidden not in shown


def test_a_request_that_nobody_can_carry_raises_what_the_call_would(make_client):
    client = make_client("openai:gpt-4o", fallbacks=())

    with pytest.raises(ConfigurationError, match="not declared private"):
        client.explain("hi", provider={"zdr": True})


def test_an_answer_in_the_cache_is_told(make_client):
    client = make_client(cache_seconds=60)
    client.complete("hi")

    assert "The cache has an answer" in str(client.explain("hi"))
    assert "The cache has an answer" not in str(client.explain("ho"))
    assert "The cache has an answer" not in str(client.explain("hi", cache_seconds=0))


@pytest.mark.parametrize(
    ("models", "fallbacks", "suggested"),
    [
        ("anthropic/claude-sonnet-5", ["openai:gpt-4o"], True),
        ("~anthropic/claude-sonnet-latest", ["openai:gpt-4o"], True),
        ("anthropic/claude-sonnet-5", ["anthropic:claude-sonnet-5", "openai:gpt-4o"], False),
        ("openai/gpt-4o", ["openai:gpt-4o"], False),
        ("meta-llama/llama-3.3-70b-instruct", ["openai:gpt-4o"], False),
        ("anthropic/claude-sonnet-5", [], True),
    ],
)
def test_the_first_models_own_house_is_suggested(make_client, models, fallbacks, suggested):
    sheet = make_client(models, fallbacks=fallbacks).explain("hi")

    assert suggested == ("anthropic:claude-sonnet-5 would be nearest" in str(sheet))


def test_without_its_key_it_is_not_suggested(simulator, make_client):
    environment = simulator.environment()
    del environment["ANTHROPIC_API_KEY"]

    assert "nearest" not in str(make_client(environment=environment).explain("hi"))


def test_a_house_that_may_not_see_the_request_is_not_suggested(make_client):
    client = make_client("anthropic/claude-sonnet-5")

    assert "nearest" in str(client.explain("hi"))
    assert "nearest" not in str(client.explain("hi", provider={"zdr": True}))


def test_a_call_that_was_made_explains_itself(simulator, make_client):
    simulator.outage("openrouter")
    served = make_client().complete("hi", session_id="s").served

    sheet = served.explain()

    assert [
        ("openrouter:anthropic/claude-sonnet-5", "refused"),
        ("openai:gpt-4o", "answered"),
    ] == [(row[1], row[3]) for row in sheet.rows]
    assert str(served) in sheet.title
    assert "session_id was dropped" in str(sheet)
    assert "Simulated answer" not in str(sheet)


def test_a_notebook_shows_what_a_terminal_shows_and_runs_none_of_it(make_client):
    evil = "vllm:<script>alert(1)</script>"
    client = make_client(evil, endpoints=[Endpoint("vllm", "http://localhost:1/v1")])

    html = client.explain("hi")._repr_html_()

    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert html.count("<tr>") == 1 + len(client.explain("hi").rows)


def test_a_terminal_is_not_moved_by_what_a_server_said():
    sheet = Sheet("a \x1b[31mtitle", ("x",), (("\x1b[2Jgone\nnext",), ("y" * 100,)), ("\x07note",))

    lines = str(sheet).splitlines()

    assert "\x1b" not in str(sheet)
    assert "\x07" not in str(sheet)
    assert 7 == len(lines)
    assert max(map(len, lines)) == 60
