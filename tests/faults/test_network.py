"""TLS and proxies in earnest: who is trusted, who is asked, who sees the key, and when it ends."""

from __future__ import annotations

import socket
import traceback

import pytest

from openrouter_resilient import ConfigurationError, DeadlineExceeded, RoutesExhausted
from openrouter_resilient.wire.sockets import RESOLVER

from .conftest import https, port_of, pump, read_request, to_upstream
from .test_deadline import ALLOWED_S, drip, timed

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99999\r\n\r\n"


@pytest.mark.usefixtures("trusted")
def test_a_call_over_tls_trusts_the_authority_that_the_environment_names(
    simulator, make_client, serve_tls
):
    client = make_client(base_url=https(serve_tls(to_upstream(simulator))))

    answers = [client.complete("hi"), client.complete("hi", wire="whole")]
    with client.stream("hi") as stream:
        answers.append(stream.completion)

    assert ["openrouter"] * 3 == [answer.served.endpoint for answer in answers]


def test_an_unknown_authority_is_a_tls_fault_and_the_key_is_not_sent(
    simulator, make_client, serve_tls
):
    client = make_client(base_url=https(serve_tls(to_upstream(simulator))))

    answer = client.complete("hi")

    assert ["tls", None] == [attempt.fault for attempt in answer.served.attempts]
    assert [] == simulator.received("openrouter")


@pytest.mark.usefixtures("trusted")
def test_a_wrong_name_is_a_tls_fault_and_the_key_is_not_sent(simulator, make_client, serve_tls):
    url = serve_tls(to_upstream(simulator), name="somebody.example")

    answer = make_client(base_url=https(url)).complete("hi")

    assert ["tls", None] == [attempt.fault for attempt in answer.served.attempts]
    assert [] == simulator.received("openrouter")


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("head", [b"", HEAD], ids=["headers", "body"])
def test_tls_records_that_drip_end_by_the_deadline(make_client, serve_tls, head):
    def play(sock, ended):
        read_request(sock)
        sock.sendall(head)
        drip(sock, ended, HEAD * 99)

    client = make_client(base_url=serve_tls(play), fallbacks=(), rounds=1)

    error, seconds = timed(client.complete, "hi", deadline=0.5)

    assert isinstance(error, DeadlineExceeded)
    assert seconds < 0.5 + ALLOWED_S


@pytest.mark.usefixtures("trusted")
def test_a_tls_connection_that_was_closed_while_idle_is_replaced_at_once(
    simulator, make_client, serve_tls
):
    """Not the endpoint's fault: it neither waits nor counts."""
    client = make_client(base_url=https(serve_tls(to_upstream(simulator))), fallbacks=())
    client.complete("hi")
    simulator.play("openrouter", "stale_connection")

    served = client.complete("hi").served

    assert ["stale_connection", None] == [attempt.fault for attempt in served.attempts]
    assert served.seconds < ALLOWED_S


@pytest.mark.parametrize("zone", ["%25eth0", "%eth0"])
def test_the_zone_of_an_ipv6_address_is_looked_up_as_systems_spell_it(
    make_client, monkeypatch, zone
):
    asked = []

    def look_up(host, *_arguments, **_options):
        asked.append(host)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(RESOLVER, "_lookup", look_up)
    client = make_client(base_url=f"http://[fe80::1{zone}]:9/v1", fallbacks=(), rounds=1)

    with pytest.raises(RoutesExhausted):
        client.complete("hi")

    assert {"fe80::1%eth0"} == set(asked)


class Proxy:
    """What a proxy is asked, and how it passes that on."""

    def __init__(self):
        self.asked = []
        self.heard = b""

    def play(self, sock, _ended):
        request = sock.recv(65536)
        self.heard += request
        method, target = request.split(b" ")[:2]
        self.asked.append((method.decode(), target.decode()))
        host, _, port = target.decode().removeprefix("http://").split("/")[0].partition(":")
        with socket.create_connection((host, int(port))) as there:
            if method == b"CONNECT":
                sock.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            else:
                there.sendall(request)
            pump(sock, there)


@pytest.fixture
def proxy(serve):
    made = Proxy()
    url, _ = serve(made.play)
    made.url = url.removesuffix("/v1")
    return made


def test_http_goes_through_the_environments_proxy(simulator, make_client, proxy, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("http_proxy", proxy.url)

    answer = make_client().complete("hi")

    assert "openrouter" == answer.served.endpoint
    assert [("POST", f"{simulator.url('openrouter')}/chat/completions")] == proxy.asked


def test_a_proxy_may_be_named_without_a_scheme(simulator, make_client, proxy, monkeypatch):
    monkeypatch.setenv("http_proxy", proxy.url.removeprefix("http://"))

    make_client().complete("hi")

    assert [("POST", f"{simulator.url('openrouter')}/chat/completions")] == proxy.asked


@pytest.mark.parametrize(
    "url", ["foo://me:hidden@bar", "http://", "http://[bad", "http://me:hidden@bar:x"]
)
def test_a_malformed_proxy_is_said_without_its_password(make_client, monkeypatch, url):
    monkeypatch.setenv("http_proxy", url)

    with pytest.raises(ConfigurationError, match="the proxy that the environment names") as caught:
        make_client().complete("hi")

    assert "hidden" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None


@pytest.mark.usefixtures("trusted")
def test_https_goes_through_a_tunnel_of_the_proxy_which_never_sees_the_key(
    simulator, make_client, serve_tls, proxy, monkeypatch
):
    url = https(serve_tls(to_upstream(simulator)))
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)

    answer = make_client(base_url=url).complete("hi")

    assert "openrouter" == answer.served.endpoint
    assert [("CONNECT", f"127.0.0.1:{port_of(url)}")] == proxy.asked
    assert simulator.key("openrouter").encode() not in proxy.heard


def test_no_proxy_is_honoured(make_client, proxy, monkeypatch):
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    answer = make_client().complete("hi")

    assert "openrouter" == answer.served.endpoint
    assert [] == proxy.asked


def test_a_proxy_that_is_not_there_is_refused(make_client, simulator, monkeypatch):
    simulator.outage("groq")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port_of(simulator.url('groq'))}")

    with pytest.raises(RoutesExhausted) as caught:
        make_client(fallbacks=(), rounds=1).complete("hi")

    assert ["refused"] == [attempt.fault for attempt in caught.value.history]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_hangs_ends_by_the_deadline(make_client, serve, monkeypatch, scheme):
    url, _ = serve(lambda _sock, ended: ended.wait(30))
    monkeypatch.setenv(f"{scheme}_proxy", url.removesuffix("/v1"))
    client = make_client(base_url=f"{scheme}://127.0.0.1:9/v1", fallbacks=(), rounds=1)

    error, seconds = timed(client.complete, "hi", deadline=0.4)

    assert isinstance(error, DeadlineExceeded)
    assert seconds < 0.4 + ALLOWED_S
    assert {"http": "silent", "https": "connect_timeout"}[scheme] == error.history[0].fault


@pytest.mark.usefixtures("trusted")
def test_a_netrc_never_replaces_the_key_not_even_through_a_proxy(
    simulator, make_client, serve_tls, proxy, monkeypatch, tmp_path
):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)

    make_client(base_url=https(serve_tls(to_upstream(simulator)))).complete("hi")

    assert simulator.key("openrouter") == simulator.requests[0].key
    assert b"c29tZWJvZHk6ZWxzZQ" not in proxy.heard  # somebody:else, as it would be written
