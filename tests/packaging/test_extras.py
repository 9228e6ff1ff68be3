"""What is no core dependency is asked for only when it is needed, and says then how to get it."""

from __future__ import annotations

import ast
import configparser
import re
import sys
from pathlib import Path

import pytest

import openrouter_resilient

PACKAGE = Path(openrouter_resilient.__file__).parent
CONFIG = configparser.ConfigParser()
CONFIG.read(PACKAGE.parent / "setup.cfg")
EXTRAS = {
    name: {need.split(">")[0].split("[")[0].lower() for need in needs.split()}
    for name, needs in CONFIG["options.extras_require"].items()
}
CORE = {"requests", "urllib3", "pydantic", "cachetools", "dotenv", "openrouter_resilient"}
BROUGHT = {"typing_extensions", "pydantic_core", "certifi"}  # by pydantic and requests
LOADED_BY = {"pytest", "IPython"}  # they call what imports them, so they are there
NEW = {"tomllib"}  # of the standard library of a later Python


def is_for_types(node):
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def foreign_imports(path):
    """Each import of something else that happens when the module runs, with what is around it."""

    def walk(node, around):
        for inner in ast.iter_child_nodes(node):
            if is_for_types(inner):
                continue
            if isinstance(inner, ast.Import | ast.ImportFrom):
                modules = (
                    [alias.name for alias in inner.names]
                    if isinstance(inner, ast.Import)
                    else [inner.module or ""] * (inner.level == 0)
                )
                for module in modules:
                    top = module.split(".")[0]
                    if top not in sys.stdlib_module_names | CORE | BROUGHT | LOADED_BY | NEW:
                        yield top, [*around, node]
            yield from walk(inner, [*around, node])

    return list(walk(ast.parse(path.read_text()), []))


MODULES = sorted(PACKAGE.rglob("*.py"))
FOREIGN = [(path, name, around) for path in MODULES for name, around in foreign_imports(path)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_what_is_no_core_dependency_is_imported_when_it_is_needed(path):
    at_once = [
        name
        for name, around in foreign_imports(path)
        if not any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in around)
    ]

    assert [] == at_once


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_that_needs_an_extra_says_how_to_get_it(path):
    """Each foreign import has the name of an extra that has it in its module, as pip takes it."""
    named = set(re.findall(r"openrouter_resilient\[([\w,]+)\]", path.read_text()))

    for name, _ in foreign_imports(path):
        brought = {need.replace("-", "_") for extra in named for need in EXTRAS.get(extra, ())}
        assert named, f"{path.name} imports {name} and names no extra"
        assert named <= set(EXTRAS), f"{path.name} names an extra that is not in setup.cfg"
        assert brought, name


def test_every_extra_that_is_named_is_there():
    named = {
        extra
        for path in MODULES
        for extras in re.findall(r"openrouter_resilient\[([\w,]+)\]", path.read_text())
        for extra in extras.split(",")
    }

    assert named <= set(EXTRAS)


def test_the_lowest_versions_are_bounds_that_lowest_py_can_read():
    from tests.packaging.lowest import lowest

    pins = lowest()

    assert 5 == len(pins)
    assert all(re.fullmatch(r"[a-z0-9-]+==[\d.]+", pin) for pin in pins)
