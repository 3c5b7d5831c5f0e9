"""The in-memory Kafka-protocol broker that librdkafka carries, on a real socket of this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from confluent_kafka import KafkaException, Producer

from services.errors import BrokerError

RETENTION_BYTES_PER_PARTITION = 5 * 1024 * 1024
"""What a partition remembers; older records are forgotten without a word."""

PARTITIONS_PER_TOPIC = 4
"""How many partitions a topic gets when it is first used; nothing can ask for another number."""

_START_TIMEOUT_S = 10


class MemoryBroker:
    """A broker on threads of this process, gone with it and everything in it.

    Those threads are librdkafka's own: they neither need nor hold Python's interpreter lock.

    Raises:
        BrokerError: it did not answer.
    """

    kind: Literal["kafka", "memory"] = "memory"

    def __init__(self) -> None:
        # The client that carries the broker; it produces nothing itself.
        self._carrier: Producer | None = Producer(
            {
                "test.mock.num.brokers": 1,
                "log_level": 0,  # it warns that this is for testing: `explain` says what it means
            }
        )
        try:
            metadata = self._carrier.list_topics(timeout=_START_TIMEOUT_S)
        except KafkaException as error:
            raise BrokerError(f"the in-memory broker did not answer: {error}") from error
        self.bootstrap_servers = ",".join(
            f"{broker.host}:{broker.port}" for broker in metadata.brokers.values()
        )
        self.environment: Mapping[str, str] = {
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            # Offsets that are sent to a transaction are forgotten here.
            "DELIVERY": "at_least_once",
            # In a classic rebalance it refuses commits, and batches would come out twice.
            "KAFKA_GROUP_PROTOCOL": "consumer",
            # It answers a fetch only when the wait is over, however much there is.
            "KAFKA_FETCH_WAIT_MS": "10",
        }
        self.explain = (
            f"a broker in memory runs at {self.bootstrap_servers}: "
            f"{RETENTION_BYTES_PER_PARTITION // 1024**2} MB of each partition is kept, "
            "and nothing after exit"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End it, and all that it remembers; a second call does nothing."""
        self._carrier = None
