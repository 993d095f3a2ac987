"""Ending the quarantine: what may have left meanwhile is in doubt."""

from __future__ import annotations

from drumbeat.domain.errors import NotFound
from drumbeat.store import quarantine
from drumbeat.store.transaction import Tx


def reconcile(tx: Tx, *, nothing_was_sent: bool) -> int:
    """Let letters leave again; NotFound if there is no quarantine.

    Returns how many were due. Unless nothing was sent, each of those may have left before, and the dispatcher makes a
    doubt of it.
    """
    if quarantine.find(tx) is None:
        raise NotFound("There is no quarantine.")
    quarantine.end(tx, nothing_was_sent=nothing_was_sent)
    return quarantine.count_due(tx, tx.now if nothing_was_sent else quarantine.lost_until(tx))
