"""The command line: every command does one thing, says it in a line, and never ends in a traceback."""

from drumbeat.cli.program import app, main

__all__ = ["app", "main"]
