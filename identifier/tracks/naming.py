"""What a track says, written into the faces of a frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from identifier.tracks.track import Track
from services.records.facestream_pb2 import IdentifiedFace, IdentifiedFrame


def give_names(
    result: IdentifiedFrame,
    tracks: Sequence[Track | None],
    unknown_of: Callable[[str], int | None],
) -> None:
    """Name the faces of a frame by their tracks; one face per person.

    A face whose own match agrees keeps its own similarity, threshold and reference; where it does
    not, they are the track's: mean similarity, and threshold and reference of its surest vote.
    A face without a track keeps its own match, unless a track has that name.

    Args:
        result: changed in place.
        tracks: of its faces, in order.
        unknown_of: number of the unknown person that the memory has given a track.
    """
    holders = _holders(tracks)
    for index, (face, track) in enumerate(zip(result.faces, tracks, strict=True)):
        if track is None:
            if face.person in holders:
                _clear(face)
            continue
        face.track = track.id
        decision = track.decision
        if decision is None or holders[decision.slug] != index:
            _clear(face)
            if decision is None:
                face.unknown = unknown_of(track.id) or 0
        elif face.person != decision.slug:
            face.person, face.name = decision.slug, decision.name
            face.similarity = decision.mean_similarity
            face.threshold = decision.threshold
            face.reference = decision.reference


def _holders(tracks: Sequence[Track | None]) -> dict[str, int]:
    """Who is named in a frame: slug to the index of the face whose track is surest."""
    holders: dict[str, int] = {}
    ranked = sorted((-t.weight, at) for at, t in enumerate(tracks) if t is not None and t.named)
    for _, at in ranked:
        track = tracks[at]
        if track is not None and track.named is not None:
            holders.setdefault(track.named, at)
    return holders


def _clear(face: IdentifiedFace) -> None:
    face.person = face.name = ""
