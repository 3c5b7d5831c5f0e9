"""A worker of the plainest kind, to test the loop with: it copies records from topic to topic.

What a record's value begins with says what its processing does; see `Copy`. Runs in a thread
(`Member`) or as a process of its own (`python -m tests.member`, `MemberProcess`).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Literal, Self

import structlog
from confluent_kafka import Message
from pydantic import Field

from services.errors import RecordError, RetriableError
from services.kafka.batches import BatchLimits, BatchReader
from services.kafka.clients import make_consumer, make_producer
from services.kafka.loop import ConsumeProcessProduce
from services.kafka.outputs import Outcome, OutRecord
from services.kafka.settings import KafkaSettings
from services.kafka.settlement import AtLeastOnce, ExactlyOnce, Settlement
from services.lifecycle.health import Health
from services.lifecycle.service import running
from services.lifecycle.stopping import StopSignal
from tests.waiting import eventually

log = structlog.get_logger()


class MemberSettings(KafkaSettings):
    """Where a member reads and writes, and how slow it is."""

    service_name: ClassVar[str] = "member"
    summary: ClassVar[str] = "Copy records."

    input_topic: str = Field(description="Topic to read.")
    output_topic: str = Field(description="Topic to write.")
    small_topic: str = Field("", description="Topic that takes small records only.")
    group_id: str = Field(description="Group.")
    delivery: Literal["exactly_once", "at_least_once"] = Field("exactly_once", description="How.")
    transactional_id: str = Field("", description="Name of the transactions; one's own if empty.")
    batch_max: int = Field(8, description="Records per batch.")
    batch_wait_ms: int = Field(20, description="Wait for a batch to fill.")
    pause_ms: int = Field(0, description="How long the work on one record takes.")


class Copy:
    """Copies a record, unless its value begins with a word that says otherwise.

    `raise`: an exception nobody expects. `reject`: a RecordError. `later`: a RetriableError the
    first time. `big`: an output larger than any topic takes. `small`: an output for the topic
    that takes small records only.
    """

    def __init__(self, settings: MemberSettings) -> None:
        self._settings = settings
        self._delayed: set[bytes] = set()
        self.processed: Counter[bytes] = Counter()
        self.settled_values: Counter[bytes] = Counter()
        self.before: Callable[[Sequence[Message]], None] = lambda _: None

    def process(self, batch: Sequence[Message]) -> list[Outcome]:
        """As the class says."""
        self.before(batch)
        return [self._one(message) for message in batch]

    def settled(self, batch: Sequence[Message], outcomes: Sequence[Outcome]) -> None:
        """Count."""
        for message, _ in zip(batch, outcomes, strict=True):
            self.settled_values[message.value() or b""] += 1

    def _one(self, message: Message) -> Outcome:
        time.sleep(self._settings.pause_ms / 1000)
        value = message.value() or b""
        self.processed[value] += 1
        copy = OutRecord(self._settings.output_topic, message.key(), value)
        match value.split(b" ")[0]:
            case b"raise":
                raise ValueError("nobody expects this")
            case b"reject":
                return RecordError("rejected", "the record says so")
            case b"later" if value not in self._delayed:
                self._delayed.add(value)
                raise RetriableError("not yet")
            case b"big":
                return [copy, OutRecord(self._settings.output_topic, None, bytes(20_000_000))]
            case b"small":
                return [copy, OutRecord(self._settings.small_topic, None, os.urandom(100_000))]
            case _:
                return [copy]


def run(settings: MemberSettings, copy: Copy, stop: StopSignal, health: Health) -> None:
    """Wire it as consumer/main.py does."""
    exactly_once = settings.delivery == "exactly_once"
    own_id = f"{settings.group_id}-{os.getpid()}-{threading.get_ident()}"
    producer = make_producer(
        settings,
        transactional_id=(settings.transactional_id or own_id) if exactly_once else None,
    )
    consumer = make_consumer(settings, settings.group_id)
    settlement: Settlement = (
        ExactlyOnce(producer) if exactly_once else AtLeastOnce(consumer, producer)
    )
    try:
        limits = BatchLimits(settings.batch_max, settings.batch_wait_ms / 1000)
        reader = BatchReader(consumer, [settings.input_topic], limits, health)
        ConsumeProcessProduce(
            reader, copy, settlement, health, max_record_bytes=settings.max_record_bytes
        ).run(stop)
    finally:
        consumer.close()


class Member:
    """A member in a thread."""

    def __init__(self, settings: MemberSettings) -> None:
        self.copy = Copy(settings)
        self.health = Health("partitions")
        self.error: BaseException | None = None
        self._stop = StopSignal()
        self._settings = settings
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def ended(self) -> bool:
        """Whether it stopped, by itself or because it was told to."""
        return not self._thread.is_alive()

    def stop(self) -> None:
        """Tell it to, and wait."""
        self._stop.stop()
        self._thread.join(30)
        assert self.ended, "the member does not stop"

    def _run(self) -> None:
        try:
            run(self._settings, self.copy, self._stop, self.health)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.error = error


class MemberProcess:
    """A member in a process of its own, for signals."""

    def __init__(self, env: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.member"],
                env=os.environ | env | {"LOG_FORMAT": "json"},
                stdout=out,
                stderr=out,
            )

    def said(self, words: str) -> bool:
        """Whether its log has these words."""
        return words in self.log.read_text()

    def assigned(self) -> bool:
        """Whether it was given partitions."""
        return self.said('"event": "partitions assigned"')

    def send(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.process.pid, number)

    def wait(self, timeout_s: float) -> int:
        """Its exit status."""
        return self.process.wait(timeout_s)


@contextmanager
def member_process(env: dict[str, str], log: Path) -> Iterator[MemberProcess]:
    """A member process that does not outlive the test."""
    member = MemberProcess(env, log)
    try:
        yield member
    finally:
        if member.process.poll() is None:
            member.send(signal.SIGCONT)
            member.send(signal.SIGKILL)
            member.process.wait(60)


def when_assigned(*members: MemberProcess, timeout_s: float = 60) -> None:
    """Wait until members have partitions."""
    for member in members:
        eventually(member.assigned, timeout_s, f"{member.log.name} is assigned partitions")


def main() -> int:
    """Run until told to stop."""
    settings = MemberSettings.load()
    health = Health("partitions")
    with running(settings, health) as stop:
        copy = Copy(settings)
        copy.before = lambda batch: log.info("batch begins", records=len(batch))
        run(settings, copy, stop, health)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
