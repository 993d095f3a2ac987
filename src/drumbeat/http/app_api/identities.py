"""/api/mailboxes/:id/identity and /dkim: what receivers look up about a sender, and a signature of one's own."""

from __future__ import annotations

import msgspec
from litestar import Response, delete, put
from litestar.params import FromPath, RawBody

from drumbeat.domain.account import Role
from drumbeat.http.app_api.admission import admit_member, admit_writing
from drumbeat.http.app_api.shapes import Many, One, nothing, reply, reply_all
from drumbeat.http.app_api.shown_mailboxes import standing_mailbox
from drumbeat.http.decoding import BodyReader, LongText, Name
from drumbeat.http.openapi import described
from drumbeat.http.parts import AnyRequest, parts_of, readable
from drumbeat.http.reading import read_id, read_parameters
from drumbeat.mail.dkim import new_key
from drumbeat.mail.identity import Verdict
from drumbeat.operations.holds import examine_sender
from drumbeat.operations.signing import USUAL_SELECTOR, sign_with, stop_signing


class IdentityFinding(msgspec.Struct, frozen=True):
    """One thing receivers look up, and the fix where it is not as they want it."""

    subject: str
    verdict: Verdict
    sentence: str
    fix: str | None


class Signing(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Where the key is published, and a private key in PEM form; without one a new one is made."""

    selector: Name = USUAL_SELECTOR
    key: LongText | None = None


class ShownRecord(msgspec.Struct, frozen=True):
    """The TXT record to publish."""

    name: str
    text: str


_read_signing = BodyReader(Signing)


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
    found = examine_sender(mailbox, world.resolver)
    return reply_all([IdentityFinding(each.subject, each.verdict, each.sentence, each.fix) for each in found])


@put(
    "/mailboxes/{id:str}/dkim",
    sync_to_thread=True,
    opt=described(
        "Sign a mailbox's letters",
        role=Role.ADMIN,
        body=Signing,
        example={"selector": "drumbeat"},
        answer=One[ShownRecord],
        answer_example={
            "data": {"name": "drumbeat._domainkey.tea.example", "text": "v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQ"}
        },
        refusals=(404,),
    ),
)
def sign_letters(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """From now on with this key or a new one, which is sealed; the answer is what to publish."""
    world = parts_of(request).world
    member = admit_writing(request, Role.ADMIN)
    read_parameters(request)
    number, sent = read_id(id, "mailbox"), _read_signing(request, body)
    pem = sent.key or new_key()
    told = world.database.transact(
        lambda tx: sign_with(tx, world.vault, member.account_id, number, sent.selector, pem, actor_id=member.user_id)
    )
    return reply(ShownRecord(told.name, told.text))


@delete(
    "/mailboxes/{id:str}/dkim",
    status_code=204,
    sync_to_thread=True,
    opt=described("Sign a mailbox's letters no more", role=Role.ADMIN, status=204, refusals=(404,)),
)
def sign_no_more(request: AnyRequest, id: FromPath[str]) -> Response[None]:
    """Letters leave without a signature of ours, and the key is forgotten."""
    member = admit_writing(request, Role.ADMIN)
    read_parameters(request)
    number = read_id(id, "mailbox")
    parts_of(request).world.database.transact(
        lambda tx: stop_signing(tx, member.account_id, number, actor_id=member.user_id)
    )
    return nothing()


handlers = [show_identity, sign_letters, sign_no_more]
