"""The configuration files of an embedded Kafka node: values in, text out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_SOCKET_REQUEST_MAX_BYTES = 104_857_600


@dataclass(frozen=True, slots=True)
class Node:
    """Where one node listens, on 127.0.0.1.

    Attributes:
        number: its id, from 1.
        port: for clients and other brokers.
        controller_port: for the KRaft quorum.
    """

    number: int
    port: int
    controller_port: int

    @property
    def address(self) -> str:
        """`host:port` for clients."""
        return f"127.0.0.1:{self.port}"


_LISTS = ("listeners", "advertised.listeners", "listener.security.protocol.map")


def server_properties(
    node: Node,
    cluster: tuple[Node, ...],
    log_dir: Path,
    max_message_bytes: int,
    more: Mapping[str, str] | None = None,
) -> str:
    """`server.properties` of a node that is broker and controller at once.

    Args:
        node: the node it is for.
        cluster: all nodes, that one included.
        log_dir: where the node keeps its log segments.
        max_message_bytes: largest record batch; a topic may say otherwise.
        more: further properties; what they say of listeners is added to the node's own.
    """
    replicas = min(3, len(cluster))
    in_sync = max(1, replicas - 1)
    voters = ",".join(f"{each.number}@127.0.0.1:{each.controller_port}" for each in cluster)
    values: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": node.number,
        "controller.quorum.voters": voters,
        "listeners": f"CLIENT://{node.address},CONTROLLER://127.0.0.1:{node.controller_port}",
        "advertised.listeners": f"CLIENT://{node.address}",
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "CLIENT",
        "log.dirs": log_dir,
        "auto.create.topics.enable": "false",
        "num.partitions": 6,
        "default.replication.factor": replicas,
        "min.insync.replicas": in_sync,
        "message.max.bytes": max_message_bytes,
        "replica.fetch.max.bytes": max_message_bytes,
        "socket.request.max.bytes": max(_SOCKET_REQUEST_MAX_BYTES, 2 * max_message_bytes),
        # Frames are large: small segments let retention free the disk in small steps.
        "log.segment.bytes": max(134_217_728, 2 * max_message_bytes),
        "log.retention.check.interval.ms": 60_000,
        # The default is 128 MiB of the heap, for compacted topics that are tiny here.
        "log.cleaner.dedupe.buffer.size": 8_388_608,
        "offsets.topic.num.partitions": 8,
        "offsets.topic.replication.factor": replicas,
        "transaction.state.log.num.partitions": 8,
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.num.partitions": 8,
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": in_sync,
        # A dead worker's open transaction holds back read_committed readers until this looks.
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1_000,
        # No cluster rolls out here: the first member of a group need not wait for more.
        "group.initial.rebalance.delay.ms": 0,
        "group.min.session.timeout.ms": 1_000,
        "group.consumer.min.heartbeat.interval.ms": 500,
        "group.consumer.heartbeat.interval.ms": 1_000,
        "group.consumer.min.session.timeout.ms": 1_000,
        "group.consumer.session.timeout.ms": 10_000,
        # A node that crashed is let in again, or done without, once this has passed.
        "broker.heartbeat.interval.ms": 500,
        "broker.session.timeout.ms": 4_000,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "background.threads": 4,
    }
    for name, value in (more or {}).items():
        values[name] = f"{values[name]},{value}" if name in _LISTS else value
    return _text(values)


def log4j2_properties(log_file: Path) -> str:
    """A quiet log4j2 configuration: warnings and the life of the server, 3 files of 10 MB."""
    return _text(
        {
            "status": "error",
            "appender.file.type": "RollingFile",
            "appender.file.name": "file",
            "appender.file.fileName": log_file,
            "appender.file.filePattern": f"{log_file}.%i",
            "appender.file.layout.type": "PatternLayout",
            "appender.file.layout.pattern": "%d{ISO8601} %-5p %c{1} - %m%n",
            "appender.file.policies.type": "Policies",
            "appender.file.policies.size.type": "SizeBasedTriggeringPolicy",
            "appender.file.policies.size.size": "10MB",
            "appender.file.strategy.type": "DefaultRolloverStrategy",
            "appender.file.strategy.max": 2,
            "rootLogger.level": "warn",
            "rootLogger.appenderRef.file.ref": "file",
            "logger.server.name": "kafka.server",
            "logger.server.level": "info",
            # Repeats the whole configuration on every start.
            "logger.config.name": "org.apache.kafka.common.config",
            "logger.config.level": "warn",
            "logger.kafkaconfig.name": "kafka.server.KafkaConfig",
            "logger.kafkaconfig.level": "warn",
        }
    )


def _text(values: Mapping[str, object]) -> str:
    return "".join(f"{key}={_escape(str(value))}\n" for key, value in values.items())


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\")
