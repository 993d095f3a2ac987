"""/v2/sequence_enrollments: list, create, show, change the state, and finish what runs for a person."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from litestar import Response, post, put
from litestar.params import FromPath, RawBody

from drumbeat.domain.access import Scope
from drumbeat.domain.account import LARGEST_ID
from drumbeat.domain.enrollment import Enrollment, State
from drumbeat.domain.errors import IncorrectValue, MalformedParameter
from drumbeat.domain.person import PersonKind
from drumbeat.http.auth import Caller, admit
from drumbeat.http.idempotency import IDEMPOTENCY_KEY, read_keyed_call
from drumbeat.http.openapi import IDS, Parameter, choice, described
from drumbeat.http.parts import AnyRequest, json_reply, parts_of, readable
from drumbeat.http.reading import (
    number_list,
    read_attributes,
    read_id,
    read_parameters,
    word,
)
from drumbeat.http.sell_v2 import examples
from drumbeat.http.sell_v2.envelope import Page, Record
from drumbeat.http.sell_v2.listing import AFTER, PAGING, Paging, read_paging
from drumbeat.http.sell_v2.shapes import ALTERNATIVES, EnrollmentData, FinishData, enrollment_record, finish_record
from drumbeat.http.sell_v2.writing import admit_writer
from drumbeat.operations import enrollments as operations
from drumbeat.operations.enrollments import EnrollRequest
from drumbeat.operations.keyed_calls import once
from drumbeat.operations.views import EnrollmentView, view
from drumbeat.store import enrollment_pages, enrollments
from drumbeat.store.transaction import Snapshot, Tx

Id = Annotated[int, msgspec.Meta(ge=1, le=LARGEST_ID)]
Answer = Response[bytes]


class NewEnrollment(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Whom to enroll in what; without an actor it is the token's owner."""

    sequence_id: Id
    resource_type: PersonKind
    resource_id: Id
    actor_id: Id | None = None


class NewState(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """`finished` ends an enrollment, `active` resumes a blocked one."""

    state: Literal["active", "finished"] | None = None


class Finishing(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Whose enrollments to finish, in these sequences or (absent, null or empty) in all."""

    resource_type: PersonKind
    resource_id: Id
    sequence_ids: list[Id] | None = None


class Sort(StrEnum):
    """Orders of the list; both walk the ids, which grow with the time of creation."""

    ID = "id"
    ID_UP = "id:asc"
    ID_DOWN = "id:desc"
    CREATED = "created_at"
    CREATED_UP = "created_at:asc"
    CREATED_DOWN = "created_at:desc"


_PARAMETERS = (
    *PAGING,
    Parameter("ids", "Only these enrollments: ids separated by commas.", IDS),
    Parameter("resource_ids", "Only these leads' or contacts' enrollments: ids separated by commas.", IDS),
    Parameter("resource_type", "Only leads' or only contacts' enrollments: lead or contact.", choice(PersonKind)),
    Parameter("sort_by", "id or created_at, then :asc or :desc; id:asc by default.", choice(Sort)),
    AFTER,
)
_NAMES = tuple(parameter.name for parameter in _PARAMETERS)


@readable(
    "/sequence_enrollments",
    opt=described(
        "List enrollments",
        scope=Scope.READ,
        parameters=_PARAMETERS,
        answer=Page[Record[EnrollmentData]],
        answer_example=examples.page(examples.ENROLLMENT, "sequence_enrollments"),
        alternatives=ALTERNATIVES,
    ),
)
def list_enrollments(request: AnyRequest) -> Answer:
    """A page of the account's enrollments; a page past the end holds none."""
    parts = parts_of(request)
    with parts.world.database.read() as snapshot:
        caller = admit(snapshot, request, Scope.READ)
        listing = _read_listing(read_parameters(request, _NAMES))
        found = listing.find(snapshot, caller.account_id, caller.seen_by)
        views = view(snapshot, caller.account_id, found[: listing.paging.per_page])
    has_next = len(found) > listing.paging.per_page
    last_id = views[-1].enrollment.id if has_next else 0
    return listing.paging.answer(request, list(map(enrollment_record, views)), has_next=has_next, last_id=last_id)


@dataclass(frozen=True, slots=True)
class _Listing:
    paging: Paging
    sort: Sort | None
    ids: list[int] | None
    resource_ids: list[int] | None
    resource_type: PersonKind | None

    def find(self, snapshot: Snapshot, account_id: int, seen_by: int | None) -> list[Enrollment]:
        """The page, and one more if there is a next one."""
        return enrollment_pages.list_page(
            snapshot,
            account_id,
            ids=self.ids,
            resource_type=self.resource_type,
            resource_ids=self.resource_ids,
            actor_id=seen_by,
            after=self.paging.after,
            descending=self.sort in (Sort.ID_DOWN, Sort.CREATED_DOWN),
            skip=self.paging.skip,
            limit=self.paging.per_page + 1,
        )


def _read_listing(sent: dict[str, str]) -> _Listing:
    if sent.get("sort_by", "").partition(":")[0] == "updated_at":
        raise MalformedParameter("sort_by is id or created_at here; updated_at would be slow in long lists.")
    return _Listing(
        paging=read_paging(sent),
        sort=word(sent, "sort_by", Sort),
        ids=number_list(sent, "ids"),
        resource_ids=number_list(sent, "resource_ids"),
        resource_type=word(sent, "resource_type", PersonKind),
    )


@post(
    "/sequence_enrollments",
    status_code=200,
    sync_to_thread=True,
    opt=described(
        "Enroll a lead or a contact",
        scope=Scope.WRITE,
        parameters=(IDEMPOTENCY_KEY,),
        body=NewEnrollment,
        example={"data": {"sequence_id": 1, "resource_type": "lead", "resource_id": 1}},
        answer=Record[EnrollmentData],
        answer_example=examples.ENROLLMENT,
        refusals=(403, 409, 422),
    ),
)
def create_enrollment(request: AnyRequest, body: RawBody) -> Answer:
    """Enroll one person in an active sequence."""
    world = parts_of(request).world
    caller = admit_writer(request)
    keyed = read_keyed_call(request, caller, body)
    wanted = _read_new(request, body)

    def work(tx: Tx) -> bytes:
        account_id, by = caller.account_id, caller.user_id
        made = operations.enroll(tx, world.hash_key, account_id, by, wanted, seen_by=caller.seen_by)
        return msgspec.json.encode(enrollment_record(view(tx, caller.account_id, [made])[0]))

    return json_reply(world.database.transact(lambda tx: once(tx, keyed, lambda: work(tx))))


def _read_new(request: AnyRequest, body: RawBody) -> EnrollRequest:
    sent = read_attributes(request, body, NewEnrollment.__struct_fields__)
    sequence_id = sent.id("sequence_id", required=True)
    kind = sent.word("resource_type", PersonKind, required=True)
    resource_id = sent.id("resource_id", required=True)
    actor_id = sent.id("actor_id") or None
    sent.check()
    return EnrollRequest(sequence_id, kind or PersonKind.LEAD, resource_id, actor_id)


@readable(
    "/sequence_enrollments/{id:str}",
    opt=described(
        "Show an enrollment",
        scope=Scope.READ,
        answer=Record[EnrollmentData],
        answer_example=examples.ENROLLMENT,
        refusals=(404,),
    ),
)
def show_enrollment(request: AnyRequest, id: FromPath[str]) -> Answer:
    """One enrollment."""
    with parts_of(request).world.database.read() as snapshot:
        caller = admit(snapshot, request, Scope.READ)
        read_parameters(request)
        return _shown(snapshot, caller, read_id(id, "enrollment"))


def _shown(snapshot: Snapshot, caller: Caller, id: int) -> Answer:
    found = enrollments.get(snapshot, caller.account_id, id, seen_by=caller.seen_by)
    return json_reply(enrollment_record(view(snapshot, caller.account_id, [found])[0]))


@put(
    "/sequence_enrollments/{id:str}",
    sync_to_thread=True,
    opt=described(
        "Finish or resume an enrollment",
        scope=Scope.WRITE,
        body=NewState,
        example={"data": {"state": "finished"}},
        answer=Record[EnrollmentData],
        answer_example=examples.ENROLLMENT,
        refusals=(404, 422),
    ),
)
def update_enrollment(request: AnyRequest, id: FromPath[str], body: RawBody) -> Answer:
    """Set the state: `finished` on an ongoing enrollment, `active` on a blocked one."""
    world = parts_of(request).world
    caller = admit_writer(request)
    number = read_id(id, "enrollment")
    sent = read_attributes(request, body, NewState.__struct_fields__)
    state = sent.word("state", State)
    sent.check()
    if state is None:
        with world.database.read() as snapshot:
            return _shown(snapshot, caller, number)

    def work(tx: Tx) -> EnrollmentView:
        if state is State.BLOCKED:
            enrollments.get(tx, caller.account_id, number, seen_by=caller.seen_by)
            raise IncorrectValue("Set active or finished; only the engine blocks.", field="state")
        account_id, by = caller.account_id, caller.user_id
        changed = operations.set_state(tx, account_id, number, state, by, seen_by=caller.seen_by)
        return view(tx, caller.account_id, [changed])[0]

    return json_reply(enrollment_record(world.database.transact(work)))


@post(
    "/sequence_enrollments/finish_ongoing_for_resource",
    status_code=200,
    sync_to_thread=True,
    opt=described(
        "Finish what runs for a lead or a contact",
        scope=Scope.WRITE,
        body=Finishing,
        example={"data": {"resource_type": "lead", "resource_id": 1, "sequence_ids": [1]}},
        answer=Record[FinishData],
        answer_example=examples.FINISHED,
        refusals=(422,),
    ),
)
def finish_ongoing(request: AnyRequest, body: RawBody) -> Answer:
    """Finish every ongoing enrollment of a person, in the named sequences or in all."""
    world = parts_of(request).world
    caller = admit_writer(request)
    sent = read_attributes(request, body, Finishing.__struct_fields__)
    kind = sent.word("resource_type", PersonKind, required=True) or PersonKind.LEAD
    id = sent.id("resource_id", required=True)
    sequence_ids = sent.ids("sequence_ids")
    sent.check()

    def work(tx: Tx) -> list[EnrollmentView]:
        account_id, by = caller.account_id, caller.user_id
        finished = operations.finish_ongoing(tx, account_id, kind, id, sequence_ids, by, seen_by=caller.seen_by)
        return view(tx, caller.account_id, finished)

    return json_reply(finish_record(world.database.transact(work)))


handlers = [list_enrollments, create_enrollment, show_enrollment, update_enrollment, finish_ongoing]
