"""The shape of the house: imports point downwards, files stay short, the policy touches nothing."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import openrouter_resilient

PACKAGE = Path(openrouter_resilient.__file__).parent
NAME = "openrouter_resilient"

# Top to bottom; a module may import from its own line and from those below it.
LAYERS = (
    ("__main__", "cli"),
    ("shortcuts", "litellm", "rehearsal"),
    (
        "client",
        "planning",
        "surface",
        "abilities",
        "features",
    ),  # what the client loads late stands beside it
    ("call", "stream"),
    ("transports",),
    ("telling", "observers", "live"),
    ("health",),
    ("wire", "ledger"),
    ("endpoints",),
    ("shapes", "served", "record", "cards", "settings", "parameters"),
    ("routing",),
    ("given",),
    ("errors", "sheet", "forking", "_version"),
)
APART = ("simulator",)  # knows nothing of the client, and only the rooms above may use it
SIMULATOR_USERS = ("cli", "rehearsal")
PURE = sorted((PACKAGE / "routing").rglob("*.py"))
UNCLEAN = {"time", "random", "socket", "os", "logging", "ssl", "requests", "urllib3", "pydantic"}


def modules():
    return sorted(PACKAGE.rglob("*.py"))


def room(path):
    """The file or folder directly below the package that a module belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path):
    """The rooms a module imports when it runs; imports for annotations alone do not count."""
    tree = ast.parse(path.read_text())
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{NAME}."):
            yield node.module.split(".")[1]
        if isinstance(node, ast.ImportFrom) and node.module == NAME:
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.Import):
            yield from (
                alias.name.split(".")[1]
                for alias in node.names
                if alias.name.startswith(f"{NAME}.")
            )


LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downwards(path):
    here = room(path)
    if here == "__init__":
        return
    for there in imported_rooms(path):
        if here in APART or there in APART:
            assert here == there or here in SIMULATOR_USERS, f"{here} imports {there}"
        else:
            assert LEVEL[here] <= LEVEL[there], f"{here} imports {there}, which stands above it"


def test_every_room_has_its_layer():
    rooms = {room(path) for path in modules()} - {"__init__"}

    assert rooms == set(LEVEL) | set(APART)


@pytest.mark.parametrize("path", PURE, ids=lambda path: path.name)
def test_the_policy_has_no_clock_no_chance_and_no_io(path):
    names = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }

    assert not names & UNCLEAN


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_file_is_longer_than_400_lines(path):
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_clock_and_the_simulator_ask_for_the_time(path):
    allowed = room(path) in (*APART, "cli") or path.name == "clock.py"
    tree = ast.parse(path.read_text())
    asks = any(
        isinstance(node, ast.Import) and any(alias.name == "time" for alias in node.names)
        for node in ast.walk(tree)
    )

    assert allowed or not asks
