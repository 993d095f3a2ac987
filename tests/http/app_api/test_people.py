"""People, tasks, enrollments and doubts over the app's API: a seller's day."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from drumbeat.domain.account import User
from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import FinishedReason
from drumbeat.domain.happening import CannotSend, FinishRequested
from drumbeat.domain.person import address_hash
from drumbeat.domain.unsubscribe import Suppression
from drumbeat.store import unsubscribes
from drumbeat.testing.cast import Cast
from drumbeat.wiring import World
from tests.http.app_api.test_sequences import made, shown
from tests.http.app_api.test_session import refused
from tests.http.app_api.test_users import details
from tests.http.conftest import Browser

ADA = {
    "kind": "contact",
    "firstName": "Ada",
    "lastName": "Lovelace",
    "email": "ada@x.example",
    "phone": "+44 20 7946 0000",
    "timeZone": "Europe/London",
    "website": "https://ada.example",
    "address": {"city": "London", "country": "GB"},
    "tags": ["vip", " vip ", "webinar"],
    "customFields": {"plan": "pro", "seats": 3},
}


def test_a_person_is_made_found_changed_in_parts_and_deleted(seller: Browser) -> None:
    ada = made(seller("POST", "/api/people", ADA))
    assert (ada["kind"], ada["tags"], ada["ownerId"], ada["unsubscribed"], ada["undeliverable"]) == (
        *("contact", ["vip", "webinar"], 2, False, None),
    )
    path = f"/api/people/contact/{ada['id']}"
    assert shown(seller("GET", path)) == ada
    changed = shown(
        seller("PUT", path, {"title": " Countess ", "phone": None, "customFields": {"seats": None}, "tags": []})
    )
    assert changed == ada | {"title": "Countess", "phone": None, "customFields": {"plan": "pro"}, "tags": []}
    moved = shown(seller("PUT", path, {"address": {"city": None, "postalCode": "N1"}, "ownerId": 1}))
    assert (moved["address"], moved["ownerId"]) == ({"country": "GB", "postalCode": "N1"}, 1)
    for query in ("email=ADA@x.example", "lastName=Lovelace", "ownerId=1"):
        assert [each["id"] for each in shown(seller("GET", f"/api/people?kind=contact&{query}"))] == [ada["id"]]
    assert shown(seller("GET", "/api/people?kind=contact&lastName=Nobody")) == []
    assert seller("DELETE", path).status_code == 204
    assert refused(seller("GET", path)) == (404, "NOT_FOUND")


def test_lists_go_on_from_page_to_page(seller: Browser) -> None:
    ids = [made(seller("POST", "/api/people", {"kind": "lead", "lastName": f"L{n}"}))["id"] for n in range(5)]
    found, after = [], ""
    while True:
        answer = seller("GET", f"/api/people?kind=lead&perPage=2{after}")
        found += [each["id"] for each in shown(answer)]
        if answer.json()["meta"]["after"] is None:
            break
        after = f"&after={answer.json()['meta']['after']}"
    assert found == ids


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"email": "ada"}, "email"),
        ({"timeZone": "Mars/Base"}, "timeZone"),
        ({"ownerId": 1_000_001}, "ownerId"),
        ({"customFields": {"": 1}}, "customFields"),
        ({"customFields": {"a": {"b": {}}}}, "customFields"),
        ({"tags": "vip"}, "tags"),
        ({"address": {"planet": "Mars"}}, "address.planet"),
        ({"firstName": None, "lastName": " ", "email": None}, "lastName"),
        ({"nickname": "A"}, "nickname"),
    ],
)
def test_what_is_wrong_with_a_person_is_named_and_nothing_changes(
    seller: Browser, wrong: dict[str, Any], field: str
) -> None:
    ada = made(seller("POST", "/api/people", ADA))
    assert details(seller("PUT", f"/api/people/contact/{ada['id']}", wrong))["field"] == field
    assert details(seller("POST", "/api/people", ADA | wrong))["field"] == field
    assert shown(seller("GET", "/api/people?kind=contact")) == [ada]


def test_a_list_needs_its_kind_and_knows_no_others(seller: Browser) -> None:
    for query in ("", "?kind=dog", "?kind=lead&perPage=0", "?kind=lead&after=x", "?kind=lead&colour=red"):
        assert refused(seller("GET", f"/api/people{query}")) == (400, "VALIDATION_ERROR"), query
    for path in ("dog/1", "lead/0", "lead/x", "lead/99"):
        assert refused(seller("GET", f"/api/people/{path}")) == (404, "NOT_FOUND"), path


def test_one_sees_to_whom_nothing_may_be_written(seller: Browser, world: World, cast: Cast) -> None:
    ada = made(seller("POST", "/api/people", ADA))
    account_id = cast.us.account.id
    hashed = address_hash(world.hash_key, account_id, "ada@x.example")
    world.database.transact(lambda tx: unsubscribes.suppress(tx, account_id, hashed, Suppression.COMPLAINED, "x"))
    world.database.transact(lambda tx: unsubscribes.mark_undeliverable(tx, account_id, hashed, "550 no such user"))
    now = shown(seller("GET", f"/api/people/contact/{ada['id']}"))
    assert (now["unsubscribed"], now["undeliverable"]) == (True, "550 no such user")


def test_tasks_are_made_listed_completed_and_deleted(seller: Browser, cast: Cast) -> None:
    ada = made(seller("POST", "/api/people", ADA))
    call = made(
        seller(
            "POST",
            "/api/tasks",
            {
                "content": "Call Ada",
                "personKind": "contact",
                "personId": ada["id"],
                "dueAt": "2026-03-03T10:30:00.75+01:00",
            },
        )
    )
    assert (call["dueAt"], call["overdue"], call["ownerId"], call["enrollmentId"]) == (
        *("2026-03-03T09:30:00Z", True, 2, None),
    )
    other = made(seller("POST", "/api/tasks", {"content": "Sharpen pencils", "ownerId": 1}))
    path = f"/api/tasks/{call['id']}"
    assert shown(seller("GET", path)) == call
    for query, ids in (
        ("", [call["id"], other["id"]]),
        ("?overdue=true", [call["id"]]),
        ("?ownerId=1", [other["id"]]),
        (f"?personKind=contact&personId={ada['id']}", [call["id"]]),
        ("?completed=true", []),
    ):
        assert [task["id"] for task in shown(seller("GET", f"/api/tasks{query}"))] == ids, query
    done = shown(seller("PUT", path, {"completed": True, "dueAt": None}))
    assert (done["completed"], done["completedAt"], done["dueAt"], done["overdue"]) == (
        *(True, "2026-03-03T10:00:00Z", None, False),
    )
    assert seller("DELETE", path).status_code == 204
    assert refused(seller("GET", path)) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"content": " "}, "content"),
        ({"ownerId": 1_000_002}, "ownerId"),
        ({"personKind": "lead", "personId": 1_000_001}, "personId"),
        ({"personKind": "lead"}, "personId"),
        ({"dueAt": "2026-03-03T10:00:00"}, "dueAt"),
        ({"dueAt": "9999-12-31T23:59:59-23:00"}, "body"),
    ],
)
def test_what_is_wrong_with_a_task_is_named(seller: Browser, wrong: dict[str, Any], field: str) -> None:
    assert details(seller("POST", "/api/tasks", {"content": "Call"} | wrong))["field"] == field


def test_an_enrollment_is_made_explained_and_finished_and_made_again(seller: Browser, cast: Cast) -> None:
    ada = made(seller("POST", "/api/people", ADA))
    wanted = {"sequenceId": cast.us.letters.id, "personKind": "contact", "personId": ada["id"]}
    enrolled = made(seller("POST", "/api/enrollments", wanted))
    assert (enrolled["state"], enrolled["actorId"], enrolled["sequenceName"]) == ("active", 2, "Two letters")
    assert [step["status"] for step in enrolled["steps"]] == ["scheduled", "scheduled"]
    path = f"/api/enrollments/{enrolled['id']}"
    whole = shown(seller("GET", path))
    assert whole["enrollment"] == enrolled
    assert [told["fact"] for told in whole["history"]] == ["enrolled"]
    assert refused(seller("POST", "/api/enrollments", wanted)) == (409, "ALREADY_EXISTS")
    for query in (
        f"personKind=contact&personId={ada['id']}",
        "actorId=2",
        f"sequenceId={cast.us.letters.id}",
    ):
        assert [each["id"] for each in shown(seller("GET", f"/api/enrollments?{query}"))] == [enrolled["id"]], query
    finished = shown(seller("PUT", path, {"state": "finished"}))
    assert (finished["finishedReason"], finished["finishedActorId"]) == ("manual", 2)
    assert shown(seller("GET", f"/api/enrollments?sequenceId={cast.us.letters.id}")) == []
    assert shown(seller("GET", path))["hold"] is None
    again = made(seller("POST", "/api/enrollments", wanted))
    assert again["id"] != enrolled["id"]
    for state in ("active", "blocked"):
        assert details(seller("PUT", path, {"state": state}))["field"] == "state"


def test_what_is_blocked_says_why_is_found_by_it_and_resumed(
    seller: Browser, cast: Cast, happen: Callable[..., None]
) -> None:
    ada = made(seller("POST", "/api/people", ADA))
    wanted = {"sequenceId": cast.us.letters.id, "personKind": "contact", "personId": ada["id"]}
    id = made(seller("POST", "/api/enrollments", wanted))["id"]
    happen(id, CannotSend(FailureReason.AUTH, "The server refused the login: 535 no."))
    (blocked,) = shown(seller("GET", "/api/enrollments?failureReason=auth"))
    assert (blocked["id"], blocked["failureReason"], blocked["steps"][0]["failureReason"]) == (id, "auth", "auth")
    hold = shown(seller("GET", f"/api/enrollments/{id}"))["hold"]
    assert (hold["reason"], hold["liftedBy"]) == ("auth", "user")
    assert "535 no" in hold["sentence"]
    assert shown(seller("PUT", f"/api/enrollments/{id}", {"state": "active"}))["state"] == "active"
    assert shown(seller("GET", "/api/enrollments?failureReason=auth")) == []


def test_a_reply_that_was_none_is_undone_once(
    seller: Browser, sign_in: Callable[[User], Browser], cast: Cast, happen: Callable[..., None]
) -> None:
    ada = made(seller("POST", "/api/people", ADA))
    wanted = {"sequenceId": cast.us.letters.id, "personKind": "contact", "personId": ada["id"]}
    id = made(seller("POST", "/api/enrollments", wanted))["id"]
    path = f"/api/enrollments/{id}/not-a-reply"
    assert details(seller("POST", path))["field"] == "enrollmentId"
    happen(id, FinishRequested(FinishedReason.REPLIED_TO_EMAIL))
    assert refused(sign_in(cast.rival.owner)("POST", path)) == (404, "NOT_FOUND")
    going_on = made(seller("POST", path))
    assert (going_on["state"], going_on["continuesId"]) == ("active", id)
    whole = shown(seller("GET", f"/api/enrollments/{id}"))
    assert whole["enrollment"]["continuedById"] == going_on["id"]
    assert (whole["history"][-1]["fact"], whole["received"]) == ("continued", [])
    assert refused(seller("POST", path)) == (409, "ALREADY_EXISTS")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"sequenceId": 1_000_001}, "sequenceId"),
        ({"personId": 1_000_001}, "personId"),
        ({"actorId": 1_000_001}, "actorId"),
        ({"personKind": "dog"}, "personKind"),
    ],
)
def test_who_cannot_be_enrolled_is_named(seller: Browser, cast: Cast, wrong: dict[str, Any], field: str) -> None:
    ada = made(seller("POST", "/api/people", ADA))
    wanted = {"sequenceId": cast.us.letters.id, "personKind": "contact", "personId": ada["id"]}
    assert details(seller("POST", "/api/enrollments", wanted | wrong))["field"] == field


def test_without_a_doubt_there_is_nothing_to_decide(seller: Browser, cast: Cast) -> None:
    ada = made(seller("POST", "/api/people", ADA))
    wanted = {"sequenceId": cast.us.letters.id, "personKind": "contact", "personId": ada["id"]}
    id = made(seller("POST", "/api/enrollments", wanted))["id"]
    assert shown(seller("GET", "/api/doubts")) == []
    for decision in ("count_as_sent", "count_as_not_sent", "send_again"):
        answer = seller("POST", f"/api/enrollments/{id}/doubt", {"decision": decision})
        assert refused(answer) == (404, "NOT_FOUND")
    assert details(seller("POST", f"/api/enrollments/{id}/doubt", {"decision": "guess"}))["field"] == "decision"


def test_an_admin_sees_the_account_at_a_glance(owner: Browser, seller: Browser, cast: Cast) -> None:
    ada = made(seller("POST", "/api/people", ADA))
    wanted = {"sequenceId": cast.us.letters.id, "personKind": "contact", "personId": ada["id"]}
    made(seller("POST", "/api/enrollments", wanted))
    status = shown(owner("GET", "/api/status"))
    assert status["sequences"][0] | {"finished": 0} == {
        "id": 1,
        "name": "Two letters",
        "status": "active",
        "active": 1,
        "blocked": 0,
        "finished": 0,
    }
    assert sum(lane["due"] for lane in status["lanes"]) == 1
    assert refused(seller("GET", "/api/status")) == (403, "INSUFFICIENT_PERMISSIONS")
