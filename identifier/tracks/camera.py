"""The tracks of one camera: who is in view, and who has been a moment ago."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from identifier.identify import Frame
from identifier.matcher import ReferenceMatrix
from identifier.snapshot import Snapshot
from identifier.tracks.track import Sight, Track, TrackRules, sights
from identifier.tracks.tracker import associate
from identifier.tracks.values import TrackState
from services.records.facestream_pb2 import IdentifiedFrame

_MAX_TRACKS = 256


class CameraTracks:
    """Follows the faces of one camera, frame by frame in order.

    Args:
        rules: what makes a track.
        changed: told of every track that changed.
    """

    def __init__(self, rules: TrackRules, changed: Callable[[Track], None]) -> None:
        self._rules = rules
        self._changed = changed
        self._tracks: list[Track] = []
        self._models: tuple[str, int] | None = None

    def see(self, frame: Frame, result: IdentifiedFrame, snapshot: Snapshot) -> list[Track]:
        """Count a frame.

        Args:
            frame: the next of its session.
            result: what the gallery says to its faces.
            snapshot: the gallery that was asked.

        Returns:
            The track of each face, in order.
        """
        self._end_lost(frame)
        if not len(frame.faces):
            return []
        self._check_models(frame)
        matrix = matrix_for(frame, snapshot)
        seen = sights(frame, result)
        tracks = [
            self._begin(sight) if track is None else track
            for sight, track in zip(seen, self._associate(frame, seen), strict=True)
        ]
        for sight, track in zip(seen, tracks, strict=True):
            track.revise(snapshot.version, matrix)
            if frame.key.seq > track.last_seq or not track.frames:
                track.see(sight)
        _one_person_one_track(tracks)
        for track in tracks:
            self._changed(track)
        self._forget_oldest()
        return tracks

    def find(self, frame: Frame, result: IdentifiedFrame) -> list[Track | None]:
        """The tracks that the faces of a late frame fit, without counting them."""
        if not len(frame.faces) or self._models != _models_of(frame):
            return [None] * len(frame.faces)
        return self._associate(frame, sights(frame, result), late=True)

    def resume(self, states: Sequence[TrackState]) -> None:
        """Go on with tracks as the memory has them, all of one session."""
        for state in states[-_MAX_TRACKS:]:
            self._models = (
                next((f.sha256 for f in state.models.files if f.role == "recogniser"), ""),
                len(state.embedding),
            )
            self._tracks.append(Track.resume(state, self._rules))

    def end(self, *, for_good: bool) -> None:
        """End all tracks: the session is over, or nothing has been heard for long.

        Args:
            for_good: False where frames that were taken soon after the last may still come.
        """
        for track in self._tracks:
            if not track.ended:
                track.end()
                self._changed(track)
        if for_good:
            self._tracks.clear()

    @property
    def open_tracks(self) -> int:
        """How many have not ended."""
        return sum(not track.ended for track in self._tracks)

    def _begin(self, sight: Sight) -> Track:
        track = Track(sight, self._rules)
        self._tracks.append(track)
        return track

    def _associate(
        self, frame: Frame, seen: Sequence[Sight], *, late: bool = False
    ) -> list[Track | None]:
        seq = frame.key.seq
        tracks = [t for t in self._tracks if late or seq > t.last_seq or t.counted(seq)]
        found = associate([t.place for t in tracks], [s.box_px for s in seen], frame.faces)
        return [None if index is None else tracks[index] for index in found]

    def _end_lost(self, frame: Frame) -> None:
        seq, at = frame.key.seq, frame.key.captured_at
        lost = [t for t in self._tracks if seq > t.last_seq and self._is_lost(t, at)]
        if lost:
            self._tracks = [track for track in self._tracks if track not in lost]
            self._finish(lost)

    def _is_lost(self, track: Track, at: datetime) -> bool:
        return (at - track.last_at).total_seconds() > self._rules.lost_s

    def _check_models(self, frame: Frame) -> None:
        """Embeddings of different recognisers have nothing to say to each other."""
        models = _models_of(frame)
        if models != self._models:
            self.end(for_good=True)
            self._models = models

    def _forget_oldest(self) -> None:
        excess = len(self._tracks) - _MAX_TRACKS
        if excess > 0:
            self._tracks.sort(key=lambda track: track.last_at)
            oldest, self._tracks = self._tracks[:excess], self._tracks[excess:]
            self._finish(oldest)

    def _finish(self, tracks: Sequence[Track]) -> None:
        for track in tracks:
            if not track.ended:
                track.end()
                self._changed(track)


def matrix_for(frame: Frame, snapshot: Snapshot) -> ReferenceMatrix | None:
    """The references that a frame's faces can be matched with."""
    matrix = snapshot.matrices.get(frame.recogniser_sha256)
    fits = matrix is not None and matrix.dimensions == frame.faces.shape[1]
    return matrix if fits else None


def _models_of(frame: Frame) -> tuple[str, int]:
    return frame.recogniser_sha256, frame.faces.shape[1]


def _one_person_one_track(tracks: Sequence[Track]) -> None:
    """Of two tracks in one frame that have one name, the weightier keeps it."""
    holders: dict[str, Track] = {}
    for track in sorted(tracks, key=lambda track: -track.weight):
        if track.named is None:
            continue
        holder = holders.setdefault(track.named, track)
        if holder is not track:
            track.yield_to(holder)
