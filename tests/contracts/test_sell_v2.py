"""Every documented answer of the Sell contract, reproduced key for key and type for type."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from drumbeat.domain.calendar import Unit
from drumbeat.domain.happening import Accepted, PointOfNoReturnPassed
from drumbeat.domain.person import Person
from drumbeat.testing.cast import Cast, add_sequence, letter
from drumbeat.wiring import World
from tests.contracts.shapes import shape
from tests.http.conftest import Api
from tests.http.test_people import WHOLE

LIST = "/v2/sequence_enrollments"
DOCUMENTED: dict[str, Any] = json.loads((Path(__file__).parent / "sell_shapes.json").read_text())


def test_create_and_retrieve_and_update(api: Api, cast: Cast, new_lead: Callable[..., Person]) -> None:
    made = _create(api, cast.us.letters.id, new_lead().id)
    assert shape(made) == DOCUMENTED["create"]
    path = f"{LIST}/{made['data']['id']}"
    assert shape(api("GET", path).json()) == DOCUMENTED["retrieve"]
    assert shape(api("PUT", path, {"data": {"state": "finished"}}).json()) == DOCUMENTED["update"]


def _create(api: Api, sequence_id: int, resource_id: int) -> Any:
    sent = {"sequence_id": sequence_id, "resource_type": "lead", "resource_id": resource_id}
    answer = api("POST", LIST, {"data": sent, "meta": {"type": "sequence_enrollment"}})
    assert answer.status_code == 200
    return answer.json()


def test_a_list_after_the_first_letter(
    api: Api, cast: Cast, new_lead: Callable[..., Person], happen: Callable[..., None]
) -> None:
    made = _create(api, cast.us.letters.id, new_lead().id)
    happen(made["data"]["id"], PointOfNoReturnPassed(), Accepted())
    listed = api("GET", LIST).json()
    assert set(listed["meta"]["links"]) == {"self", "first_page"}
    del listed["meta"]["links"]["first_page"]  # optional keys that the documented example does not show
    assert shape(listed) == DOCUMENTED["list"]


def test_finishing_all_and_one(api: Api, cast: Cast, world: World, new_lead: Callable[..., Person]) -> None:
    steps = [letter(0, Unit.WEEKDAYS), letter(5, Unit.WEEKDAYS)]
    other = world.database.transact(lambda tx: add_sequence(tx, cast.us.seller, "Another", steps))
    path = f"{LIST}/finish_ongoing_for_resource"
    lead = new_lead().id
    for documented, sequence_ids in (("finish_one", [other.id]), ("finish_all", [])):
        _create(api, other.id, lead)
        if documented == "finish_all":
            _create(api, cast.us.letters.id, lead)
        sent = {"resource_type": "lead", "resource_id": lead, "sequence_ids": sequence_ids}
        answer = api("POST", path, {"data": sent})
        assert answer.status_code == 200
        assert shape(answer.json()) == DOCUMENTED[documented]


def test_a_whole_lead_contact_task_and_conversion(api: Api) -> None:
    def made(path: str, **sent: Any) -> Any:
        answer = api("POST", path, {"data": sent})
        assert answer.status_code == 200
        return answer.json()

    whole = WHOLE | {"custom_fields": {"known_via": "Tom"}, "tags": ["important"]}
    lead = made("/v2/leads", **whole, organization_name="Lamps Ltd", source_id=3)
    assert shape(lead) == DOCUMENTED["lead"]
    organization = made("/v2/contacts", name="Lamps Ltd", is_organization=True)
    contact = made("/v2/contacts", **whole, contact_id=organization["data"]["id"])
    assert shape(contact) == DOCUMENTED["contact"]
    at = "2014-09-27T16:32:56+00:00"
    task = made("/v2/tasks", content="Call", resource_type="lead", resource_id=1, due_date=at, remind_at=at)
    assert shape(task) == DOCUMENTED["task"]
    assert shape(made("/v2/lead_conversions", lead_id=1)) == DOCUMENTED["lead_conversion"]
    for path in ("leads", "contacts", "tasks", "lead_conversions"):
        page = api("GET", f"/v2/{path}").json()
        assert page["meta"]["count"] == len(page["items"])
        assert all(item["meta"] == {"type": path[:-1]} for item in page["items"])
