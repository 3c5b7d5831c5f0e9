"""A real Apache Kafka (KRaft) on this machine's Java: one node, or three for tests."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from services.broker.jars import KAFKA_VERSION
from services.broker.process import ChildProcess, free_ports
from services.broker.properties import Node, log4j2_properties, server_properties
from services.broker.storage import ClusterStorage, last_words
from services.errors import BrokerError

_PORT_ATTEMPTS = 3
_PORT_TAKEN = "Address already in use"


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """How an embedded Kafka is to run.

    Attributes:
        nodes: 1, or 3: then every topic has three replicas by default, and one node may die.
        port: of the first node on 127.0.0.1; 0 is any free one, chosen anew at each start.
        heap_mb: Java heap (MiB) of each node.
        max_message_bytes: largest record batch that a topic takes unless it says otherwise.
        start_timeout_s: how long it may take until it answers.
        stop_timeout_s: how long after SIGTERM a node is killed.
        properties: further ones for `server.properties`, such as a listener with TLS and SASL.
    """

    nodes: int = 1
    port: int = 0
    heap_mb: int = 512
    max_message_bytes: int = 8_388_608
    start_timeout_s: float = 60
    stop_timeout_s: float = 20
    properties: Mapping[str, str] | None = None


class KafkaBroker:
    """A running Kafka whose log survives it: the next one on the same directory carries on.

    Args:
        java: the `java` command, 17 or newer.
        jars: the class path.
        data_dir: the cluster's files go into `kafka` below it.
        options: how it is to run.

    Raises:
        BrokerError: the directory is in use or holds another cluster, or Kafka does not start;
            the message ends with the last thing Kafka said.
    """

    kind: Literal["kafka", "memory"] = "kafka"

    def __init__(
        self,
        java: Path,
        jars: Sequence[Path],
        data_dir: Path,
        options: KafkaOptions = KafkaOptions(),
    ) -> None:
        self._java = java
        self._class_path = ":".join(str(jar) for jar in jars)
        self._options = options
        self._storage = ClusterStorage(data_dir / "kafka", options.nodes)
        self._children: dict[int, ChildProcess] = {}
        try:
            self.nodes = self._start()
        except BaseException:
            self.stop()
            raise
        self.bootstrap_servers = ",".join(node.address for node in self.nodes)
        self.environment: Mapping[str, str] = {"KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers}
        self.explain = (
            f"Apache Kafka {KAFKA_VERSION} runs at {self.bootstrap_servers}; "
            f"its log is kept in {self._storage.root}"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Shut every node down and wait; a second call does nothing."""
        for child in self._children.values():
            child.ask_to_stop()
        for child in self._children.values():
            child.stop()
        self._children.clear()
        self._storage.release()

    def kill_node(self, number: int) -> None:
        """SIGKILL a node, as a crash of its machine would.

        Args:
            number: from 1.
        """
        self._children.pop(number).kill()

    def start_node(self, number: int) -> None:
        """Start a node again that was killed, on the ports it had.

        Args:
            number: from 1.
        """
        self._launch(self.nodes[number - 1])
        self._wait_until_ready(self.nodes)

    def _start(self) -> tuple[Node, ...]:
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            nodes = self._choose_ports()
            with ThreadPoolExecutor(len(nodes)) as pool:
                for prepared in [pool.submit(self._prepare, node, nodes) for node in nodes]:
                    prepared.result()
            for node in nodes:
                self._launch(node)
            try:
                self._wait_until_ready(nodes)
            except BrokerError as error:
                chosen_by_us = self._options.port == 0
                if not (chosen_by_us and _PORT_TAKEN in str(error) and attempt < _PORT_ATTEMPTS):
                    raise
                for child in self._children.values():
                    child.kill()
                self._children.clear()
            else:
                return nodes
        raise BrokerError("Kafka found no free port")  # pragma: no cover - the loop returns

    def _choose_ports(self) -> tuple[Node, ...]:
        ports = free_ports(2 * self._options.nodes)
        if self._options.port:
            ports[0] = self._options.port
        return tuple(
            Node(number, ports[2 * number - 2], ports[2 * number - 1])
            for number in range(1, self._options.nodes + 1)
        )

    def _prepare(self, node: Node, cluster: tuple[Node, ...]) -> None:
        """Write the node's configuration and, the first time, format its storage."""
        home = self._storage.node_dir(node.number)
        (home / "server.properties").write_text(
            server_properties(
                node,
                cluster,
                home / "log",
                self._options.max_message_bytes,
                self._options.properties,
            ),
            encoding="utf-8",
        )
        (home / "log4j2.properties").write_text(
            log4j2_properties(home / "kafka.log"), encoding="utf-8"
        )
        self._storage.put_logs_aside(node.number)
        if not self._storage.is_formatted(node.number):
            self._storage.format(node.number, self._jvm(home), home / "server.properties")

    def _jvm(self, home: Path) -> list[str | Path]:
        return [
            self._java,
            "-cp",
            self._class_path,
            # Half the processor time until it is up, and no slower for records as large as frames.
            "-XX:TieredStopAtLevel=1",
            "-Djava.awt.headless=true",
            f"-Dlog4j2.configurationFile={(home / 'log4j2.properties').as_uri()}",
            "-Dlog4j2.disableJmx=true",
        ]

    def _launch(self, node: Node) -> None:
        home = self._storage.node_dir(node.number)
        heap = [f"-Xmx{self._options.heap_mb}m", "-XX:+ExitOnOutOfMemoryError"]
        self._children[node.number] = ChildProcess(
            [*self._jvm(home), *heap, "kafka.Kafka", home / "server.properties"],
            log=home / "console.log",
            stop_timeout_s=self._options.stop_timeout_s,
            inherit_fds=self._storage.lock_fds,
        )

    def _wait_until_ready(self, nodes: tuple[Node, ...]) -> None:
        """Wait until a controller is elected and every node that runs is in the metadata."""
        deadline = time.monotonic() + self._options.start_timeout_s
        admin = AdminClient(
            {
                "bootstrap.servers": ",".join(node.address for node in nodes),
                "log_level": 0,  # refused connections are what we wait through
                "reconnect.backoff.ms": 50,
                "reconnect.backoff.max.ms": 200,
                "socket.connection.setup.timeout.ms": 2_000,
            }
        )
        seen = 0
        while time.monotonic() < deadline:
            for node in nodes:
                if node.number in self._children and not self._children[node.number].running:
                    raise BrokerError(f"Kafka did not start: {self._last_words(node)}")
            try:
                metadata = admin.list_topics(timeout=0.5)
            except KafkaException:
                continue
            seen = len(metadata.brokers)
            if seen == len(self._children) and metadata.controller_id in metadata.brokers:
                return
            time.sleep(0.05)  # the answer came at once, only it was not the one
        raise BrokerError(
            f"Kafka did not answer within {self._options.start_timeout_s:g} s "
            f"({seen} of {len(self._children)} nodes): {self._last_words(nodes[0])}"
        )

    def _last_words(self, node: Node) -> str:
        home = self._storage.node_dir(node.number)
        return last_words(home / "kafka.log", home / "console.log")
