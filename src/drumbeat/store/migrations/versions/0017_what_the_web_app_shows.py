"""What the web app shows: people by their words and imports, drafts, what is due, counts by day, locales."""

import sqlalchemy as sa
from alembic import op

from drumbeat.domain.person import words_in

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "person_words",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("word", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "kind", "word", "person_id", name=op.f("pk_person_words")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "imported_people",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("import_id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "import_id", "person_id", name=op.f("pk_imported_people")),
        sa.ForeignKeyConstraint(
            ["account_id", "import_id"],
            ["imports.account_id", "imports.id"],
            name=op.f("fk_imported_people_account_id_import_id"),
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "drafts",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("sequence_id", sa.Integer(), nullable=False),
        sa.Column("steps", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "sequence_id", name=op.f("pk_drafts")),
        sa.ForeignKeyConstraint(
            ["account_id", "sequence_id"],
            ["sequences.account_id", "sequences.id"],
            name=op.f("fk_drafts_account_id_sequence_id"),
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "step_counts",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("sequence_id", sa.Integer(), nullable=False),
        sa.Column("variant", sa.Text(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("fact", sa.Text(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "account_id", "sequence_id", "variant", "day", "position", "fact", name="pk_step_counts"
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_step_counts_account_id"),
        sqlite_with_rowid=False,
    )
    is_open = sa.text("completed_at IS NULL")
    for name, columns in (("ix_tasks_open_of_owner", ["id"]), ("ix_tasks_due", ["due_at", "id"])):
        op.create_index(
            name,
            "tasks",
            ["account_id", "owner_id", *columns],
            sqlite_where=is_open,
            postgresql_where=is_open,
        )
    for name, columns, is_such in (
        ("ix_enrollments_blocked_of_sequence", ["sequence_id"], "state = 'blocked'"),
        ("ix_enrollments_variant_b", ["sequence_id", "id"], "state <> 'finished' AND sequence_id <> runs_sequence_id"),
    ):
        op.create_index(
            name,
            "enrollments",
            ["account_id", *columns],
            sqlite_where=sa.text(is_such),
            postgresql_where=sa.text(is_such),
        )
    op.create_index(
        "ix_tasks_due_of_all",
        "tasks",
        ["account_id", "due_at", "id"],
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    is_done = sa.text("completed_at > 0")
    op.create_index(
        "ix_tasks_done",
        "tasks",
        ["account_id", "owner_id", "completed_at", "id"],
        sqlite_where=is_done,
        postgresql_where=is_done,
    )
    for name, column, is_so in (
        ("ix_enrollments_blocked_of_actor", "failure_reason", sa.text("state = 'blocked'")),
        ("ix_enrollments_running_of_actor", "runs_sequence_id", sa.text("state <> 'finished'")),
    ):
        op.create_index(
            name,
            "enrollments",
            ["account_id", "actor_id", column, "id"],
            sqlite_where=is_so,
            postgresql_where=is_so,
        )
    op.create_index("ix_received_messages_kind", "received_messages", ["account_id", "kind", "received_at", "id"])
    op.add_column("accounts", sa.Column("locale", sa.Text(), server_default="en-GB", nullable=False))
    op.add_column("users", sa.Column("locale", sa.Text(), nullable=True))
    _write_words(op.get_bind())


def _write_words(connection: sa.Connection) -> None:
    key = {"account_id": 0, "kind": "", "id": 0}
    while rows := connection.execute(_PEOPLE, key).all():
        words = [
            {"account_id": row.account_id, "kind": row.kind, "word": word, "person_id": row.id}
            for row in rows
            for word in words_in(row.first_name, row.last_name, row.organization_name, row.email)
        ]
        if words:
            connection.execute(_ADD, words)
        last = rows[-1]
        key = {"account_id": last.account_id, "kind": last.kind, "id": last.id}


_PEOPLE = sa.text("""
    SELECT account_id, kind, id, first_name, last_name, organization_name, email FROM people
    WHERE (account_id, kind, id) > (:account_id, :kind, :id) ORDER BY account_id, kind, id LIMIT 1000
""")
_ADD = sa.text("""
    INSERT INTO person_words (account_id, kind, word, person_id) VALUES (:account_id, :kind, :word, :person_id)
""")
