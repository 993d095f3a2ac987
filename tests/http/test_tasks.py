"""/v2/tasks, and what completing and deleting a sequence's task means for its enrollment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from drumbeat.domain.happening import StepDue
from drumbeat.domain.person import Person
from drumbeat.testing.cast import Cast
from drumbeat.testing.clock import FrozenClock
from tests.http.conftest import Api
from tests.http.test_errors import check_sell_error

TASKS, ENROLLMENTS = "/v2/tasks", "/v2/sequence_enrollments"
Make = Callable[..., Any]


@pytest.fixture
def make(api: Api) -> Make:
    def new(**fields: Any) -> Any:
        answer = api("POST", TASKS, {"data": {"content": "Call Lena"} | fields})
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    return new


def change(api: Api, made: Any, **fields: Any) -> Any:
    """The task after a PUT."""
    answer = api("PUT", f"{TASKS}/{made['id']}", {"data": fields})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def test_a_task_is_kept_and_shown_key_for_key(
    api: Api, make: Make, cast: Cast, new_lead: Callable[..., Person]
) -> None:
    made = make(
        resource_type="lead",
        resource_id=str(new_lead().id),
        due_date="2026-03-03T11:30:00.1234567+01:00",
        remind_at="2026-03-04T09:00:00+00:00",
    )
    assert made == {
        "id": 1,
        "creator_id": cast.us.seller.id,
        "owner_id": cast.us.seller.id,
        "resource_type": "lead",
        "resource_id": 1,
        "content": "Call Lena",
        "due_date": "2026-03-03T10:30:00Z",
        "remind_at": "2026-03-04T09:00:00Z",
        "completed": False,
        "completed_at": None,
        "overdue": False,
        "created_at": "2026-03-03T10:00:00Z",
        "updated_at": "2026-03-03T10:00:00Z",
    }
    shown = api("GET", f"{TASKS}/1").json()
    assert shown == {"data": made, "meta": {"type": "task"}}
    assert api("GET", TASKS).json()["items"] == [shown]


def test_nulls_and_what_typed_clients_send_for_nothing_are_nothing(make: Make) -> None:
    unset = "0001-01-01T00:00:00+00:00"
    made = make(resource_type=None, resource_id=None, due_date=unset, remind_at=None, owner_id=None, completed=None)
    assert (made["resource_type"], made["due_date"], made["remind_at"], made["completed"]) == (None, None, None, False)


@pytest.mark.parametrize(
    ("sent", "code", "field"),
    [
        ({"content": None}, "blank", "/content"),
        ({"content": "  "}, "blank", "/content"),
        ({"content": 5}, "invalid_type", "/content"),
        ({"owner_id": 99}, "incorrect_value", "/owner_id"),
        ({"resource_type": "deal", "resource_id": 1}, "incorrect_value", "/resource_type"),
        ({"resource_type": "lead"}, "missing", "/resource_id"),
        ({"resource_id": 1}, "missing", "/resource_type"),
        ({"resource_type": "lead", "resource_id": 99}, "incorrect_value", "/resource_id"),
        ({"due_date": "tomorrow"}, "incorrect_value", "/due_date"),
        ({"due_date": "2026-03-03"}, "incorrect_value", "/due_date"),
        ({"due_date": "2026-03-03T10:00:00"}, "incorrect_value", "/due_date"),
        ({"due_date": "2026-02-30T10:00:00Z"}, "incorrect_value", "/due_date"),
        ({"due_date": "0001-01-01T00:00:00+14:00"}, "incorrect_value", "/due_date"),
        ({"due_date": "9999-12-31T23:00:00-14:00"}, "incorrect_value", "/due_date"),
        ({"due_date": 1772532000}, "invalid_type", "/due_date"),
        ({"completed": "yes"}, "invalid_type", "/completed"),
        ({"colour": "red"}, "unknown", "/colour"),
    ],
)
def test_a_wrong_attribute_is_named_and_nothing_is_stored(
    api: Api, sent: dict[str, Any], code: str, field: str
) -> None:
    answer = api("POST", TASKS, {"data": {"content": "Call"} | sent})
    error = check_sell_error(answer, 422, code)
    assert (error["field"], error["resource"]) == (field, "task")
    assert api.ids(TASKS) == []


def test_a_task_without_content_is_missing_it(api: Api) -> None:
    assert check_sell_error(api("POST", TASKS, {"data": {}}), 422, "missing")["field"] == "/content"


def test_forever_and_other_ways_to_write_an_instant_are_read(make: Make) -> None:
    for written, shown in (
        ("9999-12-31T00:00:00Z", "9999-12-31T00:00:00Z"),
        ("2014-09-27T16:32:56+0000", "2014-09-27T16:32:56Z"),
        ("2014-09-27t16:32:56.5z", "2014-09-27T16:32:56Z"),
        ("2014-09-27 16:32-02:00", "2014-09-27T18:32:00Z"),
    ):
        assert make(due_date=written)["due_date"] == shown


def test_a_whole_task_can_be_sent_back_and_is_then_as_it_was(
    api: Api, make: Make, clock: FrozenClock, new_lead: Callable[..., Person]
) -> None:
    lead = new_lead().id
    for made in (
        make(),
        make(resource_type="lead", resource_id=lead, due_date="2026-03-03T10:00:30Z", completed=True),
    ):
        clock.advance(timedelta(seconds=1))
        assert change(api, made, **made) == made


def test_only_what_is_sent_changes(
    api: Api, make: Make, cast: Cast, clock: FrozenClock, new_lead: Callable[..., Person]
) -> None:
    made = make(resource_type="lead", resource_id=new_lead().id, due_date="2026-03-03T10:00:30Z")
    clock.advance(timedelta(minutes=1))
    changed = change(api, made, owner_id=cast.us.owner.id, resource_type=None, resource_id=None)
    assert changed == made | {
        "owner_id": cast.us.owner.id,
        "resource_type": None,
        "resource_id": None,
        "overdue": True,
        "updated_at": "2026-03-03T10:01:00Z",
    }
    assert change(api, made, due_date=None)["overdue"] is False
    done = change(api, made, completed=True, content="Called")
    assert (done["completed"], done["completed_at"], done["content"]) == (True, "2026-03-03T10:01:00Z", "Called")
    clock.advance(timedelta(minutes=1))
    assert change(api, made, completed=True) == done
    opened = change(api, made, completed=False)
    assert (opened["completed"], opened["completed_at"], opened["updated_at"]) == (False, None, "2026-03-03T10:02:00Z")


def test_every_filter_finds_exactly_the_tasks_that_fit(
    api: Api, make: Make, cast: Cast, clock: FrozenClock, new_lead: Callable[..., Person]
) -> None:
    lead = new_lead().id
    late = make(resource_type="lead", resource_id=lead, due_date="2026-03-03T10:00:01Z", content="100% of it")
    done = make(
        completed=True, owner_id=cast.us.owner.id, remind_at="2026-03-04T10:00:00Z", due_date="2026-03-03T10:00:01Z"
    )
    open_ = make(content="100 of them")
    clock.advance(timedelta(minutes=1))
    for query, expected in {
        f"ids={done['id']},99": [done],
        f"creator_id={cast.us.seller.id}": [late, done, open_],
        f"owner_id={cast.us.owner.id}": [done],
        f"owner_id={cast.us.seller.id}&completed=false": [late, open_],
        "resource_type=lead": [late],
        f"resource_type=lead&resource_id={lead}": [late],
        "resource_type=contact": [],
        "type=floating": [done, open_],
        "type=related": [late],
        "completed=true": [done],
        "completed=false&sort_by=created_at:desc": [open_, late],
        "overdue=true": [late],
        "overdue=false": [done, open_],
        "remind=true": [done],
        "remind=false": [late, open_],
        "q=CALL": [done],
        "q=100%25": [late],
    }.items():
        assert api.ids(f"{TASKS}?{query}") == [task["id"] for task in expected], query


@pytest.mark.parametrize(
    "query", ["type=any", "resource_type=deal", "completed=1", "sort_by=last_name", "owner_id=0", "q=%00", "x=1"]
)
def test_an_unacceptable_parameter_is_one_invalid_param(api: Api, query: str) -> None:
    check_sell_error(api("GET", f"{TASKS}?{query}"), 400, "invalid_param")


@pytest.mark.parametrize(("sort_by", "expected"), [("id:desc", [3, 2, 1]), ("updated_at", [2, 3, 1])])
def test_following_next_page_shows_every_task_once(
    api: Api, make: Make, clock: FrozenClock, sort_by: str, expected: list[int]
) -> None:
    made = [make() for _ in range(3)]
    clock.advance(timedelta(seconds=1))
    change(api, made[0], content="Called")
    seen, link = [], f"{TASKS}?per_page=1&sort_by={sort_by}"
    while link:
        page = api("GET", link).json()
        seen += [item["data"]["id"] for item in page["items"]]
        link = page["meta"]["links"].get("next_page", "").removeprefix("http://drumbeat.test")
    assert seen == expected


@pytest.fixture
def opened(api: Api, cast: Cast, new_lead: Callable[..., Person], happen: Callable[..., None]) -> Any:
    """An enrollment whose first step's task is open."""
    sent = {"sequence_id": cast.us.with_task.id, "resource_type": "lead", "resource_id": new_lead().id}
    made = api("POST", ENROLLMENTS, {"data": sent}).json()["data"]
    happen(made["id"], StepDue())
    return made


def test_completing_a_sequence_s_task_completes_its_step(api: Api, opened: Any) -> None:
    (task,) = (item["data"] for item in api("GET", f"{TASKS}?type=related").json()["items"])
    assert (task["content"], task["due_date"]) == ("Call and ask about the lamp", "2026-03-03T22:59:59Z")
    change(api, task, due_date="2026-03-05T10:00:00Z")
    shown = api("GET", f"{ENROLLMENTS}/{opened['id']}").json()["data"]
    action = shown["enrollment_steps"]["items"][0]["data"]["action"]["data"]
    assert (action["task_id"], action["estimated_execute_at"]) == (task["id"], "2026-03-05T10:00:00Z")
    change(api, task, completed=True)
    shown = api("GET", f"{ENROLLMENTS}/{opened['id']}").json()["data"]
    assert shown["current_step_position"] == 1
    assert shown["enrollment_steps"]["items"][0]["data"]["action"]["data"]["status"] == "completed"
    change(api, task, completed=False)
    assert api("GET", f"{ENROLLMENTS}/{opened['id']}").json()["data"] == shown
    assert api("DELETE", f"{TASKS}/{task['id']}").status_code == 204
    after = api("GET", f"{ENROLLMENTS}/{opened['id']}").json()["data"]
    assert (after["state"], after["current_step_position"]) == ("active", 1)


def test_deleting_a_sequence_s_open_task_finishes_its_enrollment(api: Api, opened: Any) -> None:
    (id,) = api.ids(TASKS)
    answer = api("DELETE", f"{TASKS}/{id}")
    assert (answer.status_code, answer.content) == (204, b"")
    ended = api("GET", f"{ENROLLMENTS}/{opened['id']}").json()["data"]
    assert (ended["state"], ended["finished_reason"]) == ("finished", "task_deleted")
    check_sell_error(api("DELETE", f"{TASKS}/{id}"), 404, "not_found")


def test_a_rival_finds_nothing_of_ours(api: Api, rival: Api, make: Make, cast: Cast, opened: Any) -> None:
    ours = make()
    for method, body in (("GET", None), ("PUT", {"data": {"completed": True}}), ("DELETE", None)):
        told, expected = (rival(method, f"{TASKS}/{id}", body) for id in (ours["id"], 77))
        assert told.status_code == expected.status_code == 404
        details = [answer.json()["errors"][0]["error"]["details"] for answer in (told, expected)]
        assert details[0] == details[1].replace("77", str(ours["id"]))
    assert rival.ids(f"{TASKS}?ids={ours['id']}") == rival.ids(f"{TASKS}?resource_type=lead&resource_id=1") == []
    about_ours = {"content": "X", "resource_type": "lead", "resource_id": opened["resource_id"]}
    for sent, field in ((about_ours, "/resource_id"), ({"content": "X", "owner_id": cast.us.seller.id}, "/owner_id")):
        refused = rival("POST", TASKS, {"data": sent})
        assert (refused.status_code, refused.json()["errors"][0]["error"]["field"]) == (422, field)
    assert api("GET", f"{TASKS}/{ours['id']}").json()["data"] == ours
