"""Take people in from files."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "imports",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("creator_id", sa.Integer(), nullable=False),
        sa.Column("seen_by", sa.Integer(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("mapping", sa.Text(), nullable=False),
        sa.Column("existing", sa.Text(), server_default="update", nullable=False),
        sa.Column("status", sa.Text(), server_default="loading", nullable=False),
        sa.Column("rows_total", sa.Integer(), server_default="0", nullable=False),
        sa.Column("parts_total", sa.Integer(), server_default="0", nullable=False),
        sa.Column("parts_done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created", sa.Integer(), server_default="0", nullable=False),
        sa.Column("updated", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unchanged", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rejected", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("existing IN ('update', 'skip')", name=op.f("ck_imports_existing")),
        sa.CheckConstraint("kind IN ('lead', 'contact')", name=op.f("ck_imports_kind")),
        sa.CheckConstraint(
            "status IN ('loading', 'ready', 'running', 'finished', 'cancelled')", name=op.f("ck_imports_status")
        ),
        sa.ForeignKeyConstraint(
            ["account_id", "creator_id"],
            ["users.account_id", "users.id"],
            name=op.f("fk_imports_account_id_creator_id"),
        ),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_imports")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_imports_running",
        "imports",
        ["updated_at"],
        unique=False,
        sqlite_where=sa.text("status = 'running'"),
        postgresql_where=sa.text("status = 'running'"),
    )
    op.create_table(
        "import_parts",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("import_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("first_row", sa.Integer(), nullable=False),
        sa.Column("rows", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id", "import_id"],
            ["imports.account_id", "imports.id"],
            name=op.f("fk_import_parts_account_id_import_id"),
        ),
        sa.PrimaryKeyConstraint("account_id", "import_id", "number", name=op.f("pk_import_parts")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rejected_rows",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("import_id", sa.Integer(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("cells", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id", "import_id"],
            ["imports.account_id", "imports.id"],
            name=op.f("fk_rejected_rows_account_id_import_id"),
        ),
        sa.PrimaryKeyConstraint("account_id", "import_id", "row", name=op.f("pk_rejected_rows")),
        sqlite_with_rowid=False,
    )
