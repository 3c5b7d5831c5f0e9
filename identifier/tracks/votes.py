"""Who a track is: what the gallery says to its faces, weighed."""

from __future__ import annotations

from dataclasses import dataclass, field

from identifier.tracks.values import Decision
from services.records.embeddings import Embedding

TIE = 0.5
"""From this share of the first's weight a second person makes it a tie: two thirds must agree."""
LEAST_SHARE = 0.25
"""Of the weight of all frames, those that name nobody too, before a track is named."""
HALF_LIFE_S = 3.0
"""So that a wrong name is corrected within seconds, however long the track is."""


@dataclass(frozen=True, slots=True)
class Vote:
    """What one frame says.

    Attributes:
        slug: of the person.
        name: as the user wrote it.
        similarity: cosine.
        threshold: the one that applied.
        reference: id of the reference photo.
        gallery_version: of the gallery that was asked.
        embedding: (D,) float32, of the face.
    """

    slug: str
    name: str
    similarity: float
    threshold: float
    reference: str
    gallery_version: str
    embedding: Embedding = field(repr=False)


@dataclass(slots=True)
class _Tally:
    surest: Vote
    name: str
    frames: int
    weight: float  # fades
    total_weight: float
    total_similarity: float

    def decision(self) -> Decision:
        return Decision(
            slug=self.surest.slug,
            name=self.name,
            best_similarity=self.surest.similarity,
            mean_similarity=self.total_similarity / self.total_weight,
            threshold=self.surest.threshold,
            reference=self.surest.reference,
            gallery_version=self.surest.gallery_version,
        )


class Votes:
    """The votes of one track.

    A person is named once `confirm_frames` frames agree, unless another person has more than half
    their weight, or three quarters of all weight are of frames that name nobody. A name stays
    through frames that name nobody; only votes for somebody else take it away.

    Args:
        confirm_frames: how many must agree.
    """

    def __init__(self, confirm_frames: int) -> None:
        self._confirm_frames = confirm_frames
        self._tallies: dict[str, _Tally] = {}
        self._all_weight = 0.0
        self._named: str | None = None

    def resume(self, surest: Vote, mean_similarity: float) -> None:
        """Start from a name that was decided before."""
        frames = self._confirm_frames
        tally = _Tally(surest, surest.name, frames, frames, frames, mean_similarity * frames)
        self._tallies = {surest.slug: tally}
        self._all_weight = tally.weight
        self._named = surest.slug

    @property
    def any_cast(self) -> bool:
        """Whether there is a vote for anybody."""
        return bool(self._tallies)

    def fade(self, elapsed_s: float) -> None:
        """Let what was said before count less."""
        if elapsed_s > 0:
            factor = 0.5 ** (elapsed_s / HALF_LIFE_S)
            self._all_weight *= factor
            for tally in self._tallies.values():
                tally.weight *= factor

    def cast(self, vote: Vote | None, weight: float) -> None:
        """Count a frame; None when it names nobody."""
        self._all_weight += weight
        if vote is not None:
            tally = self._tallies.get(vote.slug)
            if tally is None:
                tally = self._tallies[vote.slug] = _Tally(vote, vote.name, 0, 0.0, 0.0, 0.0)
            elif vote.similarity > tally.surest.similarity:
                tally.surest = vote
            tally.name = vote.name
            tally.frames += 1
            tally.weight += weight
            tally.total_weight += weight
            tally.total_similarity += weight * vote.similarity
        self._named = self._leader()

    def forget(self, slug: str | None = None) -> None:
        """Take back the votes for one person, or all votes there are."""
        if slug is None:
            self._tallies.clear()
            self._all_weight = 0.0
        elif (tally := self._tallies.pop(slug, None)) is not None:
            self._all_weight = max(0.0, self._all_weight - tally.weight)
        self._named = self._leader()

    @property
    def decision(self) -> Decision | None:
        """Who it is; None for nobody, or nobody yet."""
        return None if self._named is None else self._tallies[self._named].decision()

    @property
    def named(self) -> str | None:
        """Slug of who it is."""
        return self._named

    @property
    def surest(self) -> Vote | None:
        """The surest vote for who it is."""
        return None if self._named is None else self._tallies[self._named].surest

    @property
    def weight(self) -> float:
        """Of the votes for who it is."""
        return 0.0 if self._named is None else self._tallies[self._named].weight

    @property
    def contested(self) -> bool:
        """Whether somebody may be named soon."""
        enough = LEAST_SHARE / 2 * self._all_weight
        return any(tally.weight > enough for tally in self._tallies.values())

    def _leader(self) -> str | None:
        if not self._tallies:
            return None
        ranked = sorted(self._tallies, key=lambda slug: (-self._tallies[slug].weight, slug))
        first = self._tallies[ranked[0]]
        if first.frames < self._confirm_frames:
            # Somebody new has not agreed often enough yet to take a name away.
            still = self._tallies.get(self._named or "")
            return self._named if still and still.weight > TIE * first.weight else None
        if len(ranked) > 1 and self._tallies[ranked[1]].weight > TIE * first.weight:
            return None
        if ranked[0] != self._named and first.weight < LEAST_SHARE * self._all_weight:
            return None
        return ranked[0]
