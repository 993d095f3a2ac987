"""People in and out as files: a job is loaded, looked at, and carried out part by part; and all people as CSV."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, BinaryIO, Final

from drumbeat.domain.access import sees
from drumbeat.domain.errors import IncorrectValue, Invalid
from drumbeat.domain.line import check_line
from drumbeat.domain.people_table import FIELDS, PersonRow, check_mapping, propose, read_row
from drumbeat.domain.person import NEW_LEAD, Person, PersonKind, address_hash
from drumbeat.operations.people import PersonEdit
from drumbeat.operations.records import PersonFields, change_person, fields_of
from drumbeat.operations.spreadsheets import read_table
from drumbeat.store import accounts, events, imports, people
from drumbeat.store.database import Database
from drumbeat.store.imports import Existing, Import, ImportStatus, Part, Rejected
from drumbeat.store.transaction import Snapshot, Tx

ROWS_IN_PART: Final = 200
MOST_ROWS: Final = 2_000_000
_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to be loaded: by whom, and what its rows are."""

    account_id: int
    creator_id: int
    kind: PersonKind
    file_name: str
    encoding: str | None = None
    seen_by: int | None = None


def load(database: Database, upload: Upload, file: BinaryIO) -> Import:
    """Read a file into a job that is ready, in parts and in bounded memory; IncorrectValue says what is wrong with it.

    A file that cannot be read to its end leaves nothing but a cancelled job.
    """
    rows = read_table(file, upload.encoding)
    headers = next(rows)
    job = database.transact(lambda tx: _added(tx, upload, headers))
    try:
        return _loaded(database, job, rows)
    except BaseException:
        database.transact(lambda tx: _end(tx, job, ImportStatus.CANCELLED))
        raise


def _added(tx: Tx, upload: Upload, headers: list[str]) -> Import:
    name = check_line(upload.file_name, "file_name")
    who = (upload.account_id, upload.creator_id, upload.seen_by)
    return imports.add(tx, *who, upload.kind, name, headers, propose(headers))


def _loaded(database: Database, job: Import, rows: Iterator[list[str]]) -> Import:
    number, next_row = 0, 2
    width = len(job.headers)
    while some := list(islice(rows, ROWS_IN_PART)):
        if next_row + len(some) - 2 > MOST_ROWS:
            raise IncorrectValue(f"It has more than {MOST_ROWS:,} rows; split it.", field="file")
        cells = [row[:width] for row in some]
        part = Part(number, next_row, cells)
        database.transact(lambda tx, part=part: imports.add_part(tx, job.account_id, job.id, part))  # type: ignore[misc]
        number, next_row = number + 1, next_row + len(some)
    if number == 0:
        raise IncorrectValue("It holds no rows beside its headers.", field="file")
    ready = replace(job, status=ImportStatus.READY, rows_total=next_row - 2, parts_total=number)
    database.transact(lambda tx: imports.save(tx, ready))
    return ready


def start_import(
    tx: Tx, account_id: int, id: int, mapping: Sequence[str], existing: Existing, actor_id: int | None
) -> Import:
    """Let a job run that is ready: what its columns mean, and what happens to people who are there already."""
    job = imports.lock(tx, account_id, id)
    if job.status is not ImportStatus.READY:
        raise IncorrectValue(f"The import is {job.status}; only one that is ready is started.", field="status")
    check_mapping(mapping, len(job.headers))
    started = replace(job, mapping=tuple(mapping), existing=existing, status=ImportStatus.RUNNING)
    imports.save(tx, started)
    _journal(tx, started, "import_started", actor_id)
    return imports.get(tx, account_id, id)


def cancel_import(tx: Tx, account_id: int, id: int, actor_id: int | None) -> Import:
    """End a job; the people it took in stay. One that has ended stays as it is."""
    job = imports.lock(tx, account_id, id)
    if job.status in (ImportStatus.READY, ImportStatus.RUNNING, ImportStatus.LOADING):
        _end(tx, job, ImportStatus.CANCELLED)
        _journal(tx, job, "import_cancelled", actor_id)
    return imports.get(tx, account_id, id)


def _end(tx: Tx, job: Import, status: ImportStatus) -> None:
    imports.delete_parts(tx, job.account_id, job.id)
    imports.save(tx, replace(job, status=status))


def _journal(tx: Tx, job: Import, fact: str, actor_id: int | None) -> None:
    events.journal(tx, job.account_id, fact, subject="import", subject_id=job.id, actor_id=actor_id)


@dataclass(slots=True)
class _Tally:
    created: list[Person] = field(default_factory=list)
    met: list[int] = field(default_factory=list)
    updated: int = 0
    unchanged: int = 0
    rejected: list[Rejected] = field(default_factory=list)


def carry_import(tx: Tx, hash_key: bytes, account_id: int, id: int) -> Import:
    """Take in the next part of a job that runs, and note how far it is: both in this transaction, or neither."""
    job = imports.lock(tx, account_id, id)
    part = imports.find_part(tx, account_id, id, job.parts_done) if job.status is ImportStatus.RUNNING else None
    if part is None:
        return job
    tally = _Taking(tx, hash_key, job).take(part)
    imports.reject(tx, account_id, id, tally.rejected)
    imports.bring(tx, account_id, id, [*(person.id for person in tally.created), *tally.met])
    imports.delete_part(tx, account_id, id, part.number)
    done = replace(
        job,
        parts_done=job.parts_done + 1,
        created=job.created + len(tally.created),
        updated=job.updated + tally.updated,
        unchanged=job.unchanged + tally.unchanged,
        rejected=job.rejected + len(tally.rejected),
    )
    if done.parts_done == done.parts_total:
        done = replace(done, status=ImportStatus.FINISHED)
        _journal(tx, done, "import_finished", job.creator_id)
    imports.save(tx, done)
    return imports.get(tx, account_id, id)


class _Taking:
    """Takes in the rows of one part: known people are changed, the others made together."""

    def __init__(self, tx: Tx, hash_key: bytes, job: Import) -> None:
        self._tx, self._hash_key, self._job = tx, hash_key, job
        self._tally = _Tally()
        self._made: dict[str, PersonEdit] = {}
        self._nameless: list[PersonEdit] = []
        self._rows: list[tuple[int, list[str], PersonRow, str | None]] = []

    def take(self, part: Part) -> _Tally:
        """Everything of the part."""
        for row, cells in enumerate(part.rows, part.first_row):
            self._read(row, cells)
        hashes = list(dict.fromkeys(address for *_, address in self._rows if address is not None))
        self._lock()
        known = people.oldest_by_address(self._tx, self._job.account_id, self._job.kind, hashes)
        for row, cells, said, address in self._rows:
            self._sort(row, cells, said, address, known)
        self._make()
        return self._tally

    def _lock(self) -> None:
        """Let nobody else look up and make people meanwhile: execute, which enrolls, nor an upsert."""
        if self._job.kind is PersonKind.CONTACT:
            accounts.lock_ids(self._tx, self._job.account_id, "enrollment")
        accounts.lock_ids(self._tx, self._job.account_id, self._job.kind)

    def _read(self, row: int, cells: list[str]) -> None:
        if not any(cell.strip() for cell in cells):
            self._tally.unchanged += 1
            return
        try:
            said = read_row(self._job.mapping, cells)
        except Invalid as error:
            self._refuse(row, cells, f"{error.field}: {error.detail}")
            return
        email = said.fields.get("email")
        hashed = address_hash(self._hash_key, self._job.account_id, email) if email else None
        self._rows.append((row, cells, said, hashed))

    def _refuse(self, row: int, cells: list[str], reason: str) -> None:
        self._tally.rejected.append(Rejected(row, reason, cells))

    def _sort(
        self, row: int, cells: list[str], said: PersonRow, address: str | None, known: Mapping[str, Person]
    ) -> None:
        """Change who is known, and remember who is not: several rows of one address are one person."""
        edit = _edit(said)
        if address is None:
            self._nameless.append(edit)
        elif address in known:
            self._change(row, cells, edit, known[address])
        elif address in self._made:
            self._tally.updated += 1
            if self._job.existing is Existing.UPDATE:
                self._made[address] = _later(self._made[address], edit)
        else:
            self._made[address] = edit

    def _change(self, row: int, cells: list[str], edit: PersonEdit, found: Person) -> None:
        if not sees(self._job.seen_by, found.owner_id):
            self._refuse(row, cells, f"email: A {found.kind} with this address belongs to another user.")
            return
        self._tally.met.append(found.id)
        if self._job.existing is Existing.SKIP:
            self._tally.unchanged += 1
            return
        people.lock(self._tx, found.account_id, found.kind, found.id)
        before = people.get(self._tx, found.account_id, found.kind, found.id)
        after = change_person(self._tx, self._hash_key, before, edit.applied(fields_of(before)))
        if after == before:
            self._tally.unchanged += 1
        else:
            self._tally.updated += 1

    def _make(self) -> None:
        job, tx = self._job, self._tx
        new = [(address, edit) for address, edit in self._made.items()] + [(None, edit) for edit in self._nameless]
        if not new:
            return
        first = accounts.take_ids(tx, job.account_id, job.kind, len(new))
        for id, (address, edit) in enumerate(new, first):
            self._tally.created.append(_person(tx, job, id, address, edit.applied(None)))
        people.add(tx, self._tally.created)
        if job.kind is PersonKind.CONTACT:
            named = [(each.address_hash, each.id) for each in self._tally.created if each.address_hash is not None]
            people.name_contacts(tx, job.account_id, named)


def _edit(said: PersonRow) -> PersonEdit:
    return PersonEdit(
        settle=lambda _, after: after,
        fields=said.fields,
        details=said.details,
        addresses={"address": said.address} if said.address else {},
        custom=said.custom,
    )


def _later(first: PersonEdit, then: PersonEdit) -> PersonEdit:
    """Both edits, one after the other."""
    address = {**first.addresses.get("address", {}), **then.addresses.get("address", {})}
    return replace(
        first,
        fields={**first.fields, **then.fields},
        details={**first.details, **then.details},
        addresses={"address": address} if address else {},
        custom={**first.custom, **then.custom},
    )


def _person(tx: Tx, job: Import, id: int, address: str | None, fields: PersonFields) -> Person:
    is_lead = job.kind is PersonKind.LEAD
    known: dict[str, Any] = {name: getattr(fields, name) for name in PersonFields.__dataclass_fields__}
    return Person(
        account_id=job.account_id,
        kind=job.kind,
        id=id,
        address_hash=address,
        owner_id=job.creator_id,
        creator_id=job.creator_id,
        created_at=tx.now,
        updated_at=tx.now,
        **known | {"status": fields.status or (NEW_LEAD if is_lead else None)},
    )


def rejected_table(snapshot: Snapshot, job: Import) -> Iterator[list[str]]:
    """The rows that were left out, as a file: why, in which row, and the row as it was; to be mended and sent again."""
    yield ["Row", "Reason", *job.headers]
    after = 0
    while page := imports.list_rejected(snapshot, job.account_id, job.id, after, _PAGE):
        yield from ([str(each.row), each.reason, *each.cells] for each in page)
        after = page[-1].row


def people_table(
    snapshot: Snapshot, account_id: int, kind: PersonKind, *, seen_by: int | None = None
) -> Iterator[list[str]]:
    """All people of a kind as rows, the columns' names first; what imports read back. Custom fields come last."""
    names = people.custom_names(snapshot, account_id, kind)
    yield ["id", *FIELDS, *(f"custom.{name}" for name in names)]
    after = 0
    while page := people.list_all(snapshot, account_id, kind, after, _PAGE):
        yield from (_row(person, names) for person in page if sees(seen_by, person.owner_id))
        after = page[-1].id


def _row(person: Person, names: Sequence[str]) -> list[str]:
    address = person.details.get("address") or {}
    values = [_value(person, name, address) for name in FIELDS]
    return [str(person.id), *map(_text, values), *(_text(person.custom.get(name)) for name in names)]


def _value(person: Person, name: str, address: Mapping[str, Any]) -> object:
    if name.startswith("address."):
        return address.get(name.removeprefix("address."))
    if name in ("website", "description", "tags"):
        return person.details.get(name)
    return getattr(person, name)


def _text(value: object) -> str:
    if value is None:
        return ""
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)
