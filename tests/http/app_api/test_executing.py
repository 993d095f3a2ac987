"""Execute for contacts that are known: the right result for each, in order, in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from drumbeat.domain.calendar import Unit
from drumbeat.domain.person import PersonKind, address_hash
from drumbeat.domain.sequence import SequenceStatus, Split
from drumbeat.domain.unsubscribe import Suppression
from drumbeat.domain.variant import Variant
from drumbeat.operations.records import PersonFields, add_person
from drumbeat.operations.sequences import change_settings, settings_of
from drumbeat.store import enrollments, sequences, unsubscribes
from drumbeat.store.transaction import Tx
from drumbeat.testing.cast import Cast, add_sequence, letter, task_step
from drumbeat.wiring import World
from tests.http.app_api.test_session import refused
from tests.http.conftest import Browser

EXECUTE = "/api/sequences/1/execute"


@pytest.fixture
def add(world: World, cast: Cast) -> Callable[..., int]:
    """Makes a contact of ours; returns its id."""

    def make(email: str | None, **more: Any) -> int:
        fields = PersonFields(email=email, **({"last_name": "Contact"} | more))
        us = cast.us
        return world.database.transact(
            lambda tx: add_person(tx, world.hash_key, us.account.id, us.seller.id, PersonKind.CONTACT, fields).id
        )

    return make


def results(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]["results"]
    return found


def suppress(world: World, cast: Cast, email: str) -> None:
    account_id = cast.us.account.id
    hashed = address_hash(world.hash_key, account_id, email)
    world.database.transact(
        lambda tx: unsubscribes.suppress(tx, account_id, hashed, Suppression.UNSUBSCRIBED, "a test")
    )


def test_every_contact_gets_the_result_that_is_its_own(
    seller: Browser, world: World, cast: Cast, add: Callable[..., int]
) -> None:
    ada, twin, gone, silent = add("ada@x.example"), add(" ADA@x.example "), add("gone@x.example"), add(None)
    suppress(world, cast, "gone@x.example")
    before = add("before@x.example")
    (enrolled,) = results(seller("POST", EXECUTE, {"contactIds": [before]}))
    answer = seller("POST", EXECUTE, {"contactIds": [ada, twin, gone, silent, before, 99, ada, 1_000_001]})
    shown = results(answer)
    assert [each["status"] for each in shown] == [
        *("queued", "duplicate", "unsubscribed", "invalid", "already_enrolled", "invalid", "duplicate", "invalid"),
    ]
    assert [each["contactId"] for each in shown] == [ada, twin, gone, None, before, None, ada, None]
    assert shown[4]["enrollmentId"] == enrolled["enrollmentId"]
    assert shown[3]["reason"] == "email: The contact has no address, and the sequence sends e-mails."
    assert (shown[5]["reason"], shown[5]["email"]) == ("contactIds: There is no contact 99.", None)
    whole = answer.json()["data"]
    assert (whole["contactsProcessed"], whole["sendingsCreated"], whole["sequenceName"]) == (8, 1, "Two letters")


def test_five_hundred_in_one_call_and_once_more(seller: Browser, add: Callable[..., int]) -> None:
    ids = [add(f"contact{number}@x.example") for number in range(480)]
    asked = [*ids, *range(5000, 5010), *ids[:10]]
    assert len(asked) == 500
    first = results(seller("POST", EXECUTE, {"contactIds": asked}))
    assert Counter(each["status"] for each in first) == {"queued": 480, "invalid": 10, "duplicate": 10}
    again = results(seller("POST", EXECUTE, {"contactIds": asked}))
    assert Counter(each["status"] for each in again) == {"already_enrolled": 480, "invalid": 10, "duplicate": 10}
    assert [e["enrollmentId"] for e in again[:480]] == [e["enrollmentId"] for e in first[:480]]


def test_the_enrollments_act_for_whoever_is_signed_in(
    owner: Browser, world: World, cast: Cast, add: Callable[..., int]
) -> None:
    (result,) = results(owner("POST", EXECUTE, {"contactIds": [add("ada@x.example")]}))
    with world.database.read() as snapshot:
        made = enrollments.get(snapshot, cast.us.account.id, result["enrollmentId"])
    assert made.subject.actor_id == cast.us.owner.id


def test_nobody_who_may_be_enrolled_refuses_the_whole_with_every_result(
    seller: Browser, add: Callable[..., int]
) -> None:
    answer = seller("POST", EXECUTE, {"contactIds": [99, add(None)]})
    assert refused(answer) == (422, "NO_ELIGIBLE_CONTACTS")
    assert [each["status"] for each in answer.json()["error"]["details"]["results"]] == ["invalid", "invalid"]


def test_tasks_need_no_address(seller: Browser, world: World, cast: Cast, add: Callable[..., int]) -> None:
    calls = world.database.transact(lambda tx: add_sequence(tx, cast.us.seller, "Calls", [task_step(0, Unit.HOURS)]))
    path = f"/api/sequences/{calls.id}/execute"
    silent, other = add(None), add(None)
    shown = results(seller("POST", path, {"contactIds": [silent, other, silent]}))
    assert [each["status"] for each in shown] == ["queued", "queued", "duplicate"]
    again = results(seller("POST", path, {"contactIds": [silent]}))
    assert again[0]["status"] == "already_enrolled"


def test_variants_go_by_address_and_stay(seller: Browser, world: World, cast: Cast, add: Callable[..., int]) -> None:
    def split(tx: Tx) -> None:
        us = cast.us
        other = add_sequence(tx, us.seller, "Variant B", [task_step(0, Unit.HOURS)])
        tasks = add_sequence(tx, us.seller, "Variant A", [task_step(0, Unit.HOURS)])
        wanted = replace(settings_of(tasks), split=Split(other.id, 50))
        change_settings(tx, us.account.id, tasks.id, wanted, us.owner.id)

    world.database.transact(split)
    with world.database.read() as snapshot:
        (a,) = [each for each in sequences.list_all(snapshot, cast.us.account.id) if each.name == "Variant A"]
    ids = [add(f"c{number}@x.example") for number in range(30)]
    shown = results(seller("POST", f"/api/sequences/{a.id}/execute", {"contactIds": [*ids, add(None)]}))
    assert {each["variant"] for each in shown[:30]} == {Variant.A, Variant.B}
    assert (shown[30]["status"], shown[30]["variant"]) == ("queued", None)


def test_what_cannot_run_is_refused_as_a_whole(
    seller: Browser, world: World, cast: Cast, add: Callable[..., int]
) -> None:
    us = cast.us

    def make(tx: Tx) -> tuple[int, int]:
        paused = add_sequence(tx, us.seller, "Paused", [letter(0, Unit.HOURS)], SequenceStatus.PAUSED)
        return paused.id, add_sequence(tx, us.seller, "Empty", []).id

    paused, empty = world.database.transact(make)
    body = {"contactIds": [add("ada@x.example")]}
    assert refused(seller("POST", f"/api/sequences/{paused}/execute", body)) == (409, "SEQUENCE_NOT_ACTIVE")
    assert refused(seller("POST", f"/api/sequences/{empty}/execute", body)) == (409, "SEQUENCE_EMPTY")
    for unknown in (99, cast.rival.letters.id):
        assert refused(seller("POST", f"/api/sequences/{unknown}/execute", body)) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "contactIds"),
        ({"contactIds": []}, "contactIds"),
        ({"contactIds": list(range(1, 502))}, "contactIds"),
        ({"contactIds": ["1"]}, "contactIds[0]"),
        ({"contactIds": [1], "other": 1}, "other"),
    ],
)
def test_what_is_wrong_with_the_body_is_named(seller: Browser, body: Any, field: str) -> None:
    answer = seller("POST", EXECUTE, body)
    assert refused(answer) == (400, "VALIDATION_ERROR")
    assert answer.json()["error"]["details"]["field"] == field
