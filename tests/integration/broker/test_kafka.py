"""What only a real Kafka does: it keeps, it fences, it takes transactions back, it survives."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, Producer, TopicPartition

from services.broker.kafka import KafkaBroker
from services.broker.select import start_broker
from services.errors import BrokerError
from tests.integration.broker.parts import (
    CLASSIC,
    NEXT_GENERATION,
    PARTITIONS,
    Clients,
    Config,
    GroupMember,
    refusal,
    result,
    take,
)
from tests.waiting import eventually

pytestmark = pytest.mark.kafka

KafkaFactory = Callable[..., KafkaBroker]

_STARTER = """
import sys, time
from pathlib import Path
from services.broker.jars import default_cache_dir, ensure_jars
from services.broker.java import find_java
from services.broker.kafka import KafkaBroker, KafkaOptions
broker = KafkaBroker(
    find_java(), ensure_jars(default_cache_dir()), Path(sys.argv[1]), KafkaOptions(heap_mb=256)
)
print(broker.bootstrap_servers, flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize(
    "protocol",
    [pytest.param(CLASSIC, id="classic"), pytest.param(NEXT_GENERATION, id="consumer")],
)
def test_offsets_and_output_of_a_transaction_are_there_together_or_not_at_all(
    kafka_clients: Clients, topic_prefix: str, protocol: Config
) -> None:
    source, target = (kafka_clients.make_topic(topic_prefix + name) for name in ("in", "out"))
    group = topic_prefix + "worker"
    kafka_clients.send(source, [b"a", b"b", b"c", b"d"])
    consumer = kafka_clients.consumer(group, protocol)
    consumer.subscribe([source])
    assert len(take(consumer, 4)) == 4
    producer = kafka_clients.transactional(topic_prefix + "writer")

    def produce(value: bytes) -> None:
        producer.begin_transaction()
        producer.produce(target, value, partition=0)
        producer.flush(10)
        producer.send_offsets_to_transaction(
            [TopicPartition(source, number, 1) for number in range(PARTITIONS)],
            consumer.consumer_group_metadata(),
            10,
        )

    produce(b"regretted")
    producer.abort_transaction(10)
    assert kafka_clients.committed(group, source) == [-1001] * PARTITIONS
    produce(b"meant")
    assert kafka_clients.values(target, 1, timeout_s=1) == []
    producer.commit_transaction(10)
    assert kafka_clients.committed(group, source) == [1] * PARTITIONS
    assert kafka_clients.values(target, 1) == [b"meant"]
    everything = kafka_clients.read(target, 2, isolation="read_uncommitted")
    assert [each.value() for each in everything] == [b"regretted", b"meant"]
    consumer.close()


def test_a_second_writer_of_the_same_name_fences_the_first(
    kafka_clients: Clients, topic_prefix: str
) -> None:
    topic = kafka_clients.make_topic(topic_prefix + "topic")
    first = kafka_clients.transactional(topic_prefix + "writer")
    kafka_clients.transactional(topic_prefix + "writer")

    def write() -> None:
        first.begin_transaction()
        first.produce(topic, b"zombie")
        first.commit_transaction(10)

    assert refusal(write) in {"_FENCED", "INVALID_PRODUCER_EPOCH"}
    assert kafka_clients.values(topic, 1, timeout_s=1) == []


def test_the_transaction_of_a_writer_that_died_is_aborted_within_seconds(
    kafka_clients: Clients, topic_prefix: str
) -> None:
    topic = kafka_clients.make_topic(topic_prefix + "topic")
    dead = kafka_clients.transactional(topic_prefix + "dead", timeout_s=1)
    dead.begin_transaction()
    dead.produce(topic, b"unfinished", partition=0)
    dead.flush(10)
    kafka_clients.send(topic, [b"after"])
    assert kafka_clients.values(topic, 1, timeout_s=30) == [b"after"]


@pytest.mark.skipif(
    "KAFKA_BOOTSTRAP_SERVERS" in os.environ, reason="a cluster that is given may make topics"
)
def test_a_topic_nobody_created_is_not_made_by_writing_to_it(
    kafka_clients: Clients, topic_prefix: str
) -> None:
    errors: list[str] = []

    def note(error: KafkaError | None, _: object) -> None:
        errors.append("" if error is None else error.name())

    producer = kafka_clients.producer(message_timeout_ms=1_000)
    producer.produce(topic_prefix + "typo", b"x", on_delivery=note)
    producer.flush(10)
    assert errors
    assert set(errors) <= {"UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC", "_MSG_TIMED_OUT"}


def test_what_it_holds_survives_a_restart_and_a_crash(
    start_kafka: KafkaFactory, tmp_path: Path, topic_prefix: str
) -> None:
    topic, group = topic_prefix + "kept", topic_prefix + "group"
    sent = [b"1", b"2", b"3", b"4"]
    with start_kafka(data_dir=tmp_path) as broker:
        clients = Clients(broker.bootstrap_servers)
        clients.make_topic(topic, config={"max.message.bytes": "5000000"})
        clients.send(topic, sent)
        with GroupMember(clients, group, topic, CLASSIC) as member:
            eventually(lambda: len(member.values) == 4, 60, "all are read")
    with start_kafka(data_dir=tmp_path) as broker:
        clients = Clients(broker.bootstrap_servers)
        assert clients.values(topic, 4) == sent
        assert clients.committed(group, topic) == [1, 1, 1, 1]
        clients.send(topic, [b"5"])
        broker.kill_node(1)
    with start_kafka(data_dir=tmp_path) as broker:
        clients = Clients(broker.bootstrap_servers)
        assert clients.values(topic, 5) == [*sent, b"5"]


def test_three_nodes_go_on_when_one_of_them_is_killed_and_take_it_back(
    kafka_cluster: KafkaFactory, topic_prefix: str
) -> None:
    cluster = kafka_cluster(nodes=3)
    clients = Clients(cluster.bootstrap_servers)
    assert len(clients.admin.list_topics(timeout=10).brokers) == 3
    topic, group = clients.make_topic(topic_prefix + "replicated"), topic_prefix + "group"
    partition = clients.partitions(topic)[0]
    assert sorted(partition.replicas) == [1, 2, 3]
    sent = [b"%03d" % number for number in range(120)]
    patient: Config = CLASSIC | {"session.timeout.ms": 15_000}
    with GroupMember(clients, group, topic, patient) as member:
        clients.send(topic, sent[:60])
        eventually(lambda: len(member.values) == 60, 60, "the first half is read")
        cluster.kill_node(partition.leader)
        clients.send(topic, sent[60:])
        eventually(lambda: set(member.values) == set(sent), 60, "the second half is read")
    cluster.start_node(partition.leader)
    eventually(lambda: _in_sync(clients, topic) == [3] * PARTITIONS, 60, "all are in sync again")
    assert clients.values(topic, len(sent)) == sent


def _in_sync(clients: Clients, topic: str) -> list[int]:
    return [len(partition.isrs) for partition in clients.partitions(topic)]


def test_a_directory_in_use_is_refused_in_one_line(
    start_kafka: KafkaFactory, tmp_path: Path
) -> None:
    with start_kafka(data_dir=tmp_path):
        with pytest.raises(BrokerError, match=rf"in use .*process {os.getpid()}") as refused:
            start_kafka(data_dir=tmp_path)
        assert "\n" not in str(refused.value)


def test_a_port_in_use_is_named_in_the_error(start_kafka: KafkaFactory) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(BrokerError, match="Address already in use") as refused:
            start_kafka(port=taken.getsockname()[1])
        assert "\n" not in str(refused.value)


def test_a_kafka_that_cannot_start_says_why(start_kafka: KafkaFactory, tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match="heap"):
        start_kafka(data_dir=tmp_path, heap_mb=1)


def test_it_dies_with_the_process_that_started_it_and_its_directory_is_free(
    start_kafka: KafkaFactory, tmp_path: Path, topic_prefix: str
) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", _STARTER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    with starter:
        assert starter.stdout is not None
        servers = starter.stdout.readline().strip()
        Clients(servers).make_topic(topic_prefix + "kept")
        starter.send_signal(signal.SIGKILL)
    eventually(lambda: not _answers(servers), 60, "the orphan has ended")
    with start_kafka(data_dir=tmp_path) as broker:
        topics = Clients(broker.bootstrap_servers).admin.list_topics(timeout=10).topics
        assert topic_prefix + "kept" in topics


def _answers(servers: str) -> bool:
    host, port = servers.split(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


def test_it_listens_on_the_loopback_interface_alone_and_on_the_port_it_was_given(
    start_kafka: KafkaFactory,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with start_kafka(port=port) as broker:
        assert broker.bootstrap_servers == f"127.0.0.1:{port}"
        assert broker.kind == "kafka"
        assert broker.bootstrap_servers in broker.explain
        listening = _listening_addresses(broker)
        assert listening
        assert all(address.endswith("0100007F") for address in listening)


def _listening_addresses(broker: KafkaBroker) -> set[str]:
    """Hex addresses of the kernel's table on which the broker's ports are open."""
    ports = {f"{each.port:04X}" for each in broker.nodes}
    ports |= {f"{each.controller_port:04X}" for each in broker.nodes}
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            address, state = line.split()[1], line.split()[3]
            if state == "0A" and address.split(":")[1] in ports:
                found.add(address.split(":")[0])
    return found


@pytest.mark.usefixtures("start_kafka")
def test_auto_is_kafka_where_kafka_can_run(tmp_path: Path) -> None:
    broker = start_broker("auto", tmp_path)
    try:
        assert broker.kind == "kafka"
        assert broker.environment == {"KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers}
        assert str(tmp_path) in broker.explain
        assert "EMBEDDED_BROKER=memory" in broker.explain
        assert "\n" not in broker.explain
    finally:
        broker.stop()


@pytest.mark.usefixtures("start_kafka")
def test_auto_does_not_leave_a_kafka_aside_that_is_there_and_fails(tmp_path: Path) -> None:
    (tmp_path / "kafka").mkdir()
    (tmp_path / "kafka" / "cluster.json").write_text("damaged")
    with pytest.raises(BrokerError, match="is damaged"):
        start_broker("auto", tmp_path)


def test_the_producer_of_a_stopped_broker_is_told_so(start_kafka: KafkaFactory) -> None:
    with start_kafka() as broker:
        producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
        producer.list_topics(timeout=10)
    broker.stop()
    assert refusal(lambda: producer.list_topics(timeout=1)) in {"_TRANSPORT", "_TIMED_OUT"}


def test_groups_can_be_described(kafka_clients: Clients, topic_prefix: str) -> None:
    topic, group = kafka_clients.make_topic(topic_prefix + "topic"), topic_prefix + "group"
    with GroupMember(kafka_clients, group, topic, NEXT_GENERATION) as member:
        eventually(lambda: len(member.owned) == PARTITIONS, 60, "it has partitions")
        described = result(kafka_clients.admin.describe_consumer_groups([group]))
        assert len(described.members) == 1
