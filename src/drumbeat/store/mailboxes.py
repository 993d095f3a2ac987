"""Mailboxes: how an actor sends; each has its lane."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from drumbeat.domain.errors import NotFound
from drumbeat.domain.limits import Pace
from drumbeat.store import lanes
from drumbeat.store.accounts import take_ids
from drumbeat.store.stamps import instant_or_none, stamp_or_none, to_stamp
from drumbeat.store.statement import Record, Statement
from drumbeat.store.transaction import Snapshot, Tx

IDENTITY_LASTS = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class StoredMailbox:
    """A mailbox with its sealed password, and the hold on it if its server lets nothing through."""

    account_id: int
    id: int
    name: str
    sender_name: str
    sender_email: str
    host: str
    port: int
    security: str
    username: str | None
    sealed_password: str | None
    connections: int
    is_catcher: bool
    is_active: bool
    held_since: datetime | None = None
    held_until: datetime | None = None
    hold_reason: str | None = None
    hold_detail: str | None = None
    hold_count: int = 0
    is_removed: bool = False
    per_day: int | None = None
    per_hour: int | None = None
    spacing: int = 0  # seconds
    ramp_from: int | None = None
    ramp_since: datetime | None = None
    per_domain: int | None = None
    dkim_selector: str | None = None
    sealed_dkim_key: str | None = None
    sealed_grant: str | None = None
    provider: str | None = None
    sealed_hook: str | None = None
    needs_identity: bool = False
    identity_seen_at: datetime | None = None

    @property
    def known_by(self) -> tuple[object, ...]:
        """What receivers look up about its sender hangs on these, and whether it matters."""
        return self.sender_email, self.provider, self.host, self.security, self.dkim_selector, self.needs_identity

    @property
    def is_unproven(self) -> bool:
        """Whether it may not send before its sender was found as receivers want it."""
        return self.needs_identity and self.identity_seen_at is None

    @property
    def is_paced(self) -> bool:
        """Whether it has limits of its own."""
        return bool(self.per_day or self.per_hour or self.spacing or self.ramp_from)

    def pace(self, zone: str) -> Pace:
        """Its limits, by the hours and days of this zone."""
        spacing = timedelta(seconds=self.spacing)
        return Pace(zone, self.per_day, self.per_hour, spacing, self.ramp_from, self.ramp_since)

    @property
    def is_free(self) -> bool:
        """Whether nothing holds it, nor did when it last sent."""
        return self.held_until is None and self.hold_reason is None and not self.hold_count

    @property
    def hold(self) -> tuple[object, ...]:
        """Which hold it is: a later one differs."""
        return self.held_since, self.held_until, self.hold_reason, self.hold_count

    @property
    def server_settings(self) -> tuple[object, ...]:
        """What the connections to its server depend on, and whether its secrets can be opened."""
        secrets = self.sealed_password, self.sealed_grant, self.sealed_dkim_key
        return self.provider, self.host, self.port, self.security, self.username, *secrets, self.connections


def add(tx: Tx, mailbox: StoredMailbox) -> int:
    """A new mailbox and its lane; returns its id, whatever id the value carries."""
    mailbox_id = take_ids(tx, mailbox.account_id, "mailbox")
    tx.run(_ADD, **_parameters(mailbox) | {"id": mailbox_id, "now": to_stamp(tx.now)})
    lanes.add(tx, mailbox.account_id, mailbox_id)
    return mailbox_id


def save_hold(tx: Tx, mailbox: StoredMailbox) -> None:
    """Store the hold of a locked mailbox, and nothing else of it."""
    names = ("account_id", "id", "held_since", "held_until", "hold_reason", "hold_detail", "hold_count")
    given = _parameters(mailbox)
    tx.run(_SAVE_HOLD, **{name: given[name] for name in names}, now=to_stamp(tx.now))


def save_settings(tx: Tx, mailbox: StoredMailbox) -> None:
    """Store how a locked mailbox sends, and nothing of its hold."""
    given = _parameters(mailbox)
    tx.run(_SAVE_SETTINGS, **{name: given[name] for name in ("account_id", "id", *_SETTINGS)}, now=to_stamp(tx.now))


def save_limits(tx: Tx, mailbox: StoredMailbox) -> None:
    """Store how quickly a locked mailbox may send."""
    given = _parameters(mailbox)
    tx.run(_SAVE_LIMITS, **{name: given[name] for name in ("account_id", "id", *_LIMITS)}, now=to_stamp(tx.now))


def save_grant(tx: Tx, account_id: int, id: int, sealed_grant: str) -> None:
    """Store the grant that a provider put in the place of the one before."""
    tx.run(_SAVE_GRANT, account_id=account_id, id=id, oauth_grant=sealed_grant, now=to_stamp(tx.now))


def save_signing(tx: Tx, mailbox: StoredMailbox) -> None:
    """Store what a locked mailbox's letters are signed with."""
    given = _parameters(mailbox)
    names = ("account_id", "id", "dkim_selector", "dkim_key")
    tx.run(_SAVE_SIGNING, **{name: given[name] for name in names}, now=to_stamp(tx.now))


def save_hook(tx: Tx, mailbox: StoredMailbox) -> None:
    """Store what a locked mailbox's provider proves itself with when it tells of letters."""
    tx.run(_SAVE_HOOK, account_id=mailbox.account_id, id=mailbox.id, hook=mailbox.sealed_hook, now=to_stamp(tx.now))


def save_identity(tx: Tx, mailbox: StoredMailbox) -> None:
    """Store when a locked mailbox's sender was last found as receivers want it."""
    given = _parameters(mailbox)
    names = ("account_id", "id", "identity_seen_at")
    tx.run(_SAVE_IDENTITY, **{name: given[name] for name in names}, now=to_stamp(tx.now))


def remove(tx: Tx, account_id: int, id: int) -> None:
    """Take a mailbox and its login out of use for good."""
    tx.run(_REMOVE, account_id=account_id, id=id, now=to_stamp(tx.now))


def switch(tx: Tx, account_id: int, id: int, *, on: bool) -> None:
    """Let a mailbox send, or not."""
    tx.run(_SWITCH, account_id=account_id, id=id, status="active" if on else "off", now=to_stamp(tx.now))


def move(tx: Tx, account_id: int, id: int, host: str, port: int) -> None:
    """Let a mailbox's server be somewhere else."""
    tx.run(_MOVE, account_id=account_id, id=id, host=host, port=port, now=to_stamp(tx.now))


def lock(tx: Tx, account_id: int, id: int) -> StoredMailbox:
    """The mailbox with its row locked, or NotFound: changes of its hold come one after the other."""
    tx.first(_LOCK, account_id=account_id, id=id)
    return get(tx, account_id, id)


def get(snapshot: Snapshot, account_id: int, id: int) -> StoredMailbox:
    """The mailbox, or NotFound."""
    row = snapshot.first(_GET, account_id=account_id, id=id)
    if row is None:
        raise NotFound(f"There is no mailbox {id}.")
    return _mailbox(row)


def list_all(snapshot: Snapshot, account_id: int) -> list[StoredMailbox]:
    """The account's mailboxes by id, without those that were removed."""
    return [_mailbox(row) for row in snapshot.all(_LIST, account_id=account_id)]


def list_to_test(snapshot: Snapshot, now: datetime) -> list[StoredMailbox]:
    """Mailboxes of any account whose hold is due for a test, or whose sender is to be looked up (again)."""
    return [_mailbox(row) for row in snapshot.all(_TO_TEST, now=to_stamp(now), seen=to_stamp(now - IDENTITY_LASTS))]


def any_real(snapshot: Snapshot) -> bool:
    """Whether any account has a mailbox beside the built-in catcher."""
    return snapshot.first(_ANY_REAL) is not None


def _parameters(mailbox: StoredMailbox) -> dict[str, Any]:
    return {
        "account_id": mailbox.account_id,
        "id": mailbox.id,
        "name": mailbox.name,
        "sender_name": mailbox.sender_name,
        "sender_email": mailbox.sender_email,
        "host": mailbox.host,
        "port": mailbox.port,
        "security": mailbox.security,
        "username": mailbox.username,
        "password": mailbox.sealed_password,
        "connections": mailbox.connections,
        "is_catcher": mailbox.is_catcher,
        "status": "active" if mailbox.is_active else "off",
        "held_since": stamp_or_none(mailbox.held_since),
        "held_until": stamp_or_none(mailbox.held_until),
        "hold_reason": mailbox.hold_reason,
        "hold_detail": mailbox.hold_detail,
        "hold_count": mailbox.hold_count,
        "per_day": mailbox.per_day,
        "per_hour": mailbox.per_hour,
        "spacing": mailbox.spacing,
        "ramp_from": mailbox.ramp_from,
        "ramp_since": stamp_or_none(mailbox.ramp_since),
        "per_domain": mailbox.per_domain,
        "dkim_selector": mailbox.dkim_selector,
        "dkim_key": mailbox.sealed_dkim_key,
        "oauth_grant": mailbox.sealed_grant,
        "provider": mailbox.provider,
        "hook": mailbox.sealed_hook,
        "needs_identity": mailbox.needs_identity,
        "identity_seen_at": stamp_or_none(mailbox.identity_seen_at),
    }


def _mailbox(row: Record) -> StoredMailbox:
    return StoredMailbox(
        account_id=row.account_id,
        id=row.id,
        name=row.name,
        sender_name=row.sender_name,
        sender_email=row.sender_email,
        host=row.host,
        port=row.port,
        security=row.security,
        username=row.username,
        sealed_password=row.password,
        connections=row.connections,
        is_catcher=bool(row.is_catcher),
        is_active=row.status == "active",
        held_since=instant_or_none(row.held_since),
        held_until=instant_or_none(row.held_until),
        hold_reason=row.hold_reason,
        hold_detail=row.hold_detail,
        hold_count=row.hold_count,
        is_removed=row.removed_at is not None,
        per_day=row.per_day,
        per_hour=row.per_hour,
        spacing=row.spacing,
        ramp_from=row.ramp_from,
        ramp_since=instant_or_none(row.ramp_since),
        per_domain=row.per_domain,
        dkim_selector=row.dkim_selector,
        sealed_dkim_key=row.dkim_key,
        sealed_grant=row.oauth_grant,
        provider=row.provider,
        sealed_hook=row.hook,
        needs_identity=bool(row.needs_identity),
        identity_seen_at=instant_or_none(row.identity_seen_at),
    )


_COLUMNS = (
    "account_id, id, name, sender_name, sender_email, host, port, security, username, password, connections, "
    "is_catcher, status, held_since, held_until, hold_reason, hold_detail, hold_count, "
    "per_day, per_hour, spacing, ramp_from, ramp_since, per_domain, dkim_selector, dkim_key, oauth_grant, "
    "provider, hook, needs_identity, identity_seen_at"
)
_ADD = Statement(f"""
    INSERT INTO mailboxes ({_COLUMNS}, created_at, updated_at)
    VALUES ({", ".join(":" + name for name in _COLUMNS.split(", "))}, :now, :now)
""")
_SAVE_HOLD = Statement("""
    UPDATE mailboxes SET held_since = :held_since, held_until = :held_until, hold_reason = :hold_reason,
        hold_detail = :hold_detail, hold_count = :hold_count, updated_at = :now
    WHERE account_id = :account_id AND id = :id
""")
_SETTINGS = (
    "name",
    "sender_name",
    "sender_email",
    "host",
    "port",
    "security",
    "username",
    "password",
    "oauth_grant",
    "connections",
    "needs_identity",
)
_SAVE_SETTINGS = Statement(f"""
    UPDATE mailboxes SET {", ".join(f"{name} = :{name}" for name in _SETTINGS)}, updated_at = :now
    WHERE account_id = :account_id AND id = :id
""")
_LIMITS = ("per_day", "per_hour", "spacing", "ramp_from", "ramp_since", "per_domain")
_SAVE_LIMITS = Statement(f"""
    UPDATE mailboxes SET {", ".join(f"{name} = :{name}" for name in _LIMITS)}, updated_at = :now
    WHERE account_id = :account_id AND id = :id
""")
_SAVE_GRANT = Statement("""
    UPDATE mailboxes SET oauth_grant = :oauth_grant, updated_at = :now
    WHERE account_id = :account_id AND id = :id AND oauth_grant IS NOT NULL
""")
_SAVE_SIGNING = Statement("""
    UPDATE mailboxes SET dkim_selector = :dkim_selector, dkim_key = :dkim_key, updated_at = :now
    WHERE account_id = :account_id AND id = :id
""")
_SAVE_HOOK = Statement("""
    UPDATE mailboxes SET hook = :hook, updated_at = :now WHERE account_id = :account_id AND id = :id
""")
_SAVE_IDENTITY = Statement("""
    UPDATE mailboxes SET identity_seen_at = :identity_seen_at, updated_at = :now
    WHERE account_id = :account_id AND id = :id
""")
_REMOVE = Statement("""
    UPDATE mailboxes SET status = 'off', removed_at = :now, username = NULL, password = NULL, dkim_key = NULL,
        oauth_grant = NULL, hook = NULL, held_since = NULL, held_until = NULL, hold_reason = NULL, hold_detail = NULL,
        hold_count = 0, updated_at = :now
    WHERE account_id = :account_id AND id = :id
""")
_SWITCH = Statement("""
    UPDATE mailboxes SET status = :status, updated_at = :now WHERE account_id = :account_id AND id = :id
""")
_MOVE = Statement("""
    UPDATE mailboxes SET host = :host, port = :port, updated_at = :now WHERE account_id = :account_id AND id = :id
""")
_LOCK = Statement("SELECT id FROM mailboxes WHERE account_id = :account_id AND id = :id {lock}")
_GET = Statement(f"SELECT {_COLUMNS}, removed_at FROM mailboxes WHERE account_id = :account_id AND id = :id")
_LIST = Statement(f"""
    SELECT {_COLUMNS}, removed_at FROM mailboxes WHERE account_id = :account_id AND removed_at IS NULL ORDER BY id
""")
_TO_TEST = Statement(f"""
    SELECT {_COLUMNS}, removed_at FROM mailboxes
    WHERE status = 'active' AND (
        hold_reason IS NOT NULL AND held_until <= :now
        OR needs_identity AND hold_reason IS NULL AND coalesce(held_until, 0) <= :now
            AND coalesce(identity_seen_at, 0) <= :seen
    ) ORDER BY coalesce(held_until, 0) LIMIT 20
""")
_ANY_REAL = Statement("SELECT 1 FROM mailboxes WHERE NOT is_catcher AND removed_at IS NULL LIMIT 1")
