"""The day as whoever is signed in sees it: tasks, replies, what is blocked, and what leaves today and what not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from litestar.testing import TestClient

from drumbeat.domain.account import Role, User
from drumbeat.domain.calendar import Unit, parse_windows
from drumbeat.domain.delivery import DeliveryStatus, FailureReason
from drumbeat.domain.happening import CannotSend, StepDue
from drumbeat.domain.sequence import Sequence
from drumbeat.domain.timeline import Quarantine
from drumbeat.http.app import make_app
from drumbeat.http.parts import CaughtLetter
from drumbeat.http.web.today import STOPS
from drumbeat.http.wording import ADMINS_STEPS, TABLES
from drumbeat.operations.mailboxes import limit_mailbox
from drumbeat.operations.tasks import add as add_task
from drumbeat.operations.today import Stop
from drumbeat.store import accounts, mailboxes, quarantine, tasks
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Tx
from drumbeat.testing.cast import Cast, letter
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.sink import CUT, At
from drumbeat.wiring import World
from tests.http.conftest import Browser
from tests.http.web.work import Works, at_work, led, post, said, see, words

Happen = Callable[..., None]
UNDELIVERED = CannotSend(FailureReason.RECIPIENT_INVALID, "550 no such user")


@pytest.fixture
def works(world: World, cast: Cast, clock: FrozenClock) -> Iterator[Works]:
    """Our account at work."""
    with at_work(world, cast, clock) as works:
        yield works


class EmptyCatcher:
    """A catcher that took nothing in."""

    def letters(self) -> list[CaughtLetter]:
        """None."""
        return []


def one_letter(works: Works, name: str = "One letter", **settings: object) -> Sequence:
    """A sequence of one letter that leaves at once."""
    return works.sequence(name, letter(0, Unit.HOURS), **settings)


def test_a_new_account_is_told_where_to_begin(world: World, sign_in: Callable[[User], Browser]) -> None:
    def found(tx: Tx) -> User:
        account = accounts.add_account(tx, "New Lamps", "UTC", None)
        return accounts.add_user(tx, account.id, name="Nora", email="nora@new.example", role=Role.ADMIN)

    today = words(see(sign_in(world.database.transact(found)), "/today"))
    for said_there in (
        "Begin here Connect a mailbox",
        "Nothing is due today.",
        "No reply yet.",
        "Nothing is blocked.",
        "Nothing is planned for today.",
        "0 letters sent so far today",
    ):
        assert said_there in today


def test_the_tasks_due_today_and_overdue_of_oneself_are_shown_and_no_others(
    works: Works, seller: Browser, cast: Cast
) -> None:
    us, now = cast.us, works.clock.now
    lead = works.lead()

    def make(tx: Tx) -> None:
        for content, due_at, owner in (
            ("Call at once", now - timedelta(hours=1), us.seller),
            ("Call tonight", now + timedelta(hours=12, minutes=59), us.seller),
            ("Call tomorrow", now + timedelta(hours=13), us.seller),
            ("Call one day", None, us.seller),
            ("Call as Olga", now, us.owner),
        ):
            about = {"resource_type": "lead", "resource_id": lead.id} if content == "Call at once" else {}
            add_task(tx, us.account.id, owner.id, {"content": content, "due_at": due_at, **about}, completed=None)

    works.transact(make)
    shown = words(see(seller, "/today"), "tasks")
    assert "Call at once Overdue today 10:00 · Lena Lead" in shown
    assert "Call tonight today 23:59" in shown
    assert shown.count("Overdue") == 1
    for other in ("tomorrow", "one day", "Olga"):
        assert other not in shown
    every = words(see(seller, "/tasks"))
    assert "Call tomorrow tomorrow 00:00" in every
    assert "Call one day No due date" in every
    assert "Olga" not in every
    assert "Call as Olga" in words(see(seller, "/tasks?whose=all"))


def test_completing_a_task_of_a_sequence_lets_the_next_step_follow_and_opening_it_again_leaves_it_done(
    works: Works, seller: Browser, cast: Cast, happen: Happen
) -> None:
    enrolled = works.enroll(cast.us.with_task, works.lead())
    happen(enrolled.id, StepDue())
    shown = see(seller, "/today")
    assert "Call and ask about the lamp today 23:59 · Lena Lead · Enrollment" in words(shown, "tasks")
    task_id = works.enrollment(enrolled.id).task_id
    assert f'action="/tasks/{task_id}/complete"' in shown.text
    done = led(seller, post(seller, f"/tasks/{task_id}/complete"))
    assert said(done) == "Done: Call and ask about the lamp"
    assert "Nothing is due today." in words(done, "tasks")
    assert works.enrollment(enrolled.id).position == 1
    again = led(seller, post(seller, f"/tasks/{task_id}/reopen", back="/tasks"))
    assert said(again) == "Open again: Call and ask about the lamp. Its step stays done."
    assert "Call and ask about the lamp" in words(again)
    assert works.enrollment(enrolled.id).position == 1


def test_a_task_of_one_s_own_is_due_on_one_s_own_clock(works: Works, seller: Browser, cast: Cast) -> None:
    made = led(seller, post(seller, "/tasks", content="Buy bulbs", due_at="2026-03-03T12:00", back="/tasks"))
    assert "Buy bulbs today 12:00" in words(made)
    account_id, noon = cast.us.account.id, works.clock.now + timedelta(hours=1)
    (task,) = works.read(lambda snapshot: tasks.list_due(snapshot, account_id, cast.us.seller.id, noon, 9))
    assert (task.content, task.due_at, task.resource_id) == ("Buy bulbs", noon, None)
    assert works.count("tasks") == 1


def test_a_reply_is_shown_with_its_words_and_why_it_is_one_for_seven_days(
    works: Works, cast: Cast, sign_in: Callable[[User], Browser]
) -> None:
    enrolled = works.enroll(one_letter(works, "Spring"), works.lead())
    works.enroll(works.sequence("Two", letter(0, Unit.HOURS), letter(1, Unit.HOURS)), works.lead("Leo"))
    works.work()
    works.hear(enrolled.id, "Yes, two\nplease.")
    shown = words(see(sign_in(cast.us.seller), "/today"), "replies")
    assert "Lena Lead today 11:00 · Spring Yes, two please. A person answered." in shown
    works.clock.advance(timedelta(days=7, seconds=1))
    assert "No reply yet." in words(see(sign_in(cast.us.seller), "/today"), "replies")


def test_what_is_blocked_stands_by_its_cause_with_what_heals_it(
    works: Works, owner: Browser, cast: Cast, happen: Happen
) -> None:
    for name in ("Lena", "Leo"):
        happen(works.enroll(cast.us.letters, works.lead(name)).id, UNDELIVERED)
    refused = CannotSend(FailureReason.AUTH, "535 no")
    happen(works.enroll(cast.us.letters, works.lead("Lia")).id, refused)
    page = see(owner, "/today")
    shown = words(page, "blocked")
    assert "2 enrollments: The address cannot be reached Correct these people's e-mail addresses, or stop." in shown
    assert "1 enrollment: The mail server refuses the login Mend the mailbox's password." in shown
    assert shown.index("2 enrollments") < shown.index("1 enrollment:")
    assert 'href="/enrollments?reason=recipient_invalid"' in page.text
    assert 'href="/settings/mailboxes">Mailboxes</a>' in page.text
    assert 'href="/enrollments?reason=recipient_invalid">Resume, stop or change them</a>' in page.text
    listed = words(see(owner, "/enrollments?reason=recipient_invalid"))
    assert "Blocked: The address cannot be reached" in listed
    assert "Lena Lead in Two letters 550 no such user Blocked" in listed
    assert "Lia" not in listed


def test_a_letter_in_doubt_is_told_and_asks_for_a_decision(works: Works, owner: Browser) -> None:
    works.enroll(one_letter(works), works.lead())
    works.sink.script = {At.DOT: CUT}
    works.work()
    works.later(minutes=11)
    assert "1 letter in doubt: decide on each" in words(see(owner, "/today"), "blocked")


def test_what_leaves_today_and_what_limits_and_windows_hold_is_counted(
    works: Works, cast: Cast, sign_in: Callable[[User], Browser]
) -> None:
    limits = {"per_day": 3, "spacing": 60}
    works.transact(lambda tx: limit_mailbox(tx, works.account_id, cast.us.seller.mailbox_id or 0, limits))
    every = one_letter(works)
    for number in range(5):
        works.enroll(every, works.lead(f"Lead{number}"))
    tomorrow = one_letter(works, "Tomorrow", windows=parse_windows(["Wed 09:00-10:00"]))
    works.enroll(tomorrow, works.lead("Wanda"))
    works.work()
    shown = see(sign_in(cast.us.owner), "/today")
    leaving = "Sam Seller 2 of 5 leave today: 2 held by the mailbox's limits, 1 by windows, holidays or absences."
    assert leaving in words(shown, "leaving")
    assert 'value="2" max="5"' in shown.text
    assert "1 letter sent so far today (UTC)." in words(shown, "leaving")
    works.clock.advance(timedelta(days=1))
    assert "0 letters sent so far today (UTC)." in words(see(sign_in(cast.us.owner), "/today"), "leaving")


def test_tasks_that_come_today_are_counted_apart_from_letters(works: Works, owner: Browser, cast: Cast) -> None:
    works.enroll(cast.us.with_task, works.lead())
    shown = words(see(owner, "/today"), "leaving")
    assert "Tasks, and letters without a mailbox 1 of 1 come today." in shown


def test_where_a_cap_or_a_stop_holds_letters_none_is_promised_and_the_cause_is_named(
    works: Works, owner: Browser, cast: Cast
) -> None:
    mailbox_id = cast.us.seller.mailbox_id or 0
    works.enroll_many(works.sequence("Later", letter(4, Unit.HOURS)), [f"P{number}" for number in range(5)])
    assert "Sam Seller 5 of 5 leave today." in words(see(owner, "/today"), "leaving")
    works.transact(lambda tx: limit_mailbox(tx, works.account_id, mailbox_id, {"per_day": 2}))
    capped = words(see(owner, "/today"), "leaving")
    assert "Sam Seller 2 of 5 leave today: 3 held by the mailbox's limits." in capped
    works.transact(lambda tx: mailboxes.switch(tx, works.account_id, mailbox_id, on=False))
    off = see(owner, "/today")
    assert "Sam Seller 0 of 5 leave today: 5 held, as the mailbox is switched off." in words(off, "leaving")
    assert 'value="0" max="5"' in off.text


def test_where_nobody_can_send_each_cause_is_told_and_who_mends_it(
    works: Works, owner: Browser, seller: Browser, cast: Cast
) -> None:
    works.enroll(one_letter(works), works.lead())
    works.transact(lambda tx: mailboxes.switch(tx, works.account_id, cast.us.seller.mailbox_id or 0, on=False))
    works.work()
    cause = "1 enrollment: Nobody can send this now 1: The mailbox is switched off. Switch it on to send."
    assert f"{cause} It goes on by itself once that is mended. Settings" in words(see(owner, "/today"), "blocked")
    told = words(see(seller, "/today"), "blocked")
    assert f"{cause} It goes on by itself once an admin has mended that." in told
    assert "Settings" not in told


def test_an_account_that_only_keeps_its_letters_is_still_told_to_connect_a_mailbox(
    works: Works, owner: Browser, seller: Browser, cast: Cast
) -> None:
    assert "Begin here Connect a mailbox: letters leave through it" in words(see(owner, "/today"), "begin")
    told = see(seller, "/today")
    assert "Begin here A mailbox, which an admin connects: letters leave" in words(told, "begin")
    assert "/settings/mailboxes/new" not in told.text
    connect = Statement("UPDATE mailboxes SET is_catcher = :no WHERE account_id = :account_id")
    works.transact(lambda tx: tx.run(connect, no=False, account_id=works.account_id))
    assert "Begin here" not in words(see(owner, "/today"))


def test_the_letters_that_were_kept_are_led_to_where_they_may_be_seen(
    world: World, cast: Cast, sign_in: Callable[[User], Browser]
) -> None:
    owner = sign_in(cast.us.owner)
    assert "/caught" not in see(owner, "/today").text
    with TestClient(make_app(world, EmptyCatcher()), base_url="http://drumbeat.test") as client:
        here = replace(owner, client=client)
        assert 'href="/caught"' in see(here, "/today", Host="127.0.0.1:8025").text


def test_agents_are_told_of_the_doubts_they_may_decide_on(works: Works, seller: Browser, cast: Cast) -> None:
    cara = works.colleague()
    works.transact(lambda tx: accounts.set_mailbox(tx, works.account_id, cara.id, cast.us.seller.mailbox_id))
    works.sink.script = {At.DOT: CUT}
    every = one_letter(works)
    works.enroll(every, works.lead())
    works.enroll(every, works.lead("Carl", cara), cara)
    works.work()
    assert "2 letters in doubt: nobody knows whether they arrived." in words(see(seller, "/today"))
    works.let_agents_see_their_own()
    assert "1 letter in doubt: nobody knows whether it arrived." in words(see(seller, "/today"))
    assert "Carl" not in words(see(seller, "/doubts"))
    assert "Lena Lead, step 1" in words(see(seller, "/doubts"))


def test_a_mailbox_that_is_held_says_why_and_where_to_mend_it(works: Works, owner: Browser, cast: Cast) -> None:
    def hold(tx: Tx) -> None:
        mailbox = mailboxes.get(tx, works.account_id, cast.us.seller.mailbox_id or 0)
        mailboxes.save_hold(tx, replace(mailbox, hold_reason="auth", hold_detail="535 wrong password"))

    works.transact(hold)
    page = see(owner, "/today")
    assert "Held: 535 wrong password Mailbox" in words(page, "leaving")
    assert f'href="/settings/mailboxes/{cast.us.seller.mailbox_id}"' in page.text


def test_whatever_stops_letters_and_whatever_became_of_one_has_words() -> None:
    assert set(STOPS) == set(Stop)
    assert set(TABLES["letter_words"]) == set(DeliveryStatus)
    assert set(ADMINS_STEPS) <= set(FailureReason)


def test_a_quarantine_and_sequences_that_are_switched_off_are_told_above_all(works: Works, owner: Browser) -> None:
    def stop(tx: Tx) -> None:
        quarantine.begin(tx, Quarantine(tx.now, "The database was restored."))
        accounts.save_account(tx, replace(accounts.get_account(tx, works.account_id), sequences_enabled=False))

    calm = words(see(owner, "/today"))
    assert "Nothing is sent" not in calm
    assert "switched off" not in calm
    works.transact(stop)
    told = words(see(owner, "/today"))
    assert "Nothing is sent: The database was restored. An operator ends that with `drumbeat reconcile`." in told
    assert "Sequences are switched off for the account" in told


def test_agents_who_see_their_own_alone_see_no_colleague_s_replies_blocks_or_tasks(
    works: Works, seller: Browser, owner: Browser, cast: Cast, happen: Happen
) -> None:
    cara = works.colleague()
    works.transact(lambda tx: accounts.set_mailbox(tx, works.account_id, cara.id, cast.us.seller.mailbox_id))
    every = one_letter(works)
    mine, hers = works.enroll(every, works.lead()), works.enroll(every, works.lead("Carl", cara), cara)
    works.work()
    works.hear(mine.id, "Mine.")
    works.hear(hers.id, "Hers.", "carl@customer.example")
    happen(works.enroll(cast.us.letters, works.lead("Cole", cara), cara).id, UNDELIVERED)
    add = {"content": "Hers to do", "due_at": works.clock.now}
    works.transact(lambda tx: add_task(tx, works.account_id, cara.id, add, completed=None))
    works.let_agents_see_their_own()
    shown = see(seller, "/today")
    assert "Mine." in words(shown, "replies")
    assert "Hers." not in words(shown)
    assert "Nothing is blocked." in words(shown, "blocked")
    assert "Hers to do" not in words(see(seller, "/tasks?whose=all"))
    assert post(seller, "/tasks/1/complete").status_code == 303
    assert "Hers to do" in words(see(owner, "/tasks?whose=all"))
    everything = see(owner, "/today")
    assert "Hers." in words(everything, "replies")
    assert "1 enrollment" in words(everything, "blocked")
