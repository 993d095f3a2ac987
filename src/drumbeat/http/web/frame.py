"""What every page shares: who looks at it, the frame around it, and how a form's answer leads on to the next page."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec
from litestar import Response

from drumbeat.domain.account import Account, Role, User
from drumbeat.domain.errors import IncorrectValue, NotSignedIn, Refused
from drumbeat.http.app_api.admission import (
    Member,
    StaleToken,
    admit_member,
    admit_writing,
    cookie_name,
    forget_cookie,
    is_secure,
)
from drumbeat.http.manner import Manner, manner_of
from drumbeat.http.once_more import NotTaken
from drumbeat.http.openapi import PAGE
from drumbeat.http.pages import SCRIPT_POLICY
from drumbeat.http.parts import AnyRequest, parts_of
from drumbeat.http.web.forms import Form, read_form, read_number
from drumbeat.store import accounts
from drumbeat.store.transaction import Snapshot, Tx
from drumbeat.wiring import World

T = TypeVar("T")
_LONGEST_SAID = 400  # characters, of four bytes at most: a cookie holds 4,096
_MOST_KEPT = 1_000_000  # bytes of a form that is shown again to somebody who was signed out
_SAID_FOR = 60  # seconds: until the next page is seen


def opened(least: Role = Role.AGENT) -> dict[str, Role]:
    """A handler's `opt`: a page of the app, seen by users of this role and above."""
    return {PAGE: least}


class Undo(msgspec.Struct, frozen=True):
    """A button that takes back what was done: where it posts to, and what."""

    action: str
    label: str = "Undo"
    fields: dict[str, str] = {}


class Said(msgspec.Struct, frozen=True):
    """What the next page says of what was done; `wrong` if it was not done."""

    text: str
    wrong: bool = False
    undo: Undo | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody looks at a page: who, in which account, and all that the page reads is as of one instant."""

    request: AnyRequest
    snapshot: Snapshot
    member: Member
    user: User
    account: Account

    @property
    def account_id(self) -> int:
        """The account looked at."""
        return self.account.id

    @property
    def seen_by(self) -> int | None:
        """Whose records they see; None: everybody's."""
        return self.member.seen_by

    @property
    def zone(self) -> str:
        """Whose clock instants are shown on: the user's, else the account's."""
        return self.user.time_zone or self.account.time_zone

    @property
    def manner(self) -> Manner:
        """How days, times and numbers are written: as in the user's locale, else the account's."""
        return manner_of(self.user.locale or self.account.locale)

    @property
    def query(self) -> Mapping[str, str]:
        """The query's parameters, the last of each; a page takes no offence at others."""
        return {name: value.replace("\0", "") for name, value in self.request.query_params.items()}

    def number(self, name: str) -> int:
        """A parameter that is an id, or 0."""
        return read_number(self.query.get(name, ""))

    def page(self, name: str, status: int = 200, /, **values: Any) -> Response[bytes]:
        """The page in its frame, with what was said to them last."""
        said = _said(self.request)
        answer = parts_of(self.request).pages.page(
            name,
            status,
            policy=SCRIPT_POLICY,
            me=self.user,
            is_admin=self.user.role is Role.ADMIN,
            account=self.account,
            csrf=self.member.csrf,
            zone=self.zone,
            manner=self.manner,
            now=self.snapshot.now,
            path=self.request.scope["path"],
            said=said,
            **values,
        )
        if said is not None:
            forget_cookie(self.request, answer, _said_name(self.request))
        return answer

    def part(self, name: str, /, **values: Any) -> Response[bytes]:
        """A part of a page, for a page that asks for it again."""
        return parts_of(self.request).pages.page(
            name,
            csrf=self.member.csrf,
            zone=self.zone,
            manner=self.manner,
            now=self.snapshot.now,
            is_admin=self.user.role is Role.ADMIN,
            **values,
        )


@contextmanager
def visiting(request: AnyRequest, least: Role = Role.AGENT) -> Iterator[Visit]:
    """Whoever is signed in looks at a page; NotSignedIn or AdminsOnly."""
    with parts_of(request).world.database.read() as snapshot:
        yield visit(request, snapshot, admit_member(snapshot, request, least))


def visit(request: AnyRequest, snapshot: Snapshot, member: Member) -> Visit:
    """The same for a member already admitted."""
    user = accounts.get_user(snapshot, member.account_id, member.user_id)
    return Visit(request, snapshot, member, user, accounts.get_account(snapshot, member.account_id))


@dataclass(frozen=True, slots=True)
class Sent:
    """A form that a member sent."""

    request: AnyRequest
    member: Member
    form: Form = field(repr=False)

    @property
    def account_id(self) -> int:
        """The account it concerns."""
        return self.member.account_id

    @property
    def by(self) -> int:
        """The user who sent it."""
        return self.member.user_id

    @property
    def world(self) -> World:
        """The parts to do it with."""
        return parts_of(self.request).world

    @property
    def manner(self) -> Manner:
        """How numbers are written in what the sender is told."""
        with self.again() as visit:
            return visit.manner

    def transact(self, work: Callable[[Tx], T]) -> T:
        """Do it in one transaction."""
        return self.world.database.transact(work)

    def instant(self, name: str) -> datetime | None:
        """A date and a time on the sender's clock, as a form's field sends them; None where it was left blank."""
        text = self.form.text(name)
        if not text:
            return None
        with self.again() as visit:
            zone = ZoneInfo(visit.zone)
        try:
            local = datetime.fromisoformat(text)
            return (local if local.tzinfo else local.replace(tzinfo=zone)).astimezone(UTC).replace(microsecond=0)
        except (ValueError, OverflowError):
            raise IncorrectValue("Write a date and a time, such as 2026-03-03 10:00.", field=name) from None

    @contextmanager
    def again(self) -> Iterator[Visit]:
        """Look at the page again, to show what is wrong."""
        with self.world.database.read() as snapshot:
            yield visit(self.request, snapshot, self.member)

    def to(self, path: str, text: str = "", *, wrong: bool = False, undo: Undo | None = None) -> Response[bytes]:
        """Lead on to the page that shows what was done, and say so there."""
        answer = Response(b"", status_code=303, headers={"location": path, "cache-control": "no-store"})
        if text:
            said = base64.urlsafe_b64encode(msgspec.json.encode(Said(text[:_LONGEST_SAID], wrong, undo))).decode()
            answer.set_cookie(
                key=_said_name(self.request),
                value=said,
                max_age=_SAID_FOR,
                path="/",
                secure=is_secure(self.request),
                httponly=True,
                samesite="lax",
            )
        return answer

    def done(self, path: str, text: str, work: Callable[[Tx], object], *, undo: Undo | None = None) -> Response[bytes]:
        """Do what a button is for and lead on; what is refused is said there, too."""
        try:
            self.transact(work)
        except Refused as error:
            return self.to(path, error.detail or error.message, wrong=True)
        return self.to(path, text, undo=undo)


def posted(request: AnyRequest, body: bytes, least: Role = Role.AGENT) -> Sent:
    """A form that whoever is signed in sent from a page of ours; NotSignedIn, NotTaken, AdminsOnly or CrossSite."""
    if cookie_name(request) not in request.cookies and len(body) > _MOST_KEPT:
        raise NotSignedIn("Sign in first.")  # before anything of it is read
    form = read_form(request, bytes(body))
    try:
        return Sent(request, admit_writing(request, least, csrf=form.text("csrf")), form)
    except NotSignedIn:
        if not form.is_filled:
            raise
        raise NotTaken(form.texts, None, has_files=bool(form.files)) from None
    except StaleToken as stale:
        raise NotTaken(form.texts, stale.csrf, has_files=bool(form.files)) from None


def own_path(text: str, otherwise: str) -> str:
    """A path of this host to lead to, as it was sent, or the other one."""
    is_own = text.startswith("/") and not text.startswith(("//", "/\\"))
    return text if is_own and text.isascii() and text.isprintable() and len(text) < 2000 else otherwise


def _said(request: AnyRequest) -> Said | None:
    text = request.cookies.get(_said_name(request))
    if not text or request.headers.get("hx-request"):  # a page that asks for itself again shows no message
        return None
    try:
        said = msgspec.json.decode(base64.urlsafe_b64decode(text), type=Said)
    except (ValueError, msgspec.DecodeError):
        return None
    is_ours = said.undo is None or own_path(said.undo.action, "") == said.undo.action
    return said if is_ours else None


def _said_name(request: AnyRequest) -> str:
    return "__Host-drumbeat-said" if is_secure(request) else "drumbeat-said"
