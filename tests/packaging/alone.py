"""Install a built wheel alone into an empty environment, and use all that needs no extra.

python tests/packaging/alone.py FOLDER      the folder that holds the wheel
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

CORE = {"openrouter_resilient", "requests", "urllib3", "pydantic", "cachetools", "python_dotenv"}
USE = r"""
import importlib, importlib.metadata as metadata, json, os, pathlib, pkgutil, sys, warnings
warnings.simplefilter("error")
import openrouter_resilient as package

place = pathlib.Path(package.__file__)
assert "site-packages" in place.parts, place
assert (place.parent / "py.typed").is_file()

NEEDS = {"openrouter_resilient.simulator.pytest_plugin": "pytest"}  # pytest itself loads it
for found in pkgutil.walk_packages([str(place.parent)], "openrouter_resilient."):
    if found.name in NEEDS or found.name.endswith("__main__"):
        continue
    importlib.import_module(found.name)
for name in package.__all__:
    getattr(package, name)

for script in metadata.distribution("openrouter_resilient").entry_points.select(
    group="console_scripts"
):
    assert callable(script.load()), script

from openrouter_resilient import Chaos, Client, ConfigurationError, llm_complete
from openrouter_resilient.ledger.pictures import strip
from openrouter_resilient.ledger.telemetry import Telemetry
from openrouter_resilient.simulator import Simulator


def add(a: int, b: int) -> int:
    return a + b


def asks_for(extra, use):  # at the moment it is needed
    try:
        use()
    except ConfigurationError as error:
        assert f"pip install 'openrouter_resilient[{extra}]'" in str(error), error
    else:
        raise AssertionError(f"{extra} is not missed")


with Simulator() as simulator:
    os.environ.update(simulator.environment())
    assert "openrouter" == llm_complete("hi").served.endpoint
    simulator.outage("openrouter")
    with Client(record="lesson.jsonl", chaos=Chaos(rate=0.01)) as client:
        assert "openai" == client.complete("hi").served.endpoint
    with Client() as client, client.stream("hi") as stream:
        assert "".join(stream) and "openai" == stream.served.endpoint
    simulator.heal()
    with Client(ledger="calls.db", cache_seconds=9) as client:
        assert isinstance(client.parse("hi", list[int]).value, list)
        assert client.run_tools("hi", tools=[add]).finished
        assert 2 == len(client.embed(["a", "b"]))
        assert client.models().search("claude")
        assert ["openrouter"] * 3 == [a.served.endpoint for a in client.map(["a", "b", "c"])]
        assert client.explain("hi").rows and len(client.health())
        report = client.ledger.report()
        assert report.availability.good == report.calls > 4
        assert "openrouter_resilient[notebook]" in report.as_html()
    asks_for("notebook", lambda: strip(report))
    asks_for("otel", Telemetry)
    asks_for("redis", lambda: Client(redis_url="redis://127.0.0.1:1"))
    os.environ["ALL_PROXY"] = "socks5://127.0.0.1:1"
    asks_for("socks", lambda: Client().complete("hi"))
for name in list(os.environ):
    if name.endswith("_API_KEY"):
        del os.environ[name]
with Client(replay="lesson.jsonl") as client:
    assert client.complete("hi").served.replayed

print(json.dumps(sorted({d.metadata["Name"].replace("-", "_") for d in metadata.distributions()})))
"""


def main(folder):
    """Exit with 1, and with the reason, if it does not work."""
    (wheel,) = Path(folder).glob("*.whl")
    with tempfile.TemporaryDirectory() as empty:
        python = _environment(Path(empty))
        pip = [sys.executable, "-m", "pip", "--python", str(python)]
        subprocess.run([*pip, "install", "--quiet", str(wheel)], check=True)
        names = {"PATH": os.environ["PATH"], "HOME": empty, "PYTHONWARNINGS": "error"}
        used = [str(python), "-I", "-c", USE]
        done = subprocess.run(
            used, cwd=empty, env=names, check=True, text=True, stdout=subprocess.PIPE
        )
        drill = [str(python.parent / "openrouter-resilient"), "drill", "--json"]
        subprocess.run(drill, cwd=empty, env=names, check=True, stdout=subprocess.DEVNULL)
    missing = {name for name in CORE if name not in done.stdout}
    if missing:
        sys.exit(f"not installed: {missing}; what is there: {done.stdout}")
    print(f"{wheel.name} works alone beside {done.stdout.strip()}")  # noqa: T201  its report


def _environment(folder):
    venv.EnvBuilder(with_pip=False).create(folder / "env")
    place = "Scripts/python.exe" if os.name == "nt" else "bin/python"
    return folder / "env" / place


if __name__ == "__main__":
    main(sys.argv[1])
