from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from msgspec import structs

from drumbeat.domain.calendar import Window
from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import ActionStatus, Done, FinishedReason, State
from drumbeat.domain.errors import NotFound
from drumbeat.domain.person import PersonKind
from drumbeat.domain.sequence import SequenceStatus
from drumbeat.domain.variant import Variant
from drumbeat.store import accounts, actions, enrollment_pages, enrollments, sequences
from drumbeat.store.stamps import to_stamp
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import BrokenRule, Tx
from tests.store.tenants import Tenant, enrolled, sequence

LEAD, CONTACT = PersonKind.LEAD, PersonKind.CONTACT
_BIND = Statement("UPDATE enrollments SET mailbox_id = :mailbox_id WHERE account_id = :account_id AND id = :id")


class TestKeeping:
    def test_every_field_comes_back_as_it_was_saved(self, tx: Tx, us: Tenant) -> None:
        began = enrolled(tx, us, variant=Variant.B, recipient_zone="Asia/Tokyo", zone="Europe/Berlin")
        later = tx.now + timedelta(hours=3)
        changed = structs.replace(
            began,
            state=State.FINISHED,
            position=2,
            status=ActionStatus.CANCELLED,
            anchor_at=later,
            ready_at=later,
            failure_reason=FailureReason.AUTH,
            failure_detail="535 “no” 100 %",
            in_doubt=True,
            task_id=9,
            finished_at=later,
            finished_reason=FinishedReason.MANUAL,
            finished_actor_id=us.owner_id,
            revision=7,
            updated_at=later,
        )
        assert enrollments.save(tx, us.account_id, [(changed, 0)]) == {1}
        assert enrollments.get(tx, us.account_id, 1) == changed

    def test_one_that_somebody_changed_meanwhile_is_left_out(self, tx: Tx, us: Tenant) -> None:
        first, second = enrolled(tx, us, 1), enrolled(tx, us, 2)
        enrollments.save(tx, us.account_id, [(structs.replace(first, revision=1), 0)])
        stale = structs.replace(first, revision=1, state=State.BLOCKED)
        assert enrollments.save(tx, us.account_id, [(stale, 0), (structs.replace(second, revision=1), 0)]) == {2}
        assert enrollments.get(tx, us.account_id, 1).state is State.ACTIVE

    def test_one_that_is_not_there_is_not_found(self, tx: Tx, us: Tenant) -> None:
        with pytest.raises(NotFound, match="no enrollment 404"):
            enrollments.get(tx, us.account_id, 404)

    def test_it_knows_whether_its_sequence_is_paused(self, tx: Tx, us: Tenant) -> None:
        enrolled(tx, us)
        assert not enrollments.get(tx, us.account_id, 1).plan.paused
        sequences.set_status(tx, us.sequence, SequenceStatus.PAUSED)
        assert enrollments.get(tx, us.account_id, 1).plan.paused

    def test_its_tasks_are_due_by_the_clock_of_its_actor_and_else_of_the_account(self, tx: Tx, us: Tenant) -> None:
        enrolled(tx, us)
        assert enrollments.get(tx, us.account_id, 1).plan.task_zone == "UTC"
        owner = accounts.get_user(tx, us.account_id, us.owner_id)
        accounts.save_user(tx, replace(owner, time_zone="Asia/Tokyo"))
        assert enrollments.get(tx, us.account_id, 1).plan.task_zone == "Asia/Tokyo"

    def test_one_read_a_while_ago_gets_the_pause_and_the_windows_of_now(self, tx: Tx, us: Tenant) -> None:
        enrolled(tx, us)
        held = enrollments.get(tx, us.account_id, 1)
        windows = (Window(0, 540, 1020),)
        sequences.save(tx, replace(us.sequence, windows=windows))
        sequences.set_status(tx, us.sequence, SequenceStatus.PAUSED)
        (live,) = enrollments.with_live_plans(tx, us.account_id, [held])
        assert live == enrollments.get(tx, us.account_id, 1)
        assert (live.plan.paused, live.plan.rhythm.windows) == (True, windows)

    def test_those_locked_tell_their_revisions(self, tx: Tx, us: Tenant, rival: Tenant) -> None:
        for id in (1, 2):
            made = enrolled(tx, us, id)
        enrollments.save(tx, us.account_id, [(structs.replace(made, revision=4), 0)])
        assert enrollments.lock_revisions(tx, us.account_id, {1, 2, 3}) == {1: 0, 2: 4}
        assert enrollments.lock_revisions(tx, rival.account_id, {1}) == {}

    def test_a_version_that_was_never_published_cannot_run(self, tx: Tx, us: Tenant) -> None:
        with pytest.raises(BrokenRule):
            enrolled(tx, us, version=2)


class TestActions:
    def test_what_steps_did_comes_back_by_enrollment_and_position(self, tx: Tx, us: Tenant, rival: Tenant) -> None:
        enrolled(tx, us, 1)
        enrolled(tx, us, 2)
        letter, call = Done(0, tx.now, None), Done(1, tx.now + timedelta(hours=1), 5)
        actions.add(tx, us.account_id, [(1, letter), (1, call)])
        assert actions.list_of(tx, us.account_id, [1, 2]) == {1: {0: letter, 1: call}, 2: {}}
        assert actions.list_of(tx, rival.account_id, [1]) == {1: {}}

    def test_a_step_is_done_once(self, tx: Tx, us: Tenant) -> None:
        enrolled(tx, us)
        actions.add(tx, us.account_id, [(1, Done(0, tx.now, None))])
        with pytest.raises(BrokenRule):
            actions.add(tx, us.account_id, [(1, Done(0, tx.now, None))])


class TestOneOngoingRun:
    """The last net: whatever the code above does, nobody runs the same sequence twice at a time."""

    @pytest.mark.parametrize(
        "second",
        [
            {"address_hash": "other"},
            {"resource_id": 2},
            {"resource_type": LEAD},
            {"resource_id": 2, "runs_sequence_id": "another"},
            {"resource_id": 2, "sequence_id": "another"},
            {"address_hash": "other", "runs_sequence_id": "another"},
            {"address_hash": "other", "sequence_id": "another"},
        ],
    )
    def test_a_second_one_by_person_or_address_is_refused(self, tx: Tx, us: Tenant, second: dict[str, Any]) -> None:
        another = sequence(tx, us.account_id, us.owner_id, "Coffee")
        enrolled(tx, us, 1)
        subject = {key: another.id if value == "another" else value for key, value in second.items()}
        with pytest.raises(BrokenRule):
            enrolled(tx, us, 2, **{"resource_id": 1, "address_hash": "hash-1"} | subject)

    def test_who_shares_neither_person_nor_address_nor_sequence_is_welcome(self, tx: Tx, us: Tenant) -> None:
        another = sequence(tx, us.account_id, us.owner_id, "Coffee")
        enrolled(tx, us, 1)
        enrolled(tx, us, 2)
        enrolled(tx, us, 3, resource_id=1, resource_type=LEAD)
        enrolled(tx, us, 4, resource_id=1, address_hash="hash-1", sequence_id=another.id, runs_sequence_id=another.id)
        enrolled(tx, us, 5, address_hash=None)
        enrolled(tx, us, 6, address_hash=None)
        assert len(enrollments.find_many(tx, us.account_id, [1, 2, 3, 4, 5, 6])) == 6

    def test_a_finished_run_makes_room(self, tx: Tx, us: Tenant) -> None:
        first = enrolled(tx, us, 1)
        enrollments.save(tx, us.account_id, [(structs.replace(first, state=State.FINISHED, revision=1), 0)])
        enrolled(tx, us, 2, resource_id=1, address_hash="hash-1")
        assert [e.state for e in enrollments.find_many(tx, us.account_id, [1, 2])] == [State.FINISHED, State.ACTIVE]

    def test_a_blocked_run_does_not(self, tx: Tx, us: Tenant) -> None:
        first = enrolled(tx, us, 1)
        enrollments.save(tx, us.account_id, [(structs.replace(first, state=State.BLOCKED, revision=1), 0)])
        with pytest.raises(BrokenRule):
            enrolled(tx, us, 2, resource_id=1, address_hash="hash-1")

    def test_moving_to_an_address_where_the_sequence_runs_is_refused(self, tx: Tx, us: Tenant) -> None:
        enrolled(tx, us, 1)
        enrolled(tx, us, 2)
        with pytest.raises(BrokenRule):
            enrollments.readdress(tx, us.account_id, "hash-1", [2])


class TestFinding:
    def test_a_person_s_ongoing_runs_are_found_in_all_or_some_sequences(self, tx: Tx, us: Tenant) -> None:
        another = sequence(tx, us.account_id, us.owner_id, "Coffee")
        third = sequence(tx, us.account_id, us.owner_id, "Cake")
        enrolled(tx, us, 1)
        enrolled(tx, us, 2, resource_id=1, address_hash="x", sequence_id=another.id, runs_sequence_id=third.id)
        done = enrolled(tx, us, 3, resource_id=3)
        enrollments.save(tx, us.account_id, [(structs.replace(done, state=State.FINISHED, revision=1), 0)])
        ongoing = enrollments.ongoing_of_person
        assert ongoing(tx, us.account_id, CONTACT, 1, []) == [1, 2]
        assert ongoing(tx, us.account_id, CONTACT, 1, [another.id]) == [2]
        assert ongoing(tx, us.account_id, CONTACT, 1, [third.id]) == [2]
        assert ongoing(tx, us.account_id, LEAD, 1, []) == []
        assert ongoing(tx, us.account_id, CONTACT, 3, []) == []

    def test_an_address_finds_leads_and_contacts_alike(self, tx: Tx, us: Tenant) -> None:
        another = sequence(tx, us.account_id, us.owner_id, "Coffee")
        enrolled(tx, us, 1)
        coffee = {"sequence_id": another.id, "runs_sequence_id": another.id}
        enrolled(tx, us, 2, resource_type=LEAD, address_hash="hash-1", **coffee)
        assert enrollments.ongoing_of_address(tx, us.account_id, "hash-1") == [1, 2]
        assert enrollments.sequences_of_address(tx, us.account_id, "hash-1") == {us.sequence.id, another.id}

    def test_the_latest_runs_are_found_by_person_and_by_address_newest_first(self, tx: Tx, us: Tenant) -> None:
        first = enrolled(tx, us, 1)
        enrollments.save(tx, us.account_id, [(structs.replace(first, state=State.FINISHED, revision=1), 0)])
        enrolled(tx, us, 2, resource_id=1, address_hash="hash-9")
        enrolled(tx, us, 3, resource_type=LEAD, resource_id=8, address_hash="hash-1")
        rows = enrollments.latest_in_sequence(tx, us.account_id, us.sequence.id, CONTACT, [(1, "hash-1"), (5, None)])
        assert [(row[0], row[1], row[3]) for row in rows] == [(1, 3, "active"), (1, 2, "active"), (1, 1, "finished")]
        assert rows[0][4] == to_stamp(tx.now)
        assert enrollments.latest_in_sequence(tx, us.account_id, 77, CONTACT, [(1, "hash-1")]) == []

    def test_the_blocked_of_a_mailbox_are_those_bound_to_it_or_whose_actor_uses_it(self, tx: Tx, us: Tenant) -> None:
        for id, mailbox_id in ((1, None), (2, us.mailbox_id), (3, 99), (4, None)):
            one = enrolled(tx, us, id)
            if mailbox_id is not None:
                tx.run(_BIND, account_id=us.account_id, mailbox_id=mailbox_id, id=id)
            reason = FailureReason.QUOTA_EXCEEDED if id == 4 else FailureReason.AUTH
            blocked = structs.replace(one, state=State.BLOCKED, failure_reason=reason, revision=1)
            enrollments.save(tx, us.account_id, [(blocked, 0)])

        def found(since: timedelta = timedelta(0), **asked: int) -> list[int]:
            sought = {"after": 0, "limit": 9} | asked
            return enrollment_pages.list_blocked(tx, us.account_id, FailureReason.AUTH, tx.now + since, **sought)

        assert found(mailbox_id=us.mailbox_id) == [1, 2]
        assert found(mailbox_id=us.mailbox_id, after=1) == [2]
        assert found(mailbox_id=us.mailbox_id, limit=1) == [1]
        assert found(mailbox_id=us.mailbox_id, since=timedelta(seconds=1)) == []
        assert found() == found(actor_id=us.owner_id) == [1, 2, 3]
        assert found(actor_id=us.owner_id + 1) == []

    def test_pages_go_both_ways_and_by_people(self, tx: Tx, us: Tenant) -> None:
        for id in range(1, 7):
            enrolled(tx, us, id, resource_type=LEAD if id % 2 else CONTACT)

        def page(**asked: Any) -> list[int]:
            return [e.id for e in enrollment_pages.list_page(tx, us.account_id, **{"limit": 3} | asked)]

        assert page() == [1, 2, 3]
        assert page(after=3) == [4, 5, 6]
        assert page(skip=1) == [2, 3, 4]
        assert page(descending=True) == [6, 5, 4]
        assert page(descending=True, after=4) == [3, 2, 1]
        assert page(ids=[6, 2, 99]) == [2, 6]
        assert page(resource_type=LEAD) == [1, 3, 5]
        assert page(resource_type=LEAD, after=1) == [3, 5]
        assert page(resource_ids=[4, 5]) == [4, 5]
        assert page(resource_ids=[4, 5], resource_type=CONTACT) == [4]
        assert page(resource_ids=[]) == []
        assert page(ids=[]) == []

    def test_those_that_wait_in_a_sequence_are_listed_in_batches(self, tx: Tx, us: Tenant) -> None:
        another = sequence(tx, us.account_id, us.owner_id, "Coffee")
        for id in (1, 2, 3):
            enrolled(tx, us, id)
        enrolled(tx, us, 4, runs_sequence_id=another.id)
        done = enrollments.get(tx, us.account_id, 2)
        enrollments.save(tx, us.account_id, [(structs.replace(done, state=State.FINISHED, revision=1), 0)])
        waiting = enrollments.list_waiting
        assert [e.id for e in waiting(tx, us.account_id, us.sequence.id, 0, 1)] == [1]
        assert [e.id for e in waiting(tx, us.account_id, us.sequence.id, 1, 9)] == [3]
        assert [e.id for e in waiting(tx, us.account_id, another.id, 0, 9)] == [4]


def test_another_account_with_the_same_ids_sees_and_changes_nothing(tx: Tx, us: Tenant, rival: Tenant) -> None:
    ours = enrolled(tx, us)
    account_id = rival.account_id
    with pytest.raises(NotFound):
        enrollments.get(tx, account_id, 1)
    assert enrollments.lock(tx, account_id, [1]) == []
    assert enrollments.find_many(tx, account_id, [1]) == []
    assert enrollment_pages.list_page(tx, account_id, limit=9) == []
    assert enrollment_pages.list_page(tx, account_id, resource_ids=[1], limit=9) == []
    assert enrollments.ongoing_of_person(tx, account_id, CONTACT, 1, []) == []
    assert enrollments.ongoing_of_address(tx, account_id, "hash-1") == []
    assert enrollments.sequences_of_address(tx, account_id, "hash-1") == frozenset()
    assert enrollments.latest_in_sequence(tx, account_id, 1, CONTACT, [(1, "hash-1")]) == []
    assert enrollments.list_waiting(tx, account_id, 1, 0, 9) == []
    assert enrollment_pages.list_blocked(tx, account_id, FailureReason.AUTH, tx.now, after=0, limit=9) == []
    assert (
        enrollments.save(tx, account_id, [(structs.replace(ours, state=State.BLOCKED, revision=1), 0)]) == frozenset()
    )
    enrollments.readdress(tx, account_id, "stolen", [1])
    assert enrollments.get(tx, us.account_id, 1) == ours
