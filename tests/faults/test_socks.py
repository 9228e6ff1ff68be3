"""SOCKS proxies: who is asked, who resolves the name, and when it ends."""

from __future__ import annotations

import contextlib
import importlib
import socket

import pytest
from requests.exceptions import InvalidSchema

from openrouter_resilient import ConfigurationError, DeadlineExceeded, RoutesExhausted

from .conftest import https, port_of, pump, to_upstream
from .test_deadline import ALLOWED_S, timed

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99999\r\n\r\n"


def connect_by_socks(sock, reply=b"\x05\x00\x00\x01" + bytes(6)):
    """A SOCKS5 proxy's part of the talk; the host and port that it is asked for."""
    count = sock.recv(2)[1]
    sock.recv(count)
    sock.sendall(b"\x05\x00")
    kind = sock.recv(4)[3]
    host = socket.inet_ntoa(sock.recv(4)) if kind == 1 else sock.recv(sock.recv(1)[0]).decode()
    port = int.from_bytes(sock.recv(2), "big")
    sock.sendall(reply)
    return host, port


@pytest.fixture
def serve_socks(serve, monkeypatch):
    """Start a SOCKS proxy that the environment names; what it plays gets the connection."""
    pytest.importorskip("socks")
    importlib.import_module("openrouter_resilient.wire.socks")  # now, and not within a deadline

    def start(play, scheme="socks5"):
        url, _ = serve(play)
        monkeypatch.setenv("ALL_PROXY", url.removesuffix("/v1").replace("http", scheme))

    return start


def test_a_socks_proxy_without_pysocks_is_said(make_client, monkeypatch):
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:9")
    monkeypatch.setattr("requests.adapters.SOCKSProxyManager", missing)

    with pytest.raises(ConfigurationError, match=r"pip install 'openrouter_resilient\[socks\]'"):
        make_client().complete("hi")


def missing(*_args, **_kwargs):
    raise InvalidSchema("Missing dependencies for SOCKS support.")  # as requests has it


@pytest.mark.usefixtures("trusted")
def test_calls_go_through_a_socks_proxy(simulator, make_client, serve_tls, serve_socks):
    asked = []

    def play(sock, _ended):
        asked.append(connect_by_socks(sock))
        with socket.create_connection(asked[-1]) as there:
            pump(sock, there)

    secure = https(serve_tls(to_upstream(simulator)))
    serve_socks(play)

    answers = [make_client().complete("hi"), make_client(base_url=secure).complete("hi")]

    assert ["openrouter"] * 2 == [answer.served.endpoint for answer in answers]
    wanted = [port_of(simulator.url("openrouter")), port_of(secure)]
    assert [("127.0.0.1", port) for port in wanted] == asked


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("heard", [None, b"", HEAD], ids=["nothing", "connection", "headers"])
def test_silence_behind_a_socks_proxy_ends_by_the_deadline(make_client, serve_socks, scheme, heard):
    def play(sock, ended):
        if heard is not None:
            connect_by_socks(sock)
            sock.sendall(heard)
        ended.wait(30)

    serve_socks(play)
    client = make_client(base_url=f"{scheme}://127.0.0.1:9/v1", fallbacks=(), rounds=1)

    error, seconds = timed(client.complete, "hi", deadline=0.4)

    assert isinstance(error, (DeadlineExceeded, RoutesExhausted))
    assert seconds < 0.4 + ALLOWED_S


def test_a_socks_proxy_that_answers_byte_by_byte_ends_by_the_deadline(make_client, serve_socks):
    def play(sock, ended):
        connect_by_socks(sock, b"\x05\x00\x00\x03\xff")
        with contextlib.suppress(OSError):  # it was hung up on
            while not ended.wait(0.05):
                sock.sendall(b"x")

    serve_socks(play)
    client = make_client(base_url="http://127.0.0.1:9/v1", fallbacks=(), rounds=1)

    error, seconds = timed(client.complete, "hi", deadline=0.4)

    assert isinstance(error, DeadlineExceeded)
    assert ["connect_timeout"] == [attempt.fault for attempt in error.history]
    assert seconds < 0.4 + ALLOWED_S


@pytest.mark.parametrize(("scheme", "asked"), [("socks5", "127.0.0.1"), ("socks5h", "localhost")])
def test_a_socks_proxy_is_given_a_name_only_if_it_resolves_names(
    simulator, make_client, serve_socks, scheme, asked
):
    heard = []

    def play(sock, _ended):
        heard.append(connect_by_socks(sock))
        with socket.create_connection(("127.0.0.1", heard[-1][1])) as there:
            pump(sock, there)

    serve_socks(play, scheme)
    url = simulator.url("openrouter").replace("127.0.0.1", "localhost")

    answer = make_client(base_url=url).complete("hi")

    assert "openrouter" == answer.served.endpoint
    assert [(asked, port_of(url))] == heard


def test_what_a_socks_proxy_refuses_is_refused(make_client, serve_socks):
    serve_socks(lambda sock, _ended: connect_by_socks(sock, b"\x05\x05\x00\x01" + bytes(6)))

    with pytest.raises(RoutesExhausted) as caught:
        make_client(base_url="http://127.0.0.1:9/v1", fallbacks=(), rounds=1).complete("hi")

    assert ["refused"] == [attempt.fault for attempt in caught.value.history]


def test_a_name_that_does_not_resolve_is_unresolved_before_a_socks_proxy_is_asked(
    make_client, serve_socks
):
    serve_socks(lambda _sock, ended: ended.wait(30))

    with pytest.raises(RoutesExhausted) as caught:
        make_client(base_url="http://nowhere.invalid/v1", fallbacks=(), rounds=1).complete("hi")

    assert ["unresolved"] == [attempt.fault for attempt in caught.value.history]
