"""From the `openai` package: the same question before and after, and both in an outage.

    python examples/moving_from_openai.py
    python examples/moving_from_openai.py --simulate=refused

The first half needs `pip install openai`. What else changes stands at the end.
"""

from __future__ import annotations

import os
import sys

import openrouter_resilient
from openrouter_resilient import simulated

try:
    import openai
except ModuleNotFoundError:
    sys.exit("This compares with the openai package: pip install openai")

QUESTION = "Name three rivers."


def before() -> str:
    """Ask as the `openai` package is asked."""
    client = openai.OpenAI(
        base_url=os.environ.get("OPENROUTER_BASE_URL", "https://openrouter.ai/api/v1"),
        api_key=os.environ["OPENROUTER_API_KEY"],
    )
    reply = client.chat.completions.create(
        model="openai/gpt-4o",
        messages=[{"role": "user", "content": QUESTION}],
        temperature=0.2,
    )
    return reply.choices[0].message.content or ""


def after() -> str:
    """Ask the same of this package: one client, one method, the same parameters."""
    with openrouter_resilient.Client("openai/gpt-4o") as client:
        reply = client.complete(
            [{"role": "user", "content": QUESTION}],
            temperature=0.2,
        )
    return str(reply)  # reply.choices[0].message.content, .usage, .model, .id are there as well


# What else changes:
#   stream=True                      client.stream(…): texts, or .deltas() for everything
#   client.chat.completions.parse    client.parse(prompt, Model).value
#   timeout=, max_retries=           deadline=: seconds for all of it, failover included
#   except openai.BadRequestError    except RequestRefused: the request itself is wrong
#   except openai.APIError           except CallFailed: nobody answered, whoever was asked
#   except openai.RateLimitError     nothing: it is waited for, or the next route is asked

if __name__ == "__main__":
    with simulated(usage=__doc__):
        try:
            print("before:", before())
        except openai.OpenAIError as error:
            print("before:", type(error).__name__)
        print("after: ", after())
