"""What alembic runs: the migrations, on the connection it is given."""

from __future__ import annotations

from alembic import context

from identifier.gallery.tables import Base
from identifier.memory import tables  # noqa: F401  (its tables are in the metadata)

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, target_metadata=Base.metadata, render_as_batch=True, compare_type=True
)
context.run_migrations()
