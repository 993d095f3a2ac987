"""The real parts, put together once: the database, the keys, and what writes letters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from drumbeat.domain.errors import MasterKeyMissing, Misconfigured, TestClockRefused
from drumbeat.mail.notice import SystemSender, read_sender
from drumbeat.mail.resolver import Resolver
from drumbeat.operations.grants import Tokens
from drumbeat.operations.letters import Identity, Writer
from drumbeat.operations.signing import signing_keys
from drumbeat.settings import Settings, text_in
from drumbeat.store import installation, mailboxes, migrate, templates
from drumbeat.store.database import Database, place_of
from drumbeat.store.installation import Vault
from drumbeat.store.promises import check_promises

_MASTER_KEY = "master.key"


@dataclass(frozen=True, slots=True)
class World:
    """Everything an entry point works with."""

    settings: Settings
    database: Database
    vault: Vault
    identity: Identity
    writer: Writer
    tokens: Tokens

    @property
    def sender(self) -> SystemSender | None:
        """Who the installation's own letters are from, and by which server; None: nobody takes them."""
        settings = self.settings
        return read_sender(settings.mail_url, settings.mail_from) if settings.mail_url else None

    @property
    def resolver(self) -> Resolver:
        """The DNS that senders are looked up at."""
        return Resolver(self.settings.dns)

    @property
    def hash_key(self) -> bytes:
        """The key that MACs addresses, links and Message-IDs."""
        return self.identity.hash_key

    def close(self) -> None:
        """Close the database's connections."""
        self.database.close()


def open_world(settings: Settings, *, create: bool = True, now: Callable[[], datetime] | None = None) -> World:
    """Open the data folder and the database, migrated and keyed; raises Misconfigured when it must not start.

    With `create` they are made where there are none.
    """
    if settings.mail_url:
        read_sender(settings.mail_url, settings.mail_from)  # refuses what cannot work, before anything is made
    if create:
        make_folder(settings)
    elif not migrate.exists(settings.database_url):
        raise Misconfigured(nothing_there(settings))
    migrate.upgrade(settings.database_url)
    database = Database(settings.database_url, now=now, test_clock=settings.test_clock)
    check_promises(database, overridden=settings.unsafe)
    vault = Vault(_master_keys(settings, database, create=create))
    with database.write() as tx:
        installation.install(tx, vault)
        hash_key = installation.hash_key(tx, vault)
        if settings.test_clock and mailboxes.any_real(tx):
            raise TestClockRefused("A real mailbox is configured; unset DRUMBEAT_TEST_CLOCK.")
    return World(
        settings=settings,
        database=database,
        vault=vault,
        identity=Identity(hash_key, settings.base_url),
        writer=Writer(_attachments(database), signing_keys(database, vault)),
        tokens=Tokens(database, vault),
    )


def make_folder(settings: Settings) -> None:
    """Make the data folder, for its owner's eyes only; Misconfigured where that cannot be."""
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise Misconfigured(f"DRUMBEAT_DATA: {settings.data} is a file; name a folder.") from None
    except OSError as error:
        fix = "Name a folder that can be made and written to."
        raise Misconfigured(f"DRUMBEAT_DATA: {settings.data}: {error.strerror}. {fix}") from None


def nothing_there(settings: Settings) -> str:
    """Where no database was found, and what to do about it."""
    return (
        f"There is no Drumbeat database at {place_of(settings.database_url)}. Set DRUMBEAT_DATA or"
        " DRUMBEAT_DATABASE_URL to where yours is; or run `drumbeat serve` for a sample,"
        " or `drumbeat user add --admin --account-name NAME` for your own."
    )


def _attachments(database: Database) -> Callable[[int, str], bytes]:
    def content_of(account_id: int, sha256: str) -> bytes:
        with database.read() as snapshot:
            return templates.attachment_content(snapshot, account_id, sha256)

    return content_of


def _master_keys(settings: Settings, database: Database, *, create: bool) -> list[str]:
    with database.read() as snapshot:
        is_installed = installation.is_installed(snapshot)
    if not (is_installed or create):
        raise Misconfigured(nothing_there(settings))
    keys = read_master_keys(settings, is_installed=is_installed)
    return keys or [_make_master_key(_master_key_path(settings))]


def read_master_keys(settings: Settings, *, is_installed: bool) -> list[str]:
    """The master keys, newest first; none before the first start, later MasterKeyMissing."""
    if settings.master_key:
        return [key.strip() for key in settings.master_key.split(",") if key.strip()]
    path = _master_key_path(settings)
    if path.exists():
        keys = text_in(path, "The master key").split()
        if not keys:
            raise MasterKeyMissing(f"{path} is empty: restore it from your backup, or set DRUMBEAT_MASTER_KEY.")
        return keys
    if is_installed:
        raise MasterKeyMissing(f"Put it back at {path}, or set DRUMBEAT_MASTER_KEY.")
    return []


def _master_key_path(settings: Settings) -> Path:
    return settings.master_key_file or settings.data / _MASTER_KEY


def _make_master_key(path: Path) -> str:
    key = installation.new_master_key()
    try:
        path.touch(mode=0o600, exist_ok=False)
        path.write_text(key + "\n")
    except OSError as error:
        raise Misconfigured(f"The master key cannot be kept at {path}: {error.strerror}.") from None
    return key
