"""The real parts, put together once: the database, the keys, and what writes letters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from drumbeat.domain.errors import MasterKeyMissing, TestClockRefused
from drumbeat.operations.letters import Identity, Writer
from drumbeat.settings import Settings
from drumbeat.store import installation, mailboxes, migrate, templates
from drumbeat.store.database import Database
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

    @property
    def hash_key(self) -> bytes:
        """The key that MACs addresses, links and Message-IDs."""
        return self.identity.hash_key

    def close(self) -> None:
        """Close the database's connections."""
        self.database.close()


def open_world(settings: Settings, *, now: Callable[[], datetime] | None = None) -> World:
    """Open the data folder and the database, migrated and keyed; raises Misconfigured when it must not start."""
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    migrate.upgrade(settings.database_url)
    database = Database(settings.database_url, now=now, test_clock=settings.test_clock)
    check_promises(database, overridden=settings.unsafe)
    vault = Vault(_master_keys(settings, database))
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
        writer=Writer(_attachments(database)),
    )


def _attachments(database: Database) -> Callable[[int, str], bytes]:
    def content_of(account_id: int, sha256: str) -> bytes:
        with database.read() as snapshot:
            return templates.attachment_content(snapshot, account_id, sha256)

    return content_of


def _master_keys(settings: Settings, database: Database) -> list[str]:
    with database.read() as snapshot:
        is_installed = installation.is_installed(snapshot)
    keys = read_master_keys(settings, is_installed=is_installed)
    return keys or [_make_master_key(_master_key_path(settings))]


def read_master_keys(settings: Settings, *, is_installed: bool) -> list[str]:
    """The master keys, newest first; none before the first start, later MasterKeyMissing."""
    if settings.master_key:
        return [key.strip() for key in settings.master_key.split(",") if key.strip()]
    path = _master_key_path(settings)
    if path.exists():
        return path.read_text().split()
    if is_installed:
        raise MasterKeyMissing(f"Put it back at {path}, or set DRUMBEAT_MASTER_KEY.")
    return []


def _master_key_path(settings: Settings) -> Path:
    return settings.master_key_file or settings.data / _MASTER_KEY


def _make_master_key(path: Path) -> str:
    key = installation.new_master_key()
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(key + "\n")
    return key
