"""Who a backfill looks for: the person's references, and what was said not to be them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from sqlalchemy import select

from identifier.gallery.changes import version_of
from identifier.gallery.database import Database
from identifier.gallery.rows import utc
from identifier.gallery.tables import PersonRow, PhotoRow, ReadingRow
from identifier.matcher import Embeddings
from identifier.memory.tables import NegativeRow
from services.records import embeddings


@dataclass(frozen=True, slots=True)
class ReferencePhoto:
    """A reference photo, as a sighting remembers it.

    Attributes:
        sha256: of the file.
        enrolled_at: UTC.
    """

    sha256: str
    enrolled_at: datetime


@dataclass(frozen=True, slots=True)
class Target:
    """One person, as they are enrolled at one moment.

    Attributes:
        person_id: of the row.
        slug: of the person.
        threshold: their own; None takes the deployment's.
        references: (R, D) float32 unit rows by the SHA-256 of the recogniser.
        negatives: (N, D) float32 unit rows by the same: faces that are not theirs.
        photos: by id.
        version: of the gallery they were read from.
    """

    person_id: int
    slug: str = field(repr=False)
    threshold: float | None
    references: Mapping[str, Embeddings] = field(repr=False)
    negatives: Mapping[str, Embeddings] = field(repr=False)
    photos: Mapping[str, ReferencePhoto] = field(repr=False)
    version: str

    def is_known_to(self, version: str) -> bool:
        """Whether a snapshot of that version has these references."""
        (gallery, _, wanted), (same, _, number) = (
            self.version.rpartition("-"),
            version.rpartition("-"),
        )
        return gallery != same or int(number) >= int(wanted)


def load_target(database: Database, person_id: int) -> Target | None:
    """Everything that is known of a person's face; None when there is no such person.

    Raises:
        DBAPIError: the database is away.
    """
    with database.reading() as session:
        version = version_of(session)
        person = session.get(PersonRow, person_id)
        if person is None:
            return None
        photos = {
            row.id: ReferencePhoto(row.sha256, utc(row.created_at))
            for row in session.execute(
                select(PhotoRow.id, PhotoRow.sha256, PhotoRow.created_at).where(
                    PhotoRow.person_id == person_id
                )
            )
        }
        readings = session.execute(
            select(ReadingRow.recogniser_sha256, ReadingRow.embedding)
            .join(PhotoRow, PhotoRow.id == ReadingRow.photo_id)
            .where(PhotoRow.person_id == person_id)
        )
        negatives = session.execute(
            select(NegativeRow.recogniser_sha256, NegativeRow.embedding).where(
                NegativeRow.person_id == person_id
            )
        )
        return Target(
            person_id,
            person.slug,
            person.threshold,
            _stacked([(sha, data) for sha, data in readings]),
            _stacked([(sha, data) for sha, data in negatives]),
            photos,
            version,
        )


def _stacked(rows: Sequence[tuple[str, bytes]]) -> dict[str, Embeddings]:
    found: dict[str, list[Embeddings]] = {}
    for sha, data in rows:
        found.setdefault(sha, []).append(embeddings.from_bytes(data))
    return {sha: np.stack(vectors) for sha, vectors in found.items()}
