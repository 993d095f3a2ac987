"""Let agents see their own records alone."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("accounts", sa.Column("agents_see", sa.Text(), server_default="all", nullable=False))
    op.create_index("ix_enrollments_actor", "enrollments", ["account_id", "actor_id", "id"], unique=False)
    op.create_index("ix_people_owner", "people", ["account_id", "kind", "owner_id", "id"], unique=False)
