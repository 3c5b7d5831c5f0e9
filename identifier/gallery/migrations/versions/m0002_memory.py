"""Sightings, unknown people, events, negatives, deliveries and backfills."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables of the memory."""
    op.create_table(
        "deliveries",
        sa.Column("sink", sa.String(length=255), nullable=False),
        sa.Column("last_event_id", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("owned_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("sink", name="pk_deliveries"),
    )
    op.create_table(
        "backfills",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("positions", sa.Text(), nullable=False),
        sa.Column("ends", sa.Text(), nullable=False),
        sa.Column("faces", sa.BigInteger(), nullable=False),
        sa.Column("faces_total", sa.BigInteger(), nullable=False),
        sa.Column("hits", sa.Integer(), nullable=False),
        sa.Column("sightings", sa.Integer(), nullable=False),
        sa.Column("rate_faces_s", sa.Double(), nullable=False),
        sa.Column("error", sa.String(length=1000), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("owned_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name="fk_backfills_person_id_people", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_backfills"),
    )
    op.create_index("ix_backfills_person_id", "backfills", ["person_id"], unique=False)
    op.create_index("ix_backfills_state", "backfills", ["state"], unique=False)
    op.create_table(
        "negatives",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("sighting_id", sa.String(length=32), nullable=False),
        sa.Column("recogniser_sha256", sa.String(length=64), nullable=False),
        sa.Column("embedding", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name="fk_negatives_person_id_people", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_negatives"),
        sa.UniqueConstraint("person_id", "sighting_id", name="uq_negatives_person_id"),
    )
    op.create_table(
        "unknowns",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("recogniser_sha256", sa.String(length=64), nullable=False),
        sa.Column("embedding", sa.LargeBinary(), nullable=False),
        sa.Column("weight", sa.Double(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("merged_into", sa.Integer(), nullable=True),
        sa.Column("ignored", sa.Boolean(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["merged_into"],
            ["unknowns.id"],
            name="fk_unknowns_merged_into_unknowns",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name="fk_unknowns_person_id_people", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_unknowns"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_unknowns_person_id", "unknowns", ["person_id"], unique=False)
    op.create_index(
        "ix_unknowns_recogniser_sha256", "unknowns", ["recogniser_sha256"], unique=False
    )
    op.create_table(
        "events",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("camera", sa.String(length=64), nullable=False),
        sa.Column("sighting_id", sa.String(length=32), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("unknown_id", sa.Integer(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("published", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name="fk_events_person_id_people", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["unknown_id"],
            ["unknowns.id"],
            name="fk_events_unknown_id_unknowns",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.UniqueConstraint("key", name="uq_events_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_at", "events", ["at"], unique=False)
    op.create_index("ix_events_person_id", "events", ["person_id"], unique=False)
    op.create_index("ix_events_published", "events", ["published"], unique=False)
    op.create_index("ix_events_sighting_id", "events", ["sighting_id"], unique=False)
    op.create_table(
        "sightings",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("camera", sa.String(length=64), nullable=False),
        sa.Column("session", sa.String(length=64), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("unknown_id", sa.Integer(), nullable=True),
        sa.Column("found_by", sa.String(length=16), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended", sa.Boolean(), nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("frames", sa.Integer(), nullable=False),
        sa.Column("best_similarity", sa.Double(), nullable=True),
        sa.Column("mean_similarity", sa.Double(), nullable=True),
        sa.Column("threshold", sa.Double(), nullable=True),
        sa.Column("quality", sa.Double(), nullable=False),
        sa.Column("embedding", sa.LargeBinary(), nullable=False),
        sa.Column("last_x", sa.Double(), nullable=False),
        sa.Column("last_y", sa.Double(), nullable=False),
        sa.Column("last_width", sa.Double(), nullable=False),
        sa.Column("last_height", sa.Double(), nullable=False),
        sa.Column("best_seq", sa.BigInteger(), nullable=False),
        sa.Column("best_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("best_score", sa.Double(), nullable=False),
        sa.Column("x", sa.Double(), nullable=False),
        sa.Column("y", sa.Double(), nullable=False),
        sa.Column("width", sa.Double(), nullable=False),
        sa.Column("height", sa.Double(), nullable=False),
        sa.Column("frame_width", sa.Integer(), nullable=False),
        sa.Column("frame_height", sa.Integer(), nullable=False),
        sa.Column("raw_topic", sa.String(length=249), nullable=False),
        sa.Column("raw_partition", sa.Integer(), nullable=False),
        sa.Column("raw_offset", sa.BigInteger(), nullable=False),
        sa.Column("crop", sa.String(length=255), nullable=False),
        sa.Column("pack", sa.String(length=64), nullable=False),
        sa.Column("recogniser_sha256", sa.String(length=64), nullable=False),
        sa.Column("model_files", sa.Text(), nullable=False),
        sa.Column("reference", sa.String(length=32), nullable=False),
        sa.Column("reference_sha256", sa.String(length=64), nullable=False),
        sa.Column("reference_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("gallery_version", sa.String(length=32), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name="fk_sightings_person_id_people", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["unknown_id"],
            ["unknowns.id"],
            name="fk_sightings_unknown_id_unknowns",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_sightings"),
    )
    op.create_index(
        "ix_sightings_camera_started_at", "sightings", ["camera", "started_at"], unique=False
    )
    op.create_index("ix_sightings_ended_camera", "sightings", ["ended", "camera"], unique=False)
    op.create_index(
        "ix_sightings_person_id_started_at", "sightings", ["person_id", "started_at"], unique=False
    )
    op.create_index("ix_sightings_started_at_id", "sightings", ["started_at", "id"], unique=False)
    op.create_index(
        "ix_sightings_unknown_id_started_at",
        "sightings",
        ["unknown_id", "started_at"],
        unique=False,
    )
    op.create_table(
        "forgotten_tracks",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_forgotten_tracks"),
    )
    op.create_index("ix_forgotten_tracks_at", "forgotten_tracks", ["at"], unique=False)


def downgrade() -> None:
    """Forget everything but the gallery."""
    for table in (
        "forgotten_tracks",
        "events",
        "sightings",
        "negatives",
        "backfills",
        "deliveries",
        "unknowns",
    ):
        op.drop_table(table)
