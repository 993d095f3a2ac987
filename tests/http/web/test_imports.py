"""Files of people in the browser: looked at column by column, taken in by a worker, what was left out, and who came."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from typing import Any

import pytest

from drumbeat.operations.transfer import carry_import
from drumbeat.store import imports
from drumbeat.store.imports import Import, ImportStatus
from drumbeat.testing.cast import Cast
from drumbeat.wiring import World
from tests.http.conftest import Browser
from tests.http.web.people import (
    CONTACT,
    HOSTILE,
    HTML,
    LEAD,
    ON_SQLITE,
    complaints,
    count,
    everybody,
    fields_of,
    let_agents_see_their_own,
    listed,
    next_page,
    said,
    see,
    send,
    somebody,
    words,
)

TABLE = """First name,Surname,E-mail,Plan,Shoe size,Id
Ada,Lovelace,ada@x.example,pro,38,7
Grace,Hopper,grace@x.example,,39,8
Nobody,No,nobody,,,9
Ada,Byron,ADA@x.example,free,,10
"""
MAPPING = {
    "column_0": "first_name",
    "column_1": "last_name",
    "column_2": "email",
    "column_3": "own",
    "name_3": "Plan",
    "column_4": "",
    "column_5": "",
    "existing": "update",
    "mapping": "",
}


def load(browser: Browser, content: bytes | str = TABLE, name: str = "fair.csv", **fields: str) -> Any:
    """The answer to a file that was chosen, as a browser sends it."""
    texts = {"csrf": browser.csrf, "kind": "contact", "encoding": ""} | fields
    parts = [f'Content-Disposition: form-data; name="{name}"\r\n\r\n{text}' for name, text in texts.items()]
    quoted = name.replace('"', "%22")
    parts.insert(
        1, f'Content-Disposition: form-data; name="file"; filename="{quoted}"\r\nContent-Type: text/csv\r\n\r\n'
    )
    pieces = [part.encode() for part in parts]
    pieces[1] += content.encode() if isinstance(content, str) else content
    body = b"".join(b"--here\r\n" + piece + b"\r\n" for piece in pieces) + b"--here--\r\n"
    headers = HTML | {"Content-Type": "multipart/form-data; boundary=here", "X-CSRF-Token": ""}
    return browser("POST", "/people/import", content=body, headers=headers, follow_redirects=False)


def loaded(browser: Browser, *given: Any, **more: Any) -> str:
    """The page of a file that was read."""
    answer = load(browser, *given, **more)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def work(world: World, cast: Cast, id: int = 1) -> Import:
    """What a worker does with an import until there is no more to do."""
    ids = (cast.us.account.id, id)
    job = job_of(world, cast, id)
    while job.status is ImportStatus.RUNNING:
        job = world.database.transact(lambda tx: carry_import(tx, world.hash_key, *ids))
    return job


def job_of(world: World, cast: Cast, id: int = 1) -> Import:
    with world.database.read() as snapshot:
        return imports.get(snapshot, cast.us.account.id, id)


def brought(world: World, cast: Cast, id: int = 1) -> list[int]:
    """Whom a file named."""
    with world.database.read() as snapshot:
        return imports.people_of(snapshot, cast.us.account.id, id, 0, 100)


def taken_in(browser: Browser, world: World, cast: Cast, content: str, **changes: str) -> Import:
    """What became of a file of addresses and last names."""
    page = loaded(browser, content)
    form = {"column_0": "email", "column_1": "last_name", "existing": "update", "mapping": ""} | changes
    assert send(browser, page, form).status_code == 303
    return work(world, cast, int(page.rsplit("/", 1)[1]))


class TestChoosing:
    @ON_SQLITE
    def test_what_is_no_file_of_people_is_told_beside_its_field(self, owner: Browser, world: World, cast: Cast) -> None:
        for content, fields, field, told in (
            (b"", {}, "file", "Choose a CSV or Excel file with people in it."),
            (b"email\n", {}, "file", "It holds no rows beside its headers."),
            (b"\n\n", {}, "file", "Its first row names the columns"),
            (b"PK\x03\x04" + b"x" * 99, {}, "file", "It is neither a CSV nor an Excel file"),
            (TABLE, {"encoding": "klingon"}, "encoding", "There is no encoding 'klingon'."),
            ("email\nÄ".encode("cp1252"), {"encoding": "utf-8"}, "encoding", "It is not text in utf-8"),
            (TABLE, {"kind": "cat"}, "kind", "Choose one of those offered."),
        ):
            answer = load(owner, content, **fields)
            assert told in complaints(answer)[field], told
            assert fields_of(answer.text, "/people/import")["encoding"] == [fields.get("encoding", "")]
        assert '<details class="more" open>' in load(owner, TABLE, encoding="klingon").text
        assert '<details class="more">' in load(owner, TABLE, kind="cat").text, "only what is complained about opens"
        unread = load(owner, TABLE, name="")
        assert unread.status_code == 422
        assert "Choose a CSV or Excel file with people in it." in unread.text
        jobs = [job_of(world, cast, id) for id in range(1, count(world, "imports") + 1)]
        assert {job.status for job in jobs} <= {ImportStatus.CANCELLED}
        assert count(world, "import_parts") == count(world, "people") == 0

    @ON_SQLITE
    def test_no_file_is_taken_without_the_page_s_token_or_from_whoever_is_not_signed_in(
        self, owner: Browser, world: World
    ) -> None:
        assert load(owner, csrf="wrong").status_code == 403
        signed_out = load(Browser(owner.client, "", ""))
        assert (signed_out.status_code, "choose them again" in signed_out.text) == (401, True)
        assert count(world, "imports") == 0

    @ON_SQLITE
    def test_a_file_may_have_any_name(self, owner: Browser) -> None:
        name = f'a "b" {HOSTILE}.csv'
        page = see(owner, loaded(owner, name=name))
        assert unescape(re.findall("<h1.*?>(.*?)</h1>", page)[0]) == name
        before = see(owner, "/people/import")
        assert name in words(before)
        assert "<script>alert" not in page + before


class TestColumns:
    @ON_SQLITE
    def test_what_the_columns_hold_is_proposed_with_the_first_rows(
        self, owner: Browser, world: World, cast: Cast
    ) -> None:
        page = see(owner, loaded(owner))
        assert "4 rows. Say what each column holds" in words(page)
        assert fields_of(page, "/people/import/1") == {
            "column_0": ["first_name"],
            "column_1": ["last_name"],
            "column_2": ["email"],
            "column_3": ["own"],
            "column_4": ["own"],
            "column_5": [""],
            "name_0": ["first_name"],
            "name_1": ["last_name"],
            "name_2": ["email"],
            "name_3": ["Plan"],
            "name_4": ["Shoe size"],
            "name_5": ["Id"],
            "mapping": [""],
            "existing": ["update"],
        }
        assert "Ada · Grace · Nobody · Ada" in page
        assert count(world, "people") == 0, "nobody is taken in before somebody says so"

    @ON_SQLITE
    def test_columns_that_cannot_be_so_are_told_and_stay_as_they_were_chosen(
        self, owner: Browser, world: World, cast: Cast
    ) -> None:
        page = loaded(owner, f"email,{HOSTILE.replace(',', '')},c\na@x.example,2,3\n")
        for chosen, told in (
            (("email", "email", ""), "Two columns hold 'email'"),
            (("", "", "title"), "Say which column holds the e-mail address, or a name."),
            (("email", "colour", ""), "There is no field 'colour'"),
            (("email", "own", "own"), "Two columns hold 'custom.same'"),
        ):
            columns = {f"column_{number}": value for number, value in enumerate(chosen)}
            answer = send(owner, page, columns, name_1="same", name_2="same", existing="skip", mapping="")
            assert told in complaints(answer)["mapping"]
            again = fields_of(answer.text, page)
            assert again["existing"] == ["skip"]
            assert [again[name] for name in columns] == [[value if value != "colour" else ""] for value in chosen]
            assert "<script>alert" not in answer.text
        wrong = send(owner, page, column_0="email", column_1="", column_2="", existing="replace", mapping="")
        assert complaints(wrong) == {"existing": "Choose one of those offered."}
        assert job_of(world, cast).status is ImportStatus.READY


class TestRunning:
    @ON_SQLITE
    def test_a_worker_takes_the_rows_in_and_those_left_out_are_shown(
        self, owner: Browser, world: World, cast: Cast
    ) -> None:
        page = loaded(owner)
        assert send(owner, page, MAPPING).headers["location"] == page
        waiting = see(owner, page)
        assert "Being taken in 0 of 4 rows: 0 new, 0 changed, 0 as they were, 0 left out." in words(waiting)
        assert 'hx-trigger="every 1s"' in waiting
        work(world, cast)
        done = see(owner, page)
        assert "Taken in 4 of 4 rows: 2 new, 1 changed, 0 as they were, 1 left out." in words(done)
        assert "hx-trigger" not in done
        assert re.search(r"4 email: [^·]* Nobody · No · nobody · · · 9", words(done))
        assert 'href="/api/imports/1/rejected"' in done
        ada, grace = everybody(world, cast.us)
        assert (ada.last_name, ada.email, ada.custom, ada.owner_id) == (
            *("Byron", "ADA@x.example", {"Plan": "free"}, cast.us.owner.id),
        )
        assert (grace.name, grace.custom) == ("Grace Hopper", {})
        assert listed(see(owner, "/people?q=byron")) == ["Ada Byron"]
        assert brought(world, cast) == [ada.id, grace.id]

    @ON_SQLITE
    def test_what_changes_while_it_runs_is_one_part_and_the_page_comes_anew_when_it_has_ended(
        self, owner: Browser, world: World, cast: Cast
    ) -> None:
        page = loaded(owner, "email\n" + "\n".join(f"p{n}@x.example" for n in range(200)) + "\nno address\n")
        send(owner, page, column_0="email", existing="update", mapping="")
        asked = HTML | {"HX-Request": "true"}
        ids = (cast.us.account.id, 1)
        before = owner("GET", f"{page}?told=0", headers=asked)
        assert "hx-refresh" not in before.headers
        assert 'id="told"' not in before.text, "what was said is not said again"
        assert before.text.index('id="progress"') < before.text.index("Cancel the rest…")
        world.database.transact(lambda tx: carry_import(tx, world.hash_key, *ids))
        halfway = owner("GET", f"{page}?told=0", headers=asked)
        assert '<p class="sr-only" id="told" role="status">Being taken in: 90 %</p>' in halfway.text
        assert "aria-live" not in halfway.text
        work(world, cast)
        assert owner("GET", f"{page}?told=9", headers=asked).headers["hx-refresh"] == "true"
        done = see(owner, page)
        assert "hx-refresh" not in owner("GET", page, headers=HTML).headers
        part = done[done.index('id="progress"') :]
        assert "Rows that were left out" in part
        assert "Cancel" not in part

    @ON_SQLITE
    def test_a_page_opened_while_a_file_is_read_leads_on_to_its_columns(
        self, owner: Browser, world: World, cast: Cast
    ) -> None:
        who = (cast.us.account.id, cast.us.owner.id, None, CONTACT)
        job = world.database.transact(lambda tx: imports.add(tx, *who, "slow.csv", ["email"], ["email"]))
        page, asked = f"/people/import/{job.id}", HTML | {"HX-Request": "true"}
        assert "Being read" in words(see(owner, page))
        assert "Being read" in words(see(owner, "/people/import"))
        assert f'hx-get="{page}?told=0"' in see(owner, page)
        ready = replace(job, status=ImportStatus.READY)
        world.database.transact(lambda tx: imports.save(tx, ready))
        assert owner("GET", f"{page}?told=0", headers=asked).headers["hx-refresh"] == "true"
        assert "Waits for you to look at its columns" in words(see(owner, "/people/import"))

    @ON_SQLITE
    def test_somebody_of_a_file_is_found_however_far_behind_they_stand(
        self, owner: Browser, world: World, cast: Cast
    ) -> None:
        many = "".join(f"e{number}@x.example,Row\n" for number in range(1050))
        taken_in(owner, world, cast, f"email,last name\n{many}zoe@x.example,Zedder\n")
        first = see(owner, "/people?kind=contact&import=1&q=e60@")
        assert listed(first) == ["Row"]
        gave_up = see(owner, "/people?kind=contact&import=1&q=zedd")
        assert "Nobody of those looked at fits." in gave_up
        assert listed(see(owner, next_page(gave_up) or "")) == ["Zedder"]
        page = see(owner, "/people?kind=contact&import=1")
        assert len(listed(page)) == 50
        assert len(listed(see(owner, next_page(page) or ""))) == 50

    def test_everybody_of_the_file_is_listed_also_whom_it_left_as_they_were(
        self, owner: Browser, world: World, cast: Cast
    ) -> None:
        changed, same, other = (
            somebody(world, cast.us, name, f"{name}@x.example") for name in ("changed", "same", "no")
        )
        rows = (
            "email,last name\nchanged@x.example,Now\nsame@x.example,same\nnew@x.example,New\nnew@x.example,New\nx,y\n"
        )
        job = taken_in(owner, world, cast, rows)
        assert (job.created, job.updated, job.unchanged, job.rejected) == (1, 2, 1, 1)
        new = other.id + 1
        assert brought(world, cast) == [changed.id, same.id, new]
        assert listed(see(owner, "/people?kind=contact&import=1")) == ["Now", "same", "New"]
        skipped = taken_in(owner, world, cast, rows, existing="skip")
        assert (skipped.created, skipped.unchanged) == (0, 4)
        assert brought(world, cast, 2) == [changed.id, same.id, new]
        send(owner, f"/people/contact/{same.id}/delete")
        assert listed(see(owner, "/people?kind=contact&import=2")) == ["Now", "New"]
        form = {"kind": "contact", "import": 2, "enroll": cast.us.letters.id, "go": "on"}
        assert said(send(owner, "/enroll", form | {"everybody": "on"})).text == "2 enrolled."

    @ON_SQLITE
    def test_leads_come_from_a_file_of_leads(self, seller: Browser, world: World, cast: Cast) -> None:
        page = loaded(seller, "name\nLena\n", kind="lead")
        send(seller, page, column_0="last_name", existing="update", mapping="")
        work(world, cast)
        (lena,) = everybody(world, cast.us, LEAD)
        assert (lena.last_name, lena.status, lena.owner_id) == ("Lena", "New", cast.us.seller.id)
        assert 'href="/people?kind=lead&import=1"' in unescape(see(seller, page))
        assert listed(see(seller, "/people?kind=lead&import=1")) == ["Lena"]


class TestCancelling:
    @pytest.mark.parametrize("is_running", [False, True])
    @ON_SQLITE
    def test_no_more_rows_come_in_once_it_is_cancelled(
        self, owner: Browser, world: World, cast: Cast, is_running: bool
    ) -> None:
        page = loaded(owner, "last name\n" + "".join(f"P{number}\n" for number in range(201)))
        if is_running:
            send(owner, page, column_0="last_name", existing="update", mapping="")
            world.database.transact(lambda tx: carry_import(tx, world.hash_key, cast.us.account.id, 1))
        asked = see(owner, page)
        assert re.search(rf'<details.*?action="{page}/cancel".*?</details>', asked, re.DOTALL), "after a question alone"
        answer = send(owner, f"{page}/cancel")
        assert (answer.headers["location"], said(answer).text) == (
            *(page, "The import is cancelled; who was taken in stays."),
        )
        assert work(world, cast).status is ImportStatus.CANCELLED
        assert count(world, "people") == 200 * is_running
        assert count(world, "import_parts") == 0
        assert f"Cancelled {200 * is_running} of 201 rows" in words(see(owner, page))
        again = send(owner, page, column_0="last_name", existing="update", mapping="")
        assert said(again).text == "The import is cancelled already."
        assert job_of(world, cast).status is ImportStatus.CANCELLED

    @ON_SQLITE
    def test_what_was_taken_in_meanwhile_is_not_said_to_be_cancelled(
        self, owner: Browser, world: World, cast: Cast
    ) -> None:
        job = taken_in(owner, world, cast, "email,last name\nada@x.example,Ada\n")
        answer = said(send(owner, f"/people/import/{job.id}/cancel"))
        assert (answer.text, answer.wrong) == ("All of it had been taken in already.", True)
        assert job_of(world, cast).status is ImportStatus.FINISHED


@ON_SQLITE
def test_a_colleague_s_files_are_not_there_where_agents_see_their_own(
    owner: Browser, seller: Browser, world: World, cast: Cast
) -> None:
    let_agents_see_their_own(world, cast.us)
    page = loaded(owner, name="hers.csv")
    mine = loaded(seller, name="mine.csv")
    assert "hers.csv" in see(owner, "/people/import")
    for _ in range(20):
        loaded(owner, name="hers.csv")
    assert "hers.csv" not in see(seller, "/people/import")
    assert "mine.csv" in see(seller, "/people/import"), "though many are newer"
    assert seller("GET", page).status_code == 404
    assert seller("GET", "/people?kind=contact&import=1").status_code == 404
    assert send(seller, page, MAPPING).status_code == 404
    assert send(seller, f"{page}/cancel").status_code == 404
    assert job_of(world, cast).status is ImportStatus.READY
    somebody(world, cast.us, "Hers", "ada@x.example", owner_id=cast.us.owner.id)
    send(seller, mine, MAPPING)
    assert (work(world, cast, 2).created, job_of(world, cast, 2).rejected) == (1, 3)
    assert "belongs to another user." in see(seller, mine)
    assert len(everybody(world, cast.us)) == 2
    assert listed(see(seller, "/people?kind=contact&import=2")) == ["Grace Hopper"]
