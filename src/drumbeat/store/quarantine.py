"""The quarantine: nothing is sent while letters may have left that this database knows nothing of."""

from __future__ import annotations

from datetime import datetime

from drumbeat.domain.timeline import Quarantine
from drumbeat.store.stamps import from_stamp, instant_or_none, stamp_or_none, to_stamp
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Snapshot, Tx

IS_QUARANTINED = "EXISTS (SELECT 1 FROM installation q WHERE q.id = 1 AND q.quarantined_since IS NOT NULL)"
"""For statements by which something would leave."""

LOST_UNTIL = "(SELECT coalesce(max(q.lost_until), 0) FROM installation q WHERE q.id = 1)"
"""For statements that give a letter an instant anew: what had one behind this must not come before it."""


def find(snapshot: Snapshot) -> Quarantine | None:
    """The quarantine that stands, if one does."""
    row = snapshot.first(_FIND)
    if row is None or row.quarantined_since is None:
        return None
    return Quarantine(from_stamp(row.quarantined_since), row.quarantine_cause or "")


def begin(tx: Tx, quarantine: Quarantine) -> bool:
    """Let nothing leave from now on; False if one stood already, which then reaches back as far as both do."""
    found = find(tx)
    since = quarantine.since if found is None else min(found.since, quarantine.since)
    tx.run(_BEGIN, since=to_stamp(since), cause=quarantine.cause if found is None else found.cause)
    return found is None


def end(tx: Tx, lost_until: datetime | None) -> None:
    """Let letters leave again; those due until `lost_until` may have left before (None: none of them has)."""
    tx.run(_END, lost_until=stamp_or_none(lost_until), now=to_stamp(tx.now))


def lost_until(snapshot: Snapshot) -> datetime | None:
    """Until when letters were due that may have left without a trace here; None if every one is known."""
    row = snapshot.first(_FIND)
    return None if row is None else instant_or_none(row.lost_until)


def reconciled_at(snapshot: Snapshot) -> datetime | None:
    """When a quarantine was ended last; None if there never was one."""
    row = snapshot.first(_FIND)
    return None if row is None else instant_or_none(row.reconciled_at)


def count_lost(snapshot: Snapshot) -> int:
    """How many letters of all accounts were due until now, and would be in doubt."""
    row = snapshot.first(_COUNT_LOST, now=to_stamp(snapshot.now))
    return 0 if row is None else int(row[0])


_FIND = Statement(
    "SELECT quarantined_since, quarantine_cause, reconciled_at, lost_until FROM installation WHERE id = 1"
)
_BEGIN = Statement("UPDATE installation SET quarantined_since = :since, quarantine_cause = :cause WHERE id = 1")
_COUNT_LOST = Statement("SELECT count(*) FROM due WHERE due_at <= :now AND lane_id <> 0")
_END = Statement("""
    UPDATE installation SET quarantined_since = NULL, quarantine_cause = NULL, reconciled_at = :now,
        lost_until = coalesce(:lost_until, lost_until)
    WHERE id = 1
""")
