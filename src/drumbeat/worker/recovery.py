"""Reading the sent journal back before anything is claimed, and again whenever the database was away."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from itertools import groupby
from time import monotonic

import structlog

from drumbeat.domain.errors import Unavailable
from drumbeat.operations.replay import Entry, replay, stand_still_if_fallen_back
from drumbeat.store.stamps import to_stamp
from drumbeat.wiring import World
from drumbeat.worker.journal import Journal

_AT_ONCE = 500
_LOOKED_BACK = timedelta(days=3)  # what is older may have been deleted on purpose
_AGAIN_AFTER = 5.0  # seconds until letters that the database does not know are looked for again
_OTHERS_LOOK = 3.0  # seconds in which every worker has looked back at a database that was away

_log = structlog.get_logger()


class Recovery:
    """What the journal knows and the database may not; while `is_due`, nothing may be claimed."""

    def __init__(self, world: World, journal: Journal | None) -> None:
        self._world = world
        self._journal = journal
        self._unknown: list[Entry] = []
        self._has_begun = False
        self._breaks = self._seen_breaks = world.database.breaks
        self._looked_at = self._back_since = 0.0

    @property
    def is_due(self) -> bool:
        """Whether to look before anything leaves: at the start, and after the database was away."""
        return self._journal is not None and not (self._has_begun and self._breaks == self._world.database.breaks)

    def step(self, out: Callable[[], Iterable[Entry]]) -> None:
        """Look if it is due, also at the letters that are `out`; raises Unavailable while the database is away."""
        if self._journal is None:
            return
        if not self._has_begun:
            self._look(self._journal.left_behind())
            self._journal.tidy()
            self._has_begun = True
        elif self.is_due:
            self._look_back(self._journal, out)
        elif self._unknown and monotonic() - self._looked_at > _AGAIN_AFTER:
            self._looked_at = monotonic()
            self._unknown = self._replayed(self._unknown)

    def _look_back(self, journal: Journal, out: Callable[[], Iterable[Entry]]) -> None:
        """What this worker knows is held against a database that was away; then the others have time to do so."""
        breaks = self._world.database.breaks
        if breaks != self._seen_breaks:
            self._look([*journal.kept(), *out()], out)
            self._seen_breaks, self._back_since = breaks, monotonic()
        elif monotonic() - self._back_since > _OTHERS_LOOK:
            self._breaks = breaks

    def _look(self, entries: Iterable[Entry], out: Callable[[], Iterable[Entry]] = lambda: ()) -> None:
        unknown = self._replayed([*self._unknown, *entries])
        still_out = set(out())  # what was answered while we looked is no news
        self._unknown = [entry for entry in unknown if entry.code or entry in still_out]
        self._looked_at = monotonic()
        if self._unknown and self._has_fallen_back():
            _log.error("the database has fallen back and nothing is sent", letters=len(self._unknown))

    def _has_fallen_back(self) -> bool:
        return self._world.database.transact(lambda tx: stand_still_if_fallen_back(tx, self._unknown))

    def _replayed(self, entries: Iterable[Entry]) -> list[Entry]:
        with self._world.database.read() as snapshot:
            oldest = to_stamp(snapshot.now - _LOOKED_BACK)
        ordered = sorted((entry for entry in entries if entry.at >= oldest), key=lambda entry: entry.account_id)
        unknown: list[Entry] = []
        for account_id, group in groupby(ordered, lambda entry: entry.account_id):
            listed = list(group)
            for first in range(0, len(listed), _AT_ONCE):
                unknown += self._settled(account_id, listed[first : first + _AT_ONCE])
        return unknown

    def _settled(self, account_id: int, entries: Sequence[Entry]) -> list[Entry]:
        try:
            return self._world.database.transact(lambda tx: replay(tx, account_id, entries))
        except Unavailable:
            raise
        except Exception:
            # A defect here must not keep letters from being sent: what it would have settled becomes a doubt.
            _log.exception("answers cannot be read back", account_id=account_id, answers=len(entries))
            return []
