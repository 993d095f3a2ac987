"""Alembic's door: runs the revisions, or compares, on the connection that `migrate.py` opened and locked."""

from alembic import context

from drumbeat.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    compare_type=True,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
