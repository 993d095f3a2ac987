"""Idempotency-Key over HTTP, on the execute API and on v2's POST, raced by real threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest

from drumbeat.domain.access import CredentialKind, Scope
from drumbeat.domain.person import Person
from drumbeat.domain.sequence import SequenceStatus
from drumbeat.store import sequences
from drumbeat.store.statement import Statement
from drumbeat.testing.cast import Cast, add_credential
from drumbeat.testing.clock import FrozenClock
from drumbeat.wiring import World
from tests.http.conftest import Api

EXECUTE, ENROLL = "/api/v1/sequences/1/execute", "/v2/sequence_enrollments"
ADA = {"contacts": [{"email": "ada@customer.example"}]}
BOB = {"contacts": [{"email": "bob@customer.example"}]}
KEY = {"Idempotency-Key": "7d1c-04"}


def status_of(answer: Any) -> str:
    """What became of an execute call's one contact."""
    assert answer.status_code == 200, answer.text
    return str(answer.json()["data"]["results"][0]["status"])


def code_of(answer: Any) -> tuple[int, str]:
    """Status and code of an error of either contract."""
    told = answer.json()
    error = told["error"] if "error" in told else told["errors"][0]["error"]
    return answer.status_code, error["code"]


def finish_all(api: Api) -> None:
    for id in api.ids(ENROLL):
        assert api("PUT", f"{ENROLL}/{id}", {"data": {"state": "finished"}}).status_code == 200


def test_a_repeated_call_gets_the_same_answer_byte_for_byte(api: Api) -> None:
    first = api("POST", EXECUTE, ADA, headers=KEY)
    assert status_of(first) == "queued"
    again = api("POST", EXECUTE, ADA, headers=KEY)
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["content-type"] == first.headers["content-type"]
    assert status_of(api("POST", EXECUTE, ADA)) == "already_enrolled"
    assert len(api.ids(ENROLL)) == 1


def test_v2_s_post_repeated_with_its_key_answers_again_and_without_it_already_exists(
    api: Api, new_lead: Callable[..., Person]
) -> None:
    sent = {"data": {"sequence_id": 1, "resource_type": "lead", "resource_id": new_lead().id}}
    first = api("POST", ENROLL, sent, headers=KEY)
    assert first.status_code == 200
    api("PUT", f"{ENROLL}/{first.json()['data']['id']}", {"data": {"state": "finished"}})
    assert api("POST", ENROLL, sent, headers=KEY).content == first.content
    assert api.ids(ENROLL) == [1]
    other = api("POST", ENROLL, sent | {"meta": {}}, headers=KEY)
    assert code_of(other) == (422, "incorrect_payload")
    assert other.json()["errors"][0]["error"]["message"] == "The Idempotency-Key was used for another request."


def test_the_answer_is_kept_though_everything_else_changed(api: Api, world: World, cast: Cast) -> None:
    first = api("POST", EXECUTE, ADA, headers=KEY)
    world.database.transact(lambda tx: sequences.set_status(tx, cast.us.letters, SequenceStatus.ARCHIVED))
    assert api("POST", EXECUTE, ADA, headers=KEY).content == first.content
    assert code_of(api("POST", EXECUTE, ADA)) == (409, "SEQUENCE_NOT_ACTIVE")


@pytest.mark.parametrize(
    ("path", "sent"), [(EXECUTE, BOB), (EXECUTE.replace("/1/", "/2/"), ADA), (EXECUTE, ADA | {"locationId": 1})]
)
def test_a_key_used_for_another_request_is_422_and_has_no_effect(api: Api, path: str, sent: Any) -> None:
    api("POST", EXECUTE, ADA, headers=KEY)
    assert code_of(api("POST", path, sent, headers=KEY)) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert len(api.ids(ENROLL)) == 1


def test_a_refusal_is_not_kept(api: Api, world: World, cast: Cast) -> None:
    pause, go_on = SequenceStatus.PAUSED, SequenceStatus.ACTIVE
    world.database.transact(lambda tx: sequences.set_status(tx, cast.us.letters, pause))
    assert code_of(api("POST", EXECUTE, ADA, headers=KEY)) == (409, "SEQUENCE_NOT_ACTIVE")
    assert code_of(api("POST", EXECUTE, {"contacts": [{"email": "no"}]}, headers=KEY))[0] == 409
    world.database.transact(lambda tx: sequences.set_status(tx, cast.us.letters, go_on))
    assert status_of(api("POST", EXECUTE, ADA, headers=KEY)) == "queued"


def test_a_key_is_its_credential_s_its_account_s_and_its_route_s(
    api: Api, rival: Api, world: World, cast: Cast, new_lead: Callable[..., Person]
) -> None:
    assert status_of(api("POST", EXECUTE, ADA, headers=KEY)) == "queued"
    scopes = (Scope.SEQUENCES_EXECUTE,)
    other = world.database.transact(lambda tx: add_credential(tx, cast.us.seller, CredentialKind.KEY, scopes))
    assert status_of(Api(api.client, other)("POST", EXECUTE, BOB, headers=KEY)) == "queued"
    theirs = f"/api/v1/sequences/{cast.rival.letters.id}/execute"
    assert status_of(rival("POST", theirs, ADA, headers=KEY)) == "queued"
    sent = {"data": {"sequence_id": 1, "resource_type": "lead", "resource_id": new_lead().id}}
    assert api("POST", ENROLL, sent, headers=KEY).status_code == 200


def test_a_call_repeated_after_48_hours_is_a_new_one(api: Api, clock: FrozenClock) -> None:
    first = api("POST", EXECUTE, ADA, headers=KEY)
    clock.advance(timedelta(hours=48) - timedelta(seconds=1))
    assert api("POST", EXECUTE, ADA, headers=KEY).content == first.content
    clock.advance(timedelta(seconds=1))
    second = api("POST", EXECUTE, ADA, headers=KEY)
    assert status_of(second) == "already_enrolled"
    assert api("POST", EXECUTE, ADA, headers=KEY).content == second.content
    assert code_of(api("POST", EXECUTE, BOB, headers=KEY)) == (422, "IDEMPOTENCY_KEY_REUSED")


@pytest.mark.parametrize("finished", [False, True])
def test_the_same_call_with_another_key_is_already_enrolled_though_finished(
    api: Api, world: World, finished: bool
) -> None:
    api("POST", EXECUTE, ADA, headers=KEY)
    if finished:
        ended = "UPDATE enrollments SET state = 'finished', finished_reason = 'replied_to_email'"
        world.database.transact(lambda tx: tx.run(Statement(ended)))
    assert status_of(api("POST", EXECUTE, ADA, headers={"Idempotency-Key": "another"})) == "already_enrolled"
    assert status_of(api("POST", EXECUTE, ADA, headers=KEY)) == "queued"  # what it was when it was first answered


def test_who_was_finished_by_hand_is_enrolled_again_by_a_new_key_only(api: Api) -> None:
    first = api("POST", EXECUTE, ADA, headers=KEY)
    finish_all(api)
    assert api("POST", EXECUTE, ADA, headers=KEY).content == first.content
    assert len(api.ids(ENROLL)) == 1
    assert status_of(api("POST", EXECUTE, ADA, headers={"Idempotency-Key": "another"})) == "queued"


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("", "Idempotency-Key has 1 to 255 characters."),
        ('""', "Idempotency-Key has 1 to 255 characters."),
        ("x" * 256, "Idempotency-Key has 1 to 255 characters."),
        ('"' + "x" * 256 + '"', "Idempotency-Key has 1 to 255 characters."),
        ("two words", "without quotes, commas and spaces"),
        ("a,b", "without quotes, commas and spaces"),
        ('half"', "without quotes, commas and spaces"),
        ('"half', "without quotes, commas and spaces"),
        ('"a\\b"', "without quotes, commas and spaces"),
        (b"caf\xe9", "without quotes, commas and spaces"),
        ("tab\there", "without quotes, commas and spaces"),
    ],
)
def test_an_unacceptable_key_is_refused_in_each_contract_s_words(api: Api, key: Any, reason: str) -> None:
    refused = api("POST", EXECUTE, ADA, headers={"Idempotency-Key": key})
    assert code_of(refused) == (400, "VALIDATION_ERROR")
    details = refused.json()["error"]["details"]
    assert details["field"] == "Idempotency-Key"
    assert reason in details["reason"]
    sent = {"data": {"sequence_id": 1, "resource_type": "lead", "resource_id": 1}}
    assert code_of(api("POST", ENROLL, sent, headers={"Idempotency-Key": key})) == (400, "invalid_header")
    assert api.ids(ENROLL) == []


def test_a_key_sent_twice_is_refused(api: Api) -> None:
    pairs = [("Authorization", f"Bearer {api.token}"), ("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    refused = api.client.post(EXECUTE, json=ADA, headers=pairs)
    assert code_of(refused) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    "key", ["x" * 255, '"' + "x" * 255 + '"', "!#$%&'()*+-./:;<=>?@[]^_`{|}~", '"with \\" and , "']
)
def test_a_key_of_up_to_255_visible_characters_is_taken(api: Api, key: str) -> None:
    first = api("POST", EXECUTE, ADA, headers={"Idempotency-Key": key})
    assert api("POST", EXECUTE, ADA, headers={"Idempotency-Key": key}).content == first.content


def test_a_key_in_quotes_is_the_key_without_them(api: Api) -> None:
    first = api("POST", EXECUTE, ADA, headers={"Idempotency-Key": '"abc"'})
    assert api("POST", EXECUTE, ADA, headers={"Idempotency-Key": "abc"}).content == first.content


@pytest.mark.parametrize("route", ["execute", "enroll"])
def test_twenty_identical_calls_at_once_have_one_effect_and_one_answer(
    api: Api, new_lead: Callable[..., Person], world: World, route: str
) -> None:
    sent = {"data": {"sequence_id": 1, "resource_type": "lead", "resource_id": new_lead().id}}
    path, body = (EXECUTE, ADA) if route == "execute" else (ENROLL, sent)
    together = Barrier(20)

    def call(_: int) -> tuple[int, bytes]:
        together.wait()
        answer = api("POST", path, body, headers=KEY)
        return answer.status_code, answer.content

    with ThreadPoolExecutor(20) as pool:
        answers = set(pool.map(call, range(20)))
    ((status, _),) = answers
    assert status == 200
    assert len(api.ids(ENROLL)) == 1
    with world.database.read() as snapshot:
        assert len(snapshot.all(Statement("SELECT key_hash FROM kept_answers"))) == 1
