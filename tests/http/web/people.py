"""What tests of the pages about people share: people, forms sent as browsers send them, and what a page shows."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from msgspec import structs

from drumbeat.domain.account import AgentsSee
from drumbeat.domain.enrollment import FinishedReason
from drumbeat.domain.person import Person, PersonKind
from drumbeat.http.web.frame import Said
from drumbeat.operations.accounts import change_account
from drumbeat.operations.enrollments import EnrollRequest, enroll
from drumbeat.operations.records import PersonFields, add_person
from drumbeat.store import accounts, enrollments, people, unsubscribes
from drumbeat.store.statement import Statement
from drumbeat.testing.cast import Company
from drumbeat.wiring import World
from tests.http.conftest import Browser

LEAD, CONTACT = PersonKind.LEAD, PersonKind.CONTACT
HTML = {"Accept": "text/html"}
HOSTILE = "<script>alert('x')</script>\" onload=\"alert(1)"
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what a page looks like and leads to, whatever the database: the suite is to stay quick."""
_FORM = HTML | {"Content-Type": "application/x-www-form-urlencoded"}


def send(browser: Browser, path: str, fields: Any = (), **more: Any) -> Any:
    """The answer to a form; it is not followed."""
    content = urlencode(dict(fields) | more, doseq=True)
    return browser("POST", path, content=content, headers=_FORM, follow_redirects=False)


def said(answer: Any) -> Said:
    """What the next page will say."""
    assert answer.status_code == 303, answer.text
    return msgspec.json.decode(base64.urlsafe_b64decode(answer.cookies["drumbeat-said"].strip('"')), type=Said)


def see(browser: Browser, path: str, **parameters: Any) -> str:
    """A page, which there must be."""
    answer = browser("GET", path, headers=HTML, **({"params": parameters} if parameters else {}))
    assert answer.status_code == 200, answer.text
    return str(answer.text)


def words(page: str) -> str:
    """What a page says, without its marks."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())


def listed(page: str) -> list[str]:
    """The names of a list of people, in order."""
    return [
        unescape(name) for name in re.findall(r'<a class="link font-medium" href="/people/\w+/\d+">(.*?)</a>', page)
    ]


def next_page(page: str, **ticked: Any) -> str | None:
    """The address that the button to the page behind this one leads to."""
    found = re.search(r'name="after" value="([^"]+)">Next page', page)
    if found is None:
        return None
    fields = fields_of(page, "/people")
    fields = fields | {name: [*fields.get(name, []), *map(str, more)] for name, more in ticked.items()}
    return f"/people?{urlencode(fields | {'after': unescape(found[1])}, doseq=True)}"


def complaints(answer: Any) -> dict[str, str]:
    """What stands beside the fields of a form that was not taken, by the field's id."""
    assert answer.status_code == 422, answer.text
    found = re.findall(r'<p class="complaint" id="([\w-]+)-complaint">(.*?)</p>', answer.text, re.DOTALL)
    for id, _ in found:
        if f'id="{id}"' in answer.text:
            assert re.search(rf'id="{id}"[^>]*aria-invalid="true"[^>]*aria-describedby="{id}-complaint', answer.text)
    return {id: unescape(text) for id, text in found}


class _Fields(HTMLParser):
    """Fills in a form as a browser does before anybody has touched it."""

    def __init__(self, action: str) -> None:
        super().__init__()
        self.fields: dict[str, list[str]] = {}
        self._action, self._inside = action, False
        self._select: list[tuple[str, bool]] | None = None
        self._area: str | None = None
        self._name = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = told.get("action") == self._action
        elif tag == "input" and (told.get("type") != "checkbox" or "checked" in told):
            self._fill(told.get("name", ""), told.get("value", ""))
        elif tag == "select":
            self._name, self._select = told["name"], []
        elif tag == "option" and self._select is not None:
            self._select.append((told["value"], "selected" in told))
        elif tag == "textarea":
            self._name, self._area = told["name"], ""

    def handle_data(self, text: str) -> None:
        if self._area is not None:
            self._area += text

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        elif tag == "select" and self._select:
            chosen = [value for value, is_chosen in self._select if is_chosen]
            self._fill(self._name, (chosen or [self._select[0][0]])[0])
            self._select = None
        elif tag == "textarea" and self._area is not None:
            self._fill(self._name, self._area.removeprefix("\n"))
            self._area = None

    def _fill(self, name: str, value: str) -> None:
        if self._inside and name and name != "csrf":
            self.fields.setdefault(name, []).append(value)


def fields_of(page: str, action: str) -> dict[str, list[str]]:
    """What a browser sends if nothing of a page's form is changed."""
    reader = _Fields(action)
    reader.feed(page)
    return reader.fields


def somebody(
    world: World,
    company: Company,
    last_name: str | None,
    email: str | None = None,
    *,
    kind: PersonKind = CONTACT,
    owner_id: int | None = None,
    **fields: Any,
) -> Person:
    """A person of the company, its seller's unless another owner is named."""
    given = PersonFields(last_name=last_name, email=email, **fields)
    ids = (company.account.id, company.seller.id)
    return world.database.transact(lambda tx: add_person(tx, world.hash_key, *ids, kind, given, owner_id=owner_id))


def crowd(world: World, like: Person, count: int) -> list[Person]:
    """So many more people like this one, without addresses, whose ids follow upon its."""
    plain = structs.replace(like, email=None, address_hash=None)
    made = [structs.replace(plain, id=like.id + number) for number in range(1, count + 1)]

    def work(tx: Any) -> None:
        accounts.take_ids(tx, like.account_id, like.kind, count)
        people.add(tx, made)

    world.database.transact(work)
    return made


def stored(world: World, person: Person) -> Person | None:
    """A person as they are now."""
    with world.database.read() as snapshot:
        return people.find(snapshot, person.account_id, person.kind, person.id)


def everybody(world: World, company: Company, kind: PersonKind = CONTACT) -> list[Person]:
    """All people of a kind."""
    with world.database.read() as snapshot:
        return people.list_all(snapshot, company.account.id, kind, 0, 1000)


def let_agents_see_their_own(world: World, company: Company) -> None:
    """Agents see their own records alone from now on."""

    def work(tx: Any) -> None:
        account = accounts.get_account(tx, company.account.id)
        change_account(tx, replace(account, agents_see=AgentsSee.OWN))

    world.database.transact(work)


def count(world: World, table: str, where: str = "true") -> int:
    """How many rows a table has."""
    with world.database.read() as snapshot:
        row = snapshot.first(Statement(f"SELECT count(*) FROM {table} WHERE {where}"))
    assert row is not None
    return int(row[0])


def enrolled(world: World, company: Company, person: Person) -> int:
    """What runs for a person from now on."""
    request = EnrollRequest(company.letters.id, person.kind, person.id)
    ids = (company.account.id, company.seller.id)
    return world.database.transact(lambda tx: enroll(tx, world.hash_key, *ids, request)).id


def ending(world: World, company: Company, id: int) -> FinishedReason | None:
    """Why an enrollment finished, if it did."""
    with world.database.read() as snapshot:
        return enrollments.get(snapshot, company.account.id, id).finished_reason


def is_suppressed(world: World, person: Person) -> bool:
    """Whether nothing is sent to their address."""
    with world.database.read() as snapshot:
        return unsubscribes.is_suppressed(snapshot, person.account_id, person.address_hash or "")
