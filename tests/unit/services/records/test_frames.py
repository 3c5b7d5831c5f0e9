"""Metadata of a frame: there and back through headers and FrameRef, and hostile senders."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, TIMESTAMP_NOT_AVAILABLE, Message
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from services.errors import RecordError
from services.records import frames, headers
from services.records.facestream_pb2 import FrameRef
from services.records.frames import FrameMeta
from tests.refusals import tried

SIZE = (640, 360)
SECOND = datetime(2026, 1, 31, 12, 0, 0, 1, tzinfo=UTC)

camera_names = st.from_regex(r"\A[A-Za-z0-9_.-]{1,64}\Z").filter(lambda name: name.strip("."))
metas = st.builds(
    FrameMeta,
    camera=camera_names,
    session=st.uuids().map(str) | st.just(""),
    seq=st.integers(0, 2**63 - 1),
    captured_at=st.datetimes(timezones=st.just(UTC)),
    width=st.integers(1, 65_535),
    height=st.integers(1, 65_535),
    source=st.sampled_from(["live:rtsp", "live:device", "stored:file", "stored:images", ""]),
)


def message(
    meta: FrameMeta | None = None,
    *,
    pairs: list[tuple[str, bytes | None]] | None = None,
    key: bytes | None = None,
    time_ms: int = 1_700_000_000_123,
    time_kind: int = TIMESTAMP_CREATE_TIME,
) -> Message:
    sent = pairs if pairs is not None else list(frames.to_headers(meta)) if meta else []
    return Message(
        topic="frames.raw",
        partition=3,
        offset=41,
        key=key,
        value=b"",
        headers=sent,  # type: ignore[arg-type]  # its annotation forgets values of None
        timestamp=(time_kind, time_ms),
    )


@given(metas)
def test_metadata_survives_the_headers(meta: FrameMeta) -> None:
    assert frames.from_message(message(meta), (meta.width, meta.height)) == meta


@given(metas)
def test_metadata_survives_the_frame_ref(meta: FrameMeta) -> None:
    ref = frames.to_ref(meta, message(meta))
    assert frames.from_ref(FrameRef.FromString(ref.SerializeToString())) == meta
    assert (ref.topic, ref.partition, ref.offset) == ("frames.raw", 3, 41)


def test_the_jpeg_is_believed_about_its_size_and_not_the_headers() -> None:
    meta = frames.from_message(message(pairs=[("width", b"9"), ("height", b"x")]), SIZE)
    assert (meta.width, meta.height) == SIZE


def test_a_bare_jpeg_is_a_frame_of_its_key_at_the_time_of_its_record() -> None:
    meta = frames.from_message(message(key=b"front-door"), SIZE)
    assert meta.camera == "front-door"
    assert meta.seq == 41
    assert (meta.session, meta.source) == ("", "")
    assert not meta.live
    assert meta.captured_at == datetime(2023, 11, 14, 22, 13, 20, 123_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("key", "camera"),
    [
        (None, "unknown"),
        (b"", "unknown"),
        (b"..", "unknown"),
        (b"a b/c", "a_b_c"),
        ("küche".encode(), "k_che"),
        (b"\xff\xfe", "__"),
        (b"k" * 500, "k" * 64),
    ],
)
def test_any_key_gives_a_camera_name(key: bytes | None, camera: str) -> None:
    assert frames.from_message(message(key=key), SIZE).camera == camera


@given(st.binary(max_size=200))
def test_the_camera_of_any_key_is_a_valid_name(key: bytes) -> None:
    assert frames.valid_camera_name(frames.from_message(message(key=key), SIZE).camera)


def test_a_record_without_a_time_was_taken_now() -> None:
    meta = frames.from_message(message(time_kind=TIMESTAMP_NOT_AVAILABLE), SIZE)
    assert abs(datetime.now(UTC) - meta.captured_at) < timedelta(seconds=10)


@given(st.integers(-(2**63), 2**63 - 1))
def test_an_impossible_record_time_is_a_record_error(time_ms: int) -> None:
    meta, reason = tried(lambda: frames.from_message(message(time_ms=time_ms), SIZE))
    assert reason in {"", "bad-timestamp"}
    if meta is not None:
        since_1970 = meta.captured_at - datetime(1970, 1, 1, tzinfo=UTC)
        assert since_1970 == timedelta(milliseconds=time_ms)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("camera", b""),
        ("camera", b"../etc/passwd"),
        ("camera", b"c" * 65),
        ("camera", b"c" * 100_000),
        ("camera", b"\xff\xfe"),
        ("camera", b"door\n"),
        ("seq", b"-1"),
        ("seq", b"1.5"),
        ("seq", b"9223372036854775808"),
        ("seq", "٣".encode()),
        ("seq", b"9" * 5_000),
        ("session", b"s" * 65),
        ("source", b"s" * 65),
        ("captured-at", b"yesterday"),
        ("captured-at", b"2026-01-31T12:00:00"),
        ("captured-at", b"2026-13-01T00:00:00Z"),
        ("captured-at", b"0001-01-01T00:00:00+23:00"),
        ("captured-at", b"9999-12-31T23:59:59-23:00"),
        ("captured-at", b"\x00" * 20),
    ],
)
def test_a_header_that_makes_no_sense_is_refused_and_named(name: str, value: bytes) -> None:
    with pytest.raises(RecordError, match=name) as caught:
        frames.from_message(message(pairs=[(name, value)]), SIZE)
    assert caught.value.reason == "bad-header"
    assert len(str(caught.value)) < 500


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["camera", "session", "seq", "captured-at", "source", "x"]),
            st.none() | st.binary(max_size=80),
        ),
        max_size=8,
    )
)
def test_hostile_headers_raise_nothing_but_record_errors(
    pairs: list[tuple[str, bytes | None]],
) -> None:
    meta, _ = tried(lambda: frames.from_message(message(pairs=pairs), SIZE))
    if meta is not None:
        assert frames.from_ref(frames.to_ref(meta, message())) == meta


@given(st.binary(max_size=300))
def test_hostile_frame_refs_raise_nothing_but_record_errors(data: bytes) -> None:
    try:
        ref = FrameRef.FromString(data)
    except DecodeError:
        return
    _, reason = tried(lambda: frames.from_ref(ref))
    assert reason in {"", "bad-frame-ref"}


@pytest.mark.parametrize("seconds", [2**62, -(2**62), 253_402_300_800])
def test_an_impossible_time_in_a_frame_ref_is_refused(seconds: int) -> None:
    ref = FrameRef(camera="door", width=1, height=1)
    ref.captured_at.seconds = seconds
    with pytest.raises(RecordError, match="time"):
        frames.from_ref(ref)


def test_a_frame_ref_without_a_time_is_refused() -> None:
    with pytest.raises(RecordError, match="without a time"):
        frames.from_ref(FrameRef(camera="door", width=1, height=1))


def test_of_a_repeated_header_the_last_counts_and_null_is_absent() -> None:
    pairs: list[tuple[str, bytes | None]] = [("camera", b"a"), ("camera", b"b"), ("seq", None)]
    meta = frames.from_message(message(pairs=pairs), SIZE)
    assert (meta.camera, meta.seq) == ("b", 41)


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        ("front-door_1.left", True),
        ("c" * 64, True),
        ("", False),
        ("c" * 65, False),
        (".", False),
        ("..", False),
        ("a/b", False),
        ("a b", False),
        ("küche", False),
        ("a\n", False),
    ],
)
def test_camera_names_suit_topics_addresses_and_files(name: str, valid: bool) -> None:
    assert frames.valid_camera_name(name) is valid


def test_the_raw_key_spreads_frames_or_keeps_a_camera_together() -> None:
    meta = FrameMeta("door", "s", 7, SECOND, 1, 1, "live:rtsp")
    assert frames.raw_key(meta) == b"door/s/7"
    assert frames.raw_key(meta, "camera") == b"door"


@pytest.mark.parametrize(
    ("source", "live"),
    [("live:rtsp", True), ("live:file", True), ("stored:file", False), ("", False), ("x", False)],
)
def test_only_live_sources_may_skip_stale_frames(source: str, live: bool) -> None:
    assert FrameMeta("door", "s", 7, SECOND, 1, 1, source).live is live


def test_times_are_written_in_utc_with_microseconds() -> None:
    east = SECOND.astimezone(timezone(timedelta(hours=5)))
    assert headers.rfc3339(east) == "2026-01-31T12:00:00.000001Z"


def test_reading_the_metadata_costs_little_beside_a_decoded_frame() -> None:
    record = message(FrameMeta("door", "0" * 36, 7, SECOND, 640, 360, "live:rtsp"))
    best_s = min(_seconds_of_a_thousand(record) for _ in range(5)) / 1_000
    assert best_s < 0.000_2  # a frame takes 20 ms to analyse


def _seconds_of_a_thousand(record: Message) -> float:
    started = time.perf_counter()
    for _ in range(1_000):
        frames.from_message(record, SIZE)
    return time.perf_counter() - started
