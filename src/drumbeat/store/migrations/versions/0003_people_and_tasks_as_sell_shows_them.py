"""People and tasks as Sell shows them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "lead_conversions",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("lead_id", sa.Integer(), nullable=False),
        sa.Column("individual_id", sa.Integer(), nullable=True),
        sa.Column("organization_id", sa.Integer(), nullable=True),
        sa.Column("creator_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_lead_conversions_account_id")),
        sa.PrimaryKeyConstraint("account_id", "id", name=op.f("pk_lead_conversions")),
        postgresql_with={},
        sqlite_with_rowid=False,
    )
    op.create_index(
        op.f("ix_lead_conversions_account_id_lead_id"), "lead_conversions", ["account_id", "lead_id"], unique=False
    )
    op.create_table(
        "person_values",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id", "kind", "person_id"],
            ["people.account_id", "people.kind", "people.id"],
            name=op.f("fk_person_values_account_id_kind_person_id"),
        ),
        sa.PrimaryKeyConstraint("account_id", "kind", "person_id", "field", name=op.f("pk_person_values")),
        postgresql_with={},
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_person_values_value", "person_values", ["account_id", "kind", "field", "value", "person_id"], unique=False
    )
    op.add_column("people", sa.Column("mobile", sa.Text(), nullable=True))
    op.add_column("people", sa.Column("status", sa.Text(), nullable=True))
    op.add_column("people", sa.Column("source_id", sa.Integer(), nullable=True))
    op.add_column("people", sa.Column("is_organization", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("people", sa.Column("organization_id", sa.Integer(), nullable=True))
    op.add_column("people", sa.Column("details", sa.Text(), nullable=True))
    op.create_index(
        "ix_people_mobile",
        "people",
        ["account_id", "kind", "mobile", "id"],
        unique=False,
        sqlite_where=sa.text("mobile IS NOT NULL"),
        postgresql_where=sa.text("mobile IS NOT NULL"),
    )
    op.create_index("ix_people_name", "people", ["account_id", "kind", "last_name", "first_name", "id"], unique=False)
    op.create_index(
        "ix_people_organization_id",
        "people",
        ["account_id", "kind", "organization_id", "id"],
        unique=False,
        sqlite_where=sa.text("organization_id IS NOT NULL"),
        postgresql_where=sa.text("organization_id IS NOT NULL"),
    )
    op.create_index(
        "ix_people_organization_name",
        "people",
        ["account_id", "kind", "organization_name", "id"],
        unique=False,
        sqlite_where=sa.text("organization_name IS NOT NULL"),
        postgresql_where=sa.text("organization_name IS NOT NULL"),
    )
    op.create_index(
        "ix_people_phone",
        "people",
        ["account_id", "kind", "phone", "id"],
        unique=False,
        sqlite_where=sa.text("phone IS NOT NULL"),
        postgresql_where=sa.text("phone IS NOT NULL"),
    )
    op.create_index("ix_people_updated", "people", ["account_id", "kind", "updated_at", "id"], unique=False)
    op.add_column("tasks", sa.Column("remind_at", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_tasks_open",
        "tasks",
        ["account_id", "id"],
        unique=False,
        sqlite_where=sa.text("completed_at IS NULL"),
        postgresql_where=sa.text("completed_at IS NULL"),
    )
    op.create_index("ix_tasks_owner", "tasks", ["account_id", "owner_id", "id"], unique=False)
    op.create_index("ix_tasks_updated", "tasks", ["account_id", "updated_at", "id"], unique=False)
