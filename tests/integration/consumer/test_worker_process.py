"""`facestream worker` as a process on real Kafka: hostile frames, signals, wrong settings."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from confluent_kafka import Producer

from services.kafka.topics import dlq_topic
from services.records.headers import pairs
from services.records.processed import parse_detected, parse_processed
from tests.pipeline import read_all
from tests.rawclient import send_with_header
from tests.waiting import eventually

pytestmark = pytest.mark.kafka


def environment(bootstrap: str, prefix: str) -> dict[str, str]:
    return {
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "KAFKA_SESSION_TIMEOUT_MS": "2000",
        "GROUP_ID": f"{prefix}workers",
        "TOPIC_RAW": f"{prefix}frames.raw",
        "TOPIC_PROCESSED": f"{prefix}frames.processed",
        "TOPIC_DETECTED": f"{prefix}faces.detected",
        "TOPIC_PARTITIONS": "2",
        "DEVICE": "cpu",
        "LOG_FORMAT": "json",
    }


@contextmanager
def worker(env: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker that does not outlive the test."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.cli.main", "worker"],
            env=os.environ | env,
            stdout=out,
            stderr=out,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(60)


def bomb() -> bytes:
    _, small = cv2.imencode(".jpg", np.zeros((16, 16, 3), np.uint8))
    data = bytearray(small.tobytes())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = (30_000).to_bytes(2, "big") * 2
    return bytes(data)


def test_hostile_frames_are_dead_letters_and_every_good_one_between_them_comes_out(
    kafka: str, topic_prefix: str, tmp_path: Path, test_data: Path
) -> None:
    env = environment(kafka, topic_prefix)
    photo = sorted((test_data / "group_bbt").rglob("*.jpg"))[0].read_bytes()
    log = tmp_path / "worker.log"
    hostile: list[tuple[str, bytes | None, list[tuple[str, str | bytes | None]]]] = [
        ("empty", None, []),
        ("empty", b"", []),
        ("not-a-jpeg", os.urandom(2_000), []),
        ("not-a-jpeg", b"text " * 1_000_000, []),
        ("truncated-jpeg", photo[: len(photo) // 2], []),
        ("too-many-pixels", bomb(), []),
        ("bad-header", photo, [("seq", b"minus one")]),
        ("bad-header", photo, [("captured-at", b"0001-01-01T00:00:00+23:00")]),
        ("bad-header", photo, [("camera", b"../../etc")]),
    ]
    with worker(env, log) as process:
        eventually(lambda: "partitions assigned" in log.read_text(), 60, "the worker is assigned")
        producer = Producer(
            {"bootstrap.servers": kafka, "enable.idempotence": True, "message.max.bytes": 8_000_000}
        )
        for number, (_, value, headers) in enumerate(hostile):
            producer.produce(env["TOPIC_RAW"], value=value, key=b"door", headers=headers)
            good: list[tuple[str, str | bytes | None]] = [("seq", b"%d" % number)]
            producer.produce(env["TOPIC_RAW"], value=photo, key=b"door", headers=good)
        assert producer.flush(30) == 0
        send_with_header(kafka, env["TOPIC_RAW"], photo, b"\xff\xfe")

        letters = dlq_topic(env["TOPIC_RAW"])
        eventually(lambda: len(read_all(kafka, letters)) == len(hostile) + 1, 60, "dead letters")
        eventually(
            lambda: len(read_all(kafka, env["TOPIC_PROCESSED"])) == len(hostile), 60, "frames"
        )
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0

    reasons = Counter(
        (dict(pairs(m))["dlq-reason"] or b"").decode() for m in read_all(kafka, letters)
    )
    assert reasons == Counter([reason for reason, _, _ in hostile] + ["bad-header"])
    frames = [parse_processed(m.value()) for m in read_all(kafka, env["TOPIC_PROCESSED"])]
    assert sorted(frame.frame.seq for frame in frames) == list(range(len(hostile)))
    faces = [parse_detected(m.value()) for m in read_all(kafka, env["TOPIC_DETECTED"])]
    assert len(faces) == sum(len(frame.faces) for frame in frames) > 0
    assert {face.frame.camera for face in faces} == {"door"}


@pytest.mark.parametrize(
    ("env", "status", "words"),
    [
        ({"BATCH_MAX": "0"}, 2, "BATCH_MAX='0'"),
        ({"KAFKA_CONFIG__NONSENSE": "1"}, 2, "nonsense"),
        ({"MODEL_PACK": "nobody"}, 1, "nobody"),
    ],
)
def test_wrong_settings_are_one_line_and_a_non_zero_status(
    kafka: str, topic_prefix: str, env: dict[str, str], status: int, words: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "services.cli.main", "worker"],
        env=os.environ | environment(kafka, topic_prefix) | env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == status, done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert len(lines) == 1
    assert words in lines[0]


def test_a_worker_without_a_broker_waits_and_still_ends_when_told_to(
    topic_prefix: str, tmp_path: Path
) -> None:
    log = tmp_path / "worker.log"
    with worker(environment("127.0.0.1:9", topic_prefix), log) as process:
        eventually(lambda: "waiting for Kafka" in log.read_text(), 60, "it waits")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
