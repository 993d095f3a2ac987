"""What is blocked for a reason, resumed or ended: each in its row, or all of it at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from drumbeat.domain.account import User
from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import FinishedReason, State
from drumbeat.domain.happening import CannotSend
from drumbeat.operations.blocked import MOST_AT_ONCE
from drumbeat.store.statement import Statement
from drumbeat.testing.cast import Cast
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


def blocked(works: Works, happen: Happen, *names: str, event: CannotSend = UNDELIVERED) -> list[int]:
    """Leads of these names whose first letter is blocked; their enrollments."""
    ids = [works.enroll(works.cast.us.letters, works.lead(name)).id for name in names]
    for id in ids:
        happen(id, event)
    return ids


def test_what_is_blocked_for_a_reason_goes_on_or_ends_all_at_once_and_nothing_else_does(
    works: Works, seller: Browser, happen: Happen
) -> None:
    ids = blocked(works, happen, "Ada", "Bob")
    (other,) = blocked(works, happen, "Cem", event=CannotSend(FailureReason.AUTH, "535 no"))
    page = see(seller, "/enrollments?reason=recipient_invalid")
    assert "Each tries again; what still cannot go is blocked again." in words(page)
    assert "They end for good: no further letter, no further task. At most 500 at once." in words(page)
    gone = led(seller, post(seller, "/enrollments/blocked", reason="recipient_invalid", state="active"))
    assert said(gone) == "2 enrollments let go on."
    assert [works.enrollment(id).state for id in ids] == [State.ACTIVE, State.ACTIVE]
    assert works.enrollment(other).state is State.BLOCKED
    for id in ids:
        happen(id, UNDELIVERED)
    ended = led(seller, post(seller, "/enrollments/blocked", reason="recipient_invalid", state="finished"))
    assert said(ended) == "2 enrollments ended."
    assert "Nothing is blocked for this reason." in words(ended)
    assert "Stop all" not in words(ended)
    assert {works.enrollment(id).finished_reason for id in ids} == {FinishedReason.MANUAL}
    wrong = led(seller, post(seller, "/enrollments/blocked", reason="bad_luck", state="active"))
    assert said(wrong) == "Choose one of those offered."
    assert works.enrollment(other).state is State.BLOCKED


def test_another_account_s_blocked_enrollments_are_left_alone(
    works: Works, seller: Browser, happen: Happen, sign_in: Callable[[User], Browser], cast: Cast
) -> None:
    (ours,) = blocked(works, happen, "Ada")
    rival = sign_in(cast.rival.owner)
    for state, told in (("active", "0 enrollments let go on."), ("finished", "0 enrollments ended.")):
        assert said(led(rival, post(rival, "/enrollments/blocked", reason="recipient_invalid", state=state))) == told
        assert works.enrollment(ours).state is State.BLOCKED
    assert "Ada" not in see(rival, "/enrollments?reason=recipient_invalid").text
    assert "Ada" in see(seller, "/enrollments?reason=recipient_invalid").text


def test_letters_in_doubt_are_decided_on_one_by_one_and_not_resumed_with_the_rest(
    works: Works, seller: Browser, cast: Cast
) -> None:
    enrolled = works.enroll(cast.us.letters, works.lead())
    works.sink.script = {At.DOT: CUT}
    works.work()
    works.later(minutes=11)
    page = see(seller, "/enrollments?reason=unknown")
    assert ("Decide" in words(page), f'action="/enrollments/{enrolled.id}/resume"' in page.text) == (True, False)
    none = led(seller, post(seller, "/enrollments/blocked", reason="unknown", state="active"))
    assert said(none) == "0 enrollments let go on."
    assert works.enrollment(enrolled.id).in_doubt
    ended = led(seller, post(seller, "/enrollments/blocked", reason="unknown", state="finished"))
    assert said(ended) == "1 enrollment ended."


def test_so_many_are_done_in_one_go_and_it_is_told_that_there_are_more(
    works: Works, seller: Browser, cast: Cast
) -> None:
    works.enroll_many(cast.us.letters, [f"P{number}" for number in range(MOST_AT_ONCE + 1)])
    block = Statement(
        "UPDATE enrollments SET state = 'blocked', failure_reason = 'auth' WHERE account_id = :account_id"
    )
    works.transact(lambda tx: tx.run(block, account_id=works.account_id))
    ask = {"reason": "auth", "state": "finished"}
    some = said(led(seller, post(seller, "/enrollments/blocked", **ask)))
    assert some == "500 enrollments ended. More are blocked for this: do it again for the next."
    assert said(led(seller, post(seller, "/enrollments/blocked", **ask))) == "1 enrollment ended."


def test_agents_who_see_their_own_alone_resume_and_end_their_own_alone(
    works: Works, seller: Browser, cast: Cast, happen: Happen
) -> None:
    cara = works.colleague()
    (mine,) = blocked(works, happen, "Ada")
    hers = works.enroll(cast.us.letters, works.lead("Carl", cara), cara).id
    happen(hers, UNDELIVERED)
    works.let_agents_see_their_own()
    ask = {"reason": "recipient_invalid", "state": "finished"}
    assert said(led(seller, post(seller, "/enrollments/blocked", **ask))) == "1 enrollment ended."
    assert [works.enrollment(id).state for id in (mine, hers)] == [State.FINISHED, State.BLOCKED]


def test_a_row_of_what_is_blocked_is_resumed_or_stopped_and_leads_to_the_person(
    works: Works, seller: Browser, happen: Happen
) -> None:
    first, second = blocked(works, happen, "Ada", "Bob")
    back = "/enrollments?reason=recipient_invalid"
    page = see(seller, back)
    person_id = works.enrollment(first).subject.resource_id
    assert f'href="/people/lead/{person_id}/edit"' in page.text
    assert f'name="back" value="{back}"' in page.text
    after = led(seller, post(seller, f"/enrollments/{first}/resume", back=back))
    assert said(after) == "It goes on."
    assert ("Bob Lead" in words(after), "Ada Lead" in words(after)) == (True, False)
    led(seller, post(seller, f"/enrollments/{second}/stop", back=back))
    assert works.enrollment(second).state is State.FINISHED
