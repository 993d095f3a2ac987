"""What a worker does that needs no lane, in small steps between turns."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from drumbeat.domain.errors import Unavailable
from drumbeat.operations.allowances import renew
from drumbeat.operations.doubts import reap
from drumbeat.operations.retention import empty_next, kept_for_a_while
from drumbeat.operations.sequences import carry_replan
from drumbeat.operations.transfer import carry_import
from drumbeat.store import deliveries, events, imports, kept_answers, replans, sign_in_attempts, turns
from drumbeat.wiring import World

REAP_EVERY = timedelta(seconds=1)
RENEW_EVERY = timedelta(minutes=1)
FORGET_EVERY = timedelta(minutes=1)
EMPTY_EVERY = timedelta(days=1)
_FORGOTTEN_AT_ONCE = 500
_REAPED_AT_ONCE = 100
_COUNTED_AT_ONCE = 10  # accounts
_TOLD_AT_ONCE = 200

_log = structlog.get_logger()


class Tending:
    """Leases that ran out, changes of sequences, counts, imports, and what was kept long enough."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._reaped_at: datetime | None = None
        self._renewed_at: datetime | None = None
        self._forgot_at: datetime | None = None
        self._emptied_at: datetime | None = None
        self._emptying: dict[int, int] = {}

    def step(self) -> bool:
        """One step of each; False if there was nothing to do."""
        done = [
            self._tended(part)
            for part in (self._reap, self._replan, self._count, self._import, self._renew, self._forget, self._empty)
        ]
        return any(done)

    def _tended(self, part: Callable[[], bool]) -> bool:
        try:
            return part()
        except Unavailable:
            raise
        except Exception:
            # A defect here must not keep letters from being sent.
            _log.exception("tending failed", part=part.__name__)
            return False

    def _reap(self) -> bool:
        with self._world.database.read() as snapshot:
            if _is_within(REAP_EVERY, self._reaped_at, snapshot.now):
                return False
            found = deliveries.expired(snapshot, snapshot.now, _REAPED_AT_ONCE)
            self._reaped_at = None if found else snapshot.now
        for expired in found:
            self._world.database.transact(lambda tx, expired=expired: reap(tx, expired))  # type: ignore[misc]
        return bool(found)

    def _replan(self) -> bool:
        with self._world.database.read() as snapshot:
            replan = replans.find_next(snapshot)
        if replan is None:
            return False
        return self._world.database.transact(lambda tx: carry_replan(tx, replan))

    def _count(self) -> bool:
        with self._world.database.read() as snapshot:
            waiting = events.accounts_untold(snapshot, _COUNTED_AT_ONCE)
        count = events.count_untold
        counted = [
            self._world.database.transact(lambda tx, id=id: count(tx, id, _TOLD_AT_ONCE))  # type: ignore[misc]
            for id in waiting
        ]
        return any(counted)

    def _import(self) -> bool:
        """Take in the next part of the import that waits longest."""
        with self._world.database.read() as snapshot:
            job = imports.find_running(snapshot)
        if job is None:
            return False
        self._world.database.transact(lambda tx: carry_import(tx, self._world.hash_key, job.account_id, job.id))
        return True

    def _renew(self) -> bool:
        """Let what waited for another month's allowance go on."""
        with self._world.database.read() as snapshot:
            if _is_within(RENEW_EVERY, self._renewed_at, snapshot.now):
                return False
            self._renewed_at = snapshot.now
            over = turns.accounts_over(snapshot)
        released = [self._world.database.transact(lambda tx, id=id: renew(tx, id)) for id in over]  # type: ignore[misc]
        return any(released)

    def _forget(self) -> bool:
        """Delete attempts to sign in that count no more, and a batch of kept answers that are given no more: at once
        again while there are any of those."""
        with self._world.database.read() as snapshot:
            if _is_within(FORGET_EVERY, self._forgot_at, snapshot.now):
                return False
            found = kept_answers.expired(snapshot, _FORGOTTEN_AT_ONCE)
            has_attempts = sign_in_attempts.any_over(snapshot)
            self._forgot_at = None if found else snapshot.now
        for account_id, key_hashes in found.items():
            self._world.database.transact(
                lambda tx, a=account_id, gone=key_hashes: kept_answers.delete(tx, a, gone)  # type: ignore[misc]
            )
        if has_attempts:
            self._world.database.transact(sign_in_attempts.forget_over)
        return bool(found)

    def _empty(self) -> bool:
        """Once a day, take content away that was kept long enough: a bounded part of one account each time."""
        if not self._emptying:
            with self._world.database.read() as snapshot:
                if _is_within(EMPTY_EVERY, self._emptied_at, snapshot.now):
                    return False
                self._emptied_at = snapshot.now
            self._emptying = dict.fromkeys(kept_for_a_while(self._world.database), 0)
            return bool(self._emptying)
        account_id, after = next(iter(self._emptying.items()))
        reached = empty_next(self._world.database, account_id, after)
        if reached is None:
            del self._emptying[account_id]
        else:
            self._emptying[account_id] = reached
        return True


def _is_within(pause: timedelta, since: datetime | None, now: datetime) -> bool:
    """Whether the pause since then still lasts; a clock that was set back makes it negative, and ends it."""
    return since is not None and timedelta(0) <= now - since < pause
