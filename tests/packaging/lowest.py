"""Install the lowest version of each dependency that setup.cfg allows, into this environment."""

from __future__ import annotations

import configparser
import subprocess
import sys
from pathlib import Path

SETUP = Path(__file__).parent.parent.parent / "setup.cfg"


def lowest():
    """The bounds as pins, such as `requests==2.32.3`."""
    config = configparser.ConfigParser()
    config.read(SETUP)
    bounds = config["options"]["install_requires"].split()
    return [bound.replace(">=", "==") for bound in bounds]


if __name__ == "__main__":
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *lowest()], check=True)
