"""The builder's form: a row of fields for each step, and the buttons that add, move and take away steps."""

from __future__ import annotations

from collections.abc import Iterator

from drumbeat.domain.calendar import LONGEST_DELAY, Unit
from drumbeat.domain.errors import IncorrectValue
from drumbeat.domain.sequence import ActionType
from drumbeat.http.web.forms import Form, read_number
from drumbeat.operations.drafting import MOST_STEPS, DraftStep

_COLUMNS = ("action", "amount", "unit", "template_id", "thread", "task")


def form_of(steps: list[DraftStep], **more: str) -> Form:
    """The form that is filled with steps, and with what else stands in it."""
    return Form.of(
        action=[step.action_type.value for step in steps],
        amount=[step.amount for step in steps],
        unit=[step.unit.value for step in steps],
        template_id=[step.template_id or "" for step in steps],
        thread=["yes" if step.is_reply else "no" for step in steps],
        task=[step.task for step in steps],
        **more,
    )


def rows_of(form: Form) -> Iterator[tuple[str, ...]]:
    """The texts of each step, as they were typed."""
    return zip(*(form.values.get(name, ()) for name in _COLUMNS), strict=False)


def read_steps(form: Form) -> list[DraftStep]:
    """The steps that were typed; IncorrectValue with the step's number."""
    columns = [form.all(name) for name in _COLUMNS]
    if len({len(column) for column in columns}) > 1:
        raise IncorrectValue("The form is broken; load the page again.", field="steps")
    if len(columns[0]) > MOST_STEPS:  # with more a plan leaves what calendars know
        raise IncorrectValue(f"A sequence has at most {MOST_STEPS} steps.", field="steps")
    return [_step(number, *cells) for number, cells in enumerate(zip(*columns, strict=True))]


def _step(number: int, action: str, amount: str, unit: str, template: str, thread: str, task: str) -> DraftStep:
    place = f"step_{number}"
    if action not in list(ActionType) or unit not in list(Unit):
        raise IncorrectValue("Choose one of those offered.", field=place)
    if not (amount.isascii() and amount.isdigit() and int(amount[:6]) <= LONGEST_DELAY and len(amount) < 6):
        raise IncorrectValue(f"Step {number + 1}: a delay is a whole number from 0 to {LONGEST_DELAY:,}.", field=place)
    return DraftStep(
        ActionType(action),
        int(amount),
        Unit(unit),
        read_number(template) or None,
        thread == "yes",
        task[:65_535],
    )


def press(form: Form, steps: list[DraftStep]) -> tuple[list[DraftStep], int | None]:
    """The steps after the button that was pressed, and the place of the step to look at then; None: no such button."""
    added = form.text("add")
    if added in list(ActionType):
        delay = (2, Unit.WEEKDAYS) if steps else (0, Unit.HOURS)
        return [*steps, DraftStep(ActionType(added), *delay)], len(steps)
    for button, way in (("remove", 0), ("up", -1), ("down", 1)):
        text = form.text(button)
        if text.isascii() and text.isdigit() and len(text) < 4 and int(text) < len(steps):
            rest = [*steps[: int(text)], *steps[int(text) + 1 :]]
            place = min(max(int(text) + way, 0), max(len(steps) - 1, 0))
            if way:
                rest.insert(place, steps[int(text)])
            return rest, min(place, max(len(rest) - 1, 0))
    return steps, None
