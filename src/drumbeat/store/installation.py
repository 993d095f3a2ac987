"""The installation's own secrets: the key that MACs addresses, links and Message-IDs, sealed by the master key."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from drumbeat.domain.errors import MasterKeyMissing, MasterKeyWrong
from drumbeat.store.stamps import to_stamp
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Snapshot, Tx

_CANARY = "drumbeat"


class Vault:
    """Seals what is stored of credentials; the first master key seals, every one opens."""

    def __init__(self, master_keys: list[str]) -> None:
        if not master_keys:
            raise MasterKeyMissing("Set DRUMBEAT_MASTER_KEY or DRUMBEAT_MASTER_KEY_FILE.")
        try:
            self._fernet = MultiFernet([Fernet(key) for key in master_keys])
        except ValueError:
            raise MasterKeyWrong(
                "A master key is 32 bytes in URL-safe base64 (44 characters): restore it from your backup."
            ) from None

    def seal(self, text: str) -> str:
        """The text, encrypted and authenticated."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """The text that was sealed; MasterKeyWrong if another key sealed it."""
        with _wrong_key_told():
            return self._fernet.decrypt(sealed.encode()).decode()

    def reseal(self, sealed: str) -> str:
        """What was sealed by any of the keys, sealed by the first; MasterKeyWrong if another key sealed it."""
        with _wrong_key_told():
            return self._fernet.rotate(sealed.encode()).decode()


@contextmanager
def _wrong_key_told() -> Iterator[None]:
    try:
        yield
    except InvalidToken:
        raise MasterKeyWrong(
            "What is stored was sealed by another one: restore master.key from your backup, or set DRUMBEAT_MASTER_KEY."
        ) from None


def new_master_key() -> str:
    """A fresh master key: 32 random bytes in URL-safe base64."""
    return Fernet.generate_key().decode()


def install(tx: Tx, vault: Vault) -> None:
    """Make the installation's hash key, once."""
    if tx.first(_FIND) is None:
        hash_key = vault.seal(secrets.token_hex(32))
        tx.run(_ADD, hash_key=hash_key, canary=vault.seal(_CANARY), now=to_stamp(tx.now))


def is_installed(snapshot: Snapshot) -> bool:
    """Whether a hash key was made."""
    return snapshot.first(_FIND) is not None


def hash_key(snapshot: Snapshot, vault: Vault) -> bytes:
    """The key that MACs addresses, links and Message-IDs; MasterKeyWrong if the vault cannot open it."""
    row = snapshot.first(_FIND)
    if row is None or vault.open(row.canary) != _CANARY:
        raise MasterKeyWrong("This database has no key that the master key opens.")
    return bytes.fromhex(vault.open(row.hash_key))


def advance_clock(tx: Tx, microseconds: int) -> None:
    """Move the test clock forward."""
    tx.ring()
    tx.run(_ADVANCE, by=microseconds)


def is_clock_moved(snapshot: Snapshot) -> bool:
    """Whether the test clock was ever moved here."""
    return snapshot.first(_MOVED) is not None


_MOVED = Statement("SELECT 1 FROM installation WHERE id = 1 AND test_clock_offset <> 0")
_FIND = Statement("SELECT hash_key, canary FROM installation WHERE id = 1")
_ADD = Statement("INSERT INTO installation (id, hash_key, canary, created_at) VALUES (1, :hash_key, :canary, :now)")
_ADVANCE = Statement("UPDATE installation SET test_clock_offset = test_clock_offset + :by WHERE id = 1")
