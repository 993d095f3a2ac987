"""The enrollment as Sell shows it, key for key, made from an operation's view."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from drumbeat.domain.enrollment import ActionStatus
from drumbeat.domain.sequence import Sequence, Step
from drumbeat.domain.timeline import Stage
from drumbeat.http.sell_v2.envelope import Meta, Nested, Record, nested, whole_seconds, with_milliseconds
from drumbeat.operations.views import EnrollmentView, failure_reason_of


class EmailProperties(msgspec.Struct, frozen=True):
    """What an e-mail step sends."""

    email_template_id: int | None
    is_reply: bool


class TaskProperties(msgspec.Struct, frozen=True):
    """What a task step asks for."""

    task_content: str | None


class EmailAction(msgspec.Struct, frozen=True):
    """What an e-mail step did."""

    status: ActionStatus
    executed_at: str | None
    estimated_execute_at: str | None
    failure_reason: str | None


class TaskAction(msgspec.Struct, frozen=True):
    """What a task step did; task_id is there once the task exists."""

    status: ActionStatus
    executed_at: str | None
    estimated_execute_at: str | None
    failure_reason: str | None
    task_content: str | None
    task_id: int | UnsetType = UNSET


def _either(*names: str) -> msgspec.Meta:
    # A union of structs that carry no tag can be written and described, but not be declared.
    refs = [{"$ref": f"#/components/schemas/{name}"} for name in names]
    return msgspec.Meta(extra_json_schema={"anyOf": refs})


AnyProperties = Annotated[Any, _either("EmailProperties", "TaskProperties")]
_Action = Annotated[Any, _either("Record_EmailAction_", "Record_TaskAction_")]
PROPERTIES = (EmailProperties, TaskProperties)
ALTERNATIVES = (*PROPERTIES, Record[EmailAction], Record[TaskAction])


class EnrollmentStep(msgspec.Struct, frozen=True):
    """One step of an enrollment."""

    position: int
    delay_from_previous_step: int
    delay_from_previous_step_unit: str
    overdue: bool
    action_type: str
    action_properties: AnyProperties
    action: _Action


class UnsubscribeSettings(msgspec.Struct, frozen=True):
    """Whether letters carry a visible way out, and in which language."""

    enabled: bool
    locale: str


class SequenceData(msgspec.Struct, frozen=True):
    """The sequence somebody is enrolled in."""

    id: int
    name: str
    steps_total: int
    creator_id: int
    updated_at: str
    created_at: str
    unsubscribe_settings: UnsubscribeSettings


class EnrollmentData(msgspec.Struct, frozen=True):
    """One person's run through a sequence."""

    id: int
    actor_id: int
    resource_type: str
    resource_id: int
    created_at: str
    updated_at: str
    sequence: Record[SequenceData]
    state: str
    current_step_position: int
    enrollment_steps: Nested[Record[EnrollmentStep]]
    finished_at: str | None
    finished_reason: str | None
    finished_actor_id: int | None


class FinishData(msgspec.Struct, frozen=True):
    """What finishing everything that runs for a person did."""

    enrollment_action: str
    updated_enrollments: Nested[Record[EnrollmentData]]


_ENROLLMENT = Meta("sequence_enrollment")
_SEQUENCE = Meta("sequence")
_STEP = Meta("enrollment_step")
_ACTION = Meta("action")
_FINISH = Meta("sequence_enrollment_action")


def enrollment_record(view: EnrollmentView) -> Record[EnrollmentData]:
    """The enrollment in its envelope."""
    enrollment, subject = view.enrollment, view.enrollment.subject
    finished_at = enrollment.finished_at
    shown = EnrollmentData(
        id=enrollment.id,
        actor_id=subject.actor_id,
        resource_type=subject.resource_type.value,
        resource_id=subject.resource_id,
        created_at=whole_seconds(enrollment.created_at),
        updated_at=whole_seconds(enrollment.updated_at),
        sequence=_sequence(view.sequence, len(enrollment.plan.steps)),
        state=enrollment.state.value,
        current_step_position=enrollment.position,
        enrollment_steps=nested([_step(stage, view.task_contents.get(stage.position)) for stage in view.stages]),
        finished_at=None if finished_at is None else whole_seconds(finished_at),
        finished_reason=enrollment.finished_reason and enrollment.finished_reason.value,
        finished_actor_id=enrollment.finished_actor_id,
    )
    return Record(shown, _ENROLLMENT)


def _sequence(shown: Sequence, steps_total: int) -> Record[SequenceData]:
    assert shown.created_at is not None
    assert shown.updated_at is not None
    data = SequenceData(
        id=shown.id,
        name=shown.name,
        steps_total=steps_total,
        creator_id=shown.creator_id,
        updated_at=whole_seconds(shown.updated_at),
        created_at=whole_seconds(shown.created_at),
        unsubscribe_settings=UnsubscribeSettings(shown.unsubscribing.enabled, shown.unsubscribing.locale),
    )
    return Record(data, _SEQUENCE)


def _step(stage: Stage, task_content: str | None) -> Record[EnrollmentStep]:
    step = stage.step
    executed = None if stage.executed_at is None else whole_seconds(stage.executed_at)
    estimated = None if stage.estimated_at is None else with_milliseconds(stage.estimated_at)
    reason = failure_reason_of(stage)
    action: Record[EmailAction] | Record[TaskAction]
    if step.is_letter:
        action = Record(EmailAction(stage.status, executed, estimated, reason), _ACTION)
    else:
        task_id = UNSET if stage.task_id is None else stage.task_id
        done = TaskAction(stage.status, executed, estimated, reason, task_content or step.task_content, task_id)
        action = Record(done, _ACTION)
    data = EnrollmentStep(
        position=stage.position,
        delay_from_previous_step=step.delay.amount,
        delay_from_previous_step_unit=step.delay.unit.value,
        overdue=stage.overdue,
        action_type=step.action_type.value,
        action_properties=properties_of(step),
        action=action,
    )
    return Record(data, _STEP)


def properties_of(step: Step) -> EmailProperties | TaskProperties:
    """What a step sends or asks for."""
    if step.is_letter:
        return EmailProperties(step.email_template_id, step.is_reply)
    return TaskProperties(step.task_content)


def finish_record(views: list[EnrollmentView]) -> Record[FinishData]:
    """What finish_ongoing_for_resource answers."""
    records = [enrollment_record(view) for view in views]
    return Record(FinishData("finish_ongoing", nested(records)), _FINISH)
