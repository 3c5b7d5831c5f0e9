"""Faces against the gallery: a matrix multiply, a name only where it is clear."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Embeddings = NDArray[np.float32]
"""(F, D) float32, rows of unit length."""

TIE = 1e-4
"""Two people closer than this in similarity are the same to us: float32 noise is 1e-6."""

LONGEST_PHOTO_ID = 32

_NOISE = 1e-6
_NEVER = np.float32(-2.0)  # below any cosine
_BLOCK_REFERENCES, _BLOCK_FACES = 2_048, 64  # their similarities stay in a core's cache


@dataclass(frozen=True, slots=True)
class Person:
    """Who a reference shows.

    Attributes:
        slug: as in `faces.person.<slug>`.
        name: as the user wrote it.
        threshold: cosine from which this person is named; None takes the deployment's.
    """

    slug: str
    name: str
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """One reference photo, as the matcher needs it.

    Attributes:
        photo_id: id of the photo.
        person: whom it shows.
        embedding: (D,) float32, unit length.
    """

    photo_id: str
    person: Person
    embedding: Embeddings = field(repr=False)


@dataclass(frozen=True, slots=True)
class Negative:
    """A face that was said not to be a person's.

    Attributes:
        person: who it is not.
        embedding: (D,) float32, unit length.
    """

    person: Person
    embedding: Embeddings = field(repr=False)


@dataclass(frozen=True, slots=True)
class Match:
    """What the gallery says to one face.

    Attributes:
        person: who it is; None when nobody, or not clearly somebody.
        similarity: cosine to the best reference, that person's where there is one.
        threshold: the one that applied to that reference's person.
        photo_id: of that reference.
    """

    person: Person | None
    similarity: float
    threshold: float
    photo_id: str


@dataclass(frozen=True, slots=True)
class ReferenceTable:
    """What one recogniser knows of everyone, as arrays; at least one reference is not removed.

    Attributes:
        embeddings: (N, D) float32, rows of unit length, of the references.
        owners: (N,) int32, where in `people` each reference's person is; -1 for one removed.
        photo_ids: (N,) ASCII bytes.
        people: P of them; None where one is gone.
        own_thresholds: (P,) float32, NaN for people without one of their own.
        negatives: (M, D) float32, rows of unit length.
        negative_owners: (M,) int32, where in `people` the person is who it is not.
    """

    embeddings: Embeddings = field(repr=False)
    owners: NDArray[np.int32] = field(repr=False)
    photo_ids: NDArray[np.bytes_] = field(repr=False)
    people: Sequence[Person | None] = field(repr=False)
    own_thresholds: NDArray[np.float32] = field(repr=False)
    negatives: Embeddings = field(repr=False)
    negative_owners: NDArray[np.int32] = field(repr=False)

    @classmethod
    def of(cls, references: Sequence[Reference], negatives: Sequence[Negative] = ()) -> Self:
        """Make a table of a few references, all of the same D."""
        people = sorted({reference.person for reference in references}, key=lambda p: p.slug)
        index = {person.slug: at for at, person in enumerate(people)}
        known = [negative for negative in negatives if negative.person.slug in index]
        embeddings = np.stack([reference.embedding for reference in references])
        return cls(
            embeddings=np.ascontiguousarray(embeddings, np.float32),
            owners=np.array([index[r.person.slug] for r in references], np.int32),
            photo_ids=np.array([r.photo_id.encode() for r in references], f"S{LONGEST_PHOTO_ID}"),
            people=people,
            own_thresholds=np.array(
                [np.nan if p.threshold is None else p.threshold for p in people], np.float32
            ),
            negatives=np.array([n.embedding for n in known], np.float32).reshape(
                len(known), embeddings.shape[1]
            ),
            negative_owners=np.array([index[n.person.slug] for n in known], np.int32),
        )


class _Pairs(NamedTuple):
    """Faces and who they may be; all (K,)."""

    faces: NDArray[np.intp]
    people: NDArray[np.int32]
    similarities: NDArray[np.float32]
    references: NDArray[np.intp]

    def take(self, chosen: NDArray[np.intp] | NDArray[np.bool_]) -> _Pairs:
        return _Pairs(
            self.faces[chosen],
            self.people[chosen],
            self.similarities[chosen],
            self.references[chosen],
        )


class ReferenceMatrix:
    """The references that one recogniser made, ready to be multiplied; never changes.

    Args:
        references: all of the same D, any order; or the table of them.
        negatives: of the same D; a table brings its own.
    """

    def __init__(
        self,
        references: Sequence[Reference] | ReferenceTable,
        negatives: Sequence[Negative] = (),
    ) -> None:
        if not isinstance(references, ReferenceTable):
            references = ReferenceTable.of(references, negatives)
        self._table = references
        self._removed = np.flatnonzero(references.owners < 0)
        self._thresholds: dict[float, NDArray[np.float32]] = {}

    @property
    def dimensions(self) -> int:
        """D, the length of an embedding."""
        return int(self._table.embeddings.shape[1])

    def __len__(self) -> int:
        """How many references there are."""
        return len(self._table.owners) - len(self._removed)

    def match(
        self, faces: Embeddings, frames: Sequence[int], default_threshold: float
    ) -> list[Match]:
        """Name the faces of a batch of frames.

        Within a frame the most similar pair of face and person is settled first, and a person is
        given to one face. A face for whom two people are equally similar gets no name. Nor does a
        face get the name of a person it is said not to be: one of whose negatives is as similar.

        Args:
            faces: (F, D) float32, rows of unit length.
            frames: for each face the number of its frame.
            default_threshold: cosine for people without one of their own.

        Returns:
            One match per face, in order.
        """
        if not len(faces):
            return []
        thresholds = self._thresholds_for(default_threshold)
        best, similarities, pairs = self._look(faces, thresholds)
        pairs = self._without_negatives(_best_of_each(pairs), faces)
        named = _name(pairs, frames)
        for face, pair in named.items():
            best[face] = pairs.references[pair]
            similarities[face] = pairs.similarities[pair]
        return [
            self._match(int(best[face]), float(similarities[face]), thresholds, face in named)
            for face in range(len(faces))
        ]

    def most_like(
        self, embedding: Embeddings, default_threshold: float, but_not: str = ""
    ) -> Match | None:
        """Who is named for one face, were it not of a given person; None when nobody is left.

        Args:
            embedding: (D,) float32, unit length.
            default_threshold: cosine for people without one of their own.
            but_not: slug of the person to leave out.
        """
        table = self._table
        similarities = table.embeddings @ embedding
        similarities[self._removed] = _NEVER
        for index, person in enumerate(table.people):
            if person is not None and person.slug == but_not:
                similarities[table.owners == index] = _NEVER
        best = int(similarities.argmax())
        if similarities[best] == _NEVER:
            return None
        threshold = self._thresholds_for(default_threshold)
        similarity = float(similarities[best])
        return self._match(best, similarity, threshold, similarity >= threshold[best])

    def _look(
        self, faces: Embeddings, thresholds: NDArray[np.float32]
    ) -> tuple[NDArray[np.intp], NDArray[np.float32], _Pairs]:
        """The best reference of each face with its similarity, and all above their threshold."""
        best = np.zeros(len(faces), np.intp)
        top = np.full(len(faces), _NEVER, np.float32)
        found: list[_Pairs] = []
        for first, start, similarities in self._blocks(faces):
            width = similarities.shape[1]
            highest = similarities.max(axis=0)
            for column in np.flatnonzero(highest > top[first : first + width]).tolist():
                best[first + column] = start + int(similarities[:, column].argmax())
                top[first + column] = highest[column]
            least = thresholds[start : start + len(similarities)]
            if not len(hot := np.flatnonzero(highest >= least.min())):
                continue
            columns = similarities[:, hot]
            rows, at = np.nonzero(columns >= least[:, np.newaxis])
            found.append(
                _Pairs(
                    first + hot[at],
                    self._table.owners[start + rows],
                    columns[rows, at],
                    start + rows,
                )
            )
        return best, top, _joined(found)

    def _blocks(self, faces: Embeddings) -> Iterator[tuple[int, int, Embeddings]]:
        """First face, first reference and the similarities (references, faces) of each block.

        References times faces is a third faster than the other way round, and what is in a core's
        cache is looked through for next to nothing.
        """
        table = self._table
        for first in range(0, len(faces), _BLOCK_FACES):
            some = faces[first : first + _BLOCK_FACES].T
            buffer = np.empty((_BLOCK_REFERENCES, some.shape[1]), np.float32)
            for start in range(0, len(table.owners), _BLOCK_REFERENCES):
                rows = table.embeddings[start : start + _BLOCK_REFERENCES]
                similarities = np.matmul(rows, some, out=buffer[: len(rows)])
                low, high = np.searchsorted(self._removed, (start, start + len(rows)))
                if high > low:
                    similarities[self._removed[low:high] - start] = _NEVER
                yield first, start, similarities

    def _without_negatives(self, pairs: _Pairs, faces: Embeddings) -> _Pairs:
        table = self._table
        if not len(table.negatives):
            return pairs
        kept = np.ones(len(pairs.faces), np.bool_)
        for pair in np.flatnonzero(np.isin(pairs.people, table.negative_owners)).tolist():
            of_person = table.negatives[table.negative_owners == pairs.people[pair]]
            nearest = float((of_person @ faces[pairs.faces[pair]]).max())
            kept[pair] = nearest < float(pairs.similarities[pair]) - _NOISE
        return pairs.take(kept)

    def _thresholds_for(self, default: float) -> NDArray[np.float32]:
        """(N,) float32: from where on each reference names its person."""
        found = self._thresholds.get(default)
        if found is None:
            own = self._table.own_thresholds
            by_person = np.where(np.isnan(own), np.float32(default), own)
            found = self._thresholds[default] = by_person[self._table.owners]
        return found

    def _match(
        self, reference: int, similarity: float, thresholds: NDArray[np.float32], named: bool
    ) -> Match:
        table = self._table
        return Match(
            table.people[int(table.owners[reference])] if named else None,
            similarity,
            float(thresholds[reference]),
            table.photo_ids[reference].decode(),
        )


def _joined(parts: Sequence[_Pairs]) -> _Pairs:
    if parts:
        return _Pairs(
            np.concatenate([part.faces for part in parts]),
            np.concatenate([part.people for part in parts]),
            np.concatenate([part.similarities for part in parts]),
            np.concatenate([part.references for part in parts]),
        )
    none = np.empty(0, np.intp)
    return _Pairs(none, none.astype(np.int32), none.astype(np.float32), none)


def _best_of_each(pairs: _Pairs) -> _Pairs:
    """Of each face and person the best reference alone; by face, then best first."""
    order = np.lexsort((pairs.references, -pairs.similarities, pairs.people, pairs.faces))
    pairs = pairs.take(order)
    first = np.ones(len(order), np.bool_)
    first[1:] = (np.diff(pairs.faces) != 0) | (np.diff(pairs.people) != 0)
    pairs = pairs.take(first)
    return pairs.take(np.lexsort((-pairs.similarities, pairs.faces)))


def _name(pairs: _Pairs, frames: Sequence[int]) -> dict[int, int]:
    """Which face is which of the pairs; they come by face, best first."""
    in_frame = Counter(frames)
    rank = np.arange(len(pairs.faces)) - np.searchsorted(pairs.faces, pairs.faces)
    # Others of the frame can take that many people away from a face, and a tie needs one more.
    enough = np.array([in_frame[frames[face]] + 1 for face in pairs.faces.tolist()], np.intp)
    kept = np.flatnonzero(rank < enough)
    faces, people = pairs.faces.tolist(), pairs.people.tolist()
    similarities = pairs.similarities.tolist()
    rivals: dict[int, list[int]] = {}
    for pair in kept.tolist():
        rivals.setdefault(faces[pair], []).append(pair)
    named: dict[int, int] = {}
    settled: set[int] = set()
    taken: set[tuple[int, int]] = set()
    for pair in kept[np.argsort(-pairs.similarities[kept], kind="stable")].tolist():
        face, person, frame = faces[pair], people[pair], frames[faces[pair]]
        if face in settled or (frame, person) in taken:
            continue
        settled.add(face)
        tied = any(
            other != pair
            and (frame, people[other]) not in taken
            and similarities[other] >= similarities[pair] - TIE
            for other in rivals[face]
        )
        if not tied:
            named[face] = pair
            taken.add((frame, person))
    return named
