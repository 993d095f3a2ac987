"""Working at steps: a draft is kept and compared, planned for a start, and becomes the version that others run next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec import structs

from drumbeat.domain.calendar import Delay, Unit, parse_delay, parse_windows
from drumbeat.domain.errors import ChangedMeanwhile, IncorrectValue, MissingField, NotFound, SequenceEmpty
from drumbeat.domain.sequence import ActionType, Sequence, SequenceStatus, Step
from drumbeat.domain.template import Attachment, TemplateText
from drumbeat.operations.drafting import (
    MOST_STEPS,
    Drafted,
    DraftStep,
    Kind,
    differences,
    discard_draft,
    draft_of,
    planned,
    publish_draft,
    published_steps,
    review,
    save_draft,
)
from drumbeat.operations.templates import Draft, add_template, change_template
from drumbeat.store import drafts, sequences
from drumbeat.store.database import Database
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter, task
from tests.domain.runs import ACCOUNT, ACTOR
from tests.operations.office import Office, opened

A, B, C = (task(content=words) for words in "ABC")
TASK = DraftStep(ActionType.TASK, 3, Unit.WEEKDAYS, task="Call")
LETTER = DraftStep(ActionType.AUTOMATED_EMAIL, 2, Unit.HOURS, is_reply=True)


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """The office."""
    with opened(database, clock, tmp_path) as office:
        yield office


def kinds(before: list[Step], after: list[Step]) -> list[Kind]:
    """What becomes of each step."""
    return [each.kind for each in differences(before, after)]


def changes(before: Step, after: Step) -> tuple[str, ...]:
    """What changes in one step."""
    (found,) = differences([before], [after])
    assert (found.kind, found.before, found.after) == (Kind.CHANGED, before, after)
    return found.changes


def test_steps_that_stay_come_go_and_change_are_told_in_order() -> None:
    assert kinds([], []) == []
    assert kinds([A, B], [A, B]) == [Kind.SAME, Kind.SAME]
    assert kinds([A, B], [A, B, C]) == [Kind.SAME, Kind.SAME, Kind.NEW]
    assert kinds([A, B], [C, A, B]) == [Kind.NEW, Kind.SAME, Kind.SAME]
    assert kinds([A, B, C], [A, C]) == [Kind.SAME, Kind.GONE, Kind.SAME]
    assert kinds([A, B, C], [A, task(content="D"), C]) == [Kind.SAME, Kind.CHANGED, Kind.SAME]
    assert kinds([A], [B, C]) == [Kind.CHANGED, Kind.NEW]
    assert kinds([A, B], [C]) == [Kind.CHANGED, Kind.GONE]


def test_a_step_that_was_moved_is_gone_in_one_place_and_new_in_another() -> None:
    found = differences([A, B, C], [B, C, A])
    assert [each.kind for each in found] == [Kind.GONE, Kind.SAME, Kind.SAME, Kind.NEW]
    assert (found[0].before, found[0].after, found[3].before, found[3].after) == (A, None, None, A)


def test_the_same_letter_from_another_template_is_the_same_letter() -> None:
    assert kinds([letter()], [replace(letter(), email_template_id=2)]) == [Kind.SAME]


def test_what_changes_in_a_step_is_told_in_words() -> None:
    plain = letter()
    price = Attachment("price.pdf", "application/pdf", "0" * 64, 9)
    assert changes(A, B) == ("other words",)
    assert changes(A, plain) == ("It becomes a letter.",)
    assert changes(plain, A) == ("It becomes a task.",)
    assert changes(plain, replace(plain, delay=parse_delay("1 weekdays"))) == ("another delay",)
    assert changes(plain, replace(plain, is_reply=True)) == ("goes on in the thread",)
    assert changes(replace(plain, is_reply=True), plain) == ("begins a thread of its own",)
    assert changes(plain, replace(plain, template=TemplateText("Other", None, "x"))) == ("another text",)
    assert changes(plain, replace(plain, attachments=(price,))) == ("other attachments",)
    other = replace(letter("3 hours", text="Other"), email_template_id=2)
    assert changes(plain, other) == ("another delay", "another template")


def test_a_plan_is_made_on_the_sequence_s_clock_else_the_sender_s_else_the_account_s() -> None:
    open_at_nine = parse_windows(["Mon-Fri 09:00-17:00"])
    sequence = Sequence(1, 1, "Welcome", SequenceStatus.DRAFT, 2, 0, 0, windows=open_at_nine)
    night = datetime(2026, 3, 3, 1, tzinfo=UTC)

    def leaves(sequence: Sequence, zone: str | None) -> datetime:
        (instant,) = planned(
            sequence, ACCOUNT, replace(ACTOR, time_zone=zone), [structs.replace(LETTER, amount=0)], night
        )
        return instant

    assert leaves(replace(sequence, time_zone="Asia/Tokyo"), "Europe/Berlin") == night
    assert leaves(sequence, "Europe/Berlin") == night.replace(hour=8)
    assert leaves(sequence, None) == night.replace(hour=9)


def reviewed(office: Office, sequence: Sequence) -> str:
    """The mark of what publishing would make now."""
    with office.database.read() as snapshot:
        return review(snapshot, sequences.get(snapshot, sequence.account_id, sequence.id)).mark


def test_a_draft_begins_with_what_is_published_and_is_then_kept_as_it_was_saved(office: Office) -> None:
    house = office.house
    sequence = house.sequence(letter("2 hours", is_reply=True), task("1 weekdays", "Call"))

    def now() -> Drafted:
        with office.database.read() as snapshot:
            return draft_of(snapshot, sequences.get(snapshot, house.account_id, sequence.id))

    begun = [structs.replace(LETTER, template_id=1), DraftStep(ActionType.TASK, 1, Unit.WEEKDAYS, task="Call")]
    assert now() == Drafted(begun, is_saved=False)
    office.transact(lambda tx: save_draft(tx, house.account_id, sequence.id, [TASK, LETTER]))
    office.transact(lambda tx: save_draft(tx, house.account_id, sequence.id, [TASK]))
    assert now() == Drafted([TASK], is_saved=True)
    office.transact(lambda tx: save_draft(tx, house.account_id, sequence.id, []))
    assert now() == Drafted([], is_saved=True)
    office.transact(lambda tx: discard_draft(tx, house.account_id, sequence.id))
    assert now() == Drafted(begun, is_saved=False)


def test_nothing_is_drafted_for_a_sequence_there_is_not_nor_more_than_anybody_needs(office: Office) -> None:
    house, sequence = office.house, office.house.sequence(task())
    with pytest.raises(NotFound):
        office.transact(lambda tx: save_draft(tx, house.account_id, 99, [TASK]))
    with pytest.raises(NotFound):
        office.transact(lambda tx: discard_draft(tx, house.account_id, 99))
    with pytest.raises(IncorrectValue):
        office.transact(lambda tx: save_draft(tx, house.account_id, sequence.id, [TASK] * (MOST_STEPS + 1)))
    office.transact(lambda tx: save_draft(tx, house.account_id, sequence.id, [TASK] * MOST_STEPS))
    with office.database.read() as snapshot:
        assert drafts.find(snapshot, house.account_id + 1, sequence.id) is None


def test_publishing_makes_the_next_version_of_the_texts_as_they_are_now(office: Office) -> None:
    house, account_id, by = office.house, office.house.account_id, office.house.owner_id
    old, new = (Draft("Tea", TemplateText(f"{words} tea", None, words)) for words in ("Old", "New"))
    template = office.transact(lambda tx: add_template(tx, account_id, old, by))
    sequence = house.sequence(task())
    running = office.enroll(sequence, house.person())
    steps = [structs.replace(LETTER, amount=0, template_id=template.id), TASK]
    office.transact(lambda tx: save_draft(tx, account_id, sequence.id, steps))
    office.transact(lambda tx: change_template(tx, account_id, template.id, new, by))
    mark = reviewed(office, sequence)
    published = office.transact(lambda tx: publish_draft(tx, account_id, sequence.id, by, mark))
    assert published.number == 2
    first, second = published.steps
    assert (first.template, first.is_reply, first.delay) == (new.source, True, Delay(0, Unit.HOURS))
    assert (second.task_content, second.delay) == ("Call", Delay(3, Unit.WEEKDAYS))
    assert house.enrollment(running.id).plan.steps == (task(),)
    assert office.enroll(sequence, house.person("Bob")).plan.steps == (first, second)
    with office.database.read() as snapshot:
        stored = sequences.get(snapshot, account_id, sequence.id)
        assert published_steps(snapshot, stored) == (first, second)
        assert drafts.find(snapshot, account_id, sequence.id) is None
    assert office.transact(lambda tx: publish_draft(tx, account_id, sequence.id, by, mark)) == published, "once"
    assert office.count("SELECT count(*) FROM versions") == 2
    mark = reviewed(office, sequence)
    office.transact(lambda tx: publish_draft(tx, account_id, sequence.id, by, mark))
    assert office.count("SELECT count(*) FROM versions") == 3


def test_what_cannot_be_published_stays_a_draft(office: Office) -> None:
    account_id, by, sequence = office.house.account_id, office.house.owner_id, office.house.sequence(task())
    for steps, refusal in (
        ([], SequenceEmpty),
        ([LETTER], MissingField),
        ([TASK, structs.replace(LETTER, template_id=7)], IncorrectValue),
    ):
        office.transact(lambda tx, steps=steps: save_draft(tx, account_id, sequence.id, steps))  # type: ignore[misc]
        with pytest.raises(refusal):
            office.transact(lambda tx: publish_draft(tx, account_id, sequence.id, by, reviewed(office, sequence)))
        with office.database.read() as snapshot:
            stored = sequences.get(snapshot, account_id, sequence.id)
            assert (stored.version, draft_of(snapshot, stored)) == (1, Drafted(steps, is_saved=True))


def test_what_is_no_more_what_was_looked_at_is_not_published(office: Office) -> None:
    account_id, by, sequence = office.house.account_id, office.house.owner_id, office.house.sequence(task())
    office.transact(lambda tx: save_draft(tx, account_id, sequence.id, [TASK]))
    mark = reviewed(office, sequence)
    office.transact(lambda tx: save_draft(tx, account_id, sequence.id, [TASK, TASK]))
    for stale in (mark, "", reviewed(office, office.house.sequence(task(), name="Another"))):
        with pytest.raises(ChangedMeanwhile):
            office.transact(lambda tx, stale=stale: publish_draft(tx, account_id, sequence.id, by, stale))  # type: ignore[misc]
    assert office.count("SELECT count(*) FROM versions") == 2, "those that both sequences began with"


def test_a_draft_is_kept_over_the_one_it_was_begun_with_alone(office: Office) -> None:
    account_id, sequence = office.house.account_id, office.house.sequence(task())

    def now() -> Drafted:
        with office.database.read() as snapshot:
            return draft_of(snapshot, sequences.get(snapshot, account_id, sequence.id))

    def keep(steps: list[DraftStep], mark: str) -> None:
        office.transact(lambda tx: save_draft(tx, account_id, sequence.id, steps, begun_with=mark))

    begun = now().mark
    keep([TASK], begun)
    keep([TASK], begun)
    with pytest.raises(ChangedMeanwhile):
        keep([TASK, TASK], begun)
    assert now() == Drafted([TASK], is_saved=True)
    keep([TASK, TASK], now().mark)
    assert now().steps == [TASK, TASK]
