"""/v2/leads and /v2/contacts: what is sent is kept and shown, found, changed in parts, and deleted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from drumbeat.testing.cast import Cast
from drumbeat.testing.clock import FrozenClock
from tests.http.conftest import Api
from tests.http.test_errors import check_sell_error

LEADS, CONTACTS, ENROLLMENTS = "/v2/leads", "/v2/contacts", "/v2/sequence_enrollments"
BOTH = pytest.mark.parametrize("path", [LEADS, CONTACTS])
WHOLE = {
    "first_name": "Lena",
    "last_name": "Lindt",
    "title": "CEO",
    "description": "I know her via Tom",
    "industry": "Design Services",
    "website": "www.designservices.com",
    "email": "Lena@customer.example",
    "phone": "508-778-6516",
    "mobile": "508-778-6517",
    "fax": "+44-208-1234567",
    "twitter": "l1",
    "facebook": "l2",
    "linkedin": "l3",
    "skype": "l4",
    "address": {
        "line1": "2726 Smith Street",
        "city": "Hyannis",
        "postal_code": "02601",
        "state": "MA",
        "country": "US",
    },
    "tags": ["important", "lamps"],
    "custom_fields": {"known_via": "Tom", "seats": 12, "vip": True, "colours": ["red", "blue"]},
}
Make = Callable[..., Any]


@pytest.fixture
def make(api: Api) -> Make:
    def new(path: str = LEADS, **fields: Any) -> Any:
        answer = api("POST", path, {"data": {"last_name": "Lindt"} | fields})
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    return new


def change(api: Api, path: str, made: Any, **fields: Any) -> Any:
    """The record after a PUT."""
    answer = api("PUT", f"{path}/{made['id']}", {"data": fields})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


@BOTH
def test_what_is_sent_is_kept_and_shown(api: Api, make: Make, path: str, cast: Cast) -> None:
    made = make(path, **WHOLE)
    assert {name: made[name] for name in WHOLE} == WHOLE
    assert made["owner_id"] == made["creator_id"] == cast.us.seller.id
    assert made["created_at"] == made["updated_at"] == "2026-03-03T10:00:00Z"
    shown = api("GET", f"{path}/{made['id']}").json()
    assert shown == {"data": made, "meta": {"type": path[4:-1]}}
    assert api("GET", path).json()["items"] == [shown]


def test_a_lead_is_new_until_it_is_said_otherwise(api: Api, make: Make) -> None:
    made = make()
    assert made["status"] == "New"
    assert change(api, LEADS, made, status="Working", source_id="7", unqualified_reason_id=3)["status"] == "Working"
    changed = change(api, LEADS, made, status=None)
    assert (changed["status"], changed["source_id"], changed["unqualified_reason_id"]) == ("Working", 7, 3)
    changed = change(api, LEADS, made, source_id=None, unqualified_reason_id=None)
    assert (changed["source_id"], changed["unqualified_reason_id"]) == (None, None)


def test_a_person_and_an_organization_are_contacts(api: Api, make: Make) -> None:
    lamps = make(CONTACTS, is_organization=True, name="Lamps Ltd", last_name=None)
    assert (lamps["name"], lamps["first_name"], lamps["last_name"]) == ("Lamps Ltd", None, None)
    carl = make(CONTACTS, first_name="Carl", contact_id=lamps["id"], customer_status="current", name="Ignored")
    assert (carl["name"], carl["contact_id"], carl["is_organization"]) == ("Carl Lindt", lamps["id"], False)
    assert (carl["customer_status"], carl["prospect_status"]) == ("current", "none")
    assert change(api, CONTACTS, carl, contact_id=None, customer_status=None)["contact_id"] is None
    works = make(CONTACTS, is_organization=True, name="Works", parent_organization_id=lamps["id"])
    assert works["parent_organization_id"] == lamps["id"]


@pytest.mark.parametrize(
    ("path", "sent", "code", "field"),
    [
        (LEADS, {}, "missing", "/last_name"),
        (LEADS, {"first_name": "Lena", "last_name": "  "}, "missing", "/last_name"),
        (LEADS, {"last_name": 5}, "invalid_type", "/last_name"),
        (LEADS, {"last_name": "L" * 256}, "incorrect_value", "/last_name"),
        (LEADS, {"last_name": "a\0b"}, "incorrect_value", "/last_name"),
        (LEADS, {"email": "nobody"}, "incorrect_value", "/email"),
        (LEADS, {"owner_id": 99}, "incorrect_value", "/owner_id"),
        (LEADS, {"is_organization": True}, "unknown", "/is_organization"),
        (LEADS, {"colour": "red"}, "unknown", "/colour"),
        (LEADS, {"tags": "lamps"}, "invalid_type", "/tags"),
        (LEADS, {"tags": [1]}, "invalid_type", "/tags"),
        (LEADS, {"tags": ["lamps", None]}, "invalid_type", "/tags"),
        (LEADS, {"address": "Hyannis"}, "invalid_type", "/address"),
        (LEADS, {"address": {"planet": "Mars"}}, "unknown", "/address"),
        (LEADS, {"address": {"city": 1}}, "invalid_type", "/address"),
        (LEADS, {"custom_fields": []}, "invalid_type", "/custom_fields"),
        (LEADS, {"custom_fields": {"": 1}}, "incorrect_value", "/custom_fields"),
        (LEADS, {"custom_fields": {"a": [[1]]}}, "invalid_type", "/custom_fields"),
        (LEADS, {"custom_fields": {"a": 2**60}}, "invalid_type", "/custom_fields"),
        (CONTACTS, {"last_name": None}, "missing", "/last_name"),
        (CONTACTS, {"last_name": None, "name": "Carl"}, "missing", "/last_name"),
        (CONTACTS, {"is_organization": True}, "missing", "/name"),
        (CONTACTS, {"is_organization": "yes"}, "invalid_type", "/is_organization"),
        (CONTACTS, {"contact_id": 99}, "incorrect_value", "/contact_id"),
        (CONTACTS, {"parent_organization_id": 99}, "incorrect_value", "/parent_organization_id"),
        (CONTACTS, {"customer_status": "lost"}, "incorrect_value", "/customer_status"),
        (CONTACTS, {"organization_name": "Lamps"}, "unknown", "/organization_name"),
    ],
)
def test_a_wrong_attribute_is_named_and_nothing_is_stored(
    api: Api, path: str, sent: dict[str, Any], code: str, field: str
) -> None:
    given = {} if path == LEADS and not sent else {"last_name": "Lindt"} | sent
    error = check_sell_error(api("POST", path, {"data": given}), 422, code)
    assert (error["field"], error["resource"]) == (field, path[4:-1])
    assert api.ids(path) == []


@BOTH
def test_a_whole_record_can_be_sent_back_and_is_then_as_it_was(
    api: Api, make: Make, path: str, clock: FrozenClock
) -> None:
    for made in (make(path, **WHOLE), make(path)):
        clock.advance(timedelta(minutes=1))
        assert change(api, path, made, **made) == made


@BOTH
def test_only_what_is_sent_changes_and_null_takes_away(api: Api, make: Make, path: str, clock: FrozenClock) -> None:
    made = make(path, **WHOLE)
    clock.advance(timedelta(minutes=1))
    changed = change(
        api,
        path,
        made,
        title=None,
        website=None,
        owner_id=None,
        address={"city": "Boston", "line1": None},
        tags=["new", "new", " "],
        custom_fields={"seats": 13, "vip": None},
    )
    assert changed == made | {
        "title": None,
        "website": None,
        "address": WHOLE["address"] | {"city": "Boston", "line1": None},  # type: ignore[operator]
        "tags": ["new"],
        "custom_fields": {"known_via": "Tom", "seats": 13, "colours": ["red", "blue"]},
        "updated_at": "2026-03-03T10:01:00Z",
    }
    nobody = dict.fromkeys(("line1", "city", "postal_code", "state", "country"))
    emptied = change(api, path, made, address=nobody, tags=[], custom_fields={})
    assert (emptied["address"], emptied["tags"], len(emptied["custom_fields"])) == (None, [], 3)
    assert change(api, path, change(api, path, made, address={"city": "X"}), address=None)["address"] is None


@pytest.mark.parametrize(
    ("path", "sent", "field"),
    [
        (LEADS, {"last_name": None}, "/last_name"),
        (CONTACTS, {"last_name": ""}, "/last_name"),
        (CONTACTS, {"is_organization": True, "name": "X"}, "/is_organization"),
        (CONTACTS, {"contact_id": 1}, "/contact_id"),
    ],
)
def test_a_change_that_would_leave_nobody_is_refused(
    api: Api, make: Make, path: str, sent: dict[str, Any], field: str
) -> None:
    made = make(path)
    answer = api("PUT", f"{path}/{made['id']}", {"data": sent})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["error"]["field"] == field
    assert api("GET", f"{path}/{made['id']}").json()["data"] == made


def test_a_contact_without_a_name_may_be_changed(api: Api, cast: Cast) -> None:
    api(
        "POST",
        f"/api/v1/sequences/{cast.us.letters.id}/execute",
        {"contacts": [{"email": "ada@customer.example"}]},
    )
    (made,) = api("GET", CONTACTS).json()["items"]
    assert change(api, CONTACTS, made["data"], **made["data"])["name"] is None
    assert change(api, CONTACTS, made["data"], title="CEO")["title"] == "CEO"


@BOTH
def test_every_filter_finds_exactly_those_who_fit(api: Api, make: Make, path: str, cast: Cast) -> None:
    one = make(path, **WHOLE, owner_id=cast.us.owner.id)
    other = make(path, first_name="Paul", email="paul@customer.example")
    for query in (
        f"ids={one['id']},77",
        f"owner_id={cast.us.owner.id}",
        "first_name=Lena",
        "last_name=Lindt&first_name=Lena",
        "email=LENA@Customer.example",
        "phone=508-778-6516",
        "mobile=508-778-6517",
        "address[city]=Hyannis&address[country]=US",
        "address[postal_code]=02601",
        "custom_fields[known_via]=Tom",
        "custom_fields[seats]=12&custom_fields[vip]=true",
        *(["name=Lena Lindt"] if path == CONTACTS else []),
    ):
        assert api.ids(f"{path}?{query}") == [one["id"]], query
    assert api.ids(f"{path}?creator_id={cast.us.seller.id}&last_name=Lindt") == [one["id"], other["id"]]
    for query in ("email=nobody", "custom_fields[seats]=1", "custom_fields[colours]=red", "first_name=lena", "ids=99"):
        assert api.ids(f"{path}?{query}") == [], query
    change(api, path, one, custom_fields={"seats": 5.0}, address={"city": None})
    assert api.ids(f"{path}?custom_fields[seats]=5") == [one["id"]]
    assert api.ids(f"{path}?address[city]=Hyannis") == []


def test_leads_are_found_by_status_source_and_organization(api: Api, make: Make) -> None:
    one, two = make(status="Working", source_id=3), make(organization_name="Lamps")
    assert api.ids(f"{LEADS}?status=Working&source_id=3") == [one["id"]]
    assert api.ids(f"{LEADS}?status=New") == api.ids(f"{LEADS}?organization_name=Lamps") == [two["id"]]


def test_contacts_are_found_by_name_and_organization(api: Api, make: Make) -> None:
    lamps = make(CONTACTS, is_organization=True, name="Van Lamps", last_name=None)
    carl = make(CONTACTS, first_name="Carl Van", last_name="Lamps", contact_id=lamps["id"])
    alone = make(CONTACTS, last_name="Van Lamps")
    assert api.ids(f"{CONTACTS}?name=Carl Van Lamps") == [carl["id"]]
    assert api.ids(f"{CONTACTS}?name=Van Lamps") == [lamps["id"], alone["id"]]
    assert api.ids(f"{CONTACTS}?is_organization=true") == [lamps["id"]]
    assert api.ids(f"{CONTACTS}?is_organization=false") == [carl["id"], alone["id"]]
    assert api.ids(f"{CONTACTS}?contact_id={lamps['id']}") == [carl["id"]]
    listed = api("GET", f"{CONTACTS}?includes=organization").json()["items"]
    assert [each["data"]["organization"] for each in listed] == [
        None,
        {"data": lamps, "meta": {"type": "contact"}},
        None,
    ]
    assert "organization" not in api("GET", CONTACTS).json()["items"][0]["data"]


@BOTH
@pytest.mark.parametrize(
    "query",
    [
        *("per_page=101", "page=0", "ids=x", "owner_id=me", "sort_by=email", "sort_by=id:up", "nobody=1", "after=x"),
        *("after=1.5", "after=1&sort_by=updated_at", "after=1.5&sort_by=last_name", "address[planet]=Mars"),
        *("first_name=%00", "is_organization=maybe", "includes=owner", "custom_fields=1", "custom_fields[]=1"),
        f"after={2**31}",
    ],
)
def test_an_unacceptable_parameter_is_one_invalid_param(api: Api, path: str, query: str) -> None:
    answer = api("GET", f"{path}?{query}")
    check_sell_error(answer, 400, "invalid_param")
    assert len(answer.json()["errors"]) == 1


@BOTH
@pytest.mark.parametrize(
    ("sort_by", "expected"),
    [
        ("id", [1, 2, 3, 4, 5]),
        ("created_at:desc", [5, 4, 3, 2, 1]),
        ("updated_at", [1, 3, 5, 4, 2]),
        ("updated_at:desc", [2, 4, 5, 3, 1]),
        ("last_name:asc", [3, 5, 1, 4, 2]),
        ("last_name:desc", [2, 4, 1, 5, 3]),
    ],
)
def test_following_next_page_shows_everybody_once_in_every_order(
    api: Api, make: Make, path: str, sort_by: str, expected: list[int], clock: FrozenClock
) -> None:
    made = [make(path, last_name=name) for name in ("Cox", "Zoe", "Abe", "Cox", "Bob")]
    for id in (4, 2):
        clock.advance(timedelta(seconds=1))
        change(api, path, made[id - 1], title="CEO")
    seen: list[int] = []
    link = f"{path}?per_page=2&sort_by={sort_by}"
    while link:
        page = api("GET", link).json()
        seen += [item["data"]["id"] for item in page["items"]]
        next_page = page["meta"]["links"].get("next_page", "")
        query = parse_qs(urlsplit(next_page).query)
        assert not next_page or ("after" in query) is not sort_by.startswith("last_name")
        link = next_page.removeprefix("http://drumbeat.test")
    assert seen == expected
    assert api.ids(f"{path}?per_page=2&page=2&sort_by={sort_by}") == expected[2:4]
    assert api.ids(f"{path}?page=9&sort_by={sort_by}") == []


@BOTH
def test_an_upsert_creates_then_changes_and_refuses_what_fits_several(
    api: Api, make: Make, path: str, clock: FrozenClock
) -> None:
    fits = f"{path}/upsert?custom_fields[external_id]=A1&email=x@customer.example"
    sent = {"last_name": "Lindt", "email": "x@customer.example", "custom_fields": {"external_id": "A1"}}
    made = api("POST", fits, {"data": sent}).json()["data"]
    clock.advance(timedelta(seconds=1))
    changed = api("POST", fits, {"data": {"title": "CEO"}})
    assert changed.status_code == 200
    assert changed.json()["data"] == made | {"title": "CEO", "updated_at": "2026-03-03T10:00:01Z"}
    make(path)
    before = [item["data"] for item in api("GET", path).json()["items"]]
    answer = api("POST", f"{path}/upsert?last_name=Lindt", {"data": {"title": "CTO"}})
    check_sell_error(answer, 409, "conflict")
    assert [item["data"] for item in api("GET", path).json()["items"]] == before


@BOTH
def test_an_upsert_needs_a_filter_and_does_not_copy_it(api: Api, path: str) -> None:
    check_sell_error(api("POST", f"{path}/upsert", {"data": {"last_name": "L"}}), 400, "invalid_param")
    check_sell_error(api("POST", f"{path}/upsert?page=1", {"data": {"last_name": "L"}}), 400, "invalid_param")
    check_sell_error(api("POST", f"{path}/upsert?last_name=L", {"data": {"title": "CEO"}}), 422, "missing")
    assert api.ids(path) == []


@BOTH
def test_deleting_answers_204_and_the_record_is_gone(api: Api, make: Make, path: str) -> None:
    made = make(path, **WHOLE)
    answer = api("DELETE", f"{path}/{made['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    for method, body in (("GET", None), ("PUT", {"data": {"title": "X"}}), ("DELETE", None)):
        check_sell_error(api(method, f"{path}/{made['id']}", body), 404, "not_found")
    assert make(path)["id"] == made["id"] + 1


def test_deleting_a_person_finishes_what_runs_and_removes_the_tasks(api: Api, make: Make, cast: Cast) -> None:
    lena = make(**WHOLE)
    whom = {"resource_type": "lead", "resource_id": lena["id"]}
    run = api("POST", ENROLLMENTS, {"data": whom | {"sequence_id": cast.us.letters.id}}).json()["data"]
    task = api("POST", "/v2/tasks", {"data": whom | {"content": "Call"}}).json()["data"]
    api("DELETE", f"{LEADS}/{lena['id']}")
    ended = api("GET", f"{ENROLLMENTS}/{run['id']}").json()["data"]
    assert (ended["state"], ended["finished_reason"], ended["finished_actor_id"]) == (
        "finished",
        "resource_deleted",
        None,
    )
    assert api("GET", f"/v2/tasks/{task['id']}").status_code == 404


@BOTH
def test_a_new_address_reaches_what_runs(api: Api, make: Make, path: str, cast: Cast) -> None:
    first, second = make(path, email="a@customer.example"), make(path, email="b@customer.example")
    sent = {"sequence_id": cast.us.letters.id, "resource_type": path[4:-1]}
    for each in (first, second):
        assert api("POST", ENROLLMENTS, {"data": sent | {"resource_id": each["id"]}}).status_code == 200
    change(api, path, first, email="b@customer.example")
    (moved, _) = (item["data"] for item in api("GET", ENROLLMENTS).json()["items"])
    action = moved["enrollment_steps"]["items"][0]["data"]["action"]["data"]
    assert (moved["state"], action["failure_reason"]) == ("blocked", "recipient_invalid")
    change(api, path, first, email="c@customer.example")
    assert api("GET", f"{ENROLLMENTS}/{moved['id']}").json()["data"]["state"] == "active"


@BOTH
def test_a_rival_finds_nothing_of_ours(api: Api, rival: Api, make: Make, path: str, cast: Cast) -> None:
    ours = make(path, **WHOLE)
    known, unknown = f"{path}/{ours['id']}", f"{path}/{ours['id'] + 1}"
    for method, body in (("GET", None), ("PUT", {"data": {"title": "X"}}), ("DELETE", None)):
        told, expected = (rival(method, each, body) for each in (known, unknown))
        assert told.status_code == expected.status_code == 404
        details = [answer.json()["errors"][0]["error"]["details"] for answer in (told, expected)]
        assert details[0] == details[1].replace(str(ours["id"] + 1), str(ours["id"]))
    for query in (f"ids={ours['id']}", "email=lena@customer.example", "last_name=Lindt", "custom_fields[seats]=12"):
        assert rival.ids(f"{path}?{query}") == []
    for field, id in (("owner_id", cast.us.seller.id), ("contact_id", ours["id"])):
        if path == CONTACTS or field == "owner_id":
            refused = rival("POST", path, {"data": {"last_name": "X", field: id}})
            assert (refused.status_code, refused.json()["errors"][0]["error"]["field"]) == (422, f"/{field}")
    theirs = rival("POST", f"{path}/upsert?last_name=Lindt", {"data": {"last_name": "Lindt"}}).json()["data"]
    assert theirs["id"] >= 1_000_001
    assert api("GET", known).json()["data"] == ours
