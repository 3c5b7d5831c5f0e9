"""Faces go to tracks by place and looks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from identifier.tracks.tracker import Box, Place, associate, intersection_over_union
from services.records.embeddings import Embedding
from tests.processed import embedding
from tests.unit.identifier.tracks.cameras import look

ALICE, BOB = embedding(1), embedding(2)
HERE: Box = (100, 100, 80, 80)
NEAR: Box = (110, 105, 80, 80)
FAR: Box = (500, 100, 80, 80)


def place(box: Box, face: Embedding) -> Place:
    return Place(box, face, face)


@pytest.mark.parametrize(
    ("box", "cosine", "same"),
    [(NEAR, 0.4, True), (NEAR, 0.3, False), (FAR, 0.6, True), (FAR, 0.4, False)],
    ids=["near and like", "near and unlike", "far and alike", "far and only like"],
)
def test_a_face_goes_on_a_track_it_fits(box: Box, cosine: float, same: bool) -> None:
    found = associate([place(HERE, ALICE)], [box], look(ALICE, cosine, 9)[np.newaxis])
    assert found == [0 if same else None]


def test_two_people_who_change_places_keep_their_tracks() -> None:
    tracks = [place(HERE, ALICE), place(FAR, BOB)]
    faces = np.stack([look(BOB, 0.8, 5), look(ALICE, 0.8, 6)])
    assert associate(tracks, [HERE, FAR], faces) == [1, 0]


def test_without_tracks_or_faces_there_is_nothing_to_decide() -> None:
    assert associate([], [HERE], ALICE[np.newaxis]) == [None]
    assert associate([place(HERE, ALICE)], [], np.empty((0, 512), np.float32)) == []


boxes = st.tuples(*[st.floats(0, 100)] * 2, *[st.floats(1, 100)] * 2)


@given(
    st.lists(st.tuples(boxes, st.integers(0, 3)), max_size=6),
    st.lists(st.tuples(boxes, st.integers(0, 3)), max_size=6),
)
def test_no_track_is_given_to_two_faces(
    tracks: list[tuple[Box, int]], faces: list[tuple[Box, int]]
) -> None:
    rows = [embedding(who) for _, who in faces]
    stacked = np.stack(rows) if rows else np.empty((0, 512), np.float32)
    found = associate(
        [place(box, embedding(who)) for box, who in tracks], [box for box, _ in faces], stacked
    )
    taken = [index for index in found if index is not None]
    assert len(taken) == len(set(taken))
    for face, index in enumerate(found):
        assert index is None or tracks[index][1] == faces[face][1]


@given(boxes, boxes)
def test_overlap_is_symmetric_and_between_0_and_1(one: Box, other: Box) -> None:
    overlap = intersection_over_union(one, other)
    assert overlap == pytest.approx(intersection_over_union(other, one))
    assert 0 <= overlap <= 1 + 1e-9
    assert intersection_over_union(one, one) == pytest.approx(1)
