"""Workers from Kafka to Kafka, beside insightface's own loop on the same frames and weights.

    python -m benchmarks.worker [--clip FILE] [--workers 2] [--rounds 4]

The peer gets every advantage: its frames are decoded beforehand, it reads and writes nothing, and
it may use all cores. The workers read JPEGs from a real Kafka (the embedded one, or the cluster of
KAFKA_BOOTSTRAP_SERVERS), and what counts is what a read_committed consumer sees. The two take
turns, so that what else the machine does falls on both.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from confluent_kafka import Consumer, Producer, TopicPartition
from numpy.typing import NDArray

from benchmarks.inference import DEFAULT_CLIP, Image, Peer, decode, published_files
from services.broker.select import start_broker
from services.cli.children import Child, end_all
from services.records import embeddings
from services.records.facestream_pb2 import ProcessedFrame
from services.records.jpeg import decode_jpeg, encode_jpeg
from services.records.processed import parse_processed

_MAX_BYTES = 50_000_000


@dataclass(frozen=True)
class Topics:
    """Topics of this run alone."""

    raw: str
    processed: str
    detected: str


@contextmanager
def kafka(folder: Path) -> Iterator[str]:
    """The cluster that is given, or a real one for the time being."""
    if given := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        yield given
        return
    broker = start_broker("kafka", folder)
    try:
        yield broker.bootstrap_servers
    finally:
        broker.stop()


class Drain:
    """Reads frames.processed as the identifier would."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "benchmark",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
            }
        )
        known = self._consumer.list_topics(topic, timeout=10).topics[topic]
        self._consumer.assign([TopicPartition(topic, number, 0) for number in known.partitions])

    def take(self, count: int) -> tuple[list[ProcessedFrame], float]:
        """So many frames, and the seconds until the last was there."""
        frames: list[ProcessedFrame] = []
        began_s = time.perf_counter()
        while len(frames) < count:
            messages = self._consumer.consume(count - len(frames), timeout=1.0)
            frames += [parse_processed(m.value()) for m in messages if m.error() is None]
        return frames, time.perf_counter() - began_s

    def close(self) -> None:
        """Let go of the connection."""
        self._consumer.close()


def start_workers(
    bootstrap: str, topics: Topics, count: int, folder: Path, device: str = "cpu"
) -> list[Child]:
    """Worker processes, ready."""
    env = {
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "TOPIC_RAW": topics.raw,
        "TOPIC_PROCESSED": topics.processed,
        "TOPIC_DETECTED": topics.detected,
        "GROUP_ID": f"{topics.raw}-worker",
        "DEVICE": device,
    }
    workers = [Child(f"worker-{n}", "worker", env, False, folder) for n in range(count)]
    for worker in workers:
        worker.start()
    while not all(worker.is_ready() for worker in workers):
        time.sleep(0.2)
    return workers


def kafka_round(producer: Producer, drain: Drain, jpegs: Sequence[bytes], topics: Topics) -> float:
    """Seconds per frame from the first produced to the last processed."""
    began_s = time.perf_counter()
    for seq, jpeg in enumerate(jpegs):
        headers: list[tuple[str, str | bytes | None]] = [
            ("camera", "bench"),
            ("seq", str(seq)),
            ("source", "stored:file"),
        ]
        producer.produce(topics.raw, value=jpeg, key=str(seq).encode(), headers=headers)
        producer.poll(0)
    drain.take(len(jpegs))
    return (time.perf_counter() - began_s) / len(jpegs)


def peer_round(peer: Peer, images: Sequence[Image]) -> float:
    """Seconds per frame of insightface's loop."""
    began_s = time.perf_counter()
    for image in images:
        peer.get(image)
    return (time.perf_counter() - began_s) / len(images)


def agreement(frames: Sequence[ProcessedFrame], peer: Peer, images: Sequence[Image]) -> str:
    """How many faces both found, and the lowest cosine between their embeddings."""
    both = ours = theirs = 0
    lowest = 1.0
    for frame in frames:
        found = peer.get(images[frame.frame.seq])
        ours += len(frame.faces)
        theirs += len(found)
        for other in found:
            for face in frame.faces:
                if _same_place(face.box.x, face.box.y, face.box.width, face.box.height, other.box):
                    both += 1
                    cosine = float(embeddings.from_bytes(face.embedding) @ other.embedding)
                    lowest = min(lowest, cosine)
                    break
    return (
        f"{theirs} (insightface), {ours} (facestream), {both} the same; lowest cosine {lowest:.5f}"
    )


def _same_place(x: float, y: float, w: float, h: float, box: NDArray[np.float32]) -> bool:
    near_x = abs(x + w / 2 - float(box[0] + box[2]) / 2)
    near_y = abs(y + h / 2 - float(box[1] + box[3]) / 2)
    return max(near_x, near_y) < max(w, h) / 4


def main() -> None:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--clip", type=Path, default=DEFAULT_CLIP, help="video with faces")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=4, help="turns of each")
    parser.add_argument("--pack", default="buffalo_s", help="model pack")
    parser.add_argument("--device", default="cpu", help="where the workers run")
    arguments = parser.parse_args()
    decoded = decode(arguments.clip, 10_000)
    jpegs = [encode_jpeg(image, 90) for image in decoded]
    images = [decode_jpeg(j, max_bytes=_MAX_BYTES, max_pixels=_MAX_BYTES) for j in jpegs]
    run = uuid.uuid4().hex[:8]
    topics = Topics(f"{run}.raw", f"{run}.processed", f"{run}.detected")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        published = folder / "published"
        published.mkdir()
        peer = Peer(published_files(arguments.pack, published), arguments.workers)
        bootstrap = stack.enter_context(kafka(folder))
        workers = start_workers(bootstrap, topics, arguments.workers, folder, arguments.device)
        stack.callback(end_all, workers)
        drain = Drain(bootstrap, topics.processed)
        stack.callback(drain.close)
        producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5})
        kafka_round(producer, drain, jpegs[:64], topics)
        peer_round(peer, images[:16])
        pairs = []
        for _ in range(arguments.rounds):
            theirs_s = peer_round(peer, images)
            ours_s = kafka_round(producer, drain, jpegs, topics)
            pairs.append((theirs_s, ours_s))
        theirs_s, ours_s = (statistics.median(side) for side in zip(*pairs, strict=True))
        ratio = statistics.median(theirs / ours for theirs, ours in pairs)
        check = Drain(bootstrap, topics.processed)
        stack.callback(check.close)
        frames = check.take(64 + len(jpegs))[0][64:]
        print(
            f"{len(jpegs)} frames a round, {arguments.rounds} rounds, {arguments.workers} workers"
        )
        print(f"insightface   {1 / theirs_s:6.1f} frames/s ({theirs_s * 1000:.1f} ms), in memory")
        print(f"facestream    {1 / ours_s:6.1f} frames/s ({ours_s * 1000:.1f} ms), Kafka to Kafka")
        print(f"ratio         {ratio:6.2f}")
        print(f"faces         {agreement(frames, peer, images)}")
        resident = max(psutil.Process(worker.pid).memory_info().rss for worker in workers)
        print(f"resident      {resident / 1e6:6.0f} MB, the larger worker")


if __name__ == "__main__":
    main()
