"""/api/v1/sequences/{id}/execute: enroll up to 100 contacts in one call."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Response, Router, post
from litestar.params import FromPath, RawBody
from msgspec import UNSET, UnsetType

from drumbeat.domain.access import Scope
from drumbeat.domain.variant import Variant
from drumbeat.http import sequences_v1
from drumbeat.http.auth import admit_execute
from drumbeat.http.decoding import BodyReader, Email, Name
from drumbeat.http.idempotency import IDEMPOTENCY_KEY, read_keyed_call
from drumbeat.http.openapi import described
from drumbeat.http.parts import AnyRequest, json_reply, parts_of
from drumbeat.http.reading import read_id, read_parameters
from drumbeat.operations.execute import ContactInput, ContactStatus, Execution, execute
from drumbeat.operations.keyed_calls import once
from drumbeat.store.transaction import Tx

MOST_CONTACTS = 100


class Contact(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """Somebody to enroll, found or made by e-mail; empty fields of a known contact are filled."""

    email: Email
    first_name: Name | None = None
    last_name: Name | None = None
    phone: Name | None = None


class Executing(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """1 to 100 contacts; locationId and employeeId are accepted and ignored."""

    contacts: Annotated[list[Contact], msgspec.Meta(min_length=1, max_length=MOST_CONTACTS)]
    location_id: Any = None
    employee_id: Any = None


class Result(msgspec.Struct, rename="camel", frozen=True):
    """What became of one submitted contact; the reason is there when it is invalid."""

    email: str
    contact_id: int | None
    enrollment_id: int | None
    variant: Variant | None
    status: ContactStatus
    reason: str | UnsetType = UNSET


class Executed(msgspec.Struct, rename="camel", frozen=True):
    """What the call did: a result per submitted contact, in order."""

    sequence_id: int
    sequence_name: str
    contacts_processed: int
    sendings_created: int
    results: list[Result]


class ExecuteAnswer(msgspec.Struct, frozen=True):
    """The execute API's answer."""

    data: Executed


_EXAMPLE = {
    "data": {
        "sequenceId": 1,
        "sequenceName": "After a webinar",
        "contactsProcessed": 2,
        "sendingsCreated": 1,
        "results": [
            {"email": "ada@example.com", "contactId": 7, "enrollmentId": 9, "variant": None, "status": "queued"},
            {
                "email": "ada",
                "contactId": None,
                "enrollmentId": None,
                "variant": None,
                "status": "invalid",
                "reason": "email: An email address must have an @-sign.",
            },
        ],
    }
}

_read = BodyReader(Executing, {"contacts": f"Send 1 to {MOST_CONTACTS} contacts."})


@post(
    "/sequences/{id:str}/execute",
    status_code=200,
    sync_to_thread=True,
    opt=described(
        "Enroll many contacts",
        scope=Scope.SEQUENCES_EXECUTE,
        parameters=(IDEMPOTENCY_KEY,),
        body=Executing,
        example={"contacts": [{"email": "ada@example.com", "firstName": "Ada"}, {"email": "ada"}]},
        answer=ExecuteAnswer,
        answer_example=_EXAMPLE,
        refusals=(404, 409, 422),
    ),
)
def execute_sequence(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Find or make the contacts and enroll them, all in one transaction; a repeated call is safe."""
    world = parts_of(request).world
    caller = admit_execute(request, Scope.SEQUENCES_EXECUTE)
    read_parameters(request)
    number = read_id(id, "sequence")
    keyed = read_keyed_call(request, caller, body)
    contacts = _read_contacts(request, body)

    def work(tx: Tx) -> bytes:
        account_id, by = caller.account_id, caller.user_id
        done = execute(tx, world.hash_key, account_id, by, number, contacts, seen_by=caller.seen_by)
        return msgspec.json.encode(_answer(done))

    return json_reply(world.database.transact(lambda tx: once(tx, keyed, lambda: work(tx))))


def _read_contacts(request: AnyRequest, body: bytes) -> list[ContactInput]:
    return [ContactInput(c.email, c.first_name, c.last_name, c.phone) for c in _read(request, body).contacts]


def _answer(done: Execution) -> ExecuteAnswer:
    results = [
        Result(r.email, r.contact_id, r.enrollment_id, r.variant, r.status, UNSET if r.reason is None else r.reason)
        for r in done.results
    ]
    sequence = done.sequence
    return ExecuteAnswer(Executed(sequence.id, sequence.name, len(results), done.queued, results))


def router() -> Router:
    """The routes under /api/v1."""
    return Router("/api/v1", route_handlers=[execute_sequence, *sequences_v1.handlers])
