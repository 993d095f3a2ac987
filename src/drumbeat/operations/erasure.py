"""Erasing a person: their content goes from every table, in bounded batches; a keyed hash keeps mail from them."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from drumbeat.domain.errors import NotFound
from drumbeat.domain.person import Person, PersonKind, address_hash
from drumbeat.domain.unsubscribe import Suppression
from drumbeat.operations.letters import Frozen, encode_frozen, read_frozen
from drumbeat.operations.records import delete_person
from drumbeat.operations.unsubscribes import suppress
from drumbeat.store import erasure, people
from drumbeat.store.database import Database
from drumbeat.store.transaction import Tx

_AT_ONCE = 200
_NOBODY = (PersonKind.LEAD, 0)


@dataclass(frozen=True, slots=True)
class Erased:
    """What was there: people, enrollments, and letters that are on their way, whose answers are not in yet."""

    people: int
    enrollments: int
    letters_out: int


def erase_address(database: Database, hash_key: bytes, account_id: int, email: str, *, actor_id: int | None) -> Erased:
    """Erase everybody who has this address, and what was written to it; nothing is sent to it any more.

    Again changes nothing more. Raises NotFound if the account knows nothing of the address.
    """
    erased = _erase(database, hash_key, account_id, [], email, actor_id)
    if not erased.people and not erased.enrollments:
        raise NotFound(f"Nobody has the address {email}, and nothing was written to it.")
    return erased


def erase_person(
    database: Database, hash_key: bytes, account_id: int, kind: PersonKind, id: int, *, actor_id: int | None
) -> Erased:
    """Erase one person, and everything else about their address if they have one."""
    with database.read() as snapshot:
        person = people.get(snapshot, account_id, kind, id)
    return _erase(database, hash_key, account_id, [person], person.email, actor_id)


def _erase(
    database: Database, hash_key: bytes, account_id: int, named: list[Person], email: str | None, actor_id: int | None
) -> Erased:
    hashed = None if email is None else address_hash(hash_key, account_id, email)
    gone = []
    for person in [*named, *_people_with(database, account_id, hashed)]:
        key = person.kind, person.id
        if key not in gone:
            database.transact(lambda tx, key=key: delete_person(tx, account_id, *key, actor_id))  # type: ignore[misc]
            gone.append(key)
    ids: set[int] = set()
    for key in gone or [_NOBODY]:
        ids |= _blank_enrollments(database, account_id, hashed, key)
    if email is not None and hashed is not None and (gone or ids):
        database.transact(lambda tx: _close(tx, account_id, hashed, email, actor_id))
    with database.read() as snapshot:
        return Erased(len(gone), len(ids), erasure.letters_out(snapshot, account_id, sorted(ids)))


def _people_with(database: Database, account_id: int, hashed: str | None) -> list[Person]:
    if hashed is None:
        return []
    with database.read() as snapshot:
        return people.list_by_address(snapshot, account_id, hashed)


def _blank_enrollments(
    database: Database, account_id: int, hashed: str | None, person: tuple[PersonKind, int]
) -> set[int]:
    blanked: set[int] = set()
    while True:
        after = max(blanked, default=0)
        with database.read() as snapshot:
            ids = erasure.enrollments_of(snapshot, account_id, hashed, person, after, _AT_ONCE)
        if not ids:
            return blanked
        database.transact(lambda tx, ids=ids: _blank(tx, account_id, ids))  # type: ignore[misc]
        blanked |= set(ids)


def _blank(tx: Tx, account_id: int, ids: list[int]) -> None:
    letters = erasure.frozen_of(tx, account_id, ids)
    erasure.blank_letters(
        tx, account_id, [(*each[:3], encode_frozen(_blanked(read_frozen(each[3])))) for each in letters]
    )
    erasure.blank_history(tx, account_id, ids)
    erasure.blank_addresses(tx, account_id, erasure.addresses_of(tx, account_id, ids))


def _blanked(frozen: Frozen) -> Frozen:
    """What is left of a letter: ids, instants, and who it was from."""
    return msgspec.structs.replace(
        frozen,
        recipient_email="",
        recipient_name="",
        unsubscribe_url="",
        unsubscribe_mailto=None,
        values={},
        previous_subject=None,
    )


def _close(tx: Tx, account_id: int, hashed: str, email: str, actor_id: int | None) -> None:
    suppress(tx, account_id, hashed, Suppression.SUPPRESSED, evidence="erased", actor_id=actor_id)
    erasure.blank_addresses(tx, account_id, [hashed])
    erasure.blank_rejected(tx, account_id, email)
