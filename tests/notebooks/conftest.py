"""A real kernel, as Jupyter starts it, whose every message is kept."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest

import openrouter_resilient
from tests.ports import over_files

ROOT = Path(openrouter_resilient.__file__).parents[1]
OUTPUTS = ("display_data", "update_display_data", "execute_result", "stream", "error")
LONGEST_S = 60.0  # for a busy machine; a cell takes a second


class Kernel:
    """Runs cells, one after the other."""

    def __init__(self, manager):
        self._manager = manager
        self._client = manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=LONGEST_S)

    def begin(self, code):
        """Send a cell; `end` waits for what comes of it."""
        return self._client.execute(code)

    def end(self, cell):
        """The reply to a cell, and its outputs: type and content of each message, oldest first."""
        outputs = []
        while True:
            message = self._client.get_iopub_msg(timeout=LONGEST_S)
            if message["parent_header"].get("msg_id") != cell:
                continue
            kind, content = message["header"]["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                return self._reply(cell), outputs
            if kind in OUTPUTS:
                outputs.append((kind, content))

    def run(self, code):
        return self.end(self.begin(code))

    def interrupt(self):
        self._manager.interrupt_kernel()

    def close(self):
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
        self._manager.cleanup_resources()
        self._manager.context.term()

    def _reply(self, cell):
        while True:
            reply = self._client.get_shell_msg(timeout=LONGEST_S)
            if reply["parent_header"].get("msg_id") == cell:
                return reply["content"]


@pytest.fixture(scope="module")
def running_kernel(tmp_path_factory):
    jupyter_client = pytest.importorskip("jupyter_client")
    pytest.importorskip("ipykernel", reason="it needs a kernel: pip install '.[test]'")
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT") if name in os.environ}
    paths = {"PYTHONPATH": str(ROOT), "IPYTHONDIR": str(tmp_path_factory.mktemp("ipython"))}
    with tempfile.TemporaryDirectory() as folder:  # a short path, as a socket's has to be
        manager = jupyter_client.KernelManager(**over_files(folder))
        manager.start_kernel(env={**kept, **paths}, cwd=tmp_path_factory.mktemp("kernel"))
        kernel = Kernel(manager)
        yield kernel
        kernel.close()


@pytest.fixture
def kernel(running_kernel, simulator):
    """A kernel with a `client` of the test's simulator."""
    reply, outputs = running_kernel.run(
        "import os\n"
        f"os.environ.update({simulator.environment()!r})\n"
        "from openrouter_resilient import Client\n"
        "client = Client('anthropic/claude-sonnet-4.5', fallbacks=())\n"
    )
    assert "ok" == reply["status"], outputs
    return running_kernel


@pytest.fixture
def until_asked(simulator):
    """Wait until so many requests have arrived."""

    def until_asked(count=1):
        gives_up_at = time.monotonic() + LONGEST_S
        while len(simulator.requests) < count:
            assert time.monotonic() < gives_up_at
            time.sleep(0.01)

    return until_asked
