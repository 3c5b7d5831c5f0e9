"""Unknown people: are those under one number one person, and is one person under one number.

Precision: of all pairs of faces (or tracks) that share a number, those of one person. Recall: of
all pairs of one person, those that share a number.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.identity.clips import Clip, analyse_clip
from identifier.identify import identify
from identifier.snapshot import Snapshot
from identifier.tracks.identity import TrackIdentities, WaitLimits
from identifier.tracks.track import TrackRules
from identifier.tracks.values import TrackState
from identifier.unknowns.clusters import (
    JOIN_ABOVE_MATCHING,
    Cluster,
    Clusters,
    InMemory,
    Rule,
    assign,
    strengthen,
    weight_of,
)
from services.models.analysis import DetectedFace, FaceAnalyser
from services.records.jpeg import Image

_ORDERS = 3  # LFW is read in so many random orders
_JOINS_ABOVE = (-0.03, 0.0, 0.03, JOIN_ABOVE_MATCHING, 0.07, 0.12)

SIGNERS = {
    "again": "skull", "brother": "skull", "help": "skull", "yes": "skull",
    "bird": "grey", "book": "orange", "walk": "orange", "eat": "black",
    "hungry": "plaid", "want": "plaid",
}  # fmt: skip
"""Who signs in which clip of clip_intel_asl, by what they wear: looked at by eye."""

_BYSTANDER_FROM_PX = 540
"""In `bird` somebody else sits at the right edge, half cut off: nobody can say who. Left out."""


@dataclass(frozen=True)
class Faces:
    """Faces of whom one knows who they are.

    Attributes:
        embeddings: (N, D) float32, rows of unit length.
        who: N names.
    """

    embeddings: NDArray[np.float32] = field(repr=False)
    who: Sequence[str]

    def of_people_with(self, least: int) -> Faces:
        """Those of people with at least so many faces."""
        counts = Counter(self.who)
        kept = [at for at, name in enumerate(self.who) if counts[name] >= least]
        return Faces(self.embeddings[kept], [self.who[at] for at in kept])


def report(data: Path) -> None:
    """Print precision and recall on LFW and clip_intel_asl, and what 10,000 unknowns cost."""
    analyser = FaceAnalyser.load(device="cpu")
    rule = Rule.joining_at(analyser.threshold + JOIN_ABOVE_MATCHING)
    print(f"{analyser.pack_name}, which matches at {analyser.threshold:.2f}. A face joins an")
    print(f"unknown from {rule.join:.2f}, two unknowns become one from {rule.merge:.2f}; other")
    print(f"lines show what else was tried. LFW: mean of {_ORDERS} random orders.\n")
    print("| what | people | faces or tracks | join | merge | numbers | precision | recall | F1 |")
    print("|---|---|---|---|---|---|---|---|---|")
    everyone = lfw_faces(data / "lfw" / "images", analyser)
    several = everyone.of_people_with(2)
    for above in _JOINS_ABOVE:
        _print_lfw("LFW, people with several", several, Rule.joining_at(analyser.threshold + above))
    _print_lfw("the same, nothing merged", several, Rule(rule.join, 2.0))
    for above in (0.0, 0.03, JOIN_ABOVE_MATCHING):
        _print_lfw("LFW, everyone", everyone, Rule.joining_at(analyser.threshold + above))
    clips = asl_clips(data / "clip_intel_asl", analyser)
    one_by_one = asl_faces(clips)
    numbers = number_faces(one_by_one, rule)
    _print("clip_intel_asl, each face by itself", one_by_one.who, rule, [numbers])
    who, numbers = number_tracks(clips, rule)
    _print("clip_intel_asl, tracks", who, rule, [numbers])
    _print_cost(everyone.embeddings.shape[1])


def lfw_faces(images: Path, analyser: FaceAnalyser) -> Faces:
    """The face in the middle of every photo."""
    embeddings, who = [], []
    for file in sorted(images.rglob("*.jpg")):
        pixels = np.asarray(cv2.imread(str(file)), np.uint8)
        faces = analyser.analyse([pixels])[0] or analyser.analyse_photo(pixels)
        if faces:
            embeddings.append(_middle(pixels, faces).embedding)
            who.append(file.parent.name)
    return Faces(np.stack(embeddings), who)


def asl_clips(folder: Path, analyser: FaceAnalyser) -> list[Clip]:
    """The clips, each by a camera of its own, in the order of their names."""
    return [analyse_clip(name, folder / f"{name}.mkv", analyser) for name in sorted(SIGNERS)]


def asl_faces(clips: Sequence[Clip]) -> Faces:
    """Every signer's face in every frame."""
    embeddings, who = [], []
    for clip in clips:
        for frame in clip.frames:
            for face, embedding in zip(frame.record.faces, frame.faces, strict=True):
                if face.box.x < _BYSTANDER_FROM_PX:
                    embeddings.append(embedding)
                    who.append(SIGNERS[clip.name])
    return Faces(np.stack(embeddings), who)


def number_faces(faces: Faces, rule: Rule, order: NDArray[np.int64] | None = None) -> list[int]:
    """The number each face has in the end, read in an order."""
    clusters, keeper = Clusters(), InMemory()
    given = [0] * len(faces.who)
    for at in range(len(given)) if order is None else order.tolist():
        given[at] = assign(clusters, faces.embeddings[at], 1.0, rule, keeper)
    return [keeper.now(number) for number in given]


def number_tracks(clips: Sequence[Clip], rule: Rule) -> tuple[list[str], list[int]]:
    """Who each track of the signers is, and the number it has in the end, as the memory gives it.

    A track gets its number when it is confirmed and counts once more when it ends.
    """
    clusters, keeper = Clusters(), InMemory()
    numbers: dict[str, int] = {}
    who: dict[str, str] = {}
    for clip in clips:
        for state in _told(clip):
            if state.best.box_px[0] >= _BYSTANDER_FROM_PX:
                continue
            weight = weight_of(state.best.quality)
            if state.id not in numbers:
                number = assign(clusters, state.embedding, weight, rule, keeper)
            elif state.ended:
                number = keeper.now(numbers[state.id])
                number = strengthen(clusters, number, state.embedding, weight, rule, keeper)
            else:
                continue
            numbers[state.id] = number
            who[state.id] = SIGNERS[clip.name]
    return list(who.values()), [keeper.now(number) for number in numbers.values()]


def _told(clip: Clip) -> Iterator[TrackState]:
    """What the memory is told of a clip's tracks when nobody is enrolled."""
    now_s = 0.0
    nobody = Snapshot.of("none", {})
    tracks: TrackIdentities[int] = TrackIdentities(TrackRules(), WaitLimits(), clock=lambda: now_s)
    for frame in clip.frames:
        (result,) = identify([frame], nobody, lambda _: 2.0)
        tracks.push(frame.key.seq, frame, result, nobody)
        yield from tracks.changes(everything=True)
    now_s += 60  # silence, by which every track ends
    tracks.due()
    yield from tracks.changes(everything=True)


def precision_and_recall(who: Sequence[str], numbers: Sequence[int]) -> tuple[float, float]:
    """Of pairs; 1 where there are none."""
    right = _pairs(Counter(zip(who, numbers, strict=True)).values())
    together, same = _pairs(Counter(numbers).values()), _pairs(Counter(who).values())
    return right / together if together else 1.0, right / same if same else 1.0


def _pairs(counts: Iterable[int]) -> int:
    return sum(count * (count - 1) // 2 for count in counts)


def _print_lfw(what: str, faces: Faces, rule: Rule) -> None:
    orders = [np.random.default_rng(seed).permutation(len(faces.who)) for seed in range(_ORDERS)]
    _print(what, faces.who, rule, [number_faces(faces, rule, order) for order in orders])


def _print(what: str, who: Sequence[str], rule: Rule, runs: Sequence[Sequence[int]]) -> None:
    precision, recall = np.mean([precision_and_recall(who, numbers) for numbers in runs], axis=0)
    numbers = np.mean([len(set(found)) for found in runs])
    merge = f"{rule.merge:.2f}" if rule.merge <= 1 else "never"
    f1 = 2 * precision * recall / (precision + recall)
    print(
        f"| {what} | {len(set(who))} | {len(who)} | {rule.join:.2f} | {merge} | {numbers:.0f} "
        f"| {precision:.4f} | {recall:.4f} | {f1:.4f} |",
        flush=True,
    )


def _print_cost(dimensions: int, unknowns: int = 10_000, faces: int = 200) -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(unknowns + faces, dimensions)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    clusters, keeper = Clusters(), InMemory()
    for centre in vectors[:unknowns]:
        cluster = Cluster(centre, 1.0)
        clusters.put(keeper.create(cluster), cluster)
    rule = Rule.joining_at(0.4)
    start_s = time.perf_counter()
    for embedding in vectors[unknowns:]:
        assign(clusters, embedding, 1.0, rule, keeper)
    took_ms = (time.perf_counter() - start_s) / faces * 1e3
    print(f"\nAmong {unknowns:,} unknowns a face finds its number in {took_ms:.1f} ms.")


def _middle(pixels: Image, faces: Sequence[DetectedFace]) -> DetectedFace:
    middle = np.array(pixels.shape[1::-1]) / 2

    def away(face: DetectedFace) -> float:
        return float(np.abs(face.box_xywh[:2] + face.box_xywh[2:] / 2 - middle).sum())

    return min(faces, key=away)
