"""What a command said, and how it ended."""

from __future__ import annotations

from collections.abc import Callable

from click.testing import Result

Run = Callable[..., Result]


def fine(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.output


def refused(result: Result, said: str) -> None:
    assert result.exit_code == 1, result.output
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.output


def misused(result: Result, said: str) -> None:
    """Wrong usage is exit code 2, and its text is wrapped to the screen."""
    assert result.exit_code == 2, result.output
    assert said in " ".join(result.stderr.replace("│", " ").split())
