"""Reads the gallery into memory: everyone in one pass, or only those who changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import structlog
from numpy.typing import NDArray
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from identifier.gallery.changes import changed_since, version_of
from identifier.gallery.index import GalleryIndex, Loaded, References
from identifier.gallery.tables import PersonRow, PhotoRow, ReadingRow, RecogniserRow
from identifier.matcher import LONGEST_PHOTO_ID, Embeddings, Person
from identifier.memory.tables import NegativeRow

log = structlog.get_logger()

_CHUNK_ROWS = 4_096
_IDS_AT_ONCE = 500
_TOO_MANY_CHANGED = 20_000
_ROOM = 1.25
_LOOK_AT = 64
_LENGTH_TOLERANCE = 0.01


def load_everyone(session: Session) -> GalleryIndex:
    """The whole gallery, without the photos' files.

    Only recognisers that have read every photo are in it.
    """
    # Read first: of a change in between, the next look at the version will tell.
    version = version_of(session)
    people = {
        row.id: Person(row.slug, row.name, row.threshold)
        for row in session.execute(
            select(PersonRow.id, PersonRow.slug, PersonRow.name, PersonRow.threshold)
        )
    }
    known = np.array(sorted(people), np.int64)
    references = {sha: found for sha in _complete(session) if (found := _all_of(session, sha))}
    return GalleryIndex(
        Loaded(
            version,
            people,
            {sha: _of_known(found, known) for sha, found in references.items()},
            _negatives(session.execute(_SELECT_NEGATIVES), known),
        )
    )


def load_changes(session: Session, index: GalleryIndex) -> GalleryIndex:
    """Bring an index up to date: the same one, or another when everyone had to be loaded."""
    version = version_of(session)
    if version == index.version:
        return index
    changed = changed_since(session, index.version, version)
    if changed is None or len(changed) > _TOO_MANY_CHANGED:
        return load_everyone(session)
    people: dict[int, Person] = {}
    rows: dict[str, _Collected] = {}
    complete = set(_complete(session))
    negatives: list[tuple[int, str, bytes]] = []
    for ids in _batches(sorted(changed)):
        for row in session.execute(
            select(PersonRow.id, PersonRow.slug, PersonRow.name, PersonRow.threshold).where(
                PersonRow.id.in_(ids)
            )
        ):
            people[row.id] = Person(row.slug, row.name, row.threshold)
        for sha, person_id, photo_id, data in session.execute(
            select(
                ReadingRow.recogniser_sha256,
                PhotoRow.person_id,
                ReadingRow.photo_id,
                ReadingRow.embedding,
            )
            .join(PhotoRow, PhotoRow.id == ReadingRow.photo_id)
            .where(PhotoRow.person_id.in_(ids))
        ):
            if sha in complete:
                rows.setdefault(sha, _Collected([], [], [])).add(person_id, photo_id, data)
        negatives += [
            (row.person_id, row.recogniser_sha256, row.embedding)
            for row in session.execute(_SELECT_NEGATIVES.where(NegativeRow.person_id.in_(ids)))
        ]
    known = np.array(sorted(people), np.int64)
    references = {sha: _of_known(found.arrays(), known) for sha, found in rows.items()}
    loaded = Loaded(version, people, references, _negatives(negatives, known))
    index.apply(changed, loaded)
    return index


_SELECT_NEGATIVES = select(
    NegativeRow.person_id, NegativeRow.recogniser_sha256, NegativeRow.embedding
)


@dataclass(frozen=True, slots=True)
class _Collected:
    person_ids: list[int]
    photo_ids: list[str]
    data: list[bytes]

    def add(self, person_id: int, photo_id: str, data: bytes) -> None:
        self.person_ids.append(person_id)
        self.photo_ids.append(photo_id)
        self.data.append(data)

    def arrays(self) -> References:
        vectors, sound = _vectors(self.data, _dimensions(self.data))
        return References(
            np.array(self.person_ids, np.int64)[sound], _photo_ids(self.photo_ids)[sound], vectors
        )


def _complete(session: Session) -> Sequence[str]:
    return session.scalars(
        select(RecogniserRow.sha256).where(RecogniserRow.complete_at.is_not(None))
    ).all()


def _all_of(session: Session, sha: str) -> References | None:
    """All references of one recogniser, read in chunks into one array with room for more."""
    where = ReadingRow.recogniser_sha256 == sha
    count = session.scalar(select(func.count()).select_from(ReadingRow).where(where)) or 0
    some = session.scalars(select(ReadingRow.embedding).where(where).limit(_LOOK_AT)).all()
    if not (dimensions := _dimensions(some)):
        return None
    room = int(count * _ROOM) + 64
    rows = np.empty((room, dimensions), np.float32)
    person_ids, photo_ids = np.empty(room, np.int64), np.empty(room, f"S{LONGEST_PHOTO_ID}")
    used = 0
    for chunk in _chunks(session, sha):
        vectors, sound = _vectors(chunk.data, dimensions)
        end = min(used + len(vectors), room)  # more may have come since they were counted
        rows[used:end] = vectors[: end - used]
        person_ids[used:end] = np.array(chunk.person_ids, np.int64)[sound][: end - used]
        photo_ids[used:end] = _photo_ids(chunk.photo_ids)[sound][: end - used]
        used = end
    return References(person_ids[:used], photo_ids, rows) if used else None


def _chunks(session: Session, sha: str) -> Iterator[_Collected]:
    chosen: Select[int, str, bytes] = (
        select(PhotoRow.person_id, ReadingRow.photo_id, ReadingRow.embedding)
        .join(PhotoRow, PhotoRow.id == ReadingRow.photo_id)
        .where(ReadingRow.recogniser_sha256 == sha)
        .execution_options(yield_per=_CHUNK_ROWS)
    )
    for rows in session.execute(chosen).partitions():
        person_ids, photo_ids, data = zip(*rows, strict=True)
        yield _Collected(list(person_ids), list(photo_ids), list(data))


def _of_known(found: References, known: NDArray[np.int64]) -> References:
    """Without the references of people who came after the people were read."""
    stays = np.isin(found.person_ids, known)
    if stays.all():
        return found
    return References(
        found.person_ids[stays],
        found.photo_ids[: len(stays)][stays],
        found.embeddings[: len(stays)][stays],
    )


def _negatives(
    rows: Iterable[tuple[int, str, bytes]], known: NDArray[np.int64]
) -> dict[str, tuple[NDArray[np.int64], Embeddings]]:
    people = set(known.tolist())
    found: dict[str, _Collected] = {}
    for person_id, sha, data in rows:
        if person_id in people:
            found.setdefault(sha, _Collected([], [], [])).add(person_id, "", data)
    arrays = {sha: collected.arrays() for sha, collected in found.items()}
    return {sha: (refs.person_ids, refs.embeddings) for sha, refs in arrays.items()}


def _dimensions(data: Sequence[bytes]) -> int:
    """D of most of the embeddings; 0 where none makes sense."""
    sizes = Counter(len(one) // 4 for one in data if len(one) % 4 == 0)
    return max(sizes, key=lambda size: sizes[size], default=0)


def _vectors(data: Sequence[bytes], dimensions: int) -> tuple[Embeddings, NDArray[np.bool_]]:
    """Embeddings as rows, and which of the data were sound: of that size and unit length."""
    size = 4 * max(1, dimensions)
    fits = np.array([len(one) == size for one in data], np.bool_)
    joined = b"".join(data) if fits.all() else b"".join(d for d in data if len(d) == size)
    vectors = np.frombuffer(joined, "<f4").reshape(-1, size // 4).astype(np.float32, copy=False)
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
    unit = np.abs(lengths - 1) <= _LENGTH_TOLERANCE  # NaN is not
    if not unit.all() or not fits.all():
        log.error("embeddings in the database make no sense", count=len(data) - int(unit.sum()))
        vectors = vectors[unit]
        fits[fits] = unit
    return vectors, fits


def _photo_ids(ids: Sequence[str]) -> NDArray[np.bytes_]:
    return np.array([found.encode() for found in ids], f"S{LONGEST_PHOTO_ID}")


def _batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _IDS_AT_ONCE):
        yield ids[start : start + _IDS_AT_ONCE]
