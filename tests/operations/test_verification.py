"""`verify` finds every way in which the tables may contradict each other, and nothing where they do not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from drumbeat.domain.enrollment import State
from drumbeat.operations.dispatch import claim
from drumbeat.operations.verification import Breach, verify_account
from drumbeat.store.database import Database
from drumbeat.store.verification import RULES, missing_indexes
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter, task
from drumbeat.testing.sink import CUT, At, Do
from tests.operations.office import TOKEN, Office, opened

WAITS, DOUBTFUL, FINISHED, BLOCKED, AT_A_TASK, CLAIMED, LONG_FINISHED = range(1, 8)


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """An office with an enrollment in every situation."""
    with opened(database, clock, tmp_path) as office:
        steps = {
            "Waits": [letter(), letter("48 hours")],
            "Doubtful": [letter()],
            "Finished": [letter()],
            "Blocked": [letter()],
            "Busy": [task()],
            "Claimed": [letter("2 hours")],
            "Long": [letter(), letter("1 hours")],
        }
        for name, each in steps.items():
            office.enroll(office.house.sequence(*each, name=name), office.house.person(name))
            office.sink.script = {
                "Doubtful": {At.DOT: CUT},
                "Blocked": {At.RCPT: Do(reply="550 5.1.1 no such user")},
            }.get(name, {})
            office.work()
        office.later(hours=1)
        house = office.house
        office.clock.advance(timedelta(hours=1))
        office.transact(
            lambda tx: claim(tx, house.world.identity, house.account_id, house.mailbox_id, limit=9, token=TOKEN)
        )
        assert office.house.enrollment(BLOCKED).state is State.BLOCKED
        assert office.delivered(CLAIMED) == ["claimed"]
        yield office


def broken(office: Office) -> set[Breach]:
    return {breach for part in verify_account(office.database, office.house.account_id) for breach in part.breaches}


def test_where_everything_fits_nothing_is_found(office: Office) -> None:
    assert broken(office) == set()
    assert [part.enrollments for part in verify_account(office.database, office.house.account_id)] == [LONG_FINISHED]


DAMAGE = {
    "runs, and nobody will look at it": ("DELETE FROM due WHERE enrollment_id = 1", WAITS),
    "has finished, and is still looked at": (
        "INSERT INTO due (account_id, enrollment_id, lane_id, attempt) VALUES (1, 3, 1, 0)",
        FINISHED,
    ),
    "waits for no instant": ("UPDATE due SET due_at = NULL WHERE enrollment_id = 1", WAITS),
    "is blocked, and due": ("UPDATE due SET due_at = 1 WHERE enrollment_id = 4", BLOCKED),
    "is in doubt about no letter": ("UPDATE deliveries SET status = 'refused' WHERE enrollment_id = 2", DOUBTFUL),
    "has a doubt that nobody is told of": ("UPDATE enrollments SET in_doubt = FALSE WHERE id = 2", DOUBTFUL),
    "sends a letter that is nowhere": ("UPDATE enrollments SET status = 'in_progress' WHERE id = 1", WAITS),
    "waits while its letter is out": (
        "UPDATE deliveries SET status = 'transmitting' WHERE enrollment_id = 6",
        CLAIMED,
    ),
    "has two letters for one step": (
        "INSERT INTO deliveries (account_id, enrollment_id, position, attempt, status, mailbox_id, address_hash,"
        " frozen, composer, claimed_at) SELECT account_id, enrollment_id, position, attempt + 1, 'queued', mailbox_id,"
        " address_hash, frozen, composer, claimed_at FROM deliveries WHERE enrollment_id = 2",
        DOUBTFUL,
    ),
    "had a letter accepted whose step is not completed": ("DELETE FROM actions WHERE enrollment_id = 3", FINISHED),
    "completed a letter's step that no server accepted": (
        "UPDATE deliveries SET status = 'refused' WHERE enrollment_id = 3",
        FINISHED,
    ),
    "completed its steps out of order": ("UPDATE actions SET position = 1 WHERE enrollment_id = 3", FINISHED),
    "completed a step before the one before it": (
        "UPDATE actions SET executed_at = executed_at - 7200000000 WHERE enrollment_id = 7 AND position = 1",
        LONG_FINISHED,
    ),
    "has a letter that left after its end": (
        "UPDATE enrollments SET finished_at = finished_at - 600000000 WHERE id = 3",
        FINISHED,
    ),
    "tells its beginning or its end not once": (
        "DELETE FROM events WHERE enrollment_id = 3 AND fact = 'finished'",
        FINISHED,
    ),
    "is held by a worker that holds no letter of it": (
        "UPDATE due SET lease_until = 1, lease_token = 'nobody' WHERE enrollment_id = 1",
        WAITS,
    ),
    "was left behind by a worker, and not reaped: does a worker run?": (
        "UPDATE deliveries SET lease_until = 1 WHERE enrollment_id = 6",
        CLAIMED,
    ),
    "waits in a lane that sleeps too long": ("UPDATE lanes SET wake_at = NULL", WAITS),
    "waits for a task that is not open": ("UPDATE tasks SET completed_at = 1", AT_A_TASK),
}


@pytest.mark.parametrize("rule", RULES)
def test_what_does_not_fit_is_named(office: Office, rule: str) -> None:
    damage, enrollment_id = DAMAGE[rule]
    office.run(damage)
    assert Breach(office.house.account_id, rule, (enrollment_id,)) in broken(office)


def test_another_account_s_damage_is_its_own(office: Office) -> None:
    office.run("DELETE FROM due WHERE enrollment_id = 1")
    assert list(verify_account(office.database, office.house.account_id + 1)) == []


def test_a_lost_index_is_named(office: Office) -> None:
    assert missing_indexes(office.database) == []
    office.run("DROP INDEX uq_deliveries_out")
    assert missing_indexes(office.database) == ["uq_deliveries_out"]
