"""What the database must promise so that no letter goes twice."""

from __future__ import annotations

from collections.abc import Iterator

from drumbeat.domain.errors import DatabaseUnsafe
from drumbeat.store.database import Database
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Tx

SENT_JOURNAL = "sent_journal"
"""The promise of this machine's disk to keep what servers answered."""

PROMISES = frozenset({"synchronous", "journal_mode", "fsync", "full_page_writes", "synchronous_commit", SENT_JOURNAL})
"""Every promise, of the databases and the disk, by name."""


def check_promises(database: Database, *, overridden: frozenset[str] = frozenset()) -> list[str]:
    """What the database must promise so that no letter goes twice; DatabaseUnsafe names what it does not.

    Returns a line per promise checked. A setting named in `overridden` is reported but not refused.
    """
    told = []
    with database.write() as tx:
        for name, wanted, found in _settings(database, tx):
            ok = found in wanted
            told.append(f"{name} = {found}" + ("" if ok else f" (wanted: {' or '.join(sorted(wanted))})"))
            if not ok and name not in overridden:
                raise DatabaseUnsafe(
                    f"{name} is {found}; set it to {' or '.join(sorted(wanted))}, or name it in "
                    f"DRUMBEAT_UNSAFE={name} to run without the promise."
                )
    return told


def _settings(database: Database, tx: Tx) -> Iterator[tuple[str, frozenset[str], str]]:
    if database.is_sqlite:
        level = str(tx.first(Statement("PRAGMA synchronous"))[0])  # type: ignore[index]
        yield (
            "synchronous",
            frozenset({"FULL", "EXTRA"}),
            {"0": "OFF", "1": "NORMAL", "2": "FULL", "3": "EXTRA"}[level],
        )
        mode = str(tx.first(Statement("PRAGMA journal_mode"))[0])  # type: ignore[index]
        yield "journal_mode", frozenset({"wal"}), mode
    else:
        for name in ("fsync", "full_page_writes", "synchronous_commit"):
            wanted = {"on", "remote_write", "remote_apply", "local"} if name == "synchronous_commit" else {"on"}
            found = tx.first(Statement("SELECT current_setting(:name)"), name=name)
            yield name, frozenset(wanted), str(found[0]) if found else ""
