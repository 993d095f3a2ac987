"""The first start fills an empty installation once, through the same file that `apply` would read."""

from __future__ import annotations

import pytest

from drumbeat.domain import errors
from drumbeat.domain.access import CredentialKind, Scope, fingerprint, read_credential
from drumbeat.domain.account import Role
from drumbeat.domain.calendar import format_delay
from drumbeat.domain.errors import AlreadyExists, IncorrectValue, Invalid, NotFound
from drumbeat.domain.person import PersonKind
from drumbeat.domain.sequence import SequenceStatus
from drumbeat.mail.session import Security
from drumbeat.operations.accounts import (
    NewUser,
    add_user,
    create_account,
    deactivate_user,
    hash_password,
    mint,
    new_secret,
    password_matches,
    revoke,
)
from drumbeat.operations.files import plan, read_files
from drumbeat.operations.first_run import OWNER_EMAIL, SAMPLE, FirstRun, Secrets, make_sample, sample_text
from drumbeat.operations.mailboxes import MailboxSettings, add_mailbox, move_catchers
from drumbeat.operations.sequences import warnings_of
from drumbeat.store import accounts, credentials, mailboxes, people, sequences
from drumbeat.store.database import Database
from drumbeat.store.installation import Vault, new_master_key

HASH_KEY = b"k" * 32
VAULT = Vault([new_master_key()])
SECRETS = Secrets("a password", hash_password("a password"), new_secret(), new_secret())


def first_run(database: Database) -> FirstRun | None:
    return database.transact(lambda tx: make_sample(tx, VAULT, HASH_KEY, secrets=SECRETS, catcher=("127.0.0.1", 2525)))


@pytest.fixture
def made(database: Database) -> FirstRun:
    run = first_run(database)
    assert run is not None
    return run


def test_the_sample_is_an_owner_with_a_mailbox_two_sequences_and_five_people(
    database: Database, made: FirstRun
) -> None:
    with database.read() as snapshot:
        (owner,) = accounts.list_users(snapshot, made.account_id)
        (mailbox,) = mailboxes.list_all(snapshot, made.account_id)
        found = sequences.list_all(snapshot, made.account_id)
        everybody = [p for kind in PersonKind for p in people.list_all(snapshot, made.account_id, kind, 0, 100)]
        steps = {s.name: sequences.get_version(snapshot, s.account_id, s.id, s.version).steps for s in found}
        account = accounts.get_account(snapshot, made.account_id)
    assert (owner.email, owner.role, owner.mailbox_id) == (OWNER_EMAIL, Role.ADMIN, mailbox.id)
    assert (mailbox.is_catcher, mailbox.host, mailbox.port) == (True, "127.0.0.1", 2525)
    assert (account.time_zone, bool(account.postal_address)) == ("UTC", True)
    assert made.sequence_ids == {sequence.name: sequence.id for sequence in found}
    assert {sequence.status for sequence in found} == {SequenceStatus.ACTIVE}
    assert {
        name: [(step.action_type.value, format_delay(step.delay), step.is_reply) for step in several]
        for name, several in steps.items()
    } == {
        "Trial follow-up": [
            ("automated_email", "0 hours", False),
            ("automated_email", "2 weekdays", True),
            ("automated_email", "3 weekdays", False),
        ],
        "Welcome call": [
            ("automated_email", "0 hours", False),
            ("task", "1 weekday", False),
            ("automated_email", "1 weekday", True),
        ],
    }
    assert all(warnings_of(several) == () for several in steps.values())
    assert len(everybody) == 5
    assert all((person.email or "").endswith(("example.com", ".example")) for person in everybody)


def test_the_sample_s_secrets_open_it(database: Database, made: FirstRun) -> None:
    with database.read() as snapshot:
        login = accounts.find_login(snapshot, OWNER_EMAIL)
        named = [read_credential(text) for text in (made.token, made.api_key)]
        found = [credentials.find(snapshot, made.account_id, each.id) if each else None for each in named]
    assert login is not None
    assert password_matches(made.password, login[1])
    assert not password_matches("another password", login[1])
    for each, text, kind, scopes in zip(
        found,
        (made.token, made.api_key),
        (CredentialKind.TOKEN, CredentialKind.KEY),
        ({Scope.READ, Scope.WRITE}, {Scope.SEQUENCES_EXECUTE, Scope.SEQUENCES_READ}),
        strict=True,
    ):
        assert each is not None
        assert (each[0].kind, each[0].scopes, each[1]) == (kind, scopes, fingerprint(text))


def test_a_second_start_makes_nothing(database: Database, made: FirstRun) -> None:
    assert first_run(database) is None
    with database.read() as snapshot:
        assert len(accounts.list_accounts(snapshot)) == 1


def test_the_sample_s_file_asks_for_nothing_that_is_not_there(database: Database, made: FirstRun) -> None:
    desired = read_files([(SAMPLE, sample_text())], lambda path: path.encode())
    with database.read() as snapshot:
        assert plan(snapshot, made.account_id, desired, HASH_KEY) == []


def test_nothing_shown_of_the_secrets_is_in_a_repr(made: FirstRun) -> None:
    text = repr(made) + repr(SECRETS)
    assert not [secret for secret in (made.password, made.token, made.api_key) if secret in text]


def test_the_catcher_s_mailbox_follows_the_catcher(database: Database, made: FirstRun) -> None:
    assert database.transact(lambda tx: move_catchers(tx, "127.0.0.1", 4040)) == 1
    with database.read() as snapshot:
        (mailbox,) = mailboxes.list_all(snapshot, made.account_id)
    assert (mailbox.host, mailbox.port) == ("127.0.0.1", 4040)


def test_the_last_admin_stays_and_others_may_go(database: Database, made: FirstRun) -> None:
    with pytest.raises(IncorrectValue, match="last active admin"):
        database.transact(lambda tx: deactivate_user(tx, made.account_id, 1))
    new = NewUser("Second", "second@drumbeat.example", Role.ADMIN)
    second = database.transact(lambda tx: add_user(tx, made.account_id, new))
    gone = database.transact(lambda tx: deactivate_user(tx, made.account_id, 1, second.id))
    assert not gone.is_active
    with pytest.raises(IncorrectValue, match="active user"):
        database.transact(
            lambda tx: mint(tx, made.account_id, CredentialKind.TOKEN, 1, ["read"], name="x", secret=new_secret())
        )


def test_an_address_works_once_per_account_and_signs_in_to_several(database: Database, made: FirstRun) -> None:
    owner = NewUser("Owner", f" {OWNER_EMAIL.upper()} ", Role.ADMIN)
    with pytest.raises(AlreadyExists):
        database.transact(lambda tx: add_user(tx, made.account_id, owner))
    other = database.transact(lambda tx: create_account(tx, "Rival"))
    assert database.transact(lambda tx: add_user(tx, other.id, owner)).account_id == other.id


def test_a_revoked_key_is_revoked_and_an_unknown_one_not_found(database: Database, made: FirstRun) -> None:
    database.transact(lambda tx: revoke(tx, made.account_id, 2))
    with database.read() as snapshot:
        found = credentials.find(snapshot, made.account_id, 2)
    assert found is not None
    assert found[0].revoked_at is not None
    with pytest.raises(NotFound):
        database.transact(lambda tx: revoke(tx, made.account_id, 77))


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"port": 0}, "port"),
        ({"username": "ann", "password": "secret", "security": Security.NONE}, "security"),
        ({"username": "ann"}, "password"),
        ({"sender_email": "nobody"}, "sender_email"),
        ({"sender_email": "jörg@tea.example"}, "sender_email"),
        ({"sender_name": "Ann\r\nBcc: all@tea.example"}, "sender_name"),
        ({"name": "Ann's\nmailbox"}, "name"),
        ({"host": " "}, "host"),
        ({"host": "mx.example\nx"}, "host"),
        ({"host": "https://mx.example/"}, "host"),
        ({"password": "secret"}, "username"),
        ({"username": "ann\n", "password": "sec\nret"}, "password"),
        ({"username": "a\nn", "password": "secret"}, "username"),
    ],
)
def test_a_mailbox_that_cannot_work_is_refused(
    database: Database, made: FirstRun, changed: dict[str, object], field: str
) -> None:
    settings = MailboxSettings(
        **{"name": "", "sender_name": "A", "sender_email": "a@b.example", "host": "mx.example", "port": 587}  # type: ignore[arg-type]
        | changed
    )
    with pytest.raises(Invalid) as refused:
        database.transact(lambda tx: add_mailbox(tx, VAULT, made.account_id, 1, settings))
    assert refused.value.field == field


def test_a_real_mailbox_and_the_test_clock_exclude_each_other(database: Database, made: FirstRun) -> None:
    settings = MailboxSettings("", "A", "a@b.example", "mx.example", 587, username="a", password="hidden word")
    with pytest.raises(errors.TestClockRefused):
        database.transact(lambda tx: add_mailbox(tx, VAULT, made.account_id, 1, settings, test_clock=True))
    stored = database.transact(lambda tx: add_mailbox(tx, VAULT, made.account_id, 1, settings))
    assert stored.sealed_password is not None
    assert "hidden" not in stored.sealed_password
    assert VAULT.open(stored.sealed_password) == "hidden word"


def test_a_short_password_is_refused() -> None:
    with pytest.raises(IncorrectValue):
        hash_password("short")
