from __future__ import annotations

import pytest

from drumbeat.domain.sequence import SequenceStatus
from drumbeat.operations.sequences import set_status
from drumbeat.testing.cast import Cast
from drumbeat.wiring import World
from tests.http.conftest import Api

LIST = "/v2/sequences"


def test_a_sequence_is_shown_key_for_key_with_its_steps(api: Api, cast: Cast) -> None:
    sequence = cast.us.with_task
    shown = api("GET", f"{LIST}/{sequence.id}").json()
    assert shown["meta"] == {"type": "sequence"}
    assert set(shown["data"]) == {
        *("id", "name", "creator_id", "steps_total", "steps", "unsubscribe_settings", "created_at", "updated_at"),
    }
    assert shown["data"]["name"] == "A call and a letter"
    assert shown["data"]["unsubscribe_settings"] == {"enabled": True, "locale": "en-US"}
    steps = shown["data"]["steps"]
    assert steps["meta"] == {"type": "collection", "count": shown["data"]["steps_total"]}
    first = steps["items"][0]
    assert first["meta"] == {"type": "step"}
    assert set(first["data"]) == {
        *("id", "position", "action_type", "delay_from_previous_step", "delay_from_previous_step_unit"),
        "action_properties",
    }
    assert first["data"]["action_type"] == "task"
    assert set(first["data"]["action_properties"]) == {"task_content"}
    assert [step["data"]["position"] for step in steps["items"]] == [0, 1]
    assert len({step["data"]["id"] for step in steps["items"]}) == 2


def test_the_list_holds_what_people_can_be_enrolled_in_or_could_before_a_pause(
    api: Api, world: World, cast: Cast
) -> None:
    letters, with_task = cast.us.letters.id, cast.us.with_task.id
    account_id, owner_id = cast.us.account.id, cast.us.owner.id
    assert api.ids(f"{LIST}?") == [letters, with_task]
    assert api.ids(f"{LIST}?sort_by=name") == [with_task, letters]
    assert api.ids(f"{LIST}?name=CALL") == api.ids(f"{LIST}?ids={with_task},99") == [with_task]
    assert api.ids(f"{LIST}?per_page=1&page=2") == [with_task]
    world.database.transact(lambda tx: set_status(tx, account_id, letters, SequenceStatus.PAUSED, owner_id))
    assert api.ids(f"{LIST}?") == [letters, with_task]
    world.database.transact(lambda tx: set_status(tx, account_id, letters, SequenceStatus.ARCHIVED, owner_id))
    assert api.ids(f"{LIST}?") == [with_task]
    assert api("GET", f"{LIST}/{letters}").status_code == 200


@pytest.mark.parametrize("query", ["name=x&name=y", "sort_by=status", "status=active", "ids="])
def test_an_unacceptable_parameter_is_one_invalid_param(api: Api, query: str) -> None:
    answer = api("GET", f"{LIST}?{query}")
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["error"]["code"] == "invalid_param"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_sequences_are_read_only_here(api: Api, cast: Cast, method: str) -> None:
    assert api(method, f"{LIST}/{cast.us.letters.id}", {"data": {}}).status_code == 405


def test_a_rival_s_sequence_is_not_found(rival: Api, cast: Cast) -> None:
    assert rival("GET", f"{LIST}/{cast.us.letters.id}").status_code == 404
    mine = [item["data"]["id"] for item in rival("GET", LIST).json()["items"]]
    assert not {cast.us.letters.id, cast.us.with_task.id} & set(mine)
