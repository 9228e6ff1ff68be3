"""From a home-made try/except: what it looks like, what it misses, and what is left of it.

    python examples/moving_from_try_except.py
    python examples/moving_from_try_except.py --simulate=end_without_finish

The second line lets OpenRouter's answers end early. The first half needs `pip install openai`.
"""

from __future__ import annotations

import os
import sys
import time

from openrouter_resilient import llm_complete, simulated

try:
    import openai
except ModuleNotFoundError:
    sys.exit("This compares with the openai package: pip install openai")

QUESTION = "Name three rivers."
URLS = {"OPENROUTER": "https://openrouter.ai/api/v1", "OPENAI": "https://api.openai.com/v1"}


def before() -> str:
    """Try OpenRouter three times, then OpenAI, as many programs do."""
    for attempt in range(3):
        try:
            return _ask("OPENROUTER", "openai/gpt-4o")
        except openai.OpenAIError:  # noqa: PERF203  a wrong request is tried again, too, or a key
            time.sleep(0.2 * 2**attempt)
    return _ask("OPENAI", "gpt-4o")


def _ask(name: str, model: str) -> str:
    client = openai.OpenAI(
        api_key=os.environ[f"{name}_API_KEY"],
        base_url=os.environ.get(f"{name}_BASE_URL", URLS[name]),
        timeout=10,  # between two bytes: an answer that drips takes as long as it likes
        max_retries=0,
    )
    stream = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": QUESTION}], stream=True
    )
    pieces = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]
    return "".join(pieces)  # an answer that broke off looks like a whole one


def after() -> str:
    """The same and what it missed: a deadline that holds, and nothing half taken for whole."""
    answer = llm_complete(QUESTION, model="openai/gpt-4o", fallbacks=["openai:gpt-4o"], deadline=30)
    return f"{answer}\n        served by {answer.served}"


if __name__ == "__main__":
    with simulated(usage=__doc__):
        print("before:", before())
        print("after: ", after())
