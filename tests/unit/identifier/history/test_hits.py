"""Which faces of the log are a person's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from identifier.history.hits import LoggedFace, find_hits
from identifier.history.target import Target
from identifier.matcher import Person, Reference
from identifier.snapshot import Snapshot
from services.records.embeddings import Embedding, to_bytes
from services.records.facestream_pb2 import DetectedFace
from tests.processed import RECOGNISER, embedding, processed

ALICE, BOB = embedding(1), embedding(2)
THRESHOLD = 0.33


def like(one: Embedding, other: Embedding, share: float) -> Embedding:
    """Between two faces: 0 is the other, 1 is the one."""
    mixed: NDArray[np.float32] = share * one + (1 - share) * other
    unit: Embedding = (mixed / np.linalg.norm(mixed)).astype(np.float32)
    return unit


def logged(
    faces: Sequence[Embedding], offset: int = 0, recogniser: str = RECOGNISER
) -> list[LoggedFace]:
    frame = processed(offset, faces, recogniser=recogniser)
    return [
        LoggedFace(
            DetectedFace(frame=frame.frame, index=at, face=face, crop=b"c", models=frame.models),
            partition=0,
            offset=offset + at,
            logged_ms=1000,
        )
        for at, face in enumerate(frame.faces)
    ]


def target(**negatives: Embedding) -> Target:
    return Target(
        person_id=1,
        slug="alice",
        threshold=None,
        references={RECOGNISER: ALICE[None]},
        negatives={RECOGNISER: np.stack(list(negatives.values()))} if negatives else {},
        photos={},
        version="g-1",
    )


GALLERY = Snapshot.of(
    "g-1",
    {
        RECOGNISER: [
            Reference("photo-a", Person("alice", "Alice"), ALICE),
            Reference("photo-b", Person("bob", "Bob"), BOB),
        ]
    },
)


def found(faces: list[LoggedFace], who: Target | None = None) -> list[int]:
    hits = find_hits(faces, who or target(), GALLERY, lambda _pack: THRESHOLD)
    return [hit.offset for hit in hits]


def test_a_face_above_the_threshold_is_a_hit_and_says_why() -> None:
    faces = logged([embedding(9), like(ALICE, embedding(9), 0.6)], offset=7)
    (hit,) = find_hits(faces, target(), GALLERY, lambda _pack: THRESHOLD)
    assert (hit.offset, hit.index, hit.raw[2]) == (8, 1, 7)
    assert (hit.reference, hit.gallery_version) == ("photo-a", "g-1")
    assert hit.threshold == pytest.approx(THRESHOLD)
    assert hit.similarity > 0.7
    assert 0 < hit.quality <= 1


def test_a_face_that_is_more_like_somebody_else_is_not_a_hit() -> None:
    assert found(logged([like(ALICE, BOB, 0.45)])) == []
    assert found(logged([like(ALICE, BOB, 0.55)])) == [0]


def test_a_face_nearer_to_one_that_was_said_not_to_be_theirs_is_not_a_hit() -> None:
    twin = like(ALICE, embedding(9), 0.6)
    assert found(logged([twin])) == [0]
    assert found(logged([twin]), target(not_her=twin)) == []
    assert found(logged([ALICE]), target(not_her=twin)) == [0]


def test_faces_of_another_recogniser_or_size_are_passed_over() -> None:
    assert found(logged([ALICE], recogniser="6" * 64)) == []
    short = logged([ALICE])[0]
    short.record.face.embedding = to_bytes(ALICE)[:-4]
    assert found([short]) == []


def test_what_makes_no_sense_is_passed_over() -> None:
    nan, nowhere, nameless = (logged([ALICE])[0] for _ in range(3))
    nan.record.face.embedding = np.full(512, np.nan, "<f4").tobytes()
    nowhere.record.face.box.x = float("inf")
    nameless.record.frame.camera = ""
    assert found([nan, nowhere, nameless]) == []
