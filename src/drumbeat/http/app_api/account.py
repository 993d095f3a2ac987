"""/api/account: what the account is set to."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import msgspec
from litestar import Response, put
from litestar.params import RawBody
from msgspec import UNSET, UnsetType

from drumbeat.domain.account import LARGEST_ID, LONGEST_KEPT, Account, AgentsSee, Role, UnknownMeans
from drumbeat.http.app_api.admission import admit_member, admit_writing
from drumbeat.http.app_api.shapes import One, reply, stamp
from drumbeat.http.decoding import BodyReader, LongText, Name, struct_changes
from drumbeat.http.openapi import described
from drumbeat.http.parts import AnyRequest, parts_of, readable
from drumbeat.http.reading import read_parameters
from drumbeat.operations.accounts import change_account
from drumbeat.operations.pacing import allowance_of
from drumbeat.store import accounts
from drumbeat.store.transaction import Snapshot, Tx

_Letters = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_ID)]
_Days = Annotated[int, msgspec.Meta(ge=1, le=LONGEST_KEPT)]


class ChangingAccount(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """What is left out stays; null takes the postal address away, or the limit of letters a month."""

    name: Name | UnsetType = UNSET
    time_zone: Name | UnsetType = UNSET
    locale: Name | UnsetType = UNSET
    postal_address: LongText | UnsetType | None = UNSET
    sequences_enabled: bool | UnsetType = UNSET
    unknown_means: UnknownMeans | UnsetType = UNSET
    agents_see: AgentsSee | UnsetType = UNSET
    monthly_allowance: _Letters | UnsetType | None = UNSET
    keep_days: _Days | UnsetType | None = UNSET


class ShownAccount(msgspec.Struct, rename="camel", frozen=True):
    """The account; while sequences are off nobody is enrolled and no letter leaves.

    unknownMeans says what becomes of a letter whose fate nothing settles: somebody is asked, or it counts as sent.
    agentsSee: all records of the account, or their own alone. Letters are counted while there is a monthlyAllowance.
    """

    id: int
    name: str
    time_zone: str
    locale: str
    postal_address: str | None
    sequences_enabled: bool
    unknown_means: UnknownMeans
    agents_see: AgentsSee
    monthly_allowance: int | None
    keep_days: int | None
    sent_this_month: int | None
    created_at: str | None
    updated_at: str | None


_EXAMPLE = {
    "data": {
        "id": 1,
        "name": "Tea House",
        "timeZone": "Europe/London",
        "locale": "en-GB",
        "postalAddress": "1 Tea Lane\nLondon",
        "sequencesEnabled": True,
        "unknownMeans": "ask",
        "agentsSee": "all",
        "monthlyAllowance": 50000,
        "keepDays": 365,
        "sentThisMonth": 1204,
        "createdAt": "2026-03-02T09:30:00Z",
        "updatedAt": "2026-03-03T10:00:00Z",
    }
}
_read = BodyReader(ChangingAccount)


@readable(
    "/account",
    opt=described("Show the account", role=Role.AGENT, answer=One[ShownAccount], answer_example=_EXAMPLE),
)
def show_account(request: AnyRequest) -> Response[bytes]:
    """The account one works in."""
    with parts_of(request).world.database.read() as snapshot:
        member = admit_member(snapshot, request)
        read_parameters(request)
        return reply(_shown(snapshot, accounts.get_account(snapshot, member.account_id)))


@put(
    "/account",
    sync_to_thread=True,
    opt=described(
        "Change the account",
        role=Role.ADMIN,
        body=ChangingAccount,
        example={"sequencesEnabled": False},
        answer=One[ShownAccount],
        answer_example=_EXAMPLE,
    ),
)
def update_account(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """Change the fields sent; what waited for sequences to be on, or for a postal address, goes on."""
    member = admit_writing(request, Role.ADMIN)
    read_parameters(request)
    changes = struct_changes(_read(request, body))

    def work(tx: Tx) -> ShownAccount:
        standing = accounts.lock_account(tx, member.account_id)
        return _shown(tx, change_account(tx, replace(standing, **changes), member.user_id))

    return reply(parts_of(request).world.database.transact(work))


def _shown(snapshot: Snapshot, account: Account) -> ShownAccount:
    allowance = allowance_of(snapshot, account)
    return ShownAccount(
        id=account.id,
        name=account.name,
        time_zone=account.time_zone,
        locale=account.locale,
        postal_address=account.postal_address,
        sequences_enabled=account.sequences_enabled,
        unknown_means=account.unknown_means,
        agents_see=account.agents_see,
        monthly_allowance=account.monthly_allowance,
        keep_days=account.keep_days,
        sent_this_month=None if allowance is None else allowance.sent,
        created_at=stamp(account.created_at),
        updated_at=stamp(account.updated_at),
    )


handlers = [show_account, update_account]
