"""Faces against the gallery: one matrix multiply, a name only where it is clear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Embeddings = NDArray[np.float32]
"""(F, D) float32, rows of unit length."""

TIE = 1e-4
"""Two people closer than this in similarity are the same to us: float32 noise is 1e-6."""


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


class ReferenceMatrix:
    """The references that one recogniser made, ready to be multiplied; never changes.

    Args:
        references: all of the same D; any order.
    """

    def __init__(self, references: Sequence[Reference]) -> None:
        ordered = sorted(references, key=lambda reference: reference.person.slug)
        self._photo_ids = [reference.photo_id for reference in ordered]
        slugs = [reference.person.slug for reference in ordered]
        self._starts = [at for at, slug in enumerate(slugs) if at == 0 or slug != slugs[at - 1]]
        self._people = [ordered[start].person for start in self._starts]
        self._overrides = np.array(
            [np.nan if p.threshold is None else p.threshold for p in self._people], np.float32
        )
        self._columns: Embeddings = np.ascontiguousarray(
            np.stack([reference.embedding for reference in ordered]), dtype=np.float32
        )

    @property
    def dimensions(self) -> int:
        """D, the length of an embedding."""
        return int(self._columns.shape[1])

    def match(
        self, faces: Embeddings, frames: Sequence[int], default_threshold: float
    ) -> list[Match]:
        """Name the faces of a batch of frames.

        Within a frame the most similar pair of face and person is settled first, and a person is
        given to one face. A face for whom two people are equally similar gets no name.

        Args:
            faces: (F, D) float32, rows of unit length.
            frames: for each face the number of its frame.
            default_threshold: cosine for people without one of their own.

        Returns:
            One match per face, in order.
        """
        if not len(faces):
            return []
        similarities = faces @ self._columns.T
        by_person = similarities
        if len(self._starts) < len(self._photo_ids):
            by_person = np.maximum.reduceat(similarities, self._starts, axis=1)
        thresholds = np.where(
            np.isnan(self._overrides), np.float32(default_threshold), self._overrides
        )
        named = _name(by_person, thresholds, frames)
        best = by_person.argmax(axis=1)
        return [
            self._match(similarities[face], int(best[face]), named.get(face), thresholds)
            for face in range(len(faces))
        ]

    def _match(
        self,
        similarities: Embeddings,
        best: int,
        named: int | None,
        thresholds: NDArray[np.float32],
    ) -> Match:
        index = best if named is None else named
        end = self._starts[index + 1] if index + 1 < len(self._starts) else len(self._photo_ids)
        reference = self._starts[index] + int(similarities[self._starts[index] : end].argmax())
        return Match(
            None if named is None else self._people[index],
            float(similarities[reference]),
            float(thresholds[index]),
            self._photo_ids[reference],
        )


def _name(
    by_person: Embeddings, thresholds: NDArray[np.float32], frames: Sequence[int]
) -> dict[int, int]:
    """Which face is which person: (F, P) similarities, (P,) thresholds, F frame numbers."""
    pairs = np.argwhere(by_person >= thresholds)
    order = np.argsort(-by_person[pairs[:, 0], pairs[:, 1]], kind="stable")
    rivals: dict[int, list[int]] = {}
    for face, person in pairs.tolist():
        rivals.setdefault(face, []).append(person)
    named: dict[int, int] = {}
    settled: set[int] = set()
    taken: set[tuple[int, int]] = set()
    for face, person in pairs[order].tolist():
        frame = frames[face]
        if face in settled or (frame, person) in taken:
            continue
        settled.add(face)
        tied = any(
            other != person
            and (frame, other) not in taken
            and by_person[face, other] >= by_person[face, person] - TIE
            for other in rivals[face]
        )
        if not tied:
            named[face] = person
            taken.add((frame, person))
    return named
