"""Whatever happens in whatever order, no letter goes twice and none is lost: the engine against its own books."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import event, make_url, text

from drumbeat.domain.person import PersonKind
from drumbeat.domain.sequence import SequenceStatus
from drumbeat.operations.verification import verify_account
from drumbeat.store.database import Database
from drumbeat.store.schema import metadata
from drumbeat.store.stamps import from_stamp
from drumbeat.testing.clock import FrozenClock
from tests.store import audit
from tests.store.office import ADDRESSES, SENT, UNSENT, WORKERS, Office, enter, furnish

PEOPLE = [(PersonKind.CONTACT, 1), (PersonKind.LEAD, 1), (PersonKind.CONTACT, 2), (PersonKind.LEAD, 2)]
PEOPLE += [(PersonKind.CONTACT, 3)]
WAITS = [timedelta(seconds=1), timedelta(seconds=31), timedelta(minutes=2), timedelta(minutes=11)]
WAITS += [timedelta(hours=1), timedelta(hours=1), timedelta(hours=5), timedelta(days=1), timedelta(days=4)]

workers = st.sampled_from(WORKERS)
persons = st.sampled_from(PEOPLE)
sequence_ids = st.sampled_from([1, 2])
one_of_those = st.integers(0, 7)
limits = st.integers(1, 5)
unsent = st.lists(st.sampled_from(["ready"] * 16 + ["wait"] * 4 + [*UNSENT]), min_size=1, max_size=4)
sent = st.lists(st.sampled_from(["accepted"] * 8 + ["wait"] * 3 + [*SENT]), min_size=1, max_size=4)


class Engine(RuleBasedStateMachine):
    """Anything that may happen, one transaction at a time, and what must hold after each."""

    def __init__(self, open_office: Callable[[], Office]) -> None:
        super().__init__()
        self.office = open_office()
        self.database = self.office.house.world.database
        self.ledger = self._read()

    @initialize(enrolled=st.lists(st.tuples(persons, sequence_ids), min_size=3, max_size=7))
    def some_are_enrolled(self, enrolled: list[tuple[tuple[PersonKind, int], int]]) -> None:
        for person, sequence_id in enrolled:
            self.office.enroll(*person, sequence_id)

    @rule(person=persons, sequence_id=sequence_ids)
    def enroll(self, person: tuple[PersonKind, int], sequence_id: int) -> None:
        self.office.enroll(*person, sequence_id)

    @rule(later=st.booleans(), limit=limits, before=unsent, after=sent)
    def a_works(self, later: bool, limit: int, before: list[str], after: list[str]) -> None:
        self._work("a", later, limit, before, after)

    @rule(later=st.booleans(), limit=limits, before=unsent, after=sent)
    def b_works(self, later: bool, limit: int, before: list[str], after: list[str]) -> None:
        self._work("b", later, limit, before, after)

    def _work(self, worker: str, later: bool, limit: int, before: list[str], after: list[str]) -> None:
        """A worker commits a turn, and claims: what it claims it carries while other things happen."""
        self.office.turn(worker, before, after)
        self.the_books_agree()
        if later:
            self.wait(None)
            self.office.reap()
            self.the_books_agree()
        for lane_id in sorted(self.ledger.claimable()):
            self.office.claim(worker, lane_id, limit)
            self.the_books_agree()

    @precondition(lambda self: self.office.is_carrying() or self.office.is_awaiting_answers())
    @rule(worker=workers, before=unsent, after=sent)
    def turn_whose_commit_is_lost(self, worker: str, before: list[str], after: list[str]) -> None:
        self.office.turn(worker, before, after, commit_is_lost=True)

    @precondition(lambda self: self.office.is_carrying() or self.office.is_awaiting_answers())
    @rule(worker=workers, how=st.sampled_from(["give_back", "renew", "crash"]))
    def stop_or_prolong(self, worker: str, how: str) -> None:
        getattr(self.office, how)(worker)

    @rule(by=st.sampled_from([None, *WAITS]))
    def wait(self, by: timedelta | None) -> None:
        """Time passes; None: until the next thing is due or runs out."""
        clock, instant = self.office.clock, self.ledger.next_instant()
        if by is None and instant is not None:
            by = from_stamp(instant) - clock.now + timedelta(microseconds=1)
        clock.advance(by or timedelta(minutes=1))
        self.ledger = self._read()

    @precondition(
        lambda self: any((d.lease_until or self.ledger.now) < self.ledger.now for d in self.ledger.deliveries)
    )
    @rule()
    def reap(self) -> None:
        self.office.reap()

    @precondition(lambda self: self._ongoing())
    @rule(how=st.sampled_from(["finish", "unsubscribe", "delete person", "delete task"]), which=one_of_those)
    def stop(self, how: str, which: int) -> None:
        enrollment = self.ledger.enrollments[_pick(self._ongoing(), which)]
        if how == "finish":
            self.office.finish(enrollment.id)
        elif how == "unsubscribe" and enrollment.address_hash is not None:
            self.office.suppress(enrollment.address_hash)
        elif how == "delete person":
            self.office.delete_person(PersonKind(enrollment.resource_type), enrollment.resource_id)
        elif how == "delete task" and enrollment.task_id is not None:
            self.office.delete_task(enrollment.task_id)

    @precondition(lambda self: self._blocked())
    @rule(which=one_of_those)
    def resume(self, which: int) -> None:
        self.office.resume(_pick(self._blocked(), which))

    @rule(person=persons, email=st.sampled_from([*ADDRESSES, None]))
    def change_address(self, person: tuple[PersonKind, int], email: str | None) -> None:
        self.office.change_address(*person, email)

    @precondition(lambda self: self.office.open_tasks())
    @rule(which=one_of_those)
    def complete_task(self, which: int) -> None:
        self.office.complete_task(_pick(self.office.open_tasks(), which))

    @rule(sequence_id=sequence_ids)
    def pause_or_go_on(self, sequence_id: int) -> None:
        is_paused = self.ledger.sequences[sequence_id].status is SequenceStatus.PAUSED
        self.office.set_status(sequence_id, SequenceStatus.ACTIVE if is_paused else SequenceStatus.PAUSED)

    @precondition(lambda self: self.ledger.replanned)
    @rule(limit=st.sampled_from([1, 500]))
    def carry(self, limit: int) -> None:
        self.office.carry(limit)

    @precondition(lambda self: self.ledger.doubtful())
    @rule(how=st.sampled_from(["count_as_sent", "count_as_not_sent", "send_again", "send_again"]), which=one_of_those)
    def settle_a_doubt(self, how: str, which: int) -> None:
        getattr(self.office, how)(_pick(self.ledger.doubtful(), which))

    @rule()
    def hold_or_free_the_mailbox(self) -> None:
        mailbox = self.ledger.mailboxes[1]
        if mailbox.held_until is not None:
            self.office.lift_hold()
        else:
            self.office.switch_mailbox(on=mailbox.status != "active")

    @invariant()
    def the_books_agree(self) -> None:
        self.ledger = self._read()
        audit.check(self.ledger)
        revisions = self.office.books.revisions
        for id, enrollment in self.ledger.enrollments.items():
            assert enrollment.revision >= revisions.get(id, 0), "a revision came back"
            revisions[id] = enrollment.revision

    def teardown(self) -> None:
        """In a healthy world everybody comes to an end, or waits for a person."""
        try:
            if sys.exc_info()[0] is None:
                self.office.reap()  # what was left behind is only wrong where nobody reaps
                self._verified()
                self.office.settle_everything()
                self.the_books_agree()
                self._verified()
                restless = [e for e in self.ledger.enrollments.values() if e.state == "active"]
                assert restless == [], "it goes on for ever"
        finally:
            self.database.close()

    def _verified(self) -> None:
        """What `drumbeat verify` says of it: the same, in statements that any size of database bears."""
        found = [part.breaches for part in verify_account(self.database, self.office.account_id)]
        assert not any(found), found

    def _read(self) -> audit.Ledger:
        with self.database.read() as snapshot:
            return audit.read(snapshot, self.office.account_id, snapshot.now)

    def _ongoing(self) -> list[int]:
        return [e.id for e in self.ledger.enrollments.values() if e.state != "finished"]

    def _blocked(self) -> list[int]:
        return [e.id for e in self.ledger.enrollments.values() if e.state == "blocked"]


def _pick(ids: list[int], which: int) -> int:
    return ids[which % len(ids)]


def test_a_letter_carried_through_a_pause_and_its_end_belongs_to_whoever_claims_it_next(office: Office) -> None:
    office.enroll(PersonKind.CONTACT, 1, 1)
    office.claim("a", 1, 1)
    for status in (SequenceStatus.PAUSED, SequenceStatus.ACTIVE):
        office.set_status(1, status)
        office.carry(500)
    office.claim("b", 1, 1)
    office.turn("a", ["ready"], [])
    assert office.books.dots == 0
    office.turn("b", ["ready"], [])
    assert office.books.dots == 1


def test_what_a_server_said_before_the_dot_settles_no_doubt_about_another_worker_s(office: Office) -> None:
    office.enroll(PersonKind.CONTACT, 1, 1)
    office.claim("a", 1, 1)
    _run_out(office)
    office.claim("b", 1, 1)
    office.turn("b", ["ready"], [])
    _run_out(office)
    office.turn("a", ["no such address"], [])
    assert office.house.enrollment(1).in_doubt
    office.turn("b", [], ["accepted"])
    assert office.house.enrollment(1).position == 1


def test_a_worker_that_holds_no_letter_gives_none_back(office: Office) -> None:
    office.enroll(PersonKind.CONTACT, 1, 1)
    office.claim("a", 1, 1)
    office.give_back("b")
    office.turn("a", ["ready"], [])
    assert office.books.dots == 1


def _run_out(office: Office) -> None:
    """The leases of now run out and are reaped."""
    office.clock.advance(timedelta(seconds=31))
    office.reap()


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Office:
    """A furnished office."""
    return Office(furnish(database, tmp_path), clock)


def test_no_letter_goes_twice_and_none_is_lost_on_sqlite(sqlite_template: Path, tmp_path: Path) -> None:
    furnished = tmp_path / "furnished.db"
    shutil.copyfile(sqlite_template, furnished)
    database = _fast(f"sqlite:///{furnished}", FrozenClock())
    furnish(database, tmp_path)
    with database.writer.connect() as connection:
        connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()

    def open_office() -> Office:
        path = tmp_path / "example.db"
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        shutil.copyfile(furnished, path)
        clock = FrozenClock()
        return Office(enter(_fast(f"sqlite:///{path}", clock), tmp_path), clock)

    _run(open_office, max_examples=120, steps=50)


def _fast(url: str, clock: FrozenClock) -> Database:
    """A database that may forget its last words if the machine loses power."""
    database = Database(url, now=clock, pool_size=1)
    for engine in (database.writer, database.reader):
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    return database


@pytest.mark.postgresql
def test_no_letter_goes_twice_and_none_is_lost_on_postgresql(postgresql_url: str, tmp_path: Path) -> None:
    def open_office() -> Office:
        clock = FrozenClock()
        database = Database(postgresql_url, now=clock, pool_size=1)
        with database.writer.begin() as connection:
            tables = ", ".join(metadata.tables)
            connection.execute(text("SET LOCAL synchronous_commit = off"))
            connection.execute(text(f"TRUNCATE {tables}"))
        return Office(furnish(database, tmp_path), clock)

    _run(open_office, max_examples=15, steps=30)


@pytest.fixture
def postgresql_url(postgresql_server: Any, postgresql_template: str) -> Iterator[str]:
    """A migrated database without rows."""
    with ExitStack() as after:
        url = postgresql_server.create(after, template=postgresql_template)
        options = {"options": "-c synchronous_commit=off"}
        yield make_url(url).update_query_dict(options).render_as_string(hide_password=False)


def _run(open_office: Callable[[], Office], *, max_examples: int, steps: int) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        lambda: Engine(open_office),
        settings=settings(
            max_examples=max_examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
