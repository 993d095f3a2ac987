"""Everything that stops an enrollment whose letters leave, as it comes in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from drumbeat.domain.enrollment import Enrollment, FinishedReason, State
from drumbeat.domain.unsubscribe import Suppression, unsubscribe_token
from drumbeat.operations.inbound import read, take_in
from drumbeat.operations.letters import read_frozen
from drumbeat.operations.records import delete_person
from drumbeat.operations.unsubscribes import suppress, unsubscribe
from tests.corpus.message import mixed, plain
from tests.operations.office import Office


@dataclass(frozen=True)
class Stop:
    """What happens, and the reason the enrollment then names."""

    act: Callable[[Office, Enrollment], None]
    reason: FinishedReason


def _finish(office: Office, enrollment: Enrollment) -> None:
    office.set_state(enrollment.id, State.FINISHED)


def _hear(office: Office, raw: bytes) -> None:
    house, heard = office.house, read(raw)
    assert office.transact(lambda tx: take_in(tx, house.world.hash_key, house.account_id, house.mailbox_id, heard)), (
        "it was heard"
    )


def _id(office: Office, enrollment: Enrollment) -> str:
    return read_frozen(office.deliveries(enrollment.id)[0].frozen).message_id


def _reply(office: Office, enrollment: Enrollment) -> None:
    id = _id(office, enrollment)
    _hear(office, plain(f"From: somebody@example.com\nSubject: Re: Hello\nIn-Reply-To: {id}", "Tell me more."))


def _ask_to_stop(office: Office, enrollment: Enrollment) -> None:
    id = _id(office, enrollment)
    _hear(office, plain(f"From: somebody@example.com\nSubject: Re: Hello\nIn-Reply-To: {id}", "unsubscribe"))


def _mailto(office: Office, enrollment: Enrollment) -> None:
    token = unsubscribe_token(office.house.world.hash_key, office.house.account_id, enrollment.id)
    _hear(office, plain(f"From: somebody@example.org\nSubject: unsubscribe {token}", ""))


def _complain(office: Office, enrollment: Enrollment) -> None:
    copy = f"Message-ID: {_id(office, enrollment)}\nFrom: olive@tea.example\nSubject: Hello\n"
    feedback = "Feedback-Type: abuse\nUser-Agent: x\nVersion: 1\n"
    parts = (("text/plain", "abuse"), ("message/feedback-report", feedback), ("message/rfc822", copy))
    _hear(office, mixed("From: fbl@example.com\nSubject: complaint", *parts))


def _click(office: Office, enrollment: Enrollment) -> None:
    account_id = office.house.account_id
    office.transact(lambda tx: unsubscribe(tx, account_id, enrollment.id, evidence="one-click"))


def _suppress(office: Office, enrollment: Enrollment) -> None:
    account_id, address = office.house.account_id, enrollment.subject.address_hash
    assert address is not None
    office.transact(lambda tx: suppress(tx, account_id, address, Suppression.SUPPRESSED, evidence="by hand"))


def _delete(office: Office, enrollment: Enrollment) -> None:
    account_id, subject = office.house.account_id, enrollment.subject
    office.transact(lambda tx: delete_person(tx, account_id, subject.resource_type, subject.resource_id))


_CANCELLED = FinishedReason.SUBSCRIPTION_CANCELLED
STOPS = {
    "finish": Stop(_finish, FinishedReason.MANUAL),
    "reply": Stop(_reply, FinishedReason.REPLIED_TO_EMAIL),
    "wish in a reply": Stop(_ask_to_stop, _CANCELLED),
    "mailto": Stop(_mailto, _CANCELLED),
    "one-click": Stop(_click, _CANCELLED),
    "complaint": Stop(_complain, _CANCELLED),
    "suppression": Stop(_suppress, _CANCELLED),
    "deletion": Stop(_delete, FinishedReason.RESOURCE_DELETED),
}
