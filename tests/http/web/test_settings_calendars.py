"""/settings/calendars: holidays that sequences in working days go by."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from drumbeat.domain.calendar import Holidays
from drumbeat.store import sequences, templates
from drumbeat.store.templates import StoredCalendar
from drumbeat.testing.cast import Cast
from drumbeat.wiring import World
from tests.http.conftest import Browser
from tests.http.web.settings import post, said, see

CALENDARS = "/settings/calendars"
BAVARIA: dict[str, Any] = {
    "name": "Bavaria",
    "country": "de",
    "region": "BY",
    "days": "2026-12-24\r\n\r\n 2026-03-05 \r\n",
}
HOLIDAYS = Holidays("DE", "BY", frozenset({date(2026, 12, 24), date(2026, 3, 5)}))


def stored(world: World, account_id: int) -> list[StoredCalendar]:
    with world.database.read() as snapshot:
        return templates.list_calendars(snapshot, account_id)


def test_the_first_calendar_is_made_and_shows_the_next_days_off(seller: Browser, world: World, cast: Cast) -> None:
    page = see(seller, CALENDARS)
    assert "No calendar yet" in page.words
    page = see(seller, f"{CALENDARS}/new").press("Make it", **BAVARIA)
    said_of_it = "The calendar is kept. Choose it in a sequence's settings."
    assert (page.path, page.said) == (f"{CALENDARS}/1", said_of_it)
    assert "The next days off Thu 5 Mar Fri 3 Apr Mon 6 Apr" in page.words
    assert page.fields["days"] == "2026-03-05\n2026-12-24"
    assert (page.fields["country"], page.fields["region"]) == ("DE", "BY")
    assert stored(world, cast.us.account.id) == [StoredCalendar(1, "Bavaria", HOLIDAYS)]
    assert "Bavaria DE, BY 2 None" in see(seller, CALENDARS).words


def test_what_is_no_calendar_is_told_beside_its_field_and_none_is_made(
    owner: Browser, world: World, cast: Cast
) -> None:
    page = see(owner, f"{CALENDARS}/new")
    for name, wrong, more in (
        ("name", "", {}),
        ("country", "GERMANY", {}),
        ("country", "XX", {}),
        ("region", "ZZ", {}),
        ("region", "BY", {"country": ""}),
        ("days", "2026-12-24\n24.12.2026", {}),
        ("days", "2026-02-30", {}),
        ("days", "\n".join(["2026-12-24"] * 1001), {}),
    ):
        sent = BAVARIA | {"days": "2026-12-24"} | more | {name: wrong}
        again = page.press("Make it", **sent)
        assert (again.status, set(again.complaints)) == (422, {name}), wrong
        assert {each: again.fields[each] for each in sent} == sent
    again = page.press("Make it", days="2026-12-24\n\n24.12.2026", name="B")
    assert again.complaints["days"] == "Line 3: write a day such as 2026-12-24, not '24.12.2026'."
    assert stored(world, cast.us.account.id) == []


def test_a_calendar_is_changed_and_deleted(owner: Browser, world: World, cast: Cast) -> None:
    post(owner, f"{CALENDARS}/new", **BAVARIA)
    post(owner, f"{CALENDARS}/new", name="Tea days")
    page = see(owner, f"{CALENDARS}/1")
    for name, wrong in (("name", "Tea days"), ("name", ""), ("days", "soon")):
        again = page.press("Keep the changes", **{"region": "HE", name: wrong})
        assert (again.status, set(again.complaints), again.fields["region"]) == (422, {name}, "HE"), wrong
    assert stored(world, cast.us.account.id)[0] == StoredCalendar(1, "Bavaria", HOLIDAYS)
    page = page.press("Keep the changes", name="Nothing", country="", region="", days="")
    assert page.said == "The calendar is kept; steps that wait by it move with it."
    assert "There is none within a year." in page.words
    assert stored(world, cast.us.account.id)[0] == StoredCalendar(1, "Nothing", Holidays())
    page = page.press("Delete it")
    assert (page.path, page.said) == (CALENDARS, "The calendar is deleted.")
    assert [each.name for each in stored(world, cast.us.account.id)] == ["Tea days"]


def test_a_calendar_that_a_sequence_goes_by_stays(owner: Browser, world: World, cast: Cast) -> None:
    post(owner, f"{CALENDARS}/new", **BAVARIA)
    world.database.transact(lambda tx: sequences.save(tx, replace(cast.us.letters, calendar_id=1)))
    assert "Bavaria DE, BY 2 Two letters" in see(owner, CALENDARS).words
    page = see(owner, f"{CALENDARS}/1")
    assert "Who goes by it Two letters" in page.words
    assert "Delete it" not in page.buttons
    told = said(post(owner, f"{CALENDARS}/1/delete"))
    assert told.wrong
    assert "Two letters" in told.text
    assert len(stored(world, cast.us.account.id)) == 1


def test_a_calendar_of_another_account_cannot_be_seen_or_touched(owner: Browser, world: World, cast: Cast) -> None:
    rival = cast.rival.account.id
    id = world.database.transact(lambda tx: templates.add_calendar(tx, rival, "Lantern days", HOLIDAYS))
    path = f"{CALENDARS}/{id}"
    assert "Lantern days" not in see(owner, CALENDARS).text
    assert owner("GET", path).status_code == 404
    assert post(owner, path, name="Ours").status_code == 404
    assert post(owner, path, name="Ours", days="soon").status_code == 404
    assert post(owner, f"{path}/delete").status_code == 404
    assert stored(world, rival) == [StoredCalendar(id, "Lantern days", HOLIDAYS)]
