"""What is known of every route, as objects, as a table and beside the status pages."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from openrouter_resilient.health import status_pages
from openrouter_resilient.health.report import HealthReport, RouteHealth, duration
from openrouter_resilient.health.status_pages import Page, understood
from openrouter_resilient.wire.clock import SystemClock
from tests.health.conftest import until

pytestmark = pytest.mark.usefixtures("patient")

SUMMARY = {  # as status.claude.com and its like serve it
    "page": {"id": "x", "name": "Claude", "url": "https://status.claude.com", "updated_at": "…"},
    "status": {"indicator": "major", "description": "Partial System Outage"},
    "components": [{"id": "c", "name": "api.anthropic.com", "status": "partial_outage"}],
    "incidents": [
        {"id": "i", "name": "Elevated errors\non Sonnet", "status": "investigating"},
        {"id": "j", "name": "Old one", "status": "resolved"},
    ],
    "scheduled_maintenances": [],
}
FINE = {"status": {"indicator": "none", "description": "All Systems Operational"}, "incidents": []}


def test_a_fresh_client_knows_nothing(make_client):
    report = make_client().health()

    assert ["unknown", "unknown"] == [row.state for row in report]
    assert ["nobody", "nobody"] == [row.by for row in report]
    assert report.healthy
    assert not report.shared


def test_what_this_process_met_itself_is_told(simulator, make_client):
    simulator.outage("openrouter")
    client = make_client()
    for _ in range(3):
        client.complete("hi")

    down, up = client.health()

    assert ("down", "refused", "this process", None) == (
        down.state, down.fault, down.by, down.latency,
    )  # fmt: skip
    assert 0 <= down.since < 5
    assert ("up", None, "this process") == (up.state, up.fault, up.by)
    assert up.latency > 0


def test_what_another_process_says_is_told_as_its_word(make_client, redis_server, put_word):
    put_word("openrouter", by="probe web1:12", latency=0.4)
    client = make_client(redis_url=redis_server.url)

    until(lambda: client.health()[0].state == "down")

    row = client.health()[0]
    assert ("a probe (web1:12)", "refused", 0.4) == (row.by, row.fault, row.latency)
    assert not client.health().healthy


class Later(SystemClock):
    """The real clock, so and so much later."""

    seconds = 0.0

    def now(self):
        return super().now() + self.seconds

    def sleep_until(self, instant):
        super().sleep_until(instant - self.seconds)


def test_since_is_the_beginning_of_a_trouble_and_not_its_last_failed_trial(simulator, make_client):
    clock = Later()
    client = make_client(clock=clock)
    client.complete("hi")
    clock.seconds += 1000
    simulator.outage("openrouter")
    for _ in range(3):
        client.complete("hi")

    for _ in range(4):
        clock.seconds += 25  # longer than any cooldown: each time a trial, which fails
        client.complete("hi")

    down, up = client.health()
    assert ("down", "up") == (down.state, up.state)
    assert 100 <= down.since < 200
    assert 100 <= up.since < 200  # its first answer was that to the first call that failed over


def test_the_newest_word_is_the_one_that_is_told(make_client, redis_server, put_word):
    client = make_client(redis_url=redis_server.url)
    client.complete("hi")
    assert "this process" == client.health()[0].by

    put_word("openrouter", "up", by="call web2:7")

    until(lambda: client.health()[0].by == "another process (web2:7)")


def test_the_table_names_each_route_on_a_line_of_its_own(simulator, make_client):
    client = make_client(["anthropic/claude-sonnet-4.5", "openai/gpt-4o"])
    client.complete("hi")

    lines = repr(client.health()).splitlines()

    assert lines[0].split("  ")[0] == "route"
    assert lines[1].startswith("openrouter:anthropic/claude-sonnet-4.5 and 1 more")
    assert lines[2].startswith("openai:gpt-4o ")
    assert max(map(len, lines)) <= 120


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-1, "0 s"), (0.4, "0 s"), (59, "59 s"), (59.9, "1 min"), (125, "2 min"), (3599, "1 h"),
     (5400, "1.5 h"), (86_400, "1 d"), (216_000, "2.5 d")],
)  # fmt: skip
def test_a_length_of_time_is_said_as_people_say_it(seconds, said):
    assert said == duration(seconds)


class Cells(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text = set(), []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        assert not attrs

    def handle_data(self, data):
        self.text.append(data)


def test_what_others_wrote_is_text_in_a_notebook_and_moves_no_cursor():
    evil = '<script>alert("x")</script>\x1b[2J'
    row = RouteHealth(evil, "x", "down", 1.0, None, evil, evil, 1.0, Page("unknown", (evil,)))
    report = HealthReport((row,), shared=True)
    cells = Cells()

    cells.feed(report._repr_html_())

    assert {"table", "thead", "tbody", "tr", "th", "td"} == cells.tags
    assert evil in cells.text
    assert "\x1b" not in repr(report)


@pytest.mark.parametrize(
    ("summary", "says"),
    [
        (SUMMARY, "major outage (Elevated errors on Sonnet)"),
        (FINE, "operational"),
        ({"status": {"indicator": "maintenance"}}, "maintenance"),
    ],
)
def test_a_statuspage_is_understood(summary, says):
    assert says == str(understood(summary))


@pytest.mark.parametrize(
    "summary",
    [None, [], "x", {}, {"status": None}, {"status": "ok"}, {"status": {"indicator": "green"}},
     {"status": {"indicator": ["none"]}}],
)  # fmt: skip
def test_whatever_else_a_page_says_is_unknown(summary):
    assert "unknown" == understood(summary).state


def test_pages_are_read_only_where_asked_and_never_route(
    make_client, make_receiver, simulator, monkeypatch
):
    receiver = make_receiver(
        {
            "/openrouter/api/v2/summary.json": b"<html>a page for people</html>",
            "/openai/api/v2/summary.json": json.dumps(SUMMARY).encode(),
        }
    )
    pages = {name: f"{receiver.url}/{name}" for name in ("openrouter", "openai", "groq")}
    monkeypatch.setattr(status_pages, "PAGES", pages)
    client = make_client(["openai/gpt-4o"])
    client.health()
    assert not receiver.received

    report = client.health(pages=True)

    assert ["unknown", "major outage"] == [row.page.state for row in report]
    assert ["unknown", "unknown"] == [row.state for row in report]
    assert "status page" in repr(report)
    assert (
        f"unknown (the page says nothing in a known form; look at {pages['openrouter']})"
        in repr(report)
    )
    client.health(pages=True)  # a second glance asks nobody
    asked = [path.split("/")[1] for path, _ in receiver.received]
    assert ["openai", "openrouter"] == sorted(asked)
    assert "openrouter" == client.complete("hi").served.endpoint


@pytest.mark.parametrize(
    ("status", "why"), [(404, "the page answers 404"), (0, "it did not answer within 0.3 s")]
)
def test_a_page_that_is_not_there_is_unknown(receiver, monkeypatch, status, why):
    monkeypatch.setattr(status_pages, "TIMEOUT_S", 0.3)
    receiver.status = status

    page = status_pages.read_pages(["openai"], {"openai": receiver.url})["openai"]

    assert "unknown" == page.state
    assert f"{why}; look at {receiver.url}" in page.why


def test_every_built_in_endpoint_has_its_page():
    from openrouter_resilient.endpoints.table import ENDPOINTS

    assert set(ENDPOINTS) == set(status_pages.PAGES)


def test_the_command_shows_the_table(run_command, redis_server, put_word):
    put_word("openrouter", by="probe web1:12")

    done = run_command("health", REDIS_URL=redis_server.url)

    assert 1 == done.returncode
    assert "a probe (web1:12)" in done.stdout
    assert "down" in done.stdout.splitlines()[1]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "REDIS_URL is not set"),
        ("redis://127.0.0.1:1/0?db=x", "warning: REDIS_URL is set, and cannot be used"),
    ],
    ids=["none", "malformed"],
)
def test_the_command_says_once_why_nothing_is_shared(run_command, url, said):
    done = run_command("health", REDIS_URL=url)

    (line,) = done.stderr.splitlines()
    assert line.startswith(said)


def test_the_command_in_json(run_command):
    done = run_command("health", "--json")

    found = json.loads(done.stdout)
    assert (0, False) == (done.returncode, found["shared"])
    assert ["openrouter", "openai"] == [row["endpoint"] for row in found["routes"]]


@pytest.fixture
def watching(simulator):
    """Begin `health --watch`; what it writes goes where it is told to."""
    running = []

    def begin(output, *arguments, **variables):
        command = [sys.executable, "-m", "openrouter_resilient", "health", "--watch", "0.1"]
        kept = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
        running.append(
            subprocess.Popen(
                [*command, *arguments], stdout=output, stderr=output, start_new_session=True,
                env={**kept, **simulator.environment(), **variables},
            )
        )  # fmt: skip
        return running[-1]

    yield begin
    for process in running:
        process.kill()
        process.communicate()


def test_the_command_goes_on_until_ctrl_c_which_is_no_error(watching):
    process = watching(subprocess.PIPE)
    tables = 0
    while tables < 3:
        tables += process.stdout.readline().startswith(b"route")

    process.send_signal(signal.SIGINT)

    _, err = process.communicate(timeout=10)
    assert 130 == process.returncode
    assert b"error" not in err
    assert b"Traceback" not in err


def test_the_command_goes_on_in_json_a_line_each_time(watching):
    process = watching(subprocess.PIPE, "--json")

    assert [4, 4] == [len(json.loads(process.stdout.readline())["routes"]) for _ in range(2)]


def test_on_a_terminal_the_table_stays_in_its_place_with_what_was_warned_of(watching):
    pty = pytest.importorskip("pty")  # Windows has none
    screen, output = pty.openpty()
    process = watching(output, REDIS_URL="redis://127.0.0.1:1/0")
    os.close(output)
    seen = b""
    while seen.count(b"Redis at 127.0.0.1:1: it cannot be reached") < 2:
        seen += os.read(screen, 65536)

    process.send_signal(signal.SIGINT)

    assert 130 == process.wait(10)
    os.close(screen)
    frames = seen.split(b"\x1b[H\x1b[2J")
    assert len(frames) > 2
    assert all(frame.count(b"who said so") <= 1 for frame in frames)
    assert b"every 0.1 s until Ctrl-C" in frames[1]
