"""What has changed since the memory was told last, told about once a second."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from identifier.tracks.track import Track
from identifier.tracks.values import TrackState

_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class _Told:
    """What the memory was told of an open track last, and when."""

    at_s: float
    named: str | None
    camera: str


class Changes:
    """Collects tracks that changed; gives out their newest states.

    A track that is not confirmed (`TrackState.confirmed`) is not told: there is nothing to
    remember. Its confirmation, a change of name and its end are told at once, the rest about once
    a second.

    Args:
        unknown_of: number of the unknown person that the memory has given a track.
        clock: seconds, monotonic.
    """

    def __init__(self, unknown_of: Callable[[str], int | None], clock: Callable[[], float]) -> None:
        self._unknown_of = unknown_of
        self._clock = clock
        self._changed: dict[str, Track] = {}
        self._told: dict[str, _Told] = {}

    def mark(self, track: Track) -> None:
        """A track has changed."""
        if track.confirmed:
            self._changed[track.id] = track

    def take(self, *, everything: bool) -> list[TrackState]:
        """States that are to be told by now.

        Args:
            everything: also those that were told a moment ago.
        """
        now_s = self._clock()
        taken = [t for t in self._changed.values() if everything or self._urgent(t, now_s)]
        states = []
        for track in taken:
            del self._changed[track.id]
            if track.ended:
                self._told.pop(track.id, None)
            else:
                self._told[track.id] = _Told(now_s, track.named, track.camera)
            states.append(track.state(self._unknown_of(track.id)))
        return states

    def forget(self, camera: str) -> None:
        """Somebody else has this camera's tracks now."""
        for track in [track for track in self._changed.values() if track.camera == camera]:
            del self._changed[track.id]
        for track_id in [one for one, told in self._told.items() if told.camera == camera]:
            del self._told[track_id]

    def _urgent(self, track: Track, now_s: float) -> bool:
        told = self._told.get(track.id)
        return (
            told is None
            or track.ended
            or told.named != track.named
            or now_s - told.at_s >= _EVERY_S
        )
