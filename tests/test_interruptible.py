"""Ctrl-C is dealt with wherever it comes: no loop jumps back outside of what guards it.

From 3.12 on CPython looks for signals where a loop jumps back, and where it has doubled the
condition at a loop's end, it leaves that jump out of the table of what is caught: a lock would stay
held, a clean-up would be left out. Such a loop goes into a function of its own.
"""

from __future__ import annotations

import ast
import dis
import sys
import types
from pathlib import Path

import pytest

import openrouter_resilient

PACKAGE = Path(openrouter_resilient.__file__).parent
UNHARMED = ("cli", "simulator", "pictures.py")  # they hold nothing that a Ctrl-C could leave behind


def is_catch_all(handler):
    return handler.type is None or "BaseException" in ast.dump(handler.type)


def minds_interrupts(node):
    """Whether something has to be done here, whatever happens."""
    if isinstance(node, ast.Try):
        return bool(node.finalbody) or any(map(is_catch_all, node.handlers))
    return isinstance(node, ast.With)


def guarded_lines(tree):
    """The lines of loops around which something has to be done."""
    return {
        line
        for node in ast.walk(tree)
        if minds_interrupts(node)
        for inner in ast.walk(ast.Module(node.body, []))
        if isinstance(inner, ast.While | ast.For)
        for line in range(inner.lineno, inner.end_lineno + 1)
    }


def functions(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from functions(constant)


def uncaught_jumps(code):
    """The lines from which a loop jumps back with nobody to catch what happens then."""
    read = dis.Bytecode(code)
    for step in read:
        interruptible = "JUMP_BACKWARD" in step.opname and "NO_INTERRUPT" not in step.opname
        if interruptible and not any(
            e.start <= step.offset < e.end for e in read.exception_entries
        ):
            yield step.positions.lineno


@pytest.mark.skipif(sys.version_info < (3, 12), reason="before, every jump is in the table")
@pytest.mark.parametrize(
    "path",
    [p for p in sorted(PACKAGE.rglob("*.py")) if not {*p.relative_to(PACKAGE).parts} & {*UNHARMED}],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_no_loop_jumps_back_outside_of_what_guards_it(path):
    source = path.read_text()
    guarded = guarded_lines(ast.parse(source))

    assert [] == [
        f"{code.co_qualname}, line {line}"
        for code in functions(compile(source, str(path), "exec"))
        for line in uncaught_jumps(code)
        if line in guarded
    ]
