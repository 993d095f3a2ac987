"""/api/v1/sequences: what can be executed, and how its variants fare; read only."""

from __future__ import annotations

from collections.abc import Sequence as Several

import msgspec
from litestar import Response
from litestar.params import FromPath
from msgspec import UNSET, UnsetType

from drumbeat.domain.access import Scope
from drumbeat.domain.account import LARGEST_ID
from drumbeat.domain.calendar import Unit
from drumbeat.domain.sequence import ActionType, Sequence, SequenceStatus, Step
from drumbeat.domain.variant import Variant
from drumbeat.http.auth import admit_execute
from drumbeat.http.openapi import Parameter, choice, described, number
from drumbeat.http.parts import AnyRequest, json_reply, parts_of, readable
from drumbeat.http.reading import read_id, read_parameters, whole_number, word
from drumbeat.http.sell_v2.envelope import whole_seconds
from drumbeat.operations.statistics import VariantCounts, variant_counts
from drumbeat.store import events, sequences


class AbTest(msgspec.Struct, rename="camel", frozen=True):
    """The sequence that is variant B, and the percentage of people who get it."""

    variant_b_id: int
    share: int


class ListedSequence(msgspec.Struct, rename="camel", frozen=True):
    """A sequence; only an active one with steps can be executed."""

    id: int
    name: str
    status: SequenceStatus
    steps_total: int
    ab_test: AbTest | None
    created_at: str
    updated_at: str


class SequenceStep(msgspec.Struct, rename="camel", frozen=True):
    """A letter's step has emailTemplateId and isReply, a task's has taskContent."""

    position: int
    action_type: ActionType
    delay_from_previous_step: int
    delay_from_previous_step_unit: Unit
    email_template_id: int | UnsetType | None = UNSET
    is_reply: bool | UnsetType = UNSET
    task_content: str | UnsetType | None = UNSET


class Counts(msgspec.Struct, rename="camel", frozen=True):
    """How many people of one variant were enrolled, came to an end, and came to it by a reply."""

    variant: Variant | None
    enrolled: int
    finished: int
    replied: int


class ShownSequence(ListedSequence, rename="camel", frozen=True):
    """A sequence with its steps; countsUpToDate is false while the worker has not counted the latest yet."""

    steps: list[SequenceStep]
    counts: list[Counts]
    counts_up_to_date: bool


class SequenceAnswer(msgspec.Struct, frozen=True):
    """One sequence."""

    data: ShownSequence


class PageOfSequences(msgspec.Struct, rename="camel", frozen=True):
    """Which page this is, and how many sequences there are in all."""

    page: int
    per_page: int
    total: int


class SequencesAnswer(msgspec.Struct, frozen=True):
    """A page of sequences by id."""

    data: list[ListedSequence]
    meta: PageOfSequences


_PARAMETERS = (
    Parameter("page", "Number of the page, from 1; 1 by default.", number()),
    Parameter("perPage", "Sequences in a page, 1 to 100; 25 by default.", number(most=100)),
    Parameter("status", f"Only those of this status: {', '.join(SequenceStatus)}.", choice(SequenceStatus)),
)
_LISTED = {
    "id": 1,
    "name": "After a webinar",
    "status": "active",
    "stepsTotal": 2,
    "abTest": {"variantBId": 2, "share": 30},
    "createdAt": "2026-03-02T09:30:00Z",
    "updatedAt": "2026-03-03T10:00:00Z",
}
_STEPS = [
    {
        "position": 0,
        "actionType": "automated_email",
        "delayFromPreviousStep": 0,
        "delayFromPreviousStepUnit": "hours",
        "emailTemplateId": 1,
        "isReply": False,
    },
    {
        "position": 1,
        "actionType": "task",
        "delayFromPreviousStep": 2,
        "delayFromPreviousStepUnit": "weekdays",
        "taskContent": "Call and ask",
    },
]
_COUNTS = [
    {"variant": "A", "enrolled": 702, "finished": 655, "replied": 81},
    {"variant": "B", "enrolled": 298, "finished": 270, "replied": 44},
]


@readable(
    "/sequences",
    opt=described(
        "List sequences for the execute API",
        scope=Scope.SEQUENCES_READ,
        parameters=_PARAMETERS,
        answer=SequencesAnswer,
        answer_example={"data": [_LISTED], "meta": {"page": 1, "perPage": 25, "total": 1}},
    ),
)
def list_executable(request: AnyRequest) -> Response[bytes]:
    """A page of the account's sequences by id; a page past the end holds none."""
    caller = admit_execute(request, Scope.SEQUENCES_READ)
    sent = read_parameters(request, [parameter.name for parameter in _PARAMETERS])
    page, per_page = whole_number(sent, "page", 1, 1, LARGEST_ID), whole_number(sent, "perPage", 25, 1, 100)
    status = word(sent, "status", SequenceStatus)
    with parts_of(request).world.database.read() as snapshot:
        found = sequences.list_all(snapshot, caller.account_id)
    chosen = [sequence for sequence in found if status in (None, sequence.status)]
    shown = chosen[(page - 1) * per_page : page * per_page]
    return json_reply(SequencesAnswer([_listed(each) for each in shown], PageOfSequences(page, per_page, len(chosen))))


@readable(
    "/sequences/{id:str}",
    opt=described(
        "Show a sequence for the execute API",
        scope=Scope.SEQUENCES_READ,
        answer=SequenceAnswer,
        answer_example={"data": _LISTED | {"steps": _STEPS, "counts": _COUNTS, "countsUpToDate": True}},
        refusals=(404,),
    ),
)
def show_executable(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """One sequence, whatever its status, with its newest steps and how many people were enrolled and how they ended."""
    caller = admit_execute(request, Scope.SEQUENCES_READ)
    read_parameters(request)
    number = read_id(id, "sequence")
    with parts_of(request).world.database.read() as snapshot:
        found = sequences.get(snapshot, caller.account_id, number)
        versions = sequences.find_versions(snapshot, caller.account_id, [(found.id, found.version)])
        counts = variant_counts(snapshot, found)
        up_to_date = events.are_counted(snapshot, caller.account_id)
    steps = [step for version in versions.values() for step in version.steps]
    return json_reply(SequenceAnswer(_shown(found, steps, counts, up_to_date=up_to_date)))


def _listed(sequence: Sequence) -> ListedSequence:
    assert sequence.created_at is not None
    assert sequence.updated_at is not None
    split = sequence.split
    return ListedSequence(
        id=sequence.id,
        name=sequence.name,
        status=sequence.status,
        steps_total=sequence.steps_total,
        ab_test=None if split is None else AbTest(split.variant_b_id, split.share),
        created_at=whole_seconds(sequence.created_at),
        updated_at=whole_seconds(sequence.updated_at),
    )


def _shown(
    sequence: Sequence, steps: Several[Step], counts: Several[VariantCounts], *, up_to_date: bool
) -> ShownSequence:
    return ShownSequence(
        **msgspec.structs.asdict(_listed(sequence)),
        steps=[_step(position, step) for position, step in enumerate(steps)],
        counts=shown_counts(counts),
        counts_up_to_date=up_to_date,
    )


def shown_counts(counts: Several[VariantCounts]) -> list[Counts]:
    """The counts of each variant as answers show them."""
    return [Counts(each.variant, each.enrolled, each.finished, each.replied) for each in counts]


def _step(position: int, step: Step) -> SequenceStep:
    return SequenceStep(
        position=position,
        action_type=step.action_type,
        delay_from_previous_step=step.delay.amount,
        delay_from_previous_step_unit=step.delay.unit,
        email_template_id=step.email_template_id if step.is_letter else UNSET,
        is_reply=step.is_reply if step.is_letter else UNSET,
        task_content=UNSET if step.is_letter else step.task_content,
    )


handlers = [list_executable, show_executable]
