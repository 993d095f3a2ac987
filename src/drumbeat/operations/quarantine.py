"""Ending the quarantine: what may have left meanwhile is in doubt, and no id is given twice."""

from __future__ import annotations

from drumbeat.domain.errors import NotFound
from drumbeat.store import accounts, quarantine
from drumbeat.store.transaction import Tx

_SKIPPED = 1_000_000  # ids; more than anybody makes between two copies


def reconcile(tx: Tx, *, nothing_was_sent: bool) -> int:
    """Let letters leave again; NotFound if there is no quarantine.

    Returns how many were due. Unless nothing was sent, each of those may have left before, and the dispatcher makes a
    doubt of it. Ids that were
    given meanwhile stand in letters and in other systems, so none of them is given again.
    """
    if quarantine.find(tx) is None:
        raise NotFound("There is no quarantine.")
    quarantine.end(tx, nothing_was_sent=nothing_was_sent)
    if not nothing_was_sent:
        for account in accounts.list_accounts(tx):
            accounts.skip_ids(tx, account.id, _SKIPPED)
    return quarantine.count_due(tx, tx.now if nothing_was_sent else quarantine.lost_until(tx))
