"""Notebooks run from a clean kernel, and what of their outputs is the same each time."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from traitlets.config import Config

from tests.ports import over_files

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
KEPT = ("PATH", "HOME", "SYSTEMROOT")  # of the environment: no key, no proxy, no setting
OWN = {"OPENROUTER_RESILIENT_DOTENV": "off"}
LONGEST_S = 120.0  # for a cell; they take seconds, and a busy machine a few more

# What differs from run to run, and is of no matter.
VARYING = (
    (r"data:image/svg\+xml;base64,[\w+/=]+", "<picture>"),
    (r"\bgen-[\w-]+", "<generation>"),
    (r"\b\d{4}-\d\d-\d\d( \d\d:\d\d)?", "<date>"),
    (r"\b\d+(\.\d+)? m?s\b", "<time>"),
    (r" +", " "),  # columns are as wide as their widest number
)


def run(path, **environment):
    """A notebook with the outputs that it has in a process of its own."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        places = {"PYTHONPATH": str(ROOT), "IPYTHONDIR": folder}
        client = NotebookClient(
            notebook,
            config=Config(KernelManager=over_files(folder)),
            timeout=LONGEST_S,
            record_timing=False,
            resources={"metadata": {"path": folder}},
        )
        client.execute(env={**kept, **places, **OWN, **environment})
    notebook.metadata.pop("language_info", None)  # the version of this Python
    return notebook


def shown(notebook):
    """What each cell of code shows, without what differs from run to run."""
    return [_shown(cell.outputs) for cell in notebook.cells if cell.cell_type == "code"]


def _shown(outputs):
    streams: dict[str, str] = {}
    bundles = []
    for output in outputs:
        if output.output_type == "stream":
            streams[output.name] = streams.get(output.name, "") + output.text
        else:
            bundles.append({kind: _steady(text) for kind, text in output.data.items()})
    return {name: _steady(text) for name, text in streams.items()}, bundles


def _steady(text):
    for pattern, word in VARYING:
        text = re.sub(pattern, word, text)
    return text
