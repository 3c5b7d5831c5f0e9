"""Looking unknown people up: one, or a page of them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from identifier.gallery.rows import utc
from identifier.gallery.tables import PersonRow
from identifier.memory.tables import SightingRow, UnknownRow
from identifier.unknowns.values import UnknownError, UnknownInfo, UnknownPage
from services.errors import RecordError
from services.records import embeddings
from services.records.embeddings import Embedding

_BEST = 6
_SAME_LOOK = 0.9  # cosine of two tracks from which a second picture tells nothing new
_LOOK_AT = 50


@dataclass(frozen=True, slots=True)
class Crop:
    """The best picture of one sighting.

    Attributes:
        sighting: its id.
        key: where the media keep it.
        embedding: (D,) float32, unit length: the track's.
        recogniser_sha256: that made it.
    """

    sighting: str
    key: str
    embedding: Embedding = field(repr=False)
    recogniser_sha256: str


def find_unknown(session: Session, number: int) -> UnknownRow:
    """The row of a number, or of the one it went into.

    Raises:
        UnknownError: `no-such-unknown`.
    """
    row = session.get(UnknownRow, number) if 0 < number < 2**31 else None
    if row is not None and row.merged_into is not None:
        row = session.get(UnknownRow, row.merged_into)
    if row is None:
        raise UnknownError("no-such-unknown", f"there is no Unknown {number}")
    return row


def show(session: Session, row: UnknownRow) -> UnknownInfo:
    """Everything about one."""
    return _infos(session, [row])[0]


def page(
    session: Session, *, limit: int, after: str | None, named: bool, ignored: bool
) -> UnknownPage:
    """Unknown people who have sightings, newest seen first.

    Args:
        session: to read with.
        limit: most in the page, at least 1.
        after: `next` of the page before.
        named: those who have a name by now, too.
        ignored: those who are ignored, too.

    Raises:
        RecordError: `bad-cursor`.
    """
    wanted = (
        select(UnknownRow)
        .where(
            UnknownRow.merged_into.is_(None),
            select(SightingRow.id).where(SightingRow.unknown_id == UnknownRow.id).exists(),
        )
        .order_by(UnknownRow.last_at.desc(), UnknownRow.id.desc())
        .limit(limit + 1)
    )
    if not named:
        wanted = wanted.where(UnknownRow.person_id.is_(None))
    if not ignored:
        wanted = wanted.where(UnknownRow.ignored.is_(False))
    if after is not None:
        last_at, number = _from_cursor(after)
        wanted = wanted.where(
            or_(
                UnknownRow.last_at < last_at,
                and_(UnknownRow.last_at == last_at, UnknownRow.id < number),
            )
        )
    rows = list(session.scalars(wanted))
    more = len(rows) > limit
    rows = rows[:limit]
    return UnknownPage(tuple(_infos(session, rows)), _cursor(rows[-1]) if more else None)


def distinct_crops(session: Session, number: int, most: int) -> list[Crop]:
    """The clearest crops of an unknown, leaving out those that look like a clearer one."""
    rows = session.execute(
        select(
            SightingRow.id, SightingRow.crop, SightingRow.embedding, SightingRow.recogniser_sha256
        )
        .where(SightingRow.unknown_id == number, SightingRow.crop != "")
        .order_by(SightingRow.quality.desc(), SightingRow.id)
        .limit(_LOOK_AT)
    )
    chosen: list[Crop] = []
    for sighting, key, data, recogniser_sha256 in rows:
        crop = Crop(sighting, key, embeddings.from_bytes(data), recogniser_sha256)
        if all(_cosine(crop.embedding, other.embedding) < _SAME_LOOK for other in chosen):
            chosen.append(crop)
        if len(chosen) == most:
            break
    return chosen


def _cosine(one: Embedding, other: Embedding) -> float:
    """Of two embeddings; -1 where they are of different recognisers."""
    return float(np.dot(one, other)) if one.shape == other.shape else -1.0


def _infos(session: Session, rows: Sequence[UnknownRow]) -> list[UnknownInfo]:
    numbers = [row.id for row in rows]
    counts: dict[int, int] = {}
    cameras: dict[int, list[str]] = {}
    grouped = (
        select(SightingRow.unknown_id, SightingRow.camera, func.count())
        .where(SightingRow.unknown_id.in_(numbers))
        .group_by(SightingRow.unknown_id, SightingRow.camera)
        .order_by(SightingRow.camera)
    )
    for number, camera, count in session.execute(grouped):
        if number is not None:
            counts[number] = counts.get(number, 0) + count
            cameras.setdefault(number, []).append(camera)
    best = _best(session, numbers)
    people = {
        person.id: person
        for person in session.scalars(
            select(PersonRow).where(PersonRow.id.in_([row.person_id for row in rows]))
        )
    }
    return [
        UnknownInfo(
            number=row.id,
            slug=None if row.person_id is None else people[row.person_id].slug,
            name=None if row.person_id is None else people[row.person_id].name,
            ignored=row.ignored,
            sightings=counts.get(row.id, 0),
            first_at=utc(row.first_at),
            last_at=utc(row.last_at),
            cameras=tuple(cameras.get(row.id, ())),
            best=tuple(best.get(row.id, ())),
        )
        for row in rows
    ]


def _best(session: Session, numbers: Iterable[int]) -> dict[int, list[str]]:
    """Ids of the sightings with the clearest crops, by number."""
    place = (
        func.row_number()
        .over(
            partition_by=SightingRow.unknown_id,
            order_by=(SightingRow.quality.desc(), SightingRow.id),
        )
        .label("place")
    )
    ranked = (
        select(SightingRow.id, SightingRow.unknown_id, place)
        .where(SightingRow.unknown_id.in_(numbers), SightingRow.crop != "")
        .subquery()
    )
    found: dict[int, list[str]] = {}
    for sighting, number in session.execute(
        select(ranked.c.id, ranked.c.unknown_id)
        .where(ranked.c.place <= _BEST)
        .order_by(ranked.c.unknown_id, ranked.c.place)
    ):
        found.setdefault(number, []).append(sighting)
    return found


def _cursor(row: UnknownRow) -> str:
    plain = f"{utc(row.last_at).isoformat()} {row.id}"
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def _from_cursor(cursor: str) -> tuple[datetime, int]:
    try:
        plain = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        moment, number = plain.decode("ascii").split(" ")
        return utc(datetime.fromisoformat(moment)), int(number[:10])
    except (binascii.Error, ValueError, OverflowError):
        raise RecordError("bad-cursor", "`after` is not what `next` was") from None
