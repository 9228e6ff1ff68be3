"""The lines that install the probe: for cron, and for systemd. They hold no variable's value."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from openrouter_resilient.endpoints.table import ENDPOINTS
from openrouter_resilient.errors import ConfigurationError
from openrouter_resilient.settings import DOTENV_VARIABLE, REDIS_VARIABLE, Settings

MINUTE, HOUR = 60, 3600
PREFIX = "OPENROUTER_RESILIENT_"


def only_in_shell(environment: Mapping[str, str], folder: Path) -> list[str]:
    """The variables of this package that a probe in a folder would not find in its `.env`.

    Args:
        environment: of the shell; neither cron nor systemd has it.
        folder: where the probe is to be run.

    Raises:
        ConfigurationError: the `.env` cannot be read.
    """
    names = {name for name in environment if name.startswith(PREFIX) and name.isidentifier()}
    names |= {REDIS_VARIABLE, *(row.key_variable for row in ENDPOINTS.values())}
    names |= {row.url_variable for row in ENDPOINTS.values()}
    names.discard(DOTENV_VARIABLE)  # whether a `.env` is read cannot stand in it
    there = Settings(environment={}, folder=folder)
    return sorted(
        name for name in names if environment.get(name, "").strip() and not there.read(name)
    )


def cron_lines(
    every: float, options: Sequence[str], folder: Path, missing: Sequence[str] = ()
) -> str:
    """Lines for a crontab.

    Args:
        every: seconds between two rounds.
        options: of the probe.
        folder: where it is run, and looks for a `.env`.
        missing: the variables that are not in it.

    Raises:
        ConfigurationError: cron cannot keep that rhythm.
    """
    words = _command("--once", every, options)
    command = f"cd {shlex.quote(str(folder))} && {shlex.join(words)} --quiet"
    return (
        "# Cron knows nothing of your shell's variables: put the keys into a file .env in\n"
        f"# {_comment(folder)}\n{_lacks(missing)}"
        f"{_schedule(every)} {command.replace('%', chr(92) + '%')}\n"
    )


def systemd_unit(
    every: float, options: Sequence[str], folder: Path, missing: Sequence[str] = ()
) -> str:
    """A unit that probes for ever; save it as openrouter-resilient-probe.service.

    Args:
        every: seconds between two rounds.
        options: of the probe.
        folder: where it is run, and looks for a `.env`.
        missing: the variables that are not in it.
    """
    command = " ".join(map(_quoted, _command("", every, options)))
    return f"""\
# Save as ~/.config/systemd/user/openrouter-resilient-probe.service, then:
#   systemctl --user daemon-reload
#   systemctl --user enable --now openrouter-resilient-probe
# Keys are read from a file .env in the working directory.
{_lacks(missing)}[Unit]
Description=Probe the routes of openrouter-resilient

[Service]
WorkingDirectory={str(folder).replace("%", "%%")}
ExecStart={command}
Restart=on-failure
RestartSec=30

[Install]
WantedBy=default.target
"""


def _lacks(missing: Sequence[str]) -> str:
    """Lines that name what the `.env` still lacks."""
    if not missing:
        return ""
    return "".join(
        ["# These are set in your shell, and not there:\n", *map("#   {}\n".format, missing)]
    )


def _command(once: str, every: float, options: Sequence[str]) -> list[str]:
    here = [sys.executable, "-m", "openrouter_resilient", "probe"]
    return [*here, *([once] if once else []), "--every", f"{every:g}", *options]


def _schedule(every: float) -> str:
    """The five fields of a crontab.

    Raises:
        ConfigurationError: cron cannot keep that rhythm.
    """
    for size, whole, form in ((MINUTE, 60, "*/{} * * * *"), (HOUR, 24, "0 */{} * * *")):
        count, rest = divmod(every, size)
        if not rest and 1 <= count < whole and whole % count == 0:
            return form.format(int(count)).replace("*/1 ", "* ", 1)
    raise ConfigurationError(
        f"cron cannot do something every {every:g} s; take a whole number of minutes that divides "
        "an hour (60, 300, 600, 900, 1800), or of hours that divides a day"
    )


def _quoted(word: str) -> str:
    """A word as systemd reads it: `%` and `$` mean something to it, quotes are C's."""
    doubled = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{doubled}"' if doubled != word or " " in word else word


def _comment(folder: Path) -> str:
    return "".join(char if char.isprintable() else "?" for char in str(folder))
