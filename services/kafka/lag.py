"""How far a consumer group is behind, seen from outside: this never joins the group."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from services.kafka.clients import consumer_config
from services.kafka.settings import KafkaSettings
from services.lifecycle.backoff import Backoff

_TIMEOUT_S = 5.0
_PROBE_S = 1.0


class GroupLag:
    """What one group has still to read of one topic.

    Use it as a context manager, or close it.
    """

    def __init__(self, settings: KafkaSettings, group: str, topic: str) -> None:
        self.group = group
        self.topic = topic
        config = consumer_config(settings, group) | {"enable.partition.eof": True}
        self._consumer = Consumer(config)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection."""
        self._consumer.close()

    def records(self) -> int:
        """Offsets between what the group has committed and the end of the topic.

        Of a topic written in transactions this counts their markers too, at least one per
        partition; `is_drained` does not.

        Raises:
            KafkaException: no broker answers.
        """
        total = 0
        for partition in self._committed():
            low, high = watermarks(self._consumer, partition)
            total += max(0, high - (partition.offset if partition.offset >= 0 else low))
        return total

    def is_drained(self) -> bool:
        """Whether a reader that goes on from the committed offsets would find no record.

        Raises:
            KafkaException: no broker answers.
        """
        starts = []
        for partition in self._committed():
            low, high = watermarks(self._consumer, partition)
            start = max(low, partition.offset)
            if start < high:
                starts.append(TopicPartition(partition.topic, partition.partition, start))
        if not starts:
            return True
        self._consumer.assign(starts)
        try:
            return self._all_end(len(starts))
        finally:
            self._consumer.unassign()

    def _all_end(self, partitions: int) -> bool:
        ended: set[int] = set()
        deadline_s = time.monotonic() + _PROBE_S
        while time.monotonic() < deadline_s:
            message = self._consumer.poll(_PROBE_S)
            if message is None:
                return False
            error = message.error()
            if error is None:
                return False
            if error.code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition() or 0)
                if len(ended) == partitions:
                    return True
        return False

    def _committed(self) -> list[TopicPartition]:
        known = self._consumer.list_topics(self.topic, timeout=_TIMEOUT_S).topics.get(self.topic)
        if known is None or known.error is not None:
            return []
        partitions = [TopicPartition(self.topic, number) for number in known.partitions]
        committed = self._consumer.committed(partitions, timeout=_TIMEOUT_S)
        for partition in committed:
            if partition.error is not None:
                raise KafkaException(partition.error)
        return list(committed)


def watermarks(consumer: Consumer, partition: TopicPartition) -> tuple[int, int]:
    """Oldest offset of a partition, and the next one; waits out a leader that is being elected.

    Raises:
        KafkaException: no answer in time.
    """
    backoff = Backoff(first_s=0.05, most_s=0.5)
    deadline_s = time.monotonic() + _TIMEOUT_S
    while True:
        try:
            found = consumer.get_watermark_offsets(partition, timeout=_TIMEOUT_S)
        except KafkaException:
            # librdkafka does not mark these errors retriable; a fresh topic has no leader yet.
            if time.monotonic() > deadline_s:
                raise
            time.sleep(backoff.next_s())
        else:
            return found if found is not None else (0, 0)
