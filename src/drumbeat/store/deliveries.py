"""Deliveries: letters owed. Claim, point of no return, settle, reap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from msgspec import Struct

from drumbeat.domain.delivery import DeliveryStatus
from drumbeat.store.quarantine import IS_QUARANTINED
from drumbeat.store.stamps import from_stamp, instant_or_none, stamp_or_none, to_stamp
from drumbeat.store.statement import Insertion, Record, Statement
from drumbeat.store.transaction import Snapshot, Tx

Key = tuple[int, int, int]  # enrollment id, position, attempt


class Delivery(Struct, frozen=True):
    """One letter owed, with every input of its bytes frozen (JSON), and how far it came."""

    account_id: int
    enrollment_id: int
    position: int
    attempt: int
    status: DeliveryStatus
    mailbox_id: int
    address_hash: str
    frozen: str
    composer: int
    claimed_at: datetime
    lease_until: datetime | None = None
    lease_token: str | None = None
    sha256: str | None = None
    reply: str | None = None
    transmitting_at: datetime | None = None
    settled_at: datetime | None = None
    bounced_at: datetime | None = None

    @property
    def key(self) -> Key:
        """The natural key within the account."""
        return self.enrollment_id, self.position, self.attempt


@dataclass(frozen=True, slots=True)
class Settled:
    """What a delivery became, and what the server said; a doubt is looked at again at `look_at`."""

    key: Key
    status: DeliveryStatus
    reply: str | None
    look_at: datetime | None = None


def add(tx: Tx, deliveries: Sequence[Delivery]) -> None:
    """Store new deliveries: born claimed, or queued to be sent again."""
    tx.insert(_ADD, [_row(delivery) for delivery in deliveries])


def claim_queued(tx: Tx, account_id: int, keys: Sequence[Key], token: str, lease_until: datetime) -> list[Delivery]:
    """Take deliveries as they are frozen: queued ones, and claimed ones whose holder lost the enrollment's lease."""
    rows = tx.all(
        _CLAIM_QUEUED,
        account_id=account_id,
        sought=keys,
        token=token,
        lease_until=to_stamp(lease_until),
        now=to_stamp(tx.now),
    )
    return [_delivery(row) for row in rows]


def list_of_steps(snapshot: Snapshot, account_id: int, steps: Sequence[tuple[int, int]]) -> list[Delivery]:
    """Every delivery of these (enrollment, position), by attempt."""
    return [_delivery(row) for row in snapshot.all(_OF_STEPS, account_id=account_id, sought=steps)]


def last_accepted(snapshot: Snapshot, account_id: int, enrollment_ids: Sequence[int]) -> dict[int, Delivery]:
    """The last accepted letter of each enrollment, for threading."""
    rows = snapshot.all(_LAST_ACCEPTED, account_id=account_id, sought=[[id] for id in enrollment_ids])
    return {row.enrollment_id: _delivery(row) for row in rows}


def list_of_enrollment(snapshot: Snapshot, account_id: int, enrollment_id: int) -> list[Delivery]:
    """An enrollment's letters, in order."""
    rows = snapshot.all(_OF_ENROLLMENT, account_id=account_id, enrollment_id=enrollment_id)
    return [_delivery(row) for row in rows]


def list_of_enrollments(snapshot: Snapshot, account_id: int, ids: Sequence[int], limit: int) -> list[Delivery]:
    """The letters of some enrollments, the newest first."""
    rows = snapshot.all(_OF_ENROLLMENTS, account_id=account_id, sought=[[id] for id in ids], limit=limit)
    return [_delivery(row) for row in rows]


def pass_point_of_no_return(
    tx: Tx,
    account_id: int,
    mailbox_id: int,
    ready: Sequence[tuple[int, int, int, str]],
    *,
    token: str,
    lease_until: datetime,
) -> list[Key]:
    """Which of the letters that stand ready (enrollment, position, attempt, SHA-256) may have their final dot.

    The enrollments' rows must be locked: every stop writes them, so this is where stop and send meet. The
    first letter to pass binds its enrollment to the mailbox, for good.
    """
    tx.lock(_LOCK_SENDERS, account_id=account_id, mailbox_id=mailbox_id, ready=[each[:1] for each in ready])
    granted = tx.all(
        _PASS,
        account_id=account_id,
        mailbox_id=mailbox_id,
        ready=ready,
        token=token,
        now=to_stamp(tx.now),
    )
    ids = {row[0] for row in granted}
    passed = tx.all(
        _TRANSMIT,
        account_id=account_id,
        passed=[each for each in ready if each[0] in ids],
        token=token,
        lease_until=to_stamp(lease_until),
        now=to_stamp(tx.now),
    )
    return [(row[0], row[1], row[2]) for row in passed]


def settle(tx: Tx, account_id: int, settled: Sequence[Settled], token: str) -> frozenset[Key]:
    """Store what became of claimed or transmitting letters held with `token`; returns the keys stored."""
    return _settled(tx, _SETTLE, account_id, settled, token=token)


def settle_doubts(tx: Tx, account_id: int, settled: Sequence[Settled]) -> frozenset[Key]:
    """Store what a person or evidence made of doubts; returns the keys stored."""
    return _settled(tx, _SETTLE_DOUBTS, account_id, settled)


def settle_own_doubts(tx: Tx, account_id: int, settled: Sequence[Settled], token: str) -> frozenset[Key]:
    """Store what became of doubts about letters that `token` carried; returns the keys stored."""
    return _settled(tx, _SETTLE_OWN_DOUBTS, account_id, settled, token=token)


def presume_out(
    tx: Tx, account_id: int, lost: Sequence[tuple[int, int, int, datetime]], token: str, lease_until: datetime
) -> None:
    """Let claimed letters (enrollment, position, attempt, due at) count as out since they were due: they may have left
    then, without a trace here."""
    rows = [(*key, to_stamp(due_at)) for *key, due_at in lost]
    tx.run(_PRESUME_OUT, account_id=account_id, lost=rows, token=token, lease_until=to_stamp(lease_until))


def discard(tx: Tx, account_id: int, settled: Sequence[Settled]) -> frozenset[Key]:
    """Close letters, queued or left behind, that will not be sent as they were frozen."""
    return _settled(tx, _DISCARD, account_id, settled)


def close_unsent(tx: Tx, account_id: int, enrollment_ids: Sequence[int]) -> None:
    """Close the letters of enrollments that ended which are not out: none of them will be."""
    tx.run(_CLOSE_UNSENT, account_id=account_id, ended=[[id] for id in enrollment_ids], now=to_stamp(tx.now))


def _settled(tx: Tx, statement: Statement, account_id: int, settled: Sequence[Settled], **token: str) -> frozenset[Key]:
    rows = tx.all(
        statement,
        account_id=account_id,
        settled=[(*s.key, s.status.value, s.reply, stamp_or_none(s.look_at)) for s in settled],
        now=to_stamp(tx.now),
        **token,
    )
    return frozenset((row[0], row[1], row[2]) for row in rows)


def mark_bounced(tx: Tx, account_id: int, key: Key) -> None:
    """A letter that was accepted came back: the first time counts."""
    tx.run(
        _BOUNCED,
        account_id=account_id,
        enrollment_id=key[0],
        position=key[1],
        attempt=key[2],
        now=to_stamp(tx.now),
    )


def renew(tx: Tx, account_id: int, keys: Sequence[Key], token: str, lease_until: datetime) -> None:
    """Prolong the lease of claimed and transmitting letters that are still held with this token."""
    tx.run(_RENEW, account_id=account_id, renewed=keys, token=token, lease_until=to_stamp(lease_until))


def expired(snapshot: Snapshot, now: datetime, limit: int) -> list[Delivery]:
    """Letters whose lease ran out, and doubts whose time is over, of any account."""
    return [_delivery(row) for row in snapshot.all(_EXPIRED, now=to_stamp(now), limit=limit)]


def list_unknown_of_mailbox(
    snapshot: Snapshot, account_id: int, mailbox_id: int, since: datetime, limit: int
) -> list[Delivery]:
    """A mailbox's letters that are in doubt since then or later, latest first."""
    rows = snapshot.all(
        _UNKNOWN_OF_MAILBOX, account_id=account_id, mailbox_id=mailbox_id, since=to_stamp(since), limit=limit
    )
    return [_delivery(row) for row in rows]


def find_unknown(snapshot: Snapshot, account_id: int, enrollment_id: int) -> Delivery | None:
    """The enrollment's doubtful letter, or None."""
    row = snapshot.first(_UNKNOWN_OF, account_id=account_id, enrollment_id=enrollment_id)
    return None if row is None else _delivery(row)


def _row(d: Delivery) -> tuple[Any, ...]:
    return (
        d.account_id,
        d.enrollment_id,
        d.position,
        d.attempt,
        d.status.value,
        d.mailbox_id,
        d.address_hash,
        d.frozen,
        d.composer,
        d.sha256,
        stamp_or_none(d.lease_until),
        d.lease_token,
        d.reply,
        to_stamp(d.claimed_at),
    )


def _delivery(row: Record) -> Delivery:
    return Delivery(
        account_id=row[0],
        enrollment_id=row[1],
        position=row[2],
        attempt=row[3],
        status=DeliveryStatus(row[4]),
        mailbox_id=row[5],
        address_hash=row[6],
        frozen=row[7],
        composer=row[8],
        sha256=row[9],
        lease_until=instant_or_none(row[10]),
        lease_token=row[11],
        reply=row[12],
        claimed_at=from_stamp(row[13]),
        transmitting_at=instant_or_none(row[14]),
        settled_at=instant_or_none(row[15]),
        bounced_at=instant_or_none(row[16]),
    )


_TYPED = (
    "account_id int, enrollment_id int, position int, attempt int, status text, mailbox_id int, "
    "address_hash text, frozen text, composer int, sha256 text, lease_until bigint, lease_token text, "
    "reply text, claimed_at bigint"
)
_ADD = Insertion("deliveries", _TYPED)
_LATER = "transmitting_at bigint, settled_at bigint, bounced_at bigint"
_COLUMNS = ", ".join(f"d.{column.split()[0]}" for column in f"{_TYPED}, {_LATER}".split(", "))
_KEY = "enrollment_id int, position int, attempt int"
_IS_IT = """deliveries.account_id = :account_id AND {{key: deliveries.enrollment_id = {0}.enrollment_id}}
        AND deliveries.position = {0}.position AND deliveries.attempt = {0}.attempt"""
_CLAIM_QUEUED = Statement(f"""
    UPDATE deliveries SET status = 'claimed', lease_token = :token, lease_until = :lease_until, claimed_at = :now
    FROM {{sought: {_KEY}}} AS sought WHERE {_IS_IT.format("sought")}
        AND deliveries.status IN ('queued', 'claimed')
    RETURNING {_COLUMNS.replace("d.", "deliveries.")}
""")
_OF_STEPS = Statement(f"""
    SELECT {_COLUMNS} FROM {{sought: enrollment_id int, position int}} AS sought
    JOIN deliveries d ON d.account_id = :account_id AND {{key: d.enrollment_id = sought.enrollment_id}}
        AND d.position = sought.position
    ORDER BY d.enrollment_id, d.position, d.attempt
""")
_LAST_ACCEPTED = Statement(f"""
    SELECT {_COLUMNS} FROM {{sought: id int}} AS sought
    JOIN deliveries d ON d.account_id = :account_id AND {{key: d.enrollment_id = sought.id}} AND d.status = 'accepted'
    ORDER BY d.enrollment_id, d.position, d.attempt
""")
_OF_ENROLLMENT = Statement(f"""
    SELECT {_COLUMNS} FROM deliveries d
    WHERE d.account_id = :account_id AND d.enrollment_id = :enrollment_id ORDER BY d.position, d.attempt
""")
_OF_ENROLLMENTS = Statement(f"""
    SELECT {_COLUMNS} FROM {{sought: id int}} AS sought
    JOIN deliveries d ON d.account_id = :account_id AND {{key: d.enrollment_id = sought.id}}
    ORDER BY d.claimed_at DESC LIMIT :limit
""")
# Whoever pauses the sequence, or switches off the user, the mailbox or the account, waits until it is decided.
_LOCK_SENDERS = Statement("""
    SELECT 1 FROM {ready: id int} AS ready
    JOIN enrollments e ON e.account_id = :account_id AND {key: e.id = ready.id}
    JOIN sequences s ON s.account_id = :account_id AND s.id = e.runs_sequence_id
    JOIN users u ON u.account_id = :account_id AND u.id = e.actor_id
    JOIN mailboxes m ON m.account_id = :account_id AND m.id = :mailbox_id
    JOIN accounts a ON a.id = :account_id
    {share OF s, u, m, a}
""")
_PASS = Statement(f"""
    UPDATE enrollments SET status = 'in_progress', revision = enrollments.revision + 1, updated_at = :now,
        mailbox_id = coalesce(enrollments.mailbox_id, :mailbox_id)
    FROM {{ready: {_KEY}, sha256 text}} AS ready
    JOIN deliveries d ON d.account_id = :account_id AND {{key: d.enrollment_id = ready.enrollment_id}}
        AND d.position = ready.position AND d.attempt = ready.attempt
    WHERE enrollments.account_id = :account_id AND {{key: enrollments.id = ready.enrollment_id}}
        AND enrollments.position = ready.position
        AND enrollments.state = 'active' AND enrollments.status = 'scheduled'
        AND d.status = 'claimed' AND d.lease_token = :token AND d.lease_until > :now
        AND enrollments.address_hash = d.address_hash
        AND EXISTS (SELECT 1 FROM people p
            WHERE p.account_id = :account_id AND p.kind = enrollments.resource_type
                AND p.id = enrollments.resource_id AND p.address_hash = d.address_hash)
        AND EXISTS (SELECT 1 FROM due u
            WHERE u.account_id = :account_id AND u.enrollment_id = ready.enrollment_id AND u.lease_token = :token)
        AND NOT EXISTS (SELECT 1 FROM suppressions s
            WHERE s.account_id = :account_id AND s.address_hash = d.address_hash)
        AND EXISTS (SELECT 1 FROM sequences s
            WHERE s.account_id = :account_id AND s.id = enrollments.runs_sequence_id AND s.status <> 'paused')
        AND EXISTS (SELECT 1 FROM users u
            WHERE u.account_id = :account_id AND u.id = enrollments.actor_id AND u.status = 'active')
        AND EXISTS (SELECT 1 FROM mailboxes m
            WHERE m.account_id = :account_id AND m.id = :mailbox_id AND m.status = 'active'
                AND m.held_since IS NULL)
        AND EXISTS (SELECT 1 FROM accounts a WHERE a.id = :account_id AND a.sequences_enabled)
        AND NOT {IS_QUARANTINED}
    RETURNING enrollments.id
""")
_TRANSMIT = Statement(f"""
    UPDATE deliveries SET status = 'transmitting', sha256 = passed.sha256, transmitting_at = :now,
        lease_until = :lease_until
    FROM {{passed: {_KEY}, sha256 text}} AS passed WHERE {_IS_IT.format("passed")}
        AND deliveries.status = 'claimed' AND deliveries.lease_token = :token
    RETURNING deliveries.enrollment_id, deliveries.position, deliveries.attempt
""")
_SETTLE_TEXT = f"""
    UPDATE deliveries SET status = settled.status, reply = settled.reply, lease_until = settled.look_at,
        lease_token = CASE WHEN settled.status = 'unknown' THEN deliveries.lease_token END, settled_at = :now
    FROM {{settled: {_KEY}, status text, reply text, look_at bigint}} AS settled
    WHERE {_IS_IT.format("settled")} AND %s
    RETURNING deliveries.enrollment_id, deliveries.position, deliveries.attempt
"""
_SETTLE = Statement(
    _SETTLE_TEXT % "deliveries.status IN ('claimed', 'transmitting') AND deliveries.lease_token = :token"
)
_SETTLE_OWN_DOUBTS = Statement(_SETTLE_TEXT % "deliveries.status = 'unknown' AND deliveries.lease_token = :token")
_SETTLE_DOUBTS = Statement(_SETTLE_TEXT % "deliveries.status = 'unknown'")
_DISCARD = Statement(_SETTLE_TEXT % "deliveries.status IN ('queued', 'claimed')")
_PRESUME_OUT = Statement(f"""
    UPDATE deliveries SET status = 'transmitting', transmitting_at = lost.due_at, lease_until = :lease_until
    FROM {{lost: {_KEY}, due_at bigint}} AS lost
    WHERE {_IS_IT.format("lost")} AND deliveries.status = 'claimed' AND deliveries.lease_token = :token
""")
_CLOSE_UNSENT = Statement("""
    UPDATE deliveries SET status = 'refused', reply = 'not sent: the enrollment ended first', lease_until = NULL,
        lease_token = NULL, settled_at = :now
    WHERE account_id = :account_id AND enrollment_id {in: SELECT id FROM {ended: id int} AS ended :in}
        AND status IN ('queued', 'claimed')
""")
_BOUNCED = Statement("""
    UPDATE deliveries SET bounced_at = coalesce(bounced_at, :now)
    WHERE account_id = :account_id AND enrollment_id = :enrollment_id AND position = :position AND attempt = :attempt
        AND status IN ('transmitting', 'accepted', 'unknown')
""")
_RENEW = Statement(f"""
    UPDATE deliveries SET lease_until = :lease_until
    FROM {{renewed: {_KEY}}} AS renewed WHERE {_IS_IT.format("renewed")}
        AND deliveries.lease_token = :token AND deliveries.status IN ('claimed', 'transmitting')
""")
_EXPIRED = Statement(f"""
    SELECT {_COLUMNS} FROM deliveries d WHERE d.lease_until IS NOT NULL AND d.lease_until < :now
    ORDER BY d.lease_until LIMIT :limit
""")
_UNKNOWN_OF_MAILBOX = Statement(f"""
    SELECT {_COLUMNS} FROM deliveries d
    WHERE d.account_id = :account_id AND d.status = 'unknown' AND d.mailbox_id = :mailbox_id
        AND d.settled_at >= :since
    ORDER BY d.settled_at DESC LIMIT :limit
""")
_UNKNOWN_OF = Statement(f"""
    SELECT {_COLUMNS} FROM deliveries d
    WHERE d.account_id = :account_id AND d.enrollment_id = :enrollment_id AND d.status = 'unknown'
""")
