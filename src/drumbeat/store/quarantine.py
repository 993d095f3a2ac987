"""The quarantine: nothing is sent while letters may have left that this database knows nothing of."""

from __future__ import annotations

from datetime import datetime

from drumbeat.domain.timeline import Quarantine
from drumbeat.store import accounts
from drumbeat.store.stamps import from_stamp, instant_or_none, stamp_or_none, to_stamp
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Snapshot, Tx

IS_QUARANTINED = "EXISTS (SELECT 1 FROM installation q WHERE q.id = 1 AND q.quarantined_since IS NOT NULL)"
"""For statements by which something would leave."""

LOST_UNTIL = "(SELECT coalesce(max(q.lost_until), 0) FROM installation q WHERE q.id = 1)"
"""For statements that give a letter an instant anew: what had one behind this must not come before it."""

SKIPPED = 1_000_000
"""Ids of every kind that are left out when a quarantine begins: more than anybody makes between two copies."""


def find(snapshot: Snapshot) -> Quarantine | None:
    """The quarantine that stands, if one does."""
    row = snapshot.first(_FIND)
    if row is None or row.quarantined_since is None:
        return None
    return Quarantine(from_stamp(row.quarantined_since), row.quarantine_cause or "")


def begin(tx: Tx, quarantine: Quarantine, *, nothing_left_after: datetime | None = None) -> bool:
    """Let nothing leave from now on; False if one stood already, which then reaches back as far as both do.

    `nothing_left_after` is known where no other copy of the database may have gone on sending. Ids that were given
    and forgotten, or are given by the other copy, stand in letters and in other systems: none is given here again.
    """
    found = find(tx)
    if found is not None:
        since = to_stamp(min(found.since, quarantine.since))
        tx.run(_REACH_BACK, since=since, may_have_left=nothing_left_after is None)
        return False
    last = stamp_or_none(nothing_left_after)
    tx.run(_BEGIN, since=to_stamp(quarantine.since), cause=quarantine.cause, nothing_left_after=last)
    for account in accounts.list_accounts(tx):
        accounts.skip_ids(tx, account.id, SKIPPED)
    return True


def end(tx: Tx, *, nothing_was_sent: bool) -> None:
    """Let letters leave again; unless nothing was sent, those due until now, or until nothing left any more, may have
    left before."""
    tx.run(_END, is_lost=not nothing_was_sent, now=to_stamp(tx.now))


def lost_until(snapshot: Snapshot) -> datetime | None:
    """Until when letters were due that may have left without a trace here; None if every one is known."""
    row = snapshot.first(_FIND)
    return None if row is None else instant_or_none(row.lost_until)


def reconciled_at(snapshot: Snapshot) -> datetime | None:
    """When a quarantine was ended last; None if there never was one."""
    row = snapshot.first(_FIND)
    return None if row is None else instant_or_none(row.reconciled_at)


def count_due(snapshot: Snapshot, before: datetime | None) -> int:
    """How many letters of all accounts were due before then (None: before now)."""
    row = snapshot.first(_COUNT_DUE, before=to_stamp(before or snapshot.now))
    return 0 if row is None else int(row[0])


_FIND = Statement(
    "SELECT quarantined_since, quarantine_cause, reconciled_at, lost_until FROM installation WHERE id = 1"
)
_BEGIN = Statement("""
    UPDATE installation SET quarantined_since = :since, quarantine_cause = :cause,
        nothing_left_after = :nothing_left_after
    WHERE id = 1
""")
_REACH_BACK = Statement("""
    UPDATE installation SET quarantined_since = :since,
        nothing_left_after = CASE WHEN :may_have_left THEN NULL ELSE nothing_left_after END
    WHERE id = 1
""")
_COUNT_DUE = Statement("SELECT count(*) FROM due WHERE due_at <= :before AND lane_id <> 0")
_END = Statement("""
    UPDATE installation SET quarantined_since = NULL, quarantine_cause = NULL, reconciled_at = :now,
        lost_until = CASE WHEN :is_lost THEN coalesce(nothing_left_after, :now) ELSE lost_until END,
        nothing_left_after = NULL
    WHERE id = 1
""")
