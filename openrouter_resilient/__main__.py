"""`python -m openrouter_resilient` is the command `openrouter-resilient`."""

import sys

from openrouter_resilient.cli import main

if __name__ == "__main__":
    sys.exit(main())
