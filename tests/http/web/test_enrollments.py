"""One person's run as a page: what ran, runs and is planned, why, what can be done about it, and its letters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from drumbeat.domain.account import Role
from drumbeat.domain.calendar import Unit
from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import ActionStatus, Enrollment, FinishedReason, State
from drumbeat.domain.happening import CannotSend, StepDue
from drumbeat.domain.sequence import Sequence
from drumbeat.domain.template import TemplateText
from drumbeat.domain.timeline import Binding, Hold, Lifter
from drumbeat.http.pages import CAGE_POLICY
from drumbeat.http.web.mending import lifter_of, link_of
from drumbeat.store import accounts, people
from drumbeat.testing.cast import Cast, letter, task_step
from drumbeat.testing.clock import FrozenClock
from drumbeat.testing.sink import CUT, At, Do
from drumbeat.wiring import World
from tests.http.conftest import Browser
from tests.http.web.work import Works, at_work, led, post, said, see, words

Happen = Callable[..., None]
UNDELIVERED = CannotSend(FailureReason.RECIPIENT_INVALID, "550 no such user")
ARRIVED_UNHEARD = Do(reply="", cut=True, accept=True)


@pytest.fixture
def works(world: World, cast: Cast, clock: FrozenClock) -> Iterator[Works]:
    """Our account at work."""
    with at_work(world, cast, clock) as works:
        yield works


def doubtful(works: Works, at: Do = CUT) -> Enrollment:
    """Lena's run, its first letter in doubt: the connection broke behind the dot."""
    enrolled = works.enroll(works.cast.us.letters, works.lead())
    works.sink.script = {At.DOT: at}
    works.work()
    works.later(minutes=11)
    works.sink.script = {}
    return works.enrollment(enrolled.id)


def test_everybody_s_runs_are_listed_the_newest_first_page_by_page(works: Works, seller: Browser, cast: Cast) -> None:
    assert "Nobody was enrolled yet." in words(see(seller, "/enrollments"))
    works.enroll_many(cast.us.letters, [f"P{number:02}" for number in range(51)])
    first = words(see(seller, "/enrollments"))
    assert ("P50" in first, "P01" in first, "P00" in first) == (True, True, False)
    assert first.index("P50") < first.index("P01")
    second = words(see(seller, "/enrollments?after=2"))
    assert ("P00 Lead in Two letters Active" in second, "P01" in second) == (True, False)
    assert "Nothing is blocked for this reason." in words(see(seller, "/enrollments?reason=auth"))
    assert "P50" in words(see(seller, "/enrollments?reason=bad%20luck&after=%C2%B2"))


def test_the_timeline_shows_what_is_done_what_is_under_way_and_what_is_planned(works: Works, seller: Browser) -> None:
    steps = letter(0, Unit.HOURS), task_step(0, Unit.HOURS, "Call {{ person.first_name }}"), letter(1, Unit.WEEKDAYS)
    enrolled = works.enroll(works.sequence("Spring", *steps), works.lead())
    works.work()
    page = see(seller, f"/enrollments/{enrolled.id}")
    timeline = words(page, "timeline")
    assert "✓ 1. Lamps for your desk Done today 11:00 Letter, at once The letter: sent" in timeline
    assert "2. Call Lena Under way for today 23:59 Task, at once Complete the task" in timeline
    assert "3. Lamps for your desk Planned for tomorrow 23:59 Letter, after 1 working day" in timeline
    assert "Lena Lead Active since today 11:00, version 1, from Sam Seller" in words(page)
    assert "Waiting for the task to be completed." in words(page)
    history = words(page, "history")
    assert (
        history.index("Task opened") < history.index("Letter sent step 1 today 11:00 250") < history.index("Enrolled")
    )
    assert "Nothing yet." in words(page, "received")
    done = led(seller, post(seller, "/tasks/1/complete", back=f"/enrollments/{enrolled.id}"))
    assert "✓ 2. Call Lena Done today 11:00" in words(done, "timeline")


def test_stopping_ends_it_for_good_and_no_letter_leaves(works: Works, seller: Browser, cast: Cast) -> None:
    enrolled = works.enroll(cast.us.letters, works.lead())
    path = f"/enrollments/{enrolled.id}"
    assert "It ends for good: no further letter, no further task." in words(see(seller, path))
    stopped = led(seller, post(seller, f"{path}/stop"))
    assert said(stopped) == "It is stopped."
    assert "Finished Stopped by hand today 11:00 by Sam Seller" in words(stopped)
    assert "Stop it" not in words(stopped)
    assert "1. Lamps for your desk Cancelled" in words(stopped, "timeline")
    works.later(days=3)
    assert works.sink.letters == []
    assert works.enrollment(enrolled.id).finished_reason is FinishedReason.MANUAL


def test_what_is_blocked_says_why_and_goes_on_when_it_is_resumed(
    works: Works, seller: Browser, cast: Cast, happen: Happen
) -> None:
    enrolled = works.enroll(cast.us.letters, works.lead())
    path = f"/enrollments/{enrolled.id}"
    assert "Resume" not in words(see(seller, path))
    happen(enrolled.id, UNDELIVERED)
    blocked = see(seller, path)
    assert "! 1. Lamps for your desk Blocked" in words(blocked, "timeline")
    assert "The address cannot be reached: 550 no such user" in words(blocked, "timeline")
    assert "550 no such user Since today 11:00. You can lift it." in words(blocked)
    resumed = led(seller, post(seller, f"{path}/resume"))
    assert said(resumed) == "It goes on."
    assert works.enrollment(enrolled.id).state is State.ACTIVE
    works.work()
    assert [each.recipient for each in works.sink.letters] == ["lena@customer.example"]
    post(seller, f"{path}/stop")
    refused = led(seller, post(seller, f"{path}/resume"))
    assert 'class="alert alert-error"' in refused.text


def test_what_was_no_reply_goes_on_in_a_new_run_with_the_same_steps_done(
    works: Works, seller: Browser, cast: Cast
) -> None:
    enrolled = works.enroll(cast.us.letters, works.lead())
    works.work()
    path = f"/enrollments/{enrolled.id}"
    refused = led(seller, post(seller, f"{path}/not-a-reply"))
    assert said(refused) == "Only an enrollment that a reply has ended can go on."
    works.hear(enrolled.id, "I am on holiday, really.")
    ended = see(seller, path)
    assert "Finished Replied today 11:00" in words(ended)
    assert "Reply from lena@customer.example, today 11:00 Re: Lamps I am on holiday, really." in words(
        ended, "received"
    )
    assert "Reply today 11:00: I am on holiday, really." in words(ended, "timeline")
    goes_on = led(seller, post(seller, f"{path}/not-a-reply"))
    assert said(goes_on) == "It goes on here: the same steps are done, and the delay left is waited."
    assert f"It goes on with enrollment {enrolled.id}." in words(goes_on)
    assert "✓ 1. Lamps for your desk Done" in words(goes_on, "timeline")
    assert works.enrollment(enrolled.id + 1).position == 1
    before = see(seller, path)
    assert f"Enrollment {enrolled.id + 1} goes on with it." in words(before)
    assert "This was no reply" not in words(before)


def test_a_letter_in_doubt_asks_and_counts_as_sent_when_somebody_says_so(works: Works, seller: Browser) -> None:
    enrolled = doubtful(works)
    path = f"/enrollments/{enrolled.id}"
    asked = see(seller, path)
    assert "Did the letter arrive?" in words(asked, "doubt")
    assert "Count it as sent Send it again…" in words(asked, "doubt")
    assert "Count it as not sent" not in words(asked, "doubt")
    assert "The letter: in doubt" in words(asked, "timeline")
    assert "Resume" not in words(asked)
    settled = led(seller, post(seller, f"{path}/doubt", decision="count_as_sent"))
    assert said(settled) == "The letter counts as sent."
    assert "✓ 1. Lamps for your desk Done" in words(settled, "timeline")
    assert "Did the letter arrive?" not in words(settled)
    now = works.enrollment(enrolled.id)
    assert (now.state, now.position, now.in_doubt) == (State.ACTIVE, 1, False)


def test_resuming_from_an_old_page_decides_nothing_about_a_letter_that_came_into_doubt(
    works: Works, seller: Browser
) -> None:
    enrolled = doubtful(works)
    refused = led(seller, post(seller, f"/enrollments/{enrolled.id}/resume"))
    assert said(refused) == "Its letter is in doubt by now: decide on that."
    assert works.enrollment(enrolled.id).in_doubt


def test_a_letter_in_doubt_is_sent_again_byte_for_byte_when_somebody_says_so(works: Works, seller: Browser) -> None:
    enrolled = doubtful(works, ARRIVED_UNHEARD)
    page = led(seller, post(seller, f"/enrollments/{enrolled.id}/doubt", decision="send_again"))
    assert said(page) == "The same letter is sent once more."
    works.work()
    first, second = works.sink.letters
    assert first.content == second.content
    shown = words(see(seller, f"/enrollments/{enrolled.id}"), "timeline")
    assert "The letter: not sent The letter, try 2: sent" in shown


def test_a_doubt_of_a_run_that_ended_is_counted_as_not_sent(works: Works, seller: Browser) -> None:
    enrolled = doubtful(works)
    path = f"/enrollments/{enrolled.id}"
    still = led(seller, post(seller, f"{path}/doubt", decision="count_as_not_sent"))
    assert said(still).startswith("The enrollment still runs")
    ended = led(seller, post(seller, f"{path}/stop"))
    assert "Count it as sent Count it as not sent" in words(ended, "doubt")
    settled = led(seller, post(seller, f"{path}/doubt", decision="count_as_not_sent"))
    assert said(settled) == "The letter counts as not sent."
    assert works.enrollment(enrolled.id).status is ActionStatus.CANCELLED
    again = led(seller, post(seller, f"{path}/doubt", decision="count_as_sent"))
    assert said(again).startswith("There is no doubtful letter")
    assert said(led(seller, post(seller, f"{path}/doubt", decision="forget"))) == "Choose one of those offered."


def with_html(works: Works) -> Sequence:
    """A sequence of one letter with HTML that nobody should run."""
    html = "<p>Dear {{ person.first_name }}</p><script>alert(1)</script>"
    step = replace(letter(0, Unit.HOURS), template=TemplateText("For {{ person.first_name }}", html, "Dear <you>"))
    return works.sequence("Spring", step)


def test_a_letter_is_shown_as_it_left_with_what_the_server_said_and_its_html_caged(
    works: Works, seller: Browser
) -> None:
    enrolled = works.enroll(with_html(works), works.lead())
    works.work()
    path = f"/enrollments/{enrolled.id}/letters/0/0"
    page = see(seller, path)
    shown = words(page)
    assert "From Sam Seller <sam@northwind.example> To Lena Lead <lena@customer.example>" in shown
    assert "State Sent today 11:00 The mail server said 250 2.0.0 queued" in shown
    assert "Text Dear <you>" in shown
    assert "<script>" not in page.text.partition("</head>")[2]
    assert f'sandbox title="The letter\'s HTML" src="{path}/html"' in page.text
    html = see(seller, f"{path}/html")
    assert html.headers["content-security-policy"] == CAGE_POLICY
    assert "<p>Dear Lena</p>" in html.text
    for other in ("letters/0/1", "letters/1/0", "letters/00/0", "letters/x/0"):
        assert seller("GET", f"/enrollments/{enrolled.id}/{other}").status_code == 404


def test_a_letter_that_was_never_complete_says_so(works: Works, seller: Browser) -> None:
    step = replace(letter(0, Unit.HOURS), template=TemplateText("Lamps", None, "{{ person.title }}"))
    enrolled = works.enroll(works.sequence("Spring", step), works.lead())
    works.work()
    assert works.enrollment(enrolled.id).failure_reason is FailureReason.MISSING_MERGE_TAGS
    page = words(see(seller, f"/enrollments/{enrolled.id}/letters/0/0"))
    assert "Its content is not kept any more, or was never complete." in page
    assert see(seller, f"/enrollments/{enrolled.id}/letters/0/0/html").text == ""


def test_a_run_of_somebody_deleted_still_has_its_page(works: Works, seller: Browser, cast: Cast) -> None:
    lena = works.lead()
    enrolled = works.enroll(cast.us.letters, lena)
    works.transact(lambda tx: people.delete(tx, lena))
    assert "Deleted person" in words(see(seller, f"/enrollments/{enrolled.id}"))
    assert "Deleted person in Two letters" in words(see(seller, "/enrollments"))


def test_colleagues_runs_are_not_there_for_agents_who_see_their_own_alone(
    works: Works, seller: Browser, owner: Browser, cast: Cast
) -> None:
    cara = works.colleague()
    works.transact(lambda tx: accounts.set_mailbox(tx, works.account_id, cara.id, cast.us.seller.mailbox_id))
    mine = works.enroll(cast.us.with_task, works.lead())
    hers = works.enroll(cast.us.letters, works.lead("Carl", cara), cara)
    works.sink.script = {At.DOT: CUT}
    works.work()
    path = f"/enrollments/{hers.id}"
    assert "Carl Lead" in words(see(seller, path))
    works.let_agents_see_their_own()
    before = works.enrollment(hers.id)
    assert before.in_doubt
    for page in (path, f"{path}/letters/0/0", f"{path}/letters/0/0/html"):
        assert seller("GET", page).status_code == 404, page
    for way, fields in (("stop", {}), ("resume", {}), ("not-a-reply", {}), ("doubt", {"decision": "count_as_sent"})):
        answer = post(seller, f"{path}/{way}", **fields)
        assert answer.status_code in (303, 404), way
    assert works.enrollment(hers.id) == before
    listed = words(see(seller, "/enrollments"))
    assert ("Lena" in listed, "Carl" in listed) == (True, False)
    assert "Nobody runs it." in words(see(seller, f"/sequences/{cast.us.letters.id}"), "running")
    assert see(owner, path).status_code == see(seller, f"/enrollments/{mine.id}").status_code == 200


def test_enrollments_are_found_by_the_sequence_they_run_in_page_by_page(
    works: Works, seller: Browser, cast: Cast
) -> None:
    works.enroll_many(cast.us.letters, [f"P{number:02}" for number in range(52)])
    works.enroll(cast.us.with_task, works.lead())
    every = words(see(seller, "/enrollments"))
    assert "Lena Lead in" in every
    page = see(seller, f"/enrollments?sequence={cast.us.letters.id}")
    assert "Running in Two letters" in words(page)
    assert "Lena Lead" not in words(page)
    assert f'href="/enrollments?sequence={cast.us.letters.id}&amp;after=3"' in page.text
    second = see(seller, f"/enrollments?sequence={cast.us.letters.id}&after=3")
    assert ("P01" in words(second), "P02" in words(second)) == (True, False)
    assert f'href="/enrollments?sequence={cast.us.letters.id}">First page</a>' in second.text
    post(seller, f"/enrollments/{works.count('enrollments')}/stop")
    assert "Nobody runs it." in words(see(seller, f"/enrollments?sequence={cast.us.with_task.id}"))
    assert "Lena Lead" in words(see(seller, "/enrollments?sequence=9999"))


def test_all_that_a_run_s_page_says_and_offers_is_asked_for_again_together_while_it_runs(
    works: Works, seller: Browser, cast: Cast
) -> None:
    enrolled = works.enroll(cast.us.letters, works.lead())
    path = f"/enrollments/{enrolled.id}"
    before, polled, after = see(seller, path).text.partition('<div id="run"')
    assert polled
    assert f'hx-get="{path}" hx-trigger="every 10s" hx-select="#run" hx-swap="outerHTML"' in after
    assert "hx-get" not in before
    for part in ("badge", "Stop it", 'id="timeline"', 'id="received"', 'id="history"'):
        assert part in after
        assert part not in before.partition("<main")[2]
    post(seller, f"{path}/stop")
    assert "hx-get" not in see(seller, path).text


def test_counting_a_doubt_asks_once_more_since_nothing_takes_it_back(works: Works, seller: Browser) -> None:
    path = f"/enrollments/{doubtful(works).id}"
    assert "If it did not arrive, the person never gets it. The next step follows." in words(see(seller, path), "doubt")
    post(seller, f"{path}/stop")
    ended = words(see(seller, path), "doubt")
    assert "If it arrived after all, nothing here says so any more." in ended
    assert "The next step follows." not in ended


def test_what_holds_a_run_says_who_mends_it_and_leads_there(
    works: Works, seller: Browser, owner: Browser, cast: Cast, happen: Happen
) -> None:
    enrolled = works.enroll(cast.us.letters, works.lead())
    path, mailbox_id = f"/enrollments/{enrolled.id}", cast.us.seller.mailbox_id
    happen(enrolled.id, CannotSend(FailureReason.AUTH, "535 no"))
    for browser, told, link in ((owner, "You can lift it. Mailbox", True), (seller, "An admin can lift it.", False)):
        page = see(browser, path)
        assert told in words(page)
        assert (f'href="/settings/mailboxes/{mailbox_id}"' in page.text) is link
    by_task = works.enroll(cast.us.with_task, works.lead("Leo"))
    happen(by_task.id, StepDue())
    task_id = works.enrollment(by_task.id).task_id
    assert f'href="/tasks/{task_id}">Task</a>' in see(seller, f"/enrollments/{by_task.id}").text
    lia = works.lead("Lia")
    unreached = works.enroll(cast.us.letters, lia).id
    happen(unreached, UNDELIVERED)
    mending = f'href="/people/lead/{lia.id}/edit">Change the person</a>'
    assert mending in see(seller, f"/enrollments/{unreached}").text


@pytest.mark.parametrize("binding", Binding)
def test_no_agent_is_led_to_a_page_of_admins(binding: Binding, works: Works) -> None:
    enrolled, seller = works.enroll(works.cast.us.letters, works.lead()), works.cast.us.seller
    for reason in (None, *FailureReason):
        hold = Hold(binding, None, None, Lifter.USER, "Held.", reason)
        href, name = link_of(hold, Role.AGENT, enrolled, None, seller)
        assert not href.startswith("/settings")
        assert bool(href) == bool(name)
        admins, _ = link_of(hold, Role.ADMIN, enrolled, None, seller)
        is_for_admins = admins.startswith("/settings")
        assert lifter_of(hold, Role.AGENT) is (Lifter.ADMIN if is_for_admins else Lifter.USER)
        assert lifter_of(hold, Role.ADMIN) is Lifter.USER
