"""The gallery as the matcher sees it at one moment; replaced whole, never changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

from identifier.matcher import Negative, Reference, ReferenceMatrix


@dataclass(frozen=True)
class Snapshot:
    """Who can be recognised.

    Attributes:
        version: changes whenever the gallery does; travels with every identified frame.
        matrices: references and negatives by the SHA-256 of the recogniser that made them.
            Embeddings of different recognisers have nothing to say to each other. A recogniser
            that has not read every photo yet is not among them.
        slugs: of everyone enrolled.
        references: how many there are.
    """

    version: str
    matrices: Mapping[str, ReferenceMatrix] = field(repr=False)
    slugs: frozenset[str] = field(repr=False)
    references: int

    @classmethod
    def of(
        cls,
        version: str,
        references: Mapping[str, Sequence[Reference]],
        negatives: Mapping[str, Sequence[Negative]] | None = None,
    ) -> Self:
        """Make a snapshot of a few references and negatives, by recogniser."""
        return cls(
            version,
            {
                sha: ReferenceMatrix(found, (negatives or {}).get(sha, ()))
                for sha, found in references.items()
                if found
            },
            frozenset(r.person.slug for found in references.values() for r in found),
            sum(len(found) for found in references.values()),
        )


class SnapshotSource(Protocol):
    """Where the service takes the gallery from, for every batch anew."""

    @property
    def snapshot(self) -> Snapshot:
        """The gallery of this moment; cheap, from any thread."""


@dataclass(frozen=True)
class FixedGallery(SnapshotSource):
    """A gallery that never changes: one person from one photo."""

    only: Snapshot

    @property
    def snapshot(self) -> Snapshot:
        """The same one always."""
        return self.only
