"""The account as a file: looked at before anything changes, taken in whole or not at all."""

from __future__ import annotations

from drumbeat.store import templates
from drumbeat.testing.cast import Cast
from drumbeat.wiring import World
from tests.http.conftest import Browser
from tests.http.web.settings import post, see

CALENDAR = "calendars:\n- name: Ours\n  country: DE\n"


def names(world: World, cast: Cast) -> list[str]:
    with world.database.read() as snapshot:
        return [each.name for each in templates.list_calendars(snapshot, cast.us.account.id)]


def test_a_file_is_looked_at_and_then_taken_in(owner: Browser, world: World, cast: Cast) -> None:
    page = see(owner, "/settings/files").press("What would change?", content=CALENDAR)
    assert "create calendar 'Ours'" in page.words
    assert names(world, cast) == []
    answer = post(owner, "/settings/files", content=CALENDAR, go="on")
    assert answer.headers["location"] == "/settings/files"
    assert names(world, cast) == ["Ours"]
    assert (
        "everything is so already" in see(owner, "/settings/files").press("What would change?", content=CALENDAR).words
    )


def test_a_file_may_be_chosen_instead(owner: Browser) -> None:
    files = {"file": ("ours.yaml", CALENDAR.encode(), "application/yaml")}
    answer = owner("POST", "/settings/files", files=files, headers={"X-CSRF-Token": owner.csrf})
    assert answer.status_code == 200
    assert "create calendar" in answer.text
    answer = owner("POST", "/settings/files", files={"file": ("x.yaml", b"\xff\xfe", "application/yaml")})
    assert (answer.status_code, "no text in UTF-8" in answer.text) == (422, True)


def test_what_is_wrong_is_told_with_its_place_and_changes_nothing(owner: Browser, world: World, cast: Cast) -> None:
    for content in ("", "calendars:\n- name: Ours\n  country: XX\n", "sequences: 7", "attachments"):
        answer = post(owner, "/settings/files", content=content, go="on")
        assert (answer.status_code, "content-complaint" in answer.text) == (422, True), content
    assert names(world, cast) == []


def test_a_seller_brings_no_files(seller: Browser) -> None:
    assert post(seller, "/settings/files", content=CALENDAR).status_code == 403
