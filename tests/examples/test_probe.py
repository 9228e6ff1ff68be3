"""A probe by cron, with Docker and without: what the two files say is what works."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.examples.conftest import EXAMPLES
from tests.processes import ROOT, clean_environment, until

pytestmark = pytest.mark.slow

COMPOSE = yaml.safe_load((EXAMPLES / "probe" / "compose.yaml").read_text())
REDIS, PROBE = COMPOSE["services"]["redis"], COMPOSE["services"]["probe"]
HERE = Path(sys.executable).parent
CRONTAB = """#!/bin/sh
# Stands for the system's own, which a test must not change.
case "$1" in
    -l) test -f crontab.txt && cat crontab.txt ;;
    -) cat > crontab.new && mv crontab.new crontab.txt ;;
esac
"""


@pytest.fixture
def folder(tmp_path, simulator):
    """A folder with a `.env`, and a `crontab` of its own."""
    lines = (f"{name}={value}\n" for name, value in simulator.environment().items())
    (tmp_path / ".env").write_text("".join(lines))
    (tmp_path / "bin").mkdir()
    crontab = tmp_path / "bin" / "crontab"
    crontab.write_text(CRONTAB)
    crontab.chmod(0o755)
    return tmp_path


@pytest.fixture
def run(folder):
    """Run a command in that folder; its PATH has this Python's commands."""

    def run(*command, **environment):
        path = os.pathsep.join([str(folder / "bin"), str(HERE), os.environ["PATH"]])
        return subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=60,
            env={**clean_environment(), "PATH": path, **environment},
        )  # fmt: skip

    return run


def test_the_script_probes_installs_its_line_and_shows_what_is_known(
    run, folder, simulator, redis_server, word_of
):
    simulator.outage("groq")

    done = run("sh", EXAMPLES / "probe" / "cron.sh", REDIS_URL=redis_server.url)

    assert 0 == done.returncode, done.stderr
    assert ("up", "down") == (word_of("openrouter")["state"], word_of("groq")["state"])
    assert "openrouter" in done.stdout
    assert f"REDIS_URL={redis_server.url}\n" in (folder / ".env").read_text()
    assert 1 == (folder / "crontab.txt").read_text().count("*/5 * * * * cd ")


def test_started_again_it_changes_nothing_and_keeps_other_peoples_lines(run, folder, redis_server):
    (folder / "crontab.txt").write_text("0 4 * * * backup\n")
    run("sh", EXAMPLES / "probe" / "cron.sh", REDIS_URL=redis_server.url)
    before = (folder / "crontab.txt").read_text(), (folder / ".env").read_text()

    run("sh", EXAMPLES / "probe" / "cron.sh", REDIS_URL=redis_server.url)

    assert before == ((folder / "crontab.txt").read_text(), (folder / ".env").read_text())
    assert before[0].startswith("0 4 * * * backup\n")


def test_the_line_works_as_cron_runs_it(run, folder, redis_server, word_of):
    run("sh", EXAMPLES / "probe" / "cron.sh", REDIS_URL=redis_server.url)
    with redis_server.client() as client:
        client.flushall()
    command = (folder / "crontab.txt").read_text().splitlines()[-1].split(maxsplit=5)[5]

    done = subprocess.run(
        ("/bin/sh", "-c", command),
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"HOME": "/", "SHELL": "/bin/sh", "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip  what cron gives, and where this package is

    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)
    assert "up" == word_of("openrouter")["state"]


def test_the_containers_command_probes_into_the_containers_redis(
    run, folder, redis_server, word_of
):
    assert {"REDIS_URL": "redis://redis:6379/0"} == PROBE["environment"]
    command = shlex.split(PROBE["command"])
    process = subprocess.Popen(
        (HERE / command[0], *command[1:]),
        cwd=folder,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=clean_environment(REDIS_URL=redis_server.url),
    )

    try:
        until(lambda: word_of("anthropic"))
        process.terminate()  # as `docker compose stop` does
        assert 0 == process.wait(30)
    finally:
        process.kill()
        process.communicate()
    assert "up" == word_of("openrouter")["state"]


def test_the_containers_redis_takes_the_settings_it_is_given(redis_server):
    _, *options = shlex.split(REDIS["command"])
    redis_server.kill()
    redis_server.start(*options)

    with redis_server.client() as client:
        assert {"maxmemory": "67108864"} == client.config_get("maxmemory")
        assert {"save": ""} == client.config_get("save")


def test_what_the_container_copies_is_what_its_installation_needs():
    lines = PROBE["build"]["dockerfile_inline"].splitlines()
    copied = [word for line in lines if line.startswith("COPY") for word in line.split()[1:-1]]
    context = EXAMPLES / "probe" / PROBE["build"]["context"]

    assert all((context / name).exists() for name in copied)
    assert ROOT == context.resolve()
    assert {"openrouter_resilient", "setup.py", "setup.cfg", "README.md", "LICENSE"} == set(copied)
    assert "'/source[redis]'" in PROBE["build"]["dockerfile_inline"]
