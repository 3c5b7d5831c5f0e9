"""What every broker does, real or in memory: the services stand on exactly this."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from confluent_kafka import TopicPartition

from tests.integration.broker.parts import (
    CLASSIC,
    NEXT_GENERATION,
    PARTITIONS,
    Clients,
    Config,
    GroupMember,
    take,
    value_of,
)
from tests.waiting import eventually

ALL = set(range(PARTITIONS))

both_protocols = pytest.mark.parametrize(
    "protocol",
    [pytest.param(CLASSIC, id="classic"), pytest.param(NEXT_GENERATION, id="consumer")],
)

_READER = """
import sys
from confluent_kafka import Consumer
consumer = Consumer(eval(sys.argv[1]))
consumer.subscribe([sys.argv[2]])
while True:
    consumer.poll(0.1)
"""


def test_a_record_keeps_its_key_value_time_and_headers_in_order(
    clients: Clients, topic_prefix: str
) -> None:
    topic = clients.make_topic(topic_prefix + "records")
    headers: list[tuple[str, str | bytes | None]] = [
        ("camera", b"door"),
        ("binary", b"\x00\xff"),
        ("camera", b"again"),
        ("none", None),
    ]
    producer = clients.producer()
    producer.produce(topic, b"value", b"key", headers=headers, timestamp=1_700_000_000_123)
    assert producer.flush(10) == 0
    (record,) = clients.read(topic, 1)
    assert (record.key(), record.value()) == (b"key", b"value")
    assert record.headers() == headers
    assert record.timestamp()[1] == 1_700_000_000_123


def test_a_record_of_4_mb_passes_whole(clients: Clients, topic_prefix: str) -> None:
    limit = {"max.message.bytes": "8388608"}
    topic = clients.make_topic(topic_prefix + "large", config=limit)
    jpeg = os.urandom(4 * 1024 * 1024)
    clients.send(topic, [jpeg])
    assert clients.values(topic, 1) == [jpeg]


def test_records_of_one_partition_come_out_in_order(clients: Clients, topic_prefix: str) -> None:
    topic = clients.make_topic(topic_prefix + "order")
    sent = [b"%d" % number for number in range(2_000)]
    producer = clients.producer()
    for value in sent:
        producer.produce(topic, value, partition=2)
    assert producer.flush(10) == 0
    records = clients.read(topic, len(sent))
    assert [record.value() for record in records] == sent
    assert [record.offset() for record in records] == list(range(len(sent)))


def test_a_reader_may_go_back_and_knows_where_a_partition_ends(
    clients: Clients, topic_prefix: str
) -> None:
    topic = clients.make_topic(topic_prefix + "seek")
    clients.send(topic, [b"0", b"1", b"2", b"3", b"4"])
    consumer = clients.consumer("seeker")
    try:
        assert consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10) == (0, 2)
        consumer.assign([TopicPartition(topic, 0, 1)])
        assert [value_of(each) for each in take(consumer, 1)] == [b"4"]
        consumer.seek(TopicPartition(topic, 0, 0))
        assert [value_of(each) for each in take(consumer, 2)] == [b"0", b"4"]
    finally:
        consumer.close()


@both_protocols
def test_another_client_sees_what_a_group_has_committed(
    clients: Clients, topic_prefix: str, protocol: Config
) -> None:
    topic, group = clients.make_topic(topic_prefix + "offsets"), topic_prefix + "group"
    clients.send(topic, [b"x"] * 6)
    with GroupMember(clients, group, topic, protocol) as member:
        eventually(lambda: len(member.values) == 6, 60, "all are read")
    assert clients.committed(group, topic) == [2, 2, 1, 1]
    assert clients.admin_committed(group, topic) == [2, 2, 1, 1]


@both_protocols
def test_a_group_shares_partitions_and_hands_them_over_with_nothing_read_twice(
    clients: Clients, topic_prefix: str, protocol: Config
) -> None:
    topic, group = clients.make_topic(topic_prefix + "shared"), topic_prefix + "group"
    sent = [b"%03d" % number for number in range(300)]
    with GroupMember(clients, group, topic, protocol) as first:
        eventually(lambda: first.owned == ALL, 60, "the first member has all partitions")
        clients.send(topic, sent[:100])
        with GroupMember(clients, group, topic, protocol) as second:
            eventually(
                lambda: len(first.owned) == len(second.owned) == 2, 60, "both have partitions"
            )
            assert first.owned | second.owned == ALL
            clients.send(topic, sent[100:200])
            eventually(lambda: len(first.values + second.values) == 200, 60, "both read")
            assert second.values
        eventually(lambda: first.owned == ALL, 60, "the first member has them back")
        clients.send(topic, sent[200:])
        eventually(lambda: len(first.values + second.values) == 300, 60, "all is read")
    assert sorted(first.values + second.values) == sent
    assert first.lost == second.lost == []


def test_the_partitions_of_a_member_that_was_killed_go_to_the_others(
    clients: Clients, topic_prefix: str
) -> None:
    topic, group = clients.make_topic(topic_prefix + "killed"), topic_prefix + "group"
    with GroupMember(clients, group, topic, CLASSIC) as survivor:
        eventually(lambda: survivor.owned == ALL, 60, "the survivor has all partitions")
        config = CLASSIC | {"bootstrap.servers": clients.servers, "group.id": group}
        victim = subprocess.Popen([sys.executable, "-c", _READER, repr(config), topic])
        try:
            eventually(lambda: len(survivor.owned) == 2, 60, "the victim has two of them")
        finally:
            victim.send_signal(signal.SIGKILL)
            victim.wait(60)
        eventually(lambda: survivor.owned == ALL, 60, "the survivor has them back")


def test_a_member_that_came_before_the_topic_is_given_it_later(
    clients: Clients, topic_prefix: str
) -> None:
    topic, group = topic_prefix + "later", topic_prefix + "group"
    with GroupMember(clients, group, topic, CLASSIC) as member:
        clients.make_topic(topic)
        clients.send(topic, [b"x"])
        eventually(lambda: member.values == [b"x"], 60, "the member reads the new topic")


def test_a_transaction_that_commits_is_read(clients: Clients, topic_prefix: str) -> None:
    topic = clients.make_topic(topic_prefix + "transaction")
    producer = clients.transactional(topic_prefix + "writer")
    for value in (b"one", b"two"):
        producer.begin_transaction()
        producer.produce(topic, value)
        producer.commit_transaction(10)
    assert clients.values(topic, 2) == [b"one", b"two"]
