"""What a worker makes of raw frames, with the real models."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, Message

from consumer.worker import FrameWorker, WorkerLimits
from services.errors import RecordError
from services.kafka.outputs import Outcome, OutRecord
from services.lifecycle.metrics import REGISTRY
from services.models.analysis import FaceAnalyser
from services.records import embeddings, frames
from services.records.facestream_pb2 import DetectedFace, ProcessedFrame
from services.records.frames import FrameMeta
from services.records.jpeg import encode_jpeg, jpeg_size
from services.records.processed import parse_detected, parse_processed

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
LIMITS = WorkerLimits(max_bytes=8_388_608, max_pixels=50_000_000, max_age_s=2.0, crop_quality=90)


@pytest.fixture(scope="module")
def analyser() -> FaceAnalyser:
    return FaceAnalyser.load("buffalo_s", device="cpu")


@pytest.fixture
def worker(analyser: FaceAnalyser) -> FrameWorker:
    return FrameWorker(
        analyser,
        processed_topic="frames.processed",
        detected_topic="faces.detected",
        limits=LIMITS,
        now=lambda: NOW,
    )


@pytest.fixture(scope="module")
def group_photo(test_data: Path) -> bytes:
    """A JPEG with several faces."""
    return sorted((test_data / "group_bbt").rglob("*.jpg"))[0].read_bytes()


def raw(
    value: bytes | None,
    *,
    offset: int = 0,
    source: str = "stored:file",
    age_s: float = 0.0,
    camera: str = "door",
    headers: list[tuple[str, str | bytes | None]] | None = None,
) -> Message:
    meta = FrameMeta(camera, "a-session", offset, NOW - timedelta(seconds=age_s), 640, 360, source)
    if headers is None:
        headers = [*frames.to_headers(meta)]
    return Message(
        topic="frames.raw",
        partition=2,
        offset=offset,
        key=frames.raw_key(meta),
        value=value,
        headers=headers,
        timestamp=(TIMESTAMP_CREATE_TIME, int(NOW.timestamp() * 1000)),
    )


def small_jpeg(width: int = 64, height: int = 48) -> bytes:
    return encode_jpeg(np.full((height, width, 3), 90, np.uint8), 90)


def bomb() -> bytes:
    data = bytearray(small_jpeg())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = (30_000).to_bytes(2, "big") * 2
    return bytes(data)


def split(outcome: Outcome) -> tuple[ProcessedFrame, list[DetectedFace]]:
    """The records of one frame, as a reader parses them."""
    assert not isinstance(outcome, RecordError), outcome
    first, *rest = outcome
    assert first.topic == "frames.processed"
    assert {record.topic for record in rest} <= {"faces.detected"}
    assert {record.key for record in outcome} == {b"door"}
    return parse_processed(first.value), [parse_detected(record.value) for record in rest]


def reason(outcome: Outcome) -> str:
    assert isinstance(outcome, RecordError), outcome
    return outcome.reason


def count(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_a_frame_becomes_one_processed_record_and_one_per_face(
    worker: FrameWorker, group_photo: bytes
) -> None:
    frame, faces = split(worker.process([raw(group_photo, offset=7)])[0])
    assert frame.jpeg == group_photo
    assert len(faces) == len(frame.faces) >= 2
    assert (frame.frame.width, frame.frame.height) == jpeg_size(group_photo)
    assert (frame.frame.topic, frame.frame.partition, frame.frame.offset) == ("frames.raw", 2, 7)
    assert (frame.frame.camera, frame.frame.session, frame.frame.seq) == ("door", "a-session", 7)
    assert frame.frame.captured_at.ToDatetime(UTC) == NOW
    for index, face in enumerate(faces):
        assert face.frame == frame.frame
        assert face.index == index
        assert face.face == frame.faces[index]
        assert face.models == frame.models
        assert jpeg_size(face.crop) == (112, 112)


def test_embeddings_are_of_unit_length_and_boxes_inside_the_frame(
    worker: FrameWorker, group_photo: bytes
) -> None:
    frame, _ = split(worker.process([raw(group_photo)])[0])
    for face in frame.faces:
        assert embeddings.from_bytes(face.embedding).shape == (512,)
        assert len(face.landmarks) == 5
        assert 0.5 <= face.score <= 1
        assert face.sharpness > 0
        assert 0 <= face.box.x < face.box.x + face.box.width <= frame.frame.width
        assert 0 <= face.box.y < face.box.y + face.box.height <= frame.frame.height


def test_every_record_says_which_model_files_made_it(
    worker: FrameWorker, analyser: FaceAnalyser, group_photo: bytes
) -> None:
    frame, _ = split(worker.process([raw(group_photo)])[0])
    assert frame.models.name == "buffalo_s"
    assert {file.role for file in frame.models.files} == {"detector", "recogniser"}
    said = {file.name: file.sha256 for file in frame.models.files}
    assert said == {file.name: file.sha256 for file in analyser.model_files}
    assert all(len(digest) == 64 for digest in said.values())


def test_bad_records_cost_only_themselves_whatever_lies_between_them(
    worker: FrameWorker, group_photo: bytes
) -> None:
    plain = small_jpeg()
    at = plain.index(b"\xff\xdb")
    without_its_tables = plain[:at] + plain[at + 69 :]
    hostile = {
        "empty": None,
        "not-a-jpeg": b"x" * 5_000_000,
        "truncated-jpeg": group_photo[: len(group_photo) // 2],
        "too-many-pixels": bomb(),
        "too-many-bytes": b"\xff\xd8" + bytes(8_400_000),
        "corrupt-jpeg": without_its_tables,
    }
    batch: list[Message] = []
    for offset, value in enumerate(hostile.values()):
        batch += [raw(value, offset=2 * offset), raw(group_photo, offset=2 * offset + 1)]
    outcomes = worker.process(batch)
    assert [reason(outcome) for outcome in outcomes[::2]] == list(hostile)
    for message, outcome in zip(batch[1::2], outcomes[1::2], strict=True):
        frame, faces = split(outcome)
        assert frame.frame.offset == message.offset()
        assert len(faces) >= 2


@pytest.mark.parametrize(
    "header",
    [("seq", b"-1"), ("captured-at", b"yesterday"), ("camera", b"../x"), ("camera", b"\xff")],
)
def test_a_wrong_header_is_a_dead_letter(worker: FrameWorker, header: tuple[str, bytes]) -> None:
    outcome = worker.process([raw(small_jpeg(), headers=[header])])[0]
    assert reason(outcome) == "bad-header"


def test_a_bare_jpeg_of_any_client_is_a_frame(worker: FrameWorker) -> None:
    message = Message(
        topic="frames.raw",
        partition=0,
        offset=5,
        key=b"door",
        value=small_jpeg(),
        timestamp=(TIMESTAMP_CREATE_TIME, 1_700_000_000_000),
    )
    frame, faces = split(worker.process([message])[0])
    assert (frame.frame.seq, frame.frame.source, faces) == (5, "", [])
    assert frame.frame.captured_at.seconds == 1_700_000_000


@pytest.mark.parametrize(
    ("source", "age_s", "skipped"),
    [
        ("live:rtsp", 2.5, True),
        ("live:file", 2.5, True),
        ("live:rtsp", 1.5, False),
        ("live:rtsp", -3_600, False),
        ("stored:file", 1e6, False),
        ("", 1e6, False),
    ],
)
def test_a_stale_live_frame_is_skipped_and_a_stored_one_never(
    worker: FrameWorker, source: str, age_s: float, skipped: bool
) -> None:
    camera = f"stale-{source.replace(':', '-')}{age_s:g}".replace("+", "")
    batch = [raw(small_jpeg(), source=source, age_s=age_s, camera=camera)]
    outcomes = worker.process(batch)
    assert (outcomes[0] == []) is skipped
    worker.settled(batch, outcomes)
    assert count("facestream_drops_total", camera=camera, reason="stale") == skipped
    assert count("facestream_frames_in_total", camera=camera) == 1
    assert count("facestream_frames_out_total", camera=camera) == (not skipped)


def test_with_an_age_of_0_every_frame_is_processed(analyser: FaceAnalyser) -> None:
    limits = WorkerLimits(LIMITS.max_bytes, LIMITS.max_pixels, 0, LIMITS.crop_quality)
    worker = FrameWorker(
        analyser, processed_topic="p", detected_topic="d", limits=limits, now=lambda: NOW
    )
    outcome = worker.process([raw(small_jpeg(), source="live:rtsp", age_s=1e6)])[0]
    assert isinstance(outcome, Sequence)
    assert len(outcome) == 1


def test_counters_move_once_per_settled_frame_however_often_it_is_processed(
    worker: FrameWorker, group_photo: bytes
) -> None:
    batch = [raw(group_photo, camera="counted"), raw(b"no", camera="counted")]
    worker.process(batch)
    outcomes = worker.process(batch)
    worker.settled(batch, outcomes)
    assert isinstance(outcomes[0], Sequence)
    assert count("facestream_frames_in_total", camera="counted") == 1
    assert count("facestream_frames_out_total", camera="counted") == 1
    assert count("facestream_faces_total", camera="counted") == len(outcomes[0]) - 1


def test_frames_of_many_sizes_share_a_batch(worker: FrameWorker, group_photo: bytes) -> None:
    sizes = [(1, 1), (3000, 20), (20, 3000), (640, 360), (33, 33)]
    batch = [raw(small_jpeg(*size), offset=i) for i, size in enumerate(sizes)]
    batch.append(raw(group_photo, offset=9))
    outcomes = worker.process(batch)
    for size, outcome in zip(sizes, outcomes, strict=False):
        frame, faces = split(outcome)
        assert (frame.frame.width, frame.frame.height) == size
        assert faces == []
    assert len(split(outcomes[-1])[1]) >= 2


def test_a_grey_and_a_cmyk_like_picture_decode_too(worker: FrameWorker) -> None:
    _, grey = cv2.imencode(".jpg", np.full((48, 64), 90, np.uint8))
    frame, _ = split(worker.process([raw(grey.tobytes())])[0])
    assert frame.jpeg == grey.tobytes()


def test_no_payload_shows_in_a_repr(worker: FrameWorker, group_photo: bytes) -> None:
    outcome = worker.process([raw(group_photo)])[0]
    assert isinstance(outcome, Sequence)
    for record in outcome:
        assert isinstance(record, OutRecord)
        assert len(repr(record)) < 200
