"""The time zones that forms offer."""

from __future__ import annotations

from functools import lru_cache
from zoneinfo import available_timezones

_PARTS_OF_THE_WORLD = frozenset(
    {
        *("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic"),
        *("Australia", "Europe", "Indian", "Pacific"),
    }
)


@lru_cache(maxsize=1)
def offered_zones() -> tuple[str, ...]:
    """Places by their part of the world, and UTC; a form takes every other name of the IANA list, too."""
    return ("UTC", *sorted(name for name in available_timezones() if name.split("/")[0] in _PARTS_OF_THE_WORLD))
