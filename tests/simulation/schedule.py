"""One seed is one schedule: workers, sellers, readers, mail that comes back, crashes and restores, in virtual time.

Everything is the product's own, on SQLite, a transaction at a time; only the servers and the clock are made up. What
must hold is asserted as it happens (tests/store/office.py keeps the books) and by `verify` at the end.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import event

from drumbeat.domain.person import PersonKind
from drumbeat.domain.sequence import SequenceStatus
from drumbeat.domain.timeline import Quarantine
from drumbeat.operations.inbound import read, take_in
from drumbeat.operations.letters import read_frozen
from drumbeat.operations.quarantine import reconcile
from drumbeat.operations.verification import verify_account
from drumbeat.store import quarantine, sequences
from drumbeat.store.database import Database
from drumbeat.store.lanes import NO_MAILBOX
from drumbeat.store.schema import metadata
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Tx
from drumbeat.testing.clock import TUESDAY_MORNING, FrozenClock
from drumbeat.testing.house import House
from tests.corpus.message import plain, report
from tests.store.office import ADDRESSES, SENT, UNSENT, WORKERS, Books, Desk, Office, furnish

Rows = dict[str, list[tuple[Any, ...]]]
_TABLES: Final = [table.name for table in metadata.sorted_tables]

SETTLED_EVERY: Final = 25  # one schedule in so many is lived to its end
_PEOPLE = [(kind, id) for kind in PersonKind for id in (1, 2)] + [(PersonKind.CONTACT, 3)]
_WAITS = [timedelta(seconds=1), timedelta(seconds=31), timedelta(minutes=2), timedelta(minutes=11)]
_WAITS += [timedelta(hours=1), timedelta(hours=1), timedelta(hours=5), timedelta(days=1), timedelta(days=4)]
_UNSENT = ["ready"] * 16 + ["wait"] * 4 + [*UNSENT]
_SENT = ["accepted"] * 8 + ["wait"] * 3 + [*SENT]
_STANDING = Statement("""
    SELECT id, state, address_hash, resource_type, resource_id, in_doubt, task_id, status FROM enrollments
    WHERE account_id = :account_id ORDER BY id
""")


class Ground:
    """A database with one furnished office in it, made anew for every schedule."""

    def __init__(self, url: str, folder: Path) -> None:
        self.clock = FrozenClock()
        self.database = Database(url, now=self.clock, pool_size=1)
        for engine in (self.database.writer, self.database.reader):
            event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
        self.house = furnish(self.database, folder)
        self._furnished = self.rows()

    def office(self) -> Office:
        """The office as it was furnished."""
        self.put_back(self._furnished)
        self.clock.now = TUESDAY_MORNING
        house = House(self.house.world, self.house.account_id, self.house.owner_id, self.house.mailbox_id)
        return Office(house, self.clock)

    def rows(self) -> Rows:
        """Every row of every table."""
        connection = self.database.reader.raw_connection()
        try:
            cursor = connection.cursor()
            return {name: cursor.execute(f"SELECT * FROM {name}").fetchall() for name in _TABLES}
        finally:
            connection.close()

    def put_back(self, rows: Rows) -> None:
        """Let every table hold these rows and no others."""
        connection = self.database.writer.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute("BEGIN IMMEDIATE")
            cursor.execute("PRAGMA defer_foreign_keys=1")
            for name, content in rows.items():
                cursor.execute(f"DELETE FROM {name}")
                if content:
                    places = ", ".join("?" * len(content[0]))
                    cursor.executemany(f"INSERT INTO {name} VALUES ({places})", content)
            cursor.execute("COMMIT")
        finally:
            connection.close()

    def close(self) -> None:
        """Close the database."""
        self.database.close()


class Schedule:
    """What one seed does."""

    def __init__(self, ground: Ground, seed: int) -> None:
        self.seed = seed
        self.trace: list[str] = []
        self._ground = ground
        self._chance = random.Random(seed)
        self._office = ground.office()
        self._letters: list[tuple[str, str]] = []  # Message-IDs of letters that left, and to whom
        self._copy: Rows | None = None

    def run(self) -> None:
        """Everything, and what must hold; an AssertionError is told with the seed and what was done."""
        try:
            for _ in range(self._chance.randint(1, 4)):
                self._enroll()
            for _ in range(self._chance.randint(6, 18)):
                name = self._chance.choices(*_WEIGHTS)[0]
                self.trace.append(name.strip("_"))
                getattr(self, name)()
                self._note_what_ended()
            self._office.reap()
            self._verify()
            if self.seed % SETTLED_EVERY == 0:
                self._settle()
        except Exception as error:
            error.add_note(f"seed {self.seed}: {', '.join(self.trace)}")
            raise

    def _enroll(self) -> None:
        self._office.enroll(*self._chance.choice(_PEOPLE), self._chance.choice([1, 2]))

    def _work(self) -> None:
        worker, desk = self._worker()
        before = self._chance.choices(_UNSENT, k=len(desk.held))
        after = self._chance.choices(_SENT, k=len(desk.out))
        self._office.turn(worker, before, after)
        self._remember(desk)
        for lane_id in (NO_MAILBOX, self._office.house.mailbox_id):
            self._office.claim(worker, lane_id, self._chance.randint(1, 4))

    def _carry_on(self) -> None:
        """Everything goes well for a while."""
        worker, desk = self._worker()
        for _ in range(2):
            self._office.claim(worker, self._office.house.mailbox_id, 10)
            self._office.turn(worker, ["ready"] * len(desk.held), [])
            self._remember(desk)
            self._office.turn(worker, [], ["accepted"] * len(desk.out))

    def _lose_commit(self) -> None:
        worker, desk = self._worker()
        before = self._chance.choices(_UNSENT, k=len(desk.held))
        self._office.turn(worker, before, ["accepted"] * len(desk.out), commit_is_lost=True)
        self._remember(desk)

    def _crash(self) -> None:
        self._office.crash(self._worker()[0])

    def _renew(self) -> None:
        self._office.renew(self._worker()[0])

    def _give_back(self) -> None:
        self._office.give_back(self._worker()[0])

    def _wait(self) -> None:
        self._office.clock.advance(self._chance.choice(_WAITS))
        if self._chance.random() < 0.7:
            self._office.reap()

    def _stop(self) -> None:
        running = [row for row in self._standing() if row.state != "finished"]
        if not running:
            return
        row, how = self._chance.choice(running), self._chance.randrange(4)
        if how == 0:
            self._office.finish(row.id)
        elif how == 1 and row.address_hash is not None:
            self._office.suppress(row.address_hash)
        elif how == 2:
            self._office.delete_person(PersonKind(row.resource_type), row.resource_id)
        elif row.task_id is not None and row.status == "in_progress":
            self._office.delete_task(row.task_id)

    def _resume(self) -> None:
        for row in self._standing():
            if row.state == "blocked":
                self._office.resume(row.id)
                return

    def _settle_doubt(self) -> None:
        doubtful = [row.id for row in self._standing() if row.in_doubt]
        if doubtful:
            how = self._chance.choice(["count_as_sent", "count_as_not_sent", "send_again"])
            getattr(self._office, how)(self._chance.choice(doubtful))

    def _change_address(self) -> None:
        self._office.change_address(*self._chance.choice(_PEOPLE), self._chance.choice([*ADDRESSES, None]))

    def _complete_tasks(self) -> None:
        for id in self._office.open_tasks():
            self._office.complete_task(id)

    def _pause_or_go_on(self) -> None:
        with self._ground.database.read() as snapshot:
            sequence = sequences.get(snapshot, self._office.account_id, self._chance.choice([1, 2]))
        is_paused = sequence.status is SequenceStatus.PAUSED
        self._office.set_status(sequence.id, SequenceStatus.ACTIVE if is_paused else SequenceStatus.PAUSED)
        self._office.carry(500)

    def _hold_or_free_mailbox(self) -> None:
        if self._chance.random() < 0.5:
            self._office.lift_hold()
        else:
            self._office.switch_mailbox(on=self._chance.random() < 0.7)

    def _hear(self) -> None:
        """Mail comes back about a letter that left, perhaps for the second time."""
        if not self._letters:
            return
        id, address = self._chance.choice(self._letters)
        raw = self._chance.choice([_reply, _bounce])(id, address)
        world, account_id = self._office.house.world, self._office.account_id
        heard = read(raw)
        for _ in range(self._chance.randint(1, 2)):
            self._office.transact(
                lambda tx: take_in(tx, world.hash_key, account_id, self._office.house.mailbox_id, heard)
            )

    def _copy_database(self) -> None:
        self._copy = self._ground.rows()

    def _restore(self) -> None:
        """The database is what it was; what was forgotten with it, nobody can be held to but for the letters."""
        if self._copy is None:
            return
        self._ground.put_back(self._copy)
        self._copy = None
        books, office = self._office.books, self._office
        office.books = Books(open_dots=books.open_dots, dots=books.dots)
        office.desks = {name: Desk(office.desks[name].token + "'") for name in WORKERS}
        self._office.transact(_stand_still)
        worker = self._worker()[0]
        office.claim(worker, office.house.mailbox_id, 10)
        assert not office.desks[worker].held, "something was claimed in quarantine"
        office.clock.advance(timedelta(seconds=31))
        office.reap()
        self._office.transact(lambda tx: reconcile(tx, nothing_was_sent=False))

    def _worker(self) -> tuple[str, Desk]:
        name = self._chance.choice(WORKERS)
        return name, self._office.desks[name]

    def _remember(self, desk: Desk) -> None:
        for carried in desk.out.values():
            frozen = read_frozen(carried.delivery.frozen)
            self._letters.append((frozen.message_id, frozen.recipient_email))

    def _standing(self) -> Sequence[Any]:
        with self._ground.database.read() as snapshot:
            return snapshot.all(_STANDING, account_id=self._office.account_id)

    def _note_what_ended(self) -> None:
        self._office.books.finished.update(row.id for row in self._standing() if row.state == "finished")

    def _verify(self) -> None:
        found = [part.breaches for part in verify_account(self._ground.database, self._office.account_id)]
        assert not any(found), [each for each in found if each]

    def _settle(self) -> None:
        """In a healthy world everybody comes to an end, or waits for a person."""
        self._office.settle_everything()
        self._verify()
        restless = [row.id for row in self._standing() if row.state == "active"]
        assert restless == [], f"{restless} go on for ever"


def _stand_still(tx: Tx) -> None:
    quarantine.begin(tx, Quarantine(tx.now, "It was restored."))


def _reply(id: str, address: str) -> bytes:
    headers = f"From: <{address}>\nTo: olive@tea.example\nSubject: Re: Hello\nIn-Reply-To: {id}\nReferences: {id}"
    return plain(headers, "Tell me more.")


def _bounce(id: str, address: str) -> bytes:
    return report(
        "From: MAILER-DAEMON@example.com\nSubject: Undelivered Mail Returned to Sender",
        "Your message could not be delivered.",
        f"Reporting-MTA: dns; mx.example.com\n\nFinal-Recipient: rfc822; {address}\nAction: failed\nStatus: 5.1.1",
        to=address,
        sent=f"From: Olive <olive@tea.example>\nTo: {address}\nSubject: Hello\nMessage-ID: {id}\n",
    )


_WEIGHTS: Final = list(
    zip(
        *{
            "_work": 30,
            "_carry_on": 8,
            "_wait": 20,
            "_enroll": 6,
            "_stop": 5,
            "_resume": 4,
            "_settle_doubt": 5,
            "_change_address": 3,
            "_complete_tasks": 3,
            "_pause_or_go_on": 3,
            "_hold_or_free_mailbox": 3,
            "_hear": 6,
            "_lose_commit": 4,
            "_crash": 4,
            "_renew": 2,
            "_give_back": 2,
            "_copy_database": 3,
            "_restore": 3,
        }.items(),
        strict=True,
    )
)


def simulate(ground: Ground, seeds: Sequence[int], told: Callable[[int], None] = lambda _: None) -> None:
    """Run every seed's schedule; the first that fails ends it, and its seed is told with what it did."""
    for seed in seeds:
        Schedule(ground, seed).run()
        told(seed)
