"""Which unknown person a face belongs to: online clusters over embeddings, one matrix multiply."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from services.records.embeddings import Embedding

JOIN_ABOVE_MATCHING = 0.05
"""A face joins the nearest unknown from so far above the pack's matching threshold.

LFW in random orders (buffalo_s, which matches at 0.33), precision and recall of the pairs under one
number: of all 2,086 people, 97.2 and 98.8 % from 0.33, 99.0 and 98.6 % from 0.36, 99.7 and 98.2 %
from 0.38, where F1 is highest. Of only the 746 with several photos it is highest from 0.36: the
more strangers there are, the higher. `python -m benchmarks.identity unknowns`.
"""

MERGE_ABOVE_JOIN = 0.08
"""Two unknowns whose centres are so far above joining are one. Without that, recall at 0.38 is 97.1
instead of 98.2 %, at the same precision."""

MAX_WEIGHT = 50.0
"""A centre stops growing heavier here, so that it follows a face over the years."""

_LEAST_WEIGHT = 0.1
_STALE = 0.1  # by how much a centre may have moved in another process since it was read
_LOOK_AT = 16


@dataclass(frozen=True, slots=True)
class Rule:
    """When faces are one person's.

    Attributes:
        join: cosine of a face to a centre from which it belongs to it.
        merge: cosine of two centres from which they are one.
    """

    join: float
    merge: float

    @classmethod
    def joining_at(cls, join: float) -> Rule:
        """The rule for a threshold of joining."""
        return cls(join, join + MERGE_ABOVE_JOIN)


def unknown_rules(matching: Callable[[str], float], join: float | None) -> Callable[[str], Rule]:
    """The rule for records of a model pack.

    Args:
        matching: threshold of matching of a pack, by its name.
        join: UNKNOWN_THRESHOLD; None for a little above `matching`.
    """

    def rule(pack: str) -> Rule:
        return Rule.joining_at(matching(pack) + JOIN_ABOVE_MATCHING if join is None else join)

    return rule


def weight_of(quality: float) -> float:
    """How much a face of a quality, 0..1, counts in a centre."""
    return min(1.0, max(_LEAST_WEIGHT, quality))


@dataclass(frozen=True, slots=True)
class Cluster:
    """One unknown person.

    Attributes:
        centre: (D,) float32, unit length: direction of the weighted sum of its embeddings.
        weight: length of that sum, at most `MAX_WEIGHT`.
    """

    centre: Embedding = field(repr=False)
    weight: float

    def with_face(self, embedding: Embedding, weight: float) -> Cluster:
        """The cluster with one more embedding, (D,) float32 of unit length."""
        return self.joined(Cluster(embedding, weight))

    def joined(self, other: Cluster) -> Cluster:
        """Both in one."""
        total = self.weight * self.centre.astype(np.float64) + other.weight * other.centre
        length = float(np.linalg.norm(total))
        if length < 1e-6:  # opposite directions: nothing to choose between
            return self
        return Cluster((total / length).astype(np.float32), min(length, MAX_WEIGHT))


class Clusters:
    """The unknown people one recogniser has seen, by number; room for 10,000 and more."""

    def __init__(self) -> None:
        self._rows: dict[int, int] = {}
        self._numbers: NDArray[np.int64] = np.zeros(0, np.int64)
        self._centres: NDArray[np.float32] = np.zeros((0, 0), np.float32)
        self._weights: NDArray[np.float64] = np.zeros(0)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, number: int) -> bool:
        return number in self._rows

    def __getitem__(self, number: int) -> Cluster:
        row = self._rows[number]
        return Cluster(self._centres[row].copy(), float(self._weights[row]))

    def put(self, number: int, cluster: Cluster) -> None:
        """Add a cluster, or replace the one of that number."""
        row = self._rows.setdefault(number, len(self._rows))
        if row == len(self._numbers):
            self._grow(len(cluster.centre))
        self._numbers[row] = number
        self._centres[row] = cluster.centre
        self._weights[row] = cluster.weight

    def remove(self, number: int) -> None:
        """Forget a cluster, where there is one."""
        row = self._rows.pop(number, None)
        last = len(self._rows)
        if row is None or row == last:
            return
        self._numbers[row] = self._numbers[last]
        self._centres[row] = self._centres[last]
        self._weights[row] = self._weights[last]
        self._rows[int(self._numbers[row])] = row

    def near(
        self, embedding: Embedding, similarity: float, besides: Collection[int] = ()
    ) -> list[int]:
        """The numbers of the nearest clusters, nearest first.

        Args:
            embedding: (D,) float32, unit length.
            similarity: least cosine to the centre.
            besides: numbers that are not asked for.
        """
        count = len(self._rows)
        if not count:
            return []
        similarities = self._centres[:count] @ embedding
        rows = np.flatnonzero(similarities >= similarity)
        order = np.lexsort((self._numbers[rows], -similarities[rows]))
        found = (int(number) for number in self._numbers[rows[order]])
        return [number for number in found if number not in besides][:_LOOK_AT]

    def _grow(self, dimensions: int) -> None:
        size = max(64, 2 * len(self._numbers))
        centres = np.zeros((size, dimensions), np.float32)
        centres[: len(self._centres)] = self._centres.reshape(-1, dimensions)
        self._centres = centres
        self._numbers = np.concatenate(
            [self._numbers, np.zeros(size - len(self._numbers), np.int64)]
        )
        self._weights = np.concatenate([self._weights, np.zeros(size - len(self._weights))])


class Keeper(Protocol):
    """Where clusters are kept, and told of every change: the database, or memory alone."""

    def freshen(self, clusters: Clusters, numbers: Sequence[int]) -> None:
        """Bring clusters up to date with what others have made of them."""

    def create(self, cluster: Cluster) -> int:
        """Keep a new cluster; its number."""

    def moved(self, number: int, cluster: Cluster) -> None:
        """A cluster's centre has moved."""

    def merged(self, number: int, into: int, cluster: Cluster) -> None:
        """A cluster went into another, which is now `cluster`."""


class InMemory(Keeper):
    """Numbers from 1 upwards, kept nowhere.

    Attributes:
        merges: into which number another went.
    """

    def __init__(self) -> None:
        self.merges: dict[int, int] = {}
        self._newest = 0

    def freshen(self, clusters: Clusters, numbers: Sequence[int]) -> None:
        """Nobody else changes them."""

    def create(self, cluster: Cluster) -> int:
        """The next number."""
        del cluster
        self._newest += 1
        return self._newest

    def moved(self, number: int, cluster: Cluster) -> None:
        """Nothing to keep."""

    def merged(self, number: int, into: int, cluster: Cluster) -> None:
        """Remember where a number went."""
        del cluster
        self.merges[number] = into

    def now(self, number: int) -> int:
        """The number that one has become by merging."""
        while number in self.merges:
            number = self.merges[number]
        return number


def assign(
    clusters: Clusters, embedding: Embedding, weight: float, rule: Rule, keeper: Keeper
) -> int:
    """The number of a face: of the nearest unknown it belongs to, else a new one.

    Args:
        clusters: changed in place.
        embedding: (D,) float32, unit length.
        weight: how much this face counts in the centre, above 0.
        rule: when faces are one person's.
        keeper: told of every change.
    """
    number = _nearest(clusters, embedding, rule.join, keeper)
    if number is None:
        cluster = Cluster(embedding, weight)
        number = keeper.create(cluster)
        clusters.put(number, cluster)
        return number
    return strengthen(clusters, number, embedding, weight, rule, keeper)


def strengthen(
    clusters: Clusters,
    number: int,
    embedding: Embedding,
    weight: float,
    rule: Rule,
    keeper: Keeper,
) -> int:
    """Add a face to a cluster that is there; unknowns that have come close become one.

    The older number stays. Arguments as of `assign`; the number that the face has then.
    """
    cluster = clusters[number].with_face(embedding, weight)
    clusters.put(number, cluster)
    keeper.moved(number, cluster)
    while (other := _nearest(clusters, cluster.centre, rule.merge, keeper, {number})) is not None:
        number, gone = sorted((number, other))
        cluster = clusters[number].joined(clusters[gone])
        clusters.remove(gone)
        clusters.put(number, cluster)
        keeper.merged(gone, number, cluster)
    return number


def _nearest(
    clusters: Clusters,
    embedding: Embedding,
    similarity: float,
    keeper: Keeper,
    besides: Collection[int] = (),
) -> int | None:
    candidates = clusters.near(embedding, similarity - _STALE, besides)
    if not candidates:
        return None
    keeper.freshen(clusters, candidates)
    return next(iter(clusters.near(embedding, similarity, besides)), None)
