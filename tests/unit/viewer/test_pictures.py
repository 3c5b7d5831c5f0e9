from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest

from services.errors import RecordError
from services.records.facestream_pb2 import Box, FrameRef, IdentifiedFace, IdentifiedFrame
from viewer.pictures import picture_of, printable
from viewer.texts import Texts

TEXTS = Texts()


def frame(*faces: IdentifiedFace, camera: str = "hall") -> IdentifiedFrame:
    ref = FrameRef(camera=camera, session="s", seq=7, width=640, height=360)
    ref.captured_at.FromDatetime(datetime(2026, 1, 31, tzinfo=UTC))
    return IdentifiedFrame(frame=ref, faces=faces, late=True)


def test_a_record_becomes_a_picture_with_its_faces() -> None:
    sam = IdentifiedFace(box=Box(x=1, y=2, width=3, height=4), person="sam", name="Sam")
    picture = picture_of(frame(sam), b"jpeg", TEXTS)
    assert (picture.camera, picture.seq, picture.size) == ("hall", 7, (640, 360))
    assert picture.late
    assert picture.marks[0].box == (1.0, 2.0, 3.0, 4.0)
    assert picture.marks[0].name == "Sam"


def test_a_stranger_is_called_by_number() -> None:
    box = Box(x=1, y=2, width=3, height=4)
    strangers = frame(IdentifiedFace(box=box, unknown=7), IdentifiedFace(box=box))
    marks = picture_of(strangers, b"jpeg", TEXTS).marks
    assert [(mark.person, mark.name) for mark in marks] == [("", "Unknown 7"), ("", "unknown")]


def test_a_picture_with_more_faces_than_can_be_marked_says_so() -> None:
    face = IdentifiedFace(box=Box(x=1, y=2, width=3, height=4))
    assert not picture_of(frame(*[face] * 512), b"", TEXTS).crowded
    crowd = picture_of(frame(*[face] * 513), b"", TEXTS)
    assert crowd.crowded
    assert len(crowd.marks) == 512


@pytest.mark.parametrize("bad", [math.nan, math.inf, -5.0, 0.0])
def test_a_face_without_a_sensible_box_is_left_out(bad: float) -> None:
    face = IdentifiedFace(box=Box(x=1, y=2, width=bad, height=4))
    assert picture_of(frame(face), b"", TEXTS).marks == ()


def test_a_frame_without_a_camera_is_refused() -> None:
    with pytest.raises(RecordError):
        picture_of(frame(camera=""), b"", TEXTS)


def test_a_name_is_one_line_without_tricks_and_of_bounded_length() -> None:
    assert printable(" Sam\n\u202eevil\x00 ") == "Sam evil"
    assert len(printable("x" * 500)) == 64


def test_neither_payload_nor_faces_show_in_a_repr() -> None:
    sam = IdentifiedFace(box=Box(x=1, y=2, width=3, height=4), person="sam", name="Sam")
    assert "secret" not in repr(picture_of(frame(sam), b"secret", TEXTS))
    assert "Sam" not in repr(picture_of(frame(sam), b"secret", TEXTS))
