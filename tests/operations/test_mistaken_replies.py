"""Going on after a reply that was none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from drumbeat.domain.enrollment import ActionStatus, Enrollment, FinishedReason, State
from drumbeat.domain.errors import AlreadyExists, IncorrectValue, NotFound
from drumbeat.domain.happening import FinishRequested
from drumbeat.domain.person import Person
from drumbeat.domain.unsubscribe import Suppression
from drumbeat.operations.enrollments import finish_all
from drumbeat.operations.inbound import read, take_in
from drumbeat.operations.letters import read_frozen
from drumbeat.operations.mistaken_replies import undo_reply
from drumbeat.operations.records import delete_person
from drumbeat.operations.unsubscribes import suppress
from drumbeat.store import people
from drumbeat.store.database import Database
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter, task
from drumbeat.testing.sink import CUT, At
from tests.corpus.message import plain
from tests.operations.office import Office, opened


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """The office."""
    with opened(database, clock, tmp_path) as office:
        yield office


def replied(office: Office, *steps: Any) -> Enrollment:
    """Ada's enrollment, ended after its first letter by what was taken for a reply."""
    sequence = office.house.sequence(*(steps or (letter(), letter("48 hours", is_reply=True))))
    enrolled = office.enroll(sequence, office.house.person("Ada"))
    office.work()
    end(office, enrolled.id)
    return office.house.enrollment(enrolled.id)


def end(office: Office, id: int) -> None:
    request = FinishRequested(FinishedReason.REPLIED_TO_EMAIL)
    office.transact(lambda tx: finish_all(tx, office.house.account_id, [id], request))


def person_of(office: Office, enrollment: Enrollment) -> Person:
    subject = enrollment.subject
    with office.database.read() as snapshot:
        return people.get(snapshot, office.house.account_id, subject.resource_type, subject.resource_id)


def undo(office: Office, id: int) -> Enrollment:
    return office.transact(lambda tx: undo_reply(tx, office.house.account_id, id, office.house.owner_id))


def test_a_new_enrollment_goes_on_with_what_was_done_and_the_delay_left(office: Office) -> None:
    ada = replied(office)
    ended_at = office.clock()
    office.later(hours=100)
    new = undo(office, ada.id)
    assert (new.state, new.position, new.due_at) == (State.ACTIVE, 1, office.clock() + timedelta(hours=48))
    stages = office.house.view(new.id).stages
    assert (stages[0].status, stages[0].executed_at) == (ActionStatus.COMPLETED, ended_at)
    assert (new.continues_id, office.house.enrollment(ada.id).continued_by_id) == (ada.id, new.id)
    assert new.subject.mailbox_id == office.house.mailbox_id
    assert office.facts(ada.id)[-1] == "continued"
    assert office.house.enrollment(ada.id).finished_reason is FinishedReason.REPLIED_TO_EMAIL


def test_the_next_letter_stays_in_the_thread_also_after_two_mistakes(office: Office) -> None:
    ada = replied(office)
    first = undo(office, ada.id)
    end(office, first.id)
    second = undo(office, first.id)
    office.later(hours=48)
    assert office.house.enrollment(second.id).finished_reason is FinishedReason.ALL_STEPS_COMPLETED
    began = read_frozen(office.deliveries(ada.id)[0].frozen).message_id
    assert office.mail()["In-Reply-To"] == began
    assert len(office.sink.letters) == 2


def test_a_reply_to_the_letter_before_finishes_the_enrollment_that_goes_on(office: Office) -> None:
    ada = replied(office)
    new = undo(office, ada.id)
    id = read_frozen(office.deliveries(ada.id)[0].frozen).message_id
    raw = plain(f"From: ada@example.com\nSubject: Re: Hello\nIn-Reply-To: {id}", "Now I answer.")
    house = office.house
    office.transact(lambda tx: take_in(tx, house.world.hash_key, house.account_id, house.mailbox_id, read(raw)))
    assert office.house.enrollment(new.id).finished_reason is FinishedReason.REPLIED_TO_EMAIL


def test_an_open_task_is_opened_anew(office: Office) -> None:
    ada = replied(office, task(), letter())
    new = undo(office, ada.id)
    office.work()
    assert office.house.enrollment(new.id).task_id not in (None, ada.task_id)


def test_it_goes_on_once_and_only_after_a_reply(office: Office) -> None:
    ada = replied(office)
    new = undo(office, ada.id)
    with pytest.raises(AlreadyExists, match=f"Enrollment {new.id}"):
        undo(office, ada.id)
    with pytest.raises(IncorrectValue, match="Only an enrollment that a reply has ended"):
        undo(office, new.id)
    with pytest.raises(NotFound):
        undo(office, 999)


def test_it_is_refused_while_the_person_runs_the_sequence_again(office: Office) -> None:
    ada = replied(office)
    office.enroll(office.house.view(ada.id).sequence, person_of(office, ada))
    with pytest.raises(AlreadyExists, match="runs this sequence again"):
        undo(office, ada.id)


def test_it_is_refused_for_whoever_must_not_be_written_to(office: Office) -> None:
    ada = replied(office)
    hashed = ada.subject.address_hash
    assert hashed is not None
    account_id = office.house.account_id
    office.transact(lambda tx: suppress(tx, account_id, hashed, Suppression.SUPPRESSED, evidence="asked on the phone"))
    with pytest.raises(IncorrectValue, match="suppressed"):
        undo(office, ada.id)


def test_it_is_refused_while_a_letter_is_in_doubt_and_when_nothing_is_left(office: Office) -> None:
    office.sink.script = {At.DOT: CUT}
    ada = replied(office)
    with pytest.raises(IncorrectValue, match="in doubt"):
        undo(office, ada.id)


def test_it_is_refused_for_a_person_who_is_gone(office: Office) -> None:
    ada = replied(office)
    subject, account_id = ada.subject, office.house.account_id
    office.transact(lambda tx: delete_person(tx, account_id, subject.resource_type, subject.resource_id))
    with pytest.raises(NotFound):
        undo(office, ada.id)
