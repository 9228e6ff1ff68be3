"""A web page whose answers come word by word, and which stays honest when a provider fails.

    pip install flask
    python examples/web/app.py                              # then open http://127.0.0.1:5000
    python examples/web/app.py --simulate=cut_mid_stream    # or choose a fault at the page's foot

The browser gets one JSON object a line: `text` as it comes, then one of `served` (who gave it),
`broke` (it broke off after these words), `failed` (nobody said anything) and `refused`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from openrouter_resilient import CallFailed, Client, RequestRefused, StreamInterrupted, simulated
from openrouter_resilient.simulator import Simulator

try:
    from flask import Flask, Response, abort, request, stream_with_context
except ModuleNotFoundError:
    sys.exit("This page needs Flask: pip install flask")

PAGE = Path(__file__).with_name("page.html")
SYSTEM = {"role": "system", "content": "Answer in a few sentences of plain text."}
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # nginx would hold it back
Messages = list[dict[str, str]]


def make_app(client: Client, simulator: Simulator | None = None) -> Flask:
    """Make the app; one client serves all of its threads."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = 1_000_000

    @app.get("/")
    def page() -> str:
        html = PAGE.read_text(encoding="utf-8")
        played = ",".join(simulator.playing()) if simulator else ""
        hidden = "" if simulator else "hidden"
        return html.replace("{{simulated}}", hidden).replace("{{fault}}", played)

    @app.post("/ask")
    def ask() -> Response:
        lines = answer(client, [SYSTEM, *conversation(request.get_json())])
        return Response(stream_with_context(lines), 200, HEADERS, "application/x-ndjson")

    @app.post("/rehearse")
    def rehearse() -> str:
        if simulator is None:
            abort(404)
        simulator.heal()
        fault = str(request.get_json()["fault"])
        if fault:
            simulator.play(fault)
        return fault

    return app


def answer(client: Client, messages: Messages) -> Iterator[str]:
    """Say what comes, and how it ended. When the browser leaves, the generation is hung up on."""
    try:
        with client.stream(messages, deadline=60) as stream:
            for text in stream:
                yield line(text=text)
            yield line(served=str(stream.served))
    except StreamInterrupted as interrupted:  # what came stands; nothing is said again under it
        last = interrupted.history[-1]
        yield line(broke=f"{last.endpoint}: {last.fault}")
    except CallFailed:  # up to the first word, failover is invisible; nobody was left to ask
        yield line(failed="Nobody answered, though everybody was asked.")
    except RequestRefused:
        yield line(refused="The question itself was refused.")


def line(**fields: str) -> str:
    """Write one object."""
    return json.dumps(fields) + "\n"


def conversation(body: Any) -> Messages:
    """Read what the browser sent: only what people and models say, never a system text."""
    messages = body.get("messages") if isinstance(body, dict) else None
    if not isinstance(messages, list) or not messages:
        abort(400)
    for message in messages:
        match message:
            case {"role": "user" | "assistant", "content": str(), **more} if not more:
                continue
        abort(400)
    return messages


def at_reading_speed(simulator: Simulator) -> None:
    """Let the fake answers come as slowly as real ones, so that there is something to see."""
    for face in ("openrouter", "openai"):
        simulator.latency(face, first_token=0.4, between_tokens=0.06)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=5000, help="where to listen; default 5000")
    with simulated(usage=parser.format_help()) as simulator, Client() as client:
        given = parser.parse_args()
        if simulator:
            at_reading_speed(simulator)
        make_app(client, simulator).run(port=given.port, threaded=True)
