"""How much there is to do and how much is done, asked of Kafka; no group is joined for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from types import TracebackType
from typing import Protocol, Self, TypeVar

from confluent_kafka import (
    ConsumerGroupState,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._group import ConsumerGroupDescription
from confluent_kafka.admin._listoffsets import OffsetSpec

from autoscaler.load import Sample
from autoscaler.skips import Skips
from services.errors import BrokerUnavailable
from services.kafka.closing import close_within
from services.kafka.groups import GroupDescriber
from services.kafka.settings import KafkaSettings
from services.status.clients import quiet_admin, quiet_consumer

_TIMEOUT_S = 5.0
_CLOSE_S = 2.0
_EARLIEST: OffsetSpec = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
_LATEST: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]
_R = TypeVar("_R")
_SILENT = "Kafka does not answer in time"
_CHANGING = (ConsumerGroupState.PREPARING_REBALANCING, ConsumerGroupState.COMPLETING_REBALANCING)


class Meter(Protocol):
    """Where samples come from."""

    def sample(self) -> Sample:
        """A look at this moment.

        Raises:
            BrokerUnavailable: there is no answer, or not a whole one.
        """


class KafkaMeter:
    """Samples of one topic and the group that reads it.

    Use it as a context manager. Offsets are summed over the partitions; where the group has
    committed none it goes on from the oldest record.

    Args:
        settings: how to reach the brokers.
        group: of the workers.
        topic: that they read.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        group: str,
        topic: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._group = group
        self._topic = topic
        self._clock = clock
        self._admin: AdminClient = quiet_admin(settings)
        self._describer = GroupDescriber(lambda: quiet_admin(settings))
        self._asker = quiet_consumer(settings, group)  # asks for offsets, never joins
        self._skips = Skips(settings, service="worker")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._skips.close()
        close_within(self._asker, _CLOSE_S)

    def sample(self) -> Sample:
        """A look at this moment."""
        try:
            return self._sample()
        except KafkaException as error:
            raise BrokerUnavailable(f"Kafka says nothing of the lag: {error}") from None

    def _sample(self) -> Sample:
        partitions = self._partitions()
        at_s = self._clock()
        # What is done before what is written: so the lag is never smaller than it was.
        committed = self._committed(partitions)
        oldest = self._offsets(partitions, _EARLIEST)
        newest = self._offsets(partitions, _LATEST)
        done = sum(
            min(max(committed.get(number, -1), oldest[number]), newest[number])
            for number in partitions
        )
        group = self._described()
        return Sample(
            at_s=at_s,
            written=sum(newest.values()),
            done=done,
            skipped=self._skips.count(),
            partitions=len(partitions),
            members=_holders(group, self._topic),
            settled=group is None or group.state not in _CHANGING,
        )

    def _partitions(self) -> list[int]:
        topic = self._admin.list_topics(self._topic, timeout=_TIMEOUT_S).topics.get(self._topic)
        if topic is None or topic.error is not None or not topic.partitions:
            raise BrokerUnavailable(f"there is no topic {self._topic}")
        return sorted(topic.partitions)

    def _committed(self, partitions: Iterable[int]) -> dict[int, int]:
        # AdminClient.list_consumer_group_offsets takes the process down while the group's
        # coordinator is not ready (confluentinc/librdkafka issue 5040).
        wanted = [TopicPartition(self._topic, number) for number in partitions]
        found = self._asker.committed(wanted, timeout=_TIMEOUT_S)
        for each in found:
            if each.error is not None:
                raise KafkaException(each.error)
        return {each.partition: each.offset for each in found}

    def _offsets(self, partitions: Iterable[int], which: OffsetSpec) -> dict[int, int]:
        asked = {TopicPartition(self._topic, number): which for number in partitions}
        futures = self._admin.list_offsets(asked, request_timeout=_TIMEOUT_S)
        return {each.partition: _now(future).offset for each, future in futures.items()}

    def _described(self) -> ConsumerGroupDescription | None:
        """The group; None where Kafka knows of none, as nobody ever joined."""
        try:
            return self._describer.describe(self._group, _TIMEOUT_S)
        except TimeoutError:
            raise BrokerUnavailable(_SILENT) from None
        except KafkaException as error:
            if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
                return None
            raise


def _holders(group: ConsumerGroupDescription | None, topic: str) -> frozenset[str]:
    return frozenset(
        member.member_id
        for member in (group.members if group is not None else ())
        if any(each.topic == topic for each in member.assignment.topic_partitions or ())
    )


def _now(future: Future[_R]) -> _R:
    try:
        return future.result(_TIMEOUT_S + 1)
    except TimeoutError:
        raise BrokerUnavailable(_SILENT) from None
