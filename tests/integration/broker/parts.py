"""Plain confluent-kafka clients, for tests of what a broker can do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Self, TypeVar

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._metadata import PartitionMetadata
from confluent_kafka.cimpl import NewTopic

from tests.waiting import eventually

T = TypeVar("T")
Config = dict[str, str | int | float | bool]

PARTITIONS = 4
TIMEOUT_S = 60.0

CLASSIC: Config = {
    "partition.assignment.strategy": "cooperative-sticky",
    # The in-memory broker never lets in a member of 3 s or less.
    "session.timeout.ms": 4_000,
    "heartbeat.interval.ms": 300,
}
NEXT_GENERATION: Config = {"group.protocol": "consumer"}

_PUT_OUT = {
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.REBALANCE_IN_PROGRESS,
}


class Clients:
    """Makes clients of one broker.

    Args:
        servers: its `bootstrap.servers`.
    """

    def __init__(self, servers: str) -> None:
        self.servers = servers
        self._base: Config = {
            "bootstrap.servers": servers,
            "log_level": 0,
            "message.max.bytes": 100_000_000,
        }
        self.admin = AdminClient(self._base)

    def producer(self, **config: str | int) -> Producer:
        """An idempotent producer; dots of property names as underscores."""
        return Producer(self._base | {"enable.idempotence": True} | _dotted(config))

    def transactional(self, name: str, timeout_s: float = 10) -> Producer:
        """A producer with its transactions initialised."""
        producer = self.producer(
            transactional_id=name, transaction_timeout_ms=int(1000 * timeout_s)
        )
        producer.init_transactions(TIMEOUT_S)
        return producer

    def consumer(self, group: str, config: Config | None = None) -> Consumer:
        """A consumer that reads from the start and commits nothing by itself."""
        return Consumer(
            self._base
            | {
                "group.id": group,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 10,
                "isolation.level": "read_committed",
                "topic.metadata.refresh.interval.ms": 500,
            }
            | (config or {})
        )

    def make_topic(
        self, name: str, *, partitions: int = PARTITIONS, config: dict[str, str] | None = None
    ) -> str:
        """Create a topic, or have the in-memory broker make it by asking about it."""
        cluster = self.admin.list_topics(timeout=TIMEOUT_S)
        if cluster.controller_id in cluster.brokers:
            wanted = NewTopic(name, num_partitions=partitions, config=config or {})
            result(self.admin.create_topics([wanted]))
            self.partitions(name, partitions)
        else:
            self.admin.list_topics(name, timeout=TIMEOUT_S)
        return name

    def partitions(self, topic: str, count: int = PARTITIONS) -> list[PartitionMetadata]:
        """Its partitions, once the broker that is asked knows them and their leaders."""
        found: list[PartitionMetadata] = []

        def known() -> bool:
            metadata = self.admin.list_topics(topic, timeout=TIMEOUT_S).topics[topic]
            found[:] = [metadata.partitions[number] for number in sorted(metadata.partitions)]
            return len(found) == count and all(each.leader >= 0 for each in found)

        eventually(known, TIMEOUT_S, f"{topic} is known")
        return found

    def send(self, topic: str, values: Iterable[bytes], **config: str | int) -> None:
        """Produce values, spread over the partitions, and wait until all are acknowledged."""
        producer = self.producer(**config)
        errors: list[KafkaError] = []
        for number, value in enumerate(values):
            producer.produce(
                topic,
                value,
                partition=number % PARTITIONS,
                on_delivery=lambda error, _: errors.append(error) if error else None,
            )
        assert producer.flush(TIMEOUT_S) == 0
        assert errors == []

    def read(
        self, topic: str, count: int, *, timeout_s: float = TIMEOUT_S, isolation: str | None = None
    ) -> list[Message]:
        """Up to `count` records from the start of every partition."""
        config: Config = {"isolation.level": isolation or "read_committed"}
        consumer = self.consumer("reader", config)
        try:
            consumer.assign(
                [TopicPartition(topic, number, OFFSET_BEGINNING) for number in range(PARTITIONS)]
            )
            return take(consumer, count, timeout_s)
        finally:
            consumer.close()

    def values(self, topic: str, count: int, *, timeout_s: float = TIMEOUT_S) -> list[bytes]:
        """As `read`: values alone, sorted."""
        return sorted(value_of(each) for each in self.read(topic, count, timeout_s=timeout_s))

    def committed(self, group: str, topic: str) -> list[int]:
        """The group's offset per partition, as another client sees them; -1001 is none."""
        consumer = self.consumer(group)
        try:
            asked = [TopicPartition(topic, number) for number in range(PARTITIONS)]
            return [each.offset for each in consumer.committed(asked, timeout=TIMEOUT_S)]
        finally:
            consumer.close()

    def admin_committed(self, group: str, topic: str) -> list[int]:
        """The same, as an AdminClient sees them."""
        asked = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        answer = result(
            self.admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group, asked)])
        )
        return [each.offset for each in answer.topic_partitions or []]


class GroupMember(threading.Thread):
    """A member of a group that reads, and commits before it gives partitions back.

    Attributes:
        owned: partitions it has right now.
        values: what it read and committed, in order.
    """

    def __init__(self, clients: Clients, group: str, topic: str, config: Config) -> None:
        super().__init__(daemon=True)
        self._consumer = clients.consumer(group, config)
        self._topic = topic
        self._leaving = threading.Event()
        self._refused: dict[int | None, TopicPartition] = {}
        self.owned: set[int] = set()
        self.values: list[bytes] = []
        self.lost: list[int] = []
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Leave the group and wait until that is done."""
        self._leaving.set()
        self.join(30)
        assert not self.is_alive()

    def run(self) -> None:
        """Read until told to leave."""
        self._consumer.subscribe(
            [self._topic], on_assign=self._gain, on_revoke=self._give, on_lost=self._lose
        )
        while not self._leaving.is_set():
            message = self._consumer.poll(0.1)
            if message is None or message.error():
                continue
            self.values.append(value_of(message))
            self._commit(message)
        self._consumer.close()

    def _commit(self, message: Message) -> None:
        """Commit, once there is a coordinator; one that put this member out will not have it."""
        deadline_s = time.monotonic() + 2 * TIMEOUT_S
        while True:
            try:
                self._consumer.commit(message=message, asynchronous=False)
            except KafkaException as refused:
                if refused.args[0].code() in _PUT_OUT:
                    self._refused[message.partition()] = following(message)
                    return
                if time.monotonic() > deadline_s:
                    raise
                self._leaving.wait(0.2)
            else:
                self._refused.pop(message.partition(), None)
                return

    def _gain(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self.owned |= {each.partition for each in partitions}

    def _give(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self.owned -= {each.partition for each in partitions}
        if again := [self._refused.pop(each) for each in self._refused.keys() - self.owned]:
            self._consumer.commit(offsets=again, asynchronous=False)

    def _lose(self, _: Consumer, partitions: list[TopicPartition]) -> None:
        self.lost += [each.partition for each in partitions]
        self.owned -= {each.partition for each in partitions}


def take(consumer: Consumer, count: int, timeout_s: float = TIMEOUT_S) -> list[Message]:
    """Up to `count` records; fewer when the time is over."""
    messages: list[Message] = []
    deadline_s = time.monotonic() + timeout_s
    while len(messages) < count and time.monotonic() < deadline_s:
        message = consumer.poll(0.1)
        if message is not None and message.error() is None:
            messages.append(message)
    return messages


def following(message: Message) -> TopicPartition:
    """The position behind this record: what a commit of it says."""
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None
    assert partition is not None
    assert offset is not None
    return TopicPartition(topic, partition, offset + 1)


def value_of(message: Message) -> bytes:
    """The value; every record of these tests has one."""
    value = message.value()
    assert value is not None
    return value


def result(futures: Mapping[str, Future[T]]) -> T:
    """What the one future of an admin call comes to."""
    (future,) = futures.values()
    return future.result(TIMEOUT_S)


def refusal(call: Callable[[], object]) -> str:
    """The name of the error with which librdkafka refuses a call."""
    try:
        call()
    except KafkaException as refused:
        error: KafkaError = refused.args[0]
        return error.name()
    raise AssertionError("nothing was refused")


def _dotted(config: dict[str, str | int]) -> Config:
    return {name.replace("_", "."): value for name, value in config.items()}
