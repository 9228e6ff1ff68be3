"""No example is forgotten: by the tests, or by the README."""

from __future__ import annotations

import re

from tests.examples.conftest import EXAMPLES
from tests.examples.test_examples import SHOWN
from tests.processes import ROOT

README = (ROOT / "README.md").read_text()
APART = {
    "availability.py",
    "web/app.py",
    "probe/compose.yaml",
    "probe/cron.sh",
    "tour.ipynb",
    "batches.ipynb",
}  # tests of their own


def test_every_example_is_run():
    there = {
        str(path.relative_to(EXAMPLES))
        for path in EXAMPLES.rglob("*")
        if path.suffix in (".py", ".yaml", ".sh", ".ipynb")
    }

    assert there == {*SHOWN, *APART}


def test_the_readme_lists_every_example():
    section = README.partition("## Examples")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| \[`([\w/.]+)`\]\(examples/\1\)", section, re.MULTILINE)

    assert {*SHOWN, *APART} == set(listed)
    assert len(listed) == len(set(listed))
