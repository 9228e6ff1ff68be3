"""What is uploaded: sdist and wheel are built from the sources alone, and hold what they must."""

from __future__ import annotations

import configparser
import email
import importlib
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("setuptools", reason="building needs setuptools: pip install '.[test]'")

ROOT = Path(__file__).parent.parent.parent
SOURCES = (
    "setup.cfg", "setup.py", "MANIFEST.in", "README.md", "CHANGELOG.md", "LICENSE", ".ruff.toml"
)  # fmt: skip
BUILD = "import sys; from setuptools import build_meta; build_meta.{}(sys.argv[1])"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with both, built from a copy as clean as a clone."""
    clone, out = tmp_path_factory.mktemp("clone"), tmp_path_factory.mktemp("dist")
    for name in SOURCES:
        shutil.copy(ROOT / name, clone)
    for name in ("openrouter_resilient", "tests", "examples", ".ci"):
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    for hook in ("build_sdist", "build_wheel"):  # each in a process of its own, says PEP 517
        command = [sys.executable, "-c", BUILD.format(hook), str(out)]
        subprocess.run(command, cwd=clone, check=True, capture_output=True)
    return out


@pytest.fixture(scope="module")
def wheel(built):
    (path,) = built.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def test_the_wheel_holds_the_package_and_its_notices_and_nothing_else(wheel):
    tops = {name.split("/")[0] for name in wheel.namelist()}

    assert {"openrouter_resilient"} == {top for top in tops if not top.endswith(".dist-info")}
    assert 2 == len(tops)


def test_the_wheel_holds_every_file_of_the_package(wheel):
    package = ROOT / "openrouter_resilient"
    there = {
        path.relative_to(ROOT).as_posix()
        for path in package.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }

    assert there == {name for name in wheel.namelist() if name.startswith("openrouter_resilient/")}
    assert "openrouter_resilient/py.typed" in there


def test_the_licence_is_in_the_wheel(wheel):
    (name,) = (name for name in wheel.namelist() if name.endswith("LICENSE"))

    assert ".dist-info/" in name
    assert (ROOT / "LICENSE").read_bytes() == wheel.read(name)


def metadata(wheel, name):
    (path,) = (path for path in wheel.namelist() if path.endswith(f".dist-info/{name}"))
    return wheel.read(path).decode()


def test_only_the_core_is_asked_for_without_an_extra(wheel):
    needs = email.message_from_string(metadata(wheel, "METADATA")).get_all("Requires-Dist")
    core = {need.split(">")[0].strip() for need in needs if "extra ==" not in need}

    assert {"requests", "urllib3", "pydantic", "cachetools", "python-dotenv"} == core


def test_the_entry_points_are_in_the_wheel_and_the_plugin_can_be_loaded(wheel):
    config = configparser.ConfigParser(delimiters="=")
    config.read_string(metadata(wheel, "entry_points.txt"))
    (plugin,) = config["pytest11"].values()

    assert {"openrouter-resilient"} == set(config["console_scripts"])
    assert importlib.import_module(plugin).openrouter_simulator


def test_the_sdist_can_be_built_from(built):
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert {"setup.cfg", "setup.py", "LICENSE", "README.md"} <= names
    assert "openrouter_resilient/py.typed" in names
    assert "openrouter_resilient/client.py" in names


def test_the_sdist_has_what_the_readme_tells_of_and_all_that_its_tests_need(built):
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        there = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {
        path.relative_to(ROOT).as_posix()
        for folder in ("tests", "examples", ".ci")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert wanted | set(SOURCES) <= there
    assert [] == [name for name in there if name.endswith(".pyc")]
