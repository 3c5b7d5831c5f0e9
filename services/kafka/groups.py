"""Who is in a consumer group, asked in a way that outlives brokers that go and come back."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._group import ConsumerGroupDescription

_REQUEST_S = 3_600.0  # the longest that librdkafka takes


class GroupDescriber:
    """Describes consumer groups. For one thread.

    A request to a group's coordinator that times out inside librdkafka ends the process with an
    assertion once the coordinator is back (confluentinc/librdkafka issue 4605, seen with 2.16). So
    none does: one that is not answered in our time goes together with its client.

    Args:
        make_admin: makes a client.
    """

    def __init__(self, make_admin: Callable[[], AdminClient]) -> None:
        self._make_admin = make_admin
        self._admin: AdminClient | None = None

    def describe(self, group: str, timeout_s: float) -> ConsumerGroupDescription:
        """The group as its coordinator sees it now.

        Raises:
            KafkaException: the coordinator refuses, is not ready, or knows of no such group.
            TimeoutError: no answer in time.
        """
        if self._admin is None:
            self._admin = self._make_admin()
        futures = self._admin.describe_consumer_groups([group], request_timeout=_REQUEST_S)
        answer: Future[ConsumerGroupDescription] = futures[group]
        try:
            return answer.result(timeout_s)
        except TimeoutError:
            self._admin = None
            raise
