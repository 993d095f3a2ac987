"""Hear what comes back."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "absences",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("address_hash", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_absences_account_id")),
        sa.PrimaryKeyConstraint("account_id", "address_hash", name=op.f("pk_absences")),
        postgresql_with={},
        sqlite_with_rowid=False,
    )
    op.create_table(
        "inboxes",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("mailbox_id", sa.Integer(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("security", sa.Text(), nullable=False),
        sa.Column("username", sa.Text(), nullable=True),
        sa.Column("password", sa.Text(), nullable=True),
        sa.Column("uid_validity", sa.BigInteger(), nullable=True),
        sa.Column("uid", sa.BigInteger(), nullable=True),
        sa.Column("look_at", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("lease_token", sa.Text(), nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.Column("heard_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("security IN ('none', 'starttls', 'tls')", name=op.f("ck_inboxes_security")),
        sa.ForeignKeyConstraint(
            ["account_id", "mailbox_id"],
            ["mailboxes.account_id", "mailboxes.id"],
            name=op.f("fk_inboxes_account_id_mailbox_id"),
        ),
        sa.PrimaryKeyConstraint("account_id", "mailbox_id", name=op.f("pk_inboxes")),
        postgresql_with={},
        sqlite_with_rowid=False,
    )
    op.create_index("ix_inboxes_look_at", "inboxes", ["look_at"], unique=False)
    op.create_table(
        "received_messages",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mailbox_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("matched_by", sa.Text(), nullable=False),
        sa.Column("enrollment_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=True),
        sa.Column("sender", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("permanent", sa.Boolean(), nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('reply', 'auto_reply', 'bounce', 'complaint', 'unsubscribe')",
            name=op.f("ck_received_messages_kind"),
        ),
        sa.CheckConstraint(
            "matched_by IN ('message_id', 'sender', 'link')", name=op.f("ck_received_messages_matched_by")
        ),
        sa.ForeignKeyConstraint(
            ["account_id", "enrollment_id"],
            ["enrollments.account_id", "enrollments.id"],
            name=op.f("fk_received_messages_account_id_enrollment_id"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id", "mailbox_id"],
            ["mailboxes.account_id", "mailboxes.id"],
            name=op.f("fk_received_messages_account_id_mailbox_id"),
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_received_messages")),
        sa.UniqueConstraint(
            "account_id", "mailbox_id", "digest", name=op.f("uq_received_messages_account_id_mailbox_id_digest")
        ),
        postgresql_with={},
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_received_messages_enrollment", "received_messages", ["account_id", "enrollment_id", "id"], unique=False
    )
    op.add_column("deliveries", sa.Column("bounced_at", sa.BigInteger(), nullable=True))
    op.add_column("enrollments", sa.Column("continues_id", sa.Integer(), nullable=True))
    op.add_column("enrollments", sa.Column("continued_by_id", sa.Integer(), nullable=True))
