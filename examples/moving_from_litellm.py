"""From LiteLLM: change the import and keep the call.

    python examples/moving_from_litellm.py
    python examples/moving_from_litellm.py --simulate=refused

LiteLLM itself is only needed to see the first half run, which asks OpenAI.
"""

from __future__ import annotations

import importlib.util

import openrouter_resilient
from openrouter_resilient import simulated

QUESTION = [{"role": "user", "content": "Name three rivers."}]


def before() -> str:
    """Ask as LiteLLM is asked."""
    import litellm  # noqa: PLC0415  it may be absent

    reply = litellm.completion(
        model="gpt-4o",
        messages=QUESTION,
        fallbacks=["groq/llama-3.3-70b-versatile"],
        timeout=30,
    )
    return str(reply.choices[0].message.content)


def after() -> str:
    """Ask the same of this package."""
    reply = openrouter_resilient.completion(
        model="gpt-4o",
        messages=QUESTION,
        fallbacks=["groq/llama-3.3-70b-versatile"],
        timeout=30,  # here for the whole call, failover included
    )
    return f"{reply.choices[0].message.content}\n        served by {reply.served}"


if __name__ == "__main__":
    with simulated(usage=__doc__):
        if importlib.util.find_spec("litellm"):
            print("before:", before())
        else:
            print("before: (LiteLLM is not installed)")
        print("after: ", after())
