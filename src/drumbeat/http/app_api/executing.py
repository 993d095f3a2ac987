"""/api/sequences/{id}/execute: enroll up to 500 contacts that are known, by their ids."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Response, post
from litestar.params import FromPath, RawBody
from msgspec import UNSET, UnsetType

from drumbeat.domain.account import Role
from drumbeat.domain.variant import Variant
from drumbeat.http.app_api.admission import admit_writing
from drumbeat.http.app_api.shapes import One, reply
from drumbeat.http.decoding import BodyReader
from drumbeat.http.openapi import described
from drumbeat.http.parts import AnyRequest, parts_of
from drumbeat.http.reading import read_id, read_parameters
from drumbeat.operations.execute import ContactStatus, Execution, execute_for
from drumbeat.store.transaction import Tx

MOST_CONTACTS = 500


class Executing(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """1 to 500 ids of contacts."""

    contact_ids: Annotated[list[int], msgspec.Meta(min_length=1, max_length=MOST_CONTACTS)]


class KnownResult(msgspec.Struct, rename="camel", frozen=True):
    """What became of one contact; the reason is there when it is invalid, also where there is no such contact."""

    email: str | None
    contact_id: int | None
    enrollment_id: int | None
    variant: Variant | None
    status: ContactStatus
    reason: str | UnsetType = UNSET


class KnownExecuted(msgspec.Struct, rename="camel", frozen=True):
    """What the call did: a result per submitted id, in order."""

    sequence_id: int
    sequence_name: str
    contacts_processed: int
    sendings_created: int
    results: list[KnownResult]


_EXAMPLE = {
    "data": {
        "sequenceId": 1,
        "sequenceName": "After a webinar",
        "contactsProcessed": 2,
        "sendingsCreated": 1,
        "results": [
            {"email": "ada@example.com", "contactId": 7, "enrollmentId": 9, "variant": None, "status": "queued"},
            {
                "email": None,
                "contactId": None,
                "enrollmentId": None,
                "variant": None,
                "status": "invalid",
                "reason": "contactIds: There is no contact 8.",
            },
        ],
    }
}
_read = BodyReader(Executing, {"contactIds": f"Send 1 to {MOST_CONTACTS} ids of contacts."})


@post(
    "/sequences/{id:str}/execute",
    status_code=200,
    sync_to_thread=True,
    opt=described(
        "Enroll contacts",
        role=Role.AGENT,
        body=Executing,
        example={"contactIds": [7, 8]},
        answer=One[KnownExecuted],
        answer_example=_EXAMPLE,
        refusals=(404, 409, 422),
    ),
)
def execute_known(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Enroll contacts of the account, all in one transaction; a repeated call is safe."""
    world = parts_of(request).world
    member = admit_writing(request)
    read_parameters(request)
    number, sent = read_id(id, "sequence"), _read(request, body)

    def work(tx: Tx) -> Execution:
        account_id, by, ids = member.account_id, member.user_id, sent.contact_ids
        return execute_for(tx, world.hash_key, account_id, by, number, ids, seen_by=member.seen_by)

    return reply(_shown(world.database.transact(work)))


def _shown(done: Execution) -> KnownExecuted:
    results = [
        KnownResult(
            r.email or None,
            r.contact_id,
            r.enrollment_id,
            r.variant,
            r.status,
            UNSET if r.reason is None else r.reason,
        )
        for r in done.results
    ]
    return KnownExecuted(done.sequence.id, done.sequence.name, len(results), done.queued, results)


handlers = [execute_known]
