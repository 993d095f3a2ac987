"""Keep answers and count calls."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "api_calls",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("minute", sa.BigInteger(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_api_calls_account_id")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_api_calls")),
        postgresql_with={
            "fillfactor": 80,
            "autovacuum_vacuum_scale_factor": 0,
            "autovacuum_vacuum_threshold": 10000,
            "autovacuum_vacuum_cost_delay": 0,
        },
        sqlite_with_rowid=False,
    )
    op.create_table(
        "kept_answers",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("key_hash", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.Text(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_kept_answers_account_id")),
        sa.PrimaryKeyConstraint("account_id", "key_hash", name=op.f("pk_kept_answers")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_kept_answers_created_at", "kept_answers", ["created_at"])
