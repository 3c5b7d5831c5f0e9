"""Everyone's references as arrays that grow: one person changes, the others stay where they are.

A snapshot sees the rows there were when it was made. New rows go behind them, removed rows lose
their owner in a copy, so that no snapshot ever changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from identifier.matcher import (
    LONGEST_PHOTO_ID,
    Embeddings,
    Person,
    ReferenceMatrix,
    ReferenceTable,
)
from identifier.snapshot import Snapshot

_GROW_BY = 1.5
_COMPACT_FROM = 1_024
_COMPACT_AT = 0.25


@dataclass(frozen=True, slots=True)
class References:
    """Reference photos of any people, as one recogniser read them.

    Attributes:
        person_ids: (N,) int64, `people.id`.
        photo_ids: (at least N,) ASCII bytes.
        embeddings: (at least N, D) float32, rows of unit length; what is beyond N is room.
    """

    person_ids: NDArray[np.int64] = field(repr=False)
    photo_ids: NDArray[np.bytes_] = field(repr=False)
    embeddings: Embeddings = field(repr=False)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was read from the database: of everyone, or of those who changed.

    Attributes:
        version: of the gallery.
        people: by `people.id`; who is asked for and not among them is gone.
        references: by recogniser.
        negatives: by recogniser; (M,) `people.id` and (M, D) embeddings.
    """

    version: str
    people: Mapping[int, Person] = field(repr=False)
    references: Mapping[str, References] = field(repr=False)
    negatives: Mapping[str, tuple[NDArray[np.int64], Embeddings]] = field(repr=False)


class GalleryIndex:
    """The gallery in memory; not for several threads at once, its snapshots are.

    Args:
        loaded: everyone.
    """

    def __init__(self, loaded: Loaded) -> None:
        self.version = loaded.version
        self._at = {person_id: at for at, person_id in enumerate(loaded.people)}
        self._people: list[Person | None] = list(loaded.people.values())
        self._own = np.array([_own(person) for person in loaded.people.values()], np.float32)
        self._slugs = frozenset(person.slug for person in loaded.people.values())
        self._rows = {sha: _Rows(found, self._at) for sha, found in loaded.references.items()}
        self._negatives = {
            sha: (self._indices(ids), embeddings)
            for sha, (ids, embeddings) in loaded.negatives.items()
        }

    def apply(self, changed: set[int], loaded: Loaded) -> None:
        """Take in what became of some people.

        Args:
            changed: their `people.id`.
            loaded: those of them who are still there, nobody else.
        """
        before = {at: self._people[at] for i in changed if (at := self._at.get(i)) is not None}
        self._put(changed, loaded.people)
        places = {person_id: self._at[person_id] for person_id in changed if person_id in self._at}
        for sha in self._rows.keys() | loaded.references.keys():
            found = loaded.references.get(sha)
            if sha in self._rows:
                self._rows[sha].replace(places, found)
            elif found is not None:
                self._rows[sha] = _Rows(found, self._at)
        for sha in self._negatives.keys() | loaded.negatives.keys():
            self._replace_negatives(sha, np.array([*places.values()], np.int32), loaded)
        gone = {person.slug for person in before.values() if person is not None}
        now = {person.slug for person in loaded.people.values()}
        if gone != now:
            self._slugs = self._slugs - gone | now
        for person_id in changed - loaded.people.keys():
            self._at.pop(person_id, None)
        self.version = loaded.version

    def snapshot(self) -> Snapshot:
        """Everyone as they are now."""
        matrices = {
            sha: ReferenceMatrix(self._table(sha, rows))
            for sha, rows in self._rows.items()
            if rows.count
        }
        count = sum(len(matrix) for matrix in matrices.values())
        return Snapshot(self.version, matrices, self._slugs, count)

    def _put(self, changed: set[int], people: Mapping[int, Person]) -> None:
        """Replace them in a copy of the list, which older snapshots go on reading."""
        self._people = list(self._people)
        for person_id in changed:
            person, at = people.get(person_id), self._at.get(person_id)
            if at is not None:
                self._people[at] = person
            elif person is not None:
                self._at[person_id] = len(self._people)
                self._people.append(person)
        own = np.full(len(self._people), np.nan, np.float32)
        own[: len(self._own)] = self._own
        for person_id, person in people.items():
            own[self._at[person_id]] = _own(person)
        self._own = own

    def _indices(self, person_ids: NDArray[np.int64]) -> NDArray[np.int32]:
        return np.array([self._at[int(person_id)] for person_id in person_ids], np.int32)

    def _replace_negatives(self, sha: str, places: NDArray[np.int32], loaded: Loaded) -> None:
        parts: list[tuple[NDArray[np.int32], Embeddings]] = []
        if (old := self._negatives.get(sha)) is not None:
            stays = ~np.isin(old[0], places)
            parts.append((old[0][stays], old[1][stays]))
        new = loaded.negatives.get(sha)
        if new is not None and (not parts or parts[0][1].shape[1] == new[1].shape[1]):
            parts.append((self._indices(new[0]), new[1]))
        self._negatives[sha] = (
            np.concatenate([part[0] for part in parts]),
            np.concatenate([part[1] for part in parts]),
        )

    def _table(self, sha: str, rows: _Rows) -> ReferenceTable:
        nobody = np.empty(0, np.int32)
        owners, negatives = self._negatives.get(sha, (nobody, rows.none))
        if negatives.shape[1] != rows.none.shape[1]:
            owners, negatives = nobody, rows.none
        return ReferenceTable(
            rows.embeddings[: len(rows.owners)],
            rows.owners,
            rows.photo_ids[: len(rows.owners)],
            self._people,
            self._own,
            negatives,
            owners,
        )


class _Rows:
    """The references of one recogniser.

    Attributes:
        embeddings: (capacity, D) float32.
        photo_ids: (capacity,) ASCII bytes.
        owners: (N,) int32, replaced whole when it changes; -1 for a removed row.
        count: rows that are not removed.
    """

    def __init__(self, found: References, at: Mapping[int, int]) -> None:
        self.embeddings = found.embeddings
        self.photo_ids = found.photo_ids
        self.owners = np.array([at[i] for i in found.person_ids.tolist()], np.int32)
        self.count = len(self.owners)

    @property
    def none(self) -> Embeddings:
        """(0, D) float32."""
        return self.embeddings[:0]

    def replace(self, places: Mapping[int, int], found: References | None) -> None:
        """Bring the references of some people up to date.

        Args:
            places: where in the list of people those are, by `people.id`.
            found: all their references as they are now.
        """
        if found is not None and found.embeddings.shape[1] != self.embeddings.shape[1]:
            found = None  # unsound: one recogniser makes embeddings of one size
        mine = np.flatnonzero(np.isin(self.owners, np.array([*places.values()], np.int32)))
        had = {
            (int(owner), photo_id): row
            for owner, photo_id, row in zip(
                self.owners[mine], self.photo_ids[mine].tolist(), mine.tolist(), strict=True
            )
        }
        wanted: dict[tuple[int, bytes], int] = {}
        if found is not None:
            for row, (person_id, photo_id) in enumerate(
                zip(found.person_ids.tolist(), found.photo_ids.tolist(), strict=False)
            ):
                wanted[places[person_id], photo_id] = row
        gone = [row for key, row in had.items() if key not in wanted]
        new = [(owner, row) for (owner, id_), row in wanted.items() if (owner, id_) not in had]
        if gone:
            self.owners = self.owners.copy()
            self.owners[gone] = -1
        if new and found is not None:
            rows = [row for _, row in new]
            self._append(
                np.array([owner for owner, _ in new], np.int32),
                found.photo_ids[rows],
                found.embeddings[rows],
            )
        self.count += len(new) - len(gone)
        removed = len(self.owners) - self.count
        if removed > _COMPACT_FROM and removed > _COMPACT_AT * len(self.owners):
            kept = self.owners >= 0
            self.embeddings = self.embeddings[: len(kept)][kept]
            self.photo_ids = self.photo_ids[: len(kept)][kept]
            self.owners = self.owners[kept]

    def _append(
        self, owners: NDArray[np.int32], photo_ids: NDArray[np.bytes_], embeddings: Embeddings
    ) -> None:
        used, need = len(self.owners), len(self.owners) + len(owners)
        if need > len(self.embeddings):
            room = int(need * _GROW_BY) + 64  # memory that is not written to is not taken
            grown = np.empty((room, self.embeddings.shape[1]), np.float32)
            grown[:used] = self.embeddings[:used]
            ids = np.empty(room, f"S{LONGEST_PHOTO_ID}")
            ids[:used] = self.photo_ids[:used]
            self.embeddings, self.photo_ids = grown, ids
        self.embeddings[used:need] = embeddings
        self.photo_ids[used:need] = photo_ids
        self.owners = np.concatenate([self.owners, owners])


def _own(person: Person) -> float:
    return np.nan if person.threshold is None else person.threshold
