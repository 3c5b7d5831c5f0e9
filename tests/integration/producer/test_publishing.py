"""Frames into a broker: all of a file's, the newest of a camera's, on real Kafka and in memory."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, Message

from producer.backlog import BacklogGate, GroupLag, Lag
from producer.link import OutFrame
from producer.main import main
from producer.publisher import LivePublisher, StoredPublisher
from producer.settings import ProducerSettings
from services.broker.kafka import KafkaBroker
from services.broker.memory import RETENTION_BYTES_PER_PARTITION
from services.errors import BrokerUnavailable, RecordError, SourceError
from services.kafka.clients import make_consumer
from services.kafka.topics import ensure_topics
from services.lifecycle.metrics import REGISTRY
from services.records.frames import FrameMeta, from_message
from services.records.jpeg import decode_jpeg, jpeg_size
from tests.pipeline import CLIP_FRAMES, read_all
from tests.unit.producer.media import write_image, write_video
from tests.unit.producer.mjpeg import picture
from tests.waiting import eventually


def settings_for(bootstrap: str, prefix: str, **env: str) -> ProducerSettings:
    return ProducerSettings.load(env=environment(bootstrap, prefix, **env))


def environment(bootstrap: str, prefix: str, **env: str) -> dict[str, str]:
    return {
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "TOPIC_RAW": f"{prefix}frames.raw",
        "BACKLOG_GROUPS": f"{prefix}worker:{prefix}frames.raw",
        "SOURCE": "0",
    } | env


@pytest.fixture
def produce(
    monkeypatch: pytest.MonkeyPatch, topic_prefix: str
) -> Iterator[Callable[..., list[Message]]]:
    """Runs the producer to its end; gives what is in the topic then."""

    def run(bootstrap: str, source: Path, *flags: str) -> list[Message]:
        for name, value in environment(bootstrap, topic_prefix).items():
            monkeypatch.setenv(name, value)
        assert main(["--source", str(source), "--camera", "hall", *flags]) == 0
        return read_all(bootstrap, f"{topic_prefix}frames.raw")

    with pytest.MonkeyPatch.context() as patch:
        # pytest runs tests in the main thread, whose signals are pytest's own.
        patch.setattr("services.lifecycle.service.install_signal_handlers", lambda stop: stop)
        yield run


class Reader:
    """A slow worker: reads some records, commits, and says how much it has read."""

    def __init__(self, settings: ProducerSettings, group: str) -> None:
        self._consumer: Consumer = make_consumer(settings, group)
        self._consumer.subscribe([settings.topic_raw])
        self.read: list[Message] = []

    def step(self, records: int) -> None:
        batch = self._consumer.consume(records, 0.2)
        for message in batch:
            if message.error() is None:
                self.read.append(message)
                self._consumer.store_offsets(message)
        if batch:
            self._consumer.commit(asynchronous=False)

    def close(self) -> None:
        self._consumer.close()


def out_frame(seq: int, jpeg: bytes, camera: str = "hall") -> OutFrame:
    meta = FrameMeta(camera, "session", seq, datetime.now(UTC), 64, 48, "stored:file")
    return OutFrame(meta, jpeg)


def total(name: str, camera: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, {"camera": camera} | labels) or 0.0


def measured(probe: GroupLag, timeout_s: float = 60) -> Lag:
    """The lag, once the broker can tell: leaders of a new topic take a moment."""
    until_s = time.monotonic() + timeout_s
    while True:
        try:
            return probe.measure()
        except BrokerUnavailable:
            if time.monotonic() > until_s:
                raise


def test_a_clip_arrives_whole_with_its_headers_and_spread(
    broker: str, produce: Callable[..., list[Message]], test_data: Path
) -> None:
    clip = test_data / "clip_hamilton" / "clip.mp4"
    messages = produce(broker, clip, "--realtime", "false")
    metas = [from_message(message, jpeg_size(message.value() or b"")) for message in messages]
    assert sorted(meta.seq for meta in metas) == list(range(CLIP_FRAMES))
    assert {(m.camera, m.width, m.height, m.source) for m in metas} == {
        ("hall", 640, 360, "stored:file")
    }
    (session,) = {meta.session for meta in metas}
    assert {message.key() for message in messages} == {
        f"hall/{session}/{seq}".encode() for seq in range(CLIP_FRAMES)
    }
    per_partition = Counter(message.partition() for message in messages)
    assert len(per_partition) >= 4
    assert min(per_partition.values()) > CLIP_FRAMES / len(per_partition) / 2
    by_time = sorted(metas, key=lambda meta: meta.captured_at)
    assert [meta.seq for meta in by_time] == list(range(CLIP_FRAMES))
    image = decode_jpeg(messages[0].value() or b"", max_bytes=1 << 20, max_pixels=1 << 20)
    assert image.shape == (360, 640, 3)


def test_partition_by_camera_keeps_order(
    broker: str, produce: Callable[..., list[Message]], tmp_path: Path
) -> None:
    video = write_video(tmp_path / "a.mp4", 30)
    messages = produce(broker, video, "--realtime", "false", "--partition-by", "camera")
    assert {message.key() for message in messages} == {b"hall"}
    seqs = [from_message(m, jpeg_size(m.value() or b"")).seq for m in messages]
    assert seqs == list(range(30))


def test_pictures_arrive_with_their_bytes(
    broker: str, produce: Callable[..., list[Message]], tmp_path: Path
) -> None:
    for number in range(3):
        (tmp_path / f"{number}.jpg").write_bytes(picture(number))
    messages = produce(broker, tmp_path)
    assert sorted(m.value() or b"" for m in messages) == sorted(picture(n) for n in range(3))


def test_a_broken_picture_fails_the_run_after_the_others_arrived(
    memory_broker: str, produce: Callable[..., list[Message]], tmp_path: Path, topic_prefix: str
) -> None:
    write_image(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"nothing")
    with pytest.raises(SourceError, match=r"b\.png"):
        produce(memory_broker, tmp_path)
    assert len(read_all(memory_broker, f"{topic_prefix}frames.raw")) == 1


def test_a_file_that_is_not_there_fails_without_a_broker(
    produce: Callable[..., list[Message]], tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match=r"gone\.mp4"):
        produce("127.0.0.1:1", tmp_path / "gone.mp4")


def test_the_lag_of_a_group_is_measured_without_joining_it(broker: str, topic_prefix: str) -> None:
    settings = settings_for(broker, topic_prefix)
    ensure_topics(settings, [settings.topic_raw])
    group = f"{topic_prefix}worker"
    probe = GroupLag(
        settings,
        [(group, settings.topic_raw), (group, f"{topic_prefix}absent")],
        settings.topic_raw,
    )
    assert measured(probe) == Lag(0, drained=True)
    publisher = StoredPublisher(settings, open_gate(), threading.Event().wait)
    for seq in range(40):
        assert publisher.publish(out_frame(seq, picture(seq)))
    assert publisher.finish(5) == 0
    assert measured(probe) == Lag(40, drained=False)
    reader = Reader(settings, group)
    while len(reader.read) < 25:
        reader.step(25 - len(reader.read))
    assert measured(probe) == Lag(15, drained=False)
    while len(reader.read) < 40:
        reader.step(40)
    assert measured(probe) == Lag(0, drained=True)
    reader.close()


def open_gate() -> BacklogGate:
    class Nothing:
        def measure(self) -> Lag:
            return Lag(0, drained=True)

    return BacklogGate(Nothing(), 1 << 40, threading.Event().wait)


def test_a_file_larger_than_the_brokers_memory_loses_nothing(
    memory_broker: str, topic_prefix: str
) -> None:
    """50 MB pass a broker that keeps 20, read by a group that is slower than the file."""
    settings = settings_for(memory_broker, topic_prefix, BACKLOG_MAX_BYTES="4000000")
    ensure_topics(settings, [settings.topic_raw])
    group, frames = f"{topic_prefix}worker", 500
    payload = picture() + bytes(100_000)
    assert frames * len(payload) > 2 * 4 * RETENTION_BYTES_PER_PARTITION
    probe = GroupLag(settings, [(group, settings.topic_raw)], settings.topic_raw)
    stop = threading.Event()
    gate = BacklogGate(probe, settings.backlog_max_bytes, stop.wait)
    publisher = StoredPublisher(settings, gate, stop.wait)

    def publish() -> None:
        for seq in range(frames):
            assert publisher.publish(out_frame(seq, payload))

    publishing = threading.Thread(target=publish)
    publishing.start()
    reader = Reader(settings, group)
    most_behind = 0
    while len(reader.read) < frames:
        most_behind = max(most_behind, measured(probe).records)
        reader.step(10)
    publishing.join(60)
    assert publisher.finish(5) == 0
    reader.close()
    seqs = {from_message(m, (64, 48)).seq for m in reader.read}
    assert seqs == set(range(frames))
    assert 10 < most_behind <= 4_000_000 / len(payload) + 2


def test_a_waiting_file_stops_when_told_to(memory_broker: str, topic_prefix: str) -> None:
    settings = settings_for(memory_broker, topic_prefix, BACKLOG_MAX_BYTES="65536")
    ensure_topics(settings, [settings.topic_raw])
    stop = threading.Event()
    probe = GroupLag(settings, [(f"{topic_prefix}worker", settings.topic_raw)], settings.topic_raw)
    publisher = StoredPublisher(settings, BacklogGate(probe, 65_536, stop.wait), stop.wait)
    payload = picture() + bytes(20_000)
    results: list[bool] = []

    def publish() -> None:
        while not results or results[-1]:
            results.append(publisher.publish(out_frame(len(results), payload)))

    thread = threading.Thread(target=publish)
    thread.start()
    eventually(lambda: len(results) == 3, 60, "three frames fill the backlog")
    stop.set()
    thread.join(60)
    assert results == [True, True, True, False]
    assert publisher.finish(5) == 0


@pytest.fixture
def own_kafka(start_kafka: Callable[..., KafkaBroker]) -> Iterator[KafkaBroker]:
    with ExitStack() as stack:
        yield stack.enter_context(start_kafka(1))


@pytest.mark.kafka
def test_a_file_loses_nothing_and_a_camera_only_its_oldest_while_kafka_is_away(
    own_kafka: KafkaBroker, topic_prefix: str
) -> None:
    settings = settings_for(
        own_kafka.bootstrap_servers, topic_prefix, LIVE_QUEUE_FRAMES="20", LIVE_TIMEOUT_S="60"
    )
    ensure_topics(settings, [settings.topic_raw])
    hall, yard = f"hall-{uuid4().hex[:6]}", f"yard-{uuid4().hex[:6]}"
    stored = StoredPublisher(settings, open_gate(), threading.Event().wait)
    live = LivePublisher(settings)
    for seq in range(10):
        assert stored.publish(out_frame(seq, picture(seq), hall))
        assert live.publish(out_frame(seq, picture(seq), yard))
    eventually(lambda: total("facestream_frames_out_total", yard) == 10, 60, "ten frames arrive")

    own_kafka.kill_node(1)
    for seq in range(10, 210):
        assert stored.publish(out_frame(seq, picture(seq), hall))
        assert live.publish(out_frame(seq, picture(seq), yard))
    dropped = total("facestream_drops_total", yard, reason="producer-queue")
    assert dropped >= 200 - 20 - 16
    own_kafka.start_node(1)
    assert stored.finish(60) == 0
    assert live.close(60) == 0

    arrived: dict[str, list[int]] = {hall: [], yard: []}
    for message in read_all(own_kafka.bootstrap_servers, settings.topic_raw):
        meta = from_message(message, (64, 48))
        arrived[meta.camera].append(meta.seq)
    assert sorted(arrived[hall]) == list(range(210))
    assert len(arrived[yard]) == 210 - dropped
    # The newest are there; what is missing was the oldest of what had not been sent.
    assert set(range(190, 210)) <= set(arrived[yard])
    missing = set(range(210)) - set(arrived[yard])
    assert missing == set(range(min(missing), max(missing) + 1))
    assert max(missing) == 189


def test_a_camera_that_outruns_kafka_drops_its_oldest_and_never_waits(topic_prefix: str) -> None:
    settings = settings_for("127.0.0.1:1", topic_prefix, LIVE_QUEUE_FRAMES="30")
    publisher = LivePublisher(settings)
    camera = f"yard-{uuid4().hex[:6]}"
    for seq in range(100):
        assert publisher.publish(out_frame(seq, picture(seq), camera))
    dropped = total("facestream_drops_total", camera, reason="producer-queue")
    assert publisher.close(0.1) == 100 - dropped
    assert 100 - 30 - 16 <= dropped <= 100 - 30


def test_a_frame_too_large_for_a_record_is_said_so_and_costs_only_itself(
    memory_broker: str, topic_prefix: str
) -> None:
    settings = settings_for(memory_broker, topic_prefix, KAFKA_MAX_MESSAGE_BYTES="1048576")
    ensure_topics(settings, [settings.topic_raw])
    large = picture() + bytes(1_048_576)
    publishers = (
        StoredPublisher(settings, open_gate(), threading.Event().wait),
        LivePublisher(settings),
    )
    for publisher in publishers:
        with pytest.raises(RecordError, match="MAX_SIDE"):
            publisher.publish(out_frame(0, large))
        assert publisher.publish(out_frame(1, picture()))
        assert publisher.close(10) == 0
    assert len(read_all(memory_broker, settings.topic_raw)) == 2
