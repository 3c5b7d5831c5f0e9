"""Who was where, and when: looked up, counted."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select

from identifier.gallery.database import Database
from identifier.gallery.rows import utc
from identifier.gallery.tables import PersonRow
from identifier.memory.tables import SightingRow
from services.errors import RecordError

_MOST_COUNTS = 5_000
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class SightingInfo:
    """A sighting as the API shows it.

    Attributes:
        id: of the track that it is.
        camera: where.
        session: the producer's.
        slug: of the person; None for an unknown.
        name: of the person; None for an unknown.
        unknown: number of the unknown person that it was, or is.
        found_by: `live`, `backfill` or `naming`.
        started_at: UTC.
        last_at: UTC.
        ended: whether they are gone.
        frames: in which they were seen.
        best_similarity: cosine of the surest vote; None for an unknown.
        mean_similarity: cosine over the votes; None for an unknown.
        threshold: the one that applied; None for an unknown.
        quality: of the best face, 0..1.
        score: detection score of the best face, 0..1.
        best_at: capture time of the best face's frame, UTC.
        box_px: of the best face: x, y, width, height in its frame.
        frame_size_px: of that frame: width, height.
        crop: key of the best face's picture; empty where there is none (any more).
    """

    id: str
    camera: str
    session: str
    slug: str | None
    name: str | None
    unknown: int | None
    found_by: str
    started_at: datetime
    last_at: datetime
    ended: bool
    frames: int
    best_similarity: float | None
    mean_similarity: float | None
    threshold: float | None
    quality: float
    score: float
    best_at: datetime
    box_px: tuple[float, float, float, float]
    frame_size_px: tuple[int, int]
    crop: str


@dataclass(frozen=True, slots=True)
class SightingFilter:
    """Which sightings are asked for; None asks for all.

    Attributes:
        person: slug.
        camera: name.
        since: those that were still there then or later, UTC.
        until: those that began before, UTC.
        unknown: number of an unknown person.
        named: True for those with a name, False for those without.
        min_score: lowest best similarity.
    """

    person: str | None = None
    camera: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    unknown: int | None = None
    named: bool | None = None
    min_score: float | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """For a query that has joined the people."""
        found: list[ColumnElement[bool]] = []
        if self.person is not None:
            found.append(PersonRow.slug == self.person)
        if self.camera is not None:
            found.append(SightingRow.camera == self.camera)
        if self.since is not None:
            found.append(SightingRow.last_at >= self.since)
        if self.until is not None:
            found.append(SightingRow.started_at < self.until)
        if self.unknown is not None:
            found.append(SightingRow.unknown_id == self.unknown)
        if self.named is not None:
            has_name = SightingRow.person_id.is_not(None)
            found.append(has_name if self.named else SightingRow.person_id.is_(None))
        if self.min_score is not None:
            found.append(SightingRow.best_similarity >= self.min_score)
        return found


@dataclass(frozen=True, slots=True)
class Count:
    """How often somebody was somewhere within an hour.

    Attributes:
        hour: its beginning, UTC.
        camera: where.
        slug: of the person; None for all unknown people together.
        name: of that person.
        sightings: that began in that hour.
        seconds: how long they lasted together.
    """

    hour: datetime
    camera: str
    slug: str | None
    name: str | None
    sightings: int
    seconds: float


class Sightings:
    """The sightings in the database.

    Every method may raise SQLAlchemy's `DBAPIError` when the database is away.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, sighting_id: str) -> SightingInfo | None:
        """One sighting; None when there is none of that id."""
        with self._database.reading() as session:
            found = session.execute(_with_people().where(SightingRow.id == sighting_id)).first()
            return None if found is None else _info(*found)

    def list(
        self, wanted: SightingFilter, *, limit: int, after: str | None = None
    ) -> tuple[list[SightingInfo], str | None]:
        """Newest first, with a mark to ask for what comes after; None where nothing does.

        Raises:
            RecordError: `bad-cursor`: `after` is no such mark.
        """
        query = _with_people().where(*wanted.conditions())
        if after is not None:
            at, last_id = _parse_mark(after)
            query = query.where(
                or_(
                    SightingRow.started_at < at,
                    and_(SightingRow.started_at == at, SightingRow.id < last_id),
                )
            )
        query = query.order_by(SightingRow.started_at.desc(), SightingRow.id.desc())
        with self._database.reading() as session:
            found = [_info(*row) for row in session.execute(query.limit(limit + 1))]
        more = len(found) > limit
        return found[:limit], _mark(found[limit - 1]) if more else None

    def counts(self, since: datetime, until: datetime, wanted: SightingFilter) -> Sequence[Count]:
        """Sightings that began from `since` to `until`, by hour, camera and person.

        Raises:
            RecordError: `too-many-counts`: ask for less time, or one camera or person.
        """
        postgres = self._database.engine.dialect.name == "postgresql"
        if postgres:
            hour = func.date_trunc("hour", func.timezone("UTC", SightingRow.started_at))
            lasted: ColumnElement[Any] = func.extract(
                "epoch", SightingRow.last_at - SightingRow.started_at
            )
        else:
            hour = func.strftime("%Y-%m-%dT%H:00:00", SightingRow.started_at)
            lasted = 86_400 * (
                func.julianday(SightingRow.last_at) - func.julianday(SightingRow.started_at)
            )
        query = (
            select(
                hour.label("hour"),
                SightingRow.camera,
                PersonRow.slug,
                PersonRow.name,
                func.count().label("sightings"),
                func.sum(lasted).label("seconds"),
            )
            .outerjoin(PersonRow, PersonRow.id == SightingRow.person_id)
            .where(
                SightingRow.started_at >= since,
                SightingRow.started_at < until,
                *wanted.conditions(),
            )
            .group_by("hour", SightingRow.camera, PersonRow.slug, PersonRow.name)
            .order_by("hour", SightingRow.camera, PersonRow.slug)
            .limit(_MOST_COUNTS + 1)
        )
        with self._database.reading() as session:
            rows = session.execute(query).all()
        if len(rows) > _MOST_COUNTS:
            raise RecordError(
                "too-many-counts",
                f"more than {_MOST_COUNTS} counts: ask for less time, one camera or one person",
            )
        return [
            Count(
                _hour(row.hour),
                row.camera,
                row.slug,
                row.name,
                row.sightings,
                round(float(row.seconds), 3),
            )
            for row in rows
        ]


def _with_people() -> Select[SightingRow, str, str]:
    return select(SightingRow, PersonRow.slug, PersonRow.name).outerjoin(
        PersonRow, PersonRow.id == SightingRow.person_id
    )


def _info(row: SightingRow, slug: str | None, name: str | None) -> SightingInfo:
    return SightingInfo(
        id=row.id,
        camera=row.camera,
        session=row.session,
        slug=slug,
        name=name,
        unknown=row.unknown_id,
        found_by=row.found_by,
        started_at=utc(row.started_at),
        last_at=utc(row.last_at),
        ended=row.ended,
        frames=row.frames,
        best_similarity=row.best_similarity,
        mean_similarity=row.mean_similarity,
        threshold=row.threshold,
        quality=row.quality,
        score=row.best_score,
        best_at=utc(row.best_at),
        box_px=(row.x, row.y, row.width, row.height),
        frame_size_px=(row.frame_width, row.frame_height),
        crop=row.crop,
    )


def _mark(info: SightingInfo) -> str:
    text = f"{info.started_at.isoformat()} {info.id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _parse_mark(mark: str) -> tuple[datetime, str]:
    try:
        text = base64.urlsafe_b64decode(mark + "=" * (-len(mark) % 4)).decode()
        at, last_id = text.split(" ")
        if _ID.fullmatch(last_id):
            return utc(datetime.fromisoformat(at)), last_id
    except (binascii.Error, ValueError, OverflowError):
        pass
    raise RecordError("bad-cursor", "`after` is not what an answer gave as `next`")


def _hour(value: datetime | str) -> datetime:
    return utc(datetime.fromisoformat(value) if isinstance(value, str) else value)
