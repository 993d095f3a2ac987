"""/api/enrollments: who runs what, what ran, what is planned, what holds it and why; and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Response, post, put
from litestar.params import FromPath, RawBody

from drumbeat.domain.account import LARGEST_ID, Role
from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.enrollment import ActionStatus, FinishedReason, State
from drumbeat.domain.errors import IncorrectValue
from drumbeat.domain.person import PersonKind
from drumbeat.domain.sequence import ActionType
from drumbeat.domain.timeline import Stage
from drumbeat.domain.variant import Variant
from drumbeat.http.app_api.admission import Member, admit_member, admit_writing
from drumbeat.http.app_api.paging import AFTER, PER_PAGE, read_place, reply_page
from drumbeat.http.app_api.shapes import One, PageOf, fields_named, reply, stamp
from drumbeat.http.decoding import BodyReader, Id
from drumbeat.http.openapi import Parameter, choice, described, number
from drumbeat.http.parts import AnyRequest, parts_of, readable
from drumbeat.http.reading import read_id, read_parameters, whole_number, word
from drumbeat.operations import enrollments as operations
from drumbeat.operations.enrollments import EnrollRequest
from drumbeat.operations.mistaken_replies import undo_reply
from drumbeat.operations.views import EnrollmentView, failure_reason_of, view
from drumbeat.store import enrollment_pages, enrollments
from drumbeat.store.transaction import Snapshot, Tx


class Enrolling(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """Whom to enroll in what; letters and tasks are actorId's, else of whoever is signed in."""

    sequence_id: Id
    person_kind: PersonKind
    person_id: Id
    actor_id: Id | None = None


class WantedState(msgspec.Struct, forbid_unknown_fields=True):
    """finished ends it; active resumes a blocked one, and counts a letter in doubt as sent."""

    state: State


class ShownStage(msgspec.Struct, rename="camel", frozen=True):
    """A step: what ran, what is planned and when, and why it is blocked."""

    position: int
    action_type: ActionType
    status: ActionStatus
    executed_at: str | None
    estimated_at: str | None
    overdue: bool
    failure_reason: FailureReason | None
    task_id: int | None


class AppEnrollment(msgspec.Struct, rename="camel", frozen=True):
    """An enrollment with its timeline as of now."""

    id: int
    sequence_id: int
    sequence_name: str
    version: int
    variant: Variant | None
    person_kind: PersonKind
    person_id: int
    actor_id: int
    state: State
    position: int
    failure_reason: FailureReason | None
    finished_at: str | None
    finished_reason: FinishedReason | None
    finished_actor_id: int | None
    continues_id: int | None
    continued_by_id: int | None
    created_at: str | None
    updated_at: str | None
    steps: list[ShownStage]


_PARAMETERS = (
    Parameter(
        "personKind", "Only enrollments of leads or of contacts: lead or contact; with personId.", choice(PersonKind)
    ),
    Parameter("personId", "Only those of this person; with personKind.", number()),
    Parameter("actorId", "Only those whose letters and tasks are this user's.", number()),
    Parameter("sequenceId", "Only those that run this sequence now: finished ones are left out.", number()),
    Parameter(
        "failureReason",
        f"Only those that are blocked for this reason: {', '.join(FailureReason)}.",
        choice(FailureReason),
    ),
    PER_PAGE,
    AFTER,
)
_ENROLLMENT: dict[str, Any] = {
    "id": 9,
    "sequenceId": 1,
    "sequenceName": "After a webinar",
    "version": 2,
    "variant": None,
    "personKind": "contact",
    "personId": 7,
    "actorId": 2,
    "state": "active",
    "position": 1,
    "failureReason": None,
    "finishedAt": None,
    "finishedReason": None,
    "finishedActorId": None,
    "continuesId": None,
    "continuedById": None,
    "createdAt": "2026-03-03T10:00:00Z",
    "updatedAt": "2026-03-03T10:00:02Z",
    "steps": [
        {
            "position": 0,
            "actionType": "automated_email",
            "status": "completed",
            "executedAt": "2026-03-03T10:00:02Z",
            "estimatedAt": None,
            "overdue": False,
            "failureReason": None,
            "taskId": None,
        },
    ],
}
ENROLLMENT_EXAMPLE = {"data": _ENROLLMENT}
_NAMES = {"resource_id": "personId", "resource_type": "personKind"}
_read_new = BodyReader(Enrolling)
_read_state = BodyReader(WantedState)


@readable(
    "/enrollments",
    opt=described(
        "List enrollments",
        role=Role.AGENT,
        parameters=_PARAMETERS,
        answer=PageOf[AppEnrollment],
        answer_example={"data": [_ENROLLMENT], "meta": {"perPage": 25, "after": None}},
    ),
)
def list_app_enrollments(request: AnyRequest) -> Response[bytes]:
    """A page of enrollments by id, with their timelines; as quick at any depth."""
    with parts_of(request).world.database.read() as snapshot:
        member = admit_member(snapshot, request)
        sent = read_parameters(request, [parameter.name for parameter in _PARAMETERS])
        place = read_place(sent)
        found = enrollment_pages.list_page(
            snapshot, member.account_id, **_sought(sent, member), after=place.after, limit=place.limit
        )
        shown = [shown_enrollment(each) for each in view(snapshot, member.account_id, found)]
    return reply_page(shown, place)


def _sought(sent: Mapping[str, str], member: Member) -> dict[str, Any]:
    kind, person = word(sent, "personKind", PersonKind), _number(sent, "personId")
    actor = _number(sent, "actorId")
    if (kind is None) is not (person is None):
        raise IncorrectValue("Name both personKind and personId, or neither.", field="person_id")
    if member.seen_by is not None:
        actor = member.seen_by if actor in (None, member.seen_by) else 0
    return {
        "resource_type": kind,
        "resource_ids": None if person is None else [person],
        "actor_id": actor,
        "runs_sequence_id": _number(sent, "sequenceId"),
        "failure_reason": word(sent, "failureReason", FailureReason),
    }


def _number(sent: Mapping[str, str], name: str) -> int | None:
    return whole_number(sent, name, 0, 1, LARGEST_ID) or None


@post(
    "/enrollments",
    sync_to_thread=True,
    opt=described(
        "Enroll a person",
        role=Role.AGENT,
        body=Enrolling,
        example={"sequenceId": 1, "personKind": "contact", "personId": 7},
        answer=One[AppEnrollment],
        answer_example=ENROLLMENT_EXAMPLE,
        status=201,
        refusals=(409,),
    ),
)
def enroll_person(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """Enroll one person in an active sequence; who ran it before may run it again."""
    world = parts_of(request).world
    member = admit_writing(request)
    read_parameters(request)
    sent = _read_new(request, body)
    wanted = EnrollRequest(sent.sequence_id, sent.person_kind, sent.person_id, sent.actor_id)

    def work(tx: Tx) -> AppEnrollment:
        account_id, by = member.account_id, member.user_id
        made = operations.enroll(
            tx, world.hash_key, account_id, by, wanted, reenroll_after=None, seen_by=member.seen_by
        )
        return shown_enrollment(view(tx, account_id, [made])[0])

    with fields_named(**_NAMES):
        return reply(world.database.transact(work), 201)


@put(
    "/enrollments/{id:str}",
    sync_to_thread=True,
    opt=described(
        "Finish or resume an enrollment",
        role=Role.AGENT,
        body=WantedState,
        example={"state": "finished"},
        answer=One[AppEnrollment],
        answer_example=ENROLLMENT_EXAMPLE,
        refusals=(404,),
    ),
)
def update_app_enrollment(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """After the answer no letter leaves, but one that it shows in_progress."""
    member = admit_writing(request)
    read_parameters(request)
    sent = _read_state(request, body)

    def work(tx: Tx) -> AppEnrollment:
        number = seen_id(tx, member, id)
        if sent.state is State.BLOCKED:
            raise IncorrectValue("Set active or finished; only the engine blocks.", field="state")
        changed = operations.set_state(tx, member.account_id, number, sent.state, member.user_id)
        return shown_enrollment(view(tx, member.account_id, [changed])[0])

    return reply(parts_of(request).world.database.transact(work))


@post(
    "/enrollments/{id:str}/not-a-reply",
    sync_to_thread=True,
    opt=described(
        "Undo a reply that was none",
        role=Role.AGENT,
        answer=One[AppEnrollment],
        answer_example=ENROLLMENT_EXAMPLE,
        status=201,
        refusals=(404, 409),
    ),
)
def go_on_after_reply(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """A new enrollment goes on where the reply ended this one: the same steps done, the delay left, the same thread."""
    member = admit_writing(request)
    read_parameters(request)

    def work(tx: Tx) -> AppEnrollment:
        number = read_id(id, "enrollment")
        made = undo_reply(tx, member.account_id, number, member.user_id, seen_by=member.seen_by)
        return shown_enrollment(view(tx, member.account_id, [made])[0])

    return reply(parts_of(request).world.database.transact(work), 201)


def seen_id(snapshot: Snapshot, member: Member, id: str) -> int:
    """The id of an enrollment that is seen, or NotFound."""
    return enrollments.get(snapshot, member.account_id, read_id(id, "enrollment"), seen_by=member.seen_by).id


def shown_enrollment(found: EnrollmentView) -> AppEnrollment:
    """An enrollment as answers show it."""
    enrollment, subject = found.enrollment, found.enrollment.subject
    return AppEnrollment(
        id=enrollment.id,
        sequence_id=found.sequence.id,
        sequence_name=found.sequence.name,
        version=subject.version,
        variant=subject.variant,
        person_kind=subject.resource_type,
        person_id=subject.resource_id,
        actor_id=subject.actor_id,
        state=enrollment.state,
        position=enrollment.position,
        failure_reason=enrollment.failure_reason,
        finished_at=stamp(enrollment.finished_at),
        finished_reason=enrollment.finished_reason,
        finished_actor_id=enrollment.finished_actor_id,
        continues_id=enrollment.continues_id,
        continued_by_id=enrollment.continued_by_id,
        created_at=stamp(enrollment.created_at),
        updated_at=stamp(enrollment.updated_at),
        steps=[_stage(stage) for stage in found.stages],
    )


def _stage(stage: Stage) -> ShownStage:
    return ShownStage(
        position=stage.position,
        action_type=stage.step.action_type,
        status=stage.status,
        executed_at=stamp(stage.executed_at),
        estimated_at=stamp(stage.estimated_at),
        overdue=stage.overdue,
        failure_reason=failure_reason_of(stage),
        task_id=stage.task_id,
    )


handlers = [
    list_app_enrollments,
    enroll_person,
    update_app_enrollment,
    go_on_after_reply,
]
