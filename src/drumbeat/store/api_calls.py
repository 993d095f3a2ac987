"""How many calls of the execute API an account made in the present minute, counted over every web process."""

from __future__ import annotations

from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Tx


def count(tx: Tx, account_id: int, minute: int) -> int:
    """Count a call; returns how many there were in the minute (a number of minutes since 1970), this one included."""
    row = tx.first(_COUNT, account_id=account_id, minute=minute)
    assert row is not None
    return int(row.calls)


# A call whose clock was read just before the minute changed counts in the new one; a clock that was set back
# begins anew, or nobody could call until it has caught up.
_COUNT = Statement("""
    INSERT INTO api_calls (account_id, minute, calls) VALUES (:account_id, :minute, 1)
    ON CONFLICT (account_id) DO UPDATE SET
        calls = CASE WHEN excluded.minute IN (api_calls.minute, api_calls.minute - 1)
            THEN api_calls.calls + 1 ELSE 1 END,
        minute = CASE WHEN excluded.minute = api_calls.minute - 1 THEN api_calls.minute ELSE excluded.minute END
    RETURNING calls
""")
