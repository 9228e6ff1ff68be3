"""The public names: complete, sorted, and loaded only when used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import openrouter_resilient

HEAVY = ("requests", "pydantic", "urllib3", "cachetools", "dotenv", "ssl", "http.server")


def loaded_after(code):
    script = f"import sys; {code}; print('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_the_public_names_are_sorted_and_all_there():
    names = openrouter_resilient.__all__

    assert sorted(names) == names
    assert set(names) <= set(dir(openrouter_resilient))


@pytest.mark.parametrize("name", openrouter_resilient.__all__)
def test_a_public_name_can_be_had_from_a_fresh_import(name):
    assert getattr(openrouter_resilient, name) is not None


def test_no_other_name_can_be_had():
    with pytest.raises(AttributeError, match="has no attribute 'Cleint'"):
        _ = openrouter_resilient.Cleint


def test_importing_the_package_loads_nothing_heavy():
    assert not loaded_after("import openrouter_resilient") & set(HEAVY)


def test_the_errors_can_be_caught_without_loading_anything_heavy():
    code = "from openrouter_resilient import ResilientError, StreamInterrupted"

    assert not loaded_after(code) & set(HEAVY)


def test_the_function_completion_is_not_hidden_by_a_module():
    code = "import openrouter_resilient as o; o.Client; assert callable(o.completion)"

    assert "openrouter_resilient.shapes" in loaded_after(code)


def test_the_core_never_loads_the_simulator():
    code = "from openrouter_resilient import Client, llm_complete"

    assert "openrouter_resilient.simulator" not in loaded_after(code)
