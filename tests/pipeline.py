"""The real services as child processes, and what they left in the topics."""

from __future__ import annotations

import csv
import os
import shutil
import signal
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from services.cli.children import Child, end_all, free_port
from services.kafka.settings import KafkaSettings
from services.records import identified
from services.records.facestream_pb2 import IdentifiedFrame
from tests.waiting import eventually

MIRANDA, LACAMOIRE = "Lin-Manuel Miranda", "Alex Lacamoire"
CLIP_FRAMES = 275


class ToolSettings(KafkaSettings):
    """Settings of the tests' own clients."""

    service_name: ClassVar[str] = "test"
    summary: ClassVar[str] = "a test"


def topic_env(prefix: str) -> dict[str, str]:
    """Variables that give a test topics and groups of its own."""
    return {
        "TOPIC_RAW": f"{prefix}frames.raw",
        "TOPIC_PROCESSED": f"{prefix}frames.processed",
        "TOPIC_DETECTED": f"{prefix}faces.detected",
        "TOPIC_IDENTIFIED": f"{prefix}faces.identified",
        "TOPIC_EVENTS": f"{prefix}faces.events",
        "TOPIC_PERSON_PREFIX": f"{prefix}faces.person.",
        "BACKLOG_GROUPS": f"facestream-worker:{prefix}frames.raw",
    }


def hamilton_people(test_data: Path, folder: Path) -> Path:
    """A people folder with the clip's two people, one reference photo each."""
    photos = test_data / "clip_hamilton" / "ref"
    for name, photo in ((MIRANDA, "lin_manuel_miranda.png"), (LACAMOIRE, "alex_lacamoire.png")):
        (folder / name).mkdir(parents=True)
        shutil.copy(photos / photo, folder / name / photo)
    return folder


def labelled_frames(test_data: Path, person: str) -> set[int]:
    """Frames of the clip in which labels.csv has a person face the camera."""
    with (test_data / "clip_hamilton" / "labels.csv").open() as labels:
        return {
            frame
            for row in csv.DictReader(labels)
            if row["person"] == person and not row["note"].startswith("profile")
            for frame in range(int(row["first_frame"]), int(row["last_frame"]) + 1)
        }


@dataclass
class Services:
    """Child processes that a test starts one by one; all end with it."""

    env: dict[str, str]
    folder: Path
    children: list[Child] = field(default_factory=list)

    def start(self, service: str, name: str = "", **env: str) -> Child:
        """Start one service, with more variables if need be."""
        variables = self.env | env
        child = Child(name or service, service, variables, False, self.folder)
        child.start()
        self.children.append(child)
        return child

    def ready(self, *children: Child, timeout_s: float = 90) -> None:
        """Wait until children are ready."""
        for child in children or self.children:
            eventually(child.is_ready, timeout_s, f"{child.name} is ready")

    def ended(self, child: Child, timeout_s: float = 120) -> None:
        """Wait until a child ends by itself, and well."""
        eventually(lambda: child.status is not None, timeout_s, f"{child.name} ends")
        assert child.status == 0, child.last_words()

    @staticmethod
    def kill(child: Child) -> None:
        """SIGKILL: no goodbye."""
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.wait()

    @property
    def logs(self) -> str:
        """Everything that was logged."""
        return "\n".join(path.read_text() for path in sorted(self.folder.glob("*.log")))


@contextmanager
def services(bootstrap: str, prefix: str, folder: Path, **env: str) -> Iterator[Services]:
    """Services on one broker with topics and a gallery of their own."""
    variables = topic_env(prefix) | {
        "DEVICE": "cpu",
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "DATA_DIR": str(folder / "data"),
        "VIEWER_PORT": str(free_port()),
        "API_PORT": str(free_port()),
    }
    folder.mkdir(parents=True, exist_ok=True)
    running = Services(variables | env, folder)
    try:
        yield running
    finally:
        order = {"producer": 0, "worker": 1, "identifier": 2, "viewer": 3}
        end_all(sorted(running.children, key=lambda child: order[child.service]))


class Reader:
    """Reads one topic from its beginning, as a read_committed consumer that commits nothing."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._topic = topic
        self._ended: set[int] = set()
        self.messages: list[Message] = []
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "test-reader",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "fetch.message.max.bytes": 16_777_216,
            }
        )
        known = self._consumer.list_topics(topic, timeout=10).topics[topic]
        self._partitions = set(known.partitions)
        self._consumer.assign([TopicPartition(topic, number, 0) for number in self._partitions])

    def close(self) -> None:
        """Let go of the connection."""
        self._consumer.close()

    def read(self, timeout_s: float = 60) -> list[Message]:
        """Everything there is up to the ends of all partitions as they are now."""
        self._ended.clear()
        deadline_s = time.monotonic() + timeout_s
        while self._ended != self._partitions:
            assert time.monotonic() < deadline_s, f"{self._topic} was not read to its end"
            self._take(self._consumer.poll(1))
        return self.messages

    def until(self, count: int, timeout_s: float = 60) -> list[Message]:
        """At least so many records."""
        deadline_s = time.monotonic() + timeout_s
        while len(self.messages) < count:
            assert time.monotonic() < deadline_s, (
                f"{self._topic}: {len(self.messages)} of {count} records within {timeout_s:g} s"
            )
            self._take(self._consumer.poll(1))
        return self.messages

    def _take(self, message: Message | None) -> None:
        if message is None:
            return
        error = message.error()
        if error is None:
            self.messages.append(message)
        elif error.code() == KafkaError._PARTITION_EOF:
            self._ended.add(message.partition() or 0)
        else:
            assert error.retriable(), error


@contextmanager
def reading(bootstrap: str, topic: str) -> Iterator[Reader]:
    """A `Reader` that is closed at the end."""
    reader = Reader(bootstrap, topic)
    try:
        yield reader
    finally:
        reader.close()


def read_all(bootstrap: str, topic: str) -> list[Message]:
    """Every committed record of a topic."""
    with reading(bootstrap, topic) as reader:
        return reader.read()


def identified_frames(messages: Sequence[Message]) -> list[IdentifiedFrame]:
    """Records of faces.identified in their order."""
    return [identified.from_message(message) for message in messages]


def seqs_by_name(frames: Sequence[IdentifiedFrame]) -> dict[str, set[int]]:
    """In which frames each name was given."""
    named: defaultdict[str, set[int]] = defaultdict(set)
    for frame in frames:
        for face in frame.faces:
            if face.person:
                named[face.name].add(frame.frame.seq)
    return dict(named)
