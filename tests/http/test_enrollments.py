from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.happening import CannotSend, StepDue
from drumbeat.domain.person import Person
from drumbeat.testing.cast import Cast
from tests.http.conftest import Api

LIST = "/v2/sequence_enrollments"


@pytest.fixture
def enroll(api: Api, cast: Cast, new_lead: Callable[..., Person]) -> Callable[..., Any]:
    def make(email: str = "lena@customer.example", sequence_id: int | None = None) -> Any:
        sent = {
            "sequence_id": sequence_id or cast.us.letters.id,
            "resource_type": "lead",
            "resource_id": new_lead(email).id,
        }
        answer = api("POST", LIST, {"data": sent})
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    return make


def test_creating_answers_200_with_the_enrollment(enroll: Callable[..., Any], cast: Cast) -> None:
    made = enroll()
    assert made["actor_id"] == cast.us.seller.id
    assert made["created_at"] == made["updated_at"] == "2026-03-03T10:00:00Z"
    steps = [step["data"] for step in made["enrollment_steps"]["items"]]
    assert [step["action"]["data"]["estimated_execute_at"] for step in steps] == [
        "2026-03-03T10:00:00Z",
        "2026-03-05T10:00:00Z",
    ]


def test_nulls_and_digits_in_strings_are_fine(api: Api, cast: Cast, new_lead: Callable[..., Person]) -> None:
    sent = {
        "sequence_id": str(cast.us.letters.id),
        "resource_type": "lead",
        "resource_id": str(new_lead().id),
        "actor_id": None,
    }
    answer = api("POST", LIST, {"data": sent, "meta": {"type": "sequence_enrollment"}})
    assert answer.status_code == 200
    assert answer.json()["data"]["resource_id"] == 1


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"sequence_id": 99}, "incorrect_value", "/sequence_id"),
        ({"sequence_id": None}, "missing", "/sequence_id"),
        ({"resource_id": 99}, "incorrect_value", "/resource_id"),
        ({"resource_id": -1}, "incorrect_value", "/resource_id"),
        ({"resource_id": 2**31}, "incorrect_value", "/resource_id"),
        ({"resource_id": 10**30}, "incorrect_value", "/resource_id"),
        ({"resource_id": True}, "invalid_type", "/resource_id"),
        ({"resource_id": 1.5}, "invalid_type", "/resource_id"),
        ({"resource_id": "one"}, "invalid_type", "/resource_id"),
        ({"resource_type": "deal"}, "incorrect_value", "/resource_type"),
        ({"resource_type": ""}, "blank", "/resource_type"),
        ({"resource_type": 5}, "invalid_type", "/resource_type"),
        ({"actor_id": 99}, "incorrect_value", "/actor_id"),
        ({"state": "finished"}, "unknown", "/state"),
        ({"a/b~": 1}, "unknown", "/a~1b~0"),
    ],
)
def test_a_wrong_attribute_is_named(
    api: Api, cast: Cast, new_lead: Callable[..., Person], change: dict[str, Any], code: str, field: str
) -> None:
    good = {"sequence_id": cast.us.letters.id, "resource_type": "lead", "resource_id": new_lead().id}
    answer = api("POST", LIST, {"data": good | change})
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert (error["error"]["code"], error["error"]["field"]) == (code, field)
    assert error["error"]["resource"] == "sequence_enrollment"
    assert error["error"]["details"]


def test_every_missing_attribute_is_named_at_once(api: Api) -> None:
    answer = api("POST", LIST, {"data": {}})
    assert [each["error"]["field"] for each in answer.json()["errors"]] == [
        "/sequence_id",
        "/resource_type",
        "/resource_id",
    ]


def test_enrolling_twice_already_exists(api: Api, enroll: Callable[..., Any]) -> None:
    made = enroll()
    sent = {
        "sequence_id": made["sequence"]["data"]["id"],
        "resource_type": "lead",
        "resource_id": made["resource_id"],
    }
    answer = api("POST", LIST, {"data": sent})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["error"]["code"] == "already_exists"
    assert answer.json()["errors"][0]["error"]["field"] == "/resource_id"


def test_finishing_cancels_what_was_planned_and_stays(api: Api, enroll: Callable[..., Any], cast: Cast) -> None:
    path = f"{LIST}/{enroll()['id']}"
    finished = api("PUT", path, {"data": {"state": "finished"}}).json()["data"]
    assert (finished["state"], finished["finished_reason"]) == ("finished", "manual")
    assert finished["finished_actor_id"] == cast.us.seller.id
    actions = [step["data"]["action"]["data"] for step in finished["enrollment_steps"]["items"]]
    assert [action["status"] for action in actions] == ["cancelled", "cancelled"]
    assert all(action["estimated_execute_at"] is None for action in actions)
    assert api("PUT", path, {"data": {"state": "finished"}}).json()["data"] == finished
    again = api("PUT", path, {"data": {"state": "active"}})
    assert again.status_code == 422
    assert again.json()["errors"][0]["error"]["field"] == "/state"


@pytest.mark.parametrize("data", [{}, {"state": None}, {"state": "active"}])
def test_setting_nothing_or_what_is_changes_nothing(api: Api, enroll: Callable[..., Any], data: dict[str, Any]) -> None:
    made = enroll()
    answer = api("PUT", f"{LIST}/{made['id']}", {"data": data})
    assert answer.status_code == 200
    assert answer.json()["data"] == made


@pytest.mark.parametrize(
    ("data", "code", "field"),
    [
        ({"state": "blocked"}, "incorrect_value", "/state"),
        ({"state": "paused"}, "incorrect_value", "/state"),
        ({"state": 1}, "invalid_type", "/state"),
        ({"id": 7}, "unknown", "/id"),
        ({"finished_at": "2026-03-03T10:00:00Z"}, "unknown", "/finished_at"),
    ],
)
def test_only_the_state_can_be_set(
    api: Api, enroll: Callable[..., Any], data: dict[str, Any], code: str, field: str
) -> None:
    answer = api("PUT", f"{LIST}/{enroll()['id']}", {"data": data})
    assert answer.status_code == 422
    error = answer.json()["errors"][0]["error"]
    assert (error["code"], error["field"]) == (code, field)


def test_finish_ongoing_finishes_only_the_named_sequences(api: Api, enroll: Callable[..., Any], cast: Cast) -> None:
    made = enroll()
    whom = {"resource_type": "lead", "resource_id": made["resource_id"]}
    path = f"{LIST}/finish_ongoing_for_resource"
    other = api("POST", path, {"data": whom | {"sequence_ids": [cast.us.with_task.id]}})
    assert other.json()["data"]["updated_enrollments"]["meta"]["count"] == 0
    done = api("POST", path, {"data": whom | {"sequence_ids": None}}).json()
    assert done["data"]["enrollment_action"] == "finish_ongoing"
    assert [e["data"]["state"] for e in done["data"]["updated_enrollments"]["items"]] == ["finished"]
    again = api("POST", path, {"data": whom | {"sequence_ids": []}}).json()
    assert again["data"]["updated_enrollments"] == {"items": [], "meta": {"type": "collection", "count": 0}}


@pytest.mark.parametrize(
    ("data", "code", "field"),
    [
        ({"resource_type": "lead"}, "missing", "/resource_id"),
        ({"resource_id": 1}, "missing", "/resource_type"),
        ({"resource_type": "lead", "resource_id": 1, "sequence_ids": "1"}, "invalid_type", "/sequence_ids"),
        ({"resource_type": "lead", "resource_id": 1, "sequence_ids": [0]}, "incorrect_value", "/sequence_ids"),
    ],
)
def test_finish_ongoing_needs_a_resource(api: Api, data: dict[str, Any], code: str, field: str) -> None:
    answer = api("POST", f"{LIST}/finish_ongoing_for_resource", {"data": data})
    assert answer.status_code == 422
    error = answer.json()["errors"][0]["error"]
    assert (error["code"], error["field"]) == (code, field)


def test_following_next_page_shows_every_enrollment_once(api: Api, enroll: Callable[..., Any]) -> None:
    ids = [enroll(f"person{n}@customer.example")["id"] for n in range(5)]
    seen, path = [], f"{LIST}?per_page=2"
    while path:
        page = api("GET", path).json()
        seen += [item["data"]["id"] for item in page["items"]]
        links = page["meta"]["links"]
        assert page["meta"]["count"] == len(page["items"])
        query = parse_qs(urlsplit(links["self"]).query)
        assert (query["per_page"], "page" in query) == (["2"], True)
        path = links["next_page"].removeprefix("http://drumbeat.test") if "next_page" in links else ""
    assert seen == ids
    assert "prev_page" in links


def test_a_page_past_the_end_is_empty(api: Api, enroll: Callable[..., Any]) -> None:
    enroll()
    page = api("GET", f"{LIST}?page=9&per_page=100")
    assert page.status_code == 200
    assert page.json()["items"] == []
    assert "next_page" not in page.json()["meta"]["links"]


def test_the_list_is_filtered_and_sorted(api: Api, enroll: Callable[..., Any]) -> None:
    first, second, third = (enroll(f"person{n}@customer.example") for n in range(3))

    def ids(query: str) -> list[int]:
        return [item["data"]["id"] for item in api("GET", f"{LIST}?{query}").json()["items"]]

    assert ids("sort_by=created_at:desc") == [third["id"], second["id"], first["id"]]
    assert ids(f"ids={third['id']},{first['id']},{10**15}") == [first["id"], third["id"]]
    assert ids(f"resource_ids={second['resource_id']}&resource_type=lead") == [second["id"]]
    assert ids("resource_type=contact") == []


@pytest.mark.parametrize(
    "query",
    [
        *("per_page=200", "per_page=0", "page=0", "page=x", "page=1&page=2", "page=%00", "after=-1"),
        *("ids=1,x", "ids=1%0a", "ids=", "resource_type=deal", "sort_by=updated_at", "sort_by=name", "unknown=1"),
        "x" * 3000,
    ],
)
def test_an_unacceptable_parameter_is_one_invalid_param(api: Api, query: str) -> None:
    answer = api("GET", f"{LIST}?{query}")
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["error"]["code"] == "invalid_param"
    assert len(answer.text) < 1500


@pytest.mark.parametrize("id", ["0", "-1", "999999", "99999999999", "abc", "1%00", "%F0%9F%92%A9"])
def test_no_such_id_is_404(api: Api, id: str) -> None:
    for method, body in (("GET", None), ("PUT", {"data": {"state": "finished"}}), ("PUT", {"data": {}})):
        answer = api(method, f"{LIST}/{id}", body)
        assert (answer.status_code, answer.json()["errors"][0]["error"]["code"]) == (404, "not_found")


def test_a_rival_finds_nothing_of_ours(api: Api, rival: Api, cast: Cast, enroll: Callable[..., Any]) -> None:
    made = enroll()
    for method, body in (
        ("GET", None),
        ("PUT", {"data": {}}),
        ("PUT", {"data": {"state": "finished"}}),
        ("PUT", {"data": {"state": "blocked"}}),
    ):
        answer = rival(method, f"{LIST}/{made['id']}", body)
        assert answer.status_code == 404
    assert rival("GET", f"{LIST}?ids={made['id']}&resource_ids={made['resource_id']}").json()["items"] == []
    whom = {"resource_type": "lead", "resource_id": made["resource_id"]}
    finished = rival("POST", f"{LIST}/finish_ongoing_for_resource", {"data": whom}).json()
    assert finished["data"]["updated_enrollments"]["items"] == []
    for theirs in ({"sequence_id": cast.us.letters.id}, {"sequence_id": cast.rival.letters.id}):
        refused = rival("POST", LIST, {"data": whom | theirs | {"actor_id": cast.us.seller.id}})
        assert refused.status_code == 422
    assert api("GET", f"{LIST}/{made['id']}").json()["data"] == made


def test_a_task_shows_its_id_once_it_exists(
    api: Api, enroll: Callable[..., Any], happen: Callable[..., None], cast: Cast
) -> None:
    made = enroll(sequence_id=cast.us.with_task.id)
    before = {"status", "executed_at", "estimated_execute_at", "failure_reason", "task_content"}
    task, mail = _actions(made)
    assert set(task) == before
    assert set(mail) == {"status", "executed_at", "estimated_execute_at", "failure_reason"}
    happen(made["id"], StepDue())
    task, _ = _actions(api("GET", f"{LIST}/{made['id']}").json()["data"])
    assert set(task) == before | {"task_id"}
    assert task["status"] == "in_progress"
    assert task["estimated_execute_at"] == "2026-03-03T22:59:59Z"


def test_a_blocked_enrollment_shows_why_and_can_be_resumed(
    api: Api, enroll: Callable[..., Any], happen: Callable[..., None]
) -> None:
    made = enroll()
    happen(made["id"], CannotSend(FailureReason.MISSING_MERGE_TAGS, "person.title"))
    path = f"{LIST}/{made['id']}"
    blocked = api("GET", path).json()["data"]
    assert blocked["state"] == "blocked"
    assert _actions(blocked)[0]["failure_reason"] == "missing_merge_tags"
    assert _actions(blocked)[0]["estimated_execute_at"] is None
    resumed = api("PUT", path, {"data": {"state": "active"}}).json()["data"]
    assert (resumed["state"], _actions(resumed)[0]["status"]) == ("active", "scheduled")
    assert _actions(resumed)[0]["failure_reason"] is None


def _actions(enrollment: Any) -> list[Any]:
    return [step["data"]["action"]["data"] for step in enrollment["enrollment_steps"]["items"]]
