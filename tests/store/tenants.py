"""Two accounts whose rows carry the same ids: what one stores, the other must not see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from msgspec import structs

from drumbeat.domain.account import Role
from drumbeat.domain.calendar import Delay, Unit
from drumbeat.domain.delivery import DeliveryStatus
from drumbeat.domain.enrollment import Enrollment, Plan, Subject
from drumbeat.domain.machine import start
from drumbeat.domain.person import Person, PersonKind
from drumbeat.domain.sequence import ActionType, Sequence, SequenceStatus, Step
from drumbeat.domain.template import TemplateText
from drumbeat.store import accounts, enrollments, mailboxes, sequences
from drumbeat.store.deliveries import Delivery
from drumbeat.store.mailboxes import StoredMailbox
from drumbeat.store.transaction import Tx

LETTER = Step(
    ActionType.AUTOMATED_EMAIL, Delay(0, Unit.HOURS), email_template_id=1, template=TemplateText("Hi", None, "Tea?")
)
CALL = Step(ActionType.TASK, Delay(1, Unit.HOURS), task_content="Call")


@dataclass(frozen=True)
class Tenant:
    """An account with an owner, a mailbox and a sequence of a letter, a call and a letter; all have the id 1."""

    account_id: int
    owner_id: int
    mailbox_id: int
    sequence: Sequence


def found(tx: Tx, name: str) -> Tenant:
    """A new account and what it needs to send."""
    account = accounts.add_account(tx, name, "UTC", None)
    owner = accounts.add_user(tx, account.id, name="Owner", email="owner@example.com", role=Role.ADMIN)
    mailbox_id = mailboxes.add(tx, _mailbox(account.id))
    accounts.set_mailbox(tx, account.id, owner.id, mailbox_id)
    return Tenant(account.id, owner.id, mailbox_id, sequence(tx, account.id, owner.id))


def _mailbox(account_id: int) -> StoredMailbox:
    return StoredMailbox(
        account_id=account_id,
        id=0,
        name="Owner",
        sender_name="Owner",
        sender_email="owner@example.com",
        host="127.0.0.1",
        port=25,
        security="none",
        username=None,
        sealed_password=None,
        connections=1,
        is_catcher=True,
        is_active=True,
    )


def sequence(tx: Tx, account_id: int, owner_id: int, name: str = "Tea") -> Sequence:
    """An active sequence of a letter, a call and a letter."""
    made = sequences.add(tx, Sequence(account_id, 0, name, SequenceStatus.DRAFT, owner_id, 0, 0))
    sequences.publish(tx, made, [LETTER, CALL, LETTER])
    sequences.set_status(tx, made, SequenceStatus.ACTIVE)
    return sequences.get(tx, account_id, made.id)


def person(tenant: Tenant, now: datetime, id: int = 1, **fields: Any) -> Person:
    """A contact of the tenant, not yet stored."""
    plain = Person(
        account_id=tenant.account_id,
        kind=PersonKind.CONTACT,
        id=id,
        first_name="Ada",
        last_name=None,
        organization_name=None,
        title=None,
        email=f"p{id}@example.com",
        address_hash=f"hash-{id}",
        phone=None,
        time_zone=None,
        owner_id=tenant.owner_id,
        creator_id=tenant.owner_id,
        created_at=now,
        updated_at=now,
    )
    return structs.replace(plain, **fields)


def enrolled(tx: Tx, tenant: Tenant, id: int = 1, **subject: Any) -> Enrollment:
    """A stored enrollment of the contact with the same id; `subject` says what is different."""
    whose = Subject(
        actor_id=tenant.owner_id,
        resource_type=PersonKind.CONTACT,
        resource_id=id,
        address_hash=f"hash-{id}",
        sequence_id=tenant.sequence.id,
        runs_sequence_id=tenant.sequence.id,
        version=1,
        variant=None,
        mailbox_id=None,
        zone="UTC",
        recipient_zone=None,
    )
    plan = Plan((LETTER, CALL, LETTER), tenant.sequence.rhythm("UTC", None))
    started = start(tenant.account_id, id, structs.replace(whose, **subject), plan, tx.now, {}).enrollment
    enrollments.add(tx, [(started, tenant.mailbox_id)])
    return enrollments.get(tx, tenant.account_id, id)


def delivery(tenant: Tenant, now: datetime, enrollment_id: int = 1, **fields: Any) -> Delivery:
    """A queued letter of an enrollment's first step, not yet stored."""
    plain = Delivery(
        account_id=tenant.account_id,
        enrollment_id=enrollment_id,
        position=0,
        attempt=0,
        status=DeliveryStatus.QUEUED,
        mailbox_id=tenant.mailbox_id,
        address_hash=f"hash-{enrollment_id}",
        frozen="{}",
        composer=1,
        claimed_at=now,
    )
    return structs.replace(plain, **fields)
