"""Names with and without tracks on the test clips: frames named right, wrong and missed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.identity import peers
from benchmarks.identity.clips import (
    Clip,
    Label,
    analyse_clip,
    clearest_embedding,
    gallery,
    labels,
    photo_embedding,
)
from identifier.identify import Frame, identify
from identifier.snapshot import Snapshot
from identifier.tracks.identity import TrackIdentities, WaitLimits
from identifier.tracks.track import TrackRules
from services.models.analysis import FaceAnalyser
from services.records.embeddings import Embedding
from services.records.facestream_pb2 import IdentifiedFrame

CLIPS = {
    "hamilton": "clip_hamilton/clip.mp4",
    "obama_dinner": "clip_obama_dinner/clip.mp4",
    "both": "clip_intel_headpose/clip_both.gif",
    "walking_and_pause": "clip_intel_headpose/walking_and_pause.gif",
    "walking": "clip_intel_headpose/walking.gif",
    "classroom": "clip_intel_headpose/classroom.gif",
    "enrol_female": "clip_intel_headpose/enrol_female.gif",
    "enrol_male": "clip_intel_headpose/enrol_male.gif",
    "sitcom": "clip_sitcom/clip.mp4",
}

_SURE = 0.45
"""Who a face of clip_sitcom is, where nobody has labelled it: far above the threshold."""


def by_frame(
    frames: Sequence[Frame], snapshot: Snapshot, threshold: float
) -> list[IdentifiedFrame]:
    """Each frame by itself."""
    return identify(frames, snapshot, lambda _: threshold)


def by_track(
    frames: Sequence[Frame], snapshot: Snapshot, threshold: float
) -> list[IdentifiedFrame]:
    """As the identifier publishes them."""
    clock = _Clock()
    tracks: TrackIdentities[int] = TrackIdentities(TrackRules(), WaitLimits(), clock=clock)
    out = []
    results = by_frame(frames, snapshot, threshold)
    for frame, result in zip(frames, results, strict=True):
        out += tracks.push(frame.key.seq, frame, result, snapshot)
    clock.now_s += 60
    out += tracks.due()
    assert [named.item for named in out] == [frame.key.seq for frame in frames]
    return [named.result for named in out]


class _Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def report(data: Path) -> None:
    """Print frames named right, wrong and missed, with and without tracks."""
    analyser = FaceAnalyser.load(device="cpu")
    clips = {name: analyse_clip(name, data / path, analyser) for name, path in CLIPS.items()}
    photos = {
        folder: {_slug(photo): photo_embedding(photo, analyser) for photo in found}
        for folder in ("clip_hamilton", "clip_obama_dinner", "clip_sitcom")
        if (found := sorted((data / folder / "ref").iterdir()))
    }
    photos["clip_intel_headpose"] = {
        "female": clearest_embedding(clips.pop("enrol_female")),
        "male": clearest_embedding(clips.pop("enrol_male")),
    }
    recogniser = next(f.sha256 for f in analyser.model_files if f.role == "recogniser")
    print_tables(clips, photos, data, recogniser, analyser.threshold)


def print_tables(
    clips: Mapping[str, Clip],
    photos: Mapping[str, Mapping[str, Embedding]],
    data: Path,
    recogniser: str,
    threshold: float,
) -> None:
    """The tables, of clips that are analysed.

    Args:
        clips: by name, those of `CLIPS` that people are looked for in.
        photos: reference embeddings by slug, by folder.
        data: where the labels are.
        recogniser: SHA-256 of the model that made the embeddings.
        threshold: cosine.
    """
    print(f"Threshold {threshold}. Each folder's own people are enrolled. Right and missed: of the")
    print(
        "frames labelled with a person. Wrong: names in frames that are not labelled with them.\n"
    )
    print(
        "| clip | person | frames | each frame by itself: right | missed | tracks: right | missed |"
    )
    print("|---|---|---|---|---|---|---|")
    wrong: Counter[str] = Counter()
    others: Counter[str] = Counter()
    everyone = {slug: one for people in photos.values() for slug, one in people.items()}
    for name, path in CLIPS.items():
        if name not in clips or name == "sitcom":
            continue
        folder, frames = Path(path).parts[0], clips[name].frames
        known = _labels(data / folder, name)
        snapshot = gallery(photos[folder], recogniser)
        alone = _slugs(by_frame(frames, snapshot, threshold))
        tracked = _slugs(by_track(frames, snapshot, threshold))
        for label in known:
            print(_row(name, label, alone, tracked))
        wrong["alone"] += _wrong(alone, known)
        wrong["tracked"] += _wrong(tracked, known)
        for slugs in _slugs(by_track(frames, gallery(everyone, recogniser), threshold)):
            others.update(f"{slug} in {name}" for slug in slugs if slug not in photos[folder])
    print(f"\nWrong names: {wrong['alone']} each frame by itself, {wrong['tracked']} with tracks.")
    named = ", ".join(f"{what} ({count} frames)" for what, count in others.items()) or "none"
    print(f"With the {len(everyone)} people of all folders enrolled, names that a clip's labels do")
    print(f"not know of: {named}.\n")
    _sitcom(clips["sitcom"], photos["clip_sitcom"], recogniser, threshold)


def _sitcom(clip: Clip, people: Mapping[str, Embedding], recogniser: str, threshold: float) -> None:
    snapshot = gallery(people, recogniser)
    print(f"clip_sitcom has no labels. Sure: faces that one frame alone finds at {_SURE} or more.")
    print("Left out: each of them is taken out of the gallery in turn, and should get no name.\n")
    print("| | sure faces right | wrong | missed | faces named in all | left out, yet named |")
    print("|---|---|---|---|---|---|")
    sure = by_frame(clip.frames, snapshot, _SURE)
    for kind, how in (("each frame by itself", by_frame), ("tracks", by_track)):
        results = how(clip.frames, snapshot, threshold)
        counts = _judge(sure, results)
        row = [counts[key] for key in ("right", "wrong", "missed", "all")]
        for left_out in sorted({slug for slugs in _slugs(sure) for slug in slugs}):
            rest = {slug: one for slug, one in people.items() if slug != left_out}
            without = how(clip.frames, gallery(rest, recogniser), threshold)
            counts["left out"] += _judge(sure, without)[left_out]
        print(f"| {kind} | " + " | ".join(map(str, [*row, counts["left out"]])) + " |")
    peers.compare(clip.frames, sure, results)
    start_s = time.perf_counter()
    by_frame(clip.frames, snapshot, threshold)
    matched_s = time.perf_counter()
    by_track(clip.frames, snapshot, threshold)
    took_s = (time.perf_counter() - matched_s) - (matched_s - start_s)
    faces, cost_us = sum(len(f.faces) for f in clip.frames), took_s * 1e6
    print(f"\nTracks and votes: {cost_us / faces:.0f} us a face.")


def _judge(sure: Sequence[IdentifiedFrame], results: Sequence[IdentifiedFrame]) -> Counter[str]:
    """Right, wrong and missed; by person, how often their face has somebody else's name."""
    counts: Counter[str] = Counter()
    for truth, found in zip(sure, results, strict=True):
        for one, other in zip(truth.faces, found.faces, strict=True):
            counts["all"] += bool(other.person)
            if one.person:
                same = one.person == other.person
                counts["right" if same else "wrong" if other.person else "missed"] += 1
                counts[one.person] += bool(other.person) and not same
    return counts


def _slug(photo: Path) -> str:
    """`0004_chandler.png` and `joe_biden.jpg` to the person."""
    number, _, rest = photo.stem.partition("_")
    return rest if number.isdigit() else photo.stem


def _labels(folder: Path, clip: str) -> list[Label]:
    """The labels of one clip; those of clip_intel_headpose are of several."""
    found = labels(folder)
    if folder.name != "clip_intel_headpose":
        return found
    file = Path(CLIPS[clip]).name
    return [Label(one.person, one.frames, "") for one in found if one.note.startswith(file)]


def _row(clip: str, label: Label, alone: list[list[str]], tracked: list[list[str]]) -> str:
    of = len(label.frames)
    right = [sum(label.person in slugs[n] for n in label.frames) for slugs in (alone, tracked)]
    who = f"{label.person} ({label.note})" if label.note else label.person
    cells = [clip, who, of, right[0], of - right[0], right[1], of - right[1]]
    return "| " + " | ".join(map(str, cells)) + " |"


def _slugs(results: Sequence[IdentifiedFrame]) -> list[list[str]]:
    return [[face.person for face in result.faces if face.person] for result in results]


def _wrong(slugs: Sequence[Sequence[str]], known: Sequence[Label]) -> int:
    return sum(
        not any(slug == label.person and number in label.frames for label in known)
        for number, there in enumerate(slugs)
        for slug in there
    )
