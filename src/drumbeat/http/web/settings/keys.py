"""/settings/keys: tokens and keys that other programs come in with; each is shown once, when it is made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from litestar import Response, post
from litestar.params import FromPath, RawBody

from drumbeat.domain.access import GRANTABLE, CredentialKind, Scope, check_scopes
from drumbeat.domain.account import Role
from drumbeat.domain.errors import IncorrectValue, Invalid, InvalidMany
from drumbeat.http.app_api.shapes import fields_named
from drumbeat.http.parts import AnyRequest, readable
from drumbeat.http.reading import read_id
from drumbeat.http.web.forms import Form
from drumbeat.http.web.frame import Sent, Visit, opened, posted, visiting
from drumbeat.operations.accounts import mint, new_secret, revoke
from drumbeat.store import accounts, credentials
from drumbeat.store.stamps import instant_or_none
from drumbeat.store.transaction import Tx

_PAGE = "/settings/keys"
_KINDS = (
    (CredentialKind.KEY.value, "Key for /api/v1"),
    (CredentialKind.TOKEN.value, "Token for /v2"),
)
_SCOPES: dict[str, str] = {
    Scope.READ: "Look at people, tasks, sequences and enrollments over /v2.",
    Scope.WRITE: "Make, change and delete people and tasks, and enroll people over /v2.",
    Scope.SEQUENCES_READ: "List sequences over /api/v1.",
    Scope.SEQUENCES_EXECUTE: "Start a sequence for people over /api/v1.",
    "sequences:*": "Everything that has to do with sequences over /api/v1.",
    "*": "Everything.",
}
_OFFERED = tuple((str(scope), _SCOPES.get(scope, "")) for scope in GRANTABLE)


@dataclass(frozen=True, slots=True)
class Listed:
    """A token or key without its text, which is not stored."""

    id: int
    kind: CredentialKind
    name: str
    user_id: int
    scopes: list[str]
    created_at: datetime | None
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None

    @classmethod
    def of(cls, row: dict[str, Any]) -> Listed:
        """From what the store shows of it."""
        instants = {name: instant_or_none(row[name]) for name in _INSTANTS}
        kind = CredentialKind(row["kind"])
        return cls(row["id"], kind, row["name"], row["user_id"], row["scopes"].split(), **instants)

    def is_over(self, now: datetime) -> bool:
        """Whether it was revoked or has expired."""
        return self.revoked_at is not None or (self.expires_at is not None and self.expires_at <= now)


_INSTANTS = ("created_at", "expires_at", "last_used_at", "revoked_at")


@readable(_PAGE, opt=opened(Role.ADMIN))
def show_keys(request: AnyRequest) -> Response[bytes]:
    """Every token and key with its last use, and a form to make one with."""
    with visiting(request, Role.ADMIN) as visit:
        return _page(visit, _blank())


def _blank() -> Form:
    return Form.of(name=None, kind=CredentialKind.KEY.value, scopes=[], user_id=None, expires_at=None)


def _page(visit: Visit, form: Form, status: int = 200, made: str = "") -> Response[bytes]:
    found = [Listed.of(row) for row in credentials.list_all(visit.snapshot, visit.account_id)][::-1]
    users = accounts.list_users(visit.snapshot, visit.account_id)
    return visit.page(
        "settings/keys.html",
        status,
        form=form,
        made=made,
        live=[each for each in found if not each.is_over(visit.snapshot.now)],
        over=[each for each in found if each.is_over(visit.snapshot.now)],
        users={user.id: user for user in users},
        owners=[(user.id, user.name) for user in users if user.is_active and user.id != visit.user.id],
        kinds=_KINDS,
        scopes=_OFFERED,
    )


@post(_PAGE, status_code=200, sync_to_thread=True, opt=opened(Role.ADMIN))
def make_key(request: AnyRequest, body: RawBody) -> Response[bytes]:
    """A new token or key; this answer is the only one that holds its text."""
    sent = posted(request, body, Role.ADMIN)
    sent.form.values = {"scopes": [], **sent.form.values}
    try:
        with fields_named(user="user_id"):
            text = _made(sent)
    except (Invalid, InvalidMany) as error:
        with sent.again() as visit:
            return _page(visit, sent.form.complain(error), 422)
    with sent.again() as visit:
        return _page(visit, _blank(), made=text)


def _made(sent: Sent) -> str:
    form = sent.form
    kind, scopes = form.chosen("kind", CredentialKind), list(dict.fromkeys(form.all("scopes")))
    check_scopes(scopes)
    user_id, expires_at = form.number("user_id", 1) or sent.by, sent.instant("expires_at")

    def work(tx: Tx) -> str:
        if expires_at is not None and expires_at <= tx.now:
            raise IncorrectValue("Name an instant in the future.", field="expires_at")
        return mint(
            tx,
            sent.account_id,
            kind,
            user_id,
            scopes,
            name=form.text("name"),
            secret=new_secret(),
            expires_at=expires_at,
            actor_id=sent.by,
        )

    return sent.transact(work)


@post(f"{_PAGE}/{{id:str}}/revoke", status_code=303, sync_to_thread=True, opt=opened(Role.ADMIN))
def revoke_key(request: AnyRequest, id: FromPath[str], body: RawBody) -> Response[bytes]:
    """It opens nothing from now on; it stays in the list."""
    sent, number = posted(request, body, Role.ADMIN), read_id(id, "token or key")
    return sent.done(_PAGE, "It opens nothing any more.", lambda tx: revoke(tx, sent.account_id, number, sent.by))


handlers = [show_keys, make_key, revoke_key]
