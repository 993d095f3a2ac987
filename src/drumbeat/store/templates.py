"""Templates, their attachments' contents by hash, and holiday calendars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

import msgspec

from drumbeat.domain.calendar import Holidays
from drumbeat.domain.errors import NotFound
from drumbeat.domain.template import Attachment, TemplateText
from drumbeat.store.accounts import take_ids
from drumbeat.store.stamps import to_stamp
from drumbeat.store.statement import Record, Statement
from drumbeat.store.transaction import Snapshot, Tx


@dataclass(frozen=True, slots=True)
class StoredTemplate:
    """A template as it stands now; versions carry copies."""

    id: int
    name: str
    source: TemplateText
    attachments: tuple[Attachment, ...]


@dataclass(frozen=True, slots=True)
class StoredCalendar:
    """A named holiday calendar."""

    id: int
    name: str
    holidays: Holidays


def add(tx: Tx, account_id: int, name: str, source: TemplateText, attachments: Sequence[Attachment]) -> StoredTemplate:
    """A new template."""
    template = StoredTemplate(take_ids(tx, account_id, "template"), name, source, tuple(attachments))
    tx.run(_ADD, **_parameters(tx, account_id, template))
    return template


def save(tx: Tx, account_id: int, template: StoredTemplate) -> None:
    """Store a template's texts; versions published before keep theirs."""
    tx.run(_SAVE, **_parameters(tx, account_id, template))


def get(snapshot: Snapshot, account_id: int, id: int) -> StoredTemplate:
    """The template, or NotFound."""
    row = snapshot.first(_GET, account_id=account_id, id=id)
    if row is None:
        raise NotFound(f"There is no template {id}.")
    return _template(row)


def list_all(snapshot: Snapshot, account_id: int) -> list[StoredTemplate]:
    """The account's templates by id."""
    return [_template(row) for row in snapshot.all(_LIST, account_id=account_id)]


def keep_attachment(tx: Tx, account_id: int, sha256: str, content: bytes) -> None:
    """Keep a content under its hash, once."""
    tx.run(_KEEP, account_id=account_id, sha256=sha256, content=content)


def attachment_content(snapshot: Snapshot, account_id: int, sha256: str) -> bytes:
    """A content by its hash, or NotFound."""
    row = snapshot.first(_CONTENT, account_id=account_id, sha256=sha256)
    if row is None:
        raise NotFound(f"There is no attachment {sha256}.")
    return bytes(row[0])


def delete(tx: Tx, account_id: int, id: int) -> None:
    """Delete a template."""
    tx.run(_DELETE, account_id=account_id, id=id)


def lock(tx: Tx, account_id: int, id: int) -> StoredTemplate:
    """The template with its row locked, or NotFound: changes come one after the other."""
    tx.first(_LOCK, account_id=account_id, id=id)
    return get(tx, account_id, id)


def attachment_size(snapshot: Snapshot, account_id: int, sha256: str) -> int | None:
    """How many bytes a content has, or None if none is kept under this hash."""
    row = snapshot.first(_SIZE, account_id=account_id, sha256=sha256)
    return None if row is None else int(row[0])


def add_calendar(tx: Tx, account_id: int, name: str, holidays: Holidays) -> int:
    """A new calendar; its id."""
    id = take_ids(tx, account_id, "calendar")
    tx.run(_ADD_CALENDAR, **_calendar_parameters(tx, account_id, StoredCalendar(id, name, holidays)))
    return id


def save_calendar(tx: Tx, account_id: int, calendar: StoredCalendar) -> None:
    """Store a calendar's name and days."""
    tx.run(_SAVE_CALENDAR, **_calendar_parameters(tx, account_id, calendar))


def _calendar_parameters(tx: Tx, account_id: int, calendar: StoredCalendar) -> dict[str, Any]:
    holidays = calendar.holidays
    return {
        "account_id": account_id,
        "id": calendar.id,
        "name": calendar.name,
        "country": holidays.country,
        "region": holidays.region,
        "days": msgspec.json.encode(sorted(holidays.days)).decode(),
        "now": to_stamp(tx.now),
    }


def lock_calendar(tx: Tx, account_id: int, id: int) -> StoredCalendar:
    """The calendar with its row locked, or NotFound."""
    tx.first(_LOCK_CALENDAR, account_id=account_id, id=id)
    return get_calendar(tx, account_id, id)


def get_calendar(snapshot: Snapshot, account_id: int, id: int) -> StoredCalendar:
    """The calendar, or NotFound."""
    row = snapshot.first(_GET_CALENDAR, account_id=account_id, id=id)
    if row is None:
        raise NotFound(f"There is no calendar {id}.")
    return _calendar(row)


def delete_calendar(tx: Tx, account_id: int, id: int) -> None:
    """Delete a calendar."""
    tx.run(_DELETE_CALENDAR, account_id=account_id, id=id)


def list_calendars(snapshot: Snapshot, account_id: int) -> list[StoredCalendar]:
    """The account's calendars by id."""
    return [_calendar(row) for row in snapshot.all(_LIST_CALENDARS, account_id=account_id)]


def _calendar(row: Record) -> StoredCalendar:
    return StoredCalendar(row.id, row.name, holidays_of(row.country, row.region, row.days))


@lru_cache(maxsize=1024)
def holidays_of(country: str | None, region: str | None, days: str | None) -> Holidays:
    """Holidays as stored; without a calendar, none."""
    return Holidays(country, region, msgspec.json.decode(days, type=frozenset[date]) if days else frozenset())


def _parameters(tx: Tx, account_id: int, template: StoredTemplate) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "id": template.id,
        "name": template.name,
        "subject": template.source.subject,
        "html": template.source.html,
        "text": template.source.text,
        "attachments": msgspec.json.encode(template.attachments).decode(),
        "now": to_stamp(tx.now),
    }


def _template(row: Record) -> StoredTemplate:
    return StoredTemplate(
        id=row.id,
        name=row.name,
        source=TemplateText(row.subject, row.html, row.text),
        attachments=msgspec.json.decode(row.attachments, type=tuple[Attachment, ...]),
    )


_TEMPLATE = "id, name, subject, html, text, attachments"
_ADD = Statement("""
    INSERT INTO templates (account_id, id, name, subject, html, text, attachments, created_at, updated_at)
    VALUES (:account_id, :id, :name, :subject, :html, :text, :attachments, :now, :now)
""")
_SAVE = Statement("""
    UPDATE templates SET name = :name, subject = :subject, html = :html, text = :text,
        attachments = :attachments, updated_at = :now
    WHERE account_id = :account_id AND id = :id
""")
_GET = Statement(f"SELECT {_TEMPLATE} FROM templates WHERE account_id = :account_id AND id = :id")
_LIST = Statement(f"SELECT {_TEMPLATE} FROM templates WHERE account_id = :account_id ORDER BY id")
_KEEP = Statement("""
    INSERT INTO attachments (account_id, sha256, content) VALUES (:account_id, :sha256, :content)
    ON CONFLICT (account_id, sha256) DO NOTHING
""")
_CONTENT = Statement("SELECT content FROM attachments WHERE account_id = :account_id AND sha256 = :sha256")
_SIZE = Statement("SELECT length(content) FROM attachments WHERE account_id = :account_id AND sha256 = :sha256")
_ADD_CALENDAR = Statement("""
    INSERT INTO calendars (account_id, id, name, country, region, days, created_at, updated_at)
    VALUES (:account_id, :id, :name, :country, :region, :days, :now, :now)
""")
_SAVE_CALENDAR = Statement("""
    UPDATE calendars SET name = :name, country = :country, region = :region, days = :days, updated_at = :now
    WHERE account_id = :account_id AND id = :id
""")
_LIST_CALENDARS = Statement("""
    SELECT id, name, country, region, days FROM calendars WHERE account_id = :account_id ORDER BY id
""")
_GET_CALENDAR = Statement("""
    SELECT id, name, country, region, days FROM calendars WHERE account_id = :account_id AND id = :id
""")
_LOCK_CALENDAR = Statement("SELECT id FROM calendars WHERE account_id = :account_id AND id = :id {lock}")
_DELETE_CALENDAR = Statement("DELETE FROM calendars WHERE account_id = :account_id AND id = :id")
_LOCK = Statement("SELECT id FROM templates WHERE account_id = :account_id AND id = :id {lock}")
_DELETE = Statement("DELETE FROM templates WHERE account_id = :account_id AND id = :id")
