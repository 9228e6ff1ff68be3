"""Servers of your own as the last routes: a LiteLLM proxy, vLLM, Ollama.

    litellm --model gpt-4o                       # port 4000; LITELLM_API_KEY is its master key
    vllm serve Qwen/Qwen3-8B                     # port 8000
    ollama serve && ollama pull llama3.2         # port 11434

    python examples/own_servers.py
    python examples/own_servers.py --simulate

An endpoint is a name and a URL. Its key is NAME_API_KEY, if it wants one.
"""

from __future__ import annotations

import logging

from openrouter_resilient import Client, Endpoint, simulated

OWN: tuple[Endpoint, ...] = (
    Endpoint("litellm", "http://localhost:4000/v1"),
    # Private: prompts that must not be stored elsewhere may go here, too.
    Endpoint("vllm", "http://localhost:8000/v1", private=True),
    Endpoint("ollama", "http://localhost:11434/v1", private=True),
)
LAST: tuple[str, ...] = ("litellm:gpt-4o", "vllm:Qwen/Qwen3-8B", "ollama:llama3.2")

if __name__ == "__main__":
    logging.basicConfig(format="%(message)s")  # see each failover
    with simulated(usage=__doc__) as simulator:
        own, last = OWN, LAST
        if simulator:  # OpenRouter is down; the simulator's OpenAI and Groq play your own servers
            simulator.outage("openrouter")
            own = (
                Endpoint("litellm", simulator.url("openai"), simulator.key("openai")),
                Endpoint("ollama", simulator.url("groq"), simulator.key("groq"), private=True),
            )
            last = ("litellm:gpt-4o", "ollama:llama-3.1-8b-instant")

        with Client(fallbacks=last, endpoints=own, deadline=60) as client:
            answer = client.complete("Name three rivers.")
            print(answer)
            print("served by", answer.served)

            # What nobody may store goes to OpenRouter, which obeys, and to private endpoints.
            secret = client.complete("Sum up this diagnosis: …", provider={"zdr": True})
            print("\nserved by", secret.served)
            print("not asked:", *secret.served.skipped, sep="\n - ")
