"""Notes, pose, which recognisers have read everything, and the log of changes."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns and tables; recognisers that have read photos so far go on being matched."""
    op.add_column("people", sa.Column("notes", sa.Text, nullable=False, server_default=""))
    for name in ("yaw", "pitch", "roll"):
        op.add_column("readings", sa.Column(name, sa.Double, nullable=True))
    op.create_table(
        "misreadings",
        sa.Column("photo_id", sa.String(32), nullable=False),
        sa.Column("recogniser_sha256", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["photo_id"], ["photos.id"], name="fk_misreadings_photo_id_photos", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("photo_id", "recogniser_sha256", name="pk_misreadings"),
    )
    recognisers = op.create_table(
        "recognisers",
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("pack", sa.String(64), nullable=False),
        sa.Column("complete_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("sha256", name="pk_recognisers"),
    )
    known = op.get_bind().execute(
        sa.text("SELECT recogniser_sha256, MIN(pack) FROM readings GROUP BY recogniser_sha256")
    )
    if rows := [
        {"sha256": sha256, "pack": pack, "complete_at": datetime.now(UTC)} for sha256, pack in known
    ]:
        op.bulk_insert(recognisers, rows)
    op.create_table(
        "gallery_changes",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("person_id", sa.Integer, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_gallery_changes"),
    )
    op.create_index("ix_gallery_changes_version", "gallery_changes", ["version"])


def downgrade() -> None:
    """Forget what was added."""
    for table in ("gallery_changes", "recognisers", "misreadings"):
        op.drop_table(table)
    for name in ("yaw", "pitch", "roll"):
        op.drop_column("readings", name)
    op.drop_column("people", "notes")
