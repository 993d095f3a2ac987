"""/api/session: signing in, who is signed in, choosing another account, signing out."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Response, delete, post, put
from litestar.params import RawBody

from drumbeat.domain.access import SESSION_LASTS, csrf_token, fingerprint
from drumbeat.domain.account import Account, Role, User
from drumbeat.domain.errors import WrongPassword
from drumbeat.domain.person import address_key
from drumbeat.http.app_api.admission import (
    Member,
    admit_member,
    admit_writing,
    caller_host,
    check_same_site,
    cookie_name,
    forget_cookie,
    is_secure,
)
from drumbeat.http.app_api.shapes import One, nothing, reply
from drumbeat.http.decoding import BodyReader, Email, Id, Name
from drumbeat.http.openapi import described
from drumbeat.http.parts import AnyRequest, parts_of, readable
from drumbeat.http.reading import read_parameters
from drumbeat.operations.accounts import checked_password, new_secret
from drumbeat.operations.sign_in import (
    Opened,
    accounts_of,
    count_attempt,
    end_sessions,
    forget_attempts,
    open_session,
)
from drumbeat.store import accounts, sessions
from drumbeat.store.transaction import Tx

_PURPOSE = "sign-in"


class SigningIn(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """An e-mail address and its password; accountId picks one of several accounts."""

    email: Email
    password: Name
    account_id: Id | None = None


class Picking(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Another account that the same address may work in."""

    account_id: Id


class NamedAccount(msgspec.Struct, frozen=True):
    """An account one may work in."""

    id: int
    name: str


class SignedInUser(msgspec.Struct, rename="camel", frozen=True):
    """Who is signed in."""

    id: int
    name: str
    email: str
    role: Role
    time_zone: str | None


class SessionShown(msgspec.Struct, rename="camel", frozen=True):
    """Who works where; changes carry csrfToken in the header X-CSRF-Token."""

    user: SignedInUser
    account: NamedAccount
    accounts: list[NamedAccount]
    csrf_token: str


_EXAMPLE = {
    "data": {
        "user": {
            "id": 1,
            "name": "Olive Owner",
            "email": "olive@tea.example",
            "role": "admin",
            "timeZone": "Europe/London",
        },
        "account": {"id": 1, "name": "Tea House"},
        "accounts": [{"id": 1, "name": "Tea House"}],
        "csrfToken": "1f0c…",
    }
}
_read = BodyReader(SigningIn)
_read_picking = BodyReader(Picking)


@post(
    "/session",
    status_code=200,
    sync_to_thread=True,
    opt=described(
        "Sign in",
        body=SigningIn,
        example={"email": "olive@tea.example", "password": "a long password"},
        answer=One[SessionShown],
        answer_example=_EXAMPLE,
        refusals=(400, 401, 403, 404, 429),
    ),
)
def sign_in(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """Sets the session's cookie. It is over after 12 hours without use, and after 14 days in any case."""
    read_parameters(request)
    sent = _read(request, body)
    return _opened(request, enter(request, sent.email, sent.password, sent.account_id))


def enter(request: AnyRequest, email: str, password: str, account_id: int | None = None) -> Opened:
    """A new session for whoever knows the password; WrongPassword, TooManyAttempts or CrossSite."""
    check_same_site(request)
    parts, host = parts_of(request), caller_host(request)
    database, hash_key = parts.world.database, parts.world.hash_key
    database.transact(lambda tx: count_attempt(tx, hash_key, _PURPOSE, email, host))
    with database.read() as snapshot:
        found = accounts.find_login(snapshot, address_key(email))
    with parts.hashing:
        is_right = checked_password(password, None if found is None else found.password_hash)
    if found is None or not is_right:
        raise WrongPassword("Check both.")

    def work(tx: Tx) -> Opened:
        forget_attempts(tx, hash_key, _PURPOSE, email, host)
        return open_session(tx, found.id, new_secret(), account_id)

    return database.transact(work)


@readable(
    "/session",
    opt=described("Who is signed in", role=Role.AGENT, answer=One[SessionShown], answer_example=_EXAMPLE),
)
def show_session(request: AnyRequest) -> Response[bytes]:
    """The user, the account they work in, the others they may pick, and the token that changes carry."""
    with parts_of(request).world.database.read() as snapshot:
        member = admit_member(snapshot, request)
        read_parameters(request)
        user = accounts.get_user(snapshot, member.account_id, member.user_id)
        account = accounts.get_account(snapshot, member.account_id)
        others = accounts_of(snapshot, member.session.login_id)
    return reply(_shown(user, account, others, member.csrf))


@put(
    "/session",
    sync_to_thread=True,
    opt=described(
        "Work in another account",
        role=Role.AGENT,
        body=Picking,
        example={"accountId": 2},
        answer=One[SessionShown],
        answer_example=_EXAMPLE,
        refusals=(404,),
    ),
)
def pick_account(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """Ends this session and begins one in the other account."""
    member = admit_writing(request)
    read_parameters(request)
    return _opened(request, change_account(request, member, _read_picking(request, body).account_id))


def change_account(request: AnyRequest, member: Member, account_id: int) -> Opened:
    """A session in another account of the same login instead of this one; NotFound if there is none."""

    def work(tx: Tx) -> Opened:
        opened = open_session(tx, member.session.login_id, new_secret(), account_id)
        sessions.delete(tx, member.account_id, member.session.id)
        return opened

    return parts_of(request).world.database.transact(work)


@delete("/session", status_code=204, sync_to_thread=True, opt=described("Sign out", role=Role.AGENT, status=204))
def sign_out(request: AnyRequest) -> Response[None]:
    """Ends this session."""
    member = admit_writing(request)
    read_parameters(request)
    return leave(request, member, nothing())


def leave(request: AnyRequest, member: Member, answer: Response[Any]) -> Response[Any]:
    """End the session, and let the answer take its cookie away."""
    session = member.session
    parts_of(request).world.database.transact(lambda tx: sessions.delete(tx, session.account_id, session.id))
    forget_cookie(request, answer, cookie_name(request))
    return answer


@delete(
    "/sessions",
    status_code=204,
    sync_to_thread=True,
    opt=described("Sign out everywhere else", role=Role.AGENT, status=204),
)
def sign_out_elsewhere(request: AnyRequest) -> Response[None]:
    """Ends every other session of whoever is signed in, in every account."""
    member = admit_writing(request)
    read_parameters(request)
    session = member.session
    parts_of(request).world.database.transact(lambda tx: end_sessions(tx, session.login_id, but=session))
    return nothing()


def _opened(request: AnyRequest, opened: Opened) -> Response[bytes]:
    csrf = csrf_token(parts_of(request).world.hash_key, opened.session, fingerprint(opened.text))
    return keep(request, opened, reply(_shown(opened.user, opened.account, opened.others, csrf)))


def keep(request: AnyRequest, opened: Opened, answer: Response[Any]) -> Response[Any]:
    """Let the answer give the browser the session's cookie."""
    answer.set_cookie(
        key=cookie_name(request),
        value=opened.text,
        max_age=int(SESSION_LASTS.total_seconds()),
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="lax",
    )
    return answer


def _shown(user: User, account: Account, others: tuple[Account, ...], csrf: str) -> SessionShown:
    return SessionShown(
        user=SignedInUser(user.id, user.name, user.email, user.role, user.time_zone),
        account=NamedAccount(account.id, account.name),
        accounts=[NamedAccount(each.id, each.name) for each in others],
        csrf_token=csrf,
    )


handlers = [sign_in, show_session, pick_account, sign_out, sign_out_elsewhere]
