"""Hits of one camera that follow each other closely: what will be one sighting."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from identifier.history.hits import Hit

_SETTLED_MS = 30_000
_PIECE_HITS = 512
_STRAGGLERS = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Run:
    """Hits in order of capture, one per frame, of one camera and session.

    Attributes:
        hits: at least one.
    """

    hits: tuple[Hit, ...] = field(repr=False)

    @property
    def camera(self) -> str:
        """Whose frames these are."""
        return self.hits[0].frame.camera

    @property
    def session(self) -> str:
        """The producer's."""
        return self.hits[0].frame.session

    @property
    def first_at(self) -> datetime:
        """Capture time of the first hit, UTC."""
        return self.hits[0].at

    @property
    def last_at(self) -> datetime:
        """Capture time of the last hit, UTC."""
        return self.hits[-1].at

    @property
    def best(self) -> Hit:
        """The clearest face; of equals the first."""
        return max(self.hits, key=lambda hit: hit.quality)

    @property
    def from_pictures(self) -> bool:
        """Whether the frames are single pictures, where nothing is seen twice."""
        return self.hits[0].frame.source == "stored:images"


class Runs:
    """Holds hits until the log has gone on far enough past them to know that a run is whole.

    Frames of a camera come out of several workers, so the log has them roughly in order only. A
    run is whole when the log is half a minute past its last hit; of a long one everything but
    the last seconds is handed out before.

    Args:
        gap_s: the longest time between two hits of one run, seconds of capture time.
    """

    def __init__(self, gap_s: float) -> None:
        self._gap = timedelta(seconds=gap_s)
        self._held: dict[tuple[str, str, int], dict[tuple[str, int, int], Hit]] = {}
        self._logged_ms: dict[int, int] = {}

    def add(self, hits: Iterable[Hit]) -> None:
        """Take hits in; of two in one frame the one that is more like the person stays."""
        for hit in hits:
            of_camera = self._held.setdefault(
                (hit.frame.camera, hit.frame.session, hit.partition), {}
            )
            known = of_camera.get(hit.raw)
            if known is None or _rank(hit) > _rank(known):
                of_camera[hit.raw] = hit

    def passed(self, partition: int, logged_ms: int) -> None:
        """The log of a partition was read up to a record of that time."""
        self._logged_ms[partition] = max(logged_ms, self._logged_ms.get(partition, 0))

    def whole(self) -> list[Run]:
        """Runs that nothing more will be added to; they are held no longer."""
        return self._take(everything=False)

    def rest(self) -> list[Run]:
        """Everything that is held: the log ends here."""
        return self._take(everything=True)

    def held_from(self, partition: int) -> int | None:
        """Offset of the first hit of a partition that is still held; None when none is."""
        return min(
            (
                hit.offset
                for (_, _, of), hits in self._held.items()
                if of == partition
                for hit in hits.values()
            ),
            default=None,
        )

    @property
    def newest_logged_ms(self) -> int:
        """The time in the log of the newest hit that is held; 0 when none is."""
        return max(
            (hit.logged_ms for hits in self._held.values() for hit in hits.values()), default=0
        )

    def _take(self, *, everything: bool) -> list[Run]:
        taken: list[Run] = []
        for key, held in list(self._held.items()):
            for hits in split(held.values(), self._gap):
                ready = len(hits) if everything else self._ready(hits)
                if ready:
                    taken.append(Run(tuple(hits[:ready])))
                for hit in hits[:ready]:
                    del held[hit.raw]
            if not held:
                del self._held[key]
        return sorted(taken, key=lambda run: (run.first_at, run.camera, run.session))

    def _ready(self, hits: list[Hit]) -> int:
        """How many of a run's hits may go."""
        newest_ms = max(hit.logged_ms for hit in hits)
        if self._logged_ms.get(hits[0].partition, 0) > newest_ms + _SETTLED_MS:
            return len(hits)
        if len(hits) < _PIECE_HITS:
            return 0
        settled = hits[-1].at - _STRAGGLERS
        return sum(hit.at <= settled for hit in hits)


def split(hits: Iterable[Hit], gap: timedelta) -> list[list[Hit]]:
    """Hits in order of capture, parted wherever more than `gap` lies between two."""
    parts: list[list[Hit]] = []
    for hit in sorted(hits, key=lambda hit: (hit.at, hit.frame.seq, hit.raw)):
        if parts and hit.at - parts[-1][-1].at <= gap:
            parts[-1].append(hit)
        else:
            parts.append([hit])
    return parts


def _rank(hit: Hit) -> tuple[float, int]:
    return hit.similarity, -hit.index
