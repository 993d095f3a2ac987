"""A clock that stands still until it is told to move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

TUESDAY_MORNING = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)


class FrozenClock:
    """Tells `now`, in UTC, and nothing else moves it."""

    def __init__(self, now: datetime = TUESDAY_MORNING) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        self.now += by
