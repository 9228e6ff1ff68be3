"""A real Redis for a test, and what is in it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import suppress
from email import message_from_bytes, policy
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from openrouter_resilient.health import redis_store
from tests.health.redis_server import RedisServer


@pytest.fixture
def redis_server(tmp_path_factory):
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.close()


@pytest.fixture
def patient(monkeypatch):
    """Wait for Redis as long as it takes: a busy machine is no Redis in trouble."""
    monkeypatch.setattr(redis_store, "LONGEST_WAIT_S", 10.0)


@pytest.fixture
def word_of(redis_server):
    """What Redis holds of an endpoint; None if nothing."""

    def read(endpoint):
        with redis_server.client() as client:
            text = client.get(f"openrouter-resilient:health:{endpoint}")
        return None if text is None else json.loads(text)

    return read


@pytest.fixture
def put_word(redis_server):
    """Write a word as another process would."""

    def write(endpoint, state="down", ttl=60, **fields):
        now = time.time()
        fault = None if state == "up" else "refused"
        word = {"state": state, "since": now, "checked_at": now, "ttl": ttl, "fault": fault}
        word = {**word, "by": "call other:1.1", "reopens_in": 20, **fields}
        with redis_server.client() as client:
            client.set(f"openrouter-resilient:health:{endpoint}", json.dumps(word), ex=ttl)

    return write


class Receiver:
    """A web server that keeps what it is sent; it answers with `status`, or never if that is 0.

    Its clock is `ahead` by so many seconds.
    """

    def __init__(self, pages=None):
        self.received = []
        self.headers = {}
        self.status = 200
        self.ahead = 0.0
        self.pages = pages or {}
        self.let_go = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def _handler(receiver):  # noqa: N805  the handler has a self of its own
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                receiver.headers = dict(self.headers)
                receiver.received.append((self.path, json.loads(body) if body else None))
                if not receiver.status:
                    receiver.let_go.wait(60)
                    return
                page = receiver.pages.get(self.path, b"{}")
                with suppress(OSError):
                    self.send_response(receiver.status)
                    self.send_header("content-length", str(len(page)))
                    self.end_headers()
                    self.wfile.write(page)

            def date_time_string(self, timestamp=None):
                return formatdate((timestamp or time.time()) + receiver.ahead, usegmt=True)

            do_POST = do_GET  # noqa: N815  the base class calls it so

            def log_message(self, *args):
                pass

        return Handler

    def close(self):
        self.let_go.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def make_receiver():
    made = []

    def make(pages=None):
        made.append(Receiver(pages))
        return made[-1]

    yield make
    for receiver in made:
        receiver.close()


@pytest.fixture
def receiver(make_receiver):
    return make_receiver()


class Mailbox:
    """A real SMTP server with TLS and a login, or neither; `messages` is what it has taken.

    It takes none for those who are `refused`, and says `goodbye` in the end, or nothing if empty.
    """

    def __init__(self, authority, *, starttls, tls):
        self.messages = []
        self.refused = set()
        self.goodbye = "221 Bye"
        self.logins = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        self._server = Controller(
            self,
            hostname="127.0.0.1",
            port=0,
            ssl_context=context if tls and not starttls else None,
            tls_context=context if starttls else None,
            require_starttls=starttls,
            authenticator=self._authenticate,
            auth_required=tls,
            auth_require_tls=starttls,  # of a connection that began with TLS it does not know
        )
        self._server._trigger_server = self._connect  # by itself it would connect to port 0
        self._server.start()
        scheme = "smtp" if starttls else "smtps"
        place = f"bot%40example.org:pass%2Fword@127.0.0.1:{self.port}"
        self.url = f"{scheme}://{place}/?to=me@example.org,you@example.org&from=bot@example.org"

    def _connect(self):
        self.port = self._server.server.sockets[0].getsockname()[1]
        socket.create_connection(("127.0.0.1", self.port)).close()

    def _authenticate(self, _server, _session, _envelope, _mechanism, data):
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=data.password == b"pass/word", handled=False)

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802  the same
        if address in self.refused:
            return "550 nobody here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_QUIT(self, _server, _session, _envelope):  # noqa: N802  the same
        if not self.goodbye:
            await asyncio.Event().wait()  # until the other side has gone
        return self.goodbye

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802  aiosmtpd's name
        self.messages.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 taken"

    def close(self):
        self._server.stop(no_assert=True)


@pytest.fixture
def make_mailbox(tmp_path, monkeypatch):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    made = []

    def make(*, starttls=False, tls=True):
        made.append(Mailbox(authority, starttls=starttls, tls=tls))
        return made[-1]

    yield make
    for mailbox in made:
        mailbox.close()


@pytest.fixture
def run_command(simulator, tmp_path):
    """Run the command line as a user would, pointed at the simulator."""

    def run(*arguments, timeout=60, **variables):
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(sys.path),
            "XDG_STATE_HOME": str(tmp_path / "state"),
            "SSL_CERT_FILE": os.environ.get("SSL_CERT_FILE", ""),
            "OPENROUTER_RESILIENT_MODELS": "anthropic/claude-sonnet-4.5",
            "OPENROUTER_RESILIENT_FALLBACKS": "openai:gpt-4o",
            **simulator.environment(),
            **variables,
        }
        return subprocess.run(
            [sys.executable, "-m", "openrouter_resilient", *arguments],
            env={name: value for name, value in environment.items() if value},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


def until(condition, limit=10.0):
    """Wait for something to become true."""
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)
