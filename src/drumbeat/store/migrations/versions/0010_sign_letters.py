"""Sign letters."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("mailboxes", sa.Column("dkim_selector", sa.Text(), nullable=True))
    op.add_column("mailboxes", sa.Column("dkim_key", sa.Text(), nullable=True))
