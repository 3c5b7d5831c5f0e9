"""How much of what was published still waits to be read, and holding files back while it is much.

A broker forgets what is older or more than it retains, read or not. So a file waits while the
groups that are to read it are behind by more than a given number of bytes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]

from services.errors import BrokerError, BrokerUnavailable
from services.kafka.clients import make_admin, make_consumer
from services.kafka.refusals import is_for_good
from services.kafka.settings import KafkaSettings

log = structlog.get_logger()

POLL_S = 0.05
_END: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]
_START: OffsetSpec = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
_REQUEST_TIMEOUT_S = 3.0
_SAY_AFTER_S = 15.0
_PARTITIONS_FOR_S = 10.0
_ABSENT = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._NOENT}


@dataclass(frozen=True, slots=True)
class Lag:
    """Records that groups have not read yet.

    Attributes:
        records: sum over groups and partitions.
        drained: whether nothing is left but, per partition, the one offset that the marker of
            a transaction takes: no group commits past it until a record follows.
    """

    records: int
    drained: bool


class LagProbe(Protocol):
    """Measures how far behind the readers are."""

    def measure(self) -> Lag:
        """Ask now.

        Raises:
            BrokerUnavailable: no answer in time.
            BrokerError: the broker refuses to tell.
        """


class GroupLag:
    """Lag of consumer groups, asked of the broker without joining them.

    One request for the ends and one per group, however many partitions there are. A group that
    never committed has everything before it that the broker still keeps.

    Args:
        settings: how to reach the broker.
        groups: the pairs `(group, topic)`.
        plain_topic: the topic that is written without transactions, so that drained means 0.
    """

    def __init__(
        self, settings: KafkaSettings, groups: Sequence[tuple[str, str]], plain_topic: str
    ) -> None:
        self._admin = make_admin(settings)
        # AdminClient.list_consumer_group_offsets takes the process down while the group's
        # coordinator is not ready (confluentinc/librdkafka issue 5040, seen with 2.16).
        self._members = {group: make_consumer(settings, group) for group, _ in groups}
        self._plain_topic = plain_topic
        self._groups = tuple(groups)
        self._partitions: dict[str, list[TopicPartition]] = {}
        self._partitions_at_s = float("-inf")

    def measure(self) -> Lag:
        """Sum of (end - committed) over all partitions of all groups."""
        try:
            return self._measure()
        except KafkaException as failure:
            error: KafkaError = failure.args[0]
            if is_for_good(error) or error.fatal() or error.code() == KafkaError.INVALID_GROUP_ID:
                raise BrokerError(f"lag of BACKLOG_GROUPS: {error.str()}") from None
            self._partitions_at_s = float("-inf")
            raise BrokerUnavailable(f"lag of BACKLOG_GROUPS: {error.str()}") from None

    def _measure(self) -> Lag:
        partitions = self._find_partitions()
        ends = self._offsets([p for ps in partitions.values() for p in ps], _END)
        records, drained = 0, True
        for group, topic in self._groups:
            committed = self._committed(group, partitions.get(topic, []))
            unknown = [TopicPartition(*key) for key, offset in committed.items() if offset < 0]
            starts = self._offsets(unknown, _START)
            for key, offset in committed.items():
                end = ends.get(key, 0)
                lag = max(0, end - (offset if offset >= 0 else starts.get(key, end)))
                records += lag
                markers = 0 if topic == self._plain_topic or offset < 0 else 1
                drained = drained and lag <= markers
        return Lag(records, drained)

    def _find_partitions(self) -> dict[str, list[TopicPartition]]:
        if time.monotonic() - self._partitions_at_s > _PARTITIONS_FOR_S:
            # Asked for all topics: asking for one by name would create it.
            topics = self._admin.list_topics(timeout=_REQUEST_TIMEOUT_S).topics
            self._partitions = {
                topic: [TopicPartition(topic, number) for number in topics[topic].partitions]
                for _, topic in self._groups
                if topic in topics
            }
            self._partitions_at_s = time.monotonic()
        return self._partitions

    def _offsets(
        self, partitions: Sequence[TopicPartition], which: OffsetSpec
    ) -> Mapping[tuple[str, int], int]:
        if not partitions:
            return {}
        answers = self._admin.list_offsets(
            dict.fromkeys(partitions, which), request_timeout=_REQUEST_TIMEOUT_S
        )
        found = {}
        for partition, answer in answers.items():
            try:
                found[partition.topic, partition.partition] = answer.result().offset
            except KafkaException as failure:
                if failure.args[0].code() not in _ABSENT:
                    raise
        return found

    def _committed(
        self, group: str, partitions: list[TopicPartition]
    ) -> Mapping[tuple[str, int], int]:
        if not partitions:
            return {}
        found = {}
        for partition in self._members[group].committed(partitions, timeout=_REQUEST_TIMEOUT_S):
            if partition.error is not None:
                raise KafkaException(partition.error)
            found[partition.topic, partition.partition] = partition.offset
        return found


class BacklogGate:
    """Lets frames through while less than `max_bytes` of frames waits to be read.

    Between two looks at the broker it adds up what it let through, so that an unhindered file
    costs one look per `max_bytes`. At least one frame always passes once the readers have read
    everything, however large it is. Several threads may share a gate.

    Args:
        probe: how far behind the readers are.
        max_bytes: most bytes unread.
        wait: pauses for so many seconds; True when told to stop.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        probe: LagProbe,
        max_bytes: int,
        wait: Callable[[float], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._probe = probe
        self._max_bytes = max_bytes
        self._wait = wait
        self._clock = clock
        self._lock = threading.Lock()
        self._room_bytes = 0.0
        self._looked_at_s = float("-inf")
        self._frames = self._bytes = 0

    def admit(self, frame_bytes: int, unacknowledged: Callable[[], int]) -> bool:
        """Wait until a frame of so many bytes may go; False when told to stop meanwhile.

        Args:
            frame_bytes: its size.
            unacknowledged: bytes handed to the producer that Kafka has not taken yet.

        Raises:
            BrokerError: the broker refuses to say how far the readers are.
        """
        began_s, said = self._clock(), False
        while not self._try(frame_bytes, unacknowledged):
            if not said and self._clock() - began_s > _SAY_AFTER_S:
                said = True
                log.warning(
                    "waiting for the readers of BACKLOG_GROUPS", waited_s=round(_SAY_AFTER_S)
                )
            if self._wait(POLL_S):
                return False
        return True

    def _try(self, frame_bytes: int, unacknowledged: Callable[[], int]) -> bool:
        with self._lock:
            if self._room_bytes < frame_bytes:
                self._look(frame_bytes, unacknowledged)
            if self._room_bytes < frame_bytes:
                return False
            self._room_bytes -= frame_bytes
            self._frames += 1
            self._bytes += frame_bytes
            return True

    def _look(self, frame_bytes: int, unacknowledged: Callable[[], int]) -> None:
        now_s = self._clock()
        if now_s - self._looked_at_s < POLL_S / 2:
            return
        self._looked_at_s = now_s
        # Asked before the lag: a frame acknowledged in between counts twice, never not at all.
        flying_bytes = unacknowledged()
        try:
            lag = self._probe.measure()
        except BrokerUnavailable as error:
            log.debug("backlog unknown", error=str(error))
            return
        mean_bytes = self._bytes / self._frames if self._frames else frame_bytes
        self._room_bytes = self._max_bytes - lag.records * mean_bytes - flying_bytes
        if lag.drained and not flying_bytes:
            self._room_bytes = max(self._room_bytes, frame_bytes)
