"""The tables spread over the nodes of a Citus cluster: an account's rows lie together, what no account owns everywhere.

Every statement names its account and every reference stays within it (the schema's own rule), so a statement runs on
the one node that has the account, and only the worker's looks across accounts ask all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Table, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import AddConstraint, DropConstraint

from drumbeat.domain.errors import IncorrectValue, NotNow
from drumbeat.store import migrate
from drumbeat.store.database import Database, translated
from drumbeat.store.schema import accounts, metadata
from drumbeat.store.transaction import first_line


def distribute(url: str) -> list[str]:
    """Spread the tables that are not spread yet, in one transaction: all of them or none; their names."""
    database = Database(url, pool_size=1)
    try:
        if database.is_sqlite:
            raise IncorrectValue(
                "SQLite is one file on one machine: only tables of a PostgreSQL with Citus are distributed.",
                field="DRUMBEAT_DATABASE_URL",
            )
        if migrate.pending(url):
            raise NotNow("The database is behind this version: run `drumbeat migrate` first.")
        with translated(), database.writer.connect() as connection, connection.begin():
            left = _not_spread(connection)
            _spread(connection, left)
            return [table.name for table in left]
    except DBAPIError as error:
        raise NotNow(f"The cluster refused, and nothing is changed: {first_line(error.orig or error)}") from error
    finally:
        database.close()


def _not_spread(connection: Connection) -> list[Table]:
    if connection.execute(text("SELECT to_regproc('create_distributed_table')")).scalar_one() is None:
        raise IncorrectValue(
            "This PostgreSQL has no Citus: install it, then run `CREATE EXTENSION citus` in this database.",
            field="DRUMBEAT_DATABASE_URL",
        )
    spread = set(connection.execute(text("SELECT logicalrelid::text FROM pg_dist_partition")).scalars())
    return [table for table in metadata.sorted_tables if table.name not in spread]


def _spread(connection: Connection, tables: Sequence[Table]) -> None:
    # One node after the other: what is done to all at once cannot be followed by a table that lies on every node.
    connection.execute(text("SET LOCAL citus.multi_shard_modify_mode TO 'sequential'"))
    references = [each for table in tables for each in table.foreign_key_constraints]
    for each in references:  # a table cannot move while one that has not moved refers to it
        connection.execute(DropConstraint(each))
    for table in sorted(tables, key=lambda each: each is not accounts):  # which the others lie beside
        if table is accounts:
            _distribute(connection, table, by="id", beside="none")
        elif "account_id" in table.c:
            _distribute(connection, table, by="account_id", beside=accounts.name)
        else:
            connection.execute(text("SELECT create_reference_table(:name)"), {"name": table.name})
    for each in references:
        connection.execute(AddConstraint(each, isolate_from_table=False))


def _distribute(connection: Connection, table: Table, *, by: str, beside: str) -> None:
    connection.execute(
        text("SELECT create_distributed_table(:name, :column, colocate_with => :beside)"),
        {"name": table.name, "column": by, "beside": beside},
    )
