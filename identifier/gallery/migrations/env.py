"""What alembic runs: the migrations, on the connection it is given."""

from __future__ import annotations

from alembic import context

import identifier.access.tables
import identifier.cameras.tables
import identifier.memory.tables  # noqa: F401  (their tables are in the metadata)
from identifier.gallery.tables import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, target_metadata=Base.metadata, render_as_batch=True, compare_type=True
)
context.run_migrations()
