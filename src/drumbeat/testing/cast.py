"""The cast of the tests: an account with an owner and a seller, a rival account with an outsider."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from drumbeat.domain.access import Credential, CredentialKind, Scope, fingerprint, write_credential
from drumbeat.domain.account import Account, Role, User
from drumbeat.domain.calendar import Delay, Unit
from drumbeat.domain.person import Person, PersonKind
from drumbeat.domain.sequence import ActionType, Sequence, SequenceStatus, Step
from drumbeat.domain.template import TemplateText
from drumbeat.operations.records import PersonFields, add_person
from drumbeat.settings import Settings
from drumbeat.store import accounts, credentials, mailboxes, sequences
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.store.transaction import Tx
from drumbeat.testing.clock import FrozenClock
from drumbeat.wiring import World, open_world

RIVALS_FIRST_ID = 1_000_001
_NOUNS = (
    *("user", "mailbox", "template", "sequence", "enrollment", "credential"),
    *("lead", "contact", "task", "lead_conversion", "calendar", "session", "import"),
)
_EVERYTHING = tuple(Scope)


@dataclass(frozen=True, slots=True)
class Company:
    """One account: its users, a sequence of two letters, one that begins with a task, and a way in for each."""

    account: Account
    owner: User
    seller: User
    letters: Sequence
    with_task: Sequence
    token: str
    key: str


@dataclass(frozen=True, slots=True)
class Cast:
    """Us, and a rival who must never see anything of ours; the rival's ids begin at 1,000,001."""

    us: Company
    rival: Company


def make_world(folder: Path, database_url: str, clock: FrozenClock | None = None) -> World:
    """A world over a database of the test's own, on the test's clock."""
    told: dict[str, Any] = {
        "data": folder / "data",
        "database_url": database_url,
        "base_url": "http://drumbeat.test",
    }
    settings = Settings(**told)
    return open_world(settings, now=clock)


def enter_cast(tx: Tx) -> Cast:
    """Everybody, in an empty database."""
    us = _found(tx, "Northwind Lamps", first_id=1)
    return Cast(us=us, rival=_found(tx, "Rival Lanterns", first_id=RIVALS_FIRST_ID))


def _found(tx: Tx, name: str, first_id: int) -> Company:
    account = accounts.add_account(tx, name, "Europe/Berlin", "1 Harbour Street, Springfield")
    for noun in _NOUNS if first_id > 1 else ():
        accounts.start_ids_at(tx, account.id, noun, first_id)
    domain = name.split()[0].lower() + ".example"
    owner = accounts.add_user(tx, account.id, name="Olga Owner", email=f"olga@{domain}", role=Role.ADMIN)
    seller = accounts.add_user(tx, account.id, name="Sam Seller", email=f"sam@{domain}", role=Role.AGENT)
    seller = _with_mailbox(tx, seller)
    letters = [letter(0, Unit.HOURS), letter(2, Unit.WEEKDAYS, is_reply=True)]
    with_task = [task_step(0, Unit.HOURS), letter(1, Unit.WEEKDAYS)]
    return Company(
        account=account,
        owner=owner,
        seller=seller,
        letters=add_sequence(tx, seller, "Two letters", letters),
        with_task=add_sequence(tx, seller, "A call and a letter", with_task),
        token=add_credential(tx, seller, CredentialKind.TOKEN, _EVERYTHING),
        key=add_credential(tx, seller, CredentialKind.KEY, [Scope.SEQUENCES_EXECUTE]),
    )


def _with_mailbox(tx: Tx, user: User) -> User:
    mailbox_id = mailboxes.add(
        tx,
        StoredMailbox(
            account_id=user.account_id,
            id=0,
            name=user.name,
            sender_name=user.name,
            sender_email=user.email,
            host="127.0.0.1",
            port=2525,
            security="none",
            username=None,
            sealed_password=None,
            connections=4,
            is_catcher=True,
            is_active=True,
        ),
    )
    accounts.save_user(tx, replace(user, mailbox_id=mailbox_id))
    return accounts.get_user(tx, user.account_id, user.id)


def letter(amount: int, unit: Unit, *, is_reply: bool = False, template_id: int = 1) -> Step:
    """A letter that greets by first name, `amount` hours or weekdays after the step before."""
    text = TemplateText(
        subject="" if is_reply else "Lamps for your desk",
        html=None,
        text="Hello {{ person.first_name | default: 'there' }},\n\nwould you like a lamp?\n",
    )
    return Step(ActionType.AUTOMATED_EMAIL, Delay(amount, unit), template_id, is_reply, text)


def task_step(amount: int, unit: Unit, content: str = "Call and ask about the lamp") -> Step:
    """A task, `amount` hours or weekdays after the step before."""
    return Step(ActionType.TASK, Delay(amount, unit), task_content=content)


def add_sequence(
    tx: Tx, creator: User, name: str, steps: list[Step], status: SequenceStatus = SequenceStatus.ACTIVE
) -> Sequence:
    """A sequence with these steps published; none of them when there are none."""
    made = sequences.add(tx, Sequence(creator.account_id, 0, name, SequenceStatus.DRAFT, creator.id, 0, 0))
    if steps:
        sequences.publish(tx, made, steps)
    sequences.set_status(tx, made, status)
    return sequences.get(tx, made.account_id, made.id)


def add_credential(
    tx: Tx, user: User, kind: CredentialKind, scopes: list[Scope] | tuple[Scope, ...], **more: object
) -> str:
    """A token or key of the user, as text; `more` are fields of the credential such as expires_at."""
    id = credentials.reserve_id(tx, user.account_id)
    text = write_credential(kind, user.account_id, id, secrets.token_urlsafe(32))
    made = Credential(user.account_id, id, kind, user.id, frozenset(scopes))
    credentials.add(tx, replace(made, **more), "for a test", fingerprint(text))  # type: ignore[arg-type]
    return text


def add_lead(tx: Tx, world: World, company: Company, email: str | None, first_name: str = "Lena") -> Person:
    """A lead of the company."""
    fields = PersonFields(first_name=first_name, last_name="Lead", email=email)
    return add_person(tx, world.hash_key, company.account.id, company.seller.id, PersonKind.LEAD, fields)
