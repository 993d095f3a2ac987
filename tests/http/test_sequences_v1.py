from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from drumbeat.domain.access import CredentialKind, Scope
from drumbeat.domain.calendar import Unit
from drumbeat.domain.enrollment import FinishedReason
from drumbeat.domain.happening import FinishRequested
from drumbeat.domain.sequence import SequenceStatus, Split
from drumbeat.store import sequences
from drumbeat.testing.cast import Cast, add_credential, add_sequence, letter
from drumbeat.wiring import World
from drumbeat.worker.tending import Tending
from tests.contracts.shapes import shape
from tests.http.conftest import Api

LIST = "/api/v1/sequences"


@pytest.fixture
def key(api: Api, world: World, cast: Cast) -> Api:
    """Calls as an integration that may only read sequences."""
    scopes = (Scope.SEQUENCES_READ,)
    text = world.database.transact(lambda tx: add_credential(tx, cast.us.seller, CredentialKind.KEY, scopes))
    return Api(api.client, text)


def split_in_two(world: World, cast: Cast, share: int = 50) -> int:
    """Makes our sequence an A/B test; returns the id of variant B."""
    steps = [letter(0, Unit.HOURS)]
    b = world.database.transact(lambda tx: add_sequence(tx, cast.us.seller, "Variant B", steps))
    split = replace(cast.us.letters, split=Split(b.id, share))
    world.database.transact(lambda tx: sequences.save(tx, split))
    return b.id


def count(world: World) -> None:
    """What the worker does with what happened."""
    tending = Tending(world)
    while tending.step():
        pass


def test_a_sequence_is_shown_key_for_key_with_its_steps(key: Api, cast: Cast) -> None:
    answer = key("GET", f"{LIST}/{cast.us.with_task.id}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    stamp = "2026-03-03T10:00:00Z"
    assert answer.json()["data"] == {
        "id": cast.us.with_task.id,
        "name": "A call and a letter",
        "status": "active",
        "stepsTotal": 2,
        "abTest": None,
        "createdAt": stamp,
        "updatedAt": stamp,
        "steps": [
            {
                "position": 0,
                "actionType": "task",
                "delayFromPreviousStep": 0,
                "delayFromPreviousStepUnit": "hours",
                "taskContent": "Call and ask about the lamp",
            },
            {
                "position": 1,
                "actionType": "automated_email",
                "delayFromPreviousStep": 1,
                "delayFromPreviousStepUnit": "weekdays",
                "emailTemplateId": 1,
                "isReply": False,
            },
        ],
        "counts": [{"variant": None, "enrolled": 0, "finished": 0, "replied": 0}],
        "countsUpToDate": True,
    }


def test_the_list_is_paged_and_filtered_by_status(key: Api, world: World, cast: Cast) -> None:
    draft = world.database.transact(lambda tx: add_sequence(tx, cast.us.seller, "Draft", [], SequenceStatus.DRAFT))
    told = key("GET", LIST).json()
    assert told["meta"] == {"page": 1, "perPage": 25, "total": 3}
    assert [each["id"] for each in told["data"]] == [cast.us.letters.id, cast.us.with_task.id, draft.id]
    shown = key("GET", f"{LIST}/{draft.id}").json()["data"]
    assert shown["steps"] == []
    assert told["data"][2] == {name: shown[name] for name in told["data"][2]}
    second = key("GET", f"{LIST}?page=2&perPage=2").json()
    assert second["meta"] == {"page": 2, "perPage": 2, "total": 3}
    assert [each["id"] for each in second["data"]] == [draft.id]
    assert key("GET", f"{LIST}?page=9").json() == {"data": [], "meta": {"page": 9, "perPage": 25, "total": 3}}
    active = key("GET", f"{LIST}?status=active").json()
    assert [each["status"] for each in active["data"]] == ["active", "active"]


@pytest.mark.parametrize("query", ["page=0", "perPage=101", "per_page=5", "status=running", "x=1", "page=1&page=2"])
def test_an_unacceptable_parameter_is_a_validation_error(key: Api, query: str) -> None:
    answer = key("GET", f"{LIST}?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize("id", ["999", "0", "-1", "abc", "99999999999"])
def test_no_such_sequence_is_404(key: Api, id: str) -> None:
    answer = key("GET", f"{LIST}/{id}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")


def test_a_rival_sees_nothing_of_ours(key: Api, rival: Api, cast: Cast) -> None:
    theirs = [cast.rival.letters.id, cast.rival.with_task.id]
    assert [each["id"] for each in rival("GET", LIST).json()["data"]] == theirs
    unknown, ours = rival("GET", f"{LIST}/999"), rival("GET", f"{LIST}/{cast.us.letters.id}")
    assert ours.status_code == unknown.status_code == 404
    assert ours.text.replace(str(cast.us.letters.id), "N") == unknown.text.replace("999", "N")
    assert key("GET", f"{LIST}/{theirs[0]}").status_code == 404


@pytest.mark.parametrize(
    ("scopes", "status"),
    [
        ([Scope.SEQUENCES_READ], 200),
        (["sequences:*"], 200),
        (["*"], 200),
        ([Scope.SEQUENCES_EXECUTE], 403),
        ([Scope.READ, Scope.WRITE], 403),
    ],
)
def test_reading_needs_its_scope(api: Api, world: World, cast: Cast, scopes: Any, status: int) -> None:
    text = world.database.transact(lambda tx: add_credential(tx, cast.us.seller, CredentialKind.KEY, scopes))
    for path in (LIST, f"{LIST}/{cast.us.letters.id}"):
        answers = [
            api.client.get(path, headers={"X-API-Key": text}),
            api.client.get(path, headers={"Authorization": f"Bearer {text}"}),
        ]
        assert [answer.status_code for answer in answers] == [status] * 2
        assert api.client.get(path).status_code == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_sequences_are_read_only_here(key: Api, cast: Cast, method: str) -> None:
    assert key(method, f"{LIST}/{cast.us.letters.id}").status_code == 405


def test_each_variant_s_people_are_counted_by_how_they_ended(
    key: Api, api: Api, world: World, cast: Cast, happen: Any
) -> None:
    before = {"contacts": [{"email": "before@customer.example"}]}
    assert api("POST", f"{LIST}/1/execute", before).status_code == 200
    b = split_in_two(world, cast)
    contacts = [{"email": f"person{n}@customer.example"} for n in range(40)]
    results = api("POST", f"{LIST}/1/execute", {"contacts": contacts}).json()["data"]["results"]
    ids = {v: [each["enrollmentId"] for each in results if each["variant"] == v] for v in ("A", "B")}
    assert len(ids["A"]) > 2
    assert len(ids["B"]) > 2
    happen(ids["A"][0], FinishRequested(FinishedReason.REPLIED_TO_EMAIL, None))
    happen(ids["B"][0], FinishRequested(FinishedReason.MANUAL, cast.us.seller.id))
    happen(ids["B"][1], FinishRequested(FinishedReason.REPLIED_TO_EMAIL, None))
    shown = key("GET", f"{LIST}/1").json()["data"]
    assert shown["abTest"] == {"variantBId": b, "share": 50}
    assert shown["countsUpToDate"] is False
    nothing = {"enrolled": 0, "finished": 0, "replied": 0}
    assert shown["counts"] == [{"variant": v} | nothing for v in ("A", "B")]
    count(world)
    shown = key("GET", f"{LIST}/1").json()["data"]
    assert shown["countsUpToDate"] is True
    assert shown["counts"] == [
        {"variant": None, "enrolled": 1, "finished": 0, "replied": 0},
        {"variant": "A", "enrolled": len(ids["A"]), "finished": 1, "replied": 1},
        {"variant": "B", "enrolled": len(ids["B"]), "finished": 2, "replied": 1},
    ]
    assert key("GET", f"{LIST}/{b}").json()["data"]["counts"] == [{"variant": None} | nothing]


def test_a_rival_s_enrollments_are_not_counted_as_ours(key: Api, rival: Api, world: World, cast: Cast) -> None:
    theirs = f"{LIST}/{cast.rival.letters.id}/execute"
    assert rival("POST", theirs, {"contacts": [{"email": "ada@customer.example"}]}).status_code == 200
    assert key("GET", f"{LIST}/1").json()["data"]["countsUpToDate"] is True
    count(world)
    assert key("GET", f"{LIST}/1").json()["data"]["counts"][0]["enrolled"] == 0


def test_the_examples_of_the_reference_have_the_shape_of_real_answers(key: Api, world: World, cast: Cast) -> None:
    split_in_two(world, cast)
    paths = key.client.get("/openapi.json").json()["paths"]
    listed, shown = (
        paths[path]["get"]["responses"]["200"]["content"]["application/json"]["example"]
        for path in (LIST, f"{LIST}/{{id}}")
    )
    real = key("GET", f"{LIST}?perPage=1").json()
    assert shape(listed) == shape(real)
    real = key("GET", f"{LIST}/1").json()
    for each in (real, shown):
        del each["data"]["steps"]
    assert shape(shown) == shape(real)
