"""The first start of an empty installation: a sample account that sends to the built-in catcher."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files as package_files

from drumbeat.domain.access import CredentialKind, Scope
from drumbeat.domain.account import Role
from drumbeat.mail.session import Security
from drumbeat.operations.accounts import NewUser, add_user, create_account, mint
from drumbeat.operations.files import apply, read_files
from drumbeat.operations.mailboxes import MailboxSettings, add_mailbox
from drumbeat.store import accounts, sequences
from drumbeat.store.installation import Vault
from drumbeat.store.transaction import Snapshot, Tx

OWNER_EMAIL = "owner@drumbeat.example"
SAMPLE = "sample.yaml"
_POSTAL_ADDRESS = "Sample Ltd, 1 Sample Street, 12345 Sampletown"
_TOKEN_SCOPES = (Scope.READ, Scope.WRITE)
_KEY_SCOPES = (Scope.SEQUENCES_EXECUTE, Scope.SEQUENCES_READ)


@dataclass(frozen=True, slots=True)
class Secrets:
    """What the first run gives out, made by the caller: 43 characters of URL-safe base64 each."""

    password: str = field(repr=False)
    password_hash: str = field(repr=False)
    token: str = field(repr=False)
    key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class FirstRun:
    """What was made, and its secrets, which nobody can read again later."""

    account_id: int
    email: str
    password: str = field(repr=False)
    token: str = field(repr=False)
    api_key: str = field(repr=False)
    sequence_ids: dict[str, int]


def is_empty(snapshot: Snapshot) -> bool:
    """Whether the installation holds no account yet."""
    return not accounts.list_accounts(snapshot)


def make_sample(
    tx: Tx, vault: Vault, hash_key: bytes, *, secrets: Secrets, catcher: tuple[str, int]
) -> FirstRun | None:
    """Fill an empty installation with the sample; None if somebody else made an account meanwhile.

    `catcher` is the host and port its mailbox sends to.
    """
    if not is_empty(tx):
        return None
    account = create_account(tx, "Sample", postal_address=_POSTAL_ADDRESS)
    owner = NewUser("Sample Owner", OWNER_EMAIL, Role.ADMIN, password_hash=secrets.password_hash)
    owner_id = add_user(tx, account.id, owner).id
    add_mailbox(tx, vault, account.id, owner_id, _catcher_mailbox(*catcher), actor_id=owner_id)
    apply(tx, account.id, owner_id, read_files([(SAMPLE, sample_text())], _no_attachments), hash_key)
    token, key = CredentialKind.TOKEN, CredentialKind.KEY
    return FirstRun(
        account_id=account.id,
        email=OWNER_EMAIL,
        password=secrets.password,
        token=mint(tx, account.id, token, owner_id, _TOKEN_SCOPES, name="First run", secret=secrets.token),
        api_key=mint(tx, account.id, key, owner_id, _KEY_SCOPES, name="First run", secret=secrets.key),
        sequence_ids={each.name: each.id for each in sequences.list_all(tx, account.id)},
    )


def _catcher_mailbox(host: str, port: int) -> MailboxSettings:
    return MailboxSettings(
        name="Catcher (delivers nothing)",
        sender_name="Sample Owner",
        sender_email=OWNER_EMAIL,
        host=host,
        port=port,
        security=Security.NONE,
        is_catcher=True,
    )


def sample_text() -> str:
    """The sample's YAML."""
    return package_files("drumbeat.operations").joinpath(SAMPLE).read_text("utf-8")


def _no_attachments(path: str) -> bytes:
    raise FileNotFoundError(path)
