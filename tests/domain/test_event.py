"""Facts have one spelling, and an event carries its cause."""

from __future__ import annotations

import re

import pytest
from msgspec import structs

from drumbeat.domain.event import Event, Fact
from drumbeat.domain.happening import StepDue
from drumbeat.domain.machine import decide
from tests.domain.runs import EVENTS, HOUR, NOON, SITUATIONS, enrolled, letter, plan


@pytest.mark.parametrize("fact", Fact)
def test_a_fact_is_spelled_as_it_is_named(fact: Fact) -> None:
    assert fact == fact.name.lower()
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", fact)


def test_an_event_without_a_cause_has_an_empty_one_of_its_own() -> None:
    assert Event(Fact.ENROLLED).cause == {}
    assert Event(Fact.ENROLLED).cause is not Event(Fact.ENROLLED).cause


def test_every_fact_the_machine_journals_names_its_step_or_the_reason_of_the_end() -> None:
    told = [
        fact
        for enrollment in SITUATIONS.values()
        for event in EVENTS.values()
        for fact in decide(enrollment, event, NOON + HOUR).facts
    ]
    assert told
    for fact in told:
        assert ("reason" if fact.fact is Fact.FINISHED else "position") in fact.cause


def test_the_machine_can_tell_every_fact_of_an_enrollment_but_its_change_of_address() -> None:
    told = {fact.fact for e in SITUATIONS.values() for each in EVENTS.values() for fact in decide(e, each, NOON).facts}
    moved = structs.replace(enrolled(plan(letter())), plan=plan(letter(), windows=["Fri 09:00-10:00"]))
    told |= {fact.fact for each in EVENTS.values() for fact in decide(moved, each, NOON + HOUR).facts}
    assert told | {Fact.ENROLLED, Fact.ADDRESS_CHANGED} == set(Fact)
    assert decide(moved, StepDue(), NOON).facts == ()
