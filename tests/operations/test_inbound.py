"""What a received message does: once, to whom it is about, and with its evidence kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import ActionStatus, Enrollment, FinishedReason, State
from drumbeat.domain.inbound import InboundKind
from drumbeat.domain.person import Person, PersonKind
from drumbeat.domain.unsubscribe import unsubscribe_token
from drumbeat.operations import tasks
from drumbeat.operations.inbound import read, take_in
from drumbeat.operations.letters import read_frozen
from drumbeat.store import events, people, received, unsubscribes
from drumbeat.store.database import Database
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter, task
from drumbeat.testing.sink import CUT, At
from tests.corpus.message import mixed, plain, report
from tests.operations.office import Office, opened


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """The office."""
    with opened(database, clock, tmp_path) as office:
        yield office


def heard(office: Office, raw: bytes, mailbox_id: int | None = None) -> InboundKind | None:
    """What comes of a message that reaches the owner's mailbox."""
    house = office.house
    return office.transact(
        lambda tx: take_in(tx, house.world.hash_key, house.account_id, mailbox_id or house.mailbox_id, read(raw))
    )


def sent_to(office: Office, *steps: Any, name: str = "Ada") -> Enrollment:
    """An enrollment whose first letter was accepted."""
    person = office.house.person(name)
    enrolled = office.enroll(
        office.house.sequence(*(steps or (letter(), letter("2 hours"))), name=f"For {name}"), person
    )
    office.work()
    return office.house.enrollment(enrolled.id)


def message_id(office: Office, enrollment: Enrollment, number: int = 0) -> str:
    return read_frozen(office.deliveries(enrollment.id)[number].frozen).message_id


def answer(
    office: Office, enrollment: Enrollment, text: str = "Tell me more.", *more: str, sender: str | None = None
) -> bytes:
    id = message_id(office, enrollment)
    headers = (
        f"From: Ada <{sender or 'ada@example.com'}>",
        "To: olive@tea.example",
        "Subject: Re: Hello Ada",
        f"Date: {format_datetime(office.clock())}",
        f"In-Reply-To: {id}",
        f"References: {id}",
    )
    return plain("\n".join((*headers, *more)), text)


def bounce(
    office: Office, enrollment: Enrollment, status: str = "5.1.1", said: str = "550 5.1.1 user unknown"
) -> bytes:
    return report(
        "From: MAILER-DAEMON@example.com\nSubject: Undelivered Mail Returned to Sender",
        "Your message could not be delivered.",
        "Reporting-MTA: dns; mx.example.com\n\nFinal-Recipient: rfc822; ada@example.com\n"
        f"Action: failed\nStatus: {status}\nDiagnostic-Code: smtp; {said}",
        sent=f"Message-ID: {message_id(office, enrollment)}\nTo: {{to}}\nFrom: olive@tea.example\nSubject: Hello\n",
        to="ada@example.com",
    )


def person_of(office: Office, enrollment: Enrollment) -> Person:
    with office.database.read() as snapshot:
        return people.get(snapshot, office.house.account_id, PersonKind.CONTACT, enrollment.subject.resource_id)


def complete_task(office: Office, enrollment_id: int) -> None:
    task_id = office.house.enrollment(enrollment_id).task_id
    assert task_id is not None
    office.transact(lambda tx: tasks.complete(tx, office.house.account_id, task_id))


def causes(office: Office, enrollment: Enrollment) -> list[dict[str, Any]]:
    with office.database.read() as snapshot:
        rows = events.list_of_enrollment(snapshot, office.house.account_id, enrollment.id)
    return [json.loads(row[3]) for row in rows]


def evidence(office: Office, enrollment: Enrollment) -> list[received.ReceivedMessage]:
    with office.database.read() as snapshot:
        return received.list_of_enrollment(snapshot, office.house.account_id, enrollment.id)


def test_a_reply_finishes_the_enrollment_and_is_kept_as_the_evidence(office: Office) -> None:
    ada = sent_to(office)
    assert heard(office, answer(office, ada)) is InboundKind.REPLY
    after = office.house.enrollment(ada.id)
    assert (after.state, after.finished_reason) == (State.FINISHED, FinishedReason.REPLIED_TO_EMAIL)
    (kept,) = evidence(office, ada)
    assert (kept.kind, kept.matched_by, kept.sender, kept.subject, kept.words, kept.position) == (
        "reply", "message_id", "ada@example.com", "Re: Hello Ada", "Tell me more.", 0,
    )  # fmt: skip
    assert causes(office, ada)[-1] == {"reason": "replied_to_email", "actor_id": None, "message_id": kept.id}
    office.later(hours=3)
    assert office.recipients() == ["ada@example.com"]


def test_the_same_message_has_its_effect_once(office: Office) -> None:
    ada = sent_to(office)
    raw = answer(office, ada)
    assert [heard(office, raw) for _ in range(5)] == [InboundKind.REPLY, None, None, None, None]
    assert len(evidence(office, ada)) == 1


def test_a_reply_from_another_address_counts_within_our_thread(office: Office) -> None:
    ada = sent_to(office)
    heard(office, answer(office, ada, sender="ada.private@example.org"))
    assert office.house.enrollment(ada.id).finished_reason is FinishedReason.REPLIED_TO_EMAIL


def test_a_fresh_message_of_the_person_stops_what_runs_from_this_mailbox(office: Office) -> None:
    ada = sent_to(office)
    raw = plain('From: "eve@example.org" <ADA@Example.com>\nTo: olive@tea.example\nSubject: Tea?', "Call me.")
    assert heard(office, raw) is InboundKind.REPLY
    assert office.house.enrollment(ada.id).finished_reason is FinishedReason.REPLIED_TO_EMAIL
    assert evidence(office, ada)[0].matched_by == "sender"


def test_a_name_that_looks_like_somebody_s_address_is_not_them(office: Office) -> None:
    ada = sent_to(office)
    raw = plain('From: "ada@example.com" <eve@example.org>\nTo: olive@tea.example\nSubject: Tea?', "Call me.")
    assert heard(office, raw) is None
    assert office.house.enrollment(ada.id).state is State.ACTIVE


def test_a_fresh_message_is_no_reply_before_anything_was_sent(office: Office) -> None:
    enrolled = office.enroll(office.house.sequence(letter("1 hours")), office.house.person())
    office.work()
    assert heard(office, plain("From: ada@example.com\nSubject: Hi", "Hi")) is None
    assert office.house.enrollment(enrolled.id).state is State.ACTIVE


def test_a_reply_is_its_own_enrollment_s_alone(office: Office) -> None:
    ada, bob = sent_to(office), sent_to(office, name="Bob")
    heard(office, answer(office, ada))
    assert office.house.enrollment(bob.id).state is State.ACTIVE


def test_a_reply_after_the_end_changes_nothing_and_is_kept(office: Office) -> None:
    ada = sent_to(office, letter())
    before = office.house.enrollment(ada.id)
    assert heard(office, answer(office, ada)) is InboundKind.REPLY
    assert office.house.enrollment(ada.id) == before
    assert len(evidence(office, ada)) == 1


def test_an_answer_to_somebody_else_s_letters_is_ignored(office: Office) -> None:
    ada = sent_to(office)
    raw = answer(office, ada).replace(
        message_id(office, ada).encode(), b"<1.1.0.0.aaaaaaaaaaaaaaaaaaaaaaaa@tea.example>"
    )
    assert heard(office, raw.replace(b"ada@", b"eve@")) is None
    assert office.house.enrollment(ada.id).state is State.ACTIVE


def test_an_automatic_reply_holds_the_person_in_every_sequence_until_they_are_back(office: Office) -> None:
    ada = sent_to(office)
    other = office.enroll(office.house.sequence(task(), letter("1 hours"), name="Another"), person_of(office, ada))
    office.work()
    back = office.clock().date() + timedelta(days=5)
    raw = answer(office, ada, f"I am away until {back.day} {back:%B %Y}.", "Auto-Submitted: auto-replied")
    assert heard(office, raw) is InboundKind.AUTO_REPLY
    until = datetime(back.year, back.month, back.day, tzinfo=UTC)
    after = office.house.enrollment(ada.id)
    assert (after.state, after.due_at) == (State.ACTIVE, until)
    hold = office.why(ada.id)
    assert hold is not None
    assert hold.binding == "away"
    assert back.isoformat() in hold.sentence
    assert not office.house.view(ada.id).stages[1].overdue
    complete_task(office, other.id)
    office.later(hours=2)
    assert office.house.enrollment(other.id).due_at == until
    assert office.recipients() == ["ada@example.com"]
    office.clock.advance(until - office.clock())
    office.work()
    assert office.recipients() == ["ada@example.com"] * 3


def test_an_automatic_reply_without_a_day_holds_nothing(office: Office) -> None:
    ada = sent_to(office)
    before = office.house.enrollment(ada.id).due_at
    heard(office, answer(office, ada, "I am away.", "Auto-Submitted: auto-replied"))
    assert office.house.enrollment(ada.id).due_at == before
    assert "person_away" in office.facts(ada.id)


def test_nobody_is_away_for_longer_than_thirty_days(office: Office) -> None:
    ada = sent_to(office)
    back = office.clock().date() + timedelta(days=300)
    heard(office, answer(office, ada, f"Back on {back.day} {back:%B %Y}.", "Auto-Submitted: auto-replied"))
    due_at = office.house.enrollment(ada.id).due_at
    assert due_at is not None
    assert due_at - office.clock() == timedelta(days=30)


def test_a_permanent_bounce_leaves_the_sent_step_and_blocks_the_next_letter(office: Office) -> None:
    ada = sent_to(office)
    assert heard(office, bounce(office, ada)) is InboundKind.BOUNCE
    after = office.house.enrollment(ada.id)
    assert (after.state, after.failure_reason, after.position) == (State.BLOCKED, FailureReason.RECIPIENT_INVALID, 1)
    assert office.house.view(ada.id).stages[0].status is ActionStatus.COMPLETED
    assert office.deliveries(ada.id)[0].bounced_at is not None
    assert "letter_bounced" in office.facts(ada.id)


def test_a_bounced_person_s_other_sequences_block_too_and_heal_with_another_address(office: Office) -> None:
    ada = sent_to(office)
    person = person_of(office, ada)
    other = office.enroll(office.house.sequence(letter("5 hours"), name="Another"), person)
    heard(office, bounce(office, ada))
    assert office.house.enrollment(other.id).failure_reason is FailureReason.RECIPIENT_INVALID
    office.change(person, email="ada@new.example")
    assert office.house.enrollment(other.id).state is State.ACTIVE
    office.later(hours=6)
    assert office.recipients() == ["ada@example.com", "ada@new.example", "ada@new.example"]


def test_a_bounce_lets_a_task_go_on_and_blocks_the_letter_after_it(office: Office) -> None:
    ada = sent_to(office, letter(), task(), letter())
    heard(office, bounce(office, ada))
    assert office.house.enrollment(ada.id).state is State.ACTIVE
    complete_task(office, ada.id)
    office.work()
    assert office.house.enrollment(ada.id).failure_reason is FailureReason.RECIPIENT_INVALID


def test_a_passing_bounce_is_a_fact_alone(office: Office) -> None:
    ada = sent_to(office)
    before = office.house.enrollment(ada.id)
    heard(office, bounce(office, ada, "4.2.2", "452 4.2.2 mailbox full"))
    after = office.house.enrollment(ada.id)
    assert (after.state, after.due_at) == (State.ACTIVE, before.due_at)
    assert "letter_bounced" in office.facts(ada.id)


def test_a_bounce_without_our_id_has_no_effect(office: Office) -> None:
    ada = sent_to(office)
    raw = bounce(office, ada).replace(message_id(office, ada).encode(), b"<forged@tea.example>")
    assert heard(office, raw) is None
    assert office.house.enrollment(ada.id).state is State.ACTIVE


def complaint(office: Office, enrollment: Enrollment) -> bytes:
    copy = f"Message-ID: {message_id(office, enrollment)}\nFrom: olive@tea.example\nTo: redacted\nSubject: Hello\n"
    feedback = "Feedback-Type: abuse\nUser-Agent: x\nVersion: 1\n"
    return mixed(
        "From: fbl@example.com\nSubject: complaint",
        ("text/plain", "abuse"),
        ("message/feedback-report", feedback),
        ("message/rfc822", copy),
    )


def test_a_complaint_suppresses_the_address_and_finishes_everything(office: Office) -> None:
    ada = sent_to(office)
    other = office.enroll(office.house.sequence(letter("5 hours"), name="Another"), person_of(office, ada))
    assert heard(office, complaint(office, ada)) is InboundKind.COMPLAINT
    for id in (ada.id, other.id):
        assert office.house.enrollment(id).finished_reason is FinishedReason.SUBSCRIPTION_CANCELLED
    assert ada.subject.address_hash is not None
    with office.database.read() as snapshot:
        assert unsubscribes.is_suppressed(snapshot, office.house.account_id, ada.subject.address_hash)


def test_a_forged_complaint_has_no_effect(office: Office) -> None:
    ada = sent_to(office)
    assert heard(office, complaint(office, ada).replace(message_id(office, ada).encode(), b"<forged@x>")) is None
    assert office.house.enrollment(ada.id).state is State.ACTIVE


def test_a_wish_in_a_reply_unsubscribes(office: Office) -> None:
    ada = sent_to(office)
    assert heard(office, answer(office, ada, "Please remove me.\n\nThanks")) is InboundKind.UNSUBSCRIBE
    assert office.house.enrollment(ada.id).finished_reason is FinishedReason.SUBSCRIPTION_CANCELLED


def test_a_wish_without_our_id_stops_and_suppresses_nobody(office: Office) -> None:
    ada = sent_to(office)
    assert heard(office, plain("From: ada@example.com\nSubject: unsubscribe", "")) is InboundKind.REPLY
    assert office.house.enrollment(ada.id).finished_reason is FinishedReason.REPLIED_TO_EMAIL
    assert ada.subject.address_hash is not None
    with office.database.read() as snapshot:
        assert not unsubscribes.is_suppressed(snapshot, office.house.account_id, ada.subject.address_hash)


def test_the_mailto_way_out_unsubscribes_whoever_sends_it(office: Office) -> None:
    ada = sent_to(office)
    token = unsubscribe_token(office.house.world.hash_key, office.house.account_id, ada.id)
    raw = plain(f"From: assistant@example.org\nTo: olive@tea.example\nSubject: unsubscribe {token}", "")
    assert heard(office, raw) is InboundKind.UNSUBSCRIBE
    assert office.house.enrollment(ada.id).finished_reason is FinishedReason.SUBSCRIPTION_CANCELLED


@pytest.mark.parametrize("spoiled", [True, False])
def test_a_token_of_another_account_or_none_of_ours_has_no_effect(office: Office, *, spoiled: bool) -> None:
    ada = sent_to(office)
    token = unsubscribe_token(office.house.world.hash_key, office.house.account_id + (0 if spoiled else 1), ada.id)
    token = token[:-1] + ("a" if token[-1] != "a" else "b") if spoiled else token
    assert heard(office, plain(f"From: eve@example.org\nSubject: unsubscribe {token}", "")) is None
    assert office.house.enrollment(ada.id).state is State.ACTIVE


@pytest.mark.parametrize("kind", ["reply", "bounce", "copy"])
def test_what_comes_back_settles_a_doubt(office: Office, kind: str) -> None:
    office.sink.script = {At.DOT: CUT}
    ada = sent_to(office)
    assert office.delivered(ada.id) == ["unknown"]
    copy = plain(
        f"From: olive@tea.example\nTo: ada@example.com\nSubject: Hello Ada\nMessage-ID: {message_id(office, ada)}", "x"
    )
    raw = {"reply": lambda: answer(office, ada), "bounce": lambda: bounce(office, ada), "copy": lambda: copy}[kind]()
    heard(office, raw)
    assert office.delivered(ada.id) == ["accepted"]
    assert office.house.view(ada.id).stages[0].status is ActionStatus.COMPLETED
    assert "letter_counted_as_sent" in office.facts(ada.id)


def test_a_receipt_and_a_report_of_success_are_no_reply(office: Office) -> None:
    ada = sent_to(office)
    raw = mixed(
        f"From: ada@example.com\nSubject: Read: Hello\nIn-Reply-To: {message_id(office, ada)}",
        ("text/plain", "It was read."),
        ("message/disposition-notification", "Disposition: manual-action/MDN-sent-manually; displayed\n"),
    )
    assert heard(office, raw) is None
    assert office.house.enrollment(ada.id).state is State.ACTIVE


def test_a_copy_of_our_own_follow_up_in_the_thread_is_no_reply(office: Office) -> None:
    ada = sent_to(office, letter(), letter("2 hours", is_reply=True), letter("2 hours"))
    office.later(hours=2)
    assert office.mail()["In-Reply-To"] == message_id(office, ada, 0)
    assert heard(office, office.sink.letters[-1].content) is None
    assert office.house.enrollment(ada.id).state is State.ACTIVE
    assert evidence(office, ada) == []


@pytest.mark.parametrize("more", ["", "Auto-Submitted: auto-replied"])
def test_what_the_seller_writes_in_the_thread_themselves_is_not_the_person_s(office: Office, more: str) -> None:
    ada = sent_to(office)
    lines = (more,) if more else ()
    raw = answer(office, ada, "I am away until 30 March 2026.", *lines, sender="Olive@Tea.example")
    assert heard(office, raw) is None
    assert office.house.enrollment(ada.id).due_at == ada.due_at
    assert office.house.enrollment(ada.id).state is State.ACTIVE


def test_whoever_tries_a_sequence_on_their_own_mailbox_is_heard(office: Office) -> None:
    person = office.house.person("Olive", "olive@tea.example")
    enrolled = office.enroll(office.house.sequence(letter(), letter("2 hours")), person)
    office.work()
    olive = office.house.enrollment(enrolled.id)
    assert heard(office, office.sink.letters[-1].content) is None
    assert heard(office, answer(office, olive, "It works.", sender="olive@tea.example")) is InboundKind.REPLY
