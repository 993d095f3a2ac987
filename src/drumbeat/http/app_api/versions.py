"""/api/sequences/{id}/versions: publishing steps, and the immutable copies that enrollments run."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Response, post
from litestar.params import FromPath, RawBody

from drumbeat.domain.account import Role
from drumbeat.domain.calendar import LONGEST_DELAY, Delay, Unit
from drumbeat.domain.sequence import ActionType, Step, Version
from drumbeat.domain.template import TemplateText
from drumbeat.http.app_api.admission import admit_member, admit_writing
from drumbeat.http.app_api.shapes import One, reply
from drumbeat.http.app_api.templates import ShownContent
from drumbeat.http.decoding import BodyReader, Id, LongText
from drumbeat.http.openapi import described
from drumbeat.http.parts import AnyRequest, parts_of, readable
from drumbeat.http.reading import read_id, read_parameters
from drumbeat.operations.sequences import Published, WantedStep, publish, steps_wanted
from drumbeat.store import sequences
from drumbeat.store.transaction import Tx


class NewStep(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """A letter names a template, and may go on in the thread of the letter before; a task has words."""

    action_type: ActionType
    delay_from_previous_step: Annotated[int, msgspec.Meta(ge=0, le=LONGEST_DELAY)]
    delay_from_previous_step_unit: Unit
    email_template_id: Id | None = None
    is_reply: bool = False
    task_content: LongText | None = None


class Publishing(msgspec.Struct, forbid_unknown_fields=True):
    """All steps, in order."""

    steps: Annotated[list[NewStep], msgspec.Meta(min_length=1, max_length=100)]


class VersionStep(msgspec.Struct, rename="camel", frozen=True):
    """A step with the texts it was published with."""

    position: int
    action_type: ActionType
    delay_from_previous_step: int
    delay_from_previous_step_unit: Unit
    email_template_id: int | None
    is_reply: bool
    subject: str | None
    html: str | None
    text: str | None
    attachments: list[ShownContent]
    task_content: str | None


class ShownVersion(msgspec.Struct, rename="camel", frozen=True):
    """An immutable version: running enrollments keep theirs."""

    sequence_id: int
    number: int
    steps: list[VersionStep]


class PublishedVersion(ShownVersion, rename="camel", frozen=True):
    """The new version, and what its author should look at."""

    warnings: list[str]


_VERSION: dict[str, Any] = {
    "sequenceId": 1,
    "number": 2,
    "steps": [
        {
            "position": 0,
            "actionType": "automated_email",
            "delayFromPreviousStep": 0,
            "delayFromPreviousStepUnit": "hours",
            "emailTemplateId": 1,
            "isReply": False,
            "subject": "Tea, {{ person.first_name }}?",
            "html": None,
            "text": "It is ready.",
            "attachments": [],
            "taskContent": None,
        }
    ],
}
_WARNED = _VERSION | {"warnings": ["step 0 can block: {{ person.first_name }} has no default"]}
_STEP = {
    "actionType": "automated_email",
    "delayFromPreviousStep": 0,
    "delayFromPreviousStepUnit": "hours",
    "emailTemplateId": 1,
}
_read = BodyReader(Publishing, {"steps": "Send 1 to 100 steps."})


@readable(
    "/sequences/{id:str}/versions/{number:str}",
    opt=described(
        "Show a version", role=Role.AGENT, answer=One[ShownVersion], answer_example={"data": _VERSION}, refusals=(404,)
    ),
)
def show_version(request: AnyRequest, id: FromPath[str], number: FromPath[str]) -> Response[bytes]:
    """The steps of one version with their texts."""
    with parts_of(request).world.database.read() as snapshot:
        member = admit_member(snapshot, request)
        read_parameters(request)
        sequence_id = read_id(id, "sequence")
        sequences.get(snapshot, member.account_id, sequence_id)
        version = sequences.get_version(snapshot, member.account_id, sequence_id, read_id(number, "version"))
    return reply(ShownVersion(version.sequence_id, version.number, _steps(version)))


@post(
    "/sequences/{id:str}/versions",
    sync_to_thread=True,
    opt=described(
        "Publish steps",
        role=Role.AGENT,
        body=Publishing,
        example={"steps": [_STEP]},
        answer=One[PublishedVersion],
        answer_example={"data": _WARNED},
        status=201,
        refusals=(404, 409),
    ),
)
def publish_version(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """The next version, with the texts that the templates have now; running enrollments keep theirs."""
    member = admit_writing(request)
    read_parameters(request)
    number, sent = read_id(id, "sequence"), _read(request, body)
    wanted = [
        WantedStep(
            each.action_type,
            Delay(each.delay_from_previous_step, each.delay_from_previous_step_unit),
            each.email_template_id,
            each.is_reply,
            each.task_content,
        )
        for each in sent.steps
    ]

    def work(tx: Tx) -> Published:
        sequence = sequences.lock(tx, member.account_id, number)
        return publish(tx, sequence, steps_wanted(tx, member.account_id, wanted), member.user_id)

    done = parts_of(request).world.database.transact(work)
    shown = PublishedVersion(number, done.version.number, _steps(done.version), list(done.warnings))
    return reply(shown, 201)


def _steps(version: Version) -> list[VersionStep]:
    return [_step(position, step) for position, step in enumerate(version.steps)]


def _step(position: int, step: Step) -> VersionStep:
    subject, html, text = (None, None, None) if step.template is None else _texts(step.template)
    return VersionStep(
        position=position,
        action_type=step.action_type,
        delay_from_previous_step=step.delay.amount,
        delay_from_previous_step_unit=step.delay.unit,
        email_template_id=step.email_template_id,
        is_reply=step.is_reply,
        subject=subject,
        html=html,
        text=text,
        attachments=[ShownContent(a.name, a.content_type, a.sha256, a.size) for a in step.attachments],
        task_content=step.task_content,
    )


def _texts(template: TemplateText) -> tuple[str, str | None, str | None]:
    return template.subject, template.html, template.text


handlers = [show_version, publish_version]
