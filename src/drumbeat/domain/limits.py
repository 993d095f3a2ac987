"""How quickly a mailbox may send: caps by the hour and day, the time between two letters, and a slow start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final
from zoneinfo import ZoneInfo

_JITTER: Final = 0.25  # of the spacing, to either side
_RISE: Final = 1.2  # a day's letters over those of the day before, while a mailbox starts slowly
_RISES_FOR: Final = 120  # days after which any slow start has reached any cap
_HOUR: Final = timedelta(hours=1)
_FAR: Final = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Pace:
    """A mailbox's own limits; None is no limit. Hours and days are those of the account's zone.

    `ramp_from` letters may leave on the day of `ramp_since`, and a fifth more each day, up to `per_day`.
    """

    zone: str
    per_day: int | None = None
    per_hour: int | None = None
    spacing: timedelta = timedelta(0)
    ramp_from: int | None = None
    ramp_since: datetime | None = None

    def allowed_on(self, instant: datetime) -> int | None:
        """How many letters may leave on the day of this instant."""
        if self.ramp_from is None or self.ramp_since is None:
            return self.per_day
        zone = ZoneInfo(self.zone)
        days = (instant.astimezone(zone).date() - self.ramp_since.astimezone(zone).date()).days
        if days >= _RISES_FOR:
            return self.per_day
        risen = int(self.ramp_from * _RISE ** max(days, 0))
        return risen if self.per_day is None else min(risen, self.per_day)

    def hour_of(self, instant: datetime) -> datetime:
        """When the hour of this instant began, by the wall clock."""
        local = instant.astimezone(ZoneInfo(self.zone))
        return (
            instant - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        ).replace(tzinfo=UTC)

    def day_of(self, instant: datetime) -> datetime:
        """When the day of this instant began."""
        local = instant.astimezone(ZoneInfo(self.zone))
        return local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC)

    def next_day(self, instant: datetime) -> datetime:
        """When the day after this instant's begins."""
        local = instant.astimezone(ZoneInfo(self.zone)) + timedelta(days=1)
        return local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC)

    def interval(self, seed: bytes) -> timedelta:
        """The time that passes before the letter with this seed, so that letters do not leave like clockwork."""
        share = int.from_bytes(sha256(b"pace " + seed).digest()[:4], "big") / 2**32
        return self.spacing * (1 - _JITTER + 2 * _JITTER * share)

    def __str__(self) -> str:
        caps = [
            f"{self.per_hour} letters an hour" if self.per_hour else "",
            f"{self.per_day} a day" if self.per_day else "",
        ]
        told = ["at most " + " and ".join(filter(None, caps))] if any(caps) else []
        told += [f"one every {self.spacing.total_seconds():g} seconds"] if self.spacing else []
        told += ["a slow start"] if self.ramp_from else []
        return ", ".join(told)


@dataclass(frozen=True, slots=True)
class Allowance:
    """The letters that an account may send in a month of its zone, and has sent in this one."""

    letters: int
    sent: int
    renews_at: datetime

    @property
    def left(self) -> int:
        """How many more may leave this month."""
        return max(self.letters - self.sent, 0)


def month_of(instant: datetime, zone: str) -> tuple[int, datetime]:
    """The month of this instant (yyyymm) and when the next one begins."""
    local = instant.astimezone(ZoneInfo(zone))
    following = local.replace(day=28, hour=0, minute=0, second=0, microsecond=0, fold=0) + timedelta(days=4)
    return local.year * 100 + local.month, following.replace(day=1).astimezone(UTC)


@dataclass(slots=True)
class Hour:
    """An hour of a mailbox: turns given and not used yet, letters sent, and the instant of the last turn."""

    given: int = 0
    sent: int = 0
    last_at: datetime | None = None

    @property
    def taken(self) -> int:
        """Turns that nobody else can have."""
        return self.given + self.sent


Opening = Callable[[datetime], datetime | None]


@dataclass(slots=True)
class Diary:
    """The turns of one mailbox, by the beginning of their hours; `changed` are the hours that differ from the store."""

    pace: Pace
    hours: dict[datetime, Hour]
    changed: set[datetime] = field(default_factory=set)
    _free_from: datetime | None = None  # every hour before it is full, whatever the windows
    _days: dict[datetime, int] = field(default_factory=dict)  # turns taken, by the beginning of the day

    def __post_init__(self) -> None:
        for at, hour in self.hours.items():
            self._count_day(at, hour.taken)

    def give(self, now: datetime, seed: bytes, opening: Opening) -> datetime:
        """The next free turn at or after now within a window, which is taken by this.

        Within a year; where a year is full, or no window opens, the turn is then.
        """
        at, last = max(now, self._free_from or now), now + _FAR
        is_plain = True  # no window was waited for so far
        while at < last:
            opens = opening(at)
            if opens is None:
                break
            is_plain = is_plain and opens == at
            hour = self.pace.hour_of(opens)
            turn = max(opens, self._after_the_last(hour, seed))
            later = self._when_full(hour, turn)
            if later is not None:
                at = later
                self._free_from = later if is_plain else self._free_from
            elif turn == opens or opening(turn) == turn:
                return self._given(hour, turn)
            else:
                at = turn  # the window closes before the turn
        return self._given(self.pace.hour_of(last), last)

    def _after_the_last(self, hour: datetime, seed: bytes) -> datetime:
        lasts = [self.hours[each].last_at for each in (hour - _HOUR, hour) if each in self.hours]
        known = [last for last in lasts if last is not None]
        return max(known) + self.pace.interval(seed) if known else hour

    def _when_full(self, hour: datetime, turn: datetime) -> datetime | None:
        """When to look on if the hour cannot have the turn; None if it can."""
        ends = hour + _HOUR
        if turn >= ends:
            return turn
        following = self.hours.get(ends)
        if following is not None and following.taken and turn > ends - self.pace.spacing * (1 + _JITTER):
            return ends  # the first turn of the next hour may be as soon as that
        if self._day_is_full(hour):
            return self.pace.next_day(hour)
        taken = self.hours[hour].taken if hour in self.hours else 0
        return ends if self.pace.per_hour is not None and taken >= self.pace.per_hour else None

    def _day_is_full(self, hour: datetime) -> bool:
        allowed = self.pace.allowed_on(hour)
        return allowed is not None and self._days.get(self.pace.day_of(hour), 0) >= allowed

    def _count_day(self, hour: datetime, turns: int) -> None:
        day = self.pace.day_of(hour)
        self._days[day] = self._days.get(day, 0) + turns

    def _given(self, hour: datetime, turn: datetime) -> datetime:
        found = self.hours.setdefault(hour, Hour())
        found.given += 1
        found.last_at = turn
        self._count_day(hour, 1)
        self.changed.add(hour)
        return turn

    def room(self, now: datetime) -> int | None:
        """How many letters may still be sent in this hour, whoever has its turns; None: any number."""
        hour = self.pace.hour_of(now)
        sent = self.hours[hour].sent if hour in self.hours else 0
        left = [] if self.pace.per_hour is None else [self.pace.per_hour - sent]
        allowed = self.pace.allowed_on(now)
        if allowed is not None:
            first, end = self.pace.day_of(now), self.pace.next_day(now)
            left.append(allowed - sum(each.sent for at, each in self.hours.items() if first <= at < end))
        return max(min(left), 0) if left else None

    def give_back(self, turn: datetime) -> None:
        """A turn that was given is not used."""
        hour = self.pace.hour_of(turn)
        if hour in self.hours and self.hours[hour].given:
            self.hours[hour].given -= 1
            self._count_day(hour, -1)
            self._free_from = None
            self.changed.add(hour)

    def count_sent(self, now: datetime, letters: int) -> None:
        """So many letters leave now; fewer than none: so many did not after all."""
        hour = self.pace.hour_of(now)
        found = self.hours.setdefault(hour, Hour())
        counted = max(found.sent + letters, 0) - found.sent
        found.sent += counted
        self._count_day(hour, counted)
        found.last_at = found.last_at or now
        self.changed.add(hour)
