"""frames.processed and faces.detected: there and back, old records, hostile bytes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.errors import RecordError
from services.records.facestream_pb2 import (
    Box,
    DetectedFace,
    Face,
    FrameRef,
    ModelFile,
    ModelPack,
    Point,
    ProcessedFrame,
)
from services.records.processed import parse_detected, parse_processed
from tests.refusals import tried

pixels = st.floats(-10_000, 10_000, width=32)
texts = st.text(max_size=20)
boxes = st.builds(Box, x=pixels, y=pixels, width=pixels, height=pixels)
faces = st.builds(
    Face,
    box=boxes,
    landmarks=st.lists(st.builds(Point, x=pixels, y=pixels), max_size=5),
    score=st.floats(0, 1, width=32),
    embedding=st.binary(max_size=32),
    sharpness=st.floats(0, 1e5, width=32),
)
packs = st.builds(
    ModelPack,
    name=texts,
    files=st.lists(st.builds(ModelFile, role=texts, name=texts, sha256=texts), max_size=2),
)


@st.composite
def refs(draw: st.DrawFn) -> FrameRef:
    ref = FrameRef(
        camera=draw(st.sampled_from(["door", "yard-2"])),
        session=draw(st.uuids().map(str)),
        seq=draw(st.integers(0, 2**63 - 1)),
        width=draw(st.integers(1, 65_535)),
        height=draw(st.integers(1, 65_535)),
        topic="frames.raw",
        partition=draw(st.integers(0, 2**31 - 1)),
        offset=draw(st.integers(0, 2**63 - 1)),
    )
    ref.captured_at.FromDatetime(draw(st.datetimes(timezones=st.just(UTC))))
    return ref


processed = st.builds(
    ProcessedFrame,
    frame=refs(),
    jpeg=st.binary(max_size=64),
    faces=st.lists(faces, max_size=4),
    models=packs,
)
detected = st.builds(
    DetectedFace,
    frame=refs(),
    index=st.integers(0, 2**32 - 1),
    face=faces,
    crop=st.binary(max_size=32),
    models=packs,
)


def good_frame() -> ProcessedFrame:
    ref = FrameRef(camera="door", width=640, height=360, seq=1)
    ref.captured_at.FromDatetime(datetime(2026, 1, 1, tzinfo=UTC))
    return ProcessedFrame(frame=ref, jpeg=b"\xff\xd8")


@given(processed)
def test_a_processed_frame_survives(record: ProcessedFrame) -> None:
    assert parse_processed(record.SerializeToString()) == record


@given(detected)
def test_a_detected_face_survives(record: DetectedFace) -> None:
    assert parse_detected(record.SerializeToString()) == record


def test_a_record_of_the_future_with_an_unknown_field_is_readable() -> None:
    of_the_future = good_frame().SerializeToString() + b"\xc2\x3e\x05hello"  # field 1000
    assert parse_processed(of_the_future).frame.camera == "door"


def test_a_record_of_the_past_without_later_fields_is_readable() -> None:
    record = parse_processed(good_frame().SerializeToString())
    assert record.models.name == ""
    assert not record.HasField("processed_at")


@pytest.mark.parametrize("parse", [parse_processed, parse_detected])
@given(st.binary(max_size=400))
def test_hostile_bytes_raise_nothing_but_record_errors(
    parse: Callable[[bytes], object], data: bytes
) -> None:
    with pytest.raises(RecordError):  # chance makes no valid FrameRef
        parse(data)


@given(st.integers(0, 200), st.binary(min_size=1, max_size=8))
def test_a_good_record_with_a_few_wrong_bytes_raises_nothing_but_record_errors(
    at: int, wrong: bytes
) -> None:
    data = bytearray(good_frame().SerializeToString())
    data[at : at + len(wrong)] = wrong
    _, reason = tried(lambda: parse_processed(bytes(data)))
    assert reason in {"", "not-protobuf", "bad-frame-ref", "bad-face"}


@pytest.mark.parametrize("value", [None, b""])
def test_a_record_without_a_value_is_empty(value: bytes | None) -> None:
    with pytest.raises(RecordError) as caught:
        parse_processed(value)
    assert caught.value.reason == "empty"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf"), 1e30])
def test_a_face_with_impossible_numbers_is_refused(number: float) -> None:
    for face in (
        Face(box=Box(x=number)),
        Face(box=Box(height=number)),
        Face(score=number),
        Face(landmarks=[Point(y=number)]),
    ):
        record = good_frame()
        record.faces.append(face)
        with pytest.raises(RecordError) as caught:
            parse_processed(record.SerializeToString())
        assert caught.value.reason == "bad-face"
