"""What came back: received messages that had an effect, each once, and who is away until when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from drumbeat.store.accounts import take_ids
from drumbeat.store.stamps import from_stamp, instant_or_none, stamp_or_none, to_stamp
from drumbeat.store.statement import Record, Statement
from drumbeat.store.transaction import Snapshot, Tx


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """A message that had an effect on an enrollment, as the evidence for it."""

    account_id: int
    id: int
    mailbox_id: int
    digest: str
    kind: str
    matched_by: str
    enrollment_id: int
    position: int | None
    sender: str | None
    subject: str
    words: str
    message_id: str | None
    why: str
    permanent: bool | None
    until: datetime | None
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Absence:
    """Until when somebody is away, and the message that said so."""

    until: datetime
    message_id: int


def is_known(snapshot: Snapshot, account_id: int, mailbox_id: int, digest: str) -> bool:
    """Whether this message had its effect already."""
    return snapshot.first(_KNOWN, account_id=account_id, mailbox_id=mailbox_id, digest=digest) is not None


def add(tx: Tx, message: ReceivedMessage) -> int:
    """Keep a message, whatever id the value carries; returns its id."""
    id = take_ids(tx, message.account_id, "received_message")
    tx.run(
        _ADD,
        account_id=message.account_id,
        id=id,
        mailbox_id=message.mailbox_id,
        digest=message.digest,
        kind=message.kind,
        matched_by=message.matched_by,
        enrollment_id=message.enrollment_id,
        position=message.position,
        sender=message.sender,
        subject=message.subject,
        words=message.words,
        message_id=message.message_id,
        why=message.why,
        permanent=message.permanent,
        until=stamp_or_none(message.until),
        received_at=to_stamp(tx.now),
    )
    return id


def list_of_enrollment(snapshot: Snapshot, account_id: int, enrollment_id: int) -> list[ReceivedMessage]:
    """What came back for an enrollment, oldest first."""
    rows = snapshot.all(_OF_ENROLLMENT, account_id=account_id, enrollment_id=enrollment_id)
    return [_message(row) for row in rows]


def list_of_enrollments(
    snapshot: Snapshot, account_id: int, enrollment_ids: Sequence[int], limit: int
) -> list[ReceivedMessage]:
    """What came back for some enrollments, the newest first."""
    sought = [[id] for id in enrollment_ids]
    rows = snapshot.all(_OF_ENROLLMENTS, account_id=account_id, sought=sought, limit=limit)
    return [_message(row) for row in rows]


def latest(
    snapshot: Snapshot,
    account_id: int,
    kind: str,
    limit: int,
    *,
    since: datetime,
    seen_by: int | None = None,
) -> list[ReceivedMessage]:
    """The newest messages of a kind since an instant; only on enrollments of one actor where no others are seen."""
    given = {"account_id": account_id, "kind": kind, "limit": limit, "since": to_stamp(since)}
    rows = snapshot.all(_LATEST, **given) if seen_by is None else snapshot.all(_LATEST_OF, **given, seen_by=seen_by)
    return [_message(row) for row in rows]


def save_absence(tx: Tx, account_id: int, address_hash: str, absence: Absence) -> None:
    """Let no letter leave for an address key before; what was known before is replaced."""
    tx.run(
        _SAVE_ABSENCE,
        account_id=account_id,
        address_hash=address_hash,
        until=to_stamp(absence.until),
        message_id=absence.message_id,
        now=to_stamp(tx.now),
    )


def away_among(snapshot: Snapshot, account_id: int, address_hashes: Sequence[str], now: datetime) -> dict[str, Absence]:
    """Which of these address keys are away at `now`."""
    sought = [[each] for each in address_hashes]
    rows = snapshot.all(_AWAY, account_id=account_id, sought=sought, now=to_stamp(now))
    return {row[0]: Absence(from_stamp(row[1]), row[2]) for row in rows}


def _message(row: Record) -> ReceivedMessage:
    return ReceivedMessage(
        account_id=row.account_id,
        id=row.id,
        mailbox_id=row.mailbox_id,
        digest=row.digest,
        kind=row.kind,
        matched_by=row.matched_by,
        enrollment_id=row.enrollment_id,
        position=row.position,
        sender=row.sender,
        subject=row.subject,
        words=row.words,
        message_id=row.message_id,
        why=row.why,
        permanent=None if row.permanent is None else bool(row.permanent),
        until=instant_or_none(row.until),
        received_at=from_stamp(row.received_at),
    )


_COLUMNS = (
    "account_id, id, mailbox_id, digest, kind, matched_by, enrollment_id, position, sender, subject, words, "
    "message_id, why, permanent, until, received_at"
)
_KNOWN = Statement("""
    SELECT 1 FROM received_messages
    WHERE account_id = :account_id AND mailbox_id = :mailbox_id AND digest = :digest
""")
_ADD = Statement(f"""
    INSERT INTO received_messages ({_COLUMNS}) VALUES ({", ".join(f":{name}" for name in _COLUMNS.split(", "))})
""")
_OF_ENROLLMENT = Statement(f"""
    SELECT {_COLUMNS} FROM received_messages
    WHERE account_id = :account_id AND enrollment_id = :enrollment_id ORDER BY id
""")
_OF_ENROLLMENTS = Statement(f"""
    SELECT {", ".join(f"r.{name}" for name in _COLUMNS.split(", "))} FROM {{sought: id int}} AS sought
    JOIN received_messages r ON r.account_id = :account_id AND {{key: r.enrollment_id = sought.id}}
    ORDER BY r.id DESC LIMIT :limit
""")
_LATEST = Statement(f"""
    SELECT {_COLUMNS} FROM received_messages
    WHERE account_id = :account_id AND kind = :kind AND received_at >= :since
    ORDER BY received_at DESC, id DESC LIMIT :limit
""")
_LATEST_OF = Statement(f"""
    SELECT {", ".join(f"r.{name}" for name in _COLUMNS.split(", "))} FROM received_messages r
    JOIN enrollments e ON e.account_id = :account_id AND e.id = r.enrollment_id AND e.actor_id = :seen_by
    WHERE r.account_id = :account_id AND r.kind = :kind AND r.received_at >= :since
    ORDER BY r.received_at DESC, r.id DESC LIMIT :limit
""")
_SAVE_ABSENCE = Statement("""
    INSERT INTO absences (account_id, address_hash, until, message_id, created_at)
    VALUES (:account_id, :address_hash, :until, :message_id, :now)
    ON CONFLICT (account_id, address_hash) DO UPDATE SET until = excluded.until, message_id = excluded.message_id
""")
_AWAY = Statement("""
    SELECT a.address_hash, a.until, a.message_id FROM {sought: address_hash text} AS sought
    JOIN absences a ON a.account_id = :account_id AND {key: a.address_hash = sought.address_hash} AND a.until > :now
""")
