"""Our association of faces to tracks beside a library's that goes by boxes alone.

Needs `pip install trackers` (Roboflow's ByteTrack, SORT and OC-SORT, with supervision), in an
environment of its own: it brings opencv-python. Without it only our row is printed.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from identifier.identify import Frame
from services.records.facestream_pb2 import IdentifiedFrame

_FACES_OF_A_TRACK = 3

Tracks = list[list[str | None]]
"""By frame and face."""


@dataclass(frozen=True)
class _Figures:
    """Of one tracker on one clip.

    Attributes:
        tracks: of three faces and more.
        mixed: those that hold faces of two people.
        strangers: faces in them of others than the most frequent.
        switches: neighbouring frames in which a person changes track.
        without: faces without a track.
    """

    tracks: int
    mixed: int
    strangers: int
    switches: int
    without: int


def compare(
    frames: Sequence[Frame], sure: Sequence[IdentifiedFrame], ours: Sequence[IdentifiedFrame]
) -> None:
    """Print a table.

    Args:
        frames: of one clip.
        sure: who the gallery is sure a face is: a person for those alone.
        ours: the same frames with our tracks.
    """
    rows: dict[str, Tracks] = {
        "ours": [[face.track for face in frame.faces] for frame in ours],
        **_peers(frames),
    }
    print(
        "\n| tracker | tracks | of two people | faces of the second | changes of track | no track |"
    )
    print("|---|---|---|---|---|---|")
    for name, tracks in rows.items():
        found = _figures(tracks, sure)
        cells = [found.tracks, found.mixed, found.strangers, found.switches, found.without]
        print(f"| {name} | " + " | ".join(map(str, cells)) + " |")


def _figures(tracks: Tracks, sure: Sequence[IdentifiedFrame]) -> _Figures:
    sizes: Counter[str] = Counter()
    people: defaultdict[str, Counter[str]] = defaultdict(Counter)
    last: dict[str, tuple[int, str | None]] = {}
    switches = without = 0
    for number, (ids, truth) in enumerate(zip(tracks, sure, strict=True)):
        for track, face in zip(ids, truth.faces, strict=True):
            without += track is None
            if track is not None:
                sizes[track] += 1
            if not face.person:
                continue
            if track is not None:
                people[track][face.person] += 1
            before = last.get(face.person)
            switches += before is not None and before[0] == number - 1 and before[1] != track
            last[face.person] = (number, track)
    long = [track for track, size in sizes.items() if size >= _FACES_OF_A_TRACK]
    mixed = [people[track] for track in long if len(people[track]) > 1]
    strangers = sum(sum(found.values()) - max(found.values()) for found in mixed)
    return _Figures(len(long), len(mixed), strangers, switches, without)


def _peers(frames: Sequence[Frame]) -> dict[str, Tracks]:
    if importlib.util.find_spec("trackers") is None:
        return {}
    library = importlib.import_module("trackers")
    eager = {"track_activation_threshold": 0.5, "minimum_consecutive_frames": 1}
    makers: dict[str, Callable[[], object]] = {
        "ByteTrack": lambda: library.ByteTrackTracker(frame_rate=24),
        "ByteTrack, IoU 0.3, tracks at once": lambda: library.ByteTrackTracker(
            frame_rate=24, minimum_iou_threshold=0.3, high_conf_det_threshold=0.5, **eager
        ),
        "SORT": lambda: library.SORTTracker(frame_rate=24),
        "SORT, tracks at once": lambda: library.SORTTracker(
            frame_rate=24, minimum_consecutive_frames=1
        ),
        "OC-SORT": lambda: library.OCSORTTracker(frame_rate=24),
    }
    return {name: _follow(make(), frames) for name, make in makers.items()}


def _follow(tracker: object, frames: Sequence[Frame]) -> Tracks:
    detections = importlib.import_module("supervision").Detections
    tracks: Tracks = []
    for frame in frames:
        boxes = [(f.box.x, f.box.y, f.box.width, f.box.height) for f in frame.record.faces]
        ids: list[str | None] = [None] * len(boxes)
        seen = detections.empty()
        if boxes:
            corners = np.array(boxes, np.float32)
            corners[:, 2:] += corners[:, :2]
            scores = np.array([face.score for face in frame.record.faces], np.float32)
            seen = detections(xyxy=corners, confidence=scores, data={"face": np.arange(len(boxes))})
        found = tracker.update(seen)  # type: ignore[attr-defined]
        if len(found) and found.tracker_id is not None:
            for face, track in zip(found.data["face"], found.tracker_id, strict=True):
                ids[int(face)] = str(track) if track >= 0 else None
        tracks.append(ids)
    return tracks
