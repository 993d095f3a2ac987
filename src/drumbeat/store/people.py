"""Leads and contacts, and the contact each address means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from drumbeat.domain.access import sees
from drumbeat.domain.errors import NotFound
from drumbeat.domain.person import Person, PersonKind, search_words, values_to_find
from drumbeat.store.stamps import from_stamp, to_stamp
from drumbeat.store.statement import Insertion, Record, Rows, Statement
from drumbeat.store.transaction import Snapshot, Tx


def add(tx: Tx, people: Sequence[Person]) -> None:
    """Store new people; ids are given."""
    tx.insert(_ADD, [_row(person) for person in people])
    tx.insert(_ADD_VALUES, [row for person in people for row in _values(person)])
    tx.insert(_ADD_WORDS, [row for person in people for row in _words(person)])


def name_new_contacts(tx: Tx, account_id: int, contacts: Sequence[tuple[str, int]]) -> None:
    """Let each address hash mean its new contact; one that means another meanwhile breaks the transaction."""
    tx.insert(_NAME_NEW_CONTACTS, [(account_id, address_hash, id) for address_hash, id in contacts])


def name_contacts(tx: Tx, account_id: int, contacts: Sequence[tuple[str, int]]) -> None:
    """Let each address hash mean its contact; an address that means one already keeps it."""
    tx.run(_NAME_CONTACTS, account_id=account_id, named=contacts)


def get(snapshot: Snapshot, account_id: int, kind: PersonKind, id: int, *, seen_by: int | None = None) -> Person:
    """The person, or NotFound; also where only the records of `seen_by` are seen, and it is somebody else's."""
    person = find(snapshot, account_id, kind, id)
    if person is None or not sees(seen_by, person.owner_id):
        raise NotFound(f"There is no {kind} {id}.")
    return person


def find(snapshot: Snapshot, account_id: int, kind: PersonKind, id: int) -> Person | None:
    """The person, or None."""
    return find_many(snapshot, account_id, [(kind, id)]).get((kind, id))


def find_many(
    snapshot: Snapshot, account_id: int, keys: Sequence[tuple[PersonKind, int]]
) -> dict[tuple[PersonKind, int], Person]:
    """Those of these people that exist, by kind and id."""
    people = (_person(row) for row in snapshot.all(_FIND, account_id=account_id, sought=keys))
    return {(person.kind, person.id): person for person in people}


def lock(tx: Tx, account_id: int, kind: PersonKind, id: int) -> None:
    """Let no other transaction change a person until this one has ended."""
    tx.lock(_LOCK, account_id=account_id, kind=kind.value, id=id)


def forget_address(tx: Tx, account_id: int, address_hash: str, contact_id: int) -> None:
    """Let an address no longer mean this contact."""
    tx.run(_FORGET_ADDRESS, account_id=account_id, address_hash=address_hash, id=contact_id)


def contacts_by_address(snapshot: Snapshot, account_id: int, hashes: Sequence[str]) -> Rows:
    """For execute: address hash, contact id, its fillable fields, and the suppression's cause, per hash known."""
    return snapshot.all(_CONTACTS, account_id=account_id, sought=[[each] for each in hashes])


def fill(tx: Tx, account_id: int, filled: Sequence[tuple[int, str | None, str | None, str | None]]) -> None:
    """Fill empty fields of contacts: (id, first name, last name, phone); what is filled stays."""
    tx.run(_FILL, account_id=account_id, filled=filled, now=to_stamp(tx.now))
    found = find_many(tx, account_id, [(PersonKind.CONTACT, row[0]) for row in filled])
    tx.run(_ADD_NEW_WORDS, account_id=account_id, added=[row[1:] for each in found.values() for row in _words(each)])


def save(tx: Tx, before: Person, person: Person) -> None:
    """Store a person's fields instead of those before."""
    tx.run(_SAVE, saved=[_row(person)], account_id=person.account_id)
    _forget_values(tx, person)
    tx.insert(_ADD_VALUES, _values(person))
    if search_words(before) != search_words(person):
        _forget_words(tx, before)
        rows = [row[1:] for row in _words(person)]
        tx.run(_ADD_NEW_WORDS, account_id=person.account_id, added=rows)


def delete(tx: Tx, person: Person) -> None:
    """Remove a person."""
    if person.kind is PersonKind.CONTACT and person.address_hash is not None:
        forget_address(tx, person.account_id, person.address_hash, person.id)
    _forget_values(tx, person)
    _forget_words(tx, person)
    tx.run(_DELETE, account_id=person.account_id, kind=person.kind.value, id=person.id)


def _forget_values(tx: Tx, person: Person) -> None:
    tx.run(_FORGET_VALUES, account_id=person.account_id, kind=person.kind.value, id=person.id)


def _values(person: Person) -> list[tuple[Any, ...]]:
    found = values_to_find(person)
    return [(person.account_id, person.kind.value, person.id, field, value) for field, value in found.items()]


def _forget_words(tx: Tx, person: Person) -> None:
    words = [[word] for word in sorted(search_words(person))]
    tx.run(_FORGET_WORDS, account_id=person.account_id, kind=person.kind.value, id=person.id, forgotten=words)


def _words(person: Person) -> list[tuple[Any, ...]]:
    return [(person.account_id, person.kind.value, word, person.id) for word in sorted(search_words(person))]


def list_by_address(snapshot: Snapshot, account_id: int, address_hash: str) -> list[Person]:
    """Everybody who has this address, leads and contacts."""
    return [_person(row) for row in snapshot.all(_ALL_BY_ADDRESS, account_id=account_id, address_hash=address_hash)]


def find_by_address(snapshot: Snapshot, account_id: int, kind: PersonKind, address_hash: str) -> Person | None:
    """The oldest person of the kind with this address, or None."""
    row = snapshot.first(_BY_ADDRESS, account_id=account_id, kind=kind.value, address_hash=address_hash)
    return None if row is None else _person(row)


def oldest_by_address(
    snapshot: Snapshot, account_id: int, kind: PersonKind, hashes: Sequence[str]
) -> dict[str, Person]:
    """The oldest person of the kind with each of these addresses, by its hash."""
    rows = snapshot.all(_OLDEST, account_id=account_id, kind=kind.value, sought=[[each] for each in hashes])
    ids = {row.address_hash: row.id for row in rows if row.id is not None}
    found = find_many(snapshot, account_id, [(kind, id) for id in ids.values()])
    return {address: found[kind, id] for address, id in ids.items()}


def custom_names(snapshot: Snapshot, account_id: int, kind: PersonKind) -> list[str]:
    """The names of the custom fields that people of the kind have values in; looks at each name once."""
    names: list[str] = []
    row = snapshot.first(_NEXT_FIELD, account_id=account_id, kind=kind.value, after="custom.")
    while row is not None and row.field.startswith("custom."):
        names.append(row.field.removeprefix("custom."))
        row = snapshot.first(_NEXT_FIELD, account_id=account_id, kind=kind.value, after=row.field)
    return names


def list_all(snapshot: Snapshot, account_id: int, kind: PersonKind, after: int, limit: int) -> list[Person]:
    """People of a kind by id, a page at a time."""
    rows = snapshot.all(_LIST, account_id=account_id, kind=kind.value, after=after, limit=limit)
    return [_person(row) for row in rows]


def _row(person: Person) -> tuple[Any, ...]:
    return (
        person.account_id,
        person.kind.value,
        person.id,
        person.first_name,
        person.last_name,
        person.organization_name,
        person.title,
        person.email,
        person.address_hash,
        person.phone,
        person.time_zone,
        _json(person.custom),
        person.owner_id,
        person.creator_id,
        to_stamp(person.created_at),
        to_stamp(person.updated_at),
        person.mobile,
        person.status,
        person.source_id,
        person.is_organization,
        person.organization_id,
        _json(person.details),
    )


def _json(values: Mapping[str, Any]) -> str | None:
    return msgspec.json.encode(values).decode() if values else None


def _person(row: Record) -> Person:
    return Person(
        account_id=row[0],
        kind=PersonKind(row[1]),
        id=row[2],
        first_name=row[3],
        last_name=row[4],
        organization_name=row[5],
        title=row[6],
        email=row[7],
        address_hash=row[8],
        phone=row[9],
        time_zone=row[10],
        custom=msgspec.json.decode(row[11]) if row[11] else {},
        owner_id=row[12],
        creator_id=row[13],
        created_at=from_stamp(row[14]),
        updated_at=from_stamp(row[15]),
        mobile=row[16],
        status=row[17],
        source_id=row[18],
        is_organization=bool(row[19]),
        organization_id=row[20],
        details=msgspec.json.decode(row[21]) if row[21] else {},
    )


_NAMES = (
    "account_id, kind, id, first_name, last_name, organization_name, title, email, address_hash, phone, "
    "time_zone, custom, owner_id, creator_id, created_at, updated_at, mobile, status, source_id, "
    "is_organization, organization_id, details"
)
_TYPED = (
    "account_id int, kind text, id int, first_name text, last_name text, organization_name text, title text, "
    "email text, address_hash text, phone text, time_zone text, custom text, owner_id int, creator_id int, "
    "created_at bigint, updated_at bigint, mobile text, status text, source_id int, is_organization boolean, "
    "organization_id int, details text"
)
_SELECTED = ", ".join(f"p.{name}" for name in _NAMES.split(", "))
_ADD = Insertion("people", _TYPED)
_ADD_VALUES = Insertion("person_values", "account_id int, kind text, person_id int, field text, value text")
_FORGET_VALUES = Statement(
    "DELETE FROM person_values WHERE account_id = :account_id AND kind = :kind AND person_id = :id"
)
_ADD_WORDS = Insertion("person_words", "account_id int, kind text, word text, person_id int")
_ADD_NEW_WORDS = Statement("""
    INSERT INTO person_words (account_id, kind, word, person_id)
    SELECT :account_id, added.kind, added.word, added.person_id
    FROM {added: kind text, word text, person_id int} AS added WHERE true
    ON CONFLICT (account_id, kind, word, person_id) DO NOTHING
""")
_FORGET_WORDS = Statement("""
    DELETE FROM person_words WHERE account_id = :account_id AND kind = :kind AND person_id = :id
        AND word {in: SELECT word FROM {forgotten: word text} AS forgotten :in}
""")
_NAME_NEW_CONTACTS = Insertion("contact_addresses", "account_id int, address_hash text, contact_id int")
_NAME_CONTACTS = Statement("""
    INSERT INTO contact_addresses (account_id, address_hash, contact_id)
    SELECT :account_id, named.address_hash, named.contact_id
    FROM {named: address_hash text, contact_id int} AS named WHERE true
    ON CONFLICT (account_id, address_hash) DO NOTHING
""")
_FIND = Statement(f"""
    SELECT {_SELECTED} FROM {{sought: kind text, id int}} AS sought
    JOIN people p ON p.account_id = :account_id AND p.kind = sought.kind AND {{key: p.id = sought.id}}
""")
_LOCK = Statement("SELECT id FROM people WHERE account_id = :account_id AND kind = :kind AND id = :id {lock}")
_CONTACTS = Statement("""
    SELECT sought.address_hash, p.id, p.first_name, p.last_name, p.phone, p.time_zone, s.cause,
        p.owner_id
    FROM {sought: address_hash text} AS sought
    LEFT JOIN suppressions s ON s.account_id = :account_id AND {key: s.address_hash = sought.address_hash}
    LEFT JOIN contact_addresses c ON c.account_id = :account_id AND {key: c.address_hash = sought.address_hash}
    LEFT JOIN people p ON p.account_id = :account_id AND p.kind = 'contact' AND p.id = c.contact_id
""")
_FILL = Statement("""
    UPDATE people SET
        first_name = coalesce(nullif(people.first_name, ''), filled.first_name),
        last_name = coalesce(nullif(people.last_name, ''), filled.last_name),
        phone = coalesce(nullif(people.phone, ''), filled.phone),
        updated_at = :now
    FROM {filled: id int, first_name text, last_name text, phone text} AS filled
    WHERE people.account_id = :account_id AND people.kind = 'contact' AND {key: people.id = filled.id}
""")
_SAVE = Statement(f"""
    UPDATE people SET
        first_name = saved.first_name, last_name = saved.last_name,
        organization_name = saved.organization_name, title = saved.title, email = saved.email,
        address_hash = saved.address_hash, phone = saved.phone, time_zone = saved.time_zone,
        custom = saved.custom, owner_id = saved.owner_id, updated_at = saved.updated_at,
        mobile = saved.mobile, status = saved.status, source_id = saved.source_id,
        is_organization = saved.is_organization, organization_id = saved.organization_id, details = saved.details
    FROM {{saved: {_TYPED}}} AS saved
    WHERE people.account_id = :account_id AND people.kind = saved.kind AND {{key: people.id = saved.id}}
""")
_DELETE = Statement("DELETE FROM people WHERE account_id = :account_id AND kind = :kind AND id = :id")
_FORGET_ADDRESS = Statement("""
    DELETE FROM contact_addresses
    WHERE account_id = :account_id AND address_hash = :address_hash AND contact_id = :id
""")
_ALL_BY_ADDRESS = Statement(f"""
    SELECT {_SELECTED} FROM people p
    WHERE p.account_id = :account_id AND p.address_hash = :address_hash ORDER BY p.kind, p.id
""")
_BY_ADDRESS = Statement(f"""
    SELECT {_SELECTED} FROM people p
    WHERE p.account_id = :account_id AND p.address_hash = :address_hash AND p.kind = :kind
    ORDER BY p.id LIMIT 1
""")
_LIST = Statement(f"""
    SELECT {_SELECTED} FROM people p
    WHERE p.account_id = :account_id AND p.kind = :kind AND p.id > :after ORDER BY p.id LIMIT :limit
""")
# Looked up one by one, in the index of addresses alone: without statistics a join, or min(id), walks all of the kind.
_OLDEST = Statement("""
    SELECT sought.address_hash, (
        SELECT min(p.id + 0) FROM people p
        WHERE p.account_id = :account_id AND p.address_hash = sought.address_hash AND p.kind || '' = :kind
    ) AS id
    FROM {sought: address_hash text} AS sought
""")
_NEXT_FIELD = Statement("""
    SELECT field FROM person_values WHERE account_id = :account_id AND kind = :kind AND field > :after
    ORDER BY field LIMIT 1
""")
