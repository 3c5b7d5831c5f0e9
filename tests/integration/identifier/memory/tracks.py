"""Tracks as the service hands them over, a frame with each."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import select

from identifier.gallery.database import Database
from identifier.gallery.tables import PersonRow
from identifier.names import name_key
from identifier.tracks.values import Decision, TrackState
from services.records.jpeg import encode_jpeg
from tests.integration.identifier.unknowns.strangers import NOON, face, track

FRAME = encode_jpeg(np.full((480, 640, 3), 120, np.uint8), 90)


def seen(
    name: str,
    of: int = 1,
    *,
    camera: str = "door",
    at: datetime = NOON,
    last_seq: int = 9,
    quality: float = 0.8,
    ended: bool = False,
    who: str | None = None,
    jpeg: bytes = FRAME,
) -> TrackState:
    """A confirmed track of a made-up face; `who` is the slug of whom it was decided to be."""
    decision = None
    if who is not None:
        decision = Decision(who, who.title(), 0.71, 0.62, 0.33, "f" * 32, "gallery-1")
    state = track(
        name, face(of), camera=camera, at=at, quality=quality, ended=ended, decision=decision
    )
    return replace(
        state,
        last_seq=last_seq,
        frames=last_seq + 1,
        last_at=at + timedelta(milliseconds=100 * last_seq),
        best=replace(state.best, jpeg=jpeg),
    )


def make_person(database: Database, slug: str) -> int:
    """A person without photos; the row's id."""
    with database.writing() as session:
        session.add(PersonRow(slug=slug, name=slug.title(), name_key=name_key(slug)))
    with database.reading() as session:
        return session.scalars(select(PersonRow.id).where(PersonRow.slug == slug)).one()
