"""GET /api/enrollments/:id: one enrollment explained, with its history and what came back."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Response
from litestar.params import FromPath

from drumbeat.domain.account import Role
from drumbeat.domain.delivery import FailureReason
from drumbeat.domain.inbound import InboundKind
from drumbeat.domain.timeline import Binding, Hold, Lifter
from drumbeat.http.app_api.admission import admit_member
from drumbeat.http.app_api.enrollments import ENROLLMENT_EXAMPLE, AppEnrollment, seen_id, shown_enrollment
from drumbeat.http.app_api.shapes import One, reply, stamp
from drumbeat.http.openapi import described
from drumbeat.http.parts import AnyRequest, parts_of, readable
from drumbeat.http.reading import read_parameters
from drumbeat.operations.inbound import MatchedBy
from drumbeat.operations.status import explained
from drumbeat.store.received import ReceivedMessage


class ShownHold(msgspec.Struct, rename="camel", frozen=True):
    """What holds it, since when, until when (null: until somebody lifts it), and who can."""

    what: Binding
    since: str | None
    until: str | None
    lifted_by: Lifter
    sentence: str
    reason: FailureReason | None


class ToldFact(msgspec.Struct, frozen=True):
    """Something that happened, and its cause."""

    at: str | None
    fact: str
    cause: dict[str, Any]


class ShownReceived(msgspec.Struct, rename="camel", frozen=True):
    """A message that came back and had an effect: what it was taken for, why, and what was written in it."""

    id: int
    received_at: str | None
    kind: InboundKind
    matched_by: MatchedBy
    position: int | None
    sender: str | None
    subject: str
    words: str
    why: str
    permanent: bool | None
    until: str | None


class ExplainedEnrollment(msgspec.Struct, frozen=True):
    """An enrollment, what holds it now (null: nothing), its history and what came back, oldest first."""

    enrollment: AppEnrollment
    hold: ShownHold | None
    history: list[ToldFact]
    received: list[ShownReceived]


_HOLD = {
    "what": "delay",
    "since": None,
    "until": "2026-03-05T10:00:02Z",
    "liftedBy": "time",
    "sentence": "The next step waits for its time.",
    "reason": None,
}
_EXPLAINED = {
    "enrollment": ENROLLMENT_EXAMPLE["data"],
    "hold": _HOLD,
    "history": [{"at": "2026-03-03T10:00:00Z", "fact": "enrolled", "cause": {"by": 2}}],
    "received": [
        {
            "id": 4,
            "receivedAt": "2026-03-04T08:30:00Z",
            "kind": "auto_reply",
            "matchedBy": "message_id",
            "position": 0,
            "sender": "ada@example.com",
            "subject": "Out of office",
            "words": "I am away until 9 March.",
            "why": "It is marked as an automatic answer.",
            "permanent": None,
            "until": "2026-03-09T00:00:00Z",
        }
    ],
}


@readable(
    "/enrollments/{id:str}",
    opt=described(
        "Explain an enrollment",
        role=Role.AGENT,
        answer=One[ExplainedEnrollment],
        answer_example={"data": _EXPLAINED},
        refusals=(404,),
    ),
)
def explain_enrollment(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """What ran, what is planned and when, what holds it and who can lift that, and all that happened."""
    with parts_of(request).world.database.read() as snapshot:
        member = admit_member(snapshot, request)
        read_parameters(request)
        number = seen_id(snapshot, member, id)
        found = explained(snapshot, member.account_id, number)
    history = [ToldFact(stamp(each.at), each.fact, dict(each.cause)) for each in found.history]
    messages = [_received(each) for each in found.received]
    return reply(ExplainedEnrollment(shown_enrollment(found.view), _hold(found.hold), history, messages))


def _hold(hold: Hold | None) -> ShownHold | None:
    if hold is None:
        return None
    return ShownHold(hold.binding, stamp(hold.since), stamp(hold.until), hold.lifter, hold.sentence, hold.reason)


def _received(message: ReceivedMessage) -> ShownReceived:
    return ShownReceived(
        id=message.id,
        received_at=stamp(message.received_at),
        kind=InboundKind(message.kind),
        matched_by=MatchedBy(message.matched_by),
        position=message.position,
        sender=message.sender,
        subject=message.subject,
        words=message.words,
        why=message.why,
        permanent=message.permanent,
        until=stamp(message.until),
    )


handlers = [explain_enrollment]
