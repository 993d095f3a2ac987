"""/v2/users and /v2/accounts/self: who works here, as Sell shows them; both are read only."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from litestar import Response
from litestar.params import FromPath

from drumbeat.domain.access import Scope
from drumbeat.domain.account import Account, Role, User, UserStatus
from drumbeat.http.auth import admit
from drumbeat.http.manner import manner_of
from drumbeat.http.openapi import FLAG, IDS, Parameter, choice, described
from drumbeat.http.parts import AnyRequest, json_reply, parts_of, readable
from drumbeat.http.reading import number_list, read_id, read_parameters, text, truth, word
from drumbeat.http.sell_v2 import examples
from drumbeat.http.sell_v2.envelope import Meta, Page, Record, whole_seconds
from drumbeat.http.sell_v2.listing import PAGING, SORTING, read_paging, sorted_by
from drumbeat.store import accounts


class SellRole(StrEnum):
    """What Sell calls an agent and an admin."""

    USER = "user"
    ADMIN = "admin"


class ShownUser(msgspec.Struct, frozen=True):
    """Someone who works here; what Drumbeat does not keep is null."""

    id: int
    name: str
    email: str
    status: UserStatus
    invited: bool
    confirmed: bool
    phone_number: str | None
    role: SellRole
    roles: list[Any]
    team_name: str | None
    group: Any
    reports_to: int | None
    timezone: str
    created_at: str
    updated_at: str
    deleted_at: str | None
    zendesk_user_id: str | None


class ShownAccount(msgspec.Struct, frozen=True):
    """The account behind a token; what Drumbeat does not keep is null."""

    id: int
    name: str
    currency: str | None
    time_format: str
    timezone: str
    phone: str | None
    subdomain: str | None
    created_at: str
    updated_at: str


_USER, _ACCOUNT = Meta("user"), Meta("account")
_PARAMETERS = (
    *PAGING,
    Parameter("ids", "Only these users: ids separated by commas.", IDS),
    Parameter("name", "Only users of this name."),
    Parameter("email", "Only the user with this address."),
    Parameter("role", "Only users of this role: user or admin.", choice(["user", "admin"])),
    Parameter("status", "Only users of this status: active or inactive.", choice(UserStatus)),
    Parameter("confirmed", "true or false; every user of Drumbeat is confirmed.", FLAG),
    Parameter("zendesk_user_ids", "Finds nobody: Drumbeat's users have no Zendesk id.", IDS),
    SORTING,
)


@readable(
    "/users",
    opt=described(
        "List users",
        scope=Scope.READ,
        parameters=_PARAMETERS,
        answer=Page[Record[ShownUser]],
        answer_example=examples.page(examples.USER, "users"),
    ),
)
def list_users(request: AnyRequest) -> Response[bytes]:
    """A page of the account's users."""
    with parts_of(request).world.database.read() as snapshot:
        caller = admit(snapshot, request, Scope.READ)
        sent = read_parameters(request, [parameter.name for parameter in _PARAMETERS])
        paging = read_paging(sent)
        account = accounts.get_account(snapshot, caller.account_id)
        users = sorted_by(sent, _chosen(sent, accounts.list_users(snapshot, caller.account_id)))
    shown = [_user_record(user, account, snapshot.now) for user in paging.of(users)]
    return paging.answer(request, shown, has_next=len(users) > paging.skip + paging.per_page)


def _chosen(sent: dict[str, str], users: list[User]) -> list[User]:
    ids, role = number_list(sent, "ids"), word(sent, "role", SellRole)
    status, confirmed = word(sent, "status", UserStatus), truth(sent, "confirmed")
    name, email = text(sent, "name"), text(sent, "email")
    if confirmed is False or number_list(sent, "zendesk_user_ids") is not None:
        return []
    return [
        user
        for user in users
        if (ids is None or user.id in ids)
        and (role is None or _role(user) is role)
        and (status is None or user.status is status)
        and (name is None or name.casefold() == user.name.casefold())
        and (email is None or email.casefold() == user.email.casefold())
    ]


@readable(
    "/users/self",
    opt=described("Show the token's user", scope=Scope.READ, answer=Record[ShownUser], answer_example=examples.USER),
)
def show_self(request: AnyRequest) -> Response[bytes]:
    """The user whose token this is."""
    return _shown(request, None)


@readable(
    "/users/{id:str}",
    opt=described(
        "Show a user", scope=Scope.READ, answer=Record[ShownUser], answer_example=examples.USER, refusals=(404,)
    ),
)
def show_user(request: AnyRequest, id: FromPath[str]) -> Response[bytes]:
    """One user."""
    return _shown(request, id)


def _shown(request: AnyRequest, id: str | None) -> Response[bytes]:
    with parts_of(request).world.database.read() as snapshot:
        caller = admit(snapshot, request, Scope.READ)
        read_parameters(request)
        user = accounts.get_user(snapshot, caller.account_id, caller.user_id if id is None else read_id(id, "user"))
        account = accounts.get_account(snapshot, caller.account_id)
    return json_reply(_user_record(user, account, snapshot.now))


@readable(
    "/accounts/self",
    opt=described(
        "Show the token's account", scope=Scope.READ, answer=Record[ShownAccount], answer_example=examples.ACCOUNT
    ),
)
def show_account(request: AnyRequest) -> Response[bytes]:
    """The account the token belongs to."""
    with parts_of(request).world.database.read() as snapshot:
        caller = admit(snapshot, request, Scope.READ)
        read_parameters(request)
        account = accounts.get_account(snapshot, caller.account_id)
    shown = ShownAccount(
        id=account.id,
        name=account.name,
        currency=None,
        time_format="24H" if manner_of(account.locale).has_24_hours else "12H",
        timezone=utc_offset(account.time_zone, snapshot.now),
        phone=None,
        subdomain=None,
        created_at=whole_seconds(account.created_at),
        updated_at=whole_seconds(account.updated_at),
    )
    return json_reply(Record(shown, _ACCOUNT))


def _user_record(user: User, account: Account, now: datetime) -> Record[ShownUser]:
    shown = ShownUser(
        id=user.id,
        name=user.name,
        email=user.email,
        status=user.status,
        invited=False,
        confirmed=True,
        phone_number=None,
        role=_role(user),
        roles=[],
        team_name=None,
        group=None,
        reports_to=None,
        timezone=utc_offset(user.time_zone or account.time_zone, now),
        created_at=whole_seconds(user.created_at),
        updated_at=whole_seconds(user.updated_at),
        deleted_at=None,
        zendesk_user_id=None,
    )
    return Record(shown, _USER)


def _role(user: User) -> SellRole:
    return SellRole.ADMIN if user.role is Role.ADMIN else SellRole.USER


def utc_offset(zone: str, now: datetime) -> str:
    """A zone as Sell writes it: its present offset, such as UTC+02:00."""
    written = now.astimezone(ZoneInfo(zone)).strftime("%z")
    return f"UTC{written[:3]}:{written[3:5]}"


handlers = [list_users, show_self, show_user, show_account]
