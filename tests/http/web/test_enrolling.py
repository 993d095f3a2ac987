"""Enrolling in the browser: one person from their page, and everybody of a list, rehearsed first."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from typing import Any

import pytest

from drumbeat.domain.person import Person
from drumbeat.domain.sequence import SequenceStatus, Split
from drumbeat.http.web import finding
from drumbeat.operations.bulk import AT_ONCE, MOST_AT_ONCE
from drumbeat.operations.sequences import change_settings, set_status, settings_of
from drumbeat.operations.transfer import carry_import
from drumbeat.store import enrollments, mailboxes
from drumbeat.store.statement import Statement
from drumbeat.testing.cast import Cast
from drumbeat.wiring import World
from tests.http.conftest import Browser
from tests.http.web.people import (
    HOSTILE,
    LEAD,
    ON_SQLITE,
    count,
    crowd,
    enrolled,
    fields_of,
    let_agents_see_their_own,
    said,
    see,
    send,
    somebody,
    words,
)


@pytest.fixture
def ada(world: World, cast: Cast) -> Person:
    """Ada Lovelace, a contact of our seller."""
    return somebody(world, cast.us, "Lovelace", "ada@x.example", first_name="Ada")


def who_runs(world: World, cast: Cast) -> list[tuple[str, int, int]]:
    """Who was enrolled in what: kind, id and sequence."""
    with world.database.read() as snapshot:
        found = enrollments.find_many(snapshot, cast.us.account.id, range(1, 100))
    return [(each.subject.resource_type, each.subject.resource_id, each.subject.sequence_id) for each in found]


class TestOne:
    @ON_SQLITE
    def test_somebody_is_enrolled_from_their_page(self, seller: Browser, world: World, cast: Cast, ada: Person) -> None:
        page = f"/people/contact/{ada.id}"
        offered = see(seller, page)
        assert {"Two letters", "A call and a letter"} == set(re.findall(r'<option value="\d+">(.*?)</option>', offered))
        answer = send(seller, f"{page}/enroll", sequence_id=cast.us.letters.id)
        assert (answer.headers["location"], said(answer).text) == ("/enrollments/1", "Enrolled.")
        assert not said(answer).wrong
        assert who_runs(world, cast) == [("contact", ada.id, cast.us.letters.id)]

    @ON_SQLITE
    def test_who_ran_it_to_its_end_may_run_it_again_at_once(
        self, owner: Browser, world: World, cast: Cast, ada: Person
    ) -> None:
        first, path = enrolled(world, cast.us, ada), f"/people/contact/{ada.id}/enroll"
        refused = said(send(owner, path, sequence_id=cast.us.letters.id))
        assert refused.wrong
        assert refused.text == f"The contact is enrolled in this sequence: enrollment {first}."
        ended = "UPDATE enrollments SET state = 'finished', finished_reason = 'all_steps_completed'"
        world.database.transact(lambda tx: tx.run(Statement(ended)))
        again = send(owner, path, sequence_id=cast.us.letters.id)
        assert again.headers["location"] == f"/enrollments/{first + 1}"

    @ON_SQLITE
    def test_what_stands_in_the_way_is_said_on_their_page(
        self, owner: Browser, world: World, cast: Cast, ada: Person
    ) -> None:
        nobody = somebody(world, cast.us, "Nobody", kind=LEAD)
        gone = somebody(world, cast.us, "Gone", "gone@x.example")
        theirs = somebody(world, cast.rival, "Theirs", "theirs@x.example")
        send(owner, f"/people/contact/{gone.id}/suppress")
        letters = cast.us.letters.id
        for person, sequence_id, told in (
            (nobody, letters, "The lead has no e-mail address, and the sequence sends e-mails."),
            (gone, letters, "The contact unsubscribed or is suppressed."),
            (ada, cast.rival.letters.id, "Name an active sequence of this account."),
            (ada, "", "Name an active sequence of this account."),
            (ada, "'", "Name an active sequence of this account."),
            (theirs, letters, f"There is no contact {theirs.id}."),
            (theirs, cast.rival.letters.id, f"active sequence of this account. There is no contact {theirs.id}."),
        ):
            answer = send(owner, f"/people/{person.kind}/{person.id}/enroll", sequence_id=sequence_id)
            assert answer.headers["location"] == f"/people/{person.kind}/{person.id}"
            assert said(answer).wrong
            assert told in said(answer).text
        assert who_runs(world, cast) == []

    @ON_SQLITE
    def test_their_page_shows_what_runs_and_what_is_to_be_done(
        self, seller: Browser, world: World, cast: Cast, ada: Person
    ) -> None:
        page = f"/people/contact/{ada.id}"
        assert "Not enrolled in anything yet." in see(seller, page)
        running = enrolled(world, cast.us, ada)
        about = {"kind": "contact", "person": ada.id, "back": page}
        made = send(seller, "/tasks", about, content=HOSTILE, due_at="2026-03-04T10:00")
        assert (made.headers["location"], said(made).text) == (page, "The task is made.")
        shown = see(seller, page)
        assert f'href="/enrollments/{running}"' in shown
        assert "Two letters Active step 1 of 2" in words(shown)
        assert "tomorrow 10:00" in words(shown), "on the account's clock in Berlin"
        assert count(world, "tasks", "due_at = 1772614800000000") == 1
        assert "<script>alert" not in shown
        assert HOSTILE in words(shown)


@pytest.fixture
def crew(world: World, cast: Cast, owner: Browser) -> list[Person]:
    """Ann, who may be enrolled; one enrolled already, one unsubscribed, one without an address, and one with Ann's."""
    made = [
        somebody(world, cast.us, name, email, organization_name="Crew", owner_id=owner_id)
        for name, email, owner_id in (
            ("Ann", "ann@x.example", None),
            ("Runs", "runs@x.example", None),
            ("Gone", "gone@x.example", None),
            (HOSTILE, None, None),
            ("Twin", "ANN@x.example", cast.us.owner.id),
        )
    ]
    enrolled(world, cast.us, made[1])
    send(owner, f"/people/contact/{made[2].id}/suppress")
    return made


EVERYBODY: dict[str, object] = {"everybody": "on"}  # of the list, where nobody was ticked


def rehearsed(browser: Browser, **fields: object) -> str:
    """The page that says what would happen."""
    answer = send(browser, "/enroll", ({} if "id" in fields else EVERYBODY) | fields)
    assert answer.status_code == 200, answer.text
    return str(answer.text)


def refused(answer: Any) -> str:
    """What stands in the way, on a page where one goes on."""
    assert answer.status_code == 422, answer.text
    (told,) = re.findall(r'role="alert"><span>(.*?)</span>', answer.text)
    return unescape(told)


def pause(world: World, cast: Cast, id: int) -> None:
    """A sequence takes nobody any more."""
    by = cast.us.owner.id
    world.database.transact(lambda tx: set_status(tx, cast.us.account.id, id, SequenceStatus.PAUSED, by))


class TestMany:
    def test_what_would_happen_is_shown_before_it_happens(
        self, owner: Browser, world: World, cast: Cast, crew: list[Person]
    ) -> None:
        before, letters = who_runs(world, cast), cast.us.letters.id
        form = {"kind": "contact", "q": "crew", "enroll": letters}
        page = rehearsed(owner, **form)
        told = words(page)
        assert "1 to be enrolled 1 enrolled already 1 cannot be enrolled 1 unsubscribed 1 with the same address" in told
        for name, reason in (
            ("Runs", "Runs this sequence, or ran it a short while ago."),
            ("Gone", "Unsubscribed or is suppressed."),
            (HOSTILE, "email: The contact has no address, and the sequence sends e-mails."),
            ("Twin", "Has the same address as somebody before."),
        ):
            assert f"{name} {reason}" in told
            assert f"1: {reason}" in told
        assert "<script>alert" not in page
        assert who_runs(world, cast) == before
        assert said(send(owner, "/enroll", form, go="on")).text == "Choose somebody first."
        done = send(owner, "/enroll", form | EVERYBODY, go="on")
        assert (done.headers["location"], said(done).text) == (f"/sequences/{letters}", "1 enrolled, 4 left out.")
        assert sorted(who_runs(world, cast)) == sorted([*before, ("contact", crew[0].id, letters)])
        assert said(send(owner, "/enroll", form | EVERYBODY, go="on")).text == "0 enrolled, 5 left out."
        assert "Nobody of them can be enrolled." in rehearsed(owner, **form)

    @ON_SQLITE
    def test_the_button_enrolls_just_whom_was_rehearsed(
        self, owner: Browser, world: World, cast: Cast, crew: list[Person]
    ) -> None:
        lead = somebody(world, cast.us, "Lovelace", "ada@x.example", kind=LEAD)
        call, ids = cast.us.with_task.id, [str(crew[0].id), str(crew[1].id)]
        for chosen, new in (
            ({"kind": ["contact"], "owner": [str(cast.us.owner.id)], "q": ["cr"]}, [crew[4]]),
            ({"kind": ["contact"], "q": ["twi"]}, []),
            ({"kind": ["contact"], "id": [*ids, "x", ids[0], "0"]}, [crew[1]]),  # not Ann: her address runs it
            ({"kind": ["lead"], "q": ["love"]}, [lead]),
        ):
            before = who_runs(world, cast)
            page = rehearsed(owner, enroll=call, **chosen)
            forms = fields_of(page, "/enroll")
            expected = chosen | ({"id": ids} if "id" in chosen else {})
            assert {name: sorted(set(forms[name])) for name in expected} == {n: sorted(v) for n, v in expected.items()}
            assert forms.get("go", []) == ["on"] * len(new)
            send(owner, "/enroll", EVERYBODY | chosen, enroll=call, go="on")
            enrolled_now = {(kind, id) for kind, id, _ in set(who_runs(world, cast)) - set(before)}
            assert enrolled_now == {(person.kind.value, person.id) for person in new}

    @ON_SQLITE
    def test_a_page_asks_in_what_sequence(self, owner: Browser, world: World, cast: Cast, ada: Person) -> None:
        account_id, by, (a, b) = cast.us.account.id, cast.us.owner.id, (cast.us.letters, cast.us.with_task)
        split = replace(settings_of(a), split=Split(b.id, 50))
        world.database.transact(lambda tx: change_settings(tx, account_id, a.id, split, by))
        page = see(owner, f"/enroll?kind=contact&q=ad&enroll={a.id}")
        expected = {"everybody": ["on"], "kind": ["contact"], "q": ["ad"], "enroll": [str(a.id)]}
        assert fields_of(page, "/enroll") == expected
        assert "Two letters (A/B test)" in page
        assert "What would happen" not in page
        told = words(rehearsed(owner, kind="contact", q="ad", enroll=a.id))
        assert re.search("Of those enrolled (1 would get variant A and 0|0 would get variant A and 1) variant B", told)
        assert count(world, "variants") == 0
        for each in (a, b):
            ids = (account_id, each.id)
            world.database.transact(lambda tx, ids=ids: set_status(tx, *ids, SequenceStatus.PAUSED, by))
        assert "No sequence is active." in see(owner, "/enroll")

    @ON_SQLITE
    def test_what_stands_in_the_way_of_all_is_said_where_the_choice_still_stands(
        self, owner: Browser, world: World, cast: Cast, ada: Person
    ) -> None:
        lead = somebody(world, cast.us, "Lead", "lead@x.example", kind=LEAD)
        for person, go in ((ada, ""), (ada, "on"), (lead, ""), (lead, "on")):
            for sequence_id in (cast.rival.letters.id, 99, "", "x"):
                for whom in (EVERYBODY, {"id": [person.id]}):
                    answer = send(owner, "/enroll", whom, kind=person.kind, q="l", enroll=sequence_id, go=go)
                    assert "sequence" in refused(answer)
                    again = fields_of(answer.text, "/enroll")
                    sent = {name: ["on"] if name == "everybody" else [str(person.id)] for name in whom}
                    assert again | sent | {"kind": [person.kind.value], "q": ["l"]} == again
                    assert "go" not in again
        assert who_runs(world, cast) == []
        assert send(owner, "/enroll", EVERYBODY | {"kind": "contact", "import": 99, "enroll": 1}).status_code == 404

    @ON_SQLITE
    def test_a_sequence_that_takes_nobody_now_stays_the_one_that_was_chosen(
        self, owner: Browser, world: World, cast: Cast, ada: Person
    ) -> None:
        letters = cast.us.letters.id
        pause(world, cast, letters)
        for go in ("", "on"):
            answer = send(owner, "/enroll", kind="contact", id=ada.id, enroll=letters, go=go)
            assert "Its status is paused; activate it first." in refused(answer)
            assert "1 person that you chose." in words(answer.text)
            assert fields_of(answer.text, "/enroll")["enroll"] == [str(letters)]
            assert "Two letters (takes nobody now)" in answer.text
        assert who_runs(world, cast) == []

    @ON_SQLITE
    def test_what_was_done_before_something_came_in_the_way_is_told_with_it(
        self, owner: Browser, world: World, cast: Cast, ada: Person
    ) -> None:
        letters, ids = cast.us.letters.id, (cast.us.account.id, cast.us.letters.id)
        crowd(world, ada, AT_ONCE)
        parts = 0
        transact = world.database.transact

        def paused_meanwhile(work: Any) -> Any:
            nonlocal parts
            parts += 1
            if parts == 2:
                transact(lambda tx: set_status(tx, *ids, SequenceStatus.PAUSED, cast.us.owner.id))
            return transact(work)

        world.database.transact = paused_meanwhile  # type: ignore[method-assign]
        answer = send(owner, "/enroll", EVERYBODY, kind="contact", q="lovelace", enroll=letters, go="on")
        told = refused(answer)
        assert told.startswith("1 enrolled, 499 left out. Then it stopped: The sequence is not active.")
        assert fields_of(answer.text, "/enroll")["q"] == ["lovelace"]
        assert who_runs(world, cast) == [("contact", ada.id, letters)]

    @ON_SQLITE
    def test_everything_runs_in_the_name_of_who_enrolls_and_they_are_told(
        self, owner: Browser, seller: Browser, world: World, cast: Cast, ada: Person
    ) -> None:
        letters, account_id = cast.us.letters, cast.us.account.id
        by_integrations = replace(settings_of(letters), default_actor_id=cast.us.owner.id)
        world.database.transact(
            lambda tx: change_settings(tx, account_id, letters.id, by_integrations, cast.us.owner.id)
        )
        lead = somebody(world, cast.us, "Lead", "lead@x.example", kind=LEAD)
        for person in (ada, lead):
            page = rehearsed(seller, kind=person.kind, id=person.id, enroll=letters.id)
            with world.database.read() as snapshot:
                sender = mailboxes.get(snapshot, account_id, cast.us.seller.mailbox_id or 0).sender_email
            assert f"letters leave as {sender}" in words(page)
            send(seller, "/enroll", kind=person.kind, id=person.id, enroll=letters.id, go="on")
        with world.database.read() as snapshot:
            found = enrollments.find_many(snapshot, account_id, [1, 2])
        assert [each.subject.actor_id for each in found] == [cast.us.seller.id] * 2
        world.database.transact(lambda tx: tx.run(Statement("UPDATE users SET mailbox_id = NULL")))
        other = somebody(world, cast.us, "Other", "other@x.example")
        told = words(rehearsed(seller, kind="contact", id=other.id, enroll=letters.id))
        assert "letters leave when you have a mailbox: you have none yet." in told

    @ON_SQLITE
    def test_a_list_longer_than_go_at_once_is_enrolled_in_turns(
        self, owner: Browser, world: World, cast: Cast, ada: Person
    ) -> None:
        call = cast.us.with_task.id
        crowd(world, ada, MOST_AT_ONCE - 1)
        zoe = somebody(world, cast.us, "Lovelace", "zoe@x.example")
        form = {"kind": "contact", "q": "lovelace", "enroll": call}
        told = words(rehearsed(owner, **form))
        assert "10,000 people, as many as go at once. The list goes on behind them; nobody there was looked at." in told
        first = send(owner, "/enroll", form | EVERYBODY, go="on")
        assert said(first).text == "1 enrolled, 9,999 left out. The list goes on: here are the next."
        page = see(owner, first.headers["location"])
        assert "Only those behind the ones before" in words(page)
        behind = fields_of(page, "/enroll")
        assert behind | {"q": ["lovelace"], "enroll": [str(call)], "everybody": ["on"]} == behind
        last = send(owner, "/enroll", behind, go="on")
        assert (last.headers["location"], said(last).text) == (f"/sequences/{call}", "1 enrolled.")
        assert who_runs(world, cast) == [("contact", ada.id, call), ("contact", zoe.id, call)]

    @ON_SQLITE
    def test_a_search_that_few_of_very_many_fit_is_given_up_and_goes_on(
        self, owner: Browser, world: World, cast: Cast, ada: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(finding, "_MOST_PAGES", 2)
        last = crowd(world, ada, 2000)[-1]
        zoe = somebody(world, cast.us, "Lovelace", "zoe@x.example", first_name="Zoe")
        assert zoe.id > last.id
        form: dict[str, Any] = {"kind": "contact", "q": "lovelace zoe", "enroll": cast.us.letters.id}
        page = rehearsed(owner, **form)
        assert "Few of the many looked at so far are of this list: 0." in words(page)
        (path,) = re.findall(r'href="([^"]+)">Go on with the next', page)
        behind = fields_of(see(owner, unescape(path)), "/enroll")
        assert "1 to be enrolled" in words(rehearsed(owner, **behind))

    @ON_SQLITE
    def test_an_agent_who_sees_their_own_enrolls_their_own(
        self, owner: Browser, seller: Browser, world: World, cast: Cast, ada: Person
    ) -> None:
        let_agents_see_their_own(world, cast.us)
        hers = somebody(world, cast.us, "Hers", "hers@x.example", first_name="Ada", owner_id=cast.us.owner.id)
        everybody = send(seller, "/enroll", EVERYBODY, q="ada", enroll=cast.us.letters.id, go="on")
        assert said(everybody).text == "1 enrolled."
        chosen = send(seller, "/enroll", enroll=cast.us.letters.id, id=hers.id, go="on")
        assert said(chosen).text == "0 enrolled, 1 left out."
        assert who_runs(world, cast) == [("contact", ada.id, cast.us.letters.id)]
        send(owner, f"/people/contact/{ada.id}/enroll", sequence_id=cast.us.with_task.id)
        assert '/enrollments/1"' in see(seller, f"/people/contact/{ada.id}")
        assert '/enrollments/2"' not in see(seller, f"/people/contact/{ada.id}"), "which is a colleague's"

    @ON_SQLITE
    def test_leads_of_an_import_are_no_contacts_of_the_same_numbers(
        self, owner: Browser, world: World, cast: Cast, ada: Person
    ) -> None:
        files = {"file": ("leads.csv", b"last name,email\nLena,lena@x.example\n", "text/csv")}
        headers = {"X-CSRF-Token": owner.csrf}
        owner("POST", "/people/import", files=files, data={"kind": "lead", "encoding": ""}, headers=headers)
        columns = {"column_0": "last_name", "column_1": "email"}
        send(owner, "/people/import/1", columns, existing="update", mapping="")
        world.database.transact(lambda tx: carry_import(tx, world.hash_key, cast.us.account.id, 1))
        form = EVERYBODY | {"kind": "contact", "import": 1, "enroll": cast.us.with_task.id}
        assert said(send(owner, "/enroll", form, go="on")).text == "0 enrolled."
        assert "ada@x.example" not in see(owner, "/people?kind=contact&import=1")
        assert said(send(owner, "/enroll", form | {"kind": "lead"}, go="on")).text == "1 enrolled."
        assert [kind for kind, _, _ in who_runs(world, cast)] == ["lead"]

    @ON_SQLITE
    def test_whom_one_does_not_see_is_not_named_where_they_are_left_out(
        self, seller: Browser, world: World, cast: Cast
    ) -> None:
        hers = somebody(world, cast.us, "Secretive", "secret@x.example", owner_id=cast.us.owner.id)
        let_agents_see_their_own(world, cast.us)
        page = rehearsed(seller, kind="contact", id=hers.id, enroll=cast.us.letters.id)
        assert "Secretive" not in page
        assert "secret@" not in page
