"""The plugin: users' own tests meet outages on cue, and never the network."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import pytest

import openrouter_resilient
from openrouter_resilient.simulator.offline import offline

PLUGIN = "openrouter_resilient.simulator.pytest_plugin"
ELSEWHERE = ("192.0.2.1", 9)  # RFC 5737: for examples, routed nowhere


@pytest.fixture
def run(pytester, monkeypatch):
    """Run a module of tests in a pytest of its own, with the plugin as if it were installed."""
    monkeypatch.setenv("PYTHONPATH", str(Path(openrouter_resilient.__file__).parent.parent))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(text, *arguments):
        pytester.makepyfile(text)
        return pytester.runpytest_subprocess("-p", PLUGIN, "--strict-markers", *arguments)

    return run


def test_the_fixture_is_found_by_a_client_that_knows_nothing_of_it(run):
    result = run("""
        from openrouter_resilient import llm_complete

        def test_it(openrouter_simulator):
            assert "openrouter" == llm_complete("hi").served.endpoint
            request, = openrouter_simulator.requests
            assert "hi" == request.body["messages"][0]["content"]
    """)

    result.assert_outcomes(passed=1)


def test_an_outage_and_a_fault_can_be_played_from_it(run):
    result = run("""
        import pytest
        from openrouter_resilient import Client, StreamInterrupted

        def test_an_outage(openrouter_simulator):
            openrouter_simulator.outage("openrouter")
            assert "openai" == Client().complete("hi").served.endpoint

        def test_a_fault_with_its_option(openrouter_simulator):
            openrouter_simulator.play("cut_mid_stream", after=2)
            with pytest.raises(StreamInterrupted), Client().stream("hi") as stream:
                list(stream)
    """)

    result.assert_outcomes(passed=2)


def test_a_mark_plays_a_fault_whether_or_not_the_fixture_is_named(run):
    result = run("""
        import pytest, unittest
        from openrouter_resilient import Client

        @pytest.mark.openrouter_fault("status_503")
        def test_by_mark_alone():
            assert "openai" == Client().complete("hi").served.endpoint

        @pytest.mark.openrouter_fault("status_402", face="openai")
        @pytest.mark.openrouter_fault("rate_limit_seconds", seconds=60, times=1)
        def test_two_faces(openrouter_simulator):
            assert "groq" == Client(rounds=1).complete("hi").served.endpoint
            assert ["openrouter", "openai", "groq"] == [
                request.face for request in openrouter_simulator.requests
            ]

        @pytest.mark.openrouter_fault("status_503")
        class TestAll:
            def test_inherits(self):
                assert "openai" == Client().complete("hi").served.endpoint

            @pytest.mark.openrouter_fault("slow_but_steady")
            def test_the_closest_mark_wins(self):
                assert "openrouter" == Client().complete("hi").served.endpoint

        class TestOld(unittest.TestCase):
            @pytest.mark.openrouter_fault("status_503")
            def test_unittest(self):
                assert "openai" == Client().complete("hi").served.endpoint
    """)

    result.assert_outcomes(passed=5)


def test_a_mark_that_a_conftest_gives_plays_its_fault_too(run, pytester):
    pytester.makeconftest("""
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                item.add_marker(pytest.mark.openrouter_fault("status_503"))
    """)
    result = run("""
        from openrouter_resilient import Client

        def test_it():
            assert "openai" == Client().complete("hi").served.endpoint
    """)

    result.assert_outcomes(passed=1)


def test_a_mistake_in_a_mark_names_the_nearest(run):
    result = run("""
        import pytest

        @pytest.mark.openrouter_fault("cut_midstream")
        def test_it():
            pass
    """)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*there is no fault 'cut_midstream'; did you mean 'cut_mid_*"])


def test_the_mark_is_listed(run):
    run("", "--markers").stdout.fnmatch_lines(["@pytest.mark.openrouter_fault(name, face=*"])


def test_no_setting_of_the_machine_reaches_the_test_and_all_come_back(run, monkeypatch, pytester):
    monkeypatch.setenv("OPENROUTER_API_KEY", "a-real-key")
    monkeypatch.setenv("OPENROUTER_RESILIENT_MODELS", "a/real-model")
    monkeypatch.setenv("https_proxy", "http://192.0.2.1:9")
    monkeypatch.setenv("REDIS_URL", "redis://192.0.2.1:9/0")
    (pytester.path / ".env").write_text("OPENROUTER_RESILIENT_FALLBACKS=ollama:llama\n")
    result = run("""
        import os
        from openrouter_resilient import Client

        def test_within(openrouter_simulator):
            assert "a-real-key" != os.environ["OPENROUTER_API_KEY"]
            assert "ollama" not in repr(Client()) and "real-model" not in repr(Client())
            assert not os.environ.get("https_proxy")
            assert "REDIS_URL" not in os.environ

        def test_after():
            assert "a-real-key" == os.environ["OPENROUTER_API_KEY"]
            assert "OPENAI_API_KEY" not in os.environ
    """)

    result.assert_outcomes(passed=2)


def test_what_tries_to_reach_the_network_fails_and_is_named(run):
    result = run("""
        import socket
        from openrouter_resilient import Client, Endpoint

        def test_a_library_that_goes_on_regardless(openrouter_simulator):
            own = Endpoint("own", "http://192.0.2.1:9/v1")
            client = Client("own:any", fallbacks=["openai"], endpoints=[own])
            assert "openai" == client.complete("hi").served.endpoint

        def test_after():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.connect(("192.0.2.1", 9))  # sends nothing
    """)

    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*the test tried to reach the network: 192.0.2.1:9*"])


@pytest.fixture(autouse=True)
def loopback_only():
    """Here the plugin's own guard stands alone, in the place of the one that all tests have."""


def attempt(what):
    try:
        what()
    except OSError as error:
        return error
    return None


def over_a_socket(family, kind, how, *args):
    with socket.socket(family, kind) as sock:
        getattr(sock, how)(*args)


INET, INET6, STREAM, DGRAM = (
    socket.AF_INET,
    socket.AF_INET6,
    socket.SOCK_STREAM,
    socket.SOCK_DGRAM,
)
WAYS_OUT = {
    "create_connection": lambda: socket.create_connection(ELSEWHERE, timeout=1),
    "connect": lambda: over_a_socket(INET, STREAM, "connect", ELSEWHERE),
    "connect_ex": lambda: over_a_socket(INET, STREAM, "connect_ex", ELSEWHERE),
    "IPv6": lambda: over_a_socket(INET6, STREAM, "connect", ("2001:db8::1", 9)),
    "a mapped address": lambda: over_a_socket(INET6, STREAM, "connect", ("::ffff:192.0.2.1", 9)),
    "sendto": lambda: over_a_socket(INET, DGRAM, "sendto", b"x", ELSEWHERE),
    "sendmsg": lambda: over_a_socket(INET, DGRAM, "sendmsg", [b"x"], [], 0, ELSEWHERE),
    "getaddrinfo": lambda: socket.getaddrinfo("example.org", 443),
    "a name as bytes": lambda: socket.getaddrinfo(b"example.org", 443),
    "gethostbyname": lambda: socket.gethostbyname("example.org"),
    "urllib": lambda: urllib.request.urlopen("http://example.org", timeout=1),
}


@pytest.mark.parametrize("way", WAYS_OUT)
def test_every_way_out_is_closed(way):
    with offline() as attempts:
        error = attempt(WAYS_OUT[way])

    assert isinstance(error, OSError)
    assert 1 == len(attempts)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", b"localhost", None])
def test_this_machine_can_be_reached(host):
    with offline() as attempts:
        socket.getaddrinfo(host, 80)

    assert [] == attempts


@pytest.mark.parametrize(
    ("family", "address"),
    [(INET, ("127.0.0.9", 9)), (INET6, ("::1", 9)), (INET6, ("::ffff:127.0.0.1", 9))],
)
def test_every_form_of_this_machines_address_is_allowed(family, address):
    with offline() as attempts:
        attempt(lambda: over_a_socket(family, STREAM, "connect_ex", address))

    assert [] == attempts


def test_a_name_that_never_resolves_is_no_attempt():
    with offline() as attempts:
        error = attempt(lambda: socket.getaddrinfo("simulated.invalid", 443))

    assert isinstance(error, socket.gaierror)
    assert [] == attempts


def test_the_guard_holds_on_every_thread_and_rests_afterwards():
    said = []
    with offline() as attempts:
        thread = threading.Thread(
            target=lambda: said.append(attempt(lambda: socket.getaddrinfo("example.org", 1)))
        )
        thread.start()
        thread.join(10)
    with offline() as later:
        pass

    assert isinstance(said[0], socket.gaierror)
    assert (["example.org"], []) == (attempts, later)


def loaded_after(code):
    script = f"import sys\n{code}\nprint('\\n'.join(sys.modules))"
    root = str(Path(openrouter_resilient.__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    return set(done.stdout.split())


def test_where_it_is_not_used_it_loads_nothing():
    more = loaded_after(f"import pytest, {PLUGIN}") - loaded_after("import pytest, _pytest.config")

    ours = {name for name in more if name.startswith("openrouter_resilient")}
    assert {
        "openrouter_resilient",
        "openrouter_resilient._version",
        "openrouter_resilient.simulator",
        PLUGIN,
    } == ours
    assert not {"requests", "pydantic", "urllib3", "ssl", "http.server"} & more
