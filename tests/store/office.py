"""An office whose workers, sellers and readers do what they like, and the books that tell what was promised."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from drumbeat.domain.delivery import DeliveryStatus, FailureReason, Outcome, Reply, Stage
from drumbeat.domain.enrollment import Enrollment, State
from drumbeat.domain.errors import Invalid, InvalidMany, NotFound
from drumbeat.domain.happening import CannotSend
from drumbeat.domain.person import Person, PersonKind
from drumbeat.domain.sequence import SequenceStatus
from drumbeat.domain.unsubscribe import Suppression
from drumbeat.operations import tasks
from drumbeat.operations.deliveries import (
    Answered,
    commit_turn,
    release,
    renew_leases,
)
from drumbeat.operations.dispatch import ClaimedLetter, claim
from drumbeat.operations.doubts import count_as_not_sent, count_as_sent, reap, send_again
from drumbeat.operations.enrollments import set_state
from drumbeat.operations.holds import lift_hold
from drumbeat.operations.mailboxes import switch_mailbox
from drumbeat.operations.records import PersonFields, change_person, delete_person
from drumbeat.operations.sequences import carry_replan, set_status
from drumbeat.operations.unsubscribes import suppress
from drumbeat.store import deliveries, enrollments, mailboxes, people, replans, sequences
from drumbeat.store import tasks as stored_tasks
from drumbeat.store.database import Database
from drumbeat.store.deliveries import Key
from drumbeat.store.lanes import NO_MAILBOX
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import House, letter, open_house, open_world_of, task

SHA256 = "5" * 64
WORKERS = ("a", "b")
ADDRESSES = ("ada@example.com", "bob@example.com", "cleo@example.com", "dan@example.com")
# What becomes of a letter before its point of no return, and of one whose final dot was written.
UNSENT: dict[str, Callable[[Key], Outcome | CannotSend]] = {
    "no such address": lambda key: Outcome(key, Stage.RCPT, Reply(550, "5.1.1", "no such user")),
    "put off": lambda key: Outcome(key, Stage.DATA, Reply(451, "4.3.0", "later")),
    "lost": lambda key: Outcome(key, Stage.DATA, None, "the connection broke"),
    "unreachable": lambda key: Outcome(key, Stage.CONNECT, None, "connection refused"),
    "login refused": lambda key: Outcome(key, Stage.AUTH, Reply(535, "5.7.8", "wrong password")),
    "not sent": lambda key: Outcome(key, Stage.DATA, None, "not sent: stopped"),
    "unwritable": lambda key: CannotSend(FailureReason.MISSING_MERGE_TAGS, "a tag has no value"),
}
SENT: dict[str, Callable[[Key], Outcome]] = {
    "accepted": lambda key: Outcome(key, Stage.DOT, Reply(250, "2.0.0", "queued")),
    "refused": lambda key: Outcome(key, Stage.DOT, Reply(554, "5.6.0", "no")),
    "deferred": lambda key: Outcome(key, Stage.DOT, Reply(451, "4.3.0", "later")),
    "silent": lambda key: Outcome(key, Stage.DOT, None, "no answer in time"),
}


@dataclass
class Books:
    """What the world outside saw: final dots whose fate is open, and stops that were acknowledged."""

    open_dots: dict[tuple[int, int], Key] = field(default_factory=dict)
    dots: int = 0
    finished: set[int] = field(default_factory=set)
    suppressed: set[str] = field(default_factory=set)
    revisions: dict[int, int] = field(default_factory=dict)

    def write_dot(self, held: ClaimedLetter) -> None:
        """A final dot is written: nothing may forbid it."""
        id, position, _ = held.delivery.key
        assert (id, position) not in self.open_dots, f"{held.delivery.key} after {self.open_dots[id, position]}"
        assert id not in self.finished, "a dot after the enrollment's end was acknowledged"
        assert held.delivery.address_hash not in self.suppressed, "a dot after the address was suppressed"
        self.open_dots[id, position] = held.delivery.key
        self.dots += 1

    def close_dot(self, key: Key) -> None:
        """The server refused the letter for certain, or a named user takes it for not sent."""
        if self.open_dots.get(key[:2]) == key:
            del self.open_dots[key[:2]]


@dataclass
class Desk:
    """One worker's letters: held ones, those whose dot it wrote, and answers a failed commit left over."""

    token: str
    held: dict[Key, ClaimedLetter] = field(default_factory=dict)
    out: dict[Key, ClaimedLetter] = field(default_factory=dict)
    left_over: list[Answered] = field(default_factory=list)


class Office:
    """Everything that may happen to one account, one transaction at a time."""

    def __init__(self, house: House, clock: FrozenClock) -> None:
        self.house = house
        self.clock = clock
        self.books = Books()
        self.desks = {name: Desk(name) for name in WORKERS}
        self.account_id = house.account_id
        self.transact = house.world.database.transact

    def enroll(self, kind: PersonKind, person_id: int, sequence_id: int) -> None:
        """Enroll a person, or be refused."""
        with self.house.world.database.read() as snapshot:
            person = people.find(snapshot, self.account_id, kind, person_id)
            sequence = sequences.get(snapshot, self.account_id, sequence_id)
        if person is not None:
            _or_refused(lambda: self.house.enroll(sequence, person))

    def claim(self, worker: str, lane_id: int, limit: int) -> None:
        """A worker claims; a letter it still carries is not carried a second time."""
        desk = self.desks[worker]
        if desk.left_over:
            self.turn(worker, [], [])
        identity = self.house.world.identity
        brought = self.transact(lambda tx: claim(tx, identity, self.account_id, lane_id, limit=limit, token=desk.token))
        for held in brought.letters:
            if held.delivery.key not in desk.held and held.delivery.key not in desk.out:
                desk.held[held.delivery.key] = held

    def turn(self, worker: str, before: Sequence[str], after: Sequence[str], *, commit_is_lost: bool = False) -> None:
        """A worker commits a turn; what has no fate waits.

        `before` are the fates of letters that want their dots, `after` of those whose dots were written.
        """
        desk = self.desks[worker]
        answered, ready = list(desk.left_over), []
        for (key, carried), fate in zip(desk.held.items(), before, strict=False):
            if fate == "ready":
                ready.append((carried, SHA256))
            elif fate in UNSENT:
                answered.append(Answered(carried, UNSENT[fate](key)))
        for (key, carried), fate in zip(desk.out.items(), after, strict=False):
            if fate in SENT:
                answered.append(Answered(carried, SENT[fate](key)))
        mailbox_id = self.house.mailbox_id
        granted = self.transact(
            lambda tx: commit_turn(tx, self.account_id, mailbox_id, answered, ready, token=desk.token)
        )
        for answer in answered:
            desk.held.pop(answer.letter.delivery.key, None)
            desk.out.pop(answer.letter.delivery.key, None)
            self._answered(answer)
        desk.left_over = answered if commit_is_lost else []
        for carried, _ in ready:
            self._went(desk, carried, granted, commit_is_lost)

    def _answered(self, answer: Answered) -> None:
        key, ending = answer.letter.delivery.key, answer.ending
        if isinstance(ending, CannotSend) or ending.stage is not Stage.DOT or ending.reply is None:
            return
        if ending.reply.code >= 400:
            self.books.close_dot(key)
        elif self.books.open_dots.get(key[:2]) == key:
            with self.house.world.database.read() as snapshot:
                listed = deliveries.list_of_enrollment(snapshot, self.account_id, key[0])
            status = next(delivery.status for delivery in listed if delivery.key == key)
            assert status is DeliveryStatus.ACCEPTED, f"the server accepted {key} and it is {status}"

    def _went(self, desk: Desk, carried: ClaimedLetter, granted: Iterable[Key], commit_is_lost: bool) -> None:
        key = carried.delivery.key
        del desk.held[key]
        if commit_is_lost:
            desk.left_over.append(Answered(carried, UNSENT["not sent"](key)))
        elif key in granted:
            self._check_nothing_forbids(carried)
            self.books.write_dot(carried)
            desk.out[key] = carried

    def _check_nothing_forbids(self, carried: ClaimedLetter) -> None:
        with self.house.world.database.read() as snapshot:
            stands = enrollments.get(snapshot, self.account_id, carried.enrollment.id)
            mailbox = mailboxes.get(snapshot, self.account_id, self.house.mailbox_id)
            sequence = sequences.get(snapshot, self.account_id, stands.subject.runs_sequence_id)
        assert stands.subject.address_hash == carried.delivery.address_hash, "a dot for an address of before"
        assert sequence.status is not SequenceStatus.PAUSED, "a dot while the sequence is paused"
        assert mailbox.is_active, "a dot from a mailbox that is switched off"
        assert mailbox.held_since is None, "a dot from a mailbox that is held"

    def is_carrying(self) -> bool:
        """Whether a worker holds letters before their point of no return."""
        return any(desk.held for desk in self.desks.values())

    def is_awaiting_answers(self) -> bool:
        """Whether a worker wrote dots that are not answered."""
        return any(desk.out for desk in self.desks.values())

    def give_back(self, worker: str) -> None:
        """A worker gives back what it never tried."""
        desk = self.desks[worker]
        letters = list(desk.held.values())
        desk.held.clear()
        self.transact(lambda tx: release(tx, self.account_id, letters, desk.token))

    def renew(self, worker: str) -> None:
        """A worker prolongs its leases."""
        desk = self.desks[worker]
        letters = [*desk.held.values(), *desk.out.values()]
        self.transact(lambda tx: renew_leases(tx, self.account_id, letters, desk.token))

    def crash(self, worker: str) -> None:
        """A worker is gone, with all it knew; the one that takes its place has another token."""
        self.desks[worker] = Desk(self.desks[worker].token + "'")

    def reap(self) -> None:
        """End what ran out; afterwards nothing that ran out is left."""
        while True:
            with self.house.world.database.read() as snapshot:
                expired = deliveries.expired(snapshot, snapshot.now, 100)
            if not expired:
                return
            for each in expired:
                assert self.transact(lambda tx, each=each: reap(tx, each))  # type: ignore[misc]

    def finish(self, id: int) -> None:
        """Somebody finishes an enrollment."""
        self.transact(lambda tx: set_state(tx, self.account_id, id, State.FINISHED, self.house.owner_id))
        self.books.finished.add(id)

    def resume(self, id: int) -> None:
        """Somebody lets a blocked enrollment go on; a doubt counts as sent by that."""
        owner_id = self.house.owner_id
        _or_refused(lambda: self.transact(lambda tx: set_state(tx, self.account_id, id, State.ACTIVE, owner_id)))

    def suppress(self, address_hash: str) -> None:
        """The human behind an address takes the way out."""
        cause = Suppression.UNSUBSCRIBED
        self.transact(lambda tx: suppress(tx, self.account_id, address_hash, cause, evidence="one-click"))
        self.books.suppressed.add(address_hash)

    def change_address(self, kind: PersonKind, id: int, email: str | None) -> None:
        """A person gets another address, or none."""
        key = self.house.world.hash_key

        def change(person: Person) -> None:
            fields = PersonFields(first_name=person.first_name, email=email)
            self.transact(lambda tx: change_person(tx, key, person, fields))

        with self.house.world.database.read() as snapshot:
            found = people.find(snapshot, self.account_id, kind, id)
        if found is not None:
            change(found)

    def delete_person(self, kind: PersonKind, id: int) -> None:
        """A person is deleted, and all that runs for them ends."""
        with self.house.world.database.read() as snapshot:
            ids = enrollments.ongoing_of_person(snapshot, self.account_id, kind, id, [])
        _or_refused(lambda: self.transact(lambda tx: delete_person(tx, self.account_id, kind, id)))
        self.books.finished.update(ids)

    def open_tasks(self) -> list[int]:
        """The open tasks' ids."""
        with self.house.world.database.read() as snapshot:
            return [each.id for each in stored_tasks.list_open(snapshot, self.account_id, 0, 100)]

    def complete_task(self, id: int) -> None:
        """A seller completes a task."""
        self.transact(lambda tx: tasks.complete(tx, self.account_id, id))

    def delete_task(self, id: int) -> None:
        """A seller deletes a task."""
        self.transact(lambda tx: tasks.delete(tx, self.account_id, id))

    def set_status(self, sequence_id: int, status: SequenceStatus) -> None:
        """A seller pauses a sequence or lets it go on."""
        owner_id = self.house.owner_id
        self.transact(lambda tx: set_status(tx, self.account_id, sequence_id, status, owner_id))

    def carry(self, limit: int) -> bool:
        """A worker carries the next change of a sequence one batch further; False if there is none."""
        with self.house.world.database.read() as snapshot:
            replan = replans.find_next(snapshot)
        if replan is not None:
            assert self.transact(lambda tx: carry_replan(tx, replan, limit))
        return replan is not None

    def count_as_sent(self, id: int) -> None:
        """Somebody counts a doubt as sent."""
        owner_id = self.house.owner_id
        _or_refused(lambda: self.transact(lambda tx: count_as_sent(tx, self.account_id, id, owner_id)))

    def count_as_not_sent(self, id: int) -> None:
        """Somebody counts a finished enrollment's doubt as not sent."""
        owner_id = self.house.owner_id
        with self.house.world.database.read() as snapshot:
            doubt = deliveries.find_unknown(snapshot, self.account_id, id)
        counted = _or_refused(lambda: self.transact(lambda tx: count_as_not_sent(tx, self.account_id, id, owner_id)))
        if counted and doubt is not None:
            self.books.close_dot(doubt.key)

    def send_again(self, id: int) -> None:
        """A named user sends a doubtful letter again."""
        with self.house.world.database.read() as snapshot:
            doubt = deliveries.find_unknown(snapshot, self.account_id, id)
        if doubt is None or doubt.sha256 is None:
            return
        sha256, owner_id = doubt.sha256, self.house.owner_id

        def again() -> Enrollment:
            return self.transact(lambda tx: send_again(tx, self.account_id, id, owner_id, rewritten_sha256=sha256))

        if _or_refused(again):
            self.books.close_dot(doubt.key)

    def switch_mailbox(self, *, on: bool) -> None:
        """An admin switches the mailbox on or off."""
        self.transact(lambda tx: switch_mailbox(tx, self.account_id, self.house.mailbox_id, on=on))

    def lift_hold(self) -> None:
        """A test of the held mailbox goes well."""
        self.transact(lambda tx: lift_hold(tx, self.account_id, self.house.mailbox_id))

    def settle_everything(self) -> None:
        """What a healthy world does with all that is left: workers come back, causes go away, time passes."""
        for worker in WORKERS:
            self.crash(worker)
        self.switch_mailbox(on=True)
        for sequence_id in (1, 2):
            self.set_status(sequence_id, SequenceStatus.ACTIVE)
        for _ in range(12):
            self.clock.advance(timedelta(hours=26))
            self.reap()
            self.lift_hold()
            while self.carry(500):
                pass
            for id in self.open_tasks():
                self.complete_task(id)
            self._drain(WORKERS[0])

    def _drain(self, worker: str) -> None:
        self.claim(worker, NO_MAILBOX, 100)
        self.claim(worker, self.house.mailbox_id, 100)
        desk = self.desks[worker]
        self.turn(worker, ["ready"] * len(desk.held), [])
        self.turn(worker, [], ["accepted"] * len(desk.out))


def furnish(database: Database, folder: Path) -> House:
    """An office with two sequences, and five people who share three addresses."""
    house = open_house(database, 1, folder)
    house.sequence(letter("0 hours"), letter("1 hours"), letter("1 hours"), name="Letters")
    house.sequence(letter("0 hours"), task("0 hours"), letter("1 hours"), name="Mixed")
    for email, kind in (
        (ADDRESSES[0], PersonKind.CONTACT),
        (ADDRESSES[0], PersonKind.LEAD),
        (ADDRESSES[1], PersonKind.CONTACT),
        (ADDRESSES[1], PersonKind.LEAD),
        (ADDRESSES[2], PersonKind.CONTACT),
    ):
        house.person("Ada", email, kind)
    return house


def enter(database: Database, folder: Path) -> House:
    """An office that was furnished before."""
    return House(open_world_of(database, folder), 1, 1, 1)


def _or_refused(act: Callable[[], object]) -> bool:
    """Whether it was done; a refusal is an answer too."""
    try:
        act()
    except (Invalid, InvalidMany, NotFound):
        return False
    return True
