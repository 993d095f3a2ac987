"""The worker against a real server: what it said, what follows, and how it heals."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import ActionStatus, Enrollment, State
from drumbeat.domain.sequence import SequenceStatus
from drumbeat.operations.keyed_calls import once
from drumbeat.operations.mailboxes import server_of
from drumbeat.operations.sequences import set_status
from drumbeat.store import events
from drumbeat.store.database import Database
from drumbeat.store.kept_answers import KeyedCall
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter, task
from drumbeat.testing.sink import At, Sink, Talk
from drumbeat.worker import Carrier, Worker
from tests.operations.office import Office, opened

NAMES = ("Ada", "Bob", "Cleo", "Dora", "Emil")


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """The office, with one connection to its server at a time."""
    with opened(database, clock, tmp_path) as office:
        yield office


def enrolled(office: Office, *names: str, after: str = "0 hours") -> list[int]:
    """These people, each in a sequence of one letter."""
    sequence = office.house.sequence(letter(after), name=f"Sequence for {' '.join(names)}")
    return [office.enroll(sequence, office.house.person(name)).id for name in names]


def states(office: Office, ids: list[int]) -> list[tuple[State, FailureReason | None]]:
    """State and failure reason of each."""
    return [(e.state, e.failure_reason) for e in map(office.house.enrollment, ids)]


def blocked(reason: FailureReason, count: int = 1) -> list[tuple[State, FailureReason | None]]:
    """So many blocked for this reason."""
    return [(State.BLOCKED, reason)] * count


@pytest.mark.parametrize(
    ("at", "reply", "reason", "waits"),
    [
        (At.GREETING, "554 5.3.2 not now", FailureReason.SENDOUT_DISABLED, [1, 5, 15, 60, 240]),
        (At.MAIL, "451 4.3.0 later", FailureReason.SENDOUT_LIMITED, [1, 5, 15, 60, 240]),
        (At.RCPT, "450 4.2.1 later", FailureReason.RECIPIENT_INVALID, [5, 15, 60, 240, 240]),
        (At.DATA, "451 4.3.0 later", FailureReason.UNKNOWN, [1, 5, 15, 60, 240]),
        (At.DOT, "452 4.3.1 full", FailureReason.UNKNOWN, [1, 5, 15, 60, 240]),
    ],
)
def test_a_passing_refusal_is_retried_at_growing_waits_for_three_days(
    office: Office, at: At, reply: str, reason: FailureReason, waits: list[int]
) -> None:
    office.sink.script = {at: reply}
    (ada,) = enrolled(office, "Ada")
    check_three_days(office, ada, reason, waits)
    assert office.delivered(ada)[-1] == "refused"
    assert len(office.deliveries(ada)) == 1
    assert office.sink.letters == []


def check_three_days(office: Office, id: int, reason: FailureReason, waits: list[int]) -> None:
    """The letter stays scheduled and is tried at growing waits; then it is blocked."""
    begin, tries = office.clock.now, []
    office.work()
    now = office.house.enrollment(id)
    while now.state is State.ACTIVE:
        assert now.status is ActionStatus.SCHEDULED
        assert now.due_at is not None
        assert now.due_at > office.clock.now
        tries.append(now.due_at - office.clock.now)
        office.clock.now = max(now.due_at, office.mailbox().held_until or now.due_at)
        office.work()
        now = office.house.enrollment(id)
        assert len(tries) < 40
    assert (now.state, now.failure_reason) == (State.BLOCKED, reason)
    assert timedelta(days=3) <= office.clock.now - begin < timedelta(days=3, hours=6)
    minutes = [wait / timedelta(minutes=1) for wait in tries]
    for wait, least in zip(minutes, [*waits, *[240] * 40], strict=False):
        assert least <= wait <= least * 1.25


def carrier_of(office: Office) -> Carrier:
    """What carries the letters of the office's mailbox."""
    mailbox = office.mailbox()
    return Carrier(office.house.world, mailbox, server_of(office.house.world.vault, mailbox), None)


def test_a_login_that_cannot_be_checked_now_is_retried_and_then_blocked_as_auth(
    database: Database, clock: FrozenClock, tmp_path: Path
) -> None:
    with opened(database, clock, tmp_path, credentials=("olive", "right")) as office:
        office.sink.script = {At.AUTH: "454 4.7.0 later"}
        (ada,) = enrolled(office, "Ada")
        check_three_days(office, ada, FailureReason.AUTH, [1, 5, 15, 60])


def test_a_letter_put_off_leaves_at_its_next_try(office: Office) -> None:
    office.sink.script = {At.RCPT: "450 4.2.1 later"}
    ada, bob = enrolled(office, "Ada", "Bob")
    office.work()
    assert [office.tries(ada), office.tries(bob)] == [1, 1]
    assert office.facts(ada) == ["enrolled", "letter_deferred"]
    office.sink.script = {}
    office.later(minutes=6, seconds=15)
    assert sorted(office.recipients()) == ["ada@example.com", "bob@example.com"]


def test_a_refused_connection_holds_the_mailbox_for_a_moment_and_costs_the_others_no_try(
    database: Database, clock: FrozenClock, tmp_path: Path
) -> None:
    with Sink() as gone:
        port = gone.port
    with opened(database, clock, tmp_path) as office:
        open_port = office.sink.port
        office.set_mailbox(port=port)
        ids = enrolled(office, *NAMES)
        office.work()
        assert [office.tries(id) for id in ids] == [1, 0, 0, 0, 0]
        assert [office.facts(id)[1:] for id in ids] == [["letter_deferred"], [], [], [], []]
        assert states(office, ids) == [(State.ACTIVE, None)] * 5
        assert office.leased() == 0
        mailbox = office.mailbox()
        assert (mailbox.hold_reason, mailbox.held_since) == (None, None)
        assert mailbox.held_until == office.clock.now + timedelta(minutes=1)
        office.later(seconds=59)
        assert sum(office.tries(id) for id in ids) == 1
        office.later(seconds=1)
        assert sum(office.tries(id) for id in ids) == 2
        office.set_mailbox(port=open_port, held_until=mailbox.held_until)
        office.later(minutes=3)
        assert sorted(office.recipients()) == sorted(f"{name.lower()}@example.com" for name in NAMES)
        assert (office.mailbox().held_until, office.mailbox().hold_count) == (None, 0)


def test_an_outage_of_three_days_blocks_as_disabled(database: Database, clock: FrozenClock, tmp_path: Path) -> None:
    with Sink() as gone:
        port = gone.port
    with opened(database, clock, tmp_path) as office:
        office.set_mailbox(port=port)
        (ada,) = enrolled(office, "Ada")
        check_three_days(office, ada, FailureReason.SENDOUT_DISABLED, [1, 5, 15, 60])


def test_a_stopping_worker_gives_untried_letters_back_at_once(office: Office) -> None:
    ids = enrolled(office, *NAMES)
    stopping = threading.Event()

    def script(at: At, talk: Talk) -> None:
        if at is At.DATA:
            stopping.set()

    office.sink.script = script
    carrier = carrier_of(office)
    carrier.serve(stopping.is_set)
    carrier.close()
    assert office.leased() == 0
    left = [id for id in ids if office.delivered(id) != ["accepted"]]
    assert len(office.sink.letters) + len(left) == 5
    assert len(left) >= 3
    assert all(office.delivered(id) == ["queued"] for id in left)
    assert sum(office.tries(id) for id in left) == 0
    office.sink.script = {}
    office.work()
    assert sorted(office.recipients()) == sorted(f"{name.lower()}@example.com" for name in NAMES)


def test_a_worker_told_to_stop_finishes_what_is_out_and_comes_to_an_end(office: Office) -> None:
    enrolled(office, "Ada")
    stop = threading.Event()

    def script(at: At, talk: Talk) -> None:
        if at is At.DOT:
            stop.set()

    office.sink.script = script
    worker = Worker(office.house.world)
    running = threading.Thread(target=worker.run, args=(stop,))
    running.start()
    running.join(20)
    assert not running.is_alive()
    assert office.house.enrollment(1).state is State.FINISHED
    assert office.delivered(1) == ["accepted"]


def test_a_worker_that_stops_before_it_begins_claims_nothing(office: Office) -> None:
    enrolled(office, "Ada")
    carrier = carrier_of(office)
    carrier.serve(lambda: True)
    carrier.close()
    assert office.sink.talks == []
    assert office.leased() == 0


def test_two_workers_at_one_lane_send_each_letter_once(database: Database, clock: FrozenClock, tmp_path: Path) -> None:
    with opened(database, clock, tmp_path, connections=2) as office:
        sequence = office.house.sequence(letter())
        office.execute(sequence, *(f"p{n}@example.com" for n in range(30)))
        office.run("UPDATE people SET first_name = 'P'")
        stop = threading.Event()
        workers = [Worker(office.house.world) for _ in range(2)]
        threads = [threading.Thread(target=worker.run, args=(stop,)) for worker in workers]
        for thread in threads:
            thread.start()
        assert office.sink.wait_for(lambda: len(office.sink.letters) >= 30, 20)
        stop.set()
        for thread in threads:
            thread.join(20)
        assert sorted(office.recipients()) == sorted(f"p{n}@example.com" for n in range(30))
        assert office.count("SELECT count(*) FROM deliveries WHERE status = 'accepted'") == 30


def test_lanes_of_different_mailboxes_do_not_hold_each_other_up(office: Office) -> None:
    with Sink() as gone:
        port = gone.port
    sam = office.add_user(mailbox_id=office.add_mailbox(port=port))
    sequence = office.house.sequence(letter())
    stuck = office.enroll(sequence, office.house.person("Ada"), actor_id=sam.id)
    office.enroll(sequence, office.house.person("Bob"))
    office.work()
    assert office.recipients() == ["bob@example.com"]
    assert office.house.enrollment(stuck.id).status is ActionStatus.SCHEDULED


def test_a_pause_holds_and_its_end_lets_go_through_the_worker_alone(office: Office) -> None:
    house, sequence = office.house, office.house.sequence(letter("2 hours"))
    paused_one: Enrollment = office.enroll(sequence, house.person())

    def become(status: SequenceStatus) -> None:
        office.transact(lambda tx: set_status(tx, house.account_id, sequence.id, status, house.owner_id))

    office.later(hours=1)
    become(SequenceStatus.PAUSED)
    office.later(days=2)
    assert house.enrollment(paused_one.id).due_at is None
    become(SequenceStatus.ACTIVE)
    office.work()
    assert house.enrollment(paused_one.id).due_at == office.clock.now + timedelta(hours=1)
    office.later(hours=1)
    assert len(office.sink.letters) == 1


def test_what_happened_is_counted_once(office: Office) -> None:
    ids = enrolled(office, "Ada", "Bob")
    office.work()
    with office.database.read() as snapshot:
        counted = {row.fact: row.total for row in events.counts(snapshot, office.house.account_id)}
    assert counted == {"enrolled": 2, "letter_sent": 2, "finished:all_steps_completed": 2}
    assert len(ids) == 2


def test_after_an_outage_the_oldest_letters_leave_first(office: Office) -> None:
    for name, after in (("Ada", 5), ("Bob", 3), ("Cleo", 4), ("Dora", 1)):
        enrolled(office, name, after=f"{after} hours")
    office.later(hours=9)
    assert office.recipients() == [f"{name}@example.com" for name in ("dora", "bob", "cleo", "ada")]


def test_one_turn_carries_a_whole_sequence_of_letters_and_tasks(office: Office) -> None:
    sequence = office.house.sequence(letter(), letter(subject="Again"), task(), letter())
    run = office.enroll(sequence, office.house.person())
    office.work()
    assert [office.mail(n)["Subject"] for n in range(2)] == ["Hello Ada", "Again"]
    assert office.house.enrollment(run.id).position == 2
    assert not office.worker.step()


def test_a_letter_in_the_air_that_is_claimed_again_is_carried_once(office: Office) -> None:
    """The worker slept through its lease, and the reaper queued what it still had in the air."""
    office.enroll(office.house.sequence(letter()), office.house.person())
    carrier = carrier_of(office)
    assert len(carrier._take(1)) == 1
    office.clock.advance(timedelta(seconds=31))
    office.worker.tending.step()
    assert carrier._take(1) == []
    carrier.close()


def test_answers_kept_for_48_hours_are_deleted_in_batches(office: Office) -> None:
    account_id = office.house.account_id

    def keep(count: int, name: str) -> None:
        for n in range(count):
            call = KeyedCall(account_id, f"{name}{n}", "r")
            office.transact(lambda tx, call=call: once(tx, call, lambda: b"{}"))  # type: ignore[misc]

    keep(3, "old")
    office.later(hours=47)
    keep(2, "new")
    office.later(hours=1)
    assert office.count("SELECT count(*) FROM kept_answers WHERE key_hash LIKE 'new%'") == 2
    assert office.count("SELECT count(*) FROM kept_answers") == 2
    office.later(hours=47)
    assert office.count("SELECT count(*) FROM kept_answers") == 0
