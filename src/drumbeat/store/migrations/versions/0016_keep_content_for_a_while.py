"""Keep content for a while."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("accounts", sa.Column("keep_days", sa.Integer(), nullable=True))
    op.add_column("enrollments", sa.Column("emptied_at", sa.BigInteger(), nullable=True))
