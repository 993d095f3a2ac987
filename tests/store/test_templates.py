from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from drumbeat.domain.calendar import Holidays
from drumbeat.domain.errors import NotFound
from drumbeat.domain.template import Attachment, TemplateText
from drumbeat.store import sequences, templates
from drumbeat.store.transaction import BrokenRule, Tx
from tests.store.tenants import Tenant

TEXT = TemplateText("Tea for {{ person.first_name }}", "<p>100 % “tea”</p>", None)
MENU = Attachment("menu.pdf", "application/pdf", "a" * 64, 4)
CHRISTMAS = Holidays(days=frozenset({date(2026, 12, 25), date(2026, 12, 24)}))


class TestTemplates:
    def test_one_comes_back_as_it_was_stored(self, tx: Tx, us: Tenant) -> None:
        made = templates.add(tx, us.account_id, "Hello", TEXT, [MENU])
        assert templates.get(tx, us.account_id, made.id) == made
        assert (made.source, made.attachments) == (TEXT, (MENU,))

    def test_a_change_is_stored(self, tx: Tx, us: Tenant) -> None:
        made = templates.add(tx, us.account_id, "Hello", TEXT, [MENU])
        changed = replace(made, name="Bye", source=TemplateText("", None, "x"), attachments=())
        templates.save(tx, us.account_id, changed)
        assert templates.list_all(tx, us.account_id) == [changed]

    def test_a_version_published_before_keeps_its_texts(self, tx: Tx, us: Tenant) -> None:
        made = templates.add(tx, us.account_id, "Hello", TEXT, [])
        before = sequences.get_version(tx, us.account_id, us.sequence.id, 1)
        templates.save(tx, us.account_id, replace(made, source=TemplateText("New", None, "New")))
        assert sequences.get_version(tx, us.account_id, us.sequence.id, 1) == before

    def test_a_name_is_given_once_in_an_account(self, tx: Tx, us: Tenant, rival: Tenant) -> None:
        templates.add(tx, us.account_id, "Hello", TEXT, [])
        templates.add(tx, rival.account_id, "Hello", TEXT, [])
        with pytest.raises(BrokenRule):
            templates.add(tx, us.account_id, "Hello", TEXT, [])

    def test_another_account_with_the_same_ids_sees_and_changes_none(self, tx: Tx, us: Tenant, rival: Tenant) -> None:
        made = templates.add(tx, us.account_id, "Hello", TEXT, [])
        with pytest.raises(NotFound, match=f"no template {made.id}"):
            templates.get(tx, rival.account_id, made.id)
        templates.save(tx, rival.account_id, replace(made, name="Stolen"))
        assert templates.list_all(tx, rival.account_id) == []
        assert templates.list_all(tx, us.account_id) == [made]


class TestAttachments:
    def test_a_content_is_kept_once_under_its_hash(self, tx: Tx, us: Tenant) -> None:
        templates.keep_attachment(tx, us.account_id, MENU.sha256, b"\x00\xff tea")
        templates.keep_attachment(tx, us.account_id, MENU.sha256, b"never looked at")
        assert templates.attachment_content(tx, us.account_id, MENU.sha256) == b"\x00\xff tea"

    def test_another_account_cannot_read_it_by_its_hash(self, tx: Tx, us: Tenant, rival: Tenant) -> None:
        templates.keep_attachment(tx, us.account_id, MENU.sha256, b"tea")
        with pytest.raises(NotFound, match="no attachment aaa"):
            templates.attachment_content(tx, rival.account_id, MENU.sha256)


class TestCalendars:
    def test_one_is_made_changed_and_deleted(self, tx: Tx, us: Tenant) -> None:
        id = templates.add_calendar(tx, us.account_id, "Ours", CHRISTMAS)
        assert templates.list_calendars(tx, us.account_id) == [templates.StoredCalendar(id, "Ours", CHRISTMAS)]
        german = templates.StoredCalendar(id, "German", Holidays("DE", "BY", frozenset()))
        templates.save_calendar(tx, us.account_id, german)
        assert templates.lock_calendar(tx, us.account_id, id) == german
        templates.delete_calendar(tx, us.account_id, id)
        with pytest.raises(NotFound, match=f"There is no calendar {id}"):
            templates.get_calendar(tx, us.account_id, id)

    def test_a_sequence_s_holidays_are_those_of_its_calendar_now(self, tx: Tx, us: Tenant) -> None:
        id = templates.add_calendar(tx, us.account_id, "Ours", CHRISTMAS)
        sequences.save(tx, replace(us.sequence, calendar_id=id))
        assert sequences.get(tx, us.account_id, us.sequence.id).holidays == CHRISTMAS
        german = templates.StoredCalendar(id, "Ours", Holidays("DE"))
        templates.save_calendar(tx, us.account_id, german)
        assert sequences.get(tx, us.account_id, us.sequence.id).holidays == Holidays("DE")

    def test_another_account_has_calendars_of_its_own(self, tx: Tx, us: Tenant, rival: Tenant) -> None:
        ours = templates.add_calendar(tx, us.account_id, "Ours", CHRISTMAS)
        assert templates.list_calendars(tx, rival.account_id) == []
        assert templates.add_calendar(tx, rival.account_id, "Ours", Holidays("DE")) == ours
        assert templates.list_calendars(tx, us.account_id)[0].holidays == CHRISTMAS

    def test_a_sequence_cannot_follow_another_account_s_calendar(self, tx: Tx, us: Tenant, rival: Tenant) -> None:
        id = templates.add_calendar(tx, rival.account_id, "Theirs", CHRISTMAS)
        with pytest.raises(BrokenRule):
            sequences.save(tx, replace(us.sequence, calendar_id=id))
