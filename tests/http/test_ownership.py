"""Agents who see their own records alone: a colleague's are as if they were not there, over every API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from drumbeat.domain.access import CredentialKind, Scope
from drumbeat.domain.account import AgentsSee, Role, User
from drumbeat.domain.person import Person, PersonKind
from drumbeat.operations.accounts import change_account
from drumbeat.operations.enrollments import EnrollRequest, enroll
from drumbeat.operations.records import PersonFields, add_person
from drumbeat.operations.tasks import add as add_task
from drumbeat.store import accounts
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Tx
from drumbeat.testing.cast import Cast, add_credential
from drumbeat.wiring import World
from tests.http.conftest import Api, Browser

NOBODY = 2_000_000_001


@dataclass(frozen=True)
class Colleague:
    """Another agent of ours, and what is theirs."""

    user: User
    lead: Person
    contact: Person
    task_id: int
    enrollment_id: int


@pytest.fixture
def cara(world: World, cast: Cast) -> Colleague:
    """Cara, whose records our seller does not see."""

    def work(tx: Tx) -> Colleague:
        account_id = cast.us.account.id
        change_account(tx, replace(accounts.get_account(tx, account_id), agents_see=AgentsSee.OWN))
        cara = accounts.add_user(tx, account_id, name="Cara", email="cara@northwind.example", role=Role.AGENT)
        made = [
            add_person(
                tx, world.hash_key, account_id, cara.id, kind, PersonFields(last_name="Hers", email=f"{kind}@x.example")
            )
            for kind in (PersonKind.LEAD, PersonKind.CONTACT)
        ]
        fields = {"content": "Call", "resource_type": "lead", "resource_id": made[0].id}
        task = add_task(tx, account_id, cara.id, fields, completed=None)
        request = EnrollRequest(cast.us.letters.id, PersonKind.LEAD, made[0].id)
        enrolled = enroll(tx, world.hash_key, account_id, cara.id, request)
        return Colleague(cara, made[0], made[1], task.id, enrolled.id)

    return world.database.transact(work)


def alike(answers: tuple[Any, Any], ids: tuple[int, int]) -> int:
    """The status of both, which differ in nothing but the id and the request's own id."""
    texts = []
    for answer, id in zip(answers, ids, strict=True):
        request_id = answer.headers["x-request-id"]
        texts.append((answer.status_code, answer.text.replace(request_id, "").replace(str(id), "ID")))
    assert texts[0] == texts[1]
    return int(answers[0].status_code)


LEAD = {"resource_type": "lead", "resource_id": "{lead}"}
V2 = [
    ("GET", "/v2/leads/{lead}", None),
    ("PUT", "/v2/leads/{lead}", {"data": {"last_name": "Mine"}}),
    ("DELETE", "/v2/leads/{lead}", None),
    ("GET", "/v2/contacts/{contact}", None),
    ("PUT", "/v2/contacts/{contact}", {"data": {"last_name": "Mine"}}),
    ("DELETE", "/v2/contacts/{contact}", None),
    ("GET", "/v2/tasks/{task}", None),
    ("PUT", "/v2/tasks/{task}", {"data": {"completed": True}}),
    ("DELETE", "/v2/tasks/{task}", None),
    ("GET", "/v2/sequence_enrollments/{enrollment}", None),
    ("PUT", "/v2/sequence_enrollments/{enrollment}", {"data": {"state": "finished"}}),
    ("PUT", "/v2/sequence_enrollments/{enrollment}", {"data": {"state": "blocked"}}),
    ("PUT", "/v2/sequence_enrollments/{enrollment}", {"data": {}}),
    (
        "POST",
        "/v2/sequence_enrollments",
        {"data": {"sequence_id": 1, "resource_type": "lead", "resource_id": "{lead}"}},
    ),
    ("POST", "/v2/lead_conversions", {"data": {"lead_id": "{lead}"}}),
    ("POST", "/v2/tasks", {"data": LEAD | {"content": "x"}}),
    ("POST", "/v2/contacts", {"data": {"last_name": "x", "contact_id": "{contact}"}}),
]
APP = [
    ("GET", "/api/people/lead/{lead}", None),
    ("PUT", "/api/people/lead/{lead}", {"lastName": "Mine"}),
    ("DELETE", "/api/people/contact/{contact}", None),
    ("GET", "/api/tasks/{task}", None),
    ("PUT", "/api/tasks/{task}", {"completed": True}),
    ("DELETE", "/api/tasks/{task}", None),
    ("POST", "/api/tasks", {"content": "x", "personKind": "lead", "personId": "{lead}"}),
    ("GET", "/api/enrollments/{enrollment}", None),
    ("PUT", "/api/enrollments/{enrollment}", {"state": "finished"}),
    ("POST", "/api/enrollments/{enrollment}/doubt", {"decision": "count_as_sent"}),
    ("POST", "/api/enrollments", {"sequenceId": 1, "personKind": "lead", "personId": "{lead}"}),
    ("POST", "/api/templates/preview", {"text": "x", "personKind": "lead", "personId": "{lead}"}),
    ("POST", "/api/sequences/1/execute", {"contactIds": ["{contact}"]}),
]


def filled(text: Any, ids: dict[str, int]) -> Any:
    """The path or the body with its ids."""
    if isinstance(text, dict):
        return {name: filled(value, ids) for name, value in text.items()}
    if isinstance(text, list):
        return [filled(value, ids) for value in text]
    if isinstance(text, str) and text.startswith("{"):
        return ids[text[1:-1]]
    return text.format(**ids) if isinstance(text, str) else text


def ids_of(cara: Colleague) -> tuple[dict[str, int], dict[str, int]]:
    theirs = {
        "lead": cara.lead.id,
        "contact": cara.contact.id,
        "task": cara.task_id,
        "enrollment": cara.enrollment_id,
    }
    return theirs, dict.fromkeys(theirs, NOBODY)


@pytest.mark.parametrize("caller", ["api", "seller"])
def test_a_colleague_s_records_are_as_if_they_were_not_there(
    cara: Colleague, api: Api, seller: Browser, world: World, caller: str
) -> None:
    me, calls = (api, V2) if caller == "api" else (seller, APP)
    theirs, nobodys = ids_of(cara)
    before = rows(world)
    for method, path, body in calls:
        answers = [me(method, filled(path, ids), filled(body, ids)) for ids in (theirs, nobodys)]
        id = next(theirs[name] for name in theirs if f"{{{name}}}" in f"{path}{body}")
        shortened = [answer.text for answer in answers]
        status = alike((answers[0], answers[1]), (id, NOBODY)) if id != 1 else answers[1].status_code
        assert status in (400, 404, 422), (method, path, shortened)
        assert answers[0].status_code == status, (method, path, shortened)
    assert rows(world) == before


def rows(world: World) -> list[Any]:
    """What is stored of people, tasks and enrollments."""
    tables = ("people", "tasks", "enrollments", "lead_conversions")
    with world.database.read() as snapshot:
        return [[tuple(row) for row in snapshot.all(Statement(f"SELECT * FROM {table}"))] for table in tables]


def test_lists_hold_one_s_own_records_alone(
    cara: Colleague, api: Api, seller: Browser, new_lead: Callable[..., Person], cast: Cast
) -> None:
    mine = new_lead("mine@x.example")
    assert api.ids("/v2/leads") == [mine.id]
    assert api.ids(f"/v2/leads?ids={cara.lead.id}") == []
    assert api.ids(f"/v2/leads?owner_id={cara.user.id}") == []
    assert api.ids("/v2/leads?email=lead@x.example") == []
    assert api.ids("/v2/contacts") == api.ids("/v2/tasks") == api.ids("/v2/sequence_enrollments") == []
    assert api.ids(f"/v2/sequence_enrollments?resource_type=lead&resource_ids={cara.lead.id}") == []
    for path in ("people?kind=contact", "tasks", "enrollments", f"enrollments?actorId={cara.user.id}", "doubts"):
        assert seller("GET", f"/api/{path}").json()["data"] == [], path


def test_an_upsert_does_not_find_a_colleague_s(cara: Colleague, api: Api) -> None:
    answer = api("POST", "/v2/leads/upsert?email=lead@x.example", {"data": {"last_name": "Mine"}})
    assert answer.status_code == 200, answer.text
    assert answer.json()["data"]["id"] != cara.lead.id


def test_finishing_for_a_person_leaves_a_colleague_s_enrollments_alone(
    cara: Colleague, api: Api, owner: Browser
) -> None:
    wanted = {"data": {"resource_type": "lead", "resource_id": cara.lead.id}}
    answer = api("POST", "/v2/sequence_enrollments/finish_ongoing_for_resource", wanted)
    assert answer.status_code == 200
    seen = owner("GET", f"/api/enrollments/{cara.enrollment_id}").json()["data"]["enrollment"]
    assert seen["state"] == "active"


def test_execute_leaves_a_colleague_s_contact_as_it_is(cara: Colleague, world: World, cast: Cast, client: Any) -> None:
    contacts = [{"email": "contact@x.example", "firstName": "Con"}, {"email": "new@x.example"}]
    answer = client.post("/api/v1/sequences/1/execute", json={"contacts": contacts}, headers={"X-API-Key": cast.us.key})
    theirs, new = answer.json()["data"]["results"]
    assert (theirs["status"], theirs["contactId"], theirs["reason"]) == (
        "invalid",
        None,
        "email: A contact with this address belongs to another user.",
    )
    assert new["status"] == "queued"


def test_an_agent_hands_over_and_sees_no_more_but_enrolls_for_nobody_else(
    cara: Colleague, api: Api, seller: Browser, new_lead: Callable[..., Person]
) -> None:
    mine = new_lead("mine@x.example")
    wanted = {"sequenceId": 1, "personKind": "lead", "personId": mine.id, "actorId": cara.user.id}
    answer = seller("POST", "/api/enrollments", wanted)
    assert answer.json()["error"]["details"] == {
        "field": "actorId",
        "reason": "Only an admin enrolls for another user here.",
    }
    assert api("PUT", f"/v2/leads/{mine.id}", {"data": {"owner_id": cara.user.id}}).status_code == 200
    assert api("GET", f"/v2/leads/{mine.id}").status_code == 404


def test_admins_see_everything_and_so_do_agents_where_the_account_says_so(
    cara: Colleague, owner: Browser, seller: Browser, world: World, cast: Cast, client: Any
) -> None:
    path = f"/api/people/lead/{cara.lead.id}"
    assert owner("GET", path).status_code == 200
    token = world.database.transact(lambda tx: add_credential(tx, cast.us.owner, CredentialKind.TOKEN, [Scope.READ]))
    assert Api(client, token)("GET", f"/v2/leads/{cara.lead.id}").status_code == 200
    assert seller("GET", path).status_code == 404
    assert owner("PUT", "/api/account", {"agentsSee": "all"}).json()["data"]["agentsSee"] == "all"
    assert seller("GET", path).status_code == 200
