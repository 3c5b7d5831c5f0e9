"""People, photos, what models read in them, and the version counter."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and the counter's one row."""
    op.create_table(
        "people",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("slug", sa.String(64), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("name_key", sa.String(400), nullable=False),
        sa.Column("threshold", sa.Double),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("slug", name="uq_people_slug"),
        sa.UniqueConstraint("name_key", name="uq_people_name_key"),
    )
    op.create_table(
        "photos",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("person_id", sa.Integer, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("media_type", sa.String(32), nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("folder", sa.String(4096), nullable=False),
        sa.Column("path", sa.String(4096), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name="fk_photos_person_id_people", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("person_id", "sha256", name="uq_photos_person_id"),
    )
    op.create_index("ix_photos_sha256", "photos", ["sha256"])
    op.create_table(
        "photo_files",
        sa.Column("photo_id", sa.String(32), primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(
            ["photo_id"], ["photos.id"], name="fk_photo_files_photo_id_photos", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "readings",
        sa.Column("photo_id", sa.String(32), primary_key=True),
        sa.Column("recogniser_sha256", sa.String(64), primary_key=True),
        sa.Column("detector_sha256", sa.String(64), nullable=False),
        sa.Column("pack", sa.String(64), nullable=False),
        sa.Column("embedding", sa.LargeBinary, nullable=False),
        *(
            sa.Column(name, sa.Double, nullable=False)
            for name in ("score", "sharpness", "x", "y", "width", "height")
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["photo_id"], ["photos.id"], name="fk_readings_photo_id_photos", ondelete="CASCADE"
        ),
    )
    state = op.create_table(
        "gallery_state",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("gallery", sa.String(8), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.bulk_insert(state, [{"id": 1, "gallery": uuid.uuid4().hex[:8], "version": 0}])


def downgrade() -> None:
    """Drop everything."""
    for table in ("gallery_state", "readings", "photo_files", "photos", "people"):
        op.drop_table(table)
