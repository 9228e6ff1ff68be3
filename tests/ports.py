"""Ports for programs that must be told one before they start."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

# Below those that Linux (32768) and others (49152) hand out by themselves. One of theirs that was
# found free may be another test's by the time that the program is up.
NEVER_HANDED_OUT = range(20_000, 32_000)


def free_port():
    """A loopback port that nobody listens on, and that nobody is given unasked."""
    while True:
        port = secrets.choice(NEVER_HANDED_OUT)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port


def over_files(folder):
    """The settings of a Jupyter kernel that needs no port: it is told several, and binds late."""
    return {"transport": "ipc", "ip": str(Path(folder, "kernel"))}
