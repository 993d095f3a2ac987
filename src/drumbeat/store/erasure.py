"""What is kept about a person beside their own record, and taking its content away; ids, instants and hashes stay."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from drumbeat.domain.person import PersonKind
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Snapshot, Tx


def enrollments_of(
    snapshot: Snapshot,
    account_id: int,
    address_hash: str | None,
    person: tuple[PersonKind, int],
    after: int,
    limit: int,
) -> list[int]:
    """Ids of a person's enrollments behind this one, or of an address key's, in order."""
    kind, id = person
    rows = snapshot.all(
        _OF_PERSON, account_id=account_id, kind=kind.value, id=id, hash=address_hash or "", after=after, limit=limit
    )
    return [row[0] for row in rows]


def letters_out(snapshot: Snapshot, account_id: int, ids: Sequence[int]) -> int:
    """How many of these enrollments' letters are on their way."""
    row = snapshot.first(_LETTERS_OUT, account_id=account_id, sought=[[id] for id in ids])
    assert row is not None
    return int(row[0])


def addresses_of(snapshot: Snapshot, account_id: int, ids: Sequence[int]) -> list[str]:
    """The address keys that these enrollments' letters went to."""
    return [row[0] for row in snapshot.all(_ADDRESSES, account_id=account_id, sought=[[id] for id in ids])]


def frozen_of(snapshot: Snapshot, account_id: int, ids: Sequence[int]) -> list[tuple[int, int, int, str]]:
    """These enrollments' letters (enrollment, position, attempt) with what they were made of."""
    rows = snapshot.all(_FROZEN, account_id=account_id, sought=[[id] for id in ids])
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def blank_letters(tx: Tx, account_id: int, blanked: Sequence[Sequence[object]]) -> None:
    """Store what is left of letters' inputs, and forget what servers said of them."""
    tx.run(_BLANK_LETTERS, account_id=account_id, blanked=blanked)


def blank_history(tx: Tx, account_id: int, ids: Sequence[int]) -> None:
    """Take what the world said out of enrollments, their events, and what came back to them."""
    sought = [[id] for id in ids]
    told = tx.all(_TOLD, account_id=account_id, sought=sought)
    tx.run(_BLANK_EVENTS, account_id=account_id, blanked=[(*row[:3], _without_words(row[3])) for row in told])
    tx.run(_BLANK_ENROLLMENTS, account_id=account_id, sought=sought)
    tx.run(_BLANK_RECEIVED, account_id=account_id, sought=sought)


def _without_words(cause: str) -> str:
    kept = {name: value for name, value in msgspec.json.decode(cause).items() if name != "detail"}
    return msgspec.json.encode(kept).decode()


def blank_addresses(tx: Tx, account_id: int, hashes: Sequence[str]) -> None:
    """Take the words out of what is known of address keys; the keys stay."""
    sought = [[each] for each in hashes]
    for statement in (_BLANK_SUPPRESSIONS, _BLANK_UNDELIVERABLE, _BLANK_JOURNAL):
        tx.run(statement, account_id=account_id, sought=sought)


def blank_rejected(tx: Tx, account_id: int, email: str) -> None:
    """Forget rows of files that were not taken in and name this address."""
    escaped = re.sub(r"([\\%_])", r"\\\1", email.lower())
    tx.run(_BLANK_REJECTED, account_id=account_id, named=f"%{escaped}%")


_OF_PERSON = Statement("""
    SELECT id FROM (
        SELECT id FROM enrollments
        WHERE account_id = :account_id AND resource_type = :kind AND resource_id = :id AND id > :after
        UNION
        SELECT id FROM enrollments WHERE account_id = :account_id AND address_hash = :hash AND id > :after
    ) AS found ORDER BY id LIMIT :limit
""")
_SOUGHT = "{sought: id int} AS sought"
_LETTERS_OUT = Statement(f"""
    SELECT count(*) FROM {_SOUGHT}
    JOIN deliveries l ON l.account_id = :account_id AND {{key: l.enrollment_id = sought.id}}
    WHERE l.status = 'transmitting'
""")
_ADDRESSES = Statement(f"""
    SELECT DISTINCT l.address_hash FROM {_SOUGHT}
    JOIN deliveries l ON l.account_id = :account_id AND {{key: l.enrollment_id = sought.id}}
""")
_FROZEN = Statement(f"""
    SELECT l.enrollment_id, l.position, l.attempt, l.frozen FROM {_SOUGHT}
    JOIN deliveries l ON l.account_id = :account_id AND {{key: l.enrollment_id = sought.id}}
""")
_BLANK_LETTERS = Statement("""
    UPDATE deliveries SET frozen = blanked.frozen, reply = NULL
    FROM {blanked: enrollment_id int, position int, attempt int, frozen text} AS blanked
    WHERE deliveries.account_id = :account_id AND deliveries.enrollment_id = blanked.enrollment_id
        AND deliveries.position = blanked.position AND deliveries.attempt = blanked.attempt
""")
_TOLD = Statement(f"""
    SELECT f.enrollment_id, f.revision, f.number, f.cause FROM {_SOUGHT}
    JOIN events f ON f.account_id = :account_id AND {{key: f.enrollment_id = sought.id}}
    WHERE f.cause LIKE '%"detail"%'
""")
_BLANK_EVENTS = Statement("""
    UPDATE events SET cause = blanked.cause
    FROM {blanked: enrollment_id int, revision int, number int, cause text} AS blanked
    WHERE events.account_id = :account_id AND events.enrollment_id = blanked.enrollment_id
        AND events.revision = blanked.revision AND events.number = blanked.number
""")
_BLANK_ENROLLMENTS = Statement("""
    UPDATE enrollments SET failure_detail = NULL
    WHERE account_id = :account_id AND id {in: SELECT id FROM {sought: id int} AS sought :in}
""")
_BLANK_RECEIVED = Statement("""
    UPDATE received_messages SET sender = NULL, subject = '', words = '', message_id = NULL, why = 'erased'
    WHERE account_id = :account_id AND enrollment_id {in: SELECT id FROM {sought: id int} AS sought :in}
""")
_AMONG = "{in: SELECT hash FROM {sought: hash text} AS sought :in}"
_BLANK_SUPPRESSIONS = Statement(
    f"UPDATE suppressions SET evidence = 'erased' WHERE account_id = :account_id AND address_hash {_AMONG}"
)
_BLANK_UNDELIVERABLE = Statement(
    f"UPDATE undeliverable_addresses SET detail = 'erased' WHERE account_id = :account_id AND address_hash {_AMONG}"
)
_BLANK_JOURNAL = Statement(f"""
    UPDATE journal SET cause = '{{}}'
    WHERE account_id = :account_id AND subject = 'address' AND subject_id {_AMONG}
""")
_BLANK_REJECTED = Statement("""
    UPDATE rejected_rows SET cells = '[]', reason = 'erased'
    WHERE account_id = :account_id AND lower(cells) LIKE :named ESCAPE '\\'
""")
