"""`python -m tests.notebooks` runs each notebook, and stores its outputs if they have changed."""

# ruff: noqa: T201  a command line prints

from __future__ import annotations

import nbformat

from tests.notebooks.running import NOTEBOOKS, run, shown

for path in NOTEBOOKS:
    fresh = run(path)
    changed = shown(fresh) != shown(nbformat.read(path, as_version=4))
    if changed:
        nbformat.write(fresh, path)
    print(path.name, "stored anew" if changed else "as it was")
