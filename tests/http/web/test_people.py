"""People in the browser: found while one types, listed, made, changed, suppressed and deleted."""

from __future__ import annotations

import re
from html import unescape

import pytest
from msgspec import structs

from drumbeat.domain.enrollment import FinishedReason
from drumbeat.domain.person import Person
from drumbeat.domain.unsubscribe import Suppression
from drumbeat.http.web.frame import Undo
from drumbeat.operations.tasks import add as add_task
from drumbeat.store import unsubscribes
from drumbeat.store.statement import Statement
from drumbeat.testing.cast import Cast
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter
from drumbeat.wiring import World
from tests.http.conftest import Browser
from tests.http.web.people import (
    CONTACT,
    HOSTILE,
    LEAD,
    ON_SQLITE,
    complaints,
    count,
    crowd,
    ending,
    enrolled,
    everybody,
    fields_of,
    is_suppressed,
    let_agents_see_their_own,
    listed,
    next_page,
    said,
    see,
    send,
    somebody,
    stored,
    words,
)
from tests.http.web.work import at_work

CUSTOM = {"plan": "pro", "seats": 7, "rate": 1.5, "vip": True, "teas": ["green", "black"], "desk": {"floor": "2"}}


@pytest.fixture
def ada(world: World, cast: Cast) -> Person:
    """Ada Lovelace, a contact of our seller."""
    return somebody(
        world, cast.us, "Lovelace", "ada@x.example", first_name="Ada", organization_name="Analytical Engines"
    )


class TestFinding:
    def test_people_are_found_by_the_beginnings_of_their_words(
        self, owner: Browser, world: World, cast: Cast, ada: Person
    ) -> None:
        somebody(world, cast.us, "Müller", "zoe@x.example.org", first_name="Zoë", organization_name="Straße & Söhne")
        somebody(world, cast.us, "Lovelace", "ada@x.example.org", first_name="Adam")
        both, first, zoe = ["Ada Lovelace", "Adam Lovelace"], ["Ada Lovelace"], ["Zoë Müller"]
        for text, found in {
            "ad": both,
            "LOVE": both,
            " love   ada ": both,
            "ada eng": first,
            "engines,analytical": first,
            "adam lovelace": ["Adam Lovelace"],
            "dam": [],
            "ada zoe": [],
            "zoe mull": zoe,
            "ZOË MÜL": zoe,
            "strasse": zoe,
            "ada@x": both,
            "ada@x.example": first,
            " ADA@X.Example ": first,
            "ada@x.exam": both,
        }.items():
            assert sorted(listed(see(owner, "/people", q=text))) == found, text

    @ON_SQLITE
    def test_a_list_is_of_one_kind_and_of_one_owner_if_one_is_named(
        self, owner: Browser, world: World, cast: Cast, ada: Person
    ) -> None:
        somebody(world, cast.us, "Lead", "ada@x.example", kind=LEAD, first_name="Ada")
        somebody(world, cast.us, "Owned", first_name="Ada", owner_id=cast.us.owner.id)
        theirs, mine = cast.us.owner.id, cast.us.seller.id
        for query, found in {
            "": ["Ada Owned", "Ada Lovelace"],
            "kind=contact": ["Ada Owned", "Ada Lovelace"],
            "kind=cat&owner=x": ["Ada Owned", "Ada Lovelace"],
            "kind=lead": ["Ada Lead"],
            "kind=lead&q=ada": ["Ada Lead"],
            "kind=lead&q=ada@x.example": ["Ada Lead"],
            f"owner={theirs}": ["Ada Owned"],
            f"owner={theirs}&q=ada": ["Ada Owned"],
            f"owner={mine}&q=ada@x.example": ["Ada Lovelace"],
            f"owner={theirs}&q=ada@x.example": [],
            f"kind=lead&owner={theirs}": [],
        }.items():
            assert listed(see(owner, f"/people?{query}")) == found, query

    @ON_SQLITE
    def test_the_form_keeps_what_was_searched_for_and_says_if_nobody_fits(
        self, owner: Browser, world: World, cast: Cast, ada: Person
    ) -> None:
        theirs = somebody(world, cast.rival, "Lantern", "lena@rival.example")
        for text in ("zed", ",;/", "%", "_", "ada\0x", "'", "nobody@x.example", "lantern", "lena@rival.example"):
            page = see(owner, "/people", q=text)
            assert "Nobody fits." in page, text
            assert listed(page) == [], text
            assert 'formaction="/enroll"' not in page
        page = see(owner, f"/people?kind=lead&q=zed+l&owner={theirs.owner_id}")
        assert fields_of(page, "/people") == {"kind": ["lead"], "q": ["zed l"], "owner": [""]}
        for after in ("x", "99999999999 a", "1 ÿ", "-1 @", " a"):
            see(owner, f"/people?q=a&after={after}")
            see(owner, f"/people?owner=x&after={after}")
        assert owner("GET", "/people?import=7").status_code == 404

    @ON_SQLITE
    def test_a_blank_list_says_how_people_come_in(self, owner: Browser, world: World, cast: Cast) -> None:
        for kind in (LEAD, CONTACT):
            somebody(world, cast.rival, "Lantern", kind=kind)
            page = see(owner, f"/people?kind={kind}")
            assert f"No {kind}s yet" in page
            assert f'href="/people/new?kind={kind}"' in page
            assert 'href="/people/import"' in page

    @ON_SQLITE
    def test_the_newest_come_first_and_the_next_page_leads_to_the_others(
        self, owner: Browser, world: World, ada: Person
    ) -> None:
        crowd(world, structs.replace(ada, first_name="Ann"), 50)
        first = see(owner, "/people")
        assert listed(first) == ["Ann Lovelace"] * 50
        second = see(owner, next_page(first) or "")
        assert listed(second) == ["Ada Lovelace"]
        assert next_page(second) is None
        assert "First page" in second

    @ON_SQLITE
    def test_the_next_page_of_those_who_were_found_keeps_the_words(
        self, owner: Browser, world: World, ada: Person
    ) -> None:
        crowd(world, structs.replace(ada, first_name="Zack", organization_name=None), 3)
        crowd(world, structs.replace(ada, id=4, first_name="Ann"), 50)
        first = see(owner, "/people?q=lovelace+a")
        second = see(owner, next_page(first) or "")
        assert sorted(listed(first) + listed(second)) == ["Ada Lovelace"] + ["Ann Lovelace"] * 50
        assert next_page(second) is None
        assert fields_of(second, "/people")["q"] == ["lovelace a"]

    @ON_SQLITE
    def test_who_was_chosen_stays_so_on_other_pages_and_in_other_searches(
        self, owner: Browser, world: World, cast: Cast, ada: Person
    ) -> None:
        newest = crowd(world, structs.replace(ada, first_name="Ann"), 50)[-1]
        first = see(owner, "/people", id=newest.id)
        assert f'value="{newest.id}" aria-label="Choose Ann Lovelace" checked' in first
        assert "1 chosen" in words(first)
        second = see(owner, next_page(first, id=[newest.id]) or "")
        assert listed(second) == ["Ada Lovelace"]
        assert fields_of(second, "/people")["id"] == [str(newest.id)]
        both = see(owner, "/people", q="ada", id=[str(newest.id), str(ada.id), "x", "0", str(ada.id)])
        assert fields_of(both, "/people")["id"] == [str(newest.id), str(ada.id)]
        assert "2 chosen" in words(both)
        nobody = see(owner, "/people", q="zed", id=ada.id)
        assert 'formaction="/enroll"' in nobody
        assert fields_of(nobody, "/people")["id"] == [str(ada.id)]
        many = see(owner, "/people", id=list(range(1, 600)))
        assert len(fields_of(many, "/people")["id"]) == 500
        assert "At most 500 are chosen one by one" in many

    @ON_SQLITE
    def test_the_sequence_they_are_for_stays_chosen(
        self, owner: Browser, world: World, cast: Cast, ada: Person
    ) -> None:
        crowd(world, ada, 50)
        for sequence in (cast.us.letters, cast.us.with_task):
            chosen = [str(sequence.id)]
            page = see(owner, f"/people?enroll={sequence.id}")
            assert fields_of(page, "/people")["enroll"] == chosen
            assert f"enroll={sequence.id}" in (next_page(page) or "")
            assert fields_of(see(owner, next_page(page) or ""), "/people")["enroll"] == chosen
            nobody = see(owner, f"/people?q=zed&enroll={sequence.id}")
            assert fields_of(nobody, "/people")["enroll"] == chosen
            rehearsal = see(owner, f"/enroll?q=love&enroll={sequence.id}&everybody=on&id={ada.id}")
            assert fields_of(rehearsal, "/enroll")["enroll"] == chosen
            assert fields_of(rehearsal, "/enroll")["everybody"] == ["on"]
            back = f'href="/people?kind=contact&amp;q=love&amp;enroll={sequence.id}"'
            assert back in rehearsal

    @ON_SQLITE
    def test_where_nothing_takes_people_nobody_is_ticked_and_the_page_says_why(
        self, owner: Browser, world: World, cast: Cast, ada: Person
    ) -> None:
        world.database.transact(lambda tx: tx.run(Statement("UPDATE sequences SET status = 'paused'")))
        page = see(owner, "/people")
        assert "People are enrolled from here when a sequence is active: activate one ." in words(page)
        assert 'type="checkbox"' not in page
        assert 'formaction="/enroll"' not in page

    @ON_SQLITE
    def test_the_other_kind_is_looked_through_by_the_same_words(
        self, owner: Browser, world: World, cast: Cast, ada: Person
    ) -> None:
        for name in ("Lena", "Leo"):
            somebody(world, cast.us, "Lead", kind=LEAD, first_name=name)
        page = see(owner, f"/people?q=le&owner={ada.owner_id}&enroll=1")
        assert "2 leads fit" in words(page)
        links = [unescape(link) for link in re.findall(r'href="(/people\?[^"]*kind=lead[^"]*)"', page)]
        assert links == [f"/people?kind=lead&q=le&owner={ada.owner_id}&enroll=1"] * 2
        assert listed(see(owner, links[0])) == ["Lena Lead", "Leo Lead"]
        assert "1 contact fits" in words(see(owner, "/people?kind=lead&q=lovel"))
        assert "fit" not in words(see(owner, "/people?q=love"))
        assert "leads fit" not in words(see(owner, "/people?q=zed"))

    @ON_SQLITE
    def test_what_is_announced_is_short_and_stands_apart_from_what_is_swapped(
        self, owner: Browser, world: World, ada: Person
    ) -> None:
        page = see(owner, "/people?q=ada")
        assert re.findall(r'<p class="sr-only" id="told" role="status">(.*?)</p>', page) == ["1 found"]
        assert "aria-live" not in page
        assert 'hx-replace-url="true"' in page
        assert "hx-push-url" not in page
        crowd(world, ada, 50)
        assert "50 found on this page" in see(owner, "/people")

    @ON_SQLITE
    def test_a_search_that_gives_up_says_so_and_goes_on_from_there(
        self, owner: Browser, world: World, cast: Cast, ada: Person
    ) -> None:
        crowd(world, ada, 1000)
        somebody(world, cast.us, "Lovelace", first_name="Zoe", email="zoe@x.example")
        page = see(owner, "/people?q=lovelace+zoe")
        assert "Nobody of those looked at fits." in page
        assert listed(see(owner, next_page(page) or "")) == ["Zoe Lovelace"]

    @ON_SQLITE
    def test_whom_no_letter_reaches_or_who_asked_out_is_marked(
        self, owner: Browser, world: World, cast: Cast, ada: Person
    ) -> None:
        gone = somebody(world, cast.us, "Gone", "gone@x.example")
        address = gone.address_hash or ""
        world.database.transact(lambda tx: unsubscribes.mark_undeliverable(tx, gone.account_id, address, "No user."))
        send(owner, f"/people/contact/{ada.id}/suppress")
        for name, cause in (("asked", Suppression.UNSUBSCRIBED), ("cross", Suppression.COMPLAINED)):
            hashed = somebody(world, cast.us, name, f"{name}@x.example").address_hash or ""
            ids = (gone.account_id, hashed, cause)
            world.database.transact(lambda tx, ids=ids: unsubscribes.suppress(tx, *ids, evidence="theirs"))
        told = words(see(owner, "/people"))
        assert "ada@x.example Suppressed" in told
        assert "gone@x.example Undeliverable" in told
        assert "asked@x.example Unsubscribed" in told
        assert "cross@x.example Complained" in told


FILLED = {
    "kind": "contact",
    "first_name": " Ada ",
    "last_name": "Lovelace",
    "organization_name": "Analytical Engines",
    "title": "Countess",
    "email": "Ada@X.example",
    "phone": "020 7946",
    "mobile": "+44 1",
    "time_zone": "Europe/London",
    "status": "",
    "tags": "a, b,, a ",
    "website": "https://x.example",
    "description": "One\r\ntwo",
    "address_line1": "1 St James's Square",
    "address_city": "London",
    "address_state": " ",
    "custom_name": ["plan", "", "blank"],
    "custom_value": ["pro", "nameless", ""],
}


class TestMaking:
    @ON_SQLITE
    def test_who_is_made_is_as_the_form_says(self, owner: Browser, world: World, cast: Cast) -> None:
        answer = send(owner, "/people/new", FILLED | {"owner_id": cast.us.seller.id})
        assert answer.headers["location"] == "/people/contact/1"
        assert said(answer).text == "Ada Lovelace is here."
        (made,) = everybody(world, cast.us)
        assert (made.first_name, made.last_name, made.organization_name, made.title, made.email) == (
            *("Ada", "Lovelace", "Analytical Engines", "Countess", "Ada@x.example"),
        )
        assert (made.phone, made.mobile, made.time_zone, made.status) == ("020 7946", "+44 1", "Europe/London", None)
        assert made.details == {
            "website": "https://x.example",
            "description": "One\ntwo",
            "tags": ["a", "b"],
            "address": {"line1": "1 St James's Square", "city": "London"},
        }
        assert made.custom == {"plan": "pro"}
        assert (made.owner_id, made.creator_id) == (cast.us.seller.id, cast.us.owner.id)
        shown = words(see(owner, "/people/contact/1"))
        for text in ("Countess, Analytical Engines", "1 St James's Square, London", "plan pro", "a, b", "Sam Seller"):
            assert text in shown

    @ON_SQLITE
    def test_a_lead_is_new_and_one_s_own(self, seller: Browser, world: World, cast: Cast) -> None:
        assert fields_of(see(seller, "/people/new?kind=lead"), "/people/new")["kind"] == ["lead"]
        assert said(send(seller, "/people/new", kind="lead", email="lena@x.example")).text == "lena@x.example is here."
        (made,) = everybody(world, cast.us, LEAD)
        assert (made.status, made.owner_id) == ("New", cast.us.seller.id)

    @ON_SQLITE
    def test_what_is_wrong_stands_beside_its_field_and_what_was_sent_is_kept(
        self, owner: Browser, world: World, cast: Cast
    ) -> None:
        blank = dict.fromkeys(("first_name", "last_name", "organization_name", "email"), "")
        for changes, field, told in (
            ({"email": "nobody"}, "email", "@"),
            ({"time_zone": "Mars/Base"}, "time_zone", "There is no time zone"),
            (blank, "last_name", "A person needs a name or an e-mail address."),
            ({"owner_id": cast.rival.owner.id}, "owner_id", "active user of this account"),
            ({"owner_id": "me"}, "owner_id", "Write a whole number"),
            ({"kind": "cat"}, "kind", "Choose one of those offered."),
        ):
            sent = FILLED | {"custom_value": ["pro", HOSTILE, ""]} | changes
            answer = send(owner, "/people/new", sent)
            assert told in complaints(answer).pop(field), field
            assert list(complaints(answer)) == [field]
            assert 'role="alert"' in answer.text
            again = fields_of(answer.text, "/people/new")
            kept = {name: [value] for name, value in sent.items() if isinstance(value, str)}
            kept |= {"custom_name": FILLED["custom_name"], "custom_value": sent["custom_value"]}
            for name in kept.keys() - {"kind", "owner_id", "description"}:
                assert again[name] == kept[name], name
        above = send(owner, "/people/new", last_name="Ada")  # no field of it is called kind
        assert (complaints(above), "Choose one of those offered." in above.text) == ({}, True)
        assert everybody(world, cast.us) == everybody(world, cast.us, LEAD) == []


class TestChanging:
    @pytest.fixture
    def known(self, world: World, cast: Cast) -> Person:
        """Somebody with every kind of custom field."""
        details = {"tags": ["a"], "address": {"city": "London"}, "website": "https://x.example", "skype": "ada"}
        return somebody(world, cast.us, "Known", "known@x.example", custom=CUSTOM, details=details)

    def path(self, person: Person) -> str:
        return f"/people/{person.kind}/{person.id}/edit"

    @ON_SQLITE
    def test_a_form_sent_back_as_it_came_changes_nothing(self, owner: Browser, world: World, known: Person) -> None:
        fields = fields_of(see(owner, self.path(known)), self.path(known))
        assert fields["custom_name"] == ["plan", "seats", "rate", "vip", "", "", ""]
        assert fields["custom_value"] == ["pro", "7", "1.5", "True", "", "", ""]
        answer = send(owner, self.path(known), fields)
        assert (answer.headers["location"], said(answer).text) == ("/people/contact/1", "The changes are kept.")
        now = stored(world, known)
        assert now is not None
        assert now == known
        assert {name: type(value) for name, value in now.custom.items()} == {n: type(v) for n, v in CUSTOM.items()}

    @ON_SQLITE
    def test_custom_fields_are_kept_changed_added_and_taken_away(
        self, owner: Browser, world: World, known: Person
    ) -> None:
        fields = fields_of(see(owner, self.path(known)), self.path(known))
        fields |= {"custom_name": ["plan", "seats", "vip", "new"], "custom_value": ["", "8", "True", " x "]}
        send(owner, self.path(known), fields)
        now = stored(world, known)
        assert now is not None
        assert now.custom == {
            "teas": ["green", "black"], "desk": {"floor": "2"}, "seats": "8", "vip": True, "new": "x",
        }  # fmt: skip
        assert now.custom["vip"] is True

    @ON_SQLITE
    def test_an_old_tab_takes_back_nothing_that_others_changed_since(
        self, owner: Browser, seller: Browser, world: World, known: Person
    ) -> None:
        old = fields_of(see(owner, self.path(known)), self.path(known))
        now = fields_of(see(seller, self.path(known)), self.path(known))
        now |= {"email": ["new@x.example"], "address_city": ["Paris"], "website": [""], "tags": ["a, b"]}
        now |= {
            "custom_name": ["plan", "seats", "rate", "vip", "score"],
            "custom_value": ["free", "7", "1.5", "True", "3"],
        }
        send(seller, self.path(known), now)
        send(
            owner, self.path(known), old | {"title": ["Countess"], "custom_value": ["pro", "8", "", "True", "", "", ""]}
        )
        kept = stored(world, known)
        assert kept is not None
        assert (kept.email, kept.title, kept.owner_id) == ("new@x.example", "Countess", known.owner_id)
        assert kept.details == {"tags": ["a", "b"], "address": {"city": "Paris"}, "skype": "ada"}
        lists = {"teas": ["green", "black"], "desk": {"floor": "2"}}
        assert kept.custom == lists | {"plan": "free", "seats": "8", "vip": True, "score": "3"}

    @ON_SQLITE
    def test_a_field_of_their_own_that_cannot_be_is_told_where_it_stands(self, owner: Browser, known: Person) -> None:
        fields = {"last_name": "Known", "custom_name": ["x" * 101], "custom_value": ["y"]}
        answer = send(owner, self.path(known), fields)
        assert "A name has 1 to 100 characters" in complaints(answer)["custom_value"]
        assert 'aria-describedby="custom_value-complaint"' in answer.text
        assert 'list="zones"' in answer.text
        assert '<option value="Europe/Berlin">' in answer.text

    @ON_SQLITE
    def test_what_is_blank_now_goes_and_what_no_field_shows_stays(
        self, owner: Browser, world: World, known: Person
    ) -> None:
        blank = {"last_name": "Known", "tags": "", "address_city": "", "website": " ", "email": ""}
        send(owner, self.path(known), blank)
        now = stored(world, known)
        assert now is not None
        assert (now.email, now.address_hash, now.details) == (None, None, {"skype": "ada"})
        assert now.owner_id == known.owner_id

    @ON_SQLITE
    def test_what_is_wrong_changes_nothing_and_is_told(self, owner: Browser, world: World, known: Person) -> None:
        fields = {"last_name": "Changed", "email": "nobody", "custom_name": ["plan"], "custom_value": [HOSTILE]}
        answer = send(owner, self.path(known), fields)
        assert list(complaints(answer)) == ["email"]
        again = fields_of(answer.text, self.path(known))
        assert (again["last_name"], again["custom_value"]) == (["Changed"], [HOSTILE])
        assert stored(world, known) == known

    @ON_SQLITE
    def test_whoever_is_not_there_is_neither_changed_nor_deleted(
        self, owner: Browser, world: World, cast: Cast
    ) -> None:
        theirs = somebody(world, cast.rival, "Theirs")
        for path in ("contact/99", "cat/1", "contact/x", f"contact/{theirs.id}", "lead/1"):
            assert send(owner, f"/people/{path}/edit", last_name="Mine").status_code == 404
            assert owner("GET", f"/people/{path}").status_code == 404
        refused = said(send(owner, f"/people/contact/{theirs.id}/delete"))
        assert (refused.text, refused.wrong) == (f"There is no contact {theirs.id}.", True)
        assert stored(world, theirs) == theirs


class TestConsent:
    def test_an_address_is_suppressed_and_what_runs_for_it_ends(
        self, seller: Browser, world: World, cast: Cast, ada: Person
    ) -> None:
        running = enrolled(world, cast.us, ada)
        page = f"/people/contact/{ada.id}"
        asked = see(seller, page)
        assert "Never write to this address… What runs for it ends for good" in words(asked)
        assert re.search(r"<button [^>]*>Never write to ada@x.example</button>", asked), "after the question alone"
        answer = send(seller, f"{page}/suppress")
        assert answer.headers["location"] == page
        assert is_suppressed(world, ada)
        assert ending(world, cast.us, running) is FinishedReason.SUBSCRIPTION_CANCELLED
        shown = see(seller, page)
        assert "Nothing is sent to ada@x.example : it was suppressed today 11:00 , by hand." in words(shown)
        assert f"{page}/enroll" not in shown
        assert f"{page}/suppress" not in shown

    @ON_SQLITE
    def test_an_admin_alone_takes_it_back(self, owner: Browser, seller: Browser, world: World, ada: Person) -> None:
        page = f"/people/contact/{ada.id}"
        done = said(send(owner, f"{page}/suppress"))
        assert done.undo == Undo(f"{page}/lift", "Allow letters again")
        assert f"{page}/lift" in see(owner, page)
        assert f"{page}/lift" not in see(seller, page)
        refused = said(send(seller, f"{page}/lift"))
        assert (refused.text, refused.wrong, refused.undo) == ("Ask an admin of the account.", True, None)
        assert is_suppressed(world, ada)
        lifted = said(send(owner, done.undo.action, done.undo.fields))
        assert (lifted.text, lifted.wrong) == ("The address may be written to again.", False)
        assert not is_suppressed(world, ada)
        assert "Nothing is sent" not in see(owner, page)


@ON_SQLITE
def test_their_letters_are_called_by_their_subjects_and_lead_to_themselves(
    seller: Browser, world: World, cast: Cast, clock: FrozenClock
) -> None:
    with at_work(world, cast, clock) as works:
        lead = works.lead()
        run = works.enroll(works.sequence("Lamps", letter(subject=HOSTILE)), lead)
        works.later(hours=1)
        page = see(seller, f"/people/lead/{lead.id}")
    assert f"{HOSTILE} step 1 of enrollment {run.id}" in words(page)
    assert f'href="/enrollments/{run.id}/letters/0/0"' in page
    assert HOSTILE in words(see(seller, f"/enrollments/{run.id}/letters/0/0"))
    assert "<script>alert" not in page


class TestDeleting:
    def test_somebody_goes_with_their_tasks_and_what_runs_ends(
        self, seller: Browser, world: World, cast: Cast, ada: Person
    ) -> None:
        running = enrolled(world, cast.us, ada)
        fields = {"content": "Call", "resource_type": "contact", "resource_id": ada.id}
        ids = (cast.us.account.id, cast.us.seller.id)
        world.database.transact(lambda tx: add_task(tx, *ids, fields, completed=None))
        answer = send(seller, f"/people/contact/{ada.id}/delete")
        assert answer.headers["location"] == "/people?kind=contact"
        assert said(answer).text == "The person is deleted, and what ran for them has ended."
        assert stored(world, ada) is None
        assert count(world, "tasks") == count(world, "person_words") == 0
        assert ending(world, cast.us, running) is FinishedReason.RESOURCE_DELETED
        assert listed(see(seller, "/people?q=ada")) == []


class TestOwnRecords:
    """Where agents see their own records alone, a colleague's are as if they were not there."""

    @pytest.fixture(autouse=True)
    def _own(self, world: World, cast: Cast) -> None:
        let_agents_see_their_own(world, cast.us)

    @pytest.fixture
    def hers(self, world: World, cast: Cast) -> Person:
        """Somebody of our owner's."""
        return somebody(world, cast.us, "Hers", "ada@hers.example", first_name="Ada", owner_id=cast.us.owner.id)

    @ON_SQLITE
    def test_a_colleague_s_people_are_not_found(
        self, owner: Browser, seller: Browser, ada: Person, hers: Person
    ) -> None:
        for query in ("", "q=ada", "q=ada@", f"owner={ada.owner_id}"):
            assert listed(see(seller, f"/people?{query}")) == ["Ada Lovelace"], query
        for query in ("q=hers", "q=ada@hers.example", f"owner={hers.owner_id}", f"owner={hers.owner_id}&q=ada"):
            assert listed(see(seller, f"/people?{query}")) == [], query
        assert sorted(listed(see(owner, "/people?q=ada"))) == ["Ada Hers", "Ada Lovelace"]

    @ON_SQLITE
    def test_a_colleague_s_pages_are_not_there_and_change_nothing(
        self, owner: Browser, seller: Browser, world: World, ada: Person, hers: Person
    ) -> None:
        page = f"/people/contact/{hers.id}"
        for part in ("", "/edit"):
            assert seller("GET", f"{page}{part}").status_code == 404
            assert owner("GET", f"{page}{part}").status_code == 200
        for part in ("/edit", "/suppress", "/lift"):
            assert send(seller, f"{page}{part}", last_name="Mine").status_code == 404
        assert said(send(seller, f"{page}/delete")).wrong
        assert said(send(seller, f"{page}/enroll", sequence_id=1)).wrong
        assert "/suppress" not in see(seller, f"/people/contact/{ada.id}")
        for part in ("/suppress", "/lift"):
            assert send(seller, f"/people/contact/{ada.id}{part}").status_code == 403
        assert stored(world, hers) == hers
        assert count(world, "suppressions") == count(world, "enrollments") == 0
