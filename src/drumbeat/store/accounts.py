"""Accounts, users, logins, and the counters that give every account its own ids."""

from __future__ import annotations

from drumbeat.domain.account import Account, AgentsSee, Role, UnknownMeans, User, UserStatus
from drumbeat.domain.errors import NotFound
from drumbeat.store.stamps import from_stamp, to_stamp
from drumbeat.store.statement import Record, Statement
from drumbeat.store.transaction import Snapshot, Tx


def take_ids(tx: Tx, account_id: int, noun: str, count: int = 1) -> int:
    """The first of `count` fresh ids of a noun; ids start at 1 per account and are never reused."""
    row = tx.first(_TAKE_IDS, account_id=account_id, noun=noun, count=count)
    if row is None:
        row = tx.first(_START_IDS, account_id=account_id, noun=noun, next=count + 1, count=count)
    assert row is not None
    return int(row[0]) - count


def lock_ids(tx: Tx, account_id: int, noun: str) -> None:
    """Let one transaction at a time look up and add rows of a noun, so that twins see each other.

    The row is made if there is none yet: what is not there cannot be locked.
    """
    tx.lock(_LOCK_IDS, account_id=account_id, noun=noun)


def start_ids_at(tx: Tx, account_id: int, noun: str, first: int) -> None:
    """Let the next id of a noun be at least `first`, as an import that keeps foreign ids needs."""
    tx.run(_RAISE_IDS, account_id=account_id, noun=noun, next=first)


def skip_ids(tx: Tx, account_id: int, skipped: int) -> None:
    """Leave so many ids of every noun out."""
    tx.run(_SKIP_IDS, account_id=account_id, skipped=skipped)


_SKIP_IDS = Statement("UPDATE id_counters SET next = next + :skipped WHERE account_id = :account_id")
_LOCK_IDS = Statement("""
    INSERT INTO id_counters (account_id, noun, next) VALUES (:account_id, :noun, 1)
    ON CONFLICT (account_id, noun) DO UPDATE SET next = id_counters.next
""")
_TAKE_IDS = Statement(
    "UPDATE id_counters SET next = next + :count WHERE account_id = :account_id AND noun = :noun RETURNING next"
)
_START_IDS = Statement("""
    INSERT INTO id_counters (account_id, noun, next) VALUES (:account_id, :noun, :next)
    ON CONFLICT (account_id, noun) DO UPDATE SET next = id_counters.next + :count RETURNING next
""")
_RAISE_IDS = Statement("""
    INSERT INTO id_counters (account_id, noun, next) VALUES (:account_id, :noun, :next)
    ON CONFLICT (account_id, noun)
    DO UPDATE SET next = CASE WHEN id_counters.next < excluded.next THEN excluded.next ELSE id_counters.next END
""")


def add_account(tx: Tx, name: str, time_zone: str, postal_address: str | None) -> Account:
    """A new tenant, with its lane for what needs no mailbox."""
    row = tx.first(_ADD_ACCOUNT, name=name, time_zone=time_zone, postal_address=postal_address, now=to_stamp(tx.now))
    assert row is not None
    tx.run(_ADD_LANE, account_id=row.id, id=0)
    return _account(row)


def get_account(snapshot: Snapshot, account_id: int) -> Account:
    """The account, or NotFound."""
    row = snapshot.first(_GET_ACCOUNT, account_id=account_id)
    if row is None:
        raise NotFound(f"There is no account {account_id}.")
    return _account(row)


def lock_account(tx: Tx, account_id: int) -> Account:
    """The account with its row locked, or NotFound: changes of its settings come one after the other."""
    tx.first(_LOCK_ACCOUNT, account_id=account_id)
    return get_account(tx, account_id)


def list_accounts(snapshot: Snapshot) -> list[Account]:
    """Every account."""
    return [_account(row) for row in snapshot.all(_LIST_ACCOUNTS)]


def save_account(tx: Tx, account: Account) -> None:
    """Store an account's settings."""
    tx.run(
        _SAVE_ACCOUNT,
        account_id=account.id,
        name=account.name,
        time_zone=account.time_zone,
        locale=account.locale,
        postal_address=account.postal_address,
        sequences_enabled=account.sequences_enabled,
        unknown_means=account.unknown_means.value,
        agents_see=account.agents_see.value,
        monthly_allowance=account.monthly_allowance,
        keep_days=account.keep_days,
        now=to_stamp(tx.now),
    )


def _account(row: Record) -> Account:
    return Account(
        id=row.id,
        name=row.name,
        time_zone=row.time_zone,
        locale=row.locale,
        postal_address=row.postal_address,
        sequences_enabled=bool(row.sequences_enabled),
        unknown_means=UnknownMeans(row.unknown_means),
        agents_see=AgentsSee(row.agents_see),
        monthly_allowance=row.monthly_allowance,
        keep_days=row.keep_days,
        created_at=from_stamp(row.created_at),
        updated_at=from_stamp(row.updated_at),
    )


_ACCOUNT = (
    "id, name, time_zone, postal_address, sequences_enabled, unknown_means, agents_see, created_at, updated_at, "
    "monthly_allowance, keep_days, locale"
)
_ADD_ACCOUNT = Statement(f"""
    INSERT INTO accounts (id, name, time_zone, postal_address, created_at, updated_at)
    VALUES ((SELECT coalesce(max(id), 0) + 1 FROM accounts), :name, :time_zone, :postal_address, :now, :now)
    RETURNING {_ACCOUNT}
""")
_ADD_LANE = Statement("INSERT INTO lanes (account_id, id) VALUES (:account_id, :id)")
_GET_ACCOUNT = Statement(f"SELECT {_ACCOUNT} FROM accounts WHERE id = :account_id")
_LOCK_ACCOUNT = Statement("SELECT id FROM accounts WHERE id = :account_id {lock}")
_LIST_ACCOUNTS = Statement(f"SELECT {_ACCOUNT} FROM accounts ORDER BY id")
_SAVE_ACCOUNT = Statement("""
    UPDATE accounts SET name = :name, time_zone = :time_zone, locale = :locale, postal_address = :postal_address,
        sequences_enabled = :sequences_enabled, unknown_means = :unknown_means,
        agents_see = :agents_see, monthly_allowance = :monthly_allowance,
        keep_days = :keep_days, updated_at = :now
    WHERE id = :account_id
""")


def add_user(
    tx: Tx,
    account_id: int,
    *,
    name: str,
    email: str,
    role: Role,
    time_zone: str | None = None,
    login_id: int | None = None,
) -> User:
    """A new active user of the account."""
    user_id = take_ids(tx, account_id, "user")
    tx.run(
        _ADD_USER,
        account_id=account_id,
        id=user_id,
        login_id=login_id,
        name=name,
        email=email,
        role=role.value,
        time_zone=time_zone,
        now=to_stamp(tx.now),
    )
    return get_user(tx, account_id, user_id)


def get_user(snapshot: Snapshot, account_id: int, user_id: int) -> User:
    """The user, or NotFound."""
    user = find_user(snapshot, account_id, user_id)
    if user is None:
        raise NotFound(f"There is no user {user_id}.")
    return user


def lock_user(tx: Tx, account_id: int, user_id: int) -> User:
    """The user with the row locked, or NotFound: changes come one after the other."""
    tx.first(_LOCK_USER, account_id=account_id, user_id=user_id)
    return get_user(tx, account_id, user_id)


def find_user(snapshot: Snapshot, account_id: int, user_id: int) -> User | None:
    """The user, or None."""
    row = snapshot.first(_FIND_USER, account_id=account_id, user_id=user_id)
    return None if row is None else _user(row)


def list_users(snapshot: Snapshot, account_id: int) -> list[User]:
    """The account's users by id."""
    return [_user(row) for row in snapshot.all(_LIST_USERS, account_id=account_id)]


def save_user(tx: Tx, user: User) -> None:
    """Store a user's name, role, status, zone, locale and mailbox."""
    tx.run(
        _SAVE_USER,
        account_id=user.account_id,
        user_id=user.id,
        name=user.name,
        role=user.role.value,
        status=user.status.value,
        time_zone=user.time_zone,
        locale=user.locale,
        mailbox_id=user.mailbox_id,
        now=to_stamp(tx.now),
    )


def set_mailbox(tx: Tx, account_id: int, user_id: int, mailbox_id: int | None) -> None:
    """Let a user send from this mailbox from now on."""
    tx.run(_SET_MAILBOX, account_id=account_id, user_id=user_id, mailbox_id=mailbox_id, now=to_stamp(tx.now))


def _user(row: Record) -> User:
    return User(
        account_id=row.account_id,
        id=row.id,
        name=row.name,
        email=row.email,
        role=Role(row.role),
        status=UserStatus(row.status),
        time_zone=row.time_zone,
        locale=row.locale,
        mailbox_id=row.mailbox_id,
        created_at=from_stamp(row.created_at),
        updated_at=from_stamp(row.updated_at),
    )


_USER = "account_id, id, name, email, role, status, time_zone, mailbox_id, created_at, updated_at, locale"
_ADD_USER = Statement("""
    INSERT INTO users (account_id, id, login_id, name, email, role, time_zone, created_at, updated_at)
    VALUES (:account_id, :id, :login_id, :name, :email, :role, :time_zone, :now, :now)
""")
_FIND_USER = Statement(f"SELECT {_USER} FROM users WHERE account_id = :account_id AND id = :user_id")
_LOCK_USER = Statement("SELECT id FROM users WHERE account_id = :account_id AND id = :user_id {lock}")
_LIST_USERS = Statement(f"SELECT {_USER} FROM users WHERE account_id = :account_id ORDER BY id")
_SET_MAILBOX = Statement("""
    UPDATE users SET mailbox_id = :mailbox_id, updated_at = :now
    WHERE account_id = :account_id AND id = :user_id
""")
_SAVE_USER = Statement("""
    UPDATE users SET name = :name, role = :role, status = :status, time_zone = :time_zone,
        locale = :locale, mailbox_id = :mailbox_id, updated_at = :now
    WHERE account_id = :account_id AND id = :user_id
""")


def add_login(tx: Tx, email: str, address_key: str, password_hash: str) -> int:
    """A new way to sign in; its address key is unique in the installation."""
    row = tx.first(_ADD_LOGIN, email=email, address_key=address_key, password_hash=password_hash, now=to_stamp(tx.now))
    assert row is not None
    return int(row[0])


def find_login(snapshot: Snapshot, address_key: str) -> Record | None:
    """The login's id and password hash by address key, or None."""
    return snapshot.first(_FIND_LOGIN, address_key=address_key)


def get_password_hash(snapshot: Snapshot, login_id: int) -> str:
    """What is stored of a login's password."""
    row = snapshot.first(_GET_PASSWORD, login_id=login_id)
    assert row is not None
    return str(row[0])


def save_password(tx: Tx, login_id: int, password_hash: str) -> None:
    """Store another password of a login."""
    tx.run(_SAVE_PASSWORD, login_id=login_id, password_hash=password_hash)


def users_of_login(snapshot: Snapshot, login_id: int) -> list[User]:
    """The users somebody may sign in as, in every account, by account."""
    return [_user(row) for row in snapshot.all(_USERS_OF_LOGIN, login_id=login_id)]


def set_login(tx: Tx, account_id: int, user_id: int, login_id: int) -> None:
    """Let a user sign in with this login."""
    tx.run(_SET_LOGIN, account_id=account_id, user_id=user_id, login_id=login_id)


def login_of(snapshot: Snapshot, account_id: int, user_id: int) -> int | None:
    """The login a user signs in with, or None while there is none."""
    row = snapshot.first(_LOGIN_OF, account_id=account_id, user_id=user_id)
    return None if row is None or row[0] is None else int(row[0])


_ADD_LOGIN = Statement("""
    INSERT INTO logins (id, email, address_key, password_hash, created_at)
    VALUES ((SELECT coalesce(max(id), 0) + 1 FROM logins), :email, :address_key, :password_hash, :now)
    RETURNING id
""")
_FIND_LOGIN = Statement("SELECT id, password_hash FROM logins WHERE address_key = :address_key")
_GET_PASSWORD = Statement("SELECT password_hash FROM logins WHERE id = :login_id")
_SAVE_PASSWORD = Statement("UPDATE logins SET password_hash = :password_hash WHERE id = :login_id")
_USERS_OF_LOGIN = Statement(f"SELECT {_USER} FROM users WHERE login_id = :login_id ORDER BY account_id")
_SET_LOGIN = Statement("UPDATE users SET login_id = :login_id WHERE account_id = :account_id AND id = :user_id")
_LOGIN_OF = Statement("SELECT login_id FROM users WHERE account_id = :account_id AND id = :user_id")
