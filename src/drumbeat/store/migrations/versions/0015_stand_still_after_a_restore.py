"""Stand still after a restore."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("installation", sa.Column("quarantined_since", sa.BigInteger(), nullable=True))
    op.add_column("installation", sa.Column("quarantine_cause", sa.Text(), nullable=True))
    op.add_column("installation", sa.Column("nothing_left_after", sa.BigInteger(), nullable=True))
    op.add_column("installation", sa.Column("reconciled_at", sa.BigInteger(), nullable=True))
    op.add_column("installation", sa.Column("lost_until", sa.BigInteger(), nullable=True))
