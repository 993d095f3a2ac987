"""Commands as a test runs them, on a database of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from click.testing import Result
from typer.testing import CliRunner

from drumbeat.cli import app
from drumbeat.testing.house import KEY
from tests.cli.outcome import Run


@pytest.fixture
def run(database_url: str, tmp_path: Path) -> Iterator[Run]:
    """Runs a command on a database of the test's own; keywords are DRUMBEAT_ variables."""

    def command(*words: str, given: str | None = None, **variables: str) -> Result:
        settings = {"DATA": str(tmp_path / "kept"), "DATABASE_URL": database_url, "MASTER_KEY": KEY}
        env = {f"DRUMBEAT_{name}": value for name, value in (settings | variables).items()}
        return CliRunner().invoke(app, list(words), env=env, input=given)

    yield command
    structlog.reset_defaults()  # `serve` began to log to the runner's own standard error


@pytest.fixture
def tea(run: Run) -> Run:
    """The same, with an account and its admin in it."""
    added = run("user", "add", "--admin", "--account-name", "Tea", "--email", "olive@tea.example", "--name", "Olive")
    assert added.exit_code == 0, added.output
    return run
