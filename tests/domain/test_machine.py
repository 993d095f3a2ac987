"""What becomes of an enrollment in every situation at every event: the whole table."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from msgspec import structs

from drumbeat.domain.enrollment import Enrollment
from drumbeat.domain.happening import (
    Accepted,
    AddressChanged,
    AddressFailed,
    Away,
    Bounced,
    CannotSend,
    Continued,
    CountedAsNotSent,
    CountedAsSent,
    Decision,
    Deferred,
    Doubted,
    DoubtExpired,
    EnrollmentEvent,
    FinishRequested,
    Frozen,
    PointOfNoReturnPassed,
    Postponed,
    Resumed,
    RhythmChanged,
    SendLetter,
    SentAgain,
    StepDue,
    TaskCompleted,
    TaskDeleted,
    Thawed,
)
from drumbeat.domain.machine import decide
from tests.domain.runs import (
    EVENTS,
    HOUR,
    LETTER_FIRST,
    NOON,
    SITUATIONS,
    carried_out,
    enrolled,
    plan,
    task,
)

# What happens changes this; every other event leaves the enrollment as it is, to the last field.
# `state status` is of the current step, `next` says that the run goes on to the step after it.
BECOMES: dict[str, dict[type[EnrollmentEvent], str]] = {
    "letter waiting": {
        # the instant's coming asks for the letter, and changes nothing until the letter is out
        PointOfNoReturnPassed: "active in_progress",
        CannotSend: "blocked blocked",
        Deferred: "active scheduled",
        Postponed: "active scheduled",
        FinishRequested: "finished cancelled",
        AddressChanged: "active scheduled",
        Frozen: "active scheduled",
        Thawed: "active scheduled",
        RhythmChanged: "active scheduled",
        Bounced: "active scheduled",
        AddressFailed: "blocked blocked",
        Away: "active scheduled",
    },
    "letter out": {
        Accepted: "next active scheduled",
        CannotSend: "blocked blocked",
        Deferred: "active scheduled",
        Doubted: "active in_progress in doubt",
        FinishRequested: "finished in_progress",
        AddressChanged: "active in_progress",
        Bounced: "active in_progress",
        Away: "active in_progress",
    },
    "letter in doubt": {
        Accepted: "next active scheduled",
        CannotSend: "blocked blocked",
        Deferred: "active scheduled",
        DoubtExpired: "blocked blocked in doubt",
        CountedAsSent: "next active scheduled",
        SentAgain: "active scheduled",
        FinishRequested: "finished in_progress in doubt",
        AddressChanged: "active in_progress in doubt",
        Bounced: "active in_progress in doubt",
        Away: "active in_progress in doubt",
    },
    "letter blocked": {
        Resumed: "active scheduled",
        FinishRequested: "finished cancelled",
        AddressChanged: "blocked blocked",
        Bounced: "blocked blocked",
        Away: "blocked blocked",
    },
    "doubt blocked": {
        Accepted: "next active scheduled",
        CannotSend: "blocked blocked",
        Deferred: "active scheduled",
        CountedAsSent: "next active scheduled",
        SentAgain: "active scheduled",
        Resumed: "next active scheduled",
        FinishRequested: "finished in_progress in doubt",
        AddressChanged: "blocked blocked in doubt",
        Bounced: "blocked blocked in doubt",
        Away: "blocked blocked in doubt",
    },
    "task waiting": {
        StepDue: "active in_progress",
        Postponed: "active scheduled",
        FinishRequested: "finished cancelled",
        AddressChanged: "active scheduled",
        Frozen: "active scheduled",
        Thawed: "active scheduled",
        RhythmChanged: "active scheduled",
        Bounced: "active scheduled",
        Away: "active scheduled",
    },
    "task open": {
        TaskCompleted: "next active scheduled",
        TaskDeleted: "finished cancelled",
        FinishRequested: "finished cancelled",
        AddressChanged: "active in_progress",
        Bounced: "active in_progress",
        Away: "active in_progress",
    },
    "finished": {
        Continued: "finished cancelled",
        Bounced: "finished cancelled",
    },
    "finished, letter out": {
        Accepted: "next finished cancelled",
        CannotSend: "finished cancelled",
        Deferred: "finished cancelled",
        Doubted: "finished in_progress in doubt",
        Bounced: "finished in_progress",
    },
    "finished, in doubt": {
        Accepted: "next finished cancelled",
        CannotSend: "finished cancelled",
        Deferred: "finished cancelled",
        CountedAsSent: "next finished cancelled",
        CountedAsNotSent: "finished cancelled",
        Bounced: "finished in_progress in doubt",
    },
    "finished, completed": {
        Continued: "finished completed",
        Bounced: "finished completed",
    },
}


def stands(enrollment: Enrollment, position: int = 0) -> str:
    """An enrollment's place in the table's words."""
    following = "next " if enrollment.position > position else ""
    doubt = " in doubt" if enrollment.in_doubt else ""
    return f"{following}{enrollment.state} {enrollment.status}{doubt}"


# Another day's windows, so that a change of them is one.
OTHER_WINDOWS = plan(windows=["Wed 09:00-17:00"]).rhythm


def happens(situation: str, kind: type[EnrollmentEvent]) -> tuple[Enrollment, Decision]:
    enrollment = SITUATIONS[situation]
    if kind is RhythmChanged:
        enrollment = structs.replace(enrollment, plan=replace(enrollment.plan, rhythm=OTHER_WINDOWS))
    if kind is Thawed:
        enrollment = structs.replace(enrollment, due_at=None)
    return enrollment, decide(enrollment, EVENTS[kind], NOON + 2 * HOUR)


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_what_becomes_of_every_situation_at_every_event(situation: str, kind: type[EnrollmentEvent]) -> None:
    before, decision = happens(situation, kind)
    if kind in BECOMES[situation]:
        expected = BECOMES[situation][kind]
        if situation == "task waiting" and kind is RhythmChanged:
            assert decision.enrollment is before, "tasks ignore windows"
        else:
            assert decision.enrollment.revision == before.revision + 1
        assert stands(decision.enrollment) == expected
    else:
        assert decision.enrollment is before
        assert decision.facts == ()
        asked = (SendLetter(),) if (situation, kind) == ("letter waiting", StepDue) else ()
        assert decision.effects == asked


def test_the_table_knows_every_event_and_every_situation() -> None:
    assert set(EVENTS) == set(get_args(EnrollmentEvent))
    assert set(BECOMES) == set(SITUATIONS)
    assert all(type(event) is kind for kind, event in EVENTS.items())


def test_the_situations_are_all_there_are() -> None:
    """Whatever can be reached from a new enrollment stands in the table."""
    seen = {shape(enrolled(followed)): enrolled(followed) for followed in (LETTER_FIRST, plan(task()))}
    unexplored = list(seen.values())
    while unexplored:
        enrollment = unexplored.pop()
        for event in EVENTS.values():
            reached = carried_out(decide(enrollment, event, NOON + 2 * HOUR))
            if shape(reached) not in seen:
                seen[shape(reached)] = reached
                unexplored.append(reached)
    known = {shape(each)[1:] for each in SITUATIONS.values()} | {
        ("task", "finished cancelled"),
        ("task", "finished completed"),
    }
    assert {each[1:] for each in seen} == known


def shape(enrollment: Enrollment) -> tuple[int, str, str]:
    kind = "letter" if enrollment.step.is_letter else "task"
    return enrollment.position, kind, stands(enrollment, enrollment.position)
