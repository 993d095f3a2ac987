"""The one place that reads a clock. Everything else is told the time."""

from __future__ import annotations

from datetime import UTC, datetime


def host_now() -> datetime:
    """This machine's time, in UTC."""
    return datetime.now(UTC)
