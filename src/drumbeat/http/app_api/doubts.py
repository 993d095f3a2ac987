"""/api/doubts: letters of which nobody knows whether they arrived, and settling one."""

from __future__ import annotations

from enum import StrEnum

import msgspec
from litestar import Response, post
from litestar.params import FromPath, RawBody

from drumbeat.domain.account import Role
from drumbeat.http.app_api.admission import admit_member, admit_writing
from drumbeat.http.app_api.enrollments import ENROLLMENT_EXAMPLE, AppEnrollment, seen_id, shown_enrollment
from drumbeat.http.app_api.shapes import Many, One, reply, reply_all, stamp
from drumbeat.http.decoding import BodyReader
from drumbeat.http.openapi import described
from drumbeat.http.parts import AnyRequest, parts_of, readable
from drumbeat.http.reading import read_parameters
from drumbeat.operations.doubts import count_as_not_sent, count_as_sent, send_again, sha256_rewritten
from drumbeat.operations.views import view
from drumbeat.store import doubts
from drumbeat.store.transaction import Tx


class Decision(StrEnum):
    """What a person decides about a letter of which nobody knows whether it arrived."""

    COUNT_AS_SENT = "count_as_sent"
    COUNT_AS_NOT_SENT = "count_as_not_sent"
    SEND_AGAIN = "send_again"


class Deciding(msgspec.Struct, forbid_unknown_fields=True):
    """count_as_not_sent is for finished enrollments; send_again sends the same bytes once more."""

    decision: Decision


class ShownDoubt(msgspec.Struct, rename="camel", frozen=True):
    """A letter of which nobody knows whether it arrived."""

    enrollment_id: int
    position: int
    transmitted_at: str | None
    evidence_awaited_until: str | None
    known: str | None


_DOUBT = {
    "enrollmentId": 9,
    "position": 0,
    "transmittedAt": "2026-03-03T10:00:02Z",
    "evidenceAwaitedUntil": None,
    "known": None,
}
_read_decision = BodyReader(Deciding)


@post(
    "/enrollments/{id:str}/doubt",
    status_code=200,
    sync_to_thread=True,
    opt=described(
        "Settle a letter in doubt",
        role=Role.AGENT,
        body=Deciding,
        example={"decision": "count_as_sent"},
        answer=One[AppEnrollment],
        answer_example=ENROLLMENT_EXAMPLE,
        refusals=(404,),
    ),
)
def settle_doubt(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """Decide about a letter of which nobody knows whether it arrived; the decision is kept with who took it."""
    world = parts_of(request).world
    member = admit_writing(request)
    read_parameters(request)
    sent, account_id, by = _read_decision(request, body), member.account_id, member.user_id
    with world.database.read() as snapshot:
        number = seen_id(snapshot, member, id)
        rewritten = sha256_rewritten(snapshot, world.writer, account_id, number)

    def work(tx: Tx) -> AppEnrollment:
        if sent.decision is Decision.COUNT_AS_SENT:
            settled = count_as_sent(tx, account_id, number, by)
        elif sent.decision is Decision.COUNT_AS_NOT_SENT:
            settled = count_as_not_sent(tx, account_id, number, by)
        else:
            settled = send_again(tx, account_id, number, by, rewritten_sha256=rewritten)
        return shown_enrollment(view(tx, account_id, [settled])[0])

    return reply(world.database.transact(work))


@readable(
    "/doubts",
    opt=described("List letters in doubt", role=Role.AGENT, answer=Many[ShownDoubt], answer_example={"data": [_DOUBT]}),
)
def list_doubts(request: AnyRequest) -> Response[bytes]:
    """Every letter of the account of which nobody knows whether it arrived; evidence, or a person, settles it."""
    with parts_of(request).world.database.read() as snapshot:
        member = admit_member(snapshot, request)
        read_parameters(request)
        found = doubts.list_unknown(snapshot, member.account_id, seen_by=member.seen_by)
    return reply_all(
        [
            ShownDoubt(d.enrollment_id, d.position, stamp(d.transmitting_at), stamp(d.lease_until), d.reply)
            for d in found
        ]
    )


handlers = [settle_doubt, list_doubts]
