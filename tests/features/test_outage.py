"""Every feature, with OpenRouter and in its outage: who serves it changes, and nothing else."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from openrouter_resilient import RoutesExhausted, image
from openrouter_resilient.simulator.embeddings import vector

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels"
SMALL = "text-embedding-3-small"


class River(BaseModel):
    name: str


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def test_a_form(simulator, make_client, served_by):
    simulator.answer = '```json\n{"name": "Danube"}\n```'

    parsed = make_client().parse("Which?", River)

    assert (River(name="Danube"), served_by) == (parsed.value, parsed.served.endpoint)


def test_tools(simulator, make_client, served_by):
    run = make_client().run_tools("2 + 3?", tools=[add], tool_choice="required")

    assert (1, "2") == (run.steps[0].called[0].call.input["a"], run.steps[0].called[0].result)
    assert [served_by, served_by] == [served.endpoint for served in run.served]
    assert run.finished


def test_a_picture(make_client, served_by):
    answer = make_client().complete(["What is this?", image(PNG)])

    assert "Simulated answer to: What is this? (and 1 picture)" == answer.text
    assert served_by == answer.served.endpoint


def test_vectors(make_client, served_by):
    vectors = make_client().embed(["Danube", "Rhine"], model=f"openai/{SMALL}")

    assert [vector("Danube", 96), vector("Rhine", 96)] == list(vectors)
    assert (SMALL, served_by) == (vectors.model.rpartition("/")[2], vectors.served[0].endpoint)


@pytest.mark.parametrize("down", [False, True])
def test_the_list_of_models(simulator, make_client, down):
    """It is OpenRouter's own: in an outage the last one is given, and says so."""
    client = make_client()
    client.models()
    if down:
        simulator.outage("openrouter")

    models = client.models(refresh=True)

    assert "openai/gpt-4o" in models
    assert down == models.stale


def test_a_batch(make_client, served_by):
    asking = [f"prompt {number}." for number in range(20)]

    results = make_client().map(asking, progress=False)

    assert all(asked in result.text for asked, result in zip(asking, results, strict=True))
    assert {served_by} == {result.served.endpoint for result in results}


def test_a_cached_answer(simulator, make_client, served_by):
    client = make_client(cache_seconds=60)
    first = client.complete("hi")
    asked = len(simulator.requests)

    again = client.complete("hi")

    assert (first.text, served_by) == (again.text, again.served.endpoint)
    assert again.served.cached
    assert 1 == asked == len(simulator.requests)


def test_a_hedge(simulator, make_client, served_by):
    """Of the routes that are left: Groq is asked beside whoever is silent."""
    simulator.play(served_by, "no_headers")
    routes = ["openai:gpt-4o", "groq:llama-3.3-70b-versatile"]
    client = make_client(fallbacks=routes, hedge_after=0.1)

    served = client.complete("hi").served

    expected = {"openrouter": "openai", "openai": "groq"}[served_by]
    assert (expected, "abandoned") == (served.endpoint, served.attempts[-2].fault)


def test_a_cap_and_a_price_limit(simulator, make_client, served_by):
    """OpenAI reports no cost, so that what it serves counts as nothing, and takes no limit."""
    client = make_client(max_cost=1.0, max_price={"prompt": 3})

    served = client.complete("hi").served

    assert served_by == served.endpoint
    assert client._spending.spent == pytest.approx(served.cost or 0.0)
    assert (served_by == "openrouter") == (served.cost is not None)
    limit = {"max_price": {"prompt": 3}} if served_by == "openrouter" else None
    assert limit == simulator.requests[-1].body.get("provider")


def test_an_explanation(make_client, served_by):
    client = make_client()
    for _ in range(3):
        served = client.complete("hi").served

    before, after = client.explain("hi", deadline=4.0), served.explain()

    assert before.rows[0][1].startswith(served_by)
    assert after.rows[-1][1].startswith(served_by)
    assert "answered" == after.rows[-1][3]


def test_parameters(simulator, make_client, served_by):
    given = {
        "reasoning": {"effort": "low"},
        "provider": {"sort": "price", "order": ["openai"]},
        "plugins": [{"id": "context-compression"}],
        "cache_control": {"type": "ephemeral"},
        "session_id": "tour-7",
        "top_k": 5,
        "max_tokens": 900,
    }
    client = make_client("openai/gpt-5:nitro", fallbacks=["openai:gpt-5"])

    served = client.complete("hi", **given).served

    body = simulator.requests[-1].body
    assert served_by == served.endpoint
    if served_by == "openrouter":
        assert "openai/gpt-5:nitro" == body["model"]
        assert given.items() <= body.items()
        assert () == served.warnings
    else:
        assert {"model", "messages", "reasoning_effort", "max_completion_tokens", "stream",
                "stream_options"} == set(body)  # fmt: skip
        assert {"provider", "plugins", "cache_control", "session_id", "top_k"} == {
            warning.partition(" ")[0] for warning in served.warnings
        }


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize(
    "fallback",
    [
        "openai:gpt-4o",
        "groq:meta-llama/llama-4-scout-17b-16e-instruct",
        "anthropic:claude-sonnet-5",
    ],
)
def test_marks_and_sizes_that_only_openrouter_knows(simulator, make_client, fallback, down):
    """Another API would answer 400 to them, or knows them by its own names."""
    if down:
        simulator.outage("openrouter")
    mark = {"type": "ephemeral"}
    content = [
        {"type": "text", "text": "What is this?", "cache_control": mark},
        image("https://example.org/river.png", detail="original"),
    ]
    function = {"name": "look", "parameters": {"type": "object", "properties": {}}}
    tool = {"type": "function", "function": function, "cache_control": mark}

    answer = make_client(fallbacks=[fallback]).complete(
        [{"role": "user", "content": content}], tools=[tool]
    )

    expected = fallback.partition(":")[0] if down else "openrouter"
    assert "Simulated answer to: What is this? (and 1 picture)" == answer.text
    assert expected == answer.served.endpoint
    told = "cache_control" in str(simulator.requests[0].body)
    assert told == (expected != "openai" and "groq" not in expected)


@pytest.mark.parametrize(
    ("model", "given"),
    [
        ("openai/gpt-4o@preset/terse", {}),
        ("openai/gpt-4o:online", {}),
        ("openai/gpt-4o", {"plugins": [{"id": "web"}]}),
        ("openai/gpt-4o", {"tools": [{"type": "openrouter:web_search"}]}),
    ],
)
def test_presets_variants_plugins_and_server_tools_reach_openrouter(
    simulator, make_client, model, given
):
    answer = make_client(model).complete("hi", **given)

    assert {"model": model, **given}.items() <= simulator.requests[0].body.items()
    assert "openrouter" == answer.served.endpoint


@pytest.mark.parametrize(
    ("models", "given", "words"),
    [
        ("openai/gpt-4o", {"plugins": [{"id": "web"}]}, "the plugin web runs at OpenRouter only"),
        ("openai/gpt-4o:online", {}, "the plugin web runs at OpenRouter only"),
        ("openai/gpt-4o", {"preset": "terse"}, "it cannot do preset"),
        ("openai/gpt-4o@preset/terse", {}, "it cannot do preset"),
        ("openai/gpt-4o", {"tools": [{"type": "openrouter:web_search"}]}, "at OpenRouter only"),
    ],
)
def test_what_an_answer_would_be_wrong_without_goes_nowhere_else(
    simulator, make_client, models, given, words
):
    simulator.outage("openrouter")

    with pytest.raises(RoutesExhausted, match=words):
        make_client(models, rounds=1).complete("hi", **given)

    assert not simulator.requests


@pytest.mark.parametrize(
    "models",
    ["openai/gpt-4o:nitro", "openai/gpt-4o:floor", ["openai/gpt-4o:online", "openai/gpt-4o"]],
)
def test_what_an_answer_may_be_without_does_not_keep_it_from_others(simulator, make_client, models):
    """Which provider serves it is OpenRouter's business; and a plain model as well was wanted."""
    simulator.outage("openrouter")

    assert "openai" == make_client(models).complete("hi").served.endpoint


@pytest.mark.parametrize("down", [False, True])
def test_claude_from_its_own_house(simulator, make_client, down):
    if down:
        simulator.outage("openrouter")
    client = make_client(fallbacks=["anthropic:claude-sonnet-5"])

    answer = client.complete("hello there", reasoning={"effort": "low"})

    assert "Simulated answer to: hello there" == answer.text
    assert ("anthropic" if down else "openrouter") == answer.served.endpoint
    assert answer.served.substituted is False
    assert answer.choices[0].message.reasoning
