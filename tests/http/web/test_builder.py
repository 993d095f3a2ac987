"""The builder: steps are added, moved and taken away, planned on a calendar, compared with what runs, and published."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from drumbeat.domain.calendar import Holidays, Unit, parse_windows
from drumbeat.domain.sequence import SequenceStatus, Step
from drumbeat.domain.template import TemplateText
from drumbeat.http.manner import manner_of
from drumbeat.http.web.month import months_of
from drumbeat.operations.drafting import published_steps
from drumbeat.operations.templates import Draft, change_template, delete_template
from drumbeat.store import drafts, templates
from drumbeat.testing.cast import Cast, add_sequence, task_step
from drumbeat.testing.clock import FrozenClock
from drumbeat.wiring import World
from tests.http.conftest import Browser
from tests.http.web.work import Works, at_work, hidden, led, post, said, see, words

Row = dict[str, str]


@pytest.fixture
def works(world: World, cast: Cast, clock: FrozenClock) -> Iterator[Works]:
    """Our account at work."""
    with at_work(world, cast, clock) as works:
        yield works


@pytest.fixture
def page(works: Works) -> str:
    """The address of a new sequence, which is number 3."""
    made = works.transact(lambda tx: add_sequence(tx, works.cast.us.seller, "Spring", [], SequenceStatus.DRAFT))
    return f"/sequences/{made.id}"


def letter(template_id: int | str = "", amount: str = "0", unit: str = "hours", thread: str = "no") -> Row:
    """A letter's row of the form."""
    found = {"action": "automated_email", "amount": amount, "unit": unit, "template_id": str(template_id)}
    return found | {"thread": thread, "task": ""}


def task(words: str = "Call", amount: str = "0", unit: str = "hours") -> Row:
    """A task's row of the form."""
    found = {"action": "task", "amount": amount, "unit": unit, "template_id": "", "thread": "no"}
    return found | {"task": words}


def rows(*steps: Row, **buttons: str) -> dict[str, Any]:
    """The builder's form with these steps, and the button that is pressed."""
    names = ("action", "amount", "unit", "template_id", "thread", "task")
    return {name: [step[name] for step in steps] for name in names} | buttons


def publish(browser: Browser, page: str) -> Any:
    """The page after what was reviewed is published."""
    reviewed = hidden(see(browser, f"{page}/publish"), "reviewed")
    return led(browser, post(browser, f"{page}/publish", reviewed=reviewed))


def drafted(works: Works, id: int = 3) -> str | None:
    """The draft as it is kept."""
    return works.read(lambda snapshot: drafts.find(snapshot, works.account_id, id))


def published(works: Works, id: int = 3) -> tuple[Step, ...]:
    """The steps that somebody enrolled now runs."""
    return works.read(lambda snapshot: published_steps(snapshot, works.sequence_of(id)))


def tasks_in_order(answer: Any) -> list[str]:
    """The words of the tasks in the builder."""
    return [part.partition("</textarea>")[0] for part in answer.text.split(' name="task" rows="2" required>')[1:]]


def test_steps_are_added_moved_and_taken_away_without_a_script(works: Works, seller: Browser, page: str) -> None:
    assert "Letters and tasks, with a wait before each." in words(see(seller, f"{page}/steps"))
    first = led(seller, post(seller, f"{page}/steps", add="automated_email"))
    assert ("Letter 1" in words(first), said(first)) == (True, "")
    second = led(seller, post(seller, f"{page}/steps", **rows(letter(), add="task")))
    assert "Task 2" in words(second)
    assert 'id="amount_1" name="amount" type="number" min="0" max="10000" required value="2"' in second.text
    assert '<option value="weekdays" selected>working days</option>' in second.text
    steps = [task("A"), task("B"), task("C")]
    for button, order in (
        ({"up": "2"}, ["A", "C", "B"]),
        ({"down": "0"}, ["B", "A", "C"]),
        ({"up": "0"}, ["A", "B", "C"]),
        ({"down": "2"}, ["A", "B", "C"]),
        ({"remove": "1"}, ["A", "C"]),
        ({"remove": "3"}, ["A", "B", "C"]),
    ):
        assert tasks_in_order(led(seller, post(seller, f"{page}/steps", **rows(*steps, **button)))) == order, button


def test_a_draft_is_kept_as_it_was_typed_and_changes_nothing_that_runs(
    works: Works, seller: Browser, cast: Cast
) -> None:
    page, before = f"/sequences/{cast.us.with_task.id}", published(works, cast.us.with_task.id)
    shown = see(seller, f"{page}/steps")
    assert "As published in version 1." in words(shown)
    assert tasks_in_order(shown) == ["Call and ask about the lamp"]
    kept = led(seller, post(seller, f"{page}/steps", **rows(task(" <Call> & ask ", "3", "weekdays"))))
    assert said(kept) == "The draft is saved; nothing of it runs before it is published."
    assert "A draft: nobody runs it before it is published." in words(kept)
    assert tasks_in_order(kept) == ["&lt;Call&gt; &amp; ask"]
    assert (works.sequence_of(cast.us.with_task.id).version, published(works, cast.us.with_task.id)) == (1, before)
    enrolled = works.enroll(cast.us.with_task, works.lead())
    assert [step.task_content for step in enrolled.plan.steps] == ["Call and ask about the lamp", None]
    assert "There is a draft that nobody runs yet." in words(see(seller, page))


def test_a_draft_that_is_discarded_leaves_the_published_steps(works: Works, seller: Browser, cast: Cast) -> None:
    page = f"/sequences/{cast.us.with_task.id}"
    post(seller, f"{page}/steps", **rows(task("Another")))
    gone = led(seller, post(seller, f"{page}/discard"))
    assert said(gone) == "The draft is gone; these are the published steps."
    assert tasks_in_order(gone) == ["Call and ask about the lamp"]
    assert drafted(works, cast.us.with_task.id) is None
    assert led(seller, post(seller, f"{page}/discard")).status_code == 200


def test_a_delay_that_is_none_is_told_with_its_step_and_nothing_is_kept(
    works: Works, seller: Browser, page: str
) -> None:
    for amount in ("", "-1", "1.5", "10001", "²", "99999999999999999999"):
        refused = post(seller, f"{page}/steps", **rows(task("A"), task("B", amount)))
        assert refused.status_code == 422
        assert "Step 2: a delay is a whole number from 0 to 10,000." in words(refused)
        assert tasks_in_order(refused) == ["A", "B"]
        assert f'name="amount" type="number" min="0" max="10000" required value="{amount}"' in refused.text
    assert drafted(works) is None


def test_a_form_that_is_broken_or_too_long_keeps_nothing(seller: Browser, page: str, works: Works) -> None:
    broken = post(seller, f"{page}/steps", action=["task", "task"], amount=["0"])
    assert (broken.status_code, said(broken)) == (422, "The form is broken; load the page again.")
    strange = post(seller, f"{page}/steps", **rows(task() | {"unit": "months"}))
    assert (strange.status_code, "Choose one of those offered." in words(strange)) == (422, True)
    long = post(seller, f"{page}/steps", **rows(*[task()] * 101))
    assert (long.status_code, said(long)) == (422, "A sequence has at most 100 steps.")
    assert drafted(works) is None


def test_what_publishing_changes_is_shown_before_and_running_enrollments_keep_their_steps(
    works: Works, seller: Browser, cast: Cast, page: str
) -> None:
    lamps, bulbs = works.template("Lamps"), works.template("Bulbs", "Bulbs", "A bulb?")
    post(seller, f"{page}/steps", **rows(letter(lamps.id), task("Call"), task("Write")))
    review = words(led(seller, post(seller, f"{page}/steps", **rows(letter(lamps.id), task(), publish="on"))))
    assert "Publish version 1 Who is enrolled from now on runs this version. What changes" in review
    assert "new Lamps at once new Call at once" in review
    done = publish(seller, page)
    assert said(done) == "Version 1 is published. Running enrollments keep theirs."
    assert "Its steps are published. Activate it" in words(done)
    post(seller, f"{page}/status", status="active")
    ids = works.enroll_many(works.sequence_of(3), ["Lena", "Leo"])
    works.work()
    steps = rows(letter(bulbs.id, "2", "weekdays"), letter(bulbs.id), publish="on")
    review = words(led(seller, post(seller, f"{page}/steps", **steps)))
    assert "2 running enrollments keep the steps of their version; only who is enrolled from now on" in review
    assert "changed Bulbs after 2 working days was: Lamps at once (another delay, another template)" in review
    assert "changed Bulbs at once was: Call at once (It becomes a letter.)" in review
    publish(seller, page)
    assert [step.email_template_id for step in published(works)] == [bulbs.id, bulbs.id]
    assert works.enrollment(ids[1]).plan.steps[1].task_content == "Call"
    assert drafted(works) is None


def test_a_step_that_is_gone_and_one_that_stays_are_told(works: Works, seller: Browser, page: str) -> None:
    for steps in ((task("A"), task("B")), (task("B"), task("C"))):
        review = led(seller, post(seller, f"{page}/steps", **rows(*steps, publish="on")))
        publish(seller, page)
    assert "gone A at once as it was B at once new C at once" in words(review)
    assert "<del>A" in review.text


def test_a_letter_goes_out_with_the_text_its_template_had_when_it_was_published(
    works: Works, seller: Browser, page: str
) -> None:
    lamps = works.template("Lamps", "Lamps", "Old words")
    post(seller, f"{page}/steps", **rows(letter(lamps.id)))
    publish(seller, page)
    draft = Draft("Lamps", TemplateText("Lamps", None, "New words"))
    works.transact(lambda tx: change_template(tx, works.account_id, lamps.id, draft, 1))
    (step,) = published(works)
    assert step.template is not None
    assert step.template.text == "Old words"
    assert "changed Lamps at once was: Lamps at once (another text)" in words(see(seller, f"{page}/publish"))
    publish(seller, page)
    assert works.sequence_of(3).version == 2
    assert published(works)[0].template == draft.source


def test_what_its_author_should_look_at_is_told_and_keeps_nobody_from_publishing(
    works: Works, seller: Browser, page: str
) -> None:
    vague = works.template("Vague", "", "Dear {{ person.title }}, {{ person.colour }}?")
    review = words(led(seller, post(seller, f"{page}/steps", **rows(letter(vague.id), publish="on"))), "warnings")
    assert "can block: {{ person.title }} has no default" in review
    assert "has no subject" in review
    assert "there is no field {{ person.colour }}" in review
    assert said(publish(seller, page)).startswith("Version 1 is published.")


def test_what_cannot_be_published_says_so_and_nothing_is(works: Works, seller: Browser, page: str) -> None:
    assert said(led(seller, post(seller, f"{page}/publish"))) == "Add a step before you publish."
    gone = works.template("Gone")
    post(seller, f"{page}/steps", **rows(task(), letter(gone.id)))
    works.transact(lambda tx: delete_template(tx, works.account_id, gone.id, 1))
    review = words(see(seller, f"{page}/publish"))
    assert f"Step 2: There is no template {gone.id}. Mend it" in review
    assert "Publish it" not in review
    assert said(led(seller, post(seller, f"{page}/publish"))) == f"Step 2: There is no template {gone.id}."
    post(seller, f"{page}/steps", **rows(task("{{ person.first_name")))
    assert "'{{' is not closed" in said(led(seller, post(seller, f"{page}/publish")))
    post(seller, f"{page}/steps", **rows(task("A", "6000"), task("B", "6000")))
    assert said(publish(seller, page)).startswith("All delays together may be at most 10000")
    assert (works.sequence_of(3).version, drafted(works) is None) == (0, False)


def test_the_plan_shows_each_step_on_a_calendar_for_a_start_and_keeps_nothing(
    works: Works, seller: Browser, page: str
) -> None:
    lamps = works.template("Lamps")
    steps = rows(letter(lamps.id), task("Call", "1", "weekdays"), letter("", "2"), start="2026-03-06")
    shown = post(seller, f"{page}/plan", **steps)
    assert shown.status_code == 200
    plan = words(shown)
    assert "March 2026 Mon Tue Wed Thu Fri Sat Sun 1 2 3" in plan
    assert "6 Letter 1 09:00 7 8 9 Task 2 09:00 Letter 3 11:00 10" in plan
    assert "1. Lamps: Fri 6 Mar 09:00 2. Call: Mon 9 Mar 09:00 3. Letter: Mon 9 Mar 11:00" in plan
    assert "With windows and holidays, in Europe/Berlin" in plan
    assert drafted(works) is None
    wrong = post(seller, f"{page}/plan", **rows(task("A", "soon")))
    assert "Step 1: a delay is a whole number" in words(wrong)
    assert "Steps are shown here on a calendar." in words(post(seller, f"{page}/plan"))


def test_the_plan_minds_windows_weekends_and_holidays_of_the_sequence_on_its_own_clock(
    works: Works, seller: Browser
) -> None:
    monday = Holidays(days=frozenset({date(2026, 3, 9)}))
    calendar = works.transact(lambda tx: templates.add_calendar(tx, works.account_id, "Ours", monday))
    settings = {"windows": parse_windows(["Mon-Fri 10:00-16:00"]), "calendar_id": calendar, "time_zone": "Asia/Tokyo"}
    sequence = works.sequence("Spring", task_step(0, Unit.HOURS), **settings)
    path = f"/sequences/{sequence.id}"
    start = {"start": "2026-03-06"}
    plan = post(
        seller, f"{path}/plan", **rows(letter("", "10"), letter("", "1", "weekdays"), task("Call", "7"), **start)
    )
    assert "10 Letter 1 10:00 11 Letter 2 10:00 Task 3 17:00 12" in words(plan)
    assert "in Asia/Tokyo" in words(plan)
    assert '<td class="is-off"><span class="faint">9</span>' in plan.text
    assert '<td class="is-off"><span class="faint">7</span>' in plan.text
    assert '<td class=""><span class="faint">10</span>' in plan.text
    post(seller, f"{path}/steps", **rows(letter("", "10")))
    assert "10 Letter 1 10:00 11" in words(see(seller, f"{path}/steps?start=2026-03-06"))
    assert "4 Letter 1 10:00 5" in words(see(seller, f"{path}/steps?start=someday")), "otherwise it begins now"


def test_a_step_s_letter_is_shown_as_somebody_gets_it(works: Works, seller: Browser, page: str) -> None:
    lamps = works.template("Lamps", "For {{ person.first_name }}", "Dear {{ person.first_name }}, {{ person.title }}")
    lena, leo = works.lead(title="Boss"), works.lead("Leo")
    shown = words(see(seller, f"{page}/letter?template_id={lamps.id}&whom=lead:{lena.id}"))
    assert shown == "For Lena Dear Lena, Boss"
    missing = see(seller, f"{page}/letter?template_id={lamps.id}&whom=lead:{leo.id}")
    assert "Leo Lead would get nothing yet" in words(missing)
    assert "<code>person.title</code>" in missing.text
    assert words(see(seller, f"{page}/letter?template_id={lamps.id}&whom=lead:99")).startswith("Choose somebody")
    assert words(see(seller, f"{page}/letter?template_id=99&whom=lead:{lena.id}")) == "There is no template 99."
    assert words(see(seller, f"{page}/letter?template_id=&whom=lead:{lena.id}")) == "Choose a template first."


def test_only_what_was_reviewed_is_published(works: Works, seller: Browser, owner: Browser, page: str) -> None:
    lamps = works.template("Lamps", "Lamps", "Old words")
    post(seller, f"{page}/steps", **rows(letter(lamps.id)))
    reviewed = hidden(see(seller, f"{page}/publish"), "reviewed")
    post(owner, f"{page}/steps", **rows(letter(lamps.id), task("By a colleague")))
    refused = led(seller, post(seller, f"{page}/publish", reviewed=reviewed))
    assert said(refused) == "It changed meanwhile, and nothing is published: this is what would be now."
    assert "new By a colleague at once" in words(refused), "the new comparison"
    reviewed = hidden(refused, "reviewed")
    draft = Draft("Lamps", TemplateText("Lamps", None, "New words"))
    works.transact(lambda tx: change_template(tx, works.account_id, lamps.id, draft, 1))
    assert "It changed meanwhile" in said(led(seller, post(seller, f"{page}/publish", reviewed=reviewed)))
    assert "It changed meanwhile" in said(led(seller, post(seller, f"{page}/publish")))
    assert works.sequence_of(3).version == 0
    assert said(publish(seller, page)).startswith("Version 1 is published.")
    assert [step.task_content for step in published(works)] == [None, "By a colleague"]


def test_a_second_click_publishes_no_second_version(works: Works, seller: Browser, page: str) -> None:
    post(seller, f"{page}/steps", **rows(task("Call")))
    reviewed = hidden(see(seller, f"{page}/publish"), "reviewed")
    for _ in range(2):
        answer = post(seller, f"{page}/publish", reviewed=reviewed)
        assert said(led(seller, answer)) == "Version 1 is published. Running enrollments keep theirs."
    assert works.sequence_of(3).version == 1


def test_a_draft_that_somebody_else_kept_meanwhile_is_not_overwritten_unasked(
    works: Works, seller: Browser, owner: Browser, page: str
) -> None:
    begun = hidden(see(seller, f"{page}/steps"), "drafted")
    post(owner, f"{page}/steps", **rows(task("Theirs")), drafted=begun)
    overtaken = post(seller, f"{page}/steps", **rows(task("Mine"), add="task"), drafted=begun)
    assert overtaken.status_code == 409
    assert "Somebody else kept another draft since you opened this one." in words(overtaken)
    assert tasks_in_order(overtaken) == ["Mine", ""], "what is typed, with what the button did"
    assert 'data-guard="changed"' in overtaken.text
    assert f'<a class="btn btn-sm" href="{page}/steps" target="_blank">See theirs' in overtaken.text
    again = post(seller, f"{page}/steps", **rows(task("Mine")), drafted=hidden(overtaken, "drafted"))
    assert again.status_code == 409, "saving is not deciding"
    mine = overtaken.text.partition('name="mine" value="')[2].partition('"')[0]
    kept = led(seller, post(seller, f"{page}/steps", **rows(task("Mine")), drafted=begun, mine=mine))
    assert tasks_in_order(kept) == ["Mine"]
    post(owner, f"{page}/steps", **rows(task("Theirs again")), drafted=hidden(kept, "drafted"))
    late = post(seller, f"{page}/steps", **rows(task("Mine")), drafted=begun, mine=mine)
    assert late.status_code == 409, "who decided about one draft did not about the next"
    assert "Theirs again" in (drafted(works) or "")


def test_the_same_form_sent_twice_is_no_clash(works: Works, seller: Browser, page: str) -> None:
    begun = hidden(see(seller, f"{page}/steps"), "drafted")
    for _ in range(2):
        added = led(seller, post(seller, f"{page}/steps", **rows(task("A"), add="task"), drafted=begun))
        assert tasks_in_order(added) == ["A", ""]


def test_a_button_leads_to_its_step_and_keeps_what_stands_beside_the_steps(seller: Browser, page: str) -> None:
    aside = {"start": "2026-03-09", "whom": "lead:7"}
    for button, place in (
        ({"add": "task"}, 3),
        ({"up": "1"}, 1),
        ({"down": "0"}, 2),
        ({"down": "1"}, 2),
        ({"remove": "0"}, 1),
        ({"remove": "1"}, 1),
    ):
        answer = post(seller, f"{page}/steps", **rows(task("A"), task("B"), **button), **aside)
        assert answer.headers["location"] == f"{page}/steps?start=2026-03-09&whom=lead%3A7#step-{place}", button
    assert 'id="step-1"' in led(seller, answer).text
    assert 'type="date" value="2026-03-09"' in led(seller, answer).text
    saved = post(seller, f"{page}/steps", **rows(task("A")))
    assert saved.headers["location"] == f"{page}/steps"


def test_the_plan_lists_its_steps_on_its_own_clock(works: Works, seller: Browser) -> None:
    sequence = works.sequence("Over there", task_step(0, Unit.HOURS), time_zone="America/New_York")
    plan = words(post(seller, f"/sequences/{sequence.id}/plan", **rows(task("Call")), start="2026-03-09"))
    assert "9 Task 1 09:00" in plan
    assert "1. Call: Mon 9 Mar 09:00 With windows and holidays, in America/New_York" in plan


def test_a_start_far_away_is_complained_about(works: Works, seller: Browser, page: str) -> None:
    for start in ("0001-01-01", "9999-12-31", "2037-01-01", "2015-12-31T10:00"):
        told = "Choose a start within 10 years from now."
        assert words(post(seller, f"{page}/plan", **rows(task()), start=start)) == told, start
        assert told in words(see(seller, f"{page}/steps?start={start}")), start
    assert "March 2035" in words(post(seller, f"{page}/plan", **rows(task()), start="2035-03-05"))
    longest = [task("Wait", "10000", "weekdays")] * 100
    assert "100 steps, the last on" in words(post(seller, f"{page}/plan", **rows(*longest)))
    endless = rows(*longest, *longest, *longest)
    assert words(post(seller, f"{page}/plan", **endless)) == "A sequence has at most 100 steps."


def test_the_plan_and_a_letter_are_looked_at_without_a_script_and_nothing_is_kept(
    works: Works, seller: Browser, page: str
) -> None:
    lamps, lena = works.template("Lamps", "For {{ person.first_name }}"), works.lead()
    steps = rows(task("Call"), letter(lamps.id), letter())
    aside = {"start": "2026-03-09", "whom": f"lead:{lena.id}"}
    shown = post(seller, f"{page}/steps", **steps, **aside, look="1")
    assert shown.status_code == 200
    assert "For Lena A lamp?" in words(shown)
    assert shown.text.count("data-letter open") == 1
    assert "9 Task 1 09:00 Letter 2 09:00" in words(shown)
    assert "3 steps, the last on Mon 9 Mar 09:00." in words(shown)
    assert tasks_in_order(shown) == ["Call"]
    assert "Choose a template first." in words(post(seller, f"{page}/steps", **steps, **aside, look="2"))
    for place in ("", "7", "x"):
        assert "data-letter open" not in post(seller, f"{page}/steps", **steps, **aside, look=place).text
    assert drafted(works) is None


def test_whom_letters_are_shown_for_is_named_by_the_address(works: Works, seller: Browser, page: str) -> None:
    first = works.lead()
    works.enroll_many(works.cast.us.letters, [f"P{number:02}" for number in range(25)])
    post(seller, f"{page}/steps", **rows(letter()))
    named = f'<option value="lead:{first.id}" selected>Lena Lead</option>'
    assert named not in see(seller, f"{page}/steps").text
    assert named in see(seller, f"{page}/steps?whom=lead:{first.id}").text


def test_a_complaint_stands_with_the_field_it_is_about_and_the_draft_stays_one(
    works: Works, seller: Browser, page: str
) -> None:
    post(seller, f"{page}/steps", **rows(task("A")))
    refused = post(seller, f"{page}/steps", **rows(task("A"), task("B", "soon")))
    assert 'value="soon" aria-invalid="true" aria-describedby="step_1-complaint"' in refused.text
    assert 'id="step_1-complaint"' in refused.text
    assert refused.text.count("aria-invalid") == 1
    assert "A draft: nobody runs it before it is published." in words(refused)


def test_one_short_line_says_what_became_of_the_plan(seller: Browser, page: str) -> None:
    assert "aria-live" not in see(seller, f"{page}/steps").text
    part = post(seller, f"{page}/plan", **rows(task(), task()), start="2026-03-09").text
    assert '<div hx-swap-oob="innerHTML:#planned"><span>2 steps, the last on Mon 9 Mar 09:00.</span></div>' in part


BERLIN = "Europe/Berlin"
PLAIN = manner_of("en-GB")


def test_a_month_has_its_weeks_from_monday_and_marks_on_its_own_days_alone() -> None:
    (march,) = months_of([datetime(2026, 3, 31, 9, tzinfo=UTC)], [True], BERLIN, Holidays(), PLAIN)
    assert (march.name, len(march.weeks), march.weeks[0][0].date) == ("March 2026", 6, date(2026, 2, 23))
    (last,) = [day for week in march.weeks for day in week if day.marks]
    assert (last.date, [(mark.number, mark.time) for mark in last.marks]) == (date(2026, 3, 31), [(1, "11:00")])
    assert [day.is_off for day in march.weeks[1]] == [False] * 5 + [True] * 2


def test_an_instant_stands_on_the_day_it_is_there_and_holidays_are_off() -> None:
    late = datetime(2026, 3, 31, 23, tzinfo=UTC)
    (april,) = months_of([late, late], [True, False], BERLIN, Holidays(days=frozenset({date(2026, 4, 1)})), PLAIN)
    first = april.weeks[0][2]
    assert (april.name, first.is_off, [mark.is_letter for mark in first.marks]) == ("April 2026", True, [True, False])
    assert not april.weeks[0][1].is_inside


def test_a_week_begins_and_hours_are_counted_as_the_reader_s_country_does() -> None:
    american = manner_of("en-US")
    (march,) = months_of([datetime(2026, 3, 31, 12, tzinfo=UTC)], [True], BERLIN, Holidays(), american)
    assert (march.weekdays[0], march.weeks[0][0].date) == ("Sun", date(2026, 3, 1))
    assert [mark.time for week in march.weeks for day in week for mark in day.marks] == ["2:00 PM"]


def test_a_day_of_the_month_beside_it_has_its_marks_there_alone() -> None:
    instants = [datetime(2026, 3, 31, 9, tzinfo=UTC), datetime(2026, 4, 1, 9, tzinfo=UTC)]
    march, april = months_of(instants, [True, True], "UTC", Holidays(), PLAIN)
    marked = [[day.date for week in month.weeks for day in week if day.marks] for month in (march, april)]
    assert marked == [[date(2026, 3, 31)], [date(2026, 4, 1)]]


def test_the_first_four_months_in_which_something_happens_are_shown() -> None:
    instants = [datetime(2026, month, 5, tzinfo=UTC) for month in (1, 2, 4, 6, 8)]
    assert [month.name for month in months_of(instants, [True] * 5, "UTC", Holidays(), PLAIN)] == [
        "January 2026",
        "February 2026",
        "April 2026",
        "June 2026",
    ]
    assert months_of([], [], "UTC", Holidays(), PLAIN) == []
