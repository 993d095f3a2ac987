"""What SQLite's planner is told of our tables, so that its plans are those of a large account from the first day.

Without statistics it takes an account for ten rows and walks all of it for every batch that names its rows;
statistics it gathered itself would change plans in the field. So every index gets the same, made-up ones.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

_ROWS = 1_000_000
_ROWS_AN_ACCOUNT = 100_000


def tell_planner(connection: Connection) -> None:
    """Replace the planner's statistics; connections opened from now on plan by them."""
    connection.exec_driver_sql("ANALYZE sqlite_schema")  # makes sqlite_stat1
    connection.exec_driver_sql("DELETE FROM sqlite_stat1")
    named = connection.exec_driver_sql("SELECT name FROM sqlite_schema WHERE type = 'table'").scalars().all()
    rows = [row for table in named if not table.startswith("sqlite_") for row in _of(connection, table)]
    connection.exec_driver_sql("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)", rows)


def _of(connection: Connection, table: str) -> Iterator[tuple[str, str, str]]:
    listed = connection.exec_driver_sql('SELECT name, origin, "unique", partial FROM pragma_index_list(?)', (table,))
    for name, origin, unique, partial in listed.all():
        found = connection.exec_driver_sql("SELECT count(*) FROM pragma_index_info(?)", (name,))
        statistics = _statistics(found.scalar_one(), unique=bool(unique), partial=bool(partial))
        # SQLite names the primary key of a table WITHOUT ROWID by the table itself.
        yield table, table if origin == "pk" else name, statistics


def _statistics(width: int, *, unique: bool, partial: bool) -> str:
    """Rows in all, then rows per distinct prefix of one column, of two, ..."""
    share = 100 if partial else 1
    least = 1 if unique else 10
    prefixes = [max(least, _ROWS_AN_ACCOUNT // share // 100**position) for position in range(width)]
    prefixes[-1] = least
    return " ".join(str(number) for number in (_ROWS // share, *prefixes))
