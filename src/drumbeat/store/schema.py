"""Every table, index and constraint on one page.

Every table of a tenant carries `account_id`, first in its primary key and in every unique and foreign key,
so that a reference across tenants cannot be written and the schema can be distributed by account as it
stands. Instants are UTC microseconds since 1970 in BIGINT columns: one type, one order and one arithmetic
on both databases.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.schema import SchemaItem

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def tenant_table(
    name: str, *items: SchemaItem, key: tuple[str, ...] = ("id",), hot: bool = False, beside_another: bool = False
) -> Table:
    """A table of tenants' rows, keyed by (account_id, *key); a hot one leaves room for updates in place.

    The account is referred to, unless another reference vouches for it, or the row is only ever written
    beside another one: every reference costs a look-up, and on PostgreSQL a lock, for every row.
    """
    references = [item for item in items if isinstance(item, ForeignKeyConstraint)]
    vouched = beside_another or any("account_id" in each.column_keys for each in references)
    return Table(
        name,
        metadata,
        Column("account_id", Integer, nullable=False),
        *items,
        PrimaryKeyConstraint("account_id", *key),
        *([] if vouched else [ForeignKeyConstraint(["account_id"], ["accounts.id"])]),
        sqlite_with_rowid=False,
        postgresql_with=_HOT if hot else {},
    )


def belongs_to(table: str, *columns: str, key: tuple[str, ...] = ("id",)) -> ForeignKeyConstraint:
    """A reference to a row of the same account."""
    return ForeignKeyConstraint(["account_id", *columns], [f"{table}.account_id", *(f"{table}.{name}" for name in key)])


def one_of(column: str, *words: str) -> CheckConstraint:
    """A column that holds one of these words."""
    return CheckConstraint(f"{column} IN ({', '.join(repr(word) for word in words)})", name=column)


# Updated many times a second: keep updates in the page, and vacuum by count, not by share.
_HOT = {
    "fillfactor": 80,
    "autovacuum_vacuum_scale_factor": 0,
    "autovacuum_vacuum_threshold": 10000,
    "autovacuum_vacuum_cost_delay": 0,
}
_YES, _NO = text("true"), text("false")

# --- the installation -------------------------------------------------------------------------------

installation = Table(
    "installation",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("hash_key", Text, nullable=False),  # encrypted by the master key; MACs addresses, links, ids
    Column("canary", Text, nullable=False),  # tells a wrong master key at start
    Column("test_clock_offset", BigInteger, nullable=False, server_default="0"),
    Column("created_at", BigInteger, nullable=False),
    Column("quarantined_since", BigInteger),  # nothing is sent: what left since then may be missing here
    Column("quarantine_cause", Text),
    Column("nothing_left_after", BigInteger),  # it stands still since then, and no other copy of it sends
    Column("reconciled_at", BigInteger),  # when that was ended last
    Column("lost_until", BigInteger),  # letters due until then may have left without a trace here
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("time_zone", Text, nullable=False),
    Column("postal_address", Text),
    Column("sequences_enabled", Boolean, nullable=False, server_default=_YES),
    Column("unknown_means", Text, nullable=False, server_default="ask"),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("agents_see", Text, nullable=False, server_default="all"),
    Column("monthly_allowance", Integer),  # letters; null: any number
    Column("keep_days", Integer),  # that content is kept after an enrollment's end; null: for ever
    Column("locale", Text, nullable=False, server_default="en-GB"),
    one_of("unknown_means", "ask", "sent"),
)

logins = Table(
    "logins",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("email", Text, nullable=False),
    Column("address_key", Text, nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

# --- who works here ---------------------------------------------------------------------------------

id_counters = tenant_table(
    "id_counters",
    Column("noun", Text, nullable=False),
    Column("next", BigInteger, nullable=False),
    key=("noun",),
)

users = tenant_table(
    "users",
    Column("id", Integer, nullable=False),
    Column("login_id", Integer),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("status", Text, nullable=False, server_default="active"),
    Column("time_zone", Text),
    Column("mailbox_id", Integer),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("locale", Text),
    ForeignKeyConstraint(["login_id"], ["logins.id"]),
    UniqueConstraint("account_id", "login_id"),
    one_of("role", "admin", "agent"),
    one_of("status", "active", "inactive"),
)
Index("ix_users_login_id", users.c.login_id)

credentials = tenant_table(
    "credentials",
    Column("id", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("user_id", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),  # SHA-256 of the whole text, never the text
    Column("scopes", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("last_used_at", BigInteger),
    Column("revoked_at", BigInteger),
    belongs_to("users", "user_id"),
    one_of("kind", "dbt", "dbk"),
)

# Browsers that are signed in.
sessions = tenant_table(
    "sessions",
    Column("id", Integer, nullable=False),
    Column("user_id", Integer, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    belongs_to("users", "user_id"),
    Index(None, "account_id", "user_id"),
)

# The links by which users choose a password, the latest of each: invitations, and what to do about a forgotten one.
password_links = tenant_table(
    "password_links",
    Column("user_id", Integer, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    belongs_to("users", "user_id"),
    key=("user_id",),
)

# Letters to users that wait for the installation's own mail server.
notices = tenant_table(
    "notices",
    Column("id", Integer, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("sealed", Text, nullable=False),  # the letter, encrypted by the master key: it holds a link
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("due_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),  # of no use later
)
Index("ix_notices_due_at", notices.c.due_at)

# How often somebody tried to sign in, by keyed hashes of address and network.
sign_in_attempts = Table(
    "sign_in_attempts",
    metadata,
    Column("key_hash", Text, primary_key=True),
    Column("ends_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Index(None, "ends_at"),
    sqlite_with_rowid=False,
)

mailboxes = tenant_table(
    "mailboxes",
    Column("id", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("sender_name", Text, nullable=False),
    Column("sender_email", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("port", Integer, nullable=False),
    Column("security", Text, nullable=False),
    Column("username", Text),
    Column("password", Text),  # encrypted by the master key
    Column("connections", Integer, nullable=False, server_default="4"),
    Column("is_catcher", Boolean, nullable=False, server_default=_NO),
    Column("status", Text, nullable=False, server_default="active"),
    Column("held_since", BigInteger),
    Column("held_until", BigInteger),  # when the next attempt may be made; null: a person must act
    Column("hold_reason", Text),
    Column("hold_detail", Text),
    Column("hold_count", Integer, nullable=False, server_default="0"),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("removed_at", BigInteger),  # letters that left are still known by it
    Column("per_day", Integer),  # its own limits; null: none
    Column("per_hour", Integer),
    Column("spacing", Integer, nullable=False, server_default="0"),  # seconds between two letters
    Column("per_domain", Integer),  # letters on their way at once to one recipients' domain
    Column("ramp_from", Integer),  # letters on the day of ramp_since, more each day
    Column("ramp_since", BigInteger),
    Column("dkim_selector", Text),  # where the key that its letters are signed with is published
    Column("dkim_key", Text),  # encrypted by the master key
    Column("oauth_grant", Text),  # what access tokens are renewed with, encrypted; then there is no password
    Column("provider", Text),  # whose API takes its letters; null: a server that speaks SMTP
    Column("hook", Text),  # what the provider proves itself with when it tells of letters, encrypted
    Column("needs_identity", Boolean, nullable=False, server_default=_NO),  # sends only while receivers know its sender
    Column("identity_seen_at", BigInteger),  # when they were last found to; null: they are not
    one_of("security", "none", "starttls", "tls"),
    one_of("status", "active", "off"),
)

# The hours of mailboxes with limits: turns given to letters that still wait for them, and letters sent.
turns = tenant_table(
    "turns",
    Column("mailbox_id", Integer, nullable=False),
    Column("hour", BigInteger, nullable=False),
    Column("given", Integer, nullable=False),
    Column("sent", Integer, nullable=False),
    Column("last_at", BigInteger),
    belongs_to("mailboxes", "mailbox_id"),
    key=("mailbox_id", "hour"),
)

# What accounts with an allowance have sent in a month (yyyymm, where the account is).
allowances = tenant_table(
    "allowances",
    Column("month", Integer, nullable=False),
    Column("sent", Integer, nullable=False),
    key=("month",),
)

# How a mailbox hears: its IMAP server, and how far it was read. Apart from the mailbox's row, which every letter locks.
inboxes = tenant_table(
    "inboxes",
    Column("mailbox_id", Integer, nullable=False),
    Column("host", Text, nullable=False),
    Column("port", Integer, nullable=False),
    Column("security", Text, nullable=False),
    Column("username", Text),
    Column("password", Text),  # encrypted by the master key; null: the mailbox's own login
    Column("uid_validity", BigInteger),
    Column("uid", BigInteger),  # the last message read; null: what is there now is left alone
    Column("look_at", BigInteger, nullable=False),
    Column("lease_until", BigInteger),
    Column("lease_token", Text),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("trouble", Text),
    Column("heard_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    belongs_to("mailboxes", "mailbox_id"),
    one_of("security", "none", "starttls", "tls"),
    key=("mailbox_id",),
)
Index("ix_inboxes_look_at", inboxes.c.look_at)

# --- people and their addresses ---------------------------------------------------------------------

people = tenant_table(
    "people",
    Column("kind", Text, nullable=False),
    Column("id", Integer, nullable=False),
    Column("first_name", Text),
    Column("last_name", Text),
    Column("organization_name", Text),
    Column("title", Text),
    Column("email", Text),
    Column("address_hash", Text),
    Column("phone", Text),
    Column("time_zone", Text),
    Column("custom", Text),
    Column("owner_id", Integer, nullable=False),
    Column("creator_id", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("mobile", Text),
    Column("status", Text),
    Column("source_id", Integer),
    Column("is_organization", Boolean, nullable=False, server_default=_NO),
    Column("organization_id", Integer),  # the contact that is this contact's organization
    Column("details", Text),  # what is only shown: addresses, tags, website, ...
    Index(None, "account_id", "address_hash"),
    one_of("kind", "lead", "contact"),
    key=("kind", "id"),
)
Index("ix_people_updated", people.c.account_id, people.c.kind, people.c.updated_at, people.c.id)
Index("ix_people_owner", people.c.account_id, people.c.kind, people.c.owner_id, people.c.id)
Index("ix_people_name", people.c.account_id, people.c.kind, people.c.last_name, people.c.first_name, people.c.id)
for _column in ("organization_name", "phone", "mobile", "organization_id"):
    Index(
        f"ix_people_{_column}",
        people.c.account_id,
        people.c.kind,
        people.c[_column],
        people.c.id,
        sqlite_where=text(f"{_column} IS NOT NULL"),
        postgresql_where=text(f"{_column} IS NOT NULL"),
    )

# What people may be found by that stands in their JSON: custom fields and parts of the address, as text.
person_values = tenant_table(
    "person_values",
    Column("kind", Text, nullable=False),
    Column("person_id", Integer, nullable=False),
    Column("field", Text, nullable=False),
    Column("value", Text, nullable=False),
    belongs_to("people", "kind", "person_id", key=("kind", "id")),
    Index("ix_person_values_value", "account_id", "kind", "field", "value", "person_id"),
    key=("kind", "person_id", "field"),
)

# The words people are searched by, as `search_words` writes them; compared byte by byte in any locale.
person_words = tenant_table(
    "person_words",
    Column("kind", Text, nullable=False),
    Column("word", Text().with_variant(Text(collation="C"), "postgresql"), nullable=False),
    Column("person_id", Integer, nullable=False),
    key=("kind", "word", "person_id"),
    beside_another=True,  # and no reference to the person, whose deletion would look through all words for them
)

# Leads that became contacts; the leads themselves are gone.
lead_conversions = tenant_table(
    "lead_conversions",
    Column("id", Integer, nullable=False),
    Column("lead_id", Integer, nullable=False),
    Column("individual_id", Integer),
    Column("organization_id", Integer),
    Column("creator_id", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index(None, "account_id", "lead_id"),
)

# Files of people on their way in: read once, kept as rows in parts, taken in part by part.
imports = tenant_table(
    "imports",
    Column("id", Integer, nullable=False),
    Column("creator_id", Integer, nullable=False),
    Column("seen_by", Integer),  # whose records it may change; null: everybody's
    Column("kind", Text, nullable=False),
    Column("file_name", Text, nullable=False),
    Column("headers", Text, nullable=False),
    Column("mapping", Text, nullable=False),
    Column("existing", Text, nullable=False, server_default="update"),
    Column("status", Text, nullable=False, server_default="loading"),
    Column("rows_total", Integer, nullable=False, server_default="0"),
    Column("parts_total", Integer, nullable=False, server_default="0"),
    Column("parts_done", Integer, nullable=False, server_default="0"),
    Column("created", Integer, nullable=False, server_default="0"),
    Column("updated", Integer, nullable=False, server_default="0"),
    Column("unchanged", Integer, nullable=False, server_default="0"),
    Column("rejected", Integer, nullable=False, server_default="0"),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    belongs_to("users", "creator_id"),
    one_of("kind", "lead", "contact"),
    one_of("existing", "update", "skip"),
    one_of("status", "loading", "ready", "running", "finished", "cancelled"),
)
_RUNNING = text("status = 'running'")
Index("ix_imports_running", imports.c.updated_at, sqlite_where=_RUNNING, postgresql_where=_RUNNING)

import_parts = tenant_table(
    "import_parts",
    Column("import_id", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("first_row", Integer, nullable=False),
    Column("rows", Text, nullable=False),
    belongs_to("imports", "import_id"),
    key=("import_id", "number"),
)

# Whom an import made, changed or found as they were: those of its file.
imported_people = tenant_table(
    "imported_people",
    Column("import_id", Integer, nullable=False),
    Column("person_id", Integer, nullable=False),
    belongs_to("imports", "import_id"),
    key=("import_id", "person_id"),
)

rejected_rows = tenant_table(
    "rejected_rows",
    Column("import_id", Integer, nullable=False),
    Column("row", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("cells", Text, nullable=False),
    belongs_to("imports", "import_id"),
    key=("import_id", "row"),
)

# The contact that an address means to execute, and the lock under which it is made.
contact_addresses = tenant_table(
    "contact_addresses",
    Column("address_hash", Text, nullable=False),
    Column("contact_id", Integer, nullable=False),
    key=("address_hash",),
)

suppressions = tenant_table(
    "suppressions",
    Column("address_hash", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("evidence", Text),
    Column("created_at", BigInteger, nullable=False),
    one_of("cause", "unsubscribed", "complained", "suppressed"),
    key=("address_hash",),
)

undeliverable_addresses = tenant_table(
    "undeliverable_addresses",
    Column("address_hash", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    key=("address_hash",),
)

# --- what is sent -----------------------------------------------------------------------------------

calendars = tenant_table(
    "calendars",
    Column("id", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("country", Text),
    Column("region", Text),
    Column("days", Text, nullable=False, server_default="[]"),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    UniqueConstraint("account_id", "name"),
)

attachments = tenant_table(
    "attachments",
    Column("sha256", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    key=("sha256",),
)

templates = tenant_table(
    "templates",
    Column("id", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("html", Text),
    Column("text", Text),
    Column("attachments", Text, nullable=False, server_default="[]"),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    UniqueConstraint("account_id", "name"),
)

sequences = tenant_table(
    "sequences",
    Column("id", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("creator_id", Integer, nullable=False),
    Column("version", Integer, nullable=False, server_default="0"),
    Column("time_zone", Text),
    Column("default_actor_id", Integer),
    Column("calendar_id", Integer),
    Column("windows", Text, nullable=False, server_default="[]"),
    Column("window_zone", Text, nullable=False, server_default="sequence"),
    Column("unsubscribe_enabled", Boolean, nullable=False, server_default=_YES),
    Column("unsubscribe_locale", Text, nullable=False, server_default="en-US"),
    Column("variant_b_id", Integer),
    Column("variant_share", Integer),
    Column("reenroll_after", BigInteger),  # microseconds; null: what each API defaults to
    Column("paused_at", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    belongs_to("users", "creator_id"),
    belongs_to("users", "default_actor_id"),
    belongs_to("calendars", "calendar_id"),
    belongs_to("sequences", "variant_b_id"),
    UniqueConstraint("account_id", "name"),
    one_of("status", "draft", "active", "paused", "archived"),
    one_of("window_zone", "sequence", "recipient"),
    CheckConstraint("variant_share BETWEEN 1 AND 99", name="variant_share"),
)

versions = tenant_table(
    "versions",
    Column("sequence_id", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("steps", Text, nullable=False),
    Column("steps_total", Integer, nullable=False),
    Column("published_at", BigInteger, nullable=False),
    belongs_to("sequences", "sequence_id"),
    key=("sequence_id", "number"),
)

# The steps somebody works at, before they are published.
drafts = tenant_table(
    "drafts",
    Column("sequence_id", Integer, nullable=False),
    Column("steps", Text, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    belongs_to("sequences", "sequence_id"),
    key=("sequence_id",),
)

# A change of a whole sequence, carried to its waiting enrollments in bounded batches, in order.
replans = tenant_table(
    "replans",
    Column("sequence_id", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("frozen_at", BigInteger),
    Column("at", BigInteger, nullable=False),
    Column("after_enrollment_id", BigInteger, nullable=False, server_default="0"),
    belongs_to("sequences", "sequence_id"),
    one_of("kind", "freeze", "thaw", "rhythm"),
    key=("sequence_id", "number"),
)

variants = tenant_table(
    "variants",
    Column("experiment", Integer, nullable=False),
    Column("address_hash", Text, nullable=False),
    Column("variant", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    belongs_to("sequences", "experiment"),
    one_of("variant", "A", "B"),
    key=("experiment", "address_hash"),
)

# --- what runs --------------------------------------------------------------------------------------

_ONGOING = text("state <> 'finished'")

enrollments = tenant_table(
    "enrollments",
    Column("id", Integer, nullable=False),
    Column("actor_id", Integer, nullable=False),
    Column("resource_type", Text, nullable=False),
    Column("resource_id", Integer, nullable=False),
    Column("address_hash", Text),
    Column("sequence_id", Integer, nullable=False),  # the one addressed (A)
    Column("runs_sequence_id", Integer, nullable=False),  # the one whose version runs (A or B)
    Column("version", Integer, nullable=False),
    Column("variant", Text),
    Column("mailbox_id", Integer),  # bound at the first letter
    Column("zone", Text, nullable=False),
    Column("recipient_zone", Text),
    Column("state", Text, nullable=False),
    Column("position", SmallInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("anchor_at", BigInteger, nullable=False),
    Column("ready_at", BigInteger, nullable=False),
    Column("failure_reason", Text),
    Column("failure_detail", Text),
    Column("in_doubt", Boolean, nullable=False, server_default=_NO),
    Column("task_id", Integer),
    Column("finished_at", BigInteger),
    Column("finished_reason", Text),
    Column("finished_actor_id", Integer),
    Column("revision", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("continues_id", Integer),  # the enrollment that a mistaken reply ended
    Column("continued_by_id", Integer),
    Column("emptied_at", BigInteger),  # when its content was taken away, some time after its end
    belongs_to("users", "actor_id"),
    belongs_to("sequences", "sequence_id"),
    belongs_to("versions", "runs_sequence_id", "version", key=("sequence_id", "number")),
    one_of("resource_type", "lead", "contact"),
    one_of("state", "active", "blocked", "finished"),
    one_of("status", "scheduled", "in_progress", "completed", "blocked", "cancelled"),
    hot=True,
)
# One ongoing enrollment per person and per address key, in the sequence addressed and in the one that runs.
for _name, _sequence, _whom in (
    ("addressed_person", "sequence_id", ("resource_type", "resource_id")),
    ("addressed_address", "sequence_id", ("address_hash",)),
    ("running_person", "runs_sequence_id", ("resource_type", "resource_id")),
    ("running_address", "runs_sequence_id", ("address_hash",)),
):
    Index(
        f"uq_enrollments_{_name}",
        enrollments.c.account_id,
        *(enrollments.c[column] for column in _whom),
        enrollments.c[_sequence],
        unique=True,
        sqlite_where=_ONGOING,
        postgresql_where=_ONGOING,
    )
Index(
    "ix_enrollments_resource",
    enrollments.c.account_id,
    enrollments.c.resource_type,
    enrollments.c.resource_id,
    enrollments.c.id,
)
Index("ix_enrollments_actor", enrollments.c.account_id, enrollments.c.actor_id, enrollments.c.id)
Index(
    "ix_enrollments_address",
    enrollments.c.account_id,
    enrollments.c.address_hash,
    enrollments.c.id,
    sqlite_where=text("address_hash IS NOT NULL"),
    postgresql_where=text("address_hash IS NOT NULL"),
)
Index(
    "ix_enrollments_blocked",
    enrollments.c.account_id,
    enrollments.c.failure_reason,
    enrollments.c.id,
    sqlite_where=text("state = 'blocked'"),
    postgresql_where=text("state = 'blocked'"),
)
Index(
    "ix_enrollments_blocked_of_actor",
    enrollments.c.account_id,
    enrollments.c.actor_id,
    enrollments.c.failure_reason,
    enrollments.c.id,
    sqlite_where=text("state = 'blocked'"),
    postgresql_where=text("state = 'blocked'"),
)
Index(
    "ix_enrollments_running_of_actor",
    enrollments.c.account_id,
    enrollments.c.actor_id,
    enrollments.c.runs_sequence_id,
    enrollments.c.id,
    sqlite_where=_ONGOING,
    postgresql_where=_ONGOING,
)
Index(
    "ix_enrollments_blocked_of_sequence",
    enrollments.c.account_id,
    enrollments.c.sequence_id,
    sqlite_where=text("state = 'blocked'"),
    postgresql_where=text("state = 'blocked'"),
)
_IN_VARIANT_B = text("state <> 'finished' AND sequence_id <> runs_sequence_id")
Index(
    "ix_enrollments_variant_b",
    enrollments.c.account_id,
    enrollments.c.sequence_id,
    enrollments.c.id,
    sqlite_where=_IN_VARIANT_B,
    postgresql_where=_IN_VARIANT_B,
)
Index(
    "ix_enrollments_replan",
    enrollments.c.account_id,
    enrollments.c.runs_sequence_id,
    enrollments.c.id,
    sqlite_where=_ONGOING,
    postgresql_where=_ONGOING,
)

actions = tenant_table(
    "actions",
    Column("enrollment_id", Integer, nullable=False),
    Column("position", SmallInteger, nullable=False),
    Column("executed_at", BigInteger, nullable=False),
    Column("task_id", Integer),
    belongs_to("enrollments", "enrollment_id"),
    key=("enrollment_id", "position"),
)

# One lane per mailbox, and lane 0 for what needs none (tasks, letters without a mailbox).
lanes = tenant_table(
    "lanes",
    Column("id", Integer, nullable=False),
    Column("wake_at", BigInteger),  # the earliest instant anything in it may happen
    Column("served_at", BigInteger, nullable=False, server_default="0"),
    hot=True,
)
Index(
    "ix_lanes_wake_at",
    lanes.c.wake_at,
    sqlite_where=text("wake_at IS NOT NULL"),
    postgresql_where=text("wake_at IS NOT NULL"),
)

# The narrow, hot part of an ongoing enrollment: when the engine looks at it next, and who does.
due = tenant_table(
    "due",
    Column("enrollment_id", Integer, nullable=False),
    Column("lane_id", Integer, nullable=False),
    Column("due_at", BigInteger),
    Column("lease_until", BigInteger),
    Column("lease_token", Text),
    Column("attempt", SmallInteger, nullable=False, server_default="0"),
    Column("first_tried_at", BigInteger),
    Column("came_due_at", BigInteger),  # set while due_at is the turn that its mailbox's limits gave it
    key=("enrollment_id",),
    hot=True,
    beside_another=True,
)
Index(
    "ix_due_lane",
    due.c.account_id,
    due.c.lane_id,
    due.c.due_at,
    due.c.enrollment_id,
    sqlite_where=text("due_at IS NOT NULL"),
    postgresql_where=text("due_at IS NOT NULL"),
)

deliveries = tenant_table(
    "deliveries",
    Column("enrollment_id", Integer, nullable=False),
    Column("position", SmallInteger, nullable=False),
    Column("attempt", SmallInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("mailbox_id", Integer, nullable=False),
    Column("address_hash", Text, nullable=False),
    Column("frozen", Text, nullable=False),  # every input of the bytes: values, names, Message-ID, Date
    Column("composer", SmallInteger, nullable=False),
    Column("sha256", Text),
    Column("lease_until", BigInteger),
    Column("lease_token", Text),
    Column("reply", Text),  # what the server said last
    Column("claimed_at", BigInteger, nullable=False),
    Column("transmitting_at", BigInteger),
    Column("settled_at", BigInteger),
    Column("bounced_at", BigInteger),
    belongs_to("enrollments", "enrollment_id"),
    belongs_to("mailboxes", "mailbox_id"),
    one_of("status", "queued", "claimed", "transmitting", "accepted", "refused", "unknown"),
    key=("enrollment_id", "position", "attempt"),
    hot=True,
)
# The last net under "never twice": whatever the code does, one letter at most per step is out.
Index(
    "uq_deliveries_out",
    deliveries.c.account_id,
    deliveries.c.enrollment_id,
    deliveries.c.position,
    unique=True,
    sqlite_where=text("status IN ('transmitting', 'accepted', 'unknown')"),
    postgresql_where=text("status IN ('transmitting', 'accepted', 'unknown')"),
)
# Claimed and transmitting letters whose lease may run out, and doubts whose evidence is still awaited. The
# instant itself is no part of the index: it would gather thousands of dead entries a minute at its right end.
Index(
    "ix_deliveries_open",
    deliveries.c.account_id,
    deliveries.c.enrollment_id,
    sqlite_where=text("lease_until IS NOT NULL"),
    postgresql_where=text("lease_until IS NOT NULL"),
)
Index(
    "ix_deliveries_unknown",
    deliveries.c.account_id,
    deliveries.c.enrollment_id,
    sqlite_where=text("status = 'unknown'"),
    postgresql_where=text("status = 'unknown'"),
)

tasks = tenant_table(
    "tasks",
    Column("id", Integer, nullable=False),
    Column("owner_id", Integer, nullable=False),
    Column("creator_id", Integer, nullable=False),
    Column("resource_type", Text),
    Column("resource_id", Integer),
    Column("content", Text, nullable=False),
    Column("due_at", BigInteger),
    Column("completed_at", BigInteger),
    Column("enrollment_id", Integer),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("remind_at", BigInteger),
    belongs_to("users", "owner_id"),
)
Index("ix_tasks_owner", tasks.c.account_id, tasks.c.owner_id, tasks.c.id)
Index("ix_tasks_updated", tasks.c.account_id, tasks.c.updated_at, tasks.c.id)
Index(
    "ix_tasks_open",
    tasks.c.account_id,
    tasks.c.id,
    sqlite_where=text("completed_at IS NULL"),
    postgresql_where=text("completed_at IS NULL"),
)
# A user's open tasks, as they were made and as they are due.
for _name, _columns in (("open_of_owner", ("id",)), ("due", ("due_at", "id"))):
    Index(
        f"ix_tasks_{_name}",
        tasks.c.account_id,
        tasks.c.owner_id,
        *(tasks.c[column] for column in _columns),
        sqlite_where=text("completed_at IS NULL"),
        postgresql_where=text("completed_at IS NULL"),
    )
Index(
    "ix_tasks_due_of_all",
    tasks.c.account_id,
    tasks.c.due_at,
    tasks.c.id,
    sqlite_where=text("completed_at IS NULL"),
    postgresql_where=text("completed_at IS NULL"),
)
# Its condition is written so that no list of all completed tasks takes it for its own.
Index(
    "ix_tasks_done",
    tasks.c.account_id,
    tasks.c.owner_id,
    tasks.c.completed_at,
    tasks.c.id,
    sqlite_where=text("completed_at > 0"),
    postgresql_where=text("completed_at > 0"),
)
Index("ix_tasks_resource", tasks.c.account_id, tasks.c.resource_type, tasks.c.resource_id, tasks.c.id)

# --- what came back ---------------------------------------------------------------------------------

# Received messages that had an effect, each once: the evidence. Other mail is not kept.
received_messages = tenant_table(
    "received_messages",
    Column("id", Integer, nullable=False),
    Column("mailbox_id", Integer, nullable=False),
    Column("digest", Text, nullable=False),  # SHA-256 of the bytes read: the same message has its effect once
    Column("kind", Text, nullable=False),
    Column("matched_by", Text, nullable=False),
    Column("enrollment_id", Integer, nullable=False),
    Column("position", SmallInteger),
    Column("sender", Text),
    Column("subject", Text, nullable=False),
    Column("words", Text, nullable=False),  # what was written, without quotes and signature
    Column("message_id", Text),
    Column("why", Text, nullable=False),
    Column("permanent", Boolean),
    Column("until", BigInteger),
    Column("received_at", BigInteger, nullable=False),
    belongs_to("mailboxes", "mailbox_id"),
    belongs_to("enrollments", "enrollment_id"),
    one_of("kind", "reply", "auto_reply", "bounce", "complaint", "unsubscribe"),
    one_of("matched_by", "message_id", "sender", "link"),
    UniqueConstraint("account_id", "mailbox_id", "digest"),
)
Index(
    "ix_received_messages_enrollment",
    received_messages.c.account_id,
    received_messages.c.enrollment_id,
    received_messages.c.id,
)
Index(
    "ix_received_messages_kind",
    received_messages.c.account_id,
    received_messages.c.kind,
    received_messages.c.received_at,
    received_messages.c.id,
)

# Address keys whose person is away, as an auto-reply said: no letter leaves for them before.
absences = tenant_table(
    "absences",
    Column("address_hash", Text, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("message_id", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    key=("address_hash",),
)

# --- what happened ----------------------------------------------------------------------------------

events = tenant_table(
    "events",
    Column("enrollment_id", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("number", SmallInteger, nullable=False),
    Column("fact", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    key=("enrollment_id", "revision", "number"),
    beside_another=True,
)

# What other consumers still have to hear: one row per consumer and transaction, listing its events.
outbox = tenant_table(
    "outbox",
    Column("topic", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("events", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    key=("topic", "token"),
    beside_another=True,
)

# What account-wide things happened, and who did them: sequences paused, addresses suppressed, keys made.
journal = tenant_table(
    "journal",
    Column("id", Integer, nullable=False),
    Column("subject", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("fact", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("actor_id", Integer),
    Column("at", BigInteger, nullable=False),
)

sequence_counts = tenant_table(
    "sequence_counts",
    Column("sequence_id", Integer, nullable=False),
    Column("variant", Text, nullable=False),
    Column("fact", Text, nullable=False),
    Column("total", BigInteger, nullable=False),
    key=("sequence_id", "variant", "fact"),
)

# The same by step and by day (days since 1970, in UTC), for reports.
step_counts = tenant_table(
    "step_counts",
    Column("sequence_id", Integer, nullable=False),
    Column("variant", Text, nullable=False),
    Column("day", Integer, nullable=False),
    Column("position", SmallInteger, nullable=False),
    Column("fact", Text, nullable=False),
    Column("total", BigInteger, nullable=False),
    key=("sequence_id", "variant", "day", "position", "fact"),
)

# --- calls of the APIs ------------------------------------------------------------------------------

# The answer of each call that carried an Idempotency-Key, for as long as it is given again.
kept_answers = tenant_table(
    "kept_answers",
    Column("key_hash", Text, nullable=False),  # of the credential, the route and the key
    Column("request_hash", Text, nullable=False),  # of the path and the body
    Column("answer", LargeBinary),  # null only while the call is at work
    Column("created_at", BigInteger, nullable=False),
    key=("key_hash",),
)
Index("ix_kept_answers_created_at", kept_answers.c.created_at)

# How many calls of the execute API an account made in its latest minute.
api_calls = tenant_table(
    "api_calls",
    Column("minute", BigInteger, nullable=False),
    Column("calls", Integer, nullable=False),
    key=(),
    hot=True,
)
