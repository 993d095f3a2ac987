"""Files of people on their way in: the job, its rows in parts, and the rows that were rejected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import msgspec

from drumbeat.domain.access import sees
from drumbeat.domain.errors import NotFound
from drumbeat.domain.person import PersonKind
from drumbeat.store.accounts import take_ids
from drumbeat.store.stamps import from_stamp, to_stamp
from drumbeat.store.statement import Insertion, Record, Statement
from drumbeat.store.transaction import Snapshot, Tx


class ImportStatus(StrEnum):
    """`loading` while its rows are stored, `ready` until somebody lets it run."""

    LOADING = "loading"
    READY = "ready"
    RUNNING = "running"
    FINISHED = "finished"
    CANCELLED = "cancelled"


class Existing(StrEnum):
    """What happens to people who are there already: changed by what the row says, or left alone."""

    UPDATE = "update"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Import:
    """A job: what its columns mean, how far it is, and what became of its rows."""

    account_id: int
    id: int
    creator_id: int
    seen_by: int | None
    kind: PersonKind
    file_name: str
    headers: tuple[str, ...]
    mapping: tuple[str, ...]
    existing: Existing
    status: ImportStatus
    rows_total: int
    parts_total: int
    parts_done: int
    created: int
    updated: int
    unchanged: int
    rejected: int
    created_at: datetime
    updated_at: datetime

    @property
    def rows_done(self) -> int:
        """How many rows were dealt with."""
        return self.created + self.updated + self.unchanged + self.rejected


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of a file; the first of them is row `first_row` of it, where the headers are row 1."""

    number: int
    first_row: int
    rows: list[list[str]]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was left out, and why."""

    row: int
    reason: str
    cells: list[str]


def add(
    tx: Tx,
    account_id: int,
    creator_id: int,
    seen_by: int | None,
    kind: PersonKind,
    file_name: str,
    headers: Sequence[str],
    mapping: Sequence[str],
) -> Import:
    """A new job that loads."""
    id = take_ids(tx, account_id, "import")
    tx.run(
        _ADD,
        account_id=account_id,
        id=id,
        creator_id=creator_id,
        seen_by=seen_by,
        kind=kind.value,
        file_name=file_name,
        headers=_json(headers),
        mapping=_json(mapping),
        now=to_stamp(tx.now),
    )
    return get(tx, account_id, id)


def save(tx: Tx, job: Import) -> None:
    """Store a job's settings, status and counts."""
    if job.status is ImportStatus.RUNNING:
        tx.ring()
    tx.run(
        _SAVE,
        account_id=job.account_id,
        id=job.id,
        mapping=_json(job.mapping),
        existing=job.existing.value,
        status=job.status.value,
        rows_total=job.rows_total,
        parts_total=job.parts_total,
        parts_done=job.parts_done,
        created=job.created,
        updated=job.updated,
        unchanged=job.unchanged,
        rejected=job.rejected,
        now=to_stamp(tx.now),
    )


def get(snapshot: Snapshot, account_id: int, id: int, *, seen_by: int | None = None) -> Import:
    """The job, or NotFound; also where only the records of `seen_by` are seen, and it is somebody else's."""
    row = snapshot.first(_GET, account_id=account_id, id=id)
    if row is None or not sees(seen_by, row.creator_id):
        raise NotFound(f"There is no import {id}.")
    return _import(row)


def lock(tx: Tx, account_id: int, id: int) -> Import:
    """The job with its row locked, or NotFound: its parts are taken in one after the other."""
    tx.first(_LOCK, account_id=account_id, id=id)
    return get(tx, account_id, id)


def list_latest(snapshot: Snapshot, account_id: int, limit: int, *, seen_by: int | None = None) -> list[Import]:
    """The account's latest jobs, the newest first; only one's own where no others are seen."""
    rows = snapshot.all(_LIST, account_id=account_id, creator_id=seen_by or 0, limit=limit)
    return [_import(row) for row in rows]


def find_running(snapshot: Snapshot) -> Import | None:
    """The job of any account that waits longest for its next part, or None if none runs."""
    row = snapshot.first(_RUNNING)
    return None if row is None else _import(row)


def add_part(tx: Tx, account_id: int, import_id: int, part: Part) -> None:
    """Keep some rows of a file."""
    tx.run(
        _ADD_PART,
        account_id=account_id,
        import_id=import_id,
        number=part.number,
        first_row=part.first_row,
        rows=_json(part.rows),
    )


def find_part(snapshot: Snapshot, account_id: int, import_id: int, number: int) -> Part | None:
    """Some rows of a file, or None."""
    row = snapshot.first(_FIND_PART, account_id=account_id, import_id=import_id, number=number)
    return None if row is None else Part(number, row.first_row, msgspec.json.decode(row.rows))


def delete_part(tx: Tx, account_id: int, import_id: int, number: int) -> None:
    """Forget rows that were taken in."""
    tx.run(_DELETE_PART, account_id=account_id, import_id=import_id, number=number)


def delete_parts(tx: Tx, account_id: int, import_id: int) -> None:
    """Forget all rows of a job that ends before they are taken in."""
    tx.run(_DELETE_PARTS, account_id=account_id, import_id=import_id)


def reject(tx: Tx, account_id: int, import_id: int, rejected: Sequence[Rejected]) -> None:
    """Keep rows that were left out, with the reasons."""
    tx.insert(_REJECT, [(account_id, import_id, each.row, each.reason, _json(each.cells)) for each in rejected])


def bring(tx: Tx, account_id: int, id: int, person_ids: Sequence[int]) -> None:
    """Note people of an import's file; whom it named before is noted once."""
    tx.run(_BRING, account_id=account_id, id=id, brought=[[each] for each in sorted(set(person_ids))])


def people_of(snapshot: Snapshot, account_id: int, id: int, after: int, limit: int) -> list[int]:
    """Ids of the people of an import's file behind this one, in order; some may be gone."""
    rows = snapshot.all(_PEOPLE_OF, account_id=account_id, id=id, after=after, limit=limit)
    return [row[0] for row in rows]


def list_rejected(snapshot: Snapshot, account_id: int, import_id: int, after: int, limit: int) -> list[Rejected]:
    """Rows that were left out, in order, from behind a row."""
    rows = snapshot.all(_LIST_REJECTED, account_id=account_id, import_id=import_id, after=after, limit=limit)
    return [Rejected(row.row, row.reason, msgspec.json.decode(row.cells)) for row in rows]


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _import(row: Record) -> Import:
    return Import(
        **row._asdict()
        | {
            "kind": PersonKind(row.kind),
            "headers": tuple(msgspec.json.decode(row.headers)),
            "mapping": tuple(msgspec.json.decode(row.mapping)),
            "existing": Existing(row.existing),
            "status": ImportStatus(row.status),
            "created_at": from_stamp(row.created_at),
            "updated_at": from_stamp(row.updated_at),
        }
    )


_COLUMNS = """account_id, id, creator_id, seen_by, kind, file_name, headers, mapping, existing, status, rows_total,
    parts_total, parts_done, created, updated, unchanged, rejected, created_at, updated_at"""
_ADD = Statement("""
    INSERT INTO imports (account_id, id, creator_id, seen_by, kind, file_name, headers, mapping, created_at, updated_at)
    VALUES (:account_id, :id, :creator_id, :seen_by, :kind, :file_name, :headers, :mapping, :now, :now)
""")
_SAVE = Statement("""
    UPDATE imports SET mapping = :mapping, existing = :existing, status = :status, rows_total = :rows_total,
        parts_total = :parts_total, parts_done = :parts_done, created = :created, updated = :updated,
        unchanged = :unchanged, rejected = :rejected, updated_at = :now
    WHERE account_id = :account_id AND id = :id
""")
_GET = Statement(f"SELECT {_COLUMNS} FROM imports WHERE account_id = :account_id AND id = :id")
_LOCK = Statement("SELECT id FROM imports WHERE account_id = :account_id AND id = :id {lock}")
_LIST = Statement(f"""
    SELECT {_COLUMNS} FROM imports
    WHERE account_id = :account_id AND (:creator_id = 0 OR creator_id = :creator_id) ORDER BY id DESC LIMIT :limit
""")
_RUNNING = Statement(f"SELECT {_COLUMNS} FROM imports WHERE status = 'running' ORDER BY updated_at LIMIT 1")
_ADD_PART = Statement("""
    INSERT INTO import_parts (account_id, import_id, number, first_row, rows)
    VALUES (:account_id, :import_id, :number, :first_row, :rows)
""")
_FIND_PART = Statement("""
    SELECT first_row, rows FROM import_parts
    WHERE account_id = :account_id AND import_id = :import_id AND number = :number
""")
_DELETE_PART = Statement("""
    DELETE FROM import_parts WHERE account_id = :account_id AND import_id = :import_id AND number = :number
""")
_DELETE_PARTS = Statement("DELETE FROM import_parts WHERE account_id = :account_id AND import_id = :import_id")
_REJECT = Insertion("rejected_rows", "account_id int, import_id int, row int, reason text, cells text")
_LIST_REJECTED = Statement("""
    SELECT row, reason, cells FROM rejected_rows
    WHERE account_id = :account_id AND import_id = :import_id AND row > :after ORDER BY row LIMIT :limit
""")
_BRING = Statement("""
    INSERT INTO imported_people (account_id, import_id, person_id)
    SELECT :account_id, :id, brought.person_id FROM {brought: person_id int} AS brought WHERE true
    ON CONFLICT (account_id, import_id, person_id) DO NOTHING
""")
_PEOPLE_OF = Statement("""
    SELECT person_id FROM imported_people
    WHERE account_id = :account_id AND import_id = :id AND person_id > :after ORDER BY person_id LIMIT :limit
""")
