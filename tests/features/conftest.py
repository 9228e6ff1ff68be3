"""What every feature must stand (an outage of OpenRouter), and servers that are no simulator."""

from __future__ import annotations

import socket
import ssl
import threading
from collections import Counter

import pytest
import trustme

from tests.client.conftest import make_echo  # noqa: F401  a fixture
from tests.official import objection


@pytest.fixture
def simulator(simulator):
    """The four upstreams; each body that they took is judged by the official clients' types."""
    yield simulator
    for request in simulator.requests:
        refused = request.answered is not None and request.answered.status in (400, 404, 422)
        if request.body is not None and not refused:
            assert objection(request.face, request.path, request.body) is None


@pytest.fixture(params=["openrouter", "openai"])
def served_by(request, simulator):
    """Who answers: OpenRouter, or in its outage OpenAI."""
    if request.param != "openrouter":
        simulator.outage("openrouter")
    return request.param


class Listening:
    """A server that takes a request, says a few bytes, and waits for the client to leave."""

    def __init__(self, says):
        self._says = says
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"
        self.asked = threading.Event()
        self.left = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        connection, _ = self._socket.accept()
        with connection:
            connection.recv(65536)
            self.asked.set()
            connection.sendall(self._says)
            try:
                while connection.recv(65536):
                    pass
            except ConnectionResetError:
                pass
            self.left.set()

    def close(self):
        self._socket.close()


@pytest.fixture
def listening():
    """Makes servers that say a few bytes and then nothing."""
    servers = []

    def make(says=b""):
        servers.append(Listening(says))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


@pytest.fixture
def asked(simulator):
    """How often each prompt reached one of the faces."""

    def count(*faces):
        return Counter(
            request.body["messages"][-1]["content"]
            for request in simulator.requests
            if not faces or request.face in faces
        )

    return count


@pytest.fixture
def tls_server(tmp_path):
    """A server that shakes hands and then says nothing: its URL, its CA, and when it was left."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    left = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        raw, _ = listener.accept()
        with context.wrap_socket(raw, server_side=True) as connection:
            try:
                while connection.recv(65536):
                    pass
            except OSError:
                pass
            left.set()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{listener.getsockname()[1]}/v1", str(bundle), left
    listener.close()
    thread.join(5)
