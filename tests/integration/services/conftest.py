"""Topics and records for tests of the Kafka loop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest
from confluent_kafka import Message, Producer

from services.kafka.topics import dlq_topic, ensure_topics
from tests.member import MemberSettings
from tests.pipeline import read_all
from tests.waiting import eventually


@dataclass
class Bench:
    """An input and an output topic on one broker, and a group."""

    bootstrap: str
    prefix: str
    in_memory: bool = False

    @property
    def env(self) -> dict[str, str]:
        """Variables of a member."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
            "INPUT_TOPIC": f"{self.prefix}in",
            "OUTPUT_TOPIC": f"{self.prefix}out",
            "GROUP_ID": f"{self.prefix}group",
            "TOPIC_PARTITIONS": "4",
            # The in-memory broker forgets offsets that are committed in transactions.
            "DELIVERY": "at_least_once" if self.in_memory else "exactly_once",
        }

    def settings(self, **env: str) -> MemberSettings:
        return MemberSettings.load(env=self.env | env)

    def make_topics(self) -> None:
        s = self.settings()
        ensure_topics(s, [s.input_topic, s.output_topic, dlq_topic(s.input_topic)])

    def produce(self, values: Sequence[bytes | None], key: bytes | None = None) -> None:
        producer = Producer(
            {
                "bootstrap.servers": self.bootstrap,
                "enable.idempotence": True,
                "message.max.bytes": 16_777_216,
            }
        )
        for number, value in enumerate(values):
            while True:
                try:
                    producer.produce(
                        f"{self.prefix}in",
                        value=value,
                        key=key if key is not None else b"%d" % number,
                        headers=[("n", b"%d" % number), ("null", None)],
                    )
                    break
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
        assert producer.flush(30) == 0

    def output(self) -> Counter[bytes]:
        """Committed values of the output topic, and how often each is there."""
        return Counter(message.value() or b"" for message in self.messages("out"))

    def messages(self, name: str) -> list[Message]:
        return read_all(self.bootstrap, f"{self.prefix}{name}")

    def dead_letters(self) -> list[Message]:
        return self.messages("in.dlq")

    def settle_at(self, count: int, timeout_s: float = 60) -> Counter[bytes]:
        """The output once it has so many records, or more."""
        eventually(lambda: self.output().total() >= count, timeout_s, f"{count} records are copied")
        return self.output()


@pytest.fixture
def make_bench(topic_prefix: str) -> Callable[..., Bench]:
    """A bench on a broker of the test's choice."""

    def make(bootstrap: str, in_memory: bool = False) -> Bench:
        bench = Bench(bootstrap, topic_prefix, in_memory)
        bench.make_topics()
        return bench

    return make


@pytest.fixture
def bench(request: pytest.FixtureRequest, broker: str, make_bench: Callable[..., Bench]) -> Bench:
    """On each kind of broker in turn."""
    return make_bench(broker, "memory" in request.node.callspec.id)


@pytest.fixture
def kafka_bench(kafka: str, make_bench: Callable[..., Bench]) -> Bench:
    """On real Kafka."""
    return make_bench(kafka)
