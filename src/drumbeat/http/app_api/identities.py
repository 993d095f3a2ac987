"""GET /api/mailboxes/:id/identity: what receivers look up about a sender."""

from __future__ import annotations

import msgspec
from litestar import Response
from litestar.params import FromPath

from drumbeat.domain.account import Role
from drumbeat.http.app_api.admission import admit_member
from drumbeat.http.app_api.shapes import Many, reply_all
from drumbeat.http.app_api.shown_mailboxes import standing_mailbox
from drumbeat.http.openapi import described
from drumbeat.http.parts import AnyRequest, parts_of, readable
from drumbeat.http.reading import read_id, read_parameters
from drumbeat.mail.identity import Verdict, examine_identity
from drumbeat.mail.session import Security


class IdentityFinding(msgspec.Struct, frozen=True):
    """One thing receivers look up, and the fix where it is not as they want it."""

    subject: str
    verdict: Verdict
    sentence: str
    fix: str | None


@readable(
    "/mailboxes/{id:str}/identity",
    opt=described(
        "Look up a sender as receivers do",
        role=Role.ADMIN,
        answer=Many[IdentityFinding],
        answer_example={
            "data": [
                {
                    "subject": "DMARC",
                    "verdict": "wrong",
                    "sentence": "tea.example has no DMARC policy, which large receivers ask of senders.",
                    "fix": 'Publish a TXT record for _dmarc.tea.example such as "v=DMARC1; p=none".',
                }
            ]
        },
        refusals=(404,),
    ),
)
def show_identity(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """SPF, DKIM, DMARC, MX, PTR and TLS of a mailbox's sender; the DNS is asked now, for half a minute at most."""
    world = parts_of(request).world
    with world.database.read() as snapshot:
        member = admit_member(snapshot, request, Role.ADMIN)
        read_parameters(request)
        mailbox = standing_mailbox(snapshot, member, read_id(id, "mailbox"))
    found = examine_identity(mailbox.sender_email, mailbox.host, Security(mailbox.security), world.resolver)
    return reply_all([IdentityFinding(each.subject, each.verdict, each.sentence, each.fix) for each in found])


handlers = [show_identity]
