"""A client with an outage of OpenRouter or without one: what every feature must stand."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.client.conftest import make_echo  # noqa: F401  a fixture


@pytest.fixture(params=["openrouter", "openai"])
def served_by(request, simulator):
    """Who answers: OpenRouter, or in its outage OpenAI."""
    if request.param != "openrouter":
        simulator.outage("openrouter")
    return request.param


@pytest.fixture
def make_echo_get():
    """The base URL of a server that gives every GET this body."""
    servers = []

    def make(body):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("content-length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *args):
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}/v1"

    yield make
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join()
