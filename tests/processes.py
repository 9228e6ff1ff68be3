"""What a process of a test needs to find Python and this package, and nothing of the machine's."""

from __future__ import annotations

import os
import time
from pathlib import Path

import openrouter_resilient

ROOT = Path(openrouter_resilient.__file__).parents[1]


def clean_environment(**more):
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", **more}


def until(condition, limit=30.0):
    """Wait for what another process does."""
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
