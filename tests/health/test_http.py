"""One small request, over in time, whatever the server does."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from base64 import b64encode
from contextlib import suppress

import pytest
import trustme

from openrouter_resilient.health.http import Unanswered, fetch


@pytest.fixture
def dripping():
    """A server that sends one byte of its body every 50 ms, for ever."""
    stop = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while not stop.wait(0.05):
                with suppress(OSError):
                    connection.sendall(b"x")

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    stop.set()
    thread.join()
    listener.close()


def test_a_body_that_drips_is_left_in_time(dripping):
    began = time.monotonic()

    with pytest.raises(Unanswered, match=r"it did not answer within 0.5 s"):
        fetch(dripping, seconds=0.5)

    assert time.monotonic() - began < 1.5


def test_what_is_raised_holds_no_address():
    with pytest.raises(Unanswered) as caught:
        fetch("http://127.0.0.1:1/s3cret", seconds=1.0)

    assert "nothing accepts connections there" == str(caught.value)
    assert caught.value.__cause__ is None


def test_netrc_adds_no_key(receiver, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password s3cret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

    answer = fetch(receiver.url, seconds=5.0, headers={"X-Own": "1"})

    assert 200 == answer.status
    assert "Authorization" not in receiver.headers
    assert "1" == receiver.headers["X-Own"]


def test_user_and_password_of_the_url_are_sent(receiver):
    fetch(receiver.url.replace("//", "//me:s3cret@"), seconds=5.0)

    assert f"Basic {b64encode(b'me:s3cret').decode()}" == receiver.headers["Authorization"]


@pytest.mark.parametrize("trusted", [True, False])
def test_a_certificate_is_checked_against_the_bundle_of_the_environment(
    monkeypatch, tmp_path, trusted
):
    authority, other = trustme.CA(), trustme.CA()
    (authority if trusted else other).cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = listener.accept()
        try:
            with context.wrap_socket(connection, server_side=True) as secure:
                secure.recv(65536)
                secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        except OSError:
            return

    thread = threading.Thread(target=serve)
    thread.start()
    url = f"https://127.0.0.1:{listener.getsockname()[1]}/"
    if trusted:
        assert {} == fetch(url, seconds=5.0).json()
    else:
        with pytest.raises(Unanswered, match="no secure connection"):
            fetch(url, seconds=5.0)
    thread.join()
    listener.close()
