"""Sequences as sellers see them: the list and its numbers, one of them with who runs it, its settings, its status."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta

import pytest

from drumbeat.domain.account import UserStatus
from drumbeat.domain.calendar import Holidays, Unit, format_windows
from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.happening import CannotSend
from drumbeat.domain.sequence import SequenceStatus, Split, WindowZone
from drumbeat.store import accounts, templates
from drumbeat.testing.cast import Cast, add_sequence, letter, task_step
from drumbeat.testing.clock import FrozenClock
from drumbeat.wiring import World
from tests.http.conftest import Browser
from tests.http.web.work import Works, at_work, complaint, hidden, led, post, said, see, value, words

Happen = Callable[..., None]
SETTINGS = {"name": "Two letters", "window_zone": "sequence", "locale": "en-US", "share": "50"}


@pytest.fixture
def works(world: World, cast: Cast, clock: FrozenClock) -> Iterator[Works]:
    """Our account at work."""
    with at_work(world, cast, clock) as works:
        yield works


def test_the_list_has_its_numbers_once_the_worker_has_counted(
    works: Works, seller: Browser, cast: Cast, happen: Happen
) -> None:
    first, *rest = (works.enroll(cast.us.letters, works.lead(name)) for name in ("Lena", "Leo", "Lia", "Luc"))
    happen(rest[-1].id, CannotSend(FailureReason.RECIPIENT_INVALID, "550 no"))
    assert "Two letters Active 2 0 1 0 0 0" in words(see(seller, "/sequences"))
    works.work()
    works.hear(first.id)
    works.work()
    shown = words(see(seller, "/sequences"))
    assert "Two letters Active 2 2 1 1 3 1 25%" in shown, "of all four that were enrolled"
    assert "A call and a letter Active 2 0 0 0 0 0 –" in shown


def test_archived_sequences_are_listed_apart(works: Works, seller: Browser, cast: Cast) -> None:
    assert "No sequence is archived." in words(see(seller, "/sequences?show=archived"))
    post(seller, f"/sequences/{cast.us.with_task.id}/status", status="archived")
    used, archived = words(see(seller, "/sequences")), words(see(seller, "/sequences?show=archived"))
    assert ("Two letters" in used, "A call and a letter" in used) == (True, False)
    assert ("Two letters" in archived, "A call and a letter Archived" in archived) == (False, True)


def test_a_new_sequence_needs_a_name_of_its_own_and_leads_to_its_steps(works: Works, seller: Browser) -> None:
    taken = post(seller, "/sequences/new", name="Two letters")
    assert (taken.status_code, value(taken, "name")) == (422, "Two letters")
    assert complaint(taken, "name") == "Another sequence has the name 'Two letters'."
    blank = post(seller, "/sequences/new", name=" ")
    assert (blank.status_code, bool(complaint(blank, "name"))) == (422, True)
    made = post(seller, "/sequences/new", name="Spring & summer")
    assert made.headers["location"] == "/sequences/3/steps"
    page = led(seller, made)
    assert said(page) == "Add its first step."
    assert "Sequences / Spring & summer Steps" in words(page)
    found = works.sequence_of(3)
    assert (found.status, found.creator_id) == (SequenceStatus.DRAFT, works.cast.us.seller.id)


def test_pausing_is_taken_back_by_one_click(works: Works, seller: Browser, cast: Cast) -> None:
    path = f"/sequences/{cast.us.letters.id}"
    paused = led(seller, post(seller, f"{path}/status", status="paused"))
    assert said(paused).startswith("The sequence is paused")
    assert f'<form method="post" action="{path}/status">' in paused.text
    assert '<input type="hidden" name="status" value="active">' in paused.text
    assert "Undo" in words(paused)
    assert works.sequence_of(cast.us.letters.id).status is SequenceStatus.PAUSED
    resumed = led(seller, post(seller, f"{path}/status", status="active"))
    assert said(resumed) == "The sequence is active."
    assert "Undo" in words(resumed)
    assert works.sequence_of(cast.us.letters.id).status is SequenceStatus.ACTIVE


def test_archiving_what_was_paused_cannot_be_taken_back_and_offers_no_undo(
    works: Works, seller: Browser, cast: Cast
) -> None:
    path = f"/sequences/{cast.us.letters.id}/status"
    post(seller, path, status="paused")
    archived = led(seller, post(seller, path, status="archived"))
    assert said(archived).startswith("The sequence is archived")
    assert "Undo" not in words(archived)
    assert said(led(seller, post(seller, path, status="paused"))) == (
        "A sequence that is archived cannot become paused."
    )
    assert said(led(seller, post(seller, path, status="running"))) == "Choose one of those offered."
    assert works.sequence_of(cast.us.letters.id).status is SequenceStatus.ARCHIVED


def test_a_draft_without_steps_cannot_be_activated(works: Works, seller: Browser) -> None:
    draft = works.transact(lambda tx: add_sequence(tx, works.cast.us.seller, "New", [], SequenceStatus.DRAFT))
    assert "It has no steps yet. Add the first one" in words(see(seller, f"/sequences/{draft.id}"))
    refused = led(seller, post(seller, f"/sequences/{draft.id}/status", status="active"))
    assert said(refused) == "Publish its steps before you activate it."
    assert works.sequence_of(draft.id).status is SequenceStatus.DRAFT


def test_a_sequence_shows_its_steps_its_numbers_and_who_runs_it(
    works: Works, seller: Browser, cast: Cast, happen: Happen
) -> None:
    sequence = works.sequence("Call", task_step(3, Unit.WEEKDAYS, "Call & ask"), letter(1, Unit.HOURS, is_reply=True))
    works.enroll(sequence, works.lead())
    leo = works.enroll(cast.us.letters, works.lead("Leo"))
    happen(leo.id, CannotSend(FailureReason.AUTH, "535 no"))
    works.work()
    page = see(seller, f"/sequences/{sequence.id}")
    assert "Call & ask after 3 working days In the thread after 1 hour" in words(page, "steps")
    assert "Lena Lead Active step 1 of 2, Fri 6 Mar 11:00" in words(page, "running")
    assert "Leo" not in words(page)
    assert "enrolled 1 active 1 blocked 0 finished 0" in words(page)
    other = words(see(seller, f"/sequences/{cast.us.letters.id}"), "running")
    assert "Leo Lead Blocked The mail server refuses the login" in other


def test_numbers_and_list_of_an_a_b_test_agree_on_either_page(works: Works, seller: Browser, cast: Cast) -> None:
    b = works.sequence("B", task_step(0, Unit.HOURS))
    a = works.sequence("A", task_step(0, Unit.HOURS), split=Split(b.id, 50))
    works.enroll(b, works.lead("Bea"))
    ids = works.enroll_many(a, [f"P{number:02}" for number in range(20)])
    works.work()
    in_b = [id for id in ids if works.enrollment(id).subject.runs_sequence_id == b.id]
    assert 0 < len(in_b) < 20
    page = see(seller, f"/sequences/{a.id}")
    listed = words(page, "running")
    assert "enrolled 20 active 20" in words(page)
    assert (listed.count("Variant A"), listed.count("Variant B")) == (20 - len(in_b), len(in_b))
    assert "Bea" not in listed
    other = see(seller, f"/sequences/{b.id}")
    listed = words(other, "running")
    assert "enrolled 1 active 1" in words(other)
    assert "Variant B of A: whom that one enrolls is counted there, and listed here too." in words(other)
    assert (listed.count("Variant B of A"), "Bea" in listed) == (len(in_b), True)
    assert f"{len(in_b) + 1} running enrollments keep the steps" in words(see(seller, f"/sequences/{b.id}/publish"))
    assert f"{20 - len(in_b)} running enrollments keep the steps" in words(see(seller, f"/sequences/{a.id}/publish"))


def test_who_runs_variant_a_and_b_is_listed_page_by_page_without_a_gap(works: Works, seller: Browser) -> None:
    b = works.sequence("B", task_step(0, Unit.HOURS))
    a = works.sequence("A", task_step(0, Unit.HOURS), split=Split(b.id, 50))
    works.enroll_many(a, [f"P{number:02}" for number in range(60)])
    first = see(seller, f"/sequences/{a.id}")
    after = first.text.partition(f'rel="next" href="/sequences/{a.id}?after=')[2].partition('"')[0]
    second = see(seller, f"/sequences/{a.id}?after={after}")
    listed = [words(page, "running") for page in (first, second)]
    assert [[f"P{n:02}" for n in range(60) if f"P{n:02} " in each] for each in listed] == [
        [f"P{n:02}" for n in range(50)],
        [f"P{n:02}" for n in range(50, 60)],
    ]
    assert "First page" not in listed[0]
    assert f'href="/sequences/{a.id}">First page' in second.text


def test_archiving_what_is_paused_asks_once_more_and_says_that_letters_leave(
    works: Works, seller: Browser, cast: Cast
) -> None:
    page = f"/sequences/{cast.us.letters.id}"
    assert "<summary" not in see(seller, page).text, "what can be taken back is done at once"
    post(seller, f"{page}/status", status="paused")
    shown = see(seller, page)
    assert '<summary class="btn btn-ghost btn-sm">Archive…</summary>' in shown.text
    assert "letters that are due leave at once" in words(shown)
    assert "Archive it, and let letters leave" in words(shown)


def test_people_are_enrolled_from_their_list_with_the_sequence_chosen(seller: Browser, cast: Cast) -> None:
    assert f'href="/people?enroll={cast.us.letters.id}"' in see(seller, f"/sequences/{cast.us.letters.id}").text


def test_those_that_are_blocked_are_counted_for_each_sequence_by_itself(
    works: Works, seller: Browser, cast: Cast, happen: Happen
) -> None:
    other = works.sequence("Other", letter(0, Unit.HOURS))
    for sequence, count in ((cast.us.letters, 3), (other, 1)):
        for id in works.enroll_many(sequence, [f"{sequence.name[0]}{number}" for number in range(count)]):
            happen(id, CannotSend(FailureReason.AUTH, "535 no"))
    works.work()
    assert "blocked 3" in words(see(seller, f"/sequences/{cast.us.letters.id}"))
    assert "blocked 1" in words(see(seller, f"/sequences/{other.id}"))
    listed = words(see(seller, "/sequences"))
    assert ("Two letters Active 2 0 3" in listed, "Other Active 1 0 1" in listed) == (True, True)


def test_the_list_is_asked_for_again_without_what_one_scrolls(seller: Browser, cast: Cast) -> None:
    shown = see(seller, "/sequences").text
    assert '<tbody id="list" hx-get="/sequences" hx-trigger="every 15s"' in shown
    assert 'tabindex="0" role="region" aria-label="Sequences">' in shown


def test_an_old_tab_takes_no_setting_back_that_others_changed_since(
    works: Works, seller: Browser, owner: Browser, cast: Cast
) -> None:
    id = cast.us.letters.id
    path = f"/sequences/{id}/settings"
    was = hidden(see(seller, path), "was")
    split = {"variant_b_id": str(cast.us.with_task.id), "share": "30"}
    post(owner, path, **SETTINGS | split | {"locale": "de", "windows": "Mon 09:00-10:00", "reenroll_hours": "5"})
    post(seller, path, **SETTINGS | {"name": "Letters", "unsubscribe": "on", "was": was})
    found = works.sequence_of(id)
    assert (found.name, found.unsubscribing.locale, found.unsubscribing.enabled) == ("Letters", "de", False)
    assert (found.split, found.reenroll_after) == (Split(cast.us.with_task.id, 30), timedelta(hours=5))
    assert format_windows(found.windows) == ("Mon 09:00-10:00",)
    post(seller, path, **SETTINGS | {"name": "Letters", "was": hidden(see(seller, path), "was"), "share": ""})
    assert works.sequence_of(id).split is None


def test_the_zone_of_a_sequence_is_chosen_from_a_list(seller: Browser, cast: Cast) -> None:
    shown = see(seller, f"/sequences/{cast.us.letters.id}/settings").text
    assert 'list="zones"' in shown
    assert '<option value="America/New_York"></option>' in shown


def test_whoever_runs_it_is_listed_page_by_page(works: Works, seller: Browser, cast: Cast) -> None:
    works.enroll_many(cast.us.letters, [f"P{number:02}" for number in range(51)])
    first = see(seller, f"/sequences/{cast.us.letters.id}")
    listed = words(first, "running")
    assert ("P49" in listed, "P50" in listed, "Next page" in listed) == (True, False, True)
    after = first.text.partition(f'rel="next" href="/sequences/{cast.us.letters.id}?after=')[2].partition('"')[0]
    second = words(see(seller, f"/sequences/{cast.us.letters.id}?after={after}"), "running")
    assert ("P49" in second, "P50" in second, "Next page" in second) == (False, True, False)


def test_settings_are_shown_as_they_are_and_kept_as_they_are_sent(works: Works, seller: Browser, cast: Cast) -> None:
    id = cast.us.letters.id
    holidays = Holidays(days=frozenset({date(2026, 3, 4)}))
    calendar = works.transact(lambda tx: templates.add_calendar(tx, works.account_id, "Ours", holidays))
    blank = see(seller, f"/sequences/{id}/settings")
    assert (value(blank, "name"), value(blank, "locale"), value(blank, "share")) == ("Two letters", "en-US", "50")
    sent = {
        "name": "Letters",
        "windows": "Mon-Fri 09:00-17:00\r\n\r\nSat 10:00-12:00",
        "window_zone": "recipient",
        "time_zone": "America/New_York",
        "calendar_id": calendar,
        "default_actor_id": cast.us.owner.id,
        "reenroll_hours": "48",
        "locale": "de",
        "variant_b_id": cast.us.with_task.id,
        "share": "30",
    }
    kept = led(seller, post(seller, f"/sequences/{id}/settings", **sent))
    assert said(kept) == "The settings are kept, for running enrollments too."
    rhythm = words(kept, "rhythm")
    assert "Letters leave Mon-Fri 09:00-17:00, Sat 10:00-12:00, on the recipient's clock" in rhythm
    assert "Time zone America/New_York Holidays Ours Unsubscribe footer no" in rhythm
    assert "A/B test 30% run A call and a letter" in rhythm
    found = works.sequence_of(id)
    assert format_windows(found.windows) == ("Mon-Fri 09:00-17:00", "Sat 10:00-12:00")
    assert (found.window_zone, found.default_actor_id) == (WindowZone.RECIPIENT, cast.us.owner.id)
    assert (found.unsubscribing.enabled, found.unsubscribing.locale) == (False, "de")
    assert (found.split, found.reenroll_after) == (Split(cast.us.with_task.id, 30), timedelta(hours=48))
    again = see(seller, f"/sequences/{id}/settings")
    assert (value(again, "reenroll_hours"), value(again, "time_zone")) == ("48", "America/New_York")
    assert f'<option value="{calendar}" selected>Ours</option>' in again.text
    assert "Letters A/B Active" in words(see(seller, "/sequences"))


def test_minutes_that_the_settings_do_not_show_survive_them(works: Works, seller: Browser, cast: Cast) -> None:
    sequence = works.sequence("Minutes", letter(0, Unit.HOURS), reenroll_after=timedelta(minutes=90))
    path = f"/sequences/{sequence.id}/settings"
    shown = see(seller, path)
    assert value(shown, "reenroll_hours") == "1"
    was = hidden(shown, "was")
    post(seller, path, **SETTINGS | {"name": "Hours", "reenroll_hours": "1", "unsubscribe": "on", "was": was})
    found = works.sequence_of(sequence.id)
    assert (found.name, found.reenroll_after) == ("Hours", timedelta(minutes=90))
    post(seller, path, **SETTINGS | {"name": "Hours", "reenroll_hours": "2"})
    assert works.sequence_of(sequence.id).reenroll_after == timedelta(hours=2)


def test_what_is_wrong_in_the_settings_stands_beside_its_field_and_nothing_is_kept(
    works: Works, seller: Browser, cast: Cast
) -> None:
    id = cast.us.letters.id
    before = works.sequence_of(id)
    for field, text in (
        ("name", "A call and a letter"),
        ("name", ""),
        ("windows", "Funday 09:00-17:00"),
        ("windows", "Mon 17:00"),
        ("window_zone", "moon"),
        ("time_zone", "Europe/Atlantis"),
        ("locale", "klingon!"),
        ("calendar_id", "77"),
        ("default_actor_id", "77"),
        ("reenroll_hours", "-1"),
        ("reenroll_hours", "87601"),
        ("variant_b_id", str(id)),
    ):
        refused = post(seller, f"/sequences/{id}/settings", **SETTINGS | {field: text})
        assert refused.status_code == 422, field
        assert complaint(refused, field), (field, text)
        assert "Some of it cannot be taken; see beside the fields." in words(refused), field
    for share in ("", "0", "100", "half"):
        sent = SETTINGS | {"variant_b_id": str(cast.us.with_task.id), "share": share}
        assert complaint(post(seller, f"/sequences/{id}/settings", **sent), "share"), share
    assert works.sequence_of(id) == before


def test_what_was_typed_stands_in_the_settings_again_beside_the_complaint(
    works: Works, seller: Browser, cast: Cast
) -> None:
    sent = SETTINGS | {"name": "New <name>", "windows": "Funday 9", "unsubscribe": "on"}
    refused = post(seller, f"/sequences/{cast.us.letters.id}/settings", **sent)
    assert value(refused, "name") == "New <name>"
    assert "Funday 9</textarea>" in refused.text
    assert 'aria-describedby="windows-complaint windows-hint"' in refused.text
    assert 'aria-invalid="true"' in refused.text


def test_only_whoever_is_active_is_offered_as_a_sender(works: Works, seller: Browser, cast: Cast) -> None:
    cara = works.colleague()
    page = f"/sequences/{cast.us.letters.id}/settings"
    assert f'<option value="{cara.id}">Cara</option>' in see(seller, page).text
    works.transact(lambda tx: accounts.save_user(tx, replace(cara, status=UserStatus.INACTIVE)))
    assert ">Cara<" not in see(seller, page).text
