"""An office at work: a house, its sink, a worker, and what the tests ask of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, TypeVar

from drumbeat.domain.account import Role, User
from drumbeat.domain.enrollment import Enrollment, State
from drumbeat.domain.person import Person, PersonKind, address_hash
from drumbeat.domain.sequence import Sequence
from drumbeat.domain.timeline import Hold
from drumbeat.operations.doubts import send_again
from drumbeat.operations.enrollments import EnrollRequest, enroll, set_state
from drumbeat.operations.execute import ContactInput, Execution, execute
from drumbeat.operations.letters import read_frozen
from drumbeat.operations.records import PersonFields, add_person, change_person
from drumbeat.operations.views import why
from drumbeat.store import accounts, deliveries, due, enrollments, events, mailboxes
from drumbeat.store.database import Database
from drumbeat.store.deliveries import Delivery
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.store.schema import metadata
from drumbeat.store.stamps import to_stamp
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Tx
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import House, open_house
from drumbeat.testing.sink import Script, Sink
from drumbeat.worker import Worker

T = TypeVar("T")
TOKEN = "0123456789abcdef"


@dataclass
class Office:
    """Everybody and everything; the worker moves only when told to."""

    house: House
    sink: Sink
    clock: FrozenClock
    worker: Worker

    @property
    def database(self) -> Database:
        """The database."""
        return self.house.world.database

    def transact(self, act: Callable[[Tx], T]) -> T:
        """Do something in one transaction."""
        return self.database.transact(act)

    def work(self) -> None:
        """Let the worker do all there is to do now; fails if it never comes to rest."""
        for _ in range(60):
            if not self.worker.step():
                return
        raise AssertionError("the worker goes round in circles")

    def later(self, **by: float) -> None:
        """Let time pass, and the worker work."""
        self.clock.advance(timedelta(**by))
        self.work()

    def enroll(
        self, sequence: Sequence, person: Person, *, limited: bool = False, actor_id: int | None = None
    ) -> Enrollment:
        """Enroll as the API does (limited) or as often as one likes."""
        request = EnrollRequest(sequence.id, person.kind, person.id, actor_id)
        more: dict[str, Any] = {} if limited else {"reenroll_after": None}
        key, account_id, owner_id = self.house.world.hash_key, self.house.account_id, self.house.owner_id
        return self.transact(lambda tx: enroll(tx, key, account_id, owner_id, request, **more))

    def execute(self, sequence: Sequence, *contacts: ContactInput | str) -> Execution:
        """Execute for these contacts; a string is just an address."""
        given = [ContactInput(c) if isinstance(c, str) else c for c in contacts]
        key, account_id, owner_id = self.house.world.hash_key, self.house.account_id, self.house.owner_id
        return self.transact(lambda tx: execute(tx, key, account_id, owner_id, sequence.id, given))

    def nobody(self, kind: PersonKind = PersonKind.CONTACT, name: str = "Nobody") -> Person:
        """Somebody without an e-mail address."""
        house, fields = self.house, PersonFields(first_name=name)
        return self.transact(
            lambda tx: add_person(tx, house.world.hash_key, house.account_id, house.owner_id, kind, fields)
        )

    def change(self, person: Person, **fields: Any) -> Person:
        """Set a person's name and address, and what else is given."""
        given = PersonFields(**{"first_name": person.first_name, "email": person.email} | fields)
        return self.transact(lambda tx: change_person(tx, self.house.world.hash_key, person, given))

    def set_state(self, id: int, state: State) -> Enrollment:
        """What PUT does, as the owner."""
        return self.transact(lambda tx: set_state(tx, self.house.account_id, id, state, self.house.owner_id))

    def send_again(self, id: int) -> Enrollment:
        """What a user does who wants a doubtful letter sent once more."""
        house, world = self.house, self.house.world
        enrollment = house.enrollment(id)
        letter = next(d for d in self.deliveries(id) if d.status == "unknown")
        content = world.writer.write(house.account_id, enrollment.step, read_frozen(letter.frozen))
        digest = hashlib.sha256(content).hexdigest()
        return self.transact(lambda tx: send_again(tx, house.account_id, id, house.owner_id, rewritten_sha256=digest))

    def hash_of(self, email: str) -> str:
        """The address key's hash."""
        return address_hash(self.house.world.hash_key, self.house.account_id, email)

    def deliveries(self, id: int) -> list[Delivery]:
        """An enrollment's letters."""
        with self.database.read() as snapshot:
            return deliveries.list_of_enrollment(snapshot, self.house.account_id, id)

    def delivered(self, id: int) -> list[str]:
        """The status of each of an enrollment's letters."""
        return [delivery.status.value for delivery in self.deliveries(id)]

    def tries(self, id: int) -> int:
        """How many tries the present step has behind it."""
        with self.database.read() as snapshot:
            return due.get_attempt(snapshot, self.house.account_id, [id])[id][1]

    def lane(self, id: int) -> int:
        """The lane an enrollment waits in."""
        with self.database.read() as snapshot:
            return due.get_attempt(snapshot, self.house.account_id, [id])[id][0]

    def leased(self) -> int:
        """How many enrollments somebody works on."""
        return self.count("SELECT count(*) FROM due WHERE lease_token IS NOT NULL")

    def facts(self, id: int) -> list[str]:
        """What happened to an enrollment."""
        with self.database.read() as snapshot:
            return [row[2] for row in events.list_of_enrollment(snapshot, self.house.account_id, id)]

    def why(self, id: int) -> Hold | None:
        """What holds an enrollment."""
        with self.database.read() as snapshot:
            return why(snapshot, self.house.account_id, enrollments.get(snapshot, self.house.account_id, id))

    def mailbox(self, id: int | None = None) -> StoredMailbox:
        """A mailbox, the owner's if none is named."""
        with self.database.read() as snapshot:
            return mailboxes.get(snapshot, self.house.account_id, id or self.house.mailbox_id)

    def set_mailbox(self, **changes: Any) -> None:
        """Change the owner's mailbox."""
        if "is_active" in changes:
            changes["status"] = "active" if changes.pop("is_active") else "off"
        values = {"password" if name == "sealed_password" else name: value for name, value in changes.items()}
        stamps = {name: to_stamp(value) for name, value in values.items() if isinstance(value, datetime)}
        columns = ", ".join(f"{name} = :{name}" for name in values)
        statement = Statement(f"UPDATE mailboxes SET {columns} WHERE account_id = :account_id AND id = :id")
        keys = {"account_id": self.house.account_id, "id": self.house.mailbox_id}
        self.transact(lambda tx: tx.run(statement, **values | stamps | keys))

    def add_mailbox(self, **changes: Any) -> int:
        """One more mailbox."""
        return self.transact(lambda tx: mailboxes.add(tx, replace(self.mailbox(), **changes)))

    def set_account(self, **changes: Any) -> None:
        """Change the account's settings."""
        with self.database.write() as tx:
            account = accounts.get_account(tx, self.house.account_id)
            accounts.save_account(tx, replace(account, **changes))

    def add_user(self, name: str = "Sam Seller", **changes: Any) -> User:
        """One more user, without a mailbox."""
        with self.database.write() as tx:
            email = f"{name.split()[0].lower()}@tea.example"
            user = accounts.add_user(tx, self.house.account_id, name=name, email=email, role=Role.AGENT)
            accounts.save_user(tx, replace(user, **changes))
            return accounts.get_user(tx, self.house.account_id, user.id)

    def set_user(self, id: int, **changes: Any) -> None:
        """Change a user."""
        with self.database.write() as tx:
            accounts.save_user(tx, replace(accounts.get_user(tx, self.house.account_id, id), **changes))

    def count(self, statement: str) -> int:
        """The number a statement gives."""
        with self.database.read() as snapshot:
            row = snapshot.first(Statement(statement))
        assert row is not None
        return int(row[0])

    def run(self, statement: str) -> None:
        """Execute something on a connection of its own, as an operator could."""
        with self.database.write() as tx:
            tx.run(Statement(statement))

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table."""
        with self.database.read() as snapshot:
            return {
                table.name: sorted(map(tuple, snapshot.all(Statement(f"SELECT * FROM {table.name}"))), key=repr)
                for table in metadata.sorted_tables
            }

    def recipients(self) -> list[str]:
        """Whom the sink took letters for, in order."""
        return [received.recipient for received in self.sink.letters]

    def mail(self, number: int = -1) -> EmailMessage:
        """A letter the sink took, parsed."""
        return message_from_bytes(self.sink.letters[number].content, policy=policy.default)


@contextmanager
def opened(
    database: Database,
    clock: FrozenClock,
    folder: Path,
    script: Script | None = None,
    *,
    connections: int = 1,
    credentials: tuple[str, str] | None = None,
) -> Iterator[Office]:
    """An office; its sink follows a script that a test may change at any time."""
    with Sink({} if script is None else script, credentials=credentials) as sink:
        house = open_house(database, sink.port, folder, connections=connections)
        office = Office(house, sink, clock, Worker(house.world))
        if credentials is not None:
            office.set_mailbox(username=credentials[0], sealed_password=house.world.vault.seal(credentials[1]))
        yield office
        office.worker.close()
