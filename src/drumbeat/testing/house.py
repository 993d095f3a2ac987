"""A small office for tests and benchmarks: one account with an owner whose mailbox is a real SMTP sink."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drumbeat.domain.account import Role
from drumbeat.domain.calendar import parse_delay
from drumbeat.domain.enrollment import Enrollment
from drumbeat.domain.person import Person, PersonKind
from drumbeat.domain.sequence import ActionType, Sequence, SequenceStatus, Step
from drumbeat.domain.template import TemplateText
from drumbeat.operations.enrollments import EnrollRequest, enroll
from drumbeat.operations.grants import Tokens
from drumbeat.operations.letters import Identity, Writer
from drumbeat.operations.records import PersonFields, add_person
from drumbeat.operations.sequences import SequenceSettings, create, publish, set_status
from drumbeat.operations.signing import signing_keys
from drumbeat.operations.views import EnrollmentView, view
from drumbeat.settings import Settings
from drumbeat.store import accounts, enrollments, installation, mailboxes
from drumbeat.store.database import Database
from drumbeat.store.installation import Vault
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.store.transaction import Tx
from drumbeat.wiring import World

KEY = "a2V5IGtleSBrZXkga2V5IGtleSBrZXkga2V5IGtleSA="


@dataclass
class House:
    """The office: its world, who works there, and what most tests do with it."""

    world: World
    account_id: int
    owner_id: int
    mailbox_id: int

    def sequence(self, *steps: Step, name: str = "Welcome", **settings: Any) -> Sequence:
        """An active sequence of these steps."""

        def make(tx: Tx) -> Sequence:
            draft = SequenceSettings(name=name, **settings)
            made = create(tx, self.account_id, self.owner_id, draft)
            publish(tx, made, steps, self.owner_id)
            return set_status(tx, self.account_id, made.id, SequenceStatus.ACTIVE, self.owner_id)

        return self.world.database.transact(make)

    def person(
        self, first_name: str = "Ada", email: str | None = None, kind: PersonKind = PersonKind.CONTACT
    ) -> Person:
        """A contact or lead."""
        fields = PersonFields(first_name=first_name, email=email or f"{first_name.lower()}@example.com")
        return self.world.database.transact(
            lambda tx: add_person(tx, self.world.hash_key, self.account_id, self.owner_id, kind, fields)
        )

    def enroll(self, sequence: Sequence, person: Person) -> Enrollment:
        """Enroll a person, as often as one likes."""
        request = EnrollRequest(sequence.id, person.kind, person.id)
        return self.world.database.transact(
            lambda tx: enroll(tx, self.world.hash_key, self.account_id, self.owner_id, request, reenroll_after=None)
        )

    def enrollment(self, id: int) -> Enrollment:
        """The enrollment as stored."""
        with self.world.database.read() as snapshot:
            return enrollments.get(snapshot, self.account_id, id)

    def view(self, id: int) -> EnrollmentView:
        """The enrollment as shown."""
        with self.world.database.read() as snapshot:
            return view(snapshot, self.account_id, [enrollments.get(snapshot, self.account_id, id)])[0]


def settings_for(folder: Path, url: str) -> Settings:
    """Settings as an office has them."""
    return Settings(data=folder, database_url=url, base_url="https://drumbeat.example", test_clock=True)


def open_world_of(database: Database, folder: Path) -> World:
    """The world around an office's database, in this process or another one."""
    vault = Vault([KEY])
    settings = settings_for(folder, database.url.render_as_string(hide_password=False))
    with database.read() as snapshot:
        identity = Identity(installation.hash_key(snapshot, vault), settings.base_url)
    writer = Writer(lambda _, __: b"", signing_keys(database, vault))
    return World(settings, database, vault, identity, writer, Tokens(database, vault))


def open_house(database: Database, sink_port: int, folder: Path, *, connections: int = 4) -> House:
    """An office in an empty database."""
    with database.write() as tx:
        installation.install(tx, Vault([KEY]))
        account = accounts.add_account(tx, "Tea House", "UTC", "1 Tea Lane\nLondon")
        owner = accounts.add_user(tx, account.id, name="Olive Owner", email="olive@tea.example", role=Role.ADMIN)
        mailbox_id = mailboxes.add(tx, _mailbox(account.id, sink_port, connections))
        accounts.set_mailbox(tx, account.id, owner.id, mailbox_id)
    return House(open_world_of(database, folder), account.id, owner.id, mailbox_id)


def _mailbox(account_id: int, port: int, connections: int) -> StoredMailbox:
    return StoredMailbox(
        account_id=account_id,
        id=0,
        name="Olive",
        sender_name="Olive Owner",
        sender_email="olive@tea.example",
        host="127.0.0.1",
        port=port,
        security="none",
        username=None,
        sealed_password=None,
        connections=connections,
        is_catcher=True,
        is_active=True,
    )


def letter(
    after: str = "0 hours",
    subject: str = "Hello {{ person.first_name }}",
    text: str = "Dear {{ person.first_name }},\n\ntea is ready.",
    *,
    html: str | None = None,
    is_reply: bool = False,
) -> Step:
    """An e-mail step."""
    return Step(
        ActionType.AUTOMATED_EMAIL,
        parse_delay(after),
        email_template_id=1,
        is_reply=is_reply,
        template=TemplateText(subject, html, text),
    )


def task(after: str = "0 hours", content: str = "Call {{ person.first_name }}") -> Step:
    """A task step."""
    return Step(ActionType.TASK, parse_delay(after), task_content=content)
