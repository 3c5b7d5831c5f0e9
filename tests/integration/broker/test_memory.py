"""What the in-memory broker cannot do, or does in its own way; docs/embedded.md says the same.

When one of these fails after an upgrade of librdkafka, it has become better: tell the docs, and
see whether the services may count on it.
"""

from __future__ import annotations

import os
import time

import pytest
from confluent_kafka import Consumer, TopicPartition

from services.broker.memory import (
    PARTITIONS_PER_TOPIC,
    RETENTION_BYTES_PER_PARTITION,
    MemoryBroker,
)
from tests.integration.broker.parts import (
    CLASSIC,
    NEXT_GENERATION,
    PARTITIONS,
    Clients,
    Config,
    GroupMember,
    refusal,
    take,
    value_of,
)
from tests.waiting import eventually

NOTHING_COMMITTED = [-1001] * PARTITIONS


def test_it_is_there_and_says_what_it_is() -> None:
    with MemoryBroker() as broker:
        assert broker.kind == "memory"
        assert broker.bootstrap_servers.startswith("127.0.0.1:")
        assert "5 MB" in broker.explain
        assert "nothing after exit" in broker.explain
        assert "\n" not in broker.explain
        assert broker.environment == {
            "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "DELIVERY": "at_least_once",
            "KAFKA_GROUP_PROTOCOL": "consumer",
            "KAFKA_FETCH_WAIT_MS": "10",
        }


def test_two_of_them_know_nothing_of_each_other(topic_prefix: str) -> None:
    with MemoryBroker() as one, MemoryBroker() as other:
        Clients(one.bootstrap_servers).make_topic(topic_prefix + "mine")
        assert Clients(other.bootstrap_servers).admin.list_topics(timeout=10).topics == {}


def test_a_topic_is_made_when_it_is_asked_for_with_four_partitions(
    memory_clients: Clients, topic_prefix: str
) -> None:
    asked, written = topic_prefix + "asked", topic_prefix + "written"
    memory_clients.admin.list_topics(asked, timeout=10)
    memory_clients.send(written, [b"x"])
    topics = memory_clients.admin.list_topics(timeout=10).topics
    assert len(topics[asked].partitions) == PARTITIONS_PER_TOPIC
    assert len(topics[written].partitions) == PARTITIONS_PER_TOPIC


def test_a_consumer_does_not_make_the_topic_it_subscribes_to(
    memory_clients: Clients, topic_prefix: str
) -> None:
    config: Config = NEXT_GENERATION | {"allow.auto.create.topics": True}
    with GroupMember(memory_clients, "group", topic_prefix + "wanted", config):
        time.sleep(1)  # nothing is to happen
        assert memory_clients.admin.list_topics(timeout=10).topics == {}


def test_it_has_no_controller_so_nothing_can_be_created_or_described(
    memory_clients: Clients,
) -> None:
    cluster = memory_clients.admin.list_topics(timeout=10)
    assert cluster.controller_id not in cluster.brokers
    asked = memory_clients.admin.describe_cluster(request_timeout=0.5)
    assert refusal(lambda: asked.result(10)) == "_TIMED_OUT"


def test_groups_cannot_be_listed_or_described(memory_clients: Clients, topic_prefix: str) -> None:
    topic = memory_clients.make_topic(topic_prefix + "topic")
    with GroupMember(memory_clients, "group", topic, NEXT_GENERATION) as member:
        eventually(lambda: len(member.owned) == PARTITIONS, 60, "it has partitions")
        assert memory_clients.admin.list_consumer_groups().result(10).valid == []
        described = memory_clients.admin.describe_consumer_groups(["group"])["group"]
        assert refusal(lambda: described.result(10)) == "_UNSUPPORTED_FEATURE"


def test_offsets_are_not_found_by_time(memory_clients: Clients, topic_prefix: str) -> None:
    topic = memory_clients.make_topic(topic_prefix + "times")
    memory_clients.send(topic, [b"x"])
    consumer = memory_clients.consumer("reader")
    (found,) = consumer.offsets_for_times([TopicPartition(topic, 0, 1)], timeout=10)
    consumer.close()
    assert found.offset == -1


def test_it_forgets_the_oldest_beyond_5_mb_of_a_partition(
    memory_clients: Clients, topic_prefix: str
) -> None:
    topic = memory_clients.make_topic(topic_prefix + "small")
    size = 50_000
    producer = memory_clients.producer()
    for number in range(200):
        producer.produce(topic, number.to_bytes(2, "big") + os.urandom(size - 2), partition=0)
        producer.flush(10)
    records = memory_clients.read(topic, 200, timeout_s=3)
    kept_bytes = len(records) * size
    assert 0.9 * RETENTION_BYTES_PER_PARTITION < kept_bytes <= RETENTION_BYTES_PER_PARTITION
    assert value_of(records[-1])[:2] == (199).to_bytes(2, "big")


def test_the_newest_record_stays_however_large(memory_clients: Clients, topic_prefix: str) -> None:
    topic = memory_clients.make_topic(topic_prefix + "huge")
    huge = os.urandom(3 * RETENTION_BYTES_PER_PARTITION)
    memory_clients.send(topic, [huge])
    assert memory_clients.values(topic, 1) == [huge]


@pytest.mark.parametrize(
    ("reset", "seen"),
    [("earliest", "the oldest kept"), ("latest", "nothing"), ("error", "an error")],
)
def test_a_reader_that_was_overtaken_goes_where_it_asked_to(
    memory_clients: Clients, topic_prefix: str, reset: str, seen: str
) -> None:
    topic = memory_clients.make_topic(topic_prefix + "overtaken")
    producer = memory_clients.producer()
    for _ in range(20):
        producer.produce(topic, os.urandom(1_000_000), partition=0)
        producer.flush(10)
    consumer = memory_clients.consumer("slow", {"auto.offset.reset": reset})
    consumer.assign([TopicPartition(topic, 0, 0)])
    try:
        assert _next(consumer) == seen
    finally:
        consumer.close()


def _next(consumer: Consumer) -> str:
    deadline_s = time.monotonic() + 3
    while time.monotonic() < deadline_s:
        message = consumer.poll(0.2)
        if message is None:
            continue
        if message.error() is not None:
            return "an error"
        offset = message.offset()
        assert offset is not None
        return "the oldest kept" if offset >= 14 else f"offset {offset}"
    return "nothing"


def test_a_transaction_commits_no_offsets(memory_clients: Clients, topic_prefix: str) -> None:
    source, target = (memory_clients.make_topic(topic_prefix + name) for name in ("in", "out"))
    memory_clients.send(source, [b"x"])
    consumer = memory_clients.consumer("worker", NEXT_GENERATION)
    consumer.subscribe([source])
    assert len(take(consumer, 1)) == 1
    producer = memory_clients.transactional("worker")
    producer.begin_transaction()
    producer.produce(target, b"y")
    producer.send_offsets_to_transaction(
        [TopicPartition(source, 0, 1)], consumer.consumer_group_metadata(), 10
    )
    producer.commit_transaction(10)
    assert memory_clients.committed("worker", source) == NOTHING_COMMITTED
    consumer.commit(offsets=[TopicPartition(source, 0, 1)], asynchronous=False)
    assert memory_clients.committed("worker", source) == [1, *NOTHING_COMMITTED[1:]]
    consumer.close()


def test_an_open_or_aborted_transaction_is_read_as_if_committed(
    memory_clients: Clients, topic_prefix: str
) -> None:
    topic = memory_clients.make_topic(topic_prefix + "topic")
    producer = memory_clients.transactional("writer")
    producer.begin_transaction()
    producer.produce(topic, b"regretted")
    producer.flush(10)
    assert memory_clients.values(topic, 1) == [b"regretted"]
    producer.abort_transaction(10)
    assert memory_clients.values(topic, 1) == [b"regretted"]


def test_a_second_writer_of_the_same_name_does_not_fence_the_first(
    memory_clients: Clients, topic_prefix: str
) -> None:
    topic = memory_clients.make_topic(topic_prefix + "topic")
    first = memory_clients.transactional("writer")
    memory_clients.transactional("writer")
    first.begin_transaction()
    first.produce(topic, b"zombie")
    first.commit_transaction(10)
    assert memory_clients.values(topic, 1) == [b"zombie"]


def test_a_classic_group_waits_three_seconds_and_the_consumer_protocol_does_not(
    memory_clients: Clients, topic_prefix: str
) -> None:
    topic = memory_clients.make_topic(topic_prefix + "topic")
    waited_s: list[float] = []
    for protocol in (CLASSIC, NEXT_GENERATION):
        started_s = time.monotonic()
        member = GroupMember(memory_clients, f"group-{len(waited_s)}", topic, protocol)
        eventually(lambda who=member: len(who.owned) == PARTITIONS, 60, "it has partitions")  # type: ignore[misc]
        waited_s.append(time.monotonic() - started_s)
        member.leave()
    assert waited_s[0] > 2.5
    assert waited_s[1] < waited_s[0] - 1


def test_a_fetch_is_answered_when_its_wait_is_over_and_not_before(
    memory_clients: Clients, topic_prefix: str
) -> None:
    topic = memory_clients.make_topic(topic_prefix + "topic")
    assert min(_delays_s(memory_clients, topic, 10)) < 1
    assert max(_delays_s(memory_clients, topic, 2_000)) > 1


def _delays_s(clients: Clients, topic: str, fetch_wait_ms: int) -> list[float]:
    """How long three records take from a producer to a consumer."""
    consumer = clients.consumer("reader", {"fetch.wait.max.ms": fetch_wait_ms})
    producer = clients.producer(linger_ms=0)
    _, end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10)
    consumer.assign([TopicPartition(topic, 0, end)])
    delays_s = []
    for _ in range(3):
        consumer.poll(0.2)
        started_s = time.monotonic()
        producer.produce(topic, b"x", partition=0)
        producer.flush(10)
        assert len(take(consumer, 1)) == 1
        delays_s.append(time.monotonic() - started_s)
    consumer.close()
    return delays_s
