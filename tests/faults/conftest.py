"""What every test of faults looks at afterwards: threads, open files, the log."""

from __future__ import annotations

import contextlib
import gc
import io
import logging
import socket
import ssl
import threading
from pathlib import Path

import pytest
import trustme

from openrouter_resilient.wire.sockets import RESOLVER

OPEN_FILES = Path("/proc/self/fd")


def open_files():
    """How many files and sockets this process has open; 0 where that cannot be seen."""
    return len(list(OPEN_FILES.iterdir())) if OPEN_FILES.is_dir() else 0


@pytest.fixture(autouse=True)
def no_name_server(monkeypatch):
    """What RFC 6761 says never resolves does not, without asking a name server about it."""
    look_up = RESOLVER._lookup

    def local(host, *arguments, **options):
        if host.endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return look_up(host, *arguments, **options)

    monkeypatch.setattr(RESOLVER, "_lookup", local)


@pytest.fixture
def leaks_nothing():
    """Threads and open files are as many after the test as before."""
    gc.collect()
    threads, files = set(threading.enumerate()), open_files()
    yield
    assert files == open_files()
    assert set() == set(threading.enumerate()) - threads


@pytest.fixture
def log():
    """All that any library logs meanwhile, in full."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.format = lambda record: record.getMessage() + repr(record.__dict__)
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield text
    root.removeHandler(handler)
    root.setLevel(level)


class RawServer:
    """A port whose connections are given to a function, each in a thread of its own.

    The function gets the socket and an event that is set when the test is over.
    """

    def __init__(self, play):
        self.ended = threading.Event()
        self._play = play
        self._threads = []
        self._sockets = []
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._socket.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def close(self):
        self.ended.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._acceptor.join(5)
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock = self._socket.accept()[0]
                thread = threading.Thread(target=self._run, args=(sock,), daemon=True)
                self._sockets.append(sock)
                self._threads.append(thread)
                thread.start()

    def _run(self, sock):
        with sock, contextlib.suppress(OSError):
            self._play(sock, self.ended)


@pytest.fixture
def serve():
    """Start a `RawServer`; its base URL, and the server itself."""
    servers = []

    def start(play, scheme="http", host="127.0.0.1"):
        server = RawServer(play)
        servers.append(server)
        return f"{scheme}://{host}:{server.port}/v1", server

    yield start
    for server in servers:
        server.close()


def read_request(sock):
    """The bytes of one request, its body included."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += sock.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    while len(body) < int(fields.get(b"content-length", 0)):
        body += sock.recv(65536)
    return head + b"\r\n\r\n" + body


def pump(here, there):
    """Pass bytes on in both directions until both sides are done."""

    def one_way(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    back = threading.Thread(target=one_way, args=(there, here), daemon=True)
    back.start()
    one_way(here, there)
    back.join(5)


def port_of(url):
    return int(url.split(":")[2].split("/")[0])


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def trusted(authority, monkeypatch, tmp_path):
    """The environment names the test's authority as one to trust."""
    bundle = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(bundle)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))


@pytest.fixture
def serve_tls(authority, serve):
    """Start a server that speaks TLS under a name; what it plays gets the deciphered socket."""

    def start(play, name="127.0.0.1"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(context)

        def handshake(sock, ended):
            with context.wrap_socket(sock.dup(), server_side=True) as secure:
                play(secure, ended)

        url, _ = serve(handshake, scheme="https")
        return url

    return start


def to_upstream(simulator):
    """Pass on to OpenRouter's face, as its TLS front does."""

    def play(sock, _ended):
        with socket.create_connection(("127.0.0.1", port_of(simulator.url("openrouter")))) as there:
            pump(sock, there)

    return play


def https(url):
    return url.replace("/v1", "/api/v1")
