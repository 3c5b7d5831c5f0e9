"""Cameras that are added at run time, the producers that run them, and test shots."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables of cameras."""
    op.create_table(
        "cameras",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("shown", sa.String(2_048), nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("fps", sa.Double, nullable=False),
        sa.Column("max_side", sa.Integer, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("leased_by", sa.String(64), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_cameras"),
        sa.UniqueConstraint("name", name="uq_cameras_name"),
    )
    op.create_table(
        "producers",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("report", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_producers"),
    )
    op.create_index("ix_producers_last_seen", "producers", ["last_seen"])
    op.create_table(
        "camera_shots",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("producer", sa.String(64), nullable=True),
        sa.Column("jpeg", sa.LargeBinary, nullable=True),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("error", sa.String(500), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_camera_shots"),
    )
    op.create_index("ix_camera_shots_created_at", "camera_shots", ["created_at"])


def downgrade() -> None:
    """Forget cameras and producers."""
    for table in ("camera_shots", "producers", "cameras"):
        op.drop_table(table)
