"""/v2/sequences: the account's sequences with the steps that new enrollments run; read only."""

from __future__ import annotations

from collections.abc import Sequence as Several

import msgspec
from litestar import Response
from litestar.params import FromPath

from drumbeat.domain.access import Scope
from drumbeat.domain.sequence import Sequence, SequenceStatus, Step
from drumbeat.http.auth import admit
from drumbeat.http.openapi import IDS, Parameter, described
from drumbeat.http.parts import AnyRequest, json_reply, parts_of, readable
from drumbeat.http.reading import number_list, read_id, read_parameters, text
from drumbeat.http.sell_v2 import examples
from drumbeat.http.sell_v2.envelope import Meta, Nested, Page, Record, nested, whole_seconds
from drumbeat.http.sell_v2.listing import PAGING, SORTING, read_paging, sorted_by
from drumbeat.http.sell_v2.shapes import (
    PROPERTIES,
    AnyProperties,
    UnsubscribeSettings,
    properties_of,
)
from drumbeat.store import sequences
from drumbeat.store.transaction import Snapshot


class ShownStep(msgspec.Struct, frozen=True):
    """One step of a sequence; its id tells its place, and stays when the step is published anew."""

    id: int
    position: int
    action_type: str
    delay_from_previous_step: int
    delay_from_previous_step_unit: str
    action_properties: AnyProperties


class SequenceWithSteps(msgspec.Struct, frozen=True):
    """A sequence and the steps of its newest version."""

    id: int
    name: str
    creator_id: int
    steps_total: int
    steps: Nested[Record[ShownStep]]
    unsubscribe_settings: UnsubscribeSettings
    created_at: str
    updated_at: str


_SEQUENCE, _STEP = Meta("sequence"), Meta("step")
_PARAMETERS = (
    *PAGING,
    Parameter("ids", "Only these sequences: ids separated by commas.", IDS),
    Parameter("name", "Only sequences whose name holds this text, in any case."),
    SORTING,
)
_LISTED = frozenset({SequenceStatus.ACTIVE, SequenceStatus.PAUSED})
_PLACES = 10_000  # more than a sequence has steps


@readable(
    "/sequences",
    opt=described(
        "List sequences",
        scope=Scope.READ,
        parameters=_PARAMETERS,
        answer=Page[Record[SequenceWithSteps]],
        answer_example=examples.page(examples.SEQUENCE, "sequences"),
        alternatives=PROPERTIES,
    ),
)
def list_sequences(request: AnyRequest) -> Response[bytes]:
    """A page of the account's active and paused sequences; drafts and archived ones are shown by id only."""
    with parts_of(request).world.database.read() as snapshot:
        caller = admit(snapshot, request, Scope.READ)
        sent = read_parameters(request, [parameter.name for parameter in _PARAMETERS])
        paging, ids, name = read_paging(sent), number_list(sent, "ids"), (text(sent, "name") or "").casefold()
        found = [
            sequence
            for sequence in sequences.list_all(snapshot, caller.account_id)
            if sequence.status in _LISTED and (ids is None or sequence.id in ids) and name in sequence.name.casefold()
        ]
        records = _records(snapshot, caller.account_id, paging.of(sorted_by(sent, found)))
    return paging.answer(request, records, has_next=len(found) > paging.skip + paging.per_page)


@readable(
    "/sequences/{id:str}",
    opt=described(
        "Show a sequence",
        scope=Scope.READ,
        answer=Record[SequenceWithSteps],
        answer_example=examples.SEQUENCE,
        refusals=(404,),
    ),
)
def show_sequence(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """One sequence, whatever its status."""
    with parts_of(request).world.database.read() as snapshot:
        caller = admit(snapshot, request, Scope.READ)
        read_parameters(request)
        found = sequences.get(snapshot, caller.account_id, read_id(id, "sequence"))
        return json_reply(_records(snapshot, caller.account_id, [found])[0])


def _records(snapshot: Snapshot, account_id: int, shown: Several[Sequence]) -> list[Record[SequenceWithSteps]]:
    newest = [(sequence.id, sequence.version) for sequence in shown]
    versions = sequences.find_versions(snapshot, account_id, newest)
    steps = {key: version.steps for key, version in versions.items()}
    return [_record(sequence, steps.get(key, ())) for sequence, key in zip(shown, newest, strict=True)]


def _record(sequence: Sequence, steps: Several[Step]) -> Record[SequenceWithSteps]:
    assert sequence.created_at is not None
    assert sequence.updated_at is not None
    shown = SequenceWithSteps(
        id=sequence.id,
        name=sequence.name,
        creator_id=sequence.creator_id,
        steps_total=sequence.steps_total,
        steps=nested([_step(sequence, position, step) for position, step in enumerate(steps)]),
        unsubscribe_settings=UnsubscribeSettings(sequence.unsubscribing.enabled, sequence.unsubscribing.locale),
        created_at=whole_seconds(sequence.created_at),
        updated_at=whole_seconds(sequence.updated_at),
    )
    return Record(shown, _SEQUENCE)


def _step(sequence: Sequence, position: int, step: Step) -> Record[ShownStep]:
    shown = ShownStep(
        id=sequence.id * _PLACES + position,
        position=position,
        action_type=step.action_type.value,
        delay_from_previous_step=step.delay.amount,
        delay_from_previous_step_unit=step.delay.unit.value,
        action_properties=properties_of(step),
    )
    return Record(shown, _STEP)


handlers = [list_sequences, show_sequence]
