"""How many partitions a raw topic has, asked of the broker now and then."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
from confluent_kafka import Consumer, KafkaException

log = structlog.get_logger()

_FRESH_S = 60.0
_TIMEOUT_S = 2.0


class RawTopics:
    """Answers from one look at the cluster for a minute; unknown topics are not asked for again.

    Args:
        consumer: whose connection is used.
        clock: seconds, monotonic.
    """

    def __init__(self, consumer: Consumer, clock: Callable[[], float] = time.monotonic) -> None:
        self._consumer = consumer
        self._clock = clock
        self._known: dict[str, int] = {}
        self._looked_s: float | None = None

    def partitions(self, topic: str) -> int | None:
        """Number of partitions; None when it cannot be found out now."""
        now_s = self._clock()
        if self._looked_s is None or now_s - self._looked_s > _FRESH_S:
            self._looked_s = now_s
            try:
                # All of them, for asking after one by name may create it.
                found = self._consumer.list_topics(timeout=_TIMEOUT_S).topics
            except KafkaException as failure:
                log.warning("partitions of raw topics unknown", error=failure.args[0].str())
                self._known = {}
            else:
                self._known = {name: len(topic.partitions) for name, topic in found.items()}
        return self._known.get(topic) or None
