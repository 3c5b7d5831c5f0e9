"""The way of a frame through the identifier, on a real Kafka and on the one in memory."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from structlog import wrap_logger
from structlog.testing import LogCapture

from identifier.assembly import Knowledge, build_service
from identifier.load import Load
from identifier.matcher import Person, Reference
from identifier.person_topics import PersonTopics
from identifier.settings import IdentifierSettings
from identifier.snapshot import FixedGallery, Snapshot, SnapshotSource
from services.kafka.topics import dlq_topic, ensure_topics, person_topic
from services.lifecycle.health import Health
from services.lifecycle.stopping import StopSignal
from services.records.facestream_pb2 import IdentifiedFrame, ProcessedFrame
from services.records.headers import read_headers
from tests.pipeline import identified_frames, read_all, topic_env
from tests.processed import JPEG, RECOGNISER, embedding, processed
from tests.waiting import eventually

SAM, ANN, STRANGER = embedding(1), embedding(2), embedding(3)
GALLERY = FixedGallery(
    Snapshot.of(
        "test-1",
        {
            RECOGNISER: [
                Reference("photo-of-sam", Person("sam", "Sam"), SAM),
                Reference("photo-of-ann", Person("ann", "Ann", threshold=0.9), ANN),
            ]
        },
    )
)


@dataclass
class Bench:
    """Topics of one test, a producer into them, identifiers over them."""

    settings: IdentifierSettings
    producer: Producer

    def send(self, frames: Sequence[ProcessedFrame | bytes], key: str = "door") -> None:
        """Publish records of frames.processed; of one camera, so of one partition."""
        for frame in frames:
            value = frame if isinstance(frame, bytes) else frame.SerializeToString()
            self.producer.produce(self.settings.topic_processed, value=value, key=key.encode())
        assert self.producer.flush(20) == 0

    @contextmanager
    def identifier(
        self, gallery: SnapshotSource = GALLERY, **changes: str | float | bool | dict[str, str]
    ) -> Iterator[Callable[[], None]]:
        """Run an identifier; yields what ends it early."""
        settings = self.settings.model_copy(update=changes)
        health, stop = Health("partitions"), StopSignal()
        knowledge = Knowledge(gallery, None, Load())
        service = build_service(settings, knowledge, PersonTopics(settings), health)
        failures: list[Exception] = []

        def run() -> None:
            try:
                service.run(stop)
            except Exception as error:  # noqa: BLE001 - raised again below
                failures.append(error)

        def end() -> None:
            stop.stop()
            thread.join(20)
            assert not thread.is_alive(), "the identifier did not end"
            if failures:
                raise failures[0]

        thread = threading.Thread(target=run)
        thread.start()
        try:
            eventually(lambda: health.is_ready, 60, "the identifier has partitions")
            yield end
        finally:
            end()

    def committed(self) -> int:
        """Sum of the group's committed offsets; a partition never committed counts nothing."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.settings.kafka_bootstrap_servers,
                "group.id": self.settings.group,
            }
        )
        topic = self.settings.topic_processed
        numbers = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        offsets = consumer.committed([TopicPartition(topic, n) for n in numbers], timeout=10)
        consumer.close()
        return sum(max(0, at.offset) for at in offsets)

    def wait_until_committed(self, records: int) -> None:
        eventually(lambda: self.committed() == records, 60, f"{records} records are committed")

    def identified(self) -> list[IdentifiedFrame]:
        return identified_frames(self.messages(self.settings.topic_identified))

    def messages(self, topic: str) -> list[Message]:
        return read_all(self.settings.kafka_bootstrap_servers, topic)

    def of_person(self, slug: str) -> list[IdentifiedFrame]:
        return identified_frames(self.messages(person_topic(self.settings, slug)))


def new_bench(broker: str, prefix: str, **env: str) -> Bench:
    settings = IdentifierSettings.load(
        env=topic_env(prefix)
        | {"KAFKA_BOOTSTRAP_SERVERS": broker, "GROUP_ID": f"{prefix}identifier"}
        | {"CONFIRM_FRAMES": "1"}  # so that every frame here may stand for itself
        | env
    )
    topics = [settings.topic_raw, settings.topic_processed, settings.topic_identified]
    ensure_topics(settings, [*topics, dlq_topic(settings.topic_processed)])
    return Bench(
        settings,
        Producer(
            {
                "bootstrap.servers": broker,
                "enable.idempotence": True,
                "message.max.bytes": 8_000_000,
            }
        ),
    )


@pytest.fixture
def bench(broker: str, topic_prefix: str) -> Bench:
    return new_bench(broker, topic_prefix)


@pytest.fixture
def kafka_bench(kafka: str, topic_prefix: str) -> Bench:
    return new_bench(kafka, topic_prefix)


def seqs(frames: Sequence[IdentifiedFrame]) -> list[int]:
    return [frame.frame.seq for frame in frames]


def people(frame: IdentifiedFrame) -> list[str]:
    return [face.person for face in frame.faces]


def test_frames_come_out_in_order_of_capture_with_names_and_are_committed(bench: Bench) -> None:
    faces = {0: [SAM], 1: [STRANGER], 2: [SAM, ANN], 3: [], 4: [ANN]}
    frames = {seq: processed(seq, found) for seq, found in faces.items()}
    with bench.identifier():
        bench.send([frames[seq] for seq in (1, 0, 3, 4, 2)])
        bench.wait_until_committed(5)
    identified = bench.identified()
    assert seqs(identified) == [0, 1, 2, 3, 4]
    assert [people(frame) for frame in identified] == [["sam"], [""], ["sam", "ann"], [], ["ann"]]
    assert seqs(bench.of_person("sam")) == [0, 2]
    assert seqs(bench.of_person("ann")) == [2, 4]

    (sam,) = identified[0].faces
    assert (sam.name, sam.reference) == ("Sam", "photo-of-sam")
    assert sam.similarity == pytest.approx(1, abs=1e-5)
    assert sam.threshold == pytest.approx(0.33)
    assert identified[4].faces[0].threshold == pytest.approx(0.9)
    assert identified[0].gallery_version == "test-1"
    assert identified[0].frame == frames[0].frame
    assert identified[0].models == frames[0].models
    record = bench.messages(bench.settings.topic_identified)[0]
    assert record.value() == JPEG
    assert record.key() == b"door"
    assert read_headers(record)["captured-at"] == b"2026-01-01T00:00:00.000000Z"


def test_hostile_records_are_dead_lettered_with_a_reason_and_the_good_come_out(
    bench: Bench,
) -> None:
    bad_face = processed(90, [SAM])
    bad_face.faces[0].embedding = b"\x00" * 2048
    infinite = processed(91, [SAM])
    infinite.faces[0].box.x = float("inf")
    no_camera = processed(92, camera="door")
    no_camera.frame.camera = "../etc"
    other_size = processed(93)
    other_size.frame.width = 9
    hostile: list[tuple[ProcessedFrame | bytes, str]] = [
        (b"", "empty"),
        (b"\xff" * 100, "not-protobuf"),
        (processed(94).SerializeToString()[:-20], "not-protobuf"),
        (bytes(2_000_000), "not-protobuf"),
        (bad_face, "bad-embedding"),
        (infinite, "bad-face"),
        (no_camera, "bad-frame-ref"),
        (other_size, "bad-frame-ref"),
        (processed(95, jpeg=b""), "empty"),
        (processed(96, jpeg=b"no picture"), "not-a-jpeg"),
    ]
    records: list[ProcessedFrame | bytes] = []
    for seq, (record, _) in enumerate(hostile):
        records += [processed(seq, [SAM]), record]
    with bench.identifier():
        bench.send(records)
        bench.wait_until_committed(len(records))
    assert seqs(bench.identified()) == list(range(len(hostile)))
    letters = bench.messages(dlq_topic(bench.settings.topic_processed))
    assert [read_headers(m)["dlq-reason"].decode() for m in letters] == [r for _, r in hostile]
    assert read_headers(letters[0])["dlq-source"].startswith(
        bench.settings.topic_processed.encode()
    )


def test_a_frame_that_waits_is_not_committed_and_is_read_again_by_the_next(bench: Bench) -> None:
    with bench.identifier() as end:
        bench.send([processed(seq) for seq in (0, 1, 3, 4)])
        bench.wait_until_committed(2)
        end()
    assert seqs(bench.identified()) == [0, 1]
    assert bench.committed() == 2
    with bench.identifier():
        bench.send([processed(2)])
        bench.wait_until_committed(5)
    assert seqs(bench.identified()) == [0, 1, 2, 3, 4]
    assert not any(frame.late for frame in bench.identified())


def test_a_lost_frame_of_a_file_is_waited_for_only_until_its_raw_partition_went_on(
    kafka_bench: Bench,
) -> None:
    bench = kafka_bench
    raw_topic = bench.settings.topic_raw
    frames = [processed(s, raw_topic=raw_topic) for s in range(60) if s != 7]
    with bench.identifier(reorder_window_stored_ms=600_000):
        bench.send(frames)
        bench.wait_until_committed(len(frames))
    assert seqs(bench.identified()) == [s for s in range(60) if s != 7]


def test_a_live_gap_passes_with_the_window_and_a_late_frame_is_marked(bench: Bench) -> None:
    live = {"source": "live:device", "raw_topic": "unknown"}
    with bench.identifier():
        bench.send([processed(seq, **live) for seq in (0, 2)])  # type: ignore[arg-type]
        bench.wait_until_committed(2)
        bench.send([processed(1, **live)])  # type: ignore[arg-type]
        bench.wait_until_committed(3)
    identified = bench.identified()
    assert [(frame.frame.seq, frame.late) for frame in identified] == [
        (0, False),
        (2, False),
        (1, True),
    ]


def test_a_frame_that_a_worker_published_twice_is_published_once(bench: Bench) -> None:
    with bench.identifier():
        bench.send([processed(seq) for seq in (0, 1, 0, 1, 2)])
        bench.wait_until_committed(5)
    assert seqs(bench.identified()) == [0, 1, 2]


def test_faces_of_other_models_are_nobody(bench: Bench) -> None:
    with bench.identifier():
        bench.send([processed(0, [SAM], recogniser="6" * 64), processed(1, [SAM])])
        bench.wait_until_committed(2)
    assert [people(frame) for frame in bench.identified()] == [[""], ["sam"]]


def test_person_topics_can_be_switched_off(bench: Bench) -> None:
    with bench.identifier(publish_person_topics=False):
        bench.send([processed(0, [SAM])])
        bench.wait_until_committed(1)
    assert people(bench.identified()[0]) == ["sam"]
    listed = bench.producer.list_topics(timeout=10).topics
    assert person_topic(bench.settings, "sam") not in listed


def test_a_threshold_of_the_deployment_wins_over_the_packs(bench: Bench) -> None:
    half = SAM + 0.9 * STRANGER
    half /= (half @ half) ** 0.5
    with bench.identifier(threshold=0.9):
        bench.send([processed(0, [half])])
        bench.wait_until_committed(1)
    (face,) = bench.identified()[0].faces
    assert face.person == ""
    assert face.similarity > 0.5
    assert face.threshold == pytest.approx(0.9)


def test_one_person_alone_gets_a_topic_and_no_other_frame_is_published(bench: Bench) -> None:
    with bench.identifier(person="Sam"):
        bench.send([processed(seq, [SAM] if seq % 2 else [ANN, STRANGER]) for seq in range(6)])
        bench.wait_until_committed(6)
    assert seqs(bench.of_person("sam")) == [1, 3, 5]
    assert bench.messages(bench.settings.topic_identified) == []


@pytest.mark.kafka
@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_identifiers_that_come_and_go_lose_no_frame(protocol: str, kafka_bench: Bench) -> None:
    bench, cameras, each = kafka_bench, [f"camera-{n}" for n in range(8)], 60
    raw_topic = bench.settings.topic_raw
    sent = 0

    def send_some(first: int, last: int) -> None:
        nonlocal sent
        for camera in cameras:
            order = sorted(range(first, last), key=lambda s: (s // 4, -s))  # fours, backwards
            frames = [processed(s, camera=camera, raw_topic=raw_topic) for s in order]
            bench.send(frames, key=camera)
            sent += len(frames)

    with bench.identifier(kafka_group_protocol=protocol) as end_first:
        send_some(0, 20)
        with bench.identifier(kafka_group_protocol=protocol):
            send_some(20, 40)
            end_first()
            send_some(40, each)
            bench.wait_until_committed(sent)
    identified = bench.identified()
    for camera in cameras:
        of_camera = [f.frame.seq for f in identified if f.frame.camera == camera]
        assert set(of_camera) == set(range(each))
    # At least once: a frame is doubled only where a partition changed hands.
    assert len(identified) <= sent + 8 * 20


@pytest.mark.kafka
def test_what_kafka_does_not_take_is_not_committed_and_is_published_later(
    kafka_bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, logged = kafka_bench, LogCapture()
    monkeypatch.setattr("identifier.service.log", wrap_logger(None, processors=[logged]))
    missing = bench.settings.topic_identified + ".missing"
    impatient = {
        "topic.metadata.propagation.max.ms": "200",
        "topic.metadata.refresh.fast.interval.ms": "50",
    }
    with bench.identifier(topic_identified=missing, kafka_config=impatient):
        bench.send([processed(seq) for seq in range(5)])
        eventually(
            lambda: any(entry["event"] == "frames are read again" for entry in logged.entries),
            60,
            "the frames are read again",
        )
        assert bench.committed() == 0
        ensure_topics(bench.settings, [missing])
        bench.wait_until_committed(5)
    published = seqs(identified_frames(bench.messages(missing)))
    assert list(dict.fromkeys(published)) == list(range(5))


@pytest.mark.kafka
def test_keys_are_spread_as_the_watermark_assumes(kafka_bench: Bench) -> None:
    bench = kafka_bench
    topic, session = bench.settings.topic_raw, str(uuid.uuid4())
    count = len(bench.producer.list_topics(topic, timeout=10).topics[topic].partitions)
    wanted: dict[bytes, int] = {}
    for seq in range(100):
        frame = processed(seq, session=session, raw_partitions=count).frame
        key = f"door/{session}/{seq}".encode()
        wanted[key] = frame.partition
        bench.producer.produce(topic, value=b"x", key=key)
    assert bench.producer.flush(20) == 0
    found = {m.key(): m.partition() for m in bench.messages(topic)}
    assert found == wanted
