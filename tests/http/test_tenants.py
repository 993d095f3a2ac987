"""Made from the OpenAPI document: another account's ids are as if nobody had them, in every path, query and body."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from drumbeat.domain.calendar import Holidays
from drumbeat.domain.person import PersonKind
from drumbeat.domain.template import TemplateText
from drumbeat.operations.conversions import convert
from drumbeat.operations.enrollments import EnrollRequest, enroll
from drumbeat.operations.records import PersonFields, add_person
from drumbeat.operations.tasks import add as add_task
from drumbeat.store import imports, schema, templates
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Tx
from drumbeat.testing.cast import RIVALS_FIRST_ID, Cast
from drumbeat.wiring import World
from tests.http.callers import UNKNOWN, Operation, operations
from tests.http.conftest import Api, Browser

# Which noun's ids a path's parameter holds, by the part of the path before it.
NOUNS = {
    "leads": "lead",
    "lead": "lead",
    "contacts": "contact",
    "contact": "contact",
    "tasks": "task",
    "sequence_enrollments": "enrollment",
    "enrollments": "enrollment",
    "lead_conversions": "lead_conversion",
    "sequences": "sequence",
    "versions": "version",
    "users": "user",
    "keys": "credential",
    "mailboxes": "mailbox",
    "calendars": "calendar",
    "templates": "template",
    "imports": "import",
}
NO_IDS = {"session_id": "names a client's own state, which is not kept"}
# What ids in queries and bodies mean: the noun, by the name of the field.
FIELDS = {
    "ids": None,  # what the path lists
    "zendesk_user_ids": "user",
    "creator_id": "user",
    "owner_id": "user",
    "ownerId": "user",
    "actor_id": "user",
    "actorId": "user",
    "userId": "user",
    "defaultActorId": "user",
    "lead_id": "lead",
    "individual_id": "contact",
    "organization_id": "contact",
    "contact_id": "contact",
    "parent_organization_id": "contact",
    "contactIds": "contact",
    "resource_id": "lead",
    "resource_ids": "lead",
    "personId": "lead",
    "sequence_id": "sequence",
    "sequence_ids": "sequence",
    "sequenceId": "sequence",
    "variantBId": "sequence",
    "calendarId": "calendar",
    "mailboxId": "mailbox",
    "emailTemplateId": "template",
    "accountId": "account",
}
FREE = {
    "clientId": "what a provider calls an application",
    "source_id": "a number of the caller's own",
    "unqualified_reason_id": "a number of the caller's own",
    "deal_id": "there are no deals",
    "locationId": "ignored",
    "employeeId": "ignored",
}
WITH = {"personId": "personKind=lead", "ownerId": "kind=lead"}  # what a query's id needs beside it
LETTER = {"actionType": "automated_email", "delayFromPreviousStep": 0, "delayFromPreviousStepUnit": "hours"}
# Bodies that would be taken if the id in question were one of ours; in upserts and lists the rest does not matter.
BODIES: dict[str, dict[str, Any]] = {
    "POST /api/enrollments": {"sequenceId": 1, "personKind": "lead", "personId": 1},
    "POST /api/keys": {"name": "x", "scopes": ["read"]},
    "POST /api/mailboxes": {"host": "127.0.0.1", "security": "none", "senderEmail": "o@northwind.example"},
    "POST /api/people": {"kind": "lead", "lastName": "x"},
    "PUT /api/people/{kind}/{id}": {},
    "POST /api/sequences": {"name": "x"},
    "PUT /api/sequences/{id}": {},
    "POST /api/sequences/{id}/execute": {},
    "POST /api/sequences/{id}/versions": {"steps": [LETTER]},
    "PUT /api/session": {},
    "POST /api/tasks": {"content": "x", "personKind": "lead", "personId": 1},
    "PUT /api/tasks/{id}": {"personKind": "lead"},
    "POST /api/templates/preview": {"text": "x", "personKind": "lead"},
    "PUT /api/users/{id}": {},
    "POST /v2/contacts": {"data": {"last_name": "x"}},
    "POST /v2/contacts/upsert": {"data": {"last_name": "x"}},
    "PUT /v2/contacts/{id}": {"data": {}},
    "POST /v2/lead_conversions": {"data": {"lead_id": 1}},
    "POST /v2/leads": {"data": {"last_name": "x"}},
    "POST /v2/leads/upsert": {"data": {"last_name": "x"}},
    "PUT /v2/leads/{id}": {"data": {}},
    "POST /v2/sequence_enrollments": {"data": {"sequence_id": 1, "resource_type": "lead", "resource_id": 1}},
    "POST /v2/sequence_enrollments/finish_ongoing_for_resource": {"data": {"resource_type": "lead", "resource_id": 1}},
    "POST /v2/tasks": {"data": {"content": "x", "resource_type": "lead", "resource_id": 1}},
    "PUT /v2/tasks/{id}": {"data": {"resource_type": "lead"}},
}
WITHIN = {"abTest": {"share": 30}}  # what an inner object needs beside its id
UPSERTED = {"POST /v2/contacts/upsert": "?name=nobody", "POST /v2/leads/upsert": "?last_name=nobody"}


@dataclass(frozen=True)
class Houses:
    """Ours and the rival's ids of every noun, and who calls."""

    ours: dict[str, int]
    theirs: dict[str, int]
    api: Api
    owner: Browser

    def call(self, operation: Operation, path: str, body: Any = None) -> Any:
        """Call as our seller by token or as our owner by session, as the operation asks."""
        call = self.owner if "x-roles" in operation.told else self.api
        return call(operation.method, path, body)


@pytest.fixture
def houses(world: World, cast: Cast, api: Api, owner: Browser) -> Houses:
    """A record of every noun in both accounts."""

    def work(tx: Tx) -> tuple[dict[str, int], dict[str, int]]:
        return _furnish(tx, world, cast, 0), _furnish(tx, world, cast, 1)

    ours, theirs = world.database.transact(work)
    assert theirs.keys() == ours.keys()
    assert all(id >= RIVALS_FIRST_ID for noun, id in theirs.items() if noun not in ("account", "version"))
    return Houses(ours, theirs, api, owner)


def _furnish(tx: Tx, world: World, cast: Cast, number: int) -> dict[str, int]:
    company = (cast.us, cast.rival)[number]
    account_id, seller_id = company.account.id, company.seller.id

    def person(kind: PersonKind) -> int:
        fields = PersonFields(last_name="Somebody", email=f"{kind}{number}@customer.example")
        return add_person(tx, world.hash_key, account_id, seller_id, kind, fields).id

    lead, contact, converted = person(PersonKind.LEAD), person(PersonKind.CONTACT), person(PersonKind.LEAD)
    enrolled = enroll(
        tx, world.hash_key, account_id, seller_id, EnrollRequest(company.letters.id, PersonKind.CONTACT, contact)
    )
    source = TemplateText("Hello", None, "Hello")
    return {
        "account": account_id,
        "user": seller_id,
        "mailbox": company.seller.mailbox_id or 0,
        "sequence": company.letters.id,
        "version": 1,
        "lead": lead,
        "contact": contact,
        "enrollment": enrolled.id,
        "credential": RIVALS_FIRST_ID if number else 1,
        "task": add_task(tx, account_id, seller_id, {"content": "Call"}, completed=None).id,
        "lead_conversion": convert(tx, world.hash_key, account_id, seller_id, converted, None).id,
        "calendar": templates.add_calendar(tx, account_id, "Ours", Holidays("DE")),
        "import": imports.add(tx, account_id, seller_id, None, PersonKind.LEAD, "x.csv", ["email"], ["email"]).id,
        "template": templates.add(tx, account_id, "Hello", source, []).id,
    }


def rivals_rows(world: World, cast: Cast) -> dict[str, list[str]]:
    """Every row of the rival's."""
    with world.database.read() as snapshot:
        return {
            table.name: sorted(
                str(tuple(row))  # in an order of our own: a database may read a table another way the second time
                for row in snapshot.all(
                    Statement(f"SELECT * FROM {table.name} WHERE account_id = :account_id"),
                    account_id=cast.rival.account.id,
                )
            )
            for table in schema.metadata.sorted_tables
            if "account_id" in table.c
        }


def test_every_route_treats_a_rival_s_ids_like_ids_nobody_has(
    app: Litestar, client: TestClient[Litestar], houses: Houses, world: World, cast: Cast
) -> None:
    before, asked = rivals_rows(world, cast), 0
    for operation in operations(client.get("/openapi.json").json()):
        for name in operation.path_names:
            asked += _ask_by_path(houses, operation, name)
        for name in operation.query_ids:
            asked += _ask_by_query(houses, operation, name)
        for place in operation.body_ids():
            asked += _ask_by_body(houses, operation, place)
    assert asked > 100
    after = rivals_rows(world, cast)
    assert {name: rows for name, rows in after.items() if rows != before[name]} == {}


def _ask_by_path(houses: Houses, operation: Operation, name: str) -> int:
    if name in NO_IDS or name == "kind":
        return 0
    kinds = ("lead", "contact") if "{kind}" in operation.path else ("",)
    for kind in kinds:
        before = operation.path.replace("{kind}", kind).partition(f"{{{name}}}")[0].rstrip("/").rpartition("/")[2]
        assert before in NOUNS, f"{operation}: say in NOUNS whose ids {name} holds"
        noun = NOUNS[before]
        theirs = UNKNOWN - 1 if noun == "version" else houses.theirs[noun]
        # Every other id in the path is ours.
        path = _filled(operation.path.replace("{kind}", kind), houses.ours, but=name)
        body = _example(operation) if "requestBody" in operation.told else None
        answers = [houses.call(operation, path.replace(f"{{{name}}}", str(id)), body) for id in (theirs, UNKNOWN)]
        _check_alike(operation, name, answers, (theirs, UNKNOWN))
        assert answers[0].status_code == 404, f"{operation}: {name} of a rival: {answers[0].text}"
    return len(kinds)


def _filled(path: str, ids: dict[str, int], but: str = "") -> str:
    def fill(found: re.Match[str]) -> str:
        if found[2] == but:
            return found[0]
        return f"{found[1]}/{ids[NOUNS[found[1]]] if found[1] in NOUNS else 1}"

    return re.sub(r"([\w-]+)/\{(\w+)\}", fill, path)


def _example(operation: Operation) -> Any:
    """The body that the document shows."""
    (content,) = operation.told["requestBody"]["content"].values()
    return content.get("example", {})


def _ask_by_query(houses: Houses, operation: Operation, name: str) -> int:
    if name in FREE:
        return 0
    assert name in FIELDS, f"{operation}: say in FIELDS what the query's {name} means"
    noun = FIELDS[name] or NOUNS[operation.path.rpartition("/")[2]]
    ids = (houses.theirs[noun], UNKNOWN)
    companion = f"&{WITH[name]}" if operation.path.startswith("/api/") and name in WITH else ""
    companion = companion if operation.path != "/api/tasks" or name == "personId" else ""
    if operation.path == "/api/enrollments" and name == "ownerId":
        companion = ""
    body = BODIES.get(str(operation))
    answers = [houses.call(operation, f"{operation.path}?{name}={id}{companion}", body) for id in ids]
    _check_alike(operation, name, answers, ids)
    if operation.method == "GET":
        listed = answers[0].json()
        assert listed.get("items", listed.get("data")) == [], f"{operation}: {name} of a rival finds something"
    elif str(operation) in UPSERTED:
        assert answers[0].json()["data"]["id"] < RIVALS_FIRST_ID
    return 1


def _ask_by_body(houses: Houses, operation: Operation, place: tuple[str | int, ...]) -> int:
    name = str(place[-1])
    if name in FREE:
        return 0
    assert name in FIELDS, f"{operation}: say in FIELDS what the body's {name} means"
    assert str(operation) in BODIES, f"{operation}: say in BODIES what would be taken"
    noun = FIELDS[name]
    assert noun is not None
    ids = (houses.theirs[noun], UNKNOWN)
    path = _filled(operation.path.replace("{kind}", "lead"), houses.ours) + UPSERTED.get(str(operation), "")
    answers = []
    for id in ids:
        body = copy.deepcopy(BODIES[str(operation)])
        spot: Any = body
        for step in place[:-1]:
            spot = spot[step] if isinstance(step, int) else spot.setdefault(step, copy.deepcopy(WITHIN.get(step)))
        spot[name] = [id] if name.endswith("s") else id
        answers.append(houses.call(operation, path, body))
    _check_alike(operation, name, answers, ids)
    assert answers[0].status_code in (400, 404, 422) or name == "sequence_ids" or "finish_ongoing" in path, (
        f"{operation}: {name} of a rival was taken: {answers[0].text}"
    )
    return 1


def _check_alike(operation: Operation, name: str, answers: list[Any], ids: tuple[int, int]) -> None:
    told = []
    for answer, id in zip(answers, ids, strict=True):
        text = answer.text.replace(answer.headers["x-request-id"], "THIS")
        if str(operation) in UPSERTED:  # which found nobody, and made somebody
            text = re.sub(r'"id":\d+', '"id":NEW', text)
        told.append((answer.status_code, re.sub(rf"\b{id}\b", "ID", text)))
    assert told[0] == told[1], f"{operation}: {name} tells a rival's id from one nobody has"
    assert told[0][0] not in (401, 403, 405, 429, 500), f"{operation}: {told[0]}"
