"""Holiday calendars: made, changed and deleted; the steps that wait by one move with it."""

from __future__ import annotations

from dataclasses import replace

from drumbeat.domain.calendar import Holidays
from drumbeat.domain.errors import AlreadyExists, IncorrectValue
from drumbeat.domain.line import check_line
from drumbeat.store import events, replans, sequences, templates
from drumbeat.store.replans import ReplanKind
from drumbeat.store.templates import StoredCalendar
from drumbeat.store.transaction import Snapshot, Tx


def add_calendar(tx: Tx, account_id: int, name: str, holidays: Holidays, actor_id: int | None) -> StoredCalendar:
    """A new calendar; AlreadyExists if another one has the name."""
    check_line(name, "name")
    _check_free(tx, account_id, name)
    id = templates.add_calendar(tx, account_id, name, holidays)
    _journal(tx, account_id, "calendar_changed", id, actor_id, name)
    return StoredCalendar(id, name, holidays)


def change_calendar(
    tx: Tx,
    account_id: int,
    id: int,
    *,
    name: str | None = None,
    holidays: Holidays | None = None,
    actor_id: int | None = None,
) -> StoredCalendar:
    """Rename a calendar or give it other days, which moves the steps that wait by it; NotFound if there is none."""
    before = templates.lock_calendar(tx, account_id, id)
    after = replace(before, name=name or before.name, holidays=holidays or before.holidays)
    if after == before:
        return before
    if after.name != before.name:
        check_line(after.name, "name")
        _check_free(tx, account_id, after.name)
    templates.save_calendar(tx, account_id, after)
    if after.holidays != before.holidays:
        for sequence in sequences.list_all(tx, account_id):
            if sequence.calendar_id == id and sequence.version:
                replans.add(tx, account_id, sequence.id, ReplanKind.RHYTHM)
    _journal(tx, account_id, "calendar_changed", id, actor_id, after.name)
    return after


def delete_calendar(tx: Tx, account_id: int, id: int, actor_id: int | None) -> None:
    """Delete a calendar that no sequence goes by; NotFound, or IncorrectValue names those that do."""
    calendar = templates.lock_calendar(tx, account_id, id)
    users = [sequence for sequence in sequences.list_all(tx, account_id) if sequence.calendar_id == id]
    if users:
        named = ", ".join(f"{sequence.id} ({sequence.name})" for sequence in users[:10])
        raise IncorrectValue(f"Sequences go by it: {named}. Give them another one first.", field="calendar")
    templates.delete_calendar(tx, account_id, id)
    _journal(tx, account_id, "calendar_deleted", id, actor_id, calendar.name)


def find_calendar(snapshot: Snapshot, account_id: int, name: str) -> StoredCalendar | None:
    """The calendar of this name, or None."""
    return next((each for each in templates.list_calendars(snapshot, account_id) if each.name == name), None)


def _check_free(tx: Tx, account_id: int, name: str) -> None:
    if find_calendar(tx, account_id, name) is not None:
        raise AlreadyExists(f"Another calendar has the name {name!r}.", field="name")


def _journal(tx: Tx, account_id: int, fact: str, id: int, actor_id: int | None, name: str) -> None:
    events.journal(tx, account_id, fact, subject="calendar", subject_id=id, actor_id=actor_id, name=name)
