"""Rate limits: how many calls each minute or hour of the clock allows, and how many are left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a caller stands in a window: the calls made in it, the present one included, and when it ends."""

    limit: int
    calls: int
    ends_at: int  # seconds since 1970
    ends_in: int  # seconds, at least 1

    @property
    def remaining(self) -> int:
        """How many more calls the window allows."""
        return max(self.limit - self.calls, 0)

    @property
    def is_exceeded(self) -> bool:
        """Whether the present call is one too many."""
        return self.calls > self.limit


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `limit` calls in each window of so many seconds; windows begin where the clock's do."""

    limit: int
    seconds: int

    def window(self, now: datetime) -> int:
        """The number of the window that `now` lies in."""
        return int(now.timestamp()) // self.seconds

    def standing(self, calls: int, now: datetime) -> Standing:
        """Where a caller stands after so many calls in the window of `now`."""
        ends_at = (self.window(now) + 1) * self.seconds
        return Standing(self.limit, calls, ends_at, max(ends_at - int(now.timestamp()), 1))
