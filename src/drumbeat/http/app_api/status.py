"""/api/status: an account at a glance, as `drumbeat status` shows it."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Response

from drumbeat.domain.account import Role
from drumbeat.domain.sequence import SequenceStatus
from drumbeat.http.app_api.admission import admit_member
from drumbeat.http.app_api.shapes import One, reply, stamp
from drumbeat.http.openapi import described
from drumbeat.http.parts import AnyRequest, parts_of, readable
from drumbeat.http.reading import read_parameters
from drumbeat.operations.status import AccountStatus, account_status


class LaneShown(msgspec.Struct, rename="camel", frozen=True):
    """What waits for a mailbox: due now, due later, being worked on, held until something happens."""

    name: str
    due: int
    later: int
    in_work: int
    held: int
    next_at: str | None


class BlockedShown(msgspec.Struct, frozen=True):
    """How many enrollments are blocked for a reason, and what to do about it."""

    reason: str
    count: int
    sentence: str


class SequenceShown(msgspec.Struct, frozen=True):
    """A sequence, and how many of its enrollments stand where."""

    id: int
    name: str
    status: SequenceStatus
    active: int
    blocked: int
    finished: int


class StatusShown(msgspec.Struct, rename="camel", frozen=True):
    """The account now; doubts are letters of which nobody knows whether they arrived. In quarantine nothing is sent by
    the whole installation, for the reason given."""

    at: str | None
    quarantine: str | None
    sequences_enabled: bool
    lanes: list[LaneShown]
    blocked: list[BlockedShown]
    doubts: int
    held_mailbox_ids: list[int]
    sequences: list[SequenceShown]


_EXAMPLE: dict[str, Any] = {
    "data": {
        "at": "2026-03-03T10:00:00Z",
        "quarantine": None,
        "sequencesEnabled": True,
        "lanes": [{"name": "Olive", "due": 3, "later": 240, "inWork": 4, "held": 0, "nextAt": "2026-03-03T10:00:00Z"}],
        "blocked": [{"reason": "auth", "count": 12, "sentence": "The mail server refuses the login."}],
        "doubts": 0,
        "heldMailboxIds": [2],
        "sequences": [{"id": 1, "name": "Fair", "status": "active", "active": 240, "blocked": 12, "finished": 900}],
    }
}


@readable(
    "/status",
    opt=described("The account at a glance", role=Role.ADMIN, answer=One[StatusShown], answer_example=_EXAMPLE),
)
def show_status(request: AnyRequest) -> Response[bytes]:
    """What is due, held and blocked, and why. It counts every enrollment of the account: ask for it now and then."""
    with parts_of(request).world.database.read() as snapshot:
        member = admit_member(snapshot, request, Role.ADMIN)
        read_parameters(request)
        found = account_status(snapshot, member.account_id)
    return reply(_shown(found, stamp(snapshot.now)))


def _shown(found: AccountStatus, at: str | None) -> StatusShown:
    return StatusShown(
        at=at,
        quarantine=None if found.quarantine is None else found.quarantine.sentence,
        sequences_enabled=found.account.sequences_enabled,
        lanes=[LaneShown(x.name, x.due, x.later, x.in_work, x.held, stamp(x.next_at)) for x in found.lanes],
        blocked=[BlockedShown(each.reason, each.count, each.sentence) for each in found.blocked],
        doubts=found.unknown,
        held_mailbox_ids=[mailbox.id for mailbox in found.held_mailboxes],
        sequences=[
            SequenceShown(each.id, each.name, each.status, each.active, each.blocked, each.finished)
            for each in found.sequences
        ],
    )


handlers = [show_status]
