"""Tables as files to download: CSV that is written while it is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from litestar.response import Stream

from drumbeat.operations.spreadsheets import write_csv
from drumbeat.store.database import Database
from drumbeat.store.transaction import Snapshot

CSV = "text/csv"


def written(database: Database, rows: Callable[[Snapshot], Iterable[list[str]]]) -> Iterator[bytes]:
    """The table as CSV, read by one snapshot while it is sent."""
    with database.read() as snapshot:
        yield from write_csv(rows(snapshot))


def streamed(content: Iterator[bytes], name: str) -> Stream:
    """The content as a file of this name."""
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Stream(content, media_type=CSV, headers=headers)
