"""Names on a real clip: everyone right from the first frame of a shot, nobody wrong."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.identity.clips import analyse_clip, gallery, photo_embedding
from identifier.identify import Frame, identify
from identifier.tracks.identity import TrackIdentities, WaitLimits
from identifier.tracks.track import TrackRules
from services.models.analysis import FaceAnalyser
from tests.unit.identifier.tracks.cameras import Clock

# Miranda and Lacamoire, whose own match fails in some frames; others; Miranda again; others.
SHOTS = [*range(20), *range(20, 80, 10), *range(82, 211, 4), *range(211, 250, 10)]


def names(
    frames: Sequence[Frame], people: dict[str, Path], analyser: FaceAnalyser
) -> dict[int, set[str]]:
    """By number of the frame."""
    recogniser = frames[0].recogniser_sha256
    photos = {slug: photo_embedding(path, analyser) for slug, path in people.items()}
    snapshot = gallery(photos, recogniser)
    results = identify(frames, snapshot, lambda _: analyser.threshold)
    clock = Clock()
    tracks: TrackIdentities[int] = TrackIdentities(TrackRules(), WaitLimits(), clock=clock)
    out = []
    for frame, result in zip(frames, results, strict=True):
        out += tracks.push(frame.key.seq, frame, result, snapshot)
    clock.now_s += 60
    out += tracks.due()
    return {n.item: {face.person for face in n.result.faces if face.person} for n in out}


def test_miranda_is_named_in_every_frame_and_nobody_is_named_wrongly(test_data: Path) -> None:
    analyser = FaceAnalyser.load(device="cpu")
    folder = test_data / "clip_hamilton"
    clip = analyse_clip("stage", folder / "clip.mp4", analyser, SHOTS)
    photos = {path.stem: path for path in (folder / "ref").iterdir()}
    found = names(clip.frames, photos, analyser)
    assert sorted(found) == SHOTS
    miranda, lacamoire = "lin_manuel_miranda", "alex_lacamoire"
    for seq, who in found.items():
        if seq < 20:
            assert who == {miranda, lacamoire}, seq
        elif 82 <= seq <= 210:
            assert who == {miranda}, seq
        else:
            assert who == set(), seq
