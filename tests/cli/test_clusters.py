"""`drumbeat db distribute`, as an operator runs it."""

from __future__ import annotations

import psycopg
import pytest

from tests.cli.outcome import Run, fine, refused
from tests.distribution import STAND_IN


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_tables_are_distributed_once_and_it_is_said(run: Run, database_url: str) -> None:
    refused(run("db", "distribute"), "has no Citus")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(STAND_IN)
    assert "Distributed " in fine(run("db", "distribute"))
    assert "already" in fine(run("db", "distribute"))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_one_file_is_not_distributed(run: Run) -> None:
    refused(run("db", "distribute"), "DRUMBEAT_DATABASE_URL")
