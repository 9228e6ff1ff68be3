"""The official clients take the simulator for the real thing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .raw import MODELS

if TYPE_CHECKING:
    from openrouter_resilient.simulator import Simulator

PROMPT = [{"role": "user", "content": "hello there"}]
ANSWER = "Simulated answer to: hello there"
# What the clients warn about is theirs; here only their verdict on the replies counts.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.mark.parametrize("face", ["openrouter", "openai", "groq", "anthropic"])
def test_the_openai_client_completes_a_call_and_a_stream(shared: Simulator, face: str) -> None:
    openai = pytest.importorskip("openai", reason="the openai client is not installed")
    with openai.OpenAI(api_key=shared.key(face), base_url=shared.url(face)) as client:
        whole = client.chat.completions.create(model=MODELS[face], messages=PROMPT)
        stream = client.chat.completions.create(model=MODELS[face], messages=PROMPT, stream=True)
        text = "".join(c.choices[0].delta.content or "" for c in stream if c.choices)
        models = client.models.list()

    assert ANSWER == whole.choices[0].message.content == text
    assert models.data


def test_the_openrouter_client_completes_a_call_and_a_stream(shared: Simulator) -> None:
    openrouter = pytest.importorskip("openrouter", reason="the openrouter client is not installed")
    model = MODELS["openrouter"]
    with openrouter.OpenRouter(
        api_key=shared.key("openrouter"), server_url=shared.url("openrouter")
    ) as client:
        whole = client.chat.send(model=model, messages=PROMPT)
        with client.chat.send(model=model, messages=PROMPT, stream=True) as stream:
            text = "".join(c.choices[0].delta.content or "" for c in stream if c.choices)

    assert ANSWER == whole.choices[0].message.content == text


def test_the_groq_client_completes_a_call(shared: Simulator) -> None:
    groq = pytest.importorskip("groq", reason="the groq client is not installed")
    base = shared.url("groq").removesuffix("/openai/v1")  # its client adds the path itself
    with groq.Groq(api_key=shared.key("groq"), base_url=base) as client:
        whole = client.chat.completions.create(model=MODELS["groq"], messages=PROMPT)

    assert whole.choices[0].message.content == ANSWER


def test_the_openai_client_raises_its_own_errors(shared: Simulator) -> None:
    openai = pytest.importorskip("openai", reason="the openai client is not installed")
    client = openai.OpenAI(api_key="sk-wrong", base_url=shared.url("openai"), max_retries=0)

    with client, pytest.raises(openai.AuthenticationError):
        client.chat.completions.create(model="gpt-4o", messages=PROMPT)
