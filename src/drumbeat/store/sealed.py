"""Everything that is stored sealed, wherever it is: to seal it anew with another master key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from drumbeat.domain.errors import MasterKeyWrong
from drumbeat.store.installation import Vault
from drumbeat.store.statement import Statement
from drumbeat.store.transaction import Tx

COLUMNS: Final = (
    ("mailboxes", "password"),
    ("mailboxes", "oauth_grant"),
    ("mailboxes", "dkim_key"),
    ("mailboxes", "hook"),
    ("inboxes", "password"),
    ("notices", "sealed"),
)


@dataclass(frozen=True, slots=True)
class Resealed:
    """How many secrets were sealed anew, and how many no key opens: those were left as they are."""

    anew: int = 0
    lost: int = 0

    def __add__(self, other: Resealed) -> Resealed:
        return Resealed(self.anew + other.anew, self.lost + other.lost)


def reseal_account(tx: Tx, vault: Vault, account_id: int) -> Resealed:
    """Seal an account's secrets with the newest key; one that is replaced meanwhile is sealed with that one already."""
    done = Resealed()
    for find, replace in _STATEMENTS:
        for row in tx.all(find, account_id=account_id):
            try:
                anew = vault.reseal(row[0])
            except MasterKeyWrong:
                done += Resealed(lost=1)
                continue
            tx.run(replace, account_id=account_id, anew=anew, sealed=row[0])
            done += Resealed(anew=1)
    return done


def reseal_installation(tx: Tx, vault: Vault) -> None:
    """Seal the installation's own key with the newest master key."""
    row = tx.first(_FIND_INSTALLATION)
    assert row is not None
    tx.run(_REPLACE_INSTALLATION, hash_key=vault.reseal(row.hash_key), canary=vault.reseal(row.canary))


def _statements(table: str, column: str) -> tuple[Statement, Statement]:
    """A sealed text is never the same twice, so it names its row."""
    return (
        Statement(f"SELECT {column} FROM {table} WHERE account_id = :account_id AND {column} IS NOT NULL"),
        Statement(f"UPDATE {table} SET {column} = :anew WHERE account_id = :account_id AND {column} = :sealed"),
    )


_STATEMENTS: Final = tuple(_statements(table, column) for table, column in COLUMNS)
_FIND_INSTALLATION = Statement("SELECT hash_key, canary FROM installation WHERE id = 1")
_REPLACE_INSTALLATION = Statement("UPDATE installation SET hash_key = :hash_key, canary = :canary WHERE id = 1")
