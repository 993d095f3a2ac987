"""Send at a mailbox's own pace, and within an account's allowance."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("accounts", sa.Column("monthly_allowance", sa.Integer(), nullable=True))
    op.add_column("mailboxes", sa.Column("per_day", sa.Integer(), nullable=True))
    op.add_column("mailboxes", sa.Column("per_hour", sa.Integer(), nullable=True))
    op.add_column("mailboxes", sa.Column("spacing", sa.Integer(), server_default="0", nullable=False))
    op.add_column("mailboxes", sa.Column("per_domain", sa.Integer(), nullable=True))
    op.add_column("mailboxes", sa.Column("ramp_from", sa.Integer(), nullable=True))
    op.add_column("mailboxes", sa.Column("ramp_since", sa.BigInteger(), nullable=True))
    op.add_column("due", sa.Column("came_due_at", sa.BigInteger(), nullable=True))
    op.create_table(
        "allowances",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("month", sa.Integer(), nullable=False),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_allowances_account_id")),
        sa.PrimaryKeyConstraint("account_id", "month", name=op.f("pk_allowances")),
        postgresql_with={},
        sqlite_with_rowid=False,
    )
    op.create_table(
        "turns",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("mailbox_id", sa.Integer(), nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("given", sa.Integer(), nullable=False),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id", "mailbox_id"],
            ["mailboxes.account_id", "mailboxes.id"],
            name=op.f("fk_turns_account_id_mailbox_id"),
        ),
        sa.PrimaryKeyConstraint("account_id", "mailbox_id", "hour", name=op.f("pk_turns")),
        postgresql_with={},
        sqlite_with_rowid=False,
    )
