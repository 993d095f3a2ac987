"""Passwords: a letter for whoever forgot theirs, choosing one by the letter's link, changing one."""

from __future__ import annotations

import msgspec
from litestar import Response, post, put
from litestar.params import RawBody

from drumbeat.domain.account import Role
from drumbeat.domain.errors import IncorrectValue
from drumbeat.http.app_api.admission import Member, admit_writing, caller_host, check_same_site
from drumbeat.http.app_api.shapes import nothing
from drumbeat.http.decoding import BodyReader, Email, Name
from drumbeat.http.openapi import described
from drumbeat.http.parts import AnyRequest, parts_of
from drumbeat.http.reading import read_parameters
from drumbeat.operations.accounts import checked_password, hash_password, new_secret
from drumbeat.operations.passwords import change_password, choose_password, forgot, linked_user
from drumbeat.operations.sign_in import count_attempt
from drumbeat.store import accounts
from drumbeat.store.transaction import Tx


class Forgetting(msgspec.Struct, forbid_unknown_fields=True):
    """The address somebody signs in with."""

    email: Email


class Choosing(msgspec.Struct, forbid_unknown_fields=True):
    """The code that a letter's link holds behind its #, and the password to be: 10 to 255 characters."""

    code: Name
    password: Name


class Changing(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """The password as it is, and as it is to be: 10 to 255 characters."""

    current_password: Name
    password: Name


_read_forgetting = BodyReader(Forgetting)
_read_choosing = BodyReader(Choosing)
_read_changing = BodyReader(Changing)


@post(
    "/password-letters",
    status_code=204,
    sync_to_thread=True,
    opt=described(
        "Ask for a letter to choose another password",
        body=Forgetting,
        example={"email": "olive@tea.example"},
        status=204,
        refusals=(400, 403, 429),
    ),
)
def ask_for_letter(request: AnyRequest, body: RawBody) -> Response[None]:
    """Whoever signs in with the address gets a letter; the answer does not tell whether anybody does."""
    read_parameters(request)
    send_link(request, _read_forgetting(request, body).email)
    return nothing()


def send_link(request: AnyRequest, email: str) -> None:
    """Send whoever signs in with the address a letter with a link; TooManyAttempts or CrossSite."""
    check_same_site(request)
    world, host = parts_of(request).world, caller_host(request)

    def work(tx: Tx) -> None:
        count_attempt(tx, world.hash_key, "password-letter", email, host)
        forgot(tx, world.vault, world.settings.base_url, email, secret=new_secret())

    world.database.transact(work)


@post(
    "/passwords",
    status_code=204,
    sync_to_thread=True,
    opt=described(
        "Choose a password by a letter's link",
        body=Choosing,
        example={"code": "dbl_…", "password": "a long password"},
        status=204,
        refusals=(400, 403, 410),
    ),
)
def choose(request: AnyRequest, body: RawBody) -> Response[None]:
    """Sets the password, and ends every session of whoever the letter was for. The link works once."""
    check_same_site(request)
    read_parameters(request)
    sent = _read_choosing(request, body)
    choose_by_code(request, sent.code, sent.password)
    return nothing()


def choose_by_code(request: AnyRequest, code: str, password: str) -> None:
    """Set the password that somebody chose by a letter's link; LinkUsedUp, or IncorrectValue on the password."""
    parts = parts_of(request)
    with parts.world.database.read() as snapshot:
        linked_user(snapshot, code)  # so that nobody has passwords hashed here who has no link
    with parts.hashing:
        password_hash = hash_password(password)
    parts.world.database.transact(lambda tx: choose_password(tx, code, password_hash))


@put(
    "/password",
    status_code=204,
    sync_to_thread=True,
    opt=described(
        "Change the password",
        role=Role.AGENT,
        body=Changing,
        example={"currentPassword": "a long password", "password": "a longer password"},
        status=204,
        refusals=(429,),
    ),
)
def change(request: AnyRequest, body: RawBody) -> Response[None]:
    """Changes the password of whoever is signed in, in every account, and ends their other sessions."""
    member = admit_writing(request)
    read_parameters(request)
    sent = _read_changing(request, body)
    change_own(request, member, sent.current_password, sent.password)
    return nothing()


def change_own(request: AnyRequest, member: Member, current: str, password: str) -> None:
    """Change the password of whoever is signed in; IncorrectValue on current_password or password."""
    parts, host = parts_of(request), caller_host(request)
    database, session = parts.world.database, member.session
    purpose = f"password of {session.login_id}"
    database.transact(lambda tx: count_attempt(tx, parts.world.hash_key, purpose, "", host))
    with database.read() as snapshot:
        stored = accounts.get_password_hash(snapshot, session.login_id)
    with parts.hashing:
        if not checked_password(current, stored):
            raise IncorrectValue("This is not your password.", field="current_password")
        password_hash = hash_password(password)
    database.transact(lambda tx: change_password(tx, session, password_hash))


handlers = [ask_for_letter, choose, change]
