"""Who is signed in: the session's cookie, and for every change the token that only our own pages know."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Any

from litestar import Response

from drumbeat.domain.access import Session, csrf_token, has_role
from drumbeat.domain.account import Role
from drumbeat.domain.errors import AdminsOnly, CrossSite, NotSignedIn
from drumbeat.http.auth import note_session
from drumbeat.http.parts import AnyRequest, parts_of
from drumbeat.operations.sign_in import checked_session
from drumbeat.store.transaction import Snapshot

CSRF_HEADER = "X-CSRF-Token"
_SAFE = ("GET", "HEAD")
_OWN = ("same-origin", "none")


class StaleToken(CrossSite):
    """The request does not bring the token of its session, which is `csrf`."""

    def __init__(self, csrf: str, detail: str) -> None:
        super().__init__(detail)
        self.csrf = csrf


@dataclass(frozen=True, slots=True)
class Member:
    """Whoever is signed in; `csrf` is what their changes must carry."""

    session: Session
    csrf: str

    @property
    def account_id(self) -> int:
        """The account they work in."""
        return self.session.account_id

    @property
    def user_id(self) -> int:
        """Who they are there."""
        return self.session.user_id

    @property
    def is_admin(self) -> bool:
        """Whether they may do what admins may."""
        return has_role(self.session.role, Role.ADMIN)

    @property
    def seen_by(self) -> int | None:
        """Whose records they see; None: everybody's in the account."""
        return self.session.seen_by


def admit_member(
    snapshot: Snapshot, request: AnyRequest, least: Role = Role.AGENT, *, csrf: str | None = None
) -> Member:
    """The user behind the session's cookie; NotSignedIn, CrossSite or AdminsOnly. A page's form brings its `csrf` in a
    field, every other change in a header."""
    text = request.cookies.get(cookie_name(request))
    if not text:
        raise NotSignedIn("Post your e-mail address and password to /api/session.")
    session, stored = checked_session(snapshot, text)
    member = Member(session, csrf_token(parts_of(request).world.hash_key, session, stored))
    if request.method not in _SAFE:
        check_same_site(request)
        sent = csrf or request.headers.get(CSRF_HEADER) or ""
        if not hmac.compare_digest(sent.encode(), member.csrf.encode()):
            detail = f"Send the header {CSRF_HEADER} with the csrfToken that GET /api/session tells."
            raise StaleToken(member.csrf, detail)
    if not has_role(session.role, least):
        raise AdminsOnly("Ask an admin of the account.")
    note_session(request, session, snapshot.now)
    return member


def admit_writing(request: AnyRequest, least: Role = Role.AGENT, *, csrf: str | None = None) -> Member:
    """The same in a transaction of its own, before a writing one begins."""
    with parts_of(request).world.database.read() as snapshot:
        return admit_member(snapshot, request, least, csrf=csrf)


def check_same_site(request: AnyRequest) -> None:
    """CrossSite if the browser says that another site's page sends this."""
    if request.headers.get("sec-fetch-site", "none") not in _OWN:
        raise CrossSite("It is taken from Drumbeat's own pages only.")


def is_secure(request: AnyRequest) -> bool:
    """Whether people reach Drumbeat by https only."""
    return parts_of(request).world.settings.base_url.startswith("https://")


def cookie_name(request: AnyRequest) -> str:
    """The cookie that holds the session; by https one that no other host can set."""
    return "__Host-drumbeat" if is_secure(request) else "drumbeat"


def forget_cookie(request: AnyRequest, answer: Response[Any], name: str) -> None:
    """Let the answer take a cookie of ours away; by https no browser lets go of one that is not told to be secure."""
    answer.set_cookie(key=name, value="", max_age=0, path="/", secure=is_secure(request), httponly=True, samesite="lax")


def caller_host(request: AnyRequest) -> str:
    """The address a request comes from, behind as many proxies as the settings trust."""
    proxies = parts_of(request).world.settings.proxies
    hops = [hop.strip() for line in request.headers.getall("x-forwarded-for", []) for hop in line.split(",")]
    if 0 < proxies <= len(hops):
        return hops[-proxies]
    return request.client.host if request.client else ""
