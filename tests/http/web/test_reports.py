"""Reports: what sequences brought, by day and by step, over a period, and whether an A/B test says something."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta

import pytest

from drumbeat.domain.account import User
from drumbeat.domain.calendar import Unit
from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import FinishedReason
from drumbeat.domain.happening import CannotSend, FinishRequested
from drumbeat.domain.sequence import SequenceStatus, Split
from drumbeat.domain.template import TemplateText
from drumbeat.http.manner import manner_of
from drumbeat.http.web.chart import chart_of
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Tx
from drumbeat.testing.cast import Cast, add_sequence, letter, task_step
from drumbeat.testing.clock import FrozenClock
from drumbeat.wiring import World
from tests.http.conftest import Browser
from tests.http.web.work import Works, at_work, see, words

Happen = Callable[..., None]
NOTHING = "In all 0 0 0 0 0"
_COUNT = Statement("""
    INSERT INTO sequence_counts (account_id, sequence_id, variant, fact, total)
    VALUES (:account_id, :sequence_id, :variant, :fact, :total)
""")


@pytest.fixture
def works(world: World, cast: Cast, clock: FrozenClock) -> Iterator[Works]:
    """Our account at work."""
    with at_work(world, cast, clock) as works:
        yield works


def counted(works: Works, sequence_id: int, **totals: dict[str, int]) -> None:
    """Counts of variants, as the worker keeps them."""

    def work(tx: Tx) -> None:
        for variant, facts in totals.items():
            for fact, total in facts.items():
                ids = {"account_id": works.account_id, "sequence_id": sequence_id}
                tx.run(_COUNT, **ids, variant=variant, fact=fact, total=total)

    works.transact(work)


def test_where_nothing_happened_yet_reports_say_so(works: Works, seller: Browser, cast: Cast) -> None:
    works.transact(lambda tx: add_sequence(tx, cast.us.seller, "Only a draft", [], SequenceStatus.DRAFT))
    every = words(see(seller, "/reports"))
    assert f"Nothing happened. {NOTHING}" in every
    assert "Two letters 0 0 0 – 0 – 0 – 0" in every
    assert "Only a draft" not in every
    one = words(see(seller, f"/reports/{cast.us.letters.id}"))
    assert "Nothing happened in these days." in one
    assert "A/B test" not in one


def test_what_happened_is_counted_by_day_and_by_step(
    works: Works, cast: Cast, sign_in: Callable[[User], Browser]
) -> None:
    sequence = works.sequence("Spring", letter(0, Unit.HOURS), task_step(0, Unit.HOURS), letter(0, Unit.HOURS))
    lena, *_ = (works.enroll(sequence, works.lead(name)) for name in ("Lena", "Leo", "Lia"))
    works.work()
    works.clock.now = works.clock.now.replace(day=4)
    works.hear(lena.id)
    works.work()
    seller = sign_in(cast.us.seller)
    page = words(see(seller, f"/reports/{sequence.id}"))
    assert "Wed, 4 Mar 2026 0 1 0 0 0 Tue, 3 Mar 2026 3 0 0 0 0 In all 3 1 0 0 0" in page
    assert "1. Lamps for your desk 3 1 33% 0 0% 0 0% 0 0%" in words(see(seller, f"/reports/{sequence.id}"), "steps")
    every = words(see(seller, "/reports"))
    assert "Spring 3 3 1 33% 0 0% 0 0% 0" in every
    assert "In all 3 1 0 0 0" in every


def test_a_step_that_is_blocked_and_somebody_who_unsubscribes_are_counted(
    works: Works, seller: Browser, cast: Cast, happen: Happen
) -> None:
    lena, leo = (works.enroll(cast.us.letters, works.lead(name)) for name in ("Lena", "Leo"))
    works.work()
    happen(lena.id, CannotSend(FailureReason.RECIPIENT_INVALID, "550 no"))
    happen(leo.id, FinishRequested(FinishedReason.SUBSCRIPTION_CANCELLED))
    assert "The latest is being counted" in words(see(seller, "/reports"))
    works.work()
    page = see(seller, f"/reports/{cast.us.letters.id}")
    assert "The latest is being counted" not in words(page)
    assert "1. Lamps for your desk 2 0 0% 0 0% 1 50% 0 0% 2. Letter in the thread 0 0 0 0 1" in words(page, "steps")
    assert "Two letters 2 2 0 0% 0 0% 1 50% 1" in words(see(seller, "/reports"))


def test_a_period_shows_its_own_days_alone(works: Works, cast: Cast, sign_in: Callable[[User], Browser]) -> None:
    works.enroll(cast.us.letters, works.lead())
    works.work()
    works.clock.now = works.clock.now.replace(day=10)
    seller = sign_in(cast.us.seller)
    path = f"/reports/{cast.us.letters.id}"
    usual = see(seller, path)
    assert "Step by step, in these 30 days" in words(usual)
    assert f'href="{path}?days=30" aria-current="true">30 days</a>' in usual.text
    assert "In all 1 0 0 0 0" in words(usual)
    week = words(see(seller, f"{path}?days=7"))
    assert "Step by step, in these 7 days Nothing happened in these days." in week
    assert NOTHING in week
    assert "Two letters 1 1 0 0%" in words(see(seller, "/reports?days=7")), "since it began"
    for other in ("8", "-7", "all", "99999999999"):
        assert "in these 30 days" in words(see(seller, f"{path}?days={other}"))


def test_the_chart_has_a_line_for_each_measure_with_a_point_for_each_day(
    works: Works, seller: Browser, cast: Cast
) -> None:
    works.enroll(cast.us.letters, works.lead())
    works.work()
    page = see(seller, "/reports?days=7").text
    lines = re.findall(r'<polyline class="line series-(\w+)" points="([^"]*)">', page)
    assert [name for name, _ in lines] == ["sent", "replied", "bounced", "unsubscribed", "blocked"]
    assert {len(points.split()) for _, points in lines} == {7}
    assert "the table below says the same" in page


def test_an_ab_test_shows_both_variants_and_which_is_better(works: Works, seller: Browser, cast: Cast) -> None:
    sequence = works.sequence("Spring", letter(0, Unit.HOURS), split=Split(cast.us.letters.id, 50))
    young = words(see(seller, f"/reports/{sequence.id}"), "test")
    assert "A 50% 0 0 – B 50% 0 0 – Not decided yet. B gets at least 0.00 times" in young
    replied = "finished:replied_to_email"
    counted(works, sequence.id, A={"enrolled": 1000, replied: 50}, B={"enrolled": 1000, replied: 110})
    decided = words(see(seller, f"/reports/{sequence.id}"), "test")
    assert "A 50% 1,000 50 5% B 50% 1,000 110 11% Variant B gets more replies." in decided
    assert "Do not read the rest." not in decided
    assert "Spring 2,000 0 160 8%" in words(see(seller, "/reports"))


def test_an_ab_test_that_is_not_decided_says_how_many_people_more_it_needs(
    works: Works, seller: Browser, cast: Cast
) -> None:
    sequence = works.sequence("Spring", letter(0, Unit.HOURS), split=Split(cast.us.letters.id, 50))
    replied = "finished:replied_to_email"
    counted(works, sequence.id, A={"enrolled": 500, replied: 50}, B={"enrolled": 500, replied: 65})
    test = words(see(seller, f"/reports/{sequence.id}"), "test")
    assert re.search(r"Not decided yet: if it goes on like this, about [\d,]+ people more decide it\.", test)


def test_people_enrolled_in_another_share_than_asked_for_are_told(works: Works, seller: Browser, cast: Cast) -> None:
    sequence = works.sequence("Spring", letter(0, Unit.HOURS), split=Split(cast.us.letters.id, 30))
    counted(works, sequence.id, A={"enrolled": 5000}, B={"enrolled": 5000})
    page = words(see(seller, f"/reports/{sequence.id}"), "test")
    assert "People are not enrolled in the share asked for" in page
    assert "Do not read the rest." in page


def test_steps_of_both_variants_stand_apart_in_an_ab_test(works: Works, seller: Browser) -> None:
    bulbs = replace(letter(0, Unit.HOURS), template=TemplateText("Bulbs", None, "A bulb?"))
    other = works.sequence("Other", bulbs)
    sequence = works.sequence("Spring", letter(0, Unit.HOURS), split=Split(other.id, 50))
    works.enroll_many(sequence, [f"P{number:02}" for number in range(20)])
    works.work()
    steps = words(see(seller, f"/reports/{sequence.id}"), "steps")
    found = re.search(r"1\. Lamps for your desk A (\d+) 0 .* 1\. Bulbs B (\d+) 0 ", steps)
    assert found
    assert int(found[1]) + int(found[2]) == 20
    assert "Nothing happened in these days." in words(see(seller, f"/reports/{other.id}"))


def days_from(count: int) -> list[date]:
    """So many days from the first of March on."""
    return [date(2026, 3, 1) + timedelta(days=day) for day in range(count)]


def test_a_chart_marks_round_heights_and_stretches_over_its_days() -> None:
    chart = chart_of(["sent"], days_from(3), {"sent": [0, 30, 40]}, manner_of("en-GB"))
    (line,) = chart.lines
    first, middle, last = (tuple(map(float, point.split(","))) for point in line.points.split())
    assert [label for _, label in chart.heights] == ["0", "10", "20", "30", "40"]
    heights = {label: y for y, label in chart.heights}
    assert (first[1], middle[1], last[1]) == (heights["0"], heights["30"], heights["40"])
    assert (first[0], last[0]) == (chart.left, chart.right)
    assert chart.labels == [(first[0], "1 Mar"), (middle[0], "2 Mar"), (last[0], "3 Mar")]


def test_a_chart_of_nothing_or_of_one_day_still_has_heights() -> None:
    empty = chart_of(["sent"], [], {"sent": []}, manner_of("en-GB"))
    assert (empty.lines[0].points, [label for _, label in empty.heights]) == ("", ["0", "1", "2", "3", "4"])
    (line,) = chart_of(["sent"], days_from(1), {"sent": [2]}, manner_of("en-GB")).lines
    assert line.points.startswith("44.0,")


@pytest.mark.parametrize("days", [7, 30, 90, 365])
def test_a_chart_names_eight_days_at_most_and_the_first_of_them(days: int) -> None:
    chart = chart_of(["sent"], days_from(days), {"sent": [0] * days}, manner_of("en-US"))
    assert len(chart.labels) <= 8
    assert chart.labels[0] == (chart.left, "Mar 1")


@pytest.mark.parametrize("most", [0, 1, 4, 11, 20, 39, 41, 99, 101, 12_345, 1_000_001])
def test_nothing_leaves_a_chart_and_its_least_is_its_foot(most: int) -> None:
    chart = chart_of(["sent"], days_from(2), {"sent": [0, most]}, manner_of("en-GB"))
    ys = [float(point.split(",")[1]) for point in chart.lines[0].points.split()]
    top, foot = chart.heights[-1][0], chart.heights[0][0]
    assert ys[0] == foot
    assert top <= ys[1] <= foot


def test_a_year_is_shown_in_weeks_of_which_the_last_ends_today(works: Works, seller: Browser) -> None:
    works.enroll(works.sequence("Spring", letter(0, Unit.HOURS)), works.lead("Lena"))
    works.work()
    page = words(see(seller, "/reports?days=365"), "overtime")
    assert "Week from Wed, 25 Feb 2026 1 0 0 0 0" in page, "until Tuesday, 3 March"
