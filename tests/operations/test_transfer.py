"""People in and out: any encoding, each row once, whatever breaks off; and back out as they went in."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from drumbeat.domain.errors import IncorrectValue
from drumbeat.domain.people_table import read_row
from drumbeat.domain.person import Person, PersonKind
from drumbeat.operations.spreadsheets import read_table, write_csv
from drumbeat.operations.transfer import (
    ROWS_IN_PART,
    Upload,
    cancel_import,
    carry_import,
    load,
    people_table,
    rejected_table,
    start_import,
)
from drumbeat.store import imports, people
from drumbeat.store.database import Database
from drumbeat.store.imports import Existing, Import, ImportStatus
from drumbeat.testing.house import House, open_house

CONTACT, LEAD = PersonKind.CONTACT, PersonKind.LEAD


@pytest.fixture
def house(database: Database, tmp_path: Path) -> House:
    """An office without a mail server."""
    return open_house(database, 1, tmp_path)


def loaded(house: House, content: bytes, kind: PersonKind = CONTACT, **more: Any) -> Import:
    upload = Upload(house.account_id, house.owner_id, kind, "people.csv", **more)
    return load(house.world.database, upload, io.BytesIO(content))


def started(
    house: House, job: Import, mapping: Sequence[str] | None = None, existing: Existing = Existing.UPDATE
) -> Import:
    return house.world.database.transact(
        lambda tx: start_import(tx, job.account_id, job.id, mapping or job.mapping, existing, house.owner_id)
    )


def carried(house: House, job: Import) -> Import:
    ids = (job.account_id, job.id)
    while job.status is ImportStatus.RUNNING:
        job = house.world.database.transact(lambda tx: carry_import(tx, house.world.hash_key, *ids))
    return job


def taken_in(house: House, content: bytes, kind: PersonKind = CONTACT, **more: Any) -> Import:
    return carried(house, started(house, loaded(house, content, kind), **more))


def everybody(house: House, kind: PersonKind = CONTACT) -> list[Person]:
    with house.world.database.read() as snapshot:
        return people.list_all(snapshot, house.account_id, kind, 0, 100_000)


def counts(job: Import) -> tuple[ImportStatus, int, int, int, int]:
    return job.status, job.created, job.updated, job.unchanged, job.rejected


def rejected(house: House, job: Import) -> list[list[str]]:
    with house.world.database.read() as snapshot:
        return list(rejected_table(snapshot, job))


TABLE = b"""First name,E-mail,Phone,Plan,City
Ada,ada@x.example,+44 20 7946 0000,pro,London
"Grace, Admiral",grace@x.example,,"two
lines",
,nobody,,,
,,+1,,
,ADA@x.example,,free,

"""


def test_rows_become_people_and_what_is_wrong_is_left_out_with_the_reason(house: House) -> None:
    job = taken_in(house, TABLE)
    assert counts(job) == (ImportStatus.FINISHED, 2, 1, 1, 2)
    ada, grace = everybody(house)
    assert (ada.first_name, ada.email, ada.phone, ada.custom, ada.details) == (
        *("Ada", "ADA@x.example", "+442079460000", {"Plan": "free"}, {"address": {"city": "London"}}),
    )
    assert (grace.first_name, grace.custom) == ("Grace, Admiral", {"Plan": "two\nlines"})
    assert ada.owner_id == ada.creator_id == house.owner_id
    header, *rows = rejected(house, job)
    assert header == ["Row", "Reason", "First name", "E-mail", "Phone", "Plan", "City"]
    assert [row[0] for row in rows] == ["4", "5"]
    assert rows[0][1].startswith("email: ")
    assert rows[1][1] == "phone: " + rows[1][1].removeprefix("phone: ")


def test_people_who_are_there_are_changed_by_what_the_row_says_or_left_alone(house: House) -> None:
    taken_in(house, TABLE)
    again = b"email,title,first name\nada@x.example,Countess,\nGRACE@x.example,,Grace\nnew@x.example,,New\n"
    skipped = taken_in(house, again, existing=Existing.SKIP)
    assert counts(skipped)[1:] == (1, 0, 2, 0)
    changed = taken_in(house, again)
    assert counts(changed)[1:] == (0, 2, 1, 0)
    ada, grace, _ = everybody(house)
    assert (ada.title, ada.first_name, ada.custom, grace.first_name) == ("Countess", "Ada", {"Plan": "free"}, "Grace")
    assert counts(taken_in(house, again))[1:] == (0, 0, 3, 0), "taken in again, nothing changes"


def test_leads_and_contacts_are_apart(house: House) -> None:
    taken_in(house, TABLE, LEAD)
    taken_in(house, TABLE, CONTACT)
    assert [each.status for each in everybody(house, LEAD)] == ["New", "New"]
    assert len(everybody(house, CONTACT)) == 2


def test_a_part_is_taken_in_once_whatever_breaks_off(house: House) -> None:
    rows = [f"Person {n},p{n}@x.example" for n in range(3 * ROWS_IN_PART + 1)]
    job = started(house, loaded(house, "\n".join(["name,email", *rows]).encode()))
    assert job.parts_total == 4
    database = house.world.database

    class Crash(Exception):
        pass

    for _ in range(4):
        for after_work in (True, False):

            def work(tx: Any, after_work: bool = after_work) -> None:
                carry_import(tx, house.world.hash_key, job.account_id, job.id)
                if after_work:
                    raise Crash

            if after_work:
                with pytest.raises(Crash):
                    database.transact(work)
            else:
                database.transact(work)
    with database.read() as snapshot:
        done = imports.get(snapshot, job.account_id, job.id)
    assert counts(done) == (ImportStatus.FINISHED, len(rows), 0, 0, 0)
    assert [each.last_name for each in everybody(house)] == [row.split(",")[0] for row in rows]
    assert carried(house, done) == done


def test_a_cancelled_one_takes_in_no_more(house: House) -> None:
    rows = "\n".join(f"p{n}@x.example" for n in range(2 * ROWS_IN_PART))
    job = started(house, loaded(house, f"email\n{rows}\n".encode()))
    database = house.world.database
    database.transact(lambda tx: carry_import(tx, house.world.hash_key, job.account_id, job.id))
    over = database.transact(lambda tx: cancel_import(tx, job.account_id, job.id, None))
    assert over.status is ImportStatus.CANCELLED
    assert carried(house, over).created == len(everybody(house)) == ROWS_IN_PART
    with pytest.raises(IncorrectValue, match="only one that is ready is started"):
        started(house, over)


def test_a_mapping_says_what_columns_hold(house: House) -> None:
    job = loaded(house, b"A,B,C\nAda,ada@x.example,secret\n")
    assert job.mapping == ("custom.A", "custom.B", "custom.C")
    with pytest.raises(IncorrectValue, match="Say which column holds"):
        started(house, job)
    done = carried(house, started(house, job, ["first_name", "email", ""]))
    assert done.created == 1
    assert everybody(house)[0].custom == {}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "iso-8859-1"])
def test_any_encoding_is_read(house: House, encoding: str) -> None:
    names = ["Zoë", "Jürgen", "François", "Søren", "Ángel", "Müller", "Größe", "Café", "naïve", "Übung"]
    text = "email;first name\r\n" + "".join(f"p{n}@x.example;{name}\r\n" for n, name in enumerate(names))
    taken_in(house, text.encode(encoding))
    assert [each.first_name for each in everybody(house)] == names


def test_an_encoding_may_be_named_and_must_fit() -> None:
    text = "email,name\na@x.example,Łódź\n".encode("cp1250")
    assert list(read_table(io.BytesIO(text), "cp1250"))[1] == ["a@x.example", "Łódź"]
    for encoding, said in (("utf-8", "It is not text in utf-8"), ("klingon", "There is no encoding")):
        with pytest.raises(IncorrectValue, match=said):
            list(read_table(io.BytesIO(text), encoding))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_any_delimiter_is_read(delimiter: str) -> None:
    text = delimiter.join(['"last, first; name"', "email"]) + "\n" + delimiter.join(["x", "y"])
    assert list(read_table(io.BytesIO(text.encode()))) == [["last, first; name", "email"], ["x", "y"]]


def excel(rows: Sequence[Sequence[Any]]) -> bytes:
    book = Workbook()
    for row in rows:
        book.active.append(list(row))
    kept = io.BytesIO()
    book.save(kept)
    return kept.getvalue()


def test_an_excel_file_is_read_as_it_shows(house: House) -> None:
    from_excel = excel(
        [["email", "Seats", "Share", "VIP"], ["a@x.example", 3.0, 0.1, True], ["b@x.example", None, "", 447]]
    )
    taken_in(house, from_excel)
    assert [each.custom for each in everybody(house)] == [{"Seats": "3", "Share": "0.1", "VIP": "true"}, {"VIP": "447"}]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "first row names the columns"),
        (b",,\na,b,c\n", "first row names the columns"),
        (b"email\n", "no rows beside its headers"),
        (b"email\n" + b"\0" * 10, "NUL"),
        (b"PK\x03\x04 and nothing more", "neither a CSV nor an Excel file"),
        (excel([["email"] + ["x"] * 201, ["a"]]), "at most 200 are read"),
    ],
)
def test_what_is_no_table_is_refused_and_leaves_no_job_to_run(house: House, content: bytes, said: str) -> None:
    with pytest.raises(IncorrectValue, match=said) if said != "NUL" else pytest.raises(IncorrectValue):
        started(house, loaded(house, content))
        raise IncorrectValue("the rows were refused one by one", field="file")
    with house.world.database.read() as snapshot:
        assert imports.find_running(snapshot) is None or content.startswith(b"email\n\0")


def test_an_excel_file_that_unpacks_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drumbeat.operations.spreadsheets._LARGEST_UNPACKED", 100)
    with pytest.raises(IncorrectValue, match="unpacks to more than"):
        list(read_table(io.BytesIO(excel([["email"], ["a@x.example"]]))))


def test_what_comes_out_goes_in_again_as_it_was(house: House) -> None:
    nasty = '=HYPERLINK("http://evil.example")'
    with io.StringIO(newline="") as kept:
        csv.writer(kept).writerows([["email", "title", "tags", "Formula"], ["a@x.example", "'quoted", "a;b", nasty]])
        taken_in(house, kept.getvalue().encode())
    with house.world.database.read() as snapshot:
        written = b"".join(write_csv(people_table(snapshot, house.account_id, CONTACT)))
    assert written.startswith(codecs.BOM_UTF8)
    cells = next(row for number, row in enumerate(csv.reader(io.StringIO(written.decode("utf-8-sig")))) if number == 1)
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)
    before = everybody(house)
    again = taken_in(house, written)
    assert counts(again)[1:] == (0, 0, 1, 0)
    assert everybody(house) == before


texts = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=20)


@given(st.lists(st.lists(texts, min_size=2, max_size=2), min_size=1, max_size=8))
def test_whatever_is_written_is_read_back(rows: list[list[str]]) -> None:
    written = b"".join(write_csv([["email", "name"], *rows]))
    _, *read = read_table(io.BytesIO(written))
    plain = [[cell.replace("\r\n", "\n") for cell in row] for row in read]
    neutral = [[_as_written(cell) for cell in row] for row in rows]
    assert plain == [[cell.replace("\r\n", "\n") for cell in row] for row in neutral]


def _as_written(cell: str) -> str:
    (row,) = csv.reader(io.StringIO(b"".join(write_csv([[cell, "x"]])).decode("utf-8-sig"), newline=""))
    return row[0]


def test_another_user_s_people_are_left_alone_where_one_sees_one_s_own(house: House) -> None:
    taken_in(house, b"email,title\nada@x.example,Countess\n")
    job = loaded(house, b"email,title\nada@x.example,Mine\n", seen_by=house.owner_id + 1)
    done = carried(house, started(house, job))
    assert counts(done)[1:] == (0, 0, 0, 1)
    assert rejected(house, done)[1][1] == "email: A contact with this address belongs to another user."


def test_rows_are_read_as_they_come() -> None:
    """However long a file is, no more than what is read ahead of its rows is held."""

    class Endless(io.RawIOBase):
        def __init__(self) -> None:
            self.at, self.head = 0, b"email,name\n"
            self.given = 0

        def readable(self) -> bool:
            return True

        def seekable(self) -> bool:
            return True

        def seek(self, offset: int, whence: int = 0) -> int:
            self.at = offset
            return offset

        def tell(self) -> int:
            return self.at

        def readinto(self, buffer: Any) -> int:
            line = b"a@x.example,Ada\n"
            content = (self.head + line * (len(buffer) // len(line) + 2))[: len(buffer)] if self.at == 0 else None
            if content is None:
                start = (self.at - len(self.head)) % len(line)
                content = (line[start:] + line * (len(buffer) // len(line) + 1))[: len(buffer)]
            buffer[: len(content)] = content
            self.at += len(content)
            self.given += len(content)
            return len(content)

    endless = Endless()
    rows: Iterator[list[str]] = read_table(io.BufferedReader(endless), "utf-8")
    assert [next(rows) for _ in range(3)][-1] == ["a@x.example", "Ada"]
    assert endless.given < 1_000_000
    assert read_row(["email", "first_name"], next(rows)).fields["email"] == "a@x.example"


def test_two_files_of_the_same_people_at_once_make_each_of_them_once(house: House) -> None:
    rows = "\n".join(f"p{n}@x.example" for n in range(2 * ROWS_IN_PART))
    jobs = [started(house, loaded(house, f"email\n{rows}\n".encode(), kind)) for kind in (LEAD, LEAD, CONTACT, CONTACT)]
    with ThreadPoolExecutor(len(jobs)) as pool:
        done = list(pool.map(lambda job: carried(house, job), jobs))
    assert [each.status for each in done] == [ImportStatus.FINISHED] * 4
    for kind in (LEAD, CONTACT):
        assert len({each.email for each in everybody(house, kind)}) == len(everybody(house, kind)) == 2 * ROWS_IN_PART
