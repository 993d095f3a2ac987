from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from drumbeat.domain.account import UserStatus
from drumbeat.domain.calendar import Unit
from drumbeat.domain.person import PersonKind, address_hash
from drumbeat.domain.sequence import SequenceStatus, Split
from drumbeat.domain.unsubscribe import Suppression
from drumbeat.operations.unsubscribes import suppress
from drumbeat.store import accounts, enrollments, people, sequences
from drumbeat.store.statement import Statement
from drumbeat.testing.cast import Cast, add_sequence, letter
from drumbeat.wiring import World
from tests.http.conftest import Api

ADA, BOB = {"email": "ada@customer.example", "firstName": "Ada"}, {"email": "bob@customer.example"}


@pytest.fixture
def execute(api: Api, cast: Cast) -> Callable[..., Any]:
    def call(contacts: Any, sequence_id: object = None, **more: Any) -> Any:
        id = cast.us.letters.id if sequence_id is None else sequence_id
        return api("POST", f"/api/v1/sequences/{id}/execute", {"contacts": contacts} | more)

    return call


def test_every_contact_gets_its_result_in_order(execute: Callable[..., Any], cast: Cast) -> None:
    contacts = [ADA, {"email": "nobody"}, {"email": " ADA@customer.example"}, BOB | {"phone": "+15550100123"}]
    answer = execute(contacts, locationId=5, employeeId=None)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    done = answer.json()["data"]
    results = done.pop("results")
    assert done == {
        "sequenceId": cast.us.letters.id,
        "sequenceName": "Two letters",
        "contactsProcessed": 4,
        "sendingsCreated": 2,
    }
    assert [each["status"] for each in results] == ["queued", "invalid", "duplicate", "queued"]
    assert results[0] == {
        "email": "ada@customer.example",
        "contactId": 1,
        "enrollmentId": 1,
        "variant": None,
        "status": "queued",
    }
    assert results[1]["reason"].startswith("email: ")
    again = execute([ADA]).json()["data"]
    assert again["sendingsCreated"] == 0
    assert again["results"][0] == results[0] | {"status": "already_enrolled"}


@pytest.mark.parametrize(
    ("sent", "field", "reason"),
    [
        ({}, "contacts", "Send contacts."),
        ({"contacts": []}, "contacts", "Send 1 to 100 contacts."),
        ({"contacts": [BOB] * 101}, "contacts", "Send 1 to 100 contacts."),
        ({"contacts": None}, "contacts", "Expected a list, got null."),
        ({"contacts": [{"firstName": "Ada"}]}, "contacts[0].email", "Send contacts[0].email."),
        ({"contacts": [ADA, {"email": 5}]}, "contacts[1].email", "Expected text, got a number."),
        ({"contacts": [ADA | {"lastName": "x" * 256}]}, "contacts[0].lastName", "Send at most 255 characters."),
        ({"contacts": [ADA | {"lastName": "nul\0"}]}, "contacts[0].lastName", "Text must not hold the character NUL."),
        ({"contacts": [ADA | {"title": "Dr"}]}, "contacts[0].title", "There is no field contacts[0].title."),
        ({"contacts": [ADA], "force": True}, "force", "There is no field force."),
        (
            {"contacts": [ADA | {"a` - at `$x": 1}]},
            "contacts[0].a` - at `$x",
            "There is no field contacts[0].a` - at `$x.",
        ),
        ([], "body", "Expected an object, got a list."),
    ],
)
def test_an_unacceptable_body_names_the_field_and_the_fix(api: Api, sent: Any, field: str, reason: str) -> None:
    answer = api("POST", "/api/v1/sequences/1/execute", sent)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == "VALIDATION_ERROR"
    assert error["details"]["field"].removesuffix("[...]") == field
    assert error["details"]["reason"] == reason


def test_a_hundred_contacts_are_taken(execute: Callable[..., Any]) -> None:
    contacts = [{"email": f"person{n}@customer.example"} for n in range(100)]
    assert execute(contacts).json()["data"]["sendingsCreated"] == 100


def test_a_body_that_is_no_json_is_a_validation_error(api: Api) -> None:
    path, headers = "/api/v1/sequences/1/execute", {"Content-Type": "application/json"}
    broken = api("POST", path, content=b"{", headers=headers)
    assert (broken.status_code, broken.json()["error"]["code"]) == (400, "VALIDATION_ERROR")
    large = api("POST", path, content=b" " * 1_000_001, headers=headers)
    assert (large.status_code, large.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize("id", ["999", "0", "-1", "abc", "99999999999"])
def test_no_such_sequence_is_404(execute: Callable[..., Any], id: str) -> None:
    answer = execute([ADA], id)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")


def test_a_rival_s_sequence_is_404(api: Api, rival: Api, cast: Cast) -> None:
    for caller, theirs in ((rival, cast.us), (api, cast.rival)):
        answer = caller("POST", f"/api/v1/sequences/{theirs.letters.id}/execute", {"contacts": [ADA]})
        assert answer.status_code == 404


def test_a_sequence_that_cannot_run_is_409(execute: Callable[..., Any], world: World, cast: Cast) -> None:
    steps = [letter(0, Unit.HOURS)]
    for name, published, status, code in (
        ("draft", steps, SequenceStatus.DRAFT, "SEQUENCE_NOT_ACTIVE"),
        ("paused", steps, SequenceStatus.PAUSED, "SEQUENCE_NOT_ACTIVE"),
        ("empty", [], SequenceStatus.ACTIVE, "SEQUENCE_EMPTY"),
    ):
        made = world.database.transact(
            lambda tx, n=name, p=published, s=status: add_sequence(tx, cast.us.seller, n, p, s)
        )
        answer = execute([ADA], made.id)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, code)


def test_switched_off_sequences_are_409_here_and_403_on_v2(
    execute: Callable[..., Any], api: Api, world: World, cast: Cast
) -> None:
    off = replace(cast.us.account, sequences_enabled=False)
    world.database.transact(lambda tx: accounts.save_account(tx, off))
    answer = execute([ADA])
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "SEQUENCES_DISABLED")
    sent = {"sequence_id": 1, "resource_type": "lead", "resource_id": 1}
    assert api("POST", "/v2/sequence_enrollments", {"data": sent}).status_code == 403


def test_nobody_eligible_is_422_and_nothing_is_written(
    execute: Callable[..., Any], world: World, cast: Cast, api: Api
) -> None:
    gone = address_hash(world.hash_key, cast.us.account.id, "ada@customer.example")
    cause = Suppression.UNSUBSCRIBED
    world.database.transact(lambda tx: suppress(tx, cast.us.account.id, gone, cause, evidence="test"))
    answer = execute([ADA, ADA, {"email": "nobody"}])
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "NO_ELIGIBLE_CONTACTS"
    assert [each["status"] for each in error["details"]["results"]] == ["unsubscribed", "duplicate", "invalid"]
    assert execute([ADA, BOB]).json()["data"]["results"][1]["contactId"] == 1
    assert len(api("GET", "/v2/sequence_enrollments").json()["items"]) == 1


def test_a_hundred_mixed_contacts_get_each_its_result_in_one_transaction(
    execute: Callable[..., Any], world: World, cast: Cast
) -> None:
    running = [{"email": f"runs{n}@customer.example"} for n in range(20)]
    ids = [each["enrollmentId"] for each in execute(running).json()["data"]["results"]]
    for n in range(20):
        gone = address_hash(world.hash_key, cast.us.account.id, f"out{n}@customer.example")
        with world.database.write() as tx:
            suppress(tx, cast.us.account.id, gone, Suppression.UNSUBSCRIBED, evidence="test")
    kinds = [
        ("queued", lambda n: {"email": f"new{n}@customer.example"}),
        ("already_enrolled", lambda n: {"email": f" RUNS{n}@Customer.EXAMPLE "}),
        ("unsubscribed", lambda n: {"email": f"Out{n}@customer.example"}),
        ("invalid", lambda n: {"email": f"nobody{n}"} if n % 2 else {"email": f"x{n}@customer.example", "phone": "12"}),
        ("duplicate", lambda n: {"email": f"NEW{n}@customer.example"}),
    ]
    sent = [make(n) for n in range(20) for _, make in kinds]
    done = execute(sent).json()["data"]
    assert (done["contactsProcessed"], done["sendingsCreated"]) == (100, 20)
    assert [each["status"] for each in done["results"]] == [status for status, _ in kinds] * 20
    assert [each["email"] for each in done["results"]] == [each["email"] for each in sent]
    assert [each["enrollmentId"] for each in done["results"][1::5]] == ids
    assert all("reason" in each for each in done["results"][3::5])
    with world.database.read() as snapshot:
        found = [enrollments.get(snapshot, cast.us.account.id, r["enrollmentId"]) for r in done["results"][0::5]]
        assert len({(e.created_at, e.subject.resource_id) for e in found}) == 20
        assert snapshot.all(Statement("SELECT count(*) FROM people"))[0][0] == 40
        assert snapshot.all(Statement("SELECT count(*) FROM outbox"))[0][0] == 2  # one for each of the two calls


def test_e_mail_and_phone_are_stored_in_their_normal_form(
    execute: Callable[..., Any], world: World, cast: Cast
) -> None:
    sent = {"email": "  Ada@CUSTOMER.Example ", "phone": "+49 (0)30 901820", "firstName": " Ada ", "lastName": ""}
    (result,) = execute([sent]).json()["data"]["results"]
    with world.database.read() as snapshot:
        ada = people.get(snapshot, cast.us.account.id, PersonKind.CONTACT, result["contactId"])
    assert (ada.email, ada.phone) == ("Ada@customer.example", "+4930901820")
    assert (ada.first_name, ada.last_name) == ("Ada", None)
    filled = execute([{"email": "ada@customer.example", "lastName": "Lovelace", "firstName": "Augusta"}])
    assert filled.json()["data"]["results"][0]["contactId"] == ada.id
    with world.database.read() as snapshot:
        ada = people.get(snapshot, cast.us.account.id, PersonKind.CONTACT, ada.id)
    assert (ada.first_name, ada.last_name) == ("Ada", "Lovelace")


def test_an_archived_sequence_is_409(execute: Callable[..., Any], world: World, cast: Cast) -> None:
    world.database.transact(lambda tx: sequences.set_status(tx, cast.us.letters, SequenceStatus.ARCHIVED))
    answer = execute([ADA])
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "SEQUENCE_NOT_ACTIVE")


@pytest.mark.parametrize(
    ("published", "status"), [([letter(0, Unit.HOURS)], SequenceStatus.PAUSED), ([], SequenceStatus.ACTIVE)]
)
def test_an_a_b_test_whose_b_cannot_run_is_409_and_takes_nobody(
    execute: Callable[..., Any], api: Api, world: World, cast: Cast, published: Any, status: SequenceStatus
) -> None:
    b = world.database.transact(lambda tx: add_sequence(tx, cast.us.seller, "B", published, status))
    split = replace(cast.us.letters, split=Split(b.id, 1))
    world.database.transact(lambda tx: sequences.save(tx, split))
    answer = execute([ADA, BOB])
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "VARIANT_UNAVAILABLE")
    assert api.ids("/v2/sequence_enrollments") == []


def test_an_a_b_test_tells_each_person_s_variant_and_keeps_it(
    execute: Callable[..., Any], api: Api, world: World, cast: Cast
) -> None:
    b = world.database.transact(lambda tx: add_sequence(tx, cast.us.seller, "B", [letter(0, Unit.HOURS)]))
    world.database.transact(lambda tx: sequences.save(tx, replace(cast.us.letters, split=Split(b.id, 30))))
    contacts = [{"email": f"person{n}@customer.example"} for n in range(100)]
    first = execute(contacts).json()["data"]["results"]
    assert {each["variant"] for each in first} == {"A", "B"}
    again = execute(contacts).json()["data"]["results"]
    assert again == [each | {"status": "already_enrolled"} for each in first]
    shown = {each["data"]["id"]: each["data"]["sequence"]["data"] for each in _all_enrollments(api)}
    for each in first:
        sequence = shown[each["enrollmentId"]]
        assert sequence["id"] == cast.us.letters.id
        assert sequence["steps_total"] == {"A": 2, "B": 1}[each["variant"]]


def _all_enrollments(api: Api) -> list[Any]:
    return list(api("GET", "/v2/sequence_enrollments?per_page=100").json()["items"])


def test_a_default_actor_who_left_is_replaced_by_the_caller(
    execute: Callable[..., Any], world: World, cast: Cast
) -> None:
    gone = replace(cast.us.owner, status=UserStatus.INACTIVE)
    world.database.transact(lambda tx: accounts.save_user(tx, gone))
    world.database.transact(lambda tx: sequences.save(tx, replace(cast.us.letters, default_actor_id=gone.id)))
    (result,) = execute([ADA]).json()["data"]["results"]
    with world.database.read() as snapshot:
        made = enrollments.get(snapshot, cast.us.account.id, result["enrollmentId"])
    assert made.subject.actor_id == cast.us.seller.id
