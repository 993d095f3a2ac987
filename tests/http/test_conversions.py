"""/v2/lead_conversions: a lead becomes a contact; and /v2/sync, which has nothing to tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from drumbeat.domain.happening import StepDue
from drumbeat.testing.cast import Cast
from tests.http.conftest import Api
from tests.http.test_errors import check_sell_error

CONVERSIONS, LEADS, CONTACTS, TASKS = "/v2/lead_conversions", "/v2/leads", "/v2/contacts", "/v2/tasks"
ENROLLMENTS = "/v2/sequence_enrollments"
LENA = {"first_name": "Lena", "last_name": "Lindt", "email": "lena@customer.example", "title": "CEO"}


def lead(api: Api, **fields: Any) -> Any:
    """A new lead of ours."""
    return api("POST", LEADS, {"data": fields}).json()["data"]


def convert(api: Api, id: int, **more: Any) -> Any:
    """The conversion of a lead."""
    answer = api("POST", CONVERSIONS, {"data": {"lead_id": id} | more})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def test_a_lead_with_an_organization_becomes_a_person_in_it(api: Api, cast: Cast) -> None:
    made = lead(
        api,
        **LENA,
        organization_name="Lamps Ltd",
        owner_id=cast.us.owner.id,
        status="Working",
        source_id=3,
        tags=["vip"],
        address={"city": "Hyannis"},
        custom_fields={"seats": 12},
        unqualified_reason_id=4,
    )
    done = convert(api, made["id"], create_deal=False)
    assert done == {
        "id": 1,
        "creator_id": cast.us.seller.id,
        "lead_id": made["id"],
        "individual_id": 2,
        "organization_id": 1,
        "deal_id": None,
        "created_at": "2026-03-03T10:00:00Z",
        "updated_at": "2026-03-03T10:00:00Z",
    }
    assert api("GET", f"{CONVERSIONS}/1").json() == {"data": done, "meta": {"type": "lead_conversion"}}
    person, organization = (api("GET", f"{CONTACTS}/{id}").json()["data"] for id in (2, 1))
    kept = ("title", "email", "owner_id", "tags", "address", "custom_fields")
    assert {name: person[name] for name in kept} == {name: made[name] for name in kept}
    assert (person["name"], person["contact_id"], person["is_organization"]) == ("Lena Lindt", 1, False)
    assert (organization["name"], organization["is_organization"], organization["email"]) == ("Lamps Ltd", True, None)
    assert organization["owner_id"] == cast.us.owner.id
    check_sell_error(api("GET", f"{LEADS}/{made['id']}"), 404, "not_found")


@pytest.mark.parametrize(
    ("fields", "individual", "organization", "name"),
    [
        ({"last_name": "Lindt"}, 1, None, "Lindt"),
        ({"organization_name": "Lamps", "email": "office@lamps.example"}, None, 1, "Lamps"),
    ],
)
def test_a_lead_that_is_only_one_of_them_becomes_that(
    api: Api, cast: Cast, fields: dict[str, str], individual: int | None, organization: int | None, name: str
) -> None:
    done = convert(api, lead(api, **fields)["id"], owner_id=cast.us.owner.id)
    assert (done["individual_id"], done["organization_id"]) == (individual, organization)
    (contact,) = api("GET", CONTACTS).json()["items"]
    shown = contact["data"]
    assert (shown["name"], shown["email"], shown["owner_id"]) == (name, fields.get("email"), cast.us.owner.id)


def test_what_runs_for_a_lead_finishes_and_its_own_tasks_stay(
    api: Api, cast: Cast, happen: Callable[..., None]
) -> None:
    made = lead(api, **LENA)
    whom = {"resource_type": "lead", "resource_id": made["id"]}
    run = api("POST", ENROLLMENTS, {"data": whom | {"sequence_id": cast.us.with_task.id}}).json()["data"]
    happen(run["id"], StepDue())
    own = api("POST", TASKS, {"data": whom | {"content": "Send a card"}}).json()["data"]
    done = convert(api, made["id"])
    ended = api("GET", f"{ENROLLMENTS}/{run['id']}").json()["data"]
    assert (ended["state"], ended["finished_reason"]) == ("finished", "resource_deleted")
    (task,) = api("GET", TASKS).json()["items"]
    shown = task["data"]
    assert (shown["id"], shown["resource_type"], shown["resource_id"]) == (own["id"], "contact", done["individual_id"])


@pytest.mark.parametrize(
    ("sent", "code", "field"),
    [
        ({}, "missing", "/lead_id"),
        ({"lead_id": 99}, "incorrect_value", "/lead_id"),
        ({"lead_id": 1, "owner_id": 99}, "incorrect_value", "/owner_id"),
        ({"lead_id": 1, "create_deal": True}, "incorrect_value", "/create_deal"),
        ({"lead_id": 1, "deal_id": 1}, "unknown", "/deal_id"),
    ],
)
def test_what_is_wrong_is_named_and_the_lead_stays(api: Api, sent: dict[str, Any], code: str, field: str) -> None:
    made = lead(api, **LENA)
    error = check_sell_error(api("POST", CONVERSIONS, {"data": sent}), 422, code)
    assert (error["field"], error["resource"]) == (field, "lead_conversion")
    assert api.ids(LEADS) == [made["id"]]
    assert api.ids(CONTACTS) == []


def test_a_lead_is_converted_once(api: Api) -> None:
    made = lead(api, **LENA)
    convert(api, made["id"])
    check_sell_error(api("POST", CONVERSIONS, {"data": {"lead_id": made["id"]}}), 422, "incorrect_value")


def test_conversions_are_listed_and_filtered(api: Api, cast: Cast) -> None:
    leads = [lead(api, last_name=name)["id"] for name in ("Abe", "Bob", "Cox")]
    first, second, third = (convert(api, id)["id"] for id in leads)
    assert api.ids(CONVERSIONS) == api.ids(f"{CONVERSIONS}?creator_id={cast.us.seller.id}") == [first, second, third]
    assert api.ids(f"{CONVERSIONS}?sort_by=created_at:desc") == [third, second, first]
    assert api.ids(f"{CONVERSIONS}?ids={first},{third}") == [first, third]
    assert api.ids(f"{CONVERSIONS}?lead_id={leads[1]}") == api.ids(f"{CONVERSIONS}?individual_id=2") == [second]
    assert api.ids(f"{CONVERSIONS}?organization_id=1") == api.ids(f"{CONVERSIONS}?deal_id=1") == []
    page = api("GET", f"{CONVERSIONS}?per_page=2").json()
    following = page["meta"]["links"]["next_page"].removeprefix("http://drumbeat.test")
    assert "after=2" in following
    assert api.ids(following) == [third]
    for query in ("sort_by=updated_at", "lead_id=x", "deal_id=x", "name=x"):
        check_sell_error(api("GET", f"{CONVERSIONS}?{query}"), 400, "invalid_param")


def test_a_rival_finds_and_converts_nothing_of_ours(api: Api, rival: Api, cast: Cast) -> None:
    ours, other = lead(api, **LENA), lead(api, last_name="Lodge")
    done = convert(api, other["id"])
    refused = [rival("POST", CONVERSIONS, {"data": {"lead_id": id}}) for id in (ours["id"], 77)]
    assert [answer.status_code for answer in refused] == [422, 422]
    theirs = rival("POST", LEADS, {"data": LENA}).json()["data"]
    taken = rival("POST", CONVERSIONS, {"data": {"lead_id": theirs["id"], "owner_id": cast.us.seller.id}})
    assert taken.status_code == 422
    for id in (done["id"], 77):
        check_sell_error(rival("GET", f"{CONVERSIONS}/{id}"), 404, "not_found")
    assert rival.ids(f"{CONVERSIONS}?ids={done['id']}&lead_id={other['id']}") == []
    assert api.ids(LEADS) == [ours["id"]]


def test_a_synchronization_finds_nothing_new(api: Api) -> None:
    device = {"X-Basecrm-Device-UUID": "6dadcec8-6e61-4691-b318-1aab27b8fecf"}
    started = api("POST", "/v2/sync/start", headers=device)
    assert (started.status_code, started.content) == (204, b"")
    check_sell_error(api("GET", "/v2/sync/29f2aeeb/queues/main", headers=device), 404, "not_found")
    kept = api("POST", "/v2/sync/ack", {"data": {"ack_keys": ["User-1234-1"]}}, headers=device)
    assert (kept.status_code, kept.content) == (202, b"")
    check_sell_error(api("POST", "/v2/sync/ack", {"data": {"ack_keys": 1}}, headers=device), 422, "invalid_type")
    for method, path in (("POST", "start"), ("GET", "1/queues/main"), ("POST", "ack")):
        check_sell_error(api(method, f"/v2/sync/{path}"), 400, "invalid_header")
