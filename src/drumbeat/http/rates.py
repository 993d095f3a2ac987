"""Rate limits: v2's per token in this process, the execute API's per account over all processes."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import datetime
from threading import Lock

from drumbeat.domain.errors import TooManyCalls
from drumbeat.domain.rate import Rate, Standing
from drumbeat.store import api_calls
from drumbeat.wiring import World

_MINUTE, _HOUR = 60, 3600


class Counter:
    """Counts calls by key in the present window, in this process."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._lock = Lock()
        self._window = 0
        self._calls: dict[Hashable, int] = {}

    def count(self, key: Hashable, now: datetime) -> Standing:
        """Count a call of this key; the counts of the window before are forgotten."""
        window = self._rate.window(now)
        with self._lock:
            # A call whose clock was read just before the window changed counts in the new one.
            if window not in (self._window, self._window - 1):
                self._window, self._calls = window, {}
            calls = self._calls[key] = self._calls.get(key, 0) + 1
        return self._rate.standing(calls, now)


class Rates:
    """The limits that the settings set; 0 is none."""

    def __init__(self, world: World) -> None:
        self._database = world.database
        self._execute = Rate(world.settings.execute_per_minute, _MINUTE)
        self._v2 = Rate(world.settings.v2_per_hour, _HOUR)
        self._accounts, self._tokens = Counter(self._execute), Counter(self._v2)

    def count_v2(self, account_id: int, credential_id: int, now: datetime) -> None:
        """Count a token's request under /v2, or raise TooManyCalls."""
        if self._v2.limit == 0:
            return
        standing = self._tokens.count((account_id, credential_id), now)
        if standing.is_exceeded:
            raise TooManyCalls(f"A token may make {standing.limit} requests an hour; wait for the next hour.")

    def count_execute(self, account_id: int, now: datetime) -> Standing | None:
        """Count an account's call under /api/v1 and tell where it stands; None without a limit.

        On SQLite there is one web process, and its own count is exact. On PostgreSQL all of them count in one row:
        hold no transaction while this one waits for it.
        """
        if self._execute.limit == 0:
            return None
        if self._database.is_sqlite:
            return self._accounts.count(account_id, now)
        minute = self._execute.window(now)
        calls = self._database.transact(lambda tx: api_calls.count(tx, account_id, minute))
        return self._execute.standing(calls, now)
