"""Draws docs/states.md from the state machine itself: it lets every event happen wherever a run can get to.

With --check it writes nothing, and ends with 1 if the committed file is not what it draws.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, get_args

from msgspec import structs

from drumbeat.domain.calendar import Delay, Rhythm, Unit
from drumbeat.domain.delivery import TRANSITIONS, DeliveryStatus, FailureReason
from drumbeat.domain.enrollment import ActionStatus, Enrollment, FinishedReason, Plan, State, Subject
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
    Deferred,
    Doubted,
    DoubtExpired,
    EnrollmentEvent,
    FinishRequested,
    Frozen,
    OpenTask,
    PointOfNoReturnPassed,
    Postponed,
    Resumed,
    RhythmChanged,
    SentAgain,
    StepDue,
    TaskCompleted,
    TaskDeleted,
    Thawed,
)
from drumbeat.domain.machine import decide, start
from drumbeat.domain.person import PersonKind
from drumbeat.domain.sequence import ActionType, Step

PAGE = Path(__file__).parents[1] / "docs" / "states.md"

NOON = datetime(2026, 3, 3, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
AT_ONCE = Delay(0, Unit.HOURS)
LETTER = Step(ActionType.AUTOMATED_EMAIL, AT_ONCE)
TASK = Step(ActionType.TASK, AT_ONCE)
TASK_ID, USER_ID = 7, 2
SUBJECT = Subject(USER_ID, PersonKind.CONTACT, 1, None, 1, 1, 1, None, None, "UTC", None)

EVENTS: tuple[EnrollmentEvent, ...] = (
    StepDue(),
    PointOfNoReturnPassed(),
    Accepted(),
    CannotSend(FailureReason.AUTH, ""),
    Deferred(LATER, ""),
    Postponed(LATER, ""),
    Doubted(""),
    DoubtExpired(),
    CountedAsSent(),
    CountedAsNotSent(),
    SentAgain(USER_ID),
    Resumed(USER_ID),
    TaskCompleted(TASK_ID),
    TaskDeleted(TASK_ID),
    FinishRequested(FinishedReason.MANUAL, USER_ID),
    Bounced(0, permanent=True, detail="", message_id=1),
    AddressFailed(""),
    Away(LATER, 1),
    Continued(2, USER_ID),
    AddressChanged("other"),
    Frozen(),
    Thawed(NOON),
    RhythmChanged(),
)


class Change(NamedTuple):
    """What one event made of an enrollment."""

    before: Enrollment
    event: EnrollmentEvent
    after: Enrollment

    @property
    def words(self) -> str:
        """The event's name as people say it."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(self.event).__name__).lower()


def changes() -> list[Change]:
    """Every change there is, found by letting every event happen wherever a new enrollment can get to."""
    unexplored = [_enrolled(*steps) for steps in ((LETTER, TASK), (TASK, LETTER))]
    seen = {_place(each) for each in unexplored}
    found = []
    while unexplored:
        before = unexplored.pop(0)
        for event in EVENTS:
            after = _decided(before, event)
            found.append(Change(before, event, after))
            if _place(after) not in seen:
                seen.add(_place(after))
                unexplored.append(after)
    return found


def _enrolled(*steps: Step) -> Enrollment:
    return start(1, 1, SUBJECT, Plan(steps, Rhythm("UTC")), NOON, {}).enrollment


def _decided(before: Enrollment, event: EnrollmentEvent) -> Enrollment:
    decision = decide(before, event, LATER)
    opened = any(isinstance(effect, OpenTask) for effect in decision.effects)
    return structs.replace(decision.enrollment, task_id=TASK_ID) if opened else decision.enrollment


def _place(enrollment: Enrollment) -> tuple[object, ...]:
    return (
        enrollment.plan,
        enrollment.state,
        enrollment.position,
        enrollment.status,
        enrollment.in_doubt,
        enrollment.finished_reason,
        enrollment.due_at is None,
    )


def draw() -> str:
    """The page."""
    found = changes()
    return "\n".join(
        [
            "# States",
            "",
            "Drawn by `script/draw_states.py`, which lets every event happen wherever an enrollment can get to.",
            "Change the machine and draw again; do not edit this page. The words are in [the glossary](glossary.md).",
            "",
            "## Enrollment",
            "",
            *_diagram(found),
            "",
            "Every other event leaves the state as it is. `finished` has no way out, and its reason never changes:",
            "",
            *_table(("finished because of", "reason"), _reasons(found)),
            "",
            "## Action",
            "",
            "What one step did, or will do. An event that is not listed leaves the action as it is.",
            "",
            "### Of an e-mail step",
            "",
            *_table(("from", "event", "to"), _actions(found, is_letter=True)),
            "",
            "### Of a task step",
            "",
            *_table(("from", "event", "to"), _actions(found, is_letter=False)),
            "",
            "## Delivery",
            "",
            "One letter owed, on its way to the mail server. `transmitting` begins at the point of no return.",
            "",
            *_table(("from", "to"), _deliveries()),
            "",
            "## Events",
            "",
            *_table(("event", "what has happened"), _events()),
            "",
        ]
    )


def _diagram(found: Iterable[Change]) -> Iterator[str]:
    labels: dict[tuple[State, State], list[str]] = {}
    for change in found:
        if change.before.state is not change.after.state:
            told = labels.setdefault((change.before.state, change.after.state), [])
            if change.words not in told:
                told.append(change.words)
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield f"    [*] --> {State.ACTIVE}: enrolled"
    for start_at in State:
        for end_at in State:
            for words in labels.get((start_at, end_at), []):
                yield f"    {start_at} --> {end_at}: {words}"
    yield from (f"    {state} --> [*]" for state in State if not any(leaving is state for leaving, _ in labels))
    yield "```"


def _reasons(found: Iterable[Change]) -> Iterator[tuple[str, str]]:
    told: dict[str, set[str]] = {}
    for change in found:
        reason = change.after.finished_reason
        if reason is None or not change.before.is_ongoing:
            continue
        asked = isinstance(change.event, FinishRequested)
        told.setdefault(change.words, set()).update(_askable(change.before) if asked else {reason})
    for words, reasons in told.items():
        yield words, ", ".join(f"`{reason}`" for reason in FinishedReason if reason in reasons)


def _askable(before: Enrollment) -> Iterator[str]:
    """The reasons a request to finish may name; the other two are told by what happened to the step."""
    by_itself = {FinishedReason.ALL_STEPS_COMPLETED, FinishedReason.TASK_DELETED}
    for reason in FinishedReason:
        if reason not in by_itself:
            finished = _decided(before, FinishRequested(reason)).finished_reason
            assert finished is reason
            yield reason


def _actions(found: Iterable[Change], *, is_letter: bool) -> list[tuple[str, str, str]]:
    rows: dict[tuple[str, str, str], None] = {}
    for change in found:
        before, after = change.before, change.after
        if before.step.is_letter is not is_letter:
            continue
        moved_on = after.position > before.position
        became = str(ActionStatus.COMPLETED) if moved_on else _status(after)
        was = _status(before)
        if was != became:
            ended = "" if before.is_ongoing else ", enrollment finished"
            rows[(f"`{_first(was)}`{_rest(was)}{ended}", change.words, f"`{_first(became)}`{_rest(became)}")] = None
    order = {f"`{status}`": place for place, status in enumerate(ActionStatus)}
    return sorted(rows, key=lambda row: (order[re.findall(r"`\w+`", row[0])[0]], row[0]))


def _status(enrollment: Enrollment) -> str:
    return f"{enrollment.status}, in doubt" if enrollment.in_doubt else str(enrollment.status)


def _first(status: str) -> str:
    return status.split(",")[0]


def _rest(status: str) -> str:
    return status.removeprefix(_first(status))


def _deliveries() -> Iterator[tuple[str, str]]:
    for status, following in TRANSITIONS.items():
        named = ", ".join(f"`{each}`" for each in DeliveryStatus if each in following)
        yield f"`{status}`", named or "(the end)"


def _events() -> Iterator[tuple[str, str]]:
    for event in EVENTS:
        meaning = (type(event).__doc__ or "").strip()
        yield Change(_enrolled(LETTER), event, _enrolled(LETTER)).words, meaning


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def main(arguments: list[str], page: Path = PAGE) -> int:
    """Draws the page, or with --check tells whether it is drawn already."""
    assert {type(event) for event in EVENTS} == set(get_args(EnrollmentEvent)), "an event is missing"
    drawn = draw()
    if "--check" not in arguments:
        page.write_text(drawn, "utf-8")
    elif page.read_text("utf-8") != drawn:
        print("docs/states.md is not what the machine draws; run script/draw_states.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
