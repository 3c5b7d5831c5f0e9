"""Rubbish in any topic becomes dead letters, each with a reason; the good frames come out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from confluent_kafka import Message, Producer

from services.kafka.topics import dlq_topic
from services.records.facestream_pb2 import ProcessedFrame
from services.records.headers import read_headers
from tests.pipeline import identified_frames, read_all, services
from tests.waiting import eventually

_RNG = np.random.default_rng(7)


def good_jpeg(test_data: Path) -> bytes:
    return sorted((test_data / "group_bbt").glob("*.jpg"))[0].read_bytes()


def bomb_header() -> bytes:
    """A valid little JPEG whose frame header claims 30,000 x 30,000 pixels."""
    _, small = cv2.imencode(".jpg", np.zeros((16, 16, 3), np.uint8))
    data = bytearray(small.tobytes())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = (30_000).to_bytes(2, "big") * 2
    return bytes(data)


def hostile_frames(jpeg: bytes) -> Iterator[tuple[str, bytes | None, dict[str, bytes]]]:
    """Reason, value, headers."""
    yield "empty", b"", {}
    yield "empty", None, {}
    yield "not-a-jpeg", _RNG.bytes(4096), {}
    yield "truncated-jpeg", jpeg[: len(jpeg) // 2], {}
    yield "truncated-jpeg", jpeg[:3], {}
    yield "too-many-pixels", bomb_header(), {}
    yield "not-a-jpeg", b"x" * 5_000_000, {}
    yield "bad-header", jpeg, {"seq": b"-1"}
    yield "bad-header", jpeg, {"captured-at": b"yesterday"}
    yield "bad-header", jpeg, {"camera": b"../../etc/passwd"}
    yield "bad-header", jpeg, {"camera": b"\xff\xfe"}


def hostile_processed() -> Iterator[tuple[str, bytes | None]]:
    """Reason, value."""
    yield "empty", b""
    yield "empty", None
    yield "not-protobuf", b"\xff" * 300
    yield "bad-frame-ref", ProcessedFrame().SerializeToString() + b"\x12\x00"
    whole = ProcessedFrame(jpeg=b"x" * 100)
    whole.frame.camera = "door"
    yield "not-protobuf", whole.SerializeToString()[:-40]
    yield "not-protobuf", b"t" * 5_000_000


@pytest.mark.kafka
@pytest.mark.timeout(300)
def test_hostile_records_dead_letter_with_a_reason_and_good_frames_come_out(
    kafka: str, topic_prefix: str, test_data: Path, tmp_path: Path
) -> None:
    jpeg = good_jpeg(test_data)
    with services(kafka, topic_prefix, tmp_path / "run") as run:
        worker, identifier = run.start("worker"), run.start("identifier")
        viewer = run.start("viewer")
        run.ready()
        raw, processed = run.env["TOPIC_RAW"], run.env["TOPIC_PROCESSED"]
        producer = Producer(
            {"bootstrap.servers": kafka, "enable.idempotence": True, "message.max.bytes": 8_000_000}
        )
        expected = []
        good = 0
        for reason, value, headers in hostile_frames(jpeg):
            producer.produce(raw, value=value, key=b"door", headers=list(headers.items()))
            expected.append(reason)
            producer.produce(raw, value=jpeg, key=b"door")
            good += 1
        expected_processed = []
        for reason, value in hostile_processed():
            producer.produce(processed, value=value, key=b"door")
            expected_processed.append(reason)
        for value in (b"", b"\x00" * 100, jpeg):
            producer.produce(
                run.env["TOPIC_IDENTIFIED"], value=value, key=b"door", headers={"faces": b"{"}
            )
        assert producer.flush(30) == 0

        identified_topic = run.env["TOPIC_IDENTIFIED"]

        def shown() -> list[Message]:
            return [m for m in read_all(kafka, identified_topic) if "camera" in read_headers(m)]

        eventually(lambda: len(shown()) >= good, 90, "every good frame is identified")
        assert len(identified_frames(shown())) == good
        eventually(
            lambda: len(read_all(kafka, dlq_topic(processed))) >= len(expected_processed),
            60,
            "dead letters of frames.processed",
        )
        assert [worker.status, identifier.status, viewer.status] == [None, None, None]

    letters = read_all(kafka, dlq_topic(raw))
    assert sorted(reason_of(letter) for letter in letters) == sorted(expected)
    for letter in letters:
        headers = read_headers(letter)
        topic, partition, offset = headers["dlq-source"].decode().rsplit("/", 2)
        assert topic == raw
        assert partition.isdigit()
        assert offset.isdigit()
        assert headers["dlq-at"].endswith(b"Z")
    assert max(len(m.value() or b"") for m in letters) == 5_000_000
    found = [reason_of(letter) for letter in read_all(kafka, dlq_topic(processed))]
    assert sorted(found) == sorted(expected_processed)


def reason_of(letter: Message) -> str:
    return read_headers(letter)["dlq-reason"].decode()
