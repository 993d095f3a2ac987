"""Send only as who receivers know."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    needs: sa.Column[bool] = sa.Column("needs_identity", sa.Boolean(), nullable=False, server_default=sa.text("false"))
    op.add_column("mailboxes", needs)
    op.add_column("mailboxes", sa.Column("identity_seen_at", sa.BigInteger(), nullable=True))
