"""/today: what needs whoever is signed in, and what leaves today and what not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from litestar import Response

from drumbeat.http.caught import may_see_letters
from drumbeat.http.parts import AnyRequest, readable
from drumbeat.http.web.frame import opened, visiting
from drumbeat.http.wording import ADMINS_STEPS, NEXT_STEPS
from drumbeat.operations.today import MOST_COUNTED, MOST_SHOWN, Stop, today_of
from drumbeat.store import sequences

STOPS: Final[Mapping[str, str]] = {
    Stop.QUARANTINE: "nothing leaves before an operator has reconciled the database",
    Stop.SEQUENCES_OFF: "sequences are switched off for the account",
    Stop.MAILBOX_OFF: "the mailbox is switched off",
    Stop.MAILBOX_HELD: "the mailbox is held",
    Stop.UNREACHABLE: "the mail server is not reachable",
    Stop.SENDER_UNKNOWN: "what receivers find about the sender is being looked up",
}
"""Why nothing leaves by a mailbox."""


@readable("/today", opt=opened())
def show_today(request: AnyRequest) -> Response[bytes]:
    """Tasks, replies, what is blocked and what heals it, and what leaves today."""
    with visiting(request) as visit:
        found = today_of(visit.snapshot, visit.account, visit.user.id, visit.zone, seen_by=visit.seen_by)
        names = {each.id: each.name for each in sequences.list_all(visit.snapshot, visit.account_id)}
        return visit.page(
            "today.html",
            today=found,
            most=MOST_COUNTED,
            tasks=found.tasks[:MOST_SHOWN],
            whom=found.people,
            back="/today",
            has_more_tasks=len(found.tasks) > MOST_SHOWN,
            names=names,
            next_steps=NEXT_STEPS,
            admins_steps=ADMINS_STEPS,
            stops=STOPS,
            sees_all=visit.seen_by is None,
            sees_caught=may_see_letters(request),
        )


handlers = [show_today]
