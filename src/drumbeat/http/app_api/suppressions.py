"""/api/suppressions: addresses that nothing is sent to, looked at, added to and lifted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from litestar import Response, post
from litestar.params import RawBody
from litestar.response import Stream

from drumbeat.domain.account import Role
from drumbeat.domain.errors import AdminsOnly
from drumbeat.domain.unsubscribe import Suppression
from drumbeat.http.app_api.admission import admit_member, admit_writing
from drumbeat.http.app_api.downloads import CSV, streamed, written
from drumbeat.http.app_api.paging import PER_PAGE
from drumbeat.http.app_api.shapes import One, PageMeta, PageOf, reply, stamp
from drumbeat.http.decoding import BodyReader, Email, Name
from drumbeat.http.openapi import Parameter, described
from drumbeat.http.parts import AnyRequest, json_reply, parts_of, readable
from drumbeat.http.reading import read_parameters, text, whole_number
from drumbeat.operations.suppressions import MOST_AT_ONCE, lift_suppression, suppress_many, suppression_table
from drumbeat.store import unsubscribes
from drumbeat.store.transaction import Snapshot
from drumbeat.store.unsubscribes import Suppressed


class Suppress(msgspec.Struct, forbid_unknown_fields=True):
    """Addresses to which nothing is to be sent any more."""

    emails: Annotated[list[Name], msgspec.Meta(min_length=1, max_length=MOST_AT_ONCE)]


class Lifting(msgspec.Struct, forbid_unknown_fields=True):
    """An address that may be written to again, as its owner wishes."""

    email: Email


class ShownSuppressed(msgspec.Struct, rename="camel", frozen=True):
    """A suppressed address key: a keyed hash, and the address while the account knows anybody who has it."""

    address_hash: str
    email: str | None
    cause: Suppression
    evidence: str
    created_at: str | None


class Suppressions(msgspec.Struct, frozen=True):
    """How many addresses are suppressed now, were before, and how many enrollments that finished; what is no
    address is told."""

    added: int
    already: int
    finished: int
    invalid: list[str]


class Lifted(msgspec.Struct, frozen=True):
    """Whether it was suppressed."""

    lifted: bool


_AFTER = Parameter("after", "What meta.after of the page before says.")
_SHOWN: dict[str, Any] = {
    "addressHash": "9f86d081884c7d659a2feaa0c55ad015",
    "email": "ada@example.com",
    "cause": "unsubscribed",
    "evidence": "one-click",
    "createdAt": "2026-03-03T10:00:00Z",
}
_read_new = BodyReader(Suppress)
_read_lifting = BodyReader(Lifting)


@readable(
    "/suppressions",
    opt=described(
        "List suppressed addresses",
        role=Role.ADMIN,
        parameters=(PER_PAGE, _AFTER),
        answer=PageOf[ShownSuppressed],
        answer_example={"data": [_SHOWN], "meta": {"perPage": 25, "after": None}},
    ),
)
def list_suppressions(request: AnyRequest) -> Response[bytes]:
    """A page of the address keys that nothing is sent to, by their hash."""
    with parts_of(request).world.database.read() as snapshot:
        member = admit_member(snapshot, request, Role.ADMIN)
        sent = read_parameters(request, ["perPage", "after"])
        per_page = whole_number(sent, "perPage", 25, 1, 100)
        found = unsubscribes.list_suppressed(snapshot, member.account_id, text(sent, "after") or "", per_page + 1)
    after = found[per_page - 1].address_hash if len(found) > per_page else None
    return json_reply(PageOf([_shown(each) for each in found[:per_page]], PageMeta(per_page, after)))


@readable(
    "/suppressions.csv",
    opt=described("Export suppressed addresses as CSV", role=Role.ADMIN, answer=CSV),
)
def export_suppressions(request: AnyRequest) -> Stream:
    """All of them, with cause, since when and evidence; of people who were erased only the keyed hash is left."""
    database = parts_of(request).world.database
    with database.read() as snapshot:
        member = admit_member(snapshot, request, Role.ADMIN)
        read_parameters(request)

    def rows(snapshot: Snapshot) -> Iterator[list[str]]:
        return suppression_table(snapshot, member.account_id)

    return streamed(written(database, rows), "suppressions.csv")


@post(
    "/suppressions",
    status_code=200,
    sync_to_thread=True,
    opt=described(
        "Suppress addresses",
        role=Role.AGENT,
        body=Suppress,
        example={"emails": ["ada@example.com"]},
        answer=One[Suppressions],
        answer_example={"data": {"added": 1, "already": 0, "finished": 2, "invalid": []}},
    ),
)
def suppress_addresses(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """Nothing is sent to them any more, and what runs for them finishes; what is no address is told and left out."""
    world = parts_of(request).world
    member = admit_writing(request)
    if member.seen_by is not None:
        raise AdminsOnly("Where agents see their own records alone, an admin suppresses: it acts on everybody's.")
    read_parameters(request)
    emails = _read_new(request, body).emails
    told = world.database.transact(
        lambda tx: suppress_many(
            tx, world.hash_key, member.account_id, emails, evidence="by hand", actor_id=member.user_id
        )
    )
    return reply(Suppressions(told.added, told.already, told.finished, list(told.invalid)))


@post(
    "/suppressions/lift",
    status_code=200,
    sync_to_thread=True,
    opt=described(
        "Lift a suppression",
        role=Role.ADMIN,
        body=Lifting,
        example={"email": "ada@example.com"},
        answer=One[Lifted],
        answer_example={"data": {"lifted": True}},
    ),
)
def lift_address(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """The address may be written to again; what finished stays finished, and it is journalled who did it."""
    world = parts_of(request).world
    member = admit_writing(request, Role.ADMIN)
    read_parameters(request)
    email = _read_lifting(request, body).email
    lifted = world.database.transact(
        lambda tx: lift_suppression(tx, world.hash_key, member.account_id, email, actor_id=member.user_id)
    )
    return reply(Lifted(lifted is not None))


def _shown(found: Suppressed) -> ShownSuppressed:
    return ShownSuppressed(found.address_hash, found.email, found.cause, found.evidence, stamp(found.created_at))


handlers = [list_suppressions, export_suppressions, suppress_addresses, lift_address]
