"""Instants as the database keeps them: UTC microseconds since 1970 (docs/decisions/0001)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_stamp(instant: datetime) -> int:
    """An instant as stored: UTC microseconds since 1970."""
    return (instant - _EPOCH) // _MICROSECOND


def from_stamp(stamp: int) -> datetime:
    """A stored instant."""
    return _EPOCH + timedelta(microseconds=stamp)


def stamp_or_none(instant: datetime | None) -> int | None:
    """An instant as stored, or None."""
    return None if instant is None else to_stamp(instant)


def instant_or_none(stamp: int | None) -> datetime | None:
    """A stored instant, or None."""
    return None if stamp is None else from_stamp(stamp)
