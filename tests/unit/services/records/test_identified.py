"""faces.identified: names in a header, as the proto3 JSON of IdentifiedFrame."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from confluent_kafka import Message
from hypothesis import given
from hypothesis import strategies as st

from services.errors import RecordError
from services.records import frames, identified
from services.records.facestream_pb2 import (
    Box,
    FrameRef,
    IdentifiedFace,
    IdentifiedFrame,
    ModelPack,
    Point,
)

pixels = st.floats(-10_000, 10_000, width=32)
names = st.text(st.characters(codec="utf-8"), max_size=20)
faces = st.builds(
    IdentifiedFace,
    box=st.builds(Box, x=pixels, y=pixels, width=pixels, height=pixels),
    landmarks=st.lists(st.builds(Point, x=pixels, y=pixels), max_size=5),
    score=st.floats(0, 1, width=32),
    person=names,
    name=names,
    similarity=st.floats(-1, 1, width=32),
    threshold=st.floats(-1, 1, width=32),
    reference=names,
)


@st.composite
def identified_frames(draw: st.DrawFn) -> IdentifiedFrame:
    ref = FrameRef(
        camera="door",
        session=draw(st.uuids().map(str)),
        seq=draw(st.integers(0, 2**63 - 1)),
        width=draw(st.integers(1, 65_535)),
        height=draw(st.integers(1, 65_535)),
        source="live:rtsp",
        topic="frames.raw",
        partition=2,
        offset=draw(st.integers(0, 2**63 - 1)),
    )
    ref.captured_at.FromDatetime(draw(st.datetimes(timezones=st.just(UTC))))
    return IdentifiedFrame(
        frame=ref,
        faces=draw(st.lists(faces, max_size=4)),
        models=ModelPack(name="buffalo_s"),
        gallery_version=draw(names),
        late=draw(st.booleans()),
    )


def frame() -> IdentifiedFrame:
    ref = FrameRef(camera="door", width=640, height=360, seq=3)
    ref.captured_at.FromDatetime(datetime(2026, 1, 1, tzinfo=UTC))
    return IdentifiedFrame(frame=ref)


def with_header(document: bytes | None) -> Message:
    pairs: list[tuple[str, str | bytes | None]] = []
    if document is not None:
        pairs.append(("faces", document))
    return Message(topic="faces.identified", value=b"", headers=pairs)


@given(identified_frames())
def test_who_is_where_survives_the_headers(record: IdentifiedFrame) -> None:
    message = Message(topic="faces.identified", headers=list(identified.to_headers(record)))
    assert identified.from_message(message) == record
    assert frames.from_message(message, (record.frame.width, record.frame.height)) == (
        frames.from_ref(record.frame)
    )


def test_the_header_is_proto3_json_with_every_field() -> None:
    record = frame()
    record.faces.add(name="Ada", box=Box(x=1, y=2, width=3, height=4))
    document = json.loads(dict(identified.to_headers(record))["faces"])
    assert document["frame"]["capturedAt"] == "2026-01-01T00:00:00Z"
    assert document["faces"][0]["name"] == "Ada"
    assert document["faces"][0]["person"] == ""
    assert document["late"] is False


def test_a_field_of_the_future_is_ignored() -> None:
    document = json.loads(dict(identified.to_headers(frame()))["faces"]) | {"mood": "good"}
    assert identified.from_message(with_header(json.dumps(document).encode())).frame.seq == 3


def test_without_the_header_there_are_no_names() -> None:
    with pytest.raises(RecordError, match="faces is absent"):
        identified.from_message(with_header(None))


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"\xff",
        b"null",
        b"[]",
        b'"x"',
        b"{",
        b"{}",
        b"[" * 100_000,
        b'{"frame":' * 3_000 + b"{}" + b"}" * 3_000,
        b'{"frame": {"seq": 1e400}}',
        b'{"frame": {"seq": "' + b"9" * 5_000 + b'"}}',
        b'{"frame": {"capturedAt": "9999-99-99T"}}',
        b'{"frame": {"camera": "\\ud800"}}',
        b'{"faces": [{"box": {"x": "NaN"}}]}',
        b" " * 2_000_000,
    ],
)
def test_a_hostile_header_is_a_record_error(document: bytes) -> None:
    with pytest.raises(RecordError) as caught:
        identified.from_message(with_header(document))
    assert caught.value.reason in {"bad-header", "bad-frame-ref"}
    assert len(str(caught.value)) <= 300


def test_a_box_that_is_not_a_number_is_refused() -> None:
    record = frame()
    record.faces.add(box=Box(x=float("nan")))
    with pytest.raises(RecordError) as caught:
        identified.from_message(Message(headers=list(identified.to_headers(record))))
    assert caught.value.reason == "bad-face"


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_hostile_bytes_raise_nothing_but_record_errors(document: bytes) -> None:
    with pytest.raises(RecordError):
        identified.from_message(with_header(document))


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["frame", "faces", "box", "x", "seq", "capturedAt", "camera", "late"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(_json)
def test_hostile_json_raises_nothing_but_record_errors(document: object) -> None:
    with pytest.raises(RecordError):  # chance makes no frame with camera, time and size
        identified.from_message(with_header(json.dumps(document).encode()))
