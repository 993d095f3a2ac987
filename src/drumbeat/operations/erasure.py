"""Erasing a person: their content goes from every table, in bounded batches; a keyed hash keeps mail from them."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from drumbeat.domain.errors import NotFound
from drumbeat.domain.person import PersonKind, address_hash
from drumbeat.domain.unsubscribe import Suppression
from drumbeat.operations.letters import Frozen, encode_frozen, read_frozen
from drumbeat.operations.records import delete_person
from drumbeat.operations.unsubscribes import suppress
from drumbeat.store import erasure, people
from drumbeat.store.database import Database
from drumbeat.store.transaction import Tx

_AT_ONCE = 200
Key = tuple[PersonKind, int]
_NOBODY: Key = (PersonKind.LEAD, 0)


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
    erased = _erase(database, hash_key, account_id, None, email, actor_id)
    if not erased.people and not erased.enrollments:
        raise NotFound(f"Nobody has the address {email}, and nothing was written to it.")
    return erased


def erase_person(
    database: Database, hash_key: bytes, account_id: int, kind: PersonKind, id: int, *, actor_id: int | None
) -> Erased:
    """Erase one person, and everything else about their address if they have one; also one who was deleted before."""
    with database.read() as snapshot:
        person = people.find(snapshot, account_id, kind, id)
    email = None if person is None else person.email
    erased = _erase(database, hash_key, account_id, (kind, id), email, actor_id)
    if not erased.people and not erased.enrollments:
        raise NotFound(f"There is no {kind} {id}, and nothing was written to one.")
    return erased


def _erase(
    database: Database, hash_key: bytes, account_id: int, named: Key | None, email: str | None, actor_id: int | None
) -> Erased:
    hashed = None if email is None else address_hash(hash_key, account_id, email)
    with database.read() as snapshot:
        found = [] if hashed is None else [(p.kind, p.id) for p in people.list_by_address(snapshot, account_id, hashed)]
        if named is not None and named not in found and people.find(snapshot, account_id, *named) is not None:
            found.append(named)
    for key in found:
        database.transact(lambda tx, key=key: _remove(tx, account_id, key, actor_id))  # type: ignore[misc]
    ids: set[int] = set()
    for key in {*found, named or _NOBODY}:
        ids |= _blank_enrollments(database, account_id, hashed, key)
    if email is not None and hashed is not None and (found or ids):
        database.transact(lambda tx: _close(tx, account_id, hashed, email, actor_id))
    with database.read() as snapshot:
        return Erased(len(found), len(ids), erasure.letters_out(snapshot, account_id, sorted(ids)))


def _remove(tx: Tx, account_id: int, key: Key, actor_id: int | None) -> None:
    """Delete a person and suppress the address at once: an erasure that breaks off leaves nobody to write to."""
    person = people.find(tx, account_id, *key)
    if person is None:
        return
    delete_person(tx, account_id, *key, actor_id)
    if person.address_hash is not None:
        suppress(tx, account_id, person.address_hash, Suppression.SUPPRESSED, evidence="erased", actor_id=actor_id)


def _blank_enrollments(database: Database, account_id: int, hashed: str | None, person: Key) -> set[int]:
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
    blank_letters_and_history(tx, account_id, ids)
    erasure.blank_addresses(tx, account_id, erasure.addresses_of(tx, account_id, ids))


def blank_letters_and_history(tx: Tx, account_id: int, ids: list[int]) -> None:
    """Take the content out of these enrollments' letters, answers and history."""
    letters = erasure.frozen_of(tx, account_id, ids)
    erasure.blank_letters(
        tx, account_id, [(*each[:3], encode_frozen(_blanked(read_frozen(each[3])))) for each in letters]
    )
    erasure.blank_history(tx, account_id, ids)


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
