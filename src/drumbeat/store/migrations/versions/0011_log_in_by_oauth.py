"""Log in by OAuth."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("mailboxes", sa.Column("oauth_grant", sa.Text(), nullable=True))
