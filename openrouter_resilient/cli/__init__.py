"""The command line. One file a command; nothing heavy is imported before a command runs."""

from openrouter_resilient.cli.entry import main

__all__ = ["main"]
