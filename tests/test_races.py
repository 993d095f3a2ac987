"""What happens between two of the worker's own acts: each race is forced, and ended as it would end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from drumbeat.domain.account import UserStatus
from drumbeat.domain.enrollment import ActionStatus, FinishedReason, State
from drumbeat.domain.errors import DatabaseBusy, MissingTags
from drumbeat.domain.person import PersonKind
from drumbeat.domain.sequence import SequenceStatus
from drumbeat.domain.template import Attachment
from drumbeat.mail.smtp import Post
from drumbeat.operations import dispatch
from drumbeat.operations.deliveries import commit_turn
from drumbeat.operations.dispatch import claim
from drumbeat.operations.execute import ContactInput
from drumbeat.operations.holds import lift_hold, prolong_hold
from drumbeat.operations.letters import Writer
from drumbeat.operations.mailboxes import switch_mailbox
from drumbeat.operations.records import PersonFields, change_person, delete_person
from drumbeat.operations.sequences import set_status
from drumbeat.store import enrollments
from drumbeat.store.database import Database
from drumbeat.store.transaction import Tx
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.house import letter
from drumbeat.testing.sink import At, Talk
from drumbeat.worker import Carrier, Worker
from tests.operations.office import TOKEN, Office, opened

SHA256 = "0" * 64


@pytest.fixture
def office(database: Database, clock: FrozenClock, tmp_path: Path) -> Iterator[Office]:
    """The office."""
    with opened(database, clock, tmp_path) as office:
        yield office


def enrolled(office: Office, *names: str) -> list[int]:
    """Each of these people in one sequence of one letter."""
    sequence = office.house.sequence(letter())
    return [office.enroll(sequence, office.house.person(name)).id for name in names]


def many(count: int) -> list[ContactInput]:
    """So many contacts."""
    return [ContactInput(f"p{n}@example.com", f"P{n}") for n in range(count)]


def claim_all(office: Office, tx: Tx) -> list[dispatch.ClaimedLetter]:
    """A worker's claim of the owner's lane."""
    house = office.house
    return claim(tx, house.world.identity, house.account_id, house.mailbox_id, limit=10, token=TOKEN).letters


def while_claimed(office: Office, act: Callable[[Tx], object]) -> None:
    """Let somebody act while a claim is under way: on SQLite they come one after the other anyway."""
    with office.database.write() as tx:
        claim_all(office, tx)
        acting = threading.Thread(target=lambda: office.transact(act))
        acting.start()
        time.sleep(0.3)
    acting.join()


def hold(office: Office) -> None:
    """Hold the mailbox for its login, to be tested now."""
    now = office.clock.now
    office.set_mailbox(held_since=now, held_until=now, hold_reason="auth", hold_detail="535 no", hold_count=5)


def test_what_a_claim_blocks_while_the_hold_is_lifted_goes_on(office: Office) -> None:
    hold(office)
    enrolled(office, "Ada", "Bob")
    house = office.house
    while_claimed(office, lambda tx: lift_hold(tx, house.account_id, house.mailbox_id))
    office.work()
    assert sorted(office.recipients()) == ["ada@example.com", "bob@example.com"]


def test_what_a_claim_blocks_while_the_mailbox_is_switched_on_goes_on(office: Office) -> None:
    office.set_mailbox(is_active=False)
    enrolled(office, "Ada")
    house = office.house
    while_claimed(office, lambda tx: switch_mailbox(tx, house.account_id, house.mailbox_id, on=True))
    office.work()
    assert office.recipients() == ["ada@example.com"]


def test_switching_off_outlasts_a_hold_that_was_noted_at_the_same_time(office: Office) -> None:
    stale = office.mailbox()
    house = office.house
    office.transact(lambda tx: switch_mailbox(tx, house.account_id, house.mailbox_id, on=False))
    office.transact(lambda tx: prolong_hold(tx, stale, "535 no"))
    assert not office.mailbox().is_active


def test_a_test_says_nothing_of_a_later_hold(office: Office) -> None:
    hold(office)
    tested, house = office.mailbox(), office.house
    office.transact(lambda tx: lift_hold(tx, house.account_id, house.mailbox_id))
    office.transact(lambda tx: prolong_hold(tx, tested, "535 no"))
    assert office.mailbox().held_until is None
    office.clock.advance(timedelta(seconds=1))
    hold(office)
    office.transact(lambda tx: lift_hold(tx, house.account_id, house.mailbox_id, tested=tested))
    assert office.mailbox().hold_reason == "auth"


def test_a_field_filled_while_the_letter_is_written_is_in_the_letter(office: Office) -> None:
    ada = office.house.person()
    office.enroll(office.house.sequence(letter(text="Dear {{ person.title }}")), ada)
    writer = office.house.world.writer
    write = writer.write

    def filling(*given: Any) -> bytes:
        try:
            return write(*given)
        except MissingTags:
            office.change(ada, title="Countess")
            raise

    writer.write = filling  # type: ignore[method-assign]
    office.work()
    writer.write = write  # type: ignore[method-assign]
    office.work()
    assert "Dear Countess" in office.mail().get_content()


def test_a_database_away_while_an_attachment_is_read_costs_the_letter_nothing(office: Office) -> None:
    asked: list[str] = []

    def content_of(account_id: int, sha256: str) -> bytes:
        asked.append(sha256)
        if len(asked) == 1:
            raise DatabaseBusy("All its connections are at work.")
        return b"x"

    object.__setattr__(office.house.world, "writer", Writer(content_of))
    step = replace(letter(), attachments=(Attachment("a.txt", "text/plain", SHA256, 1),))
    enrolled = office.enroll(office.house.sequence(step), office.house.person())
    with pytest.raises(DatabaseBusy):
        office.work()
    assert office.house.enrollment(enrolled.id).state is State.ACTIVE
    office.work()
    assert office.recipients() == ["ada@example.com"]


@pytest.mark.parametrize("is_deleted", [False, True])
def test_no_letter_passes_to_an_address_given_up_while_the_person_was_enrolled(
    office: Office, *, is_deleted: bool
) -> None:
    if office.database.is_sqlite:
        pytest.skip("SQLite has one writer at a time anyway")
    house, ada = office.house, office.house.person()
    sequence = house.sequence(letter())
    with office.database.write() as tx:
        if is_deleted:
            delete_person(tx, house.account_id, PersonKind.CONTACT, ada.id)
        else:
            change_person(tx, house.world.hash_key, ada, PersonFields(first_name="Ada", email="new@example.com"))
        id = office.enroll(sequence, ada).id
        letters = office.transact(lambda tx: claim_all(office, tx))
    ready = [(each, SHA256) for each in letters]
    passed = office.transact(lambda tx: commit_turn(tx, house.account_id, house.mailbox_id, [], ready, token=TOKEN))
    assert (len(letters), passed) == (1, frozenset())
    office.work()
    assert office.recipients() == ([] if is_deleted else ["new@example.com"])
    gone = FinishedReason.RESOURCE_DELETED if is_deleted else FinishedReason.ALL_STEPS_COMPLETED
    assert house.enrollment(id).finished_reason is gone


def test_a_row_that_fails_after_it_followed_an_address_is_put_aside_too(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    sequence = office.house.sequence(letter())
    ada, bob = office.house.person("Ada"), office.house.person("Bob")
    first, second = office.enroll(sequence, ada).id, office.enroll(sequence, bob).id
    office.change(ada, email="bob@example.com")
    office.set_state(second, State.FINISHED)
    office.set_state(first, State.ACTIVE)

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a defect")

    with monkeypatch.context() as patched:
        patched.setattr(dispatch, "freeze_letter", broken)
        office.work()
    waiting = office.house.enrollment(first)
    assert (waiting.status, waiting.due_at) == (ActionStatus.SCHEDULED, office.clock.now + timedelta(hours=1))
    assert office.leased() == 0
    office.later(hours=1)
    assert office.recipients() == ["bob@example.com"]


def test_an_answer_is_settled_before_the_mailbox_s_new_settings_are_used(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    (ada,) = enrolled(office, "Ada")

    def away(tx: Tx, account_id: int, mailbox_id: int, answered: Any, ready: Any, *, token: str) -> Any:
        if answered:
            raise DatabaseBusy("away")
        return commit_turn(tx, account_id, mailbox_id, answered, ready, token=token)

    with monkeypatch.context() as patched:
        patched.setattr("drumbeat.worker.carrier.commit_turn", away)
        patched.setitem(Post.__init__.__kwdefaults__, "sleep", lambda _: None)
        with pytest.raises(DatabaseBusy):
            office.worker.step()
    office.set_mailbox(connections=2)
    office.work()
    assert office.delivered(ada) == ["accepted"]


def test_an_outage_however_long_does_not_end_the_worker(database: Database, clock: FrozenClock, tmp_path: Path) -> None:
    with opened(database, clock, tmp_path, credentials=("olive", "right")) as office:
        office.sink.script = {At.GREETING: "451 4.3.2 maintenance"}
        office.execute(office.house.sequence(letter()), *many(60))
        for _ in range(50):
            office.later(hours=1)
        assert office.mailbox().hold_count == 10
        office.sink.script = {At.AUTH: "535 5.7.8 no"}
        for _ in range(3):
            office.later(hours=2)
        assert office.mailbox().hold_reason == "auth"
        office.sink.script = {}
        office.later(hours=2)
        assert len(office.recipients()) == 60


def test_the_dot_of_a_letter_that_passed_waits_for_no_other_letter(office: Office) -> None:
    if office.database.is_sqlite:
        pytest.skip("SQLite has one writer at a time anyway")
    sequence, house = office.house.sequence(letter()), office.house
    office.enroll(sequence, house.person("Ada"))
    bob = house.person("Bob")
    holding: list[Any] = []
    commit = Carrier._commit

    def then_lock(self: Carrier, outcomes: Any, ready: Any) -> Any:
        granted = commit(self, outcomes, ready)
        if granted and not holding:
            id = office.enroll(sequence, bob).id
            holding.append(office.database.write())
            enrollments.lock(holding[0].__enter__(), house.account_id, [id])
        return granted

    Carrier._commit = then_lock  # type: ignore[method-assign]
    try:
        working = threading.Thread(target=office.worker.step, daemon=True)
        working.start()
        assert office.sink.wait_for(lambda: office.recipients() == ["ada@example.com"], 5)
    finally:
        Carrier._commit = commit  # type: ignore[method-assign]
        holding[0].__exit__(None, None, None)
        working.join(20)
    office.work()
    assert office.recipients() == ["ada@example.com", "bob@example.com"]


def test_a_busy_lane_gives_its_seat_to_one_that_waits(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drumbeat.worker.loop._SHARE", 0.2)
    house = office.house
    settings = house.world.settings.model_copy(update={"seats": 1, "batch": 5})
    object.__setattr__(house.world, "settings", settings)
    office.execute(house.sequence(letter(), name="Many"), *many(400))
    zed = office.add_user("Zed Zealous")
    office.set_user(zed.id, mailbox_id=office.add_mailbox())
    other = house.sequence(letter(), name="One")
    office.clock.advance(timedelta(seconds=1))

    def slowly(at: At, talk: Talk) -> None:
        if at is At.DOT:
            time.sleep(0.01)
            office.clock.advance(timedelta(milliseconds=10))

    office.sink.script = slowly
    stop, worker = threading.Event(), Worker(house.world)
    running = threading.Thread(target=worker.run, args=(stop,), daemon=True)
    running.start()
    assert office.sink.wait_for(lambda: len(office.sink.letters) > 3, 20)
    office.enroll(other, house.person("Zed"), actor_id=zed.id)
    assert office.sink.wait_for(lambda: "zed@example.com" in office.recipients(), 20)
    ahead = len(office.recipients())
    stop.set()
    running.join(30)
    assert ahead < 300


def test_a_claim_that_fails_behind_another_loses_no_letter(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.execute(office.house.sequence(letter()), *many(20))
    office.sink.script = lambda at, talk: time.sleep(0.01) if at is At.DOT else None
    office.work()
    office.sink.script = {}
    office.enroll(office.house.sequence(letter(), name="Two"), office.house.person())
    claimed: list[int] = []

    def failing(*given: Any, **named: Any) -> Any:
        claimed.append(1)
        if len(claimed) == 2:
            raise DatabaseBusy("away")
        return claim(*given, **named)

    with monkeypatch.context() as patched:
        patched.setattr("drumbeat.worker.carrier.claim", failing)
        with suppress(DatabaseBusy):
            office.worker.step()
    office.work()
    assert office.recipients()[20:] == ["ada@example.com"]


def test_a_thread_that_cannot_start_costs_a_try_and_no_more(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    enrolled(office, "Ada")
    start, refused = threading.Thread.start, []

    def refusing(thread: threading.Thread) -> None:
        if thread.name == "smtp-open" and not refused:
            refused.append(thread)
            raise RuntimeError("can't start new thread")
        start(thread)

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refusing)
        office.work()
    office.later(minutes=2)
    assert office.recipients() == ["ada@example.com"]


def lose_answers(office: Office, patched: pytest.MonkeyPatch, *, of_dots: bool) -> None:
    """One step, in which the database goes away: before the answers to dots are stored, or just after the
    points of no return were, whose answer is lost."""
    transact, is_away = office.database.transact, [False]

    def going(tx: Tx, account_id: int, mailbox_id: int, answered: Any, ready: Any, *, token: str) -> Any:
        is_away[0] = is_away[0] or bool(answered)
        if is_away[0]:
            raise DatabaseBusy("away")
        passed = commit_turn(tx, account_id, mailbox_id, answered, ready, token=token)
        is_away[0] = bool(ready) and not of_dots
        return passed

    def unanswered(work: Callable[[Tx], Any]) -> Any:
        done = transact(work)
        if is_away[0]:
            raise DatabaseBusy("the answer was lost")
        return done

    patched.setattr("drumbeat.worker.carrier.commit_turn", going)
    patched.setattr(office.database, "transact", unanswered)
    patched.setitem(Post.__init__.__kwdefaults__, "sleep", lambda _: None)
    with pytest.raises(DatabaseBusy):
        office.worker.step()


@pytest.mark.parametrize("of_dots", [True, False])
def test_what_a_worker_knows_was_not_sent_is_no_doubt_however_late_it_tells(
    office: Office, monkeypatch: pytest.MonkeyPatch, *, of_dots: bool
) -> None:
    (ada,) = enrolled(office, "Ada")
    if of_dots:
        office.sink.script = {At.DOT: "451 4.3.0 later"}
    with monkeypatch.context() as patched:
        lose_answers(office, patched, of_dots=of_dots)
    assert office.delivered(ada) == ["transmitting"]
    office.clock.advance(timedelta(seconds=40))
    other = Worker(office.house.world)
    other.tending.step()
    assert office.delivered(ada) == ["unknown"]
    office.sink.script = {}
    office.work()
    office.later(minutes=5)
    other.close()
    assert office.delivered(ada) == ["refused", "accepted"]
    assert office.recipients() == ["ada@example.com"]


def test_a_no_to_an_address_given_up_meanwhile_blocks_nothing(office: Office) -> None:
    ada = office.house.person()
    office.enroll(office.house.sequence(letter()), ada)

    def script(at: At, talk: Talk) -> str | None:
        if at is At.RCPT and talk.recipient == "ada@example.com":
            office.change(ada, email="new@example.com")
            return "550 5.1.1 no such user"
        return None

    office.sink.script = script
    office.work()
    assert office.recipients() == ["new@example.com"]


def test_a_clock_that_was_set_back_keeps_no_lease_alive(office: Office) -> None:
    office.work()
    office.clock.advance(timedelta(hours=-1))
    enrolled(office, "Ada")
    office.transact(lambda tx: claim_all(office, tx))
    office.later(seconds=31)
    assert office.recipients() == ["ada@example.com"]


@pytest.mark.parametrize("how", ["pause", "mailbox", "account", "user"])
def test_a_stop_waits_for_a_point_of_no_return_that_is_being_passed(office: Office, how: str) -> None:
    if office.database.is_sqlite:
        pytest.skip("SQLite has one writer at a time anyway")
    house, sequence = office.house, office.house.sequence(letter())
    office.enroll(sequence, house.person())
    letters = office.transact(lambda tx: claim_all(office, tx))
    stops: dict[str, Callable[[], object]] = {
        "pause": lambda: office.transact(
            lambda tx: set_status(tx, house.account_id, sequence.id, SequenceStatus.PAUSED, house.owner_id)
        ),
        "mailbox": lambda: office.transact(lambda tx: switch_mailbox(tx, house.account_id, house.mailbox_id, on=False)),
        "account": lambda: office.set_account(sequences_enabled=False),
        "user": lambda: office.set_user(house.owner_id, status=UserStatus.INACTIVE),
    }
    with office.database.write() as tx:
        ready = [(each, SHA256) for each in letters]
        assert commit_turn(tx, house.account_id, house.mailbox_id, [], ready, token=TOKEN)
        stopping = threading.Thread(target=stops[how])
        stopping.start()
        stopping.join(0.3)
        assert stopping.is_alive()
    stopping.join(5)
    assert not stopping.is_alive()
