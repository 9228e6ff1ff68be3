"""The probe: what it finds, whom it tells, and whom it does not."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest

from openrouter_resilient import Client
from openrouter_resilient.health.channels import Channel, Undelivered
from openrouter_resilient.health.probe import probe, words_of
from openrouter_resilient.health.prober import Prober
from openrouter_resilient.ledger.ledger import Ledger
from openrouter_resilient.settings import Settings
from openrouter_resilient.simulator.refusal import Refusal, RefusedError
from openrouter_resilient.wire.clock import VirtualClock
from tests.health.conftest import until

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH")  # the mailbox' own TLS is enough

OPENROUTER = "openrouter:anthropic/claude-sonnet-4.5"


def alerts_by(receiver, mailbox):
    return {
        "OPENROUTER_RESILIENT_WEBHOOK": f"{receiver.url}/hook",
        "OPENROUTER_RESILIENT_EMAIL": mailbox.url,
        "OPENROUTER_RESILIENT_HEARTBEAT": f"{receiver.url}/beat",
    }


@pytest.mark.parametrize("shared", [True, False], ids=["redis", "file"])
def test_an_outage_between_two_rounds_is_one_webhook_and_one_mail_and_a_third_round_none(
    simulator, redis_server, receiver, make_mailbox, run_command, shared
):
    mailbox = make_mailbox()
    alerts = alerts_by(receiver, mailbox)
    if shared:
        alerts["REDIS_URL"] = redis_server.url

    first = run_command("probe", "--once", **alerts)
    assert (0, [("/beat", None)], []) == (first.returncode, receiver.received, mailbox.messages)

    simulator.outage("openrouter")
    second = run_command("probe", "--once", **alerts)
    third = run_command("probe", "--once", **alerts)

    words = f"{OPENROUTER} is down: refused, nothing accepts connections there"
    hooks = [body for path, body in receiver.received if path == "/hook"]
    assert (1, 1) == (second.returncode, third.returncode)
    assert [words] == [hook["text"] for hook in hooks]
    (mail,) = mailbox.messages
    assert f"[openrouter_resilient] {OPENROUTER} is down" == mail["subject"]
    assert "me@example.org, you@example.org" == mail["to"]
    assert words in mail.get_content()
    assert [("bot@example.org", "pass/word")] == mailbox.logins
    assert 1 == [path for path, _ in receiver.received].count("/beat")  # of the healthy round
    everything = json.dumps(hooks) + str(mail) + second.stdout + second.stderr
    assert simulator.key("openrouter") not in everything
    assert "Say OK" not in everything


def test_the_end_of_an_outage_is_told_too(simulator, receiver, run_command):
    hook = {"OPENROUTER_RESILIENT_WEBHOOK": f"{receiver.url}/hook"}
    simulator.outage("openrouter")
    run_command("probe", "--once", **hook)
    simulator.heal()

    run_command("probe", "--once", **hook)

    rows = [row for _, body in receiver.received for row in body["alerts"]]
    assert [(OPENROUTER, "down"), (OPENROUTER, "up")] == [
        (row["route"], row["state"]) for row in rows
    ]


def test_a_probe_writes_what_every_process_reads(simulator, redis_server, run_command, word_of):
    simulator.play("openrouter", "status_503")

    run_command("probe", "--once", "--every", "120", REDIS_URL=redis_server.url)

    down, up = word_of("openrouter"), word_of("openai")
    assert ("down", "unavailable") == (down["state"], down["fault"])
    assert ("up", None) == (up["state"], up["fault"])
    assert up["latency"] > 0
    assert down["by"].startswith("probe ")
    with redis_server.client() as redis:
        assert 290 < redis.ttl("openrouter-resilient:health:openai") <= 300  # two rounds and a half


def test_since_stays_what_it_was_while_an_outage_lasts(
    simulator, redis_server, run_command, word_of
):
    simulator.outage("openrouter")
    run_command("probe", "--once", REDIS_URL=redis_server.url)
    first = word_of("openrouter")

    run_command("probe", "--once", REDIS_URL=redis_server.url)

    assert first["since"] == word_of("openrouter")["since"]
    assert first["checked_at"] < word_of("openrouter")["checked_at"]


def test_after_a_probe_found_an_outage_no_call_pays_for_it(
    simulator, redis_server, run_command, make_client
):
    simulator.play("openrouter", "no_headers")
    run_command("probe", "--once", "--deadline", "1", REDIS_URL=redis_server.url)
    client = make_client(redis_url=redis_server.url)
    until(lambda: client.health()[0].state == "down")

    answer = client.complete("hi")

    assert ["openai"] == [attempt.endpoint for attempt in answer.served.attempts]
    assert answer.served.seconds < 1


def test_a_probe_that_finds_it_up_brings_a_route_back_before_its_own_trial(
    simulator, redis_server, run_command, make_client
):
    simulator.outage("openrouter")
    client = make_client(redis_url=redis_server.url)
    for _ in range(3):
        client.complete("hi")
    simulator.heal()
    run_command("probe", "--once", REDIS_URL=redis_server.url)

    until(lambda: client.complete("hi").served.endpoint == "openrouter", limit=4)


@pytest.mark.parametrize(
    ("fault", "up"),
    [
        ("status_404_no_endpoints", True),
        ("status_502_provider", True),
        ("status_502", False),
        ("cut_mid_stream", False),
        ("html_200", False),
    ],
)
def test_a_route_is_judged_by_an_answer_and_an_endpoint_by_what_it_says_of_itself(
    simulator, redis_server, run_command, word_of, fault, up
):
    simulator.play("openrouter", fault)

    done = run_command("probe", "--once", "--json", REDIS_URL=redis_server.url)

    probes = {row["endpoint"]: row for row in json.loads(done.stdout)["probes"]}
    assert not probes["openrouter"]["up"]
    assert up == probes["openrouter"]["endpoint_up"]
    assert ("up" if up else "down") == word_of("openrouter")["state"]


def test_a_probe_is_in_the_ledger_as_a_probe_and_not_as_a_call(simulator, run_command, tmp_path):
    simulator.play("openrouter", "status_503")
    began = time.time()

    run_command("probe", "--once", OPENROUTER_RESILIENT_LEDGER=str(tmp_path / "calls.db"))

    with closing(sqlite3.connect(tmp_path / "calls.db")) as file:
        probes = file.execute("SELECT route, endpoint, fault, seconds, started_at FROM probes")
        found = {route: row for route, *row in probes}
        assert 0 == file.execute("SELECT count(*) FROM calls").fetchone()[0]
    assert {OPENROUTER, "openai:gpt-4o"} == set(found)
    assert [("openrouter", "unavailable"), ("openai", None)] == [
        tuple(found[route][:2]) for route in (OPENROUTER, "openai:gpt-4o")
    ]
    assert all(0 < row[2] < 10 and began - 1 < row[3] < time.time() + 1 for row in found.values())


def test_a_ledger_that_cannot_be_written_is_warned_of_once(run_command, tmp_path):
    path = tmp_path / "none" / "x.db"

    done = run_command("probe", "--once", "-q", OPENROUTER_RESILIENT_LEDGER=str(path))

    assert (0, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
    assert f"warning: the ledger {path} cannot be written" in done.stderr


def test_what_a_probe_finds_counts_in_the_report(simulator, run_command, tmp_path):
    ledger = {"OPENROUTER_RESILIENT_LEDGER": str(tmp_path / "calls.db")}
    run_command("probe", "--once", **ledger)
    simulator.play("openrouter", "status_503")
    run_command("probe", "--once", **ledger)

    report = Ledger(tmp_path / "calls.db").report()

    shares = {name: (alone.good, alone.bad) for name, alone in report.endpoints.items()}
    assert {"openrouter": (1, 1), "openai": (2, 0)} == shares


def test_a_probe_of_a_client_in_use_moves_neither_its_breakers_nor_its_record(
    simulator, make_client
):
    client = make_client()
    simulator.play("openrouter", "status_503")

    found = [probe(client, seconds=5) for _ in range(3)]

    assert [False] * 3 == [openrouter.up for openrouter, _ in found]
    simulator.heal()
    assert ["openrouter"] == [a.endpoint for a in client.complete("hi").served.attempts]
    assert 1 == len(client.ledger.calls)


def test_a_probe_asks_however_long_the_last_one_was_told_to_wait(simulator, make_client):
    client = make_client(fallbacks=())
    simulator.play("openrouter", "rate_limit_seconds", seconds=3600)
    (first,) = probe(client, seconds=5)
    simulator.heal()

    (second,) = probe(client, seconds=5)

    assert ("rate_limited", None) == (first.fault, second.fault)


def test_a_model_that_needs_room_to_think_is_given_it(simulator, make_client):
    """OpenAI's answer 400 to a limit that their thoughts alone exceed."""
    text = "Could not finish the message because max_tokens or model output limit was reached."

    def answer(_face, body):
        if body["max_completion_tokens"] < 100:
            raise RefusedError(Refusal(400, text))
        return "OK."

    simulator.answer = answer

    (found,) = probe(make_client("openai:gpt-4o", fallbacks=()), seconds=5)

    assert found.up
    assert [16, 1_000] == [r.body["max_completion_tokens"] for r in simulator.requests]


def test_a_request_that_is_refused_for_another_reason_is_asked_twice_at_the_most(
    simulator, make_client
):
    simulator.play("openrouter", "status_400")

    (found,) = probe(make_client(fallbacks=()), seconds=5)

    assert (False, True, "invalid_request") == (found.up, found.endpoint_up, found.fault)
    assert 2 == len(simulator.requests)


def test_a_route_that_cannot_be_asked_says_why_and_nothing_of_its_endpoint(make_client):
    client = make_client(max_cost=1.0)
    client._spending.add(2.0)

    found = probe(client, seconds=5)

    assert [False, False] == [probed.asked for probed in found]
    assert "was not asked: " in str(found[0])
    assert {} == words_of(found, client.endpoints, {}, wall=0.0, every=300)


def test_people_are_not_told_twice_when_redis_was_gone_for_a_round(
    simulator, redis_server, receiver, run_command
):
    """What the file remembers of the round without Redis is newer than what Redis has kept."""
    told = {"REDIS_URL": redis_server.url, "OPENROUTER_RESILIENT_WEBHOOK": f"{receiver.url}/hook"}
    run_command("probe", "--once", **told)
    redis_server.pause()
    simulator.outage("openrouter")
    run_command("probe", "--once", **told)
    redis_server.go_on()

    run_command("probe", "--once", **told)

    assert 1 == len(receiver.received)


def test_the_price_of_a_round_is_printed(run_command):
    done = run_command("probe", "--once")

    assert "1 probe cost $0.00" in done.stderr
    assert "1 probe of 9 tokens in all had no price named" in done.stderr
    assert 2 == done.stdout.count(" answered in ")


def test_what_is_wrong_with_a_route_is_said_once_and_with_the_others(simulator, run_command):
    simulator.play("openrouter", "status_401")

    loud, quiet = run_command("probe", "--once"), run_command("probe", "--once", "--quiet")

    lines = loud.stdout.splitlines() + loud.stderr.splitlines()
    assert 1 == len([line for line in lines if "unauthorized" in line])
    assert (1, "", "") == (quiet.returncode, quiet.stdout, quiet.stderr)


def test_it_goes_on_for_ever_and_ends_cleanly_when_it_is_told_to(simulator, tmp_path):
    environment = {
        **simulator.environment(),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "XDG_STATE_HOME": str(tmp_path),
        "OPENROUTER_RESILIENT_MODELS": "openai/gpt-4o",
        "OPENROUTER_RESILIENT_FALLBACKS": "openai:gpt-4o",
    }
    command = [sys.executable, "-m", "openrouter_resilient", "probe", "--every", "0.2"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        until(lambda: len(simulator.requests) >= 6)
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        out, err = process.communicate(timeout=10)

    assert 0 == process.returncode
    assert time.monotonic() - began < 3
    assert "Traceback" not in err
    assert out.count("answered") >= 4


@pytest.mark.parametrize("status", [500, 0], ids=["answers 500", "never answers"])
def test_a_webhook_in_trouble_is_told_of_once_and_what_it_missed_comes_later(
    simulator, receiver, tmp_path, caplog, monkeypatch, status
):
    from openrouter_resilient.health import channels

    monkeypatch.setattr(channels, "LIMIT_S", 0.3)
    monkeypatch.setattr(channels, "PAUSE_S", 0.01)
    receiver.status = status
    environment = {**simulator.environment(), channels.WEBHOOK_VARIABLE: f"{receiver.url}/s3cret"}
    with Client("openai/gpt-4o", fallbacks=(), environment=environment, redis_url="") as client:
        made = channels.channels(Settings(environment=environment), VirtualClock())
        prober = Prober(client, folder=tmp_path, channels=made, seconds=2)
        simulator.outage("openrouter")
        prober.round()
        prober.round()
        missed = len(receiver.received)
        receiver.status = 200
        prober.round()
        prober.round()

    told = [r.getMessage() for r in caplog.records if "webhook" in r.getMessage()]
    assert 1 == len(told)
    assert ("it answers 500" if status else "it did not answer within 0.3 s") in told[0]
    assert "s3cret" not in caplog.text
    assert 2 * channels.TRIES == missed
    assert 1 == len(receiver.received) - missed


def test_whatever_is_in_trouble_is_said_once_without_its_secret_and_nothing_else_is_touched(
    simulator, redis_server, make_receiver, tmp_path, caplog, monkeypatch
):
    """A Redis that refuses the password, a webhook that is mute, an SMTP server that hangs."""
    from openrouter_resilient.health import channels

    monkeypatch.setattr(channels, "LIMIT_S", 0.3)
    monkeypatch.setattr(channels, "PAUSE_S", 0.01)
    with redis_server.client() as redis:
        redis.config_set("requirepass", "sesame")
    mute, beats = make_receiver(), make_receiver()
    mute.status = 0
    with socket.create_server(("127.0.0.1", 0)) as hanging:  # accepts, and says nothing
        environment = {
            **simulator.environment(),
            channels.WEBHOOK_VARIABLE: f"{mute.url}/s3cret",
            channels.EMAIL_VARIABLE: f"smtp://me:s3cret@127.0.0.1:{hanging.getsockname()[1]}/?to=a@b.c",
            channels.HEARTBEAT_VARIABLE: f"{beats.url}/s3cret",
        }
        settings = Settings(environment=environment)
        with Client("openai/gpt-4o", fallbacks=(), environment=environment, redis_url="") as client:
            prober = Prober(
                client,
                redis_url=f"redis://me:s3cret@127.0.0.1:{redis_server.port}/0",
                folder=tmp_path,
                channels=channels.channels(settings, VirtualClock()),
                beat=channels.heartbeat(settings),
            )
            simulator.play("openrouter", "status_401", times=1)
            found = [probed.up for _ in range(4) for probed in prober.round()]
            prober.close()

    assert [False, True, True, True] == found
    assert 3 == len(beats.received)
    said = [r.getMessage() for r in caplog.records if "failed after" not in r.getMessage()]
    late = "it did not answer within 0.3 s. It is tried again after the next round"
    refused = "it does not accept the user or password; mend the URL. Other processes hear nothing"
    redis_place = f"Redis at 127.0.0.1:{redis_server.port}"
    assert {
        f"{redis_place}: {refused}",
        f"webhook (plain): {late}",
        f"e-mail (127.0.0.1): {late}",
    } == set(said)
    assert 3 == len(said)
    assert "s3cret" not in caplog.text


def test_an_alert_that_cannot_be_delivered_does_not_keep_others_from_theirs(
    simulator, tmp_path, monkeypatch
):
    from openrouter_resilient.health import channels

    monkeypatch.setattr(channels, "PAUSE_S", 0.01)
    taken = []

    def refuse(_alerts, _seconds):
        raise Undelivered("no")

    ways = [Channel("a", refuse), Channel("b", lambda alerts, _seconds: taken.extend(alerts))]
    with Client(
        "openai/gpt-4o", fallbacks=(), environment=simulator.environment(), redis_url=""
    ) as client:
        prober = Prober(client, folder=tmp_path, channels=ways, seconds=2)
        simulator.outage("openrouter")
        prober.round()
        prober.round()

    assert ["down"] == [alert.state for alert in taken]


def test_whatever_goes_wrong_with_an_alert_is_warned_of_once_and_the_probing_goes_on(
    simulator, make_client, tmp_path, caplog
):
    def fail(_alerts, _seconds):
        raise AttributeError("s3cret")

    client = make_client("openai/gpt-4o", fallbacks=(), redis_url="")
    prober = Prober(client, folder=tmp_path, channels=[Channel("a", fail)], seconds=2)
    simulator.outage("openrouter")

    assert [False, False] == [probed.up for _ in range(2) for probed in prober.round()]

    assert 1 == caplog.text.count("a: it could not be sent (AttributeError)")
    assert "s3cret" not in caplog.text


def test_a_folder_that_cannot_be_written_and_a_redis_that_is_gone_stop_nothing(
    simulator, tmp_path, caplog
):
    (tmp_path / "file").write_text("")
    with Client(
        "openai/gpt-4o", fallbacks=(), environment=simulator.environment(), redis_url=""
    ) as client:
        prober = Prober(
            client, folder=tmp_path / "file" / "x", redis_url="redis://:s3cret@127.0.0.1:1"
        )
        found = [prober.round() for _ in range(2)]
        prober.close()

    assert [True, True] == [probed.up for round_ in found for probed in round_]
    told = [record.getMessage() for record in caplog.records]
    assert 2 == len(told)
    assert "Redis at 127.0.0.1:1: it cannot be reached" in told[0]
    assert "cannot be written" in told[1]
    assert "s3cret" not in caplog.text


def test_a_user_without_a_home_is_probed_for_and_warned_of_it(
    simulator, make_client, monkeypatch, caplog
):
    for variable in ("HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 4_000_123)  # nobody's number, as in a container
    client, taken = make_client("openai/gpt-4o", fallbacks=(), redis_url=""), []
    channel = Channel("a", lambda alerts, _seconds: taken.extend(alerts))
    prober = Prober(client, channels=[channel], seconds=2)
    simulator.outage("openrouter")

    found = [probed.up for _ in range(2) for probed in prober.round()]

    assert ([False, False], ["down"]) == (found, [alert.state for alert in taken])
    (told,) = [text for record in caplog.records if "folder" in (text := record.getMessage())]
    assert "cannot be written (set XDG_STATE_HOME or HOME); people may be told twice" in told


@pytest.mark.parametrize(
    ("every", "schedule"),
    [("60", "* * * * *"), ("300", "*/5 * * * *"), ("3600", "0 * * * *"), ("7200", "0 */2 * * *")],
)
def test_the_line_for_cron_is_one_that_crontab_accepts(run_command, tmp_path, every, schedule):
    done = run_command("probe", "--print-cron", "--every", every, "--model", "openai/gpt-4o")
    assert done.stdout.splitlines()[-1].startswith(f"{schedule} cd ")
    crontab = shutil.which("crontab")
    if crontab is None:
        pytest.skip("crontab is not installed (Debian's package cron has it)")
    (tmp_path / "lines").write_text(done.stdout)

    check = subprocess.run(
        [crontab, "-n", tmp_path / "lines"], capture_output=True, text=True, check=False
    )

    if "invalid option" in check.stderr:
        pytest.skip("this crontab cannot check a file without installing it")
    assert (0, "The syntax of the crontab file was successfully checked.\n") == (
        check.returncode,
        check.stdout + check.stderr,
    )


def test_the_line_for_cron_does_what_it_says_in_a_folder_with_an_odd_name(
    simulator, tmp_path, monkeypatch
):
    from openrouter_resilient.health.install import cron_lines

    folder = tmp_path / "50% of 'it'"
    folder.mkdir()
    environment = simulator.environment()
    lines = [f"{name}={value}" for name, value in environment.items()]
    (folder / ".env").write_text("\n".join(lines))

    line = cron_lines(300, ["--fallback", "openai:gpt-4o"], folder).splitlines()[-1]
    command = line.split(maxsplit=5)[5].replace("\\%", "%")  # as cron reads it
    done = subprocess.run(
        ["/bin/sh", "-c", command], capture_output=True, text=True, timeout=60, check=False,
        env={"PYTHONPATH": os.pathsep.join(sys.path), "XDG_STATE_HOME": str(tmp_path)},
    )  # fmt: skip

    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)
    assert {"openrouter", "openai"} == {request.face for request in simulator.requests}
    assert not any(value in line for value in environment.values())


@pytest.mark.parametrize("kind", ["--print-cron", "--print-systemd"])
def test_what_only_the_shell_knows_is_named_and_its_value_is_not(run_command, tmp_path, kind):
    (tmp_path / ".env").write_text("OPENROUTER_API_KEY=s3cret\nREDIS_URL=\n")

    done = run_command(
        "probe", kind, REDIS_URL="redis://:s3cret@h", OPENROUTER_RESILIENT_LEDGER="s3cret",
        OPENROUTER_RESILIENT_DOTENV="off", OTHER="s3cret",
    )  # fmt: skip

    named = [line.split()[-1] for line in done.stdout.splitlines() if line.startswith("#   ")]
    assert {"REDIS_URL", "OPENROUTER_RESILIENT_LEDGER", "OPENAI_API_KEY"} <= set(named)
    assert not {"OPENROUTER_API_KEY", "OPENROUTER_RESILIENT_DOTENV", "OTHER"} & set(named)
    assert "s3cret" not in done.stdout


def test_a_rhythm_that_cron_cannot_keep_is_refused(run_command):
    done = run_command("probe", "--print-cron", "--every", "420")

    assert 2 == done.returncode
    assert "cron cannot do something every 420 s" in done.stderr


def test_systemd_accepts_the_unit(run_command, tmp_path):
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "openrouter-resilient-probe.service"
    unit.write_text(run_command("probe", "--print-systemd").stdout)

    done = subprocess.run([verify, "verify", unit], capture_output=True, text=True, check=False)

    assert unit.name not in done.stderr
