"""A conversation in the terminal: words as they come, and an honest line where they break off.

    python examples/chat.py
    python examples/chat.py --simulate=cut_mid_stream   # every answer of OpenRouter breaks off

Ctrl-C stops an answer, Ctrl-D ends the conversation.
"""

from __future__ import annotations

from openrouter_resilient import CallFailed, Client, RequestRefused, StreamInterrupted, simulated

Messages = list[dict[str, str]]


def answer(client: Client, messages: Messages) -> str:
    """Print an answer as it comes, and return as much of it as came."""
    pieces: list[str] = []
    try:
        with client.stream(messages, deadline=60) as stream:  # waits for the first word
            for text in stream:
                print(text, end="", flush=True)
                pieces.append(text)
            print(f"\n[{stream.served}]")
    except StreamInterrupted:
        print("\n[it broke off here; say 'go on' to hear the rest]")
    except KeyboardInterrupt:  # the block was left, which hangs up: no more is paid for
        print("\n[stopped]")
    return "".join(pieces)


def chat(client: Client) -> None:
    """Ask and answer until the input ends."""
    messages: Messages = [{"role": "system", "content": "Answer in a few sentences."}]
    while True:
        question = input("> ")
        asked = [*messages, {"role": "user", "content": question}]
        try:
            said = answer(client, asked)
        except (CallFailed, RequestRefused) as error:  # nothing was said: the question is forgotten
            print(f"[no answer: {error}]")
            continue
        if said:
            messages = [*asked, {"role": "assistant", "content": said}]


if __name__ == "__main__":
    with simulated(usage=__doc__), Client() as client:
        try:
            chat(client)
        except (EOFError, KeyboardInterrupt):
            print()
