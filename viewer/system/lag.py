"""Asks Kafka every two seconds how far the consumer groups are and who is in them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec

from services.errors import SettingsError
from services.kafka.groups import GroupDescriber
from services.kafka.settings import KafkaSettings
from services.status.clients import quiet_admin, quiet_consumer
from viewer.texts import Texts

log = structlog.get_logger()

EVERY_S = 2.0
_TIMEOUT_S = 3.0
_END_WITHIN_S = 0.5
_POINTS = 300


@dataclass(frozen=True, slots=True)
class WatchedGroup:
    """A consumer group that matters.

    Attributes:
        role: the service it is of.
        name: of the group.
        topic: what it reads.
        transactional: whether its topic may be written in transactions, each of which leaves a
            marker that no consumer ever commits.
    """

    role: str
    name: str
    topic: str
    transactional: bool = False


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """One partition: `committed` is None where the group has committed nothing."""

    partition: int
    committed: int | None
    end: int
    lag: int
    member: str | None = None


@dataclass(frozen=True, slots=True)
class GroupState:
    """A group now.

    Attributes:
        state: as Kafka calls it, lower case; `unknown` where the broker cannot say.
        members: None likewise.
        no_topic: whether what it reads does not exist yet.
    """

    group: WatchedGroup
    state: str
    members: int | None
    partitions: Sequence[PartitionLag]
    no_topic: bool = False

    @property
    def lag(self) -> int:
        """Records that wait, of all partitions."""
        return sum(partition.lag for partition in self.partitions)


@dataclass(frozen=True, slots=True)
class LagState:
    """What was learnt last.

    Attributes:
        answering: whether Kafka answers; None before the first answer.
        detail: why not, for people.
        heard_at: when it answered last.
        brokers: how many there are.
        groups: as they were then.
    """

    answering: bool | None = None
    detail: str = ""
    heard_at: datetime | None = None
    brokers: int = 0
    groups: Sequence[GroupState] = ()


@dataclass(slots=True)
class _History:
    points: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=_POINTS))


class LagMonitor:
    """Runs in a thread of its own between `start` and `stop`; `join` waits for its end.

    Args:
        settings: how to reach the brokers.
        groups: what to ask about.
        texts: every sentence.
        now: the time, with a zone.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        groups: Sequence[WatchedGroup],
        texts: Texts,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._groups = groups
        self._texts = texts
        self._now = now
        self._lock = threading.Lock()
        self._state = LagState()
        self._history = {group.role: _History() for group in groups}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lag", daemon=True)

    @property
    def state(self) -> LagState:
        """What was learnt last."""
        return self._state

    def series(self) -> dict[str, list[tuple[float, int]]]:
        """Records that waited, by role: seconds since 1970, and how many."""
        with self._lock:
            return {role: list(history.points) for role, history in self._history.items()}

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more."""
        self._stop.set()

    def join(self) -> None:
        """Wait for the end, but not for a Kafka that does not answer."""
        if self._thread.is_alive():
            self._thread.join(_END_WITHIN_S)

    def _run(self) -> None:
        try:
            admin = quiet_admin(self._settings)
            describer = GroupDescriber(lambda: quiet_admin(self._settings))
            askers = {
                group.name: quiet_consumer(self._settings, group.name) for group in self._groups
            }
        except SettingsError as error:
            detail = self._texts("system.kafka_settings", why=error.why)
            self._state = LagState(answering=False, detail=detail)
            return
        while not self._stop.is_set():
            self._ask(admin, describer, askers)
            self._stop.wait(EVERY_S)
        for asker in askers.values():
            asker.close()

    def _ask(
        self, admin: AdminClient, describer: GroupDescriber, askers: Mapping[str, Consumer]
    ) -> None:
        try:
            cluster = admin.list_topics(timeout=_TIMEOUT_S)
            ends = {}
            groups = []
            for group in self._groups:
                topic = cluster.topics.get(group.topic)
                numbers = [] if topic is None or topic.error else sorted(topic.partitions)
                ends[group.topic] = _bounds(admin, group.topic, numbers)
                groups.append(_look(describer, askers[group.name], group, ends[group.topic]))
        except (KafkaException, FutureTimeoutError) as error:
            before = self._state
            servers = self._settings.kafka_bootstrap_servers
            self._state = LagState(
                answering=False,
                detail=self._texts("system.kafka_silent", servers=servers, why=self._why(error)),
                heard_at=before.heard_at,
                brokers=before.brokers,
                groups=before.groups,
            )
            return
        now = self._now()
        with self._lock:
            for state in groups:
                self._history[state.group.role].points.append((now.timestamp(), state.lag))
        self._state = LagState(True, "", now, len(cluster.brokers), tuple(groups))

    def _why(self, error: KafkaException | FutureTimeoutError) -> str:
        if isinstance(error, KafkaException):
            return str(error.args[0].str())
        return self._texts("system.kafka_late")


def _look(
    describer: GroupDescriber,
    asker: Consumer,
    group: WatchedGroup,
    bounds: dict[int, tuple[int, int]],
) -> GroupState:
    if not bounds:
        return GroupState(group, "unknown", None, (), no_topic=True)
    committed = _committed(asker, group, sorted(bounds))
    state, owners, members = _members(describer, group)
    partitions = [
        PartitionLag(
            partition=number,
            committed=committed.get(number),
            end=high,
            lag=records_waiting(committed.get(number), low, high, group.transactional),
            member=owners.get(number),
        )
        for number, (low, high) in sorted(bounds.items())
    ]
    return GroupState(group, state, members, partitions)


def records_waiting(committed: int | None, low: int, high: int, transactional: bool) -> int:
    """Records between what a group committed and the end of a partition.

    The marker behind the last transaction is no record: a single one that seems to wait is it.
    """
    start = low if committed is None else max(low, committed)
    waiting = max(0, high - start)
    return 0 if transactional and waiting == 1 and committed is not None else waiting


def _bounds(admin: AdminClient, topic: str, numbers: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Oldest offset and end of each partition."""
    if not numbers:
        return {}
    found: list[dict[int, int]] = []
    for make in (OffsetSpec.earliest, OffsetSpec.latest):
        spec: OffsetSpec = make()  # type: ignore[no-untyped-call]
        asked = admin.list_offsets(
            {TopicPartition(topic, number): spec for number in numbers}, request_timeout=_TIMEOUT_S
        )
        found.append(
            {where.partition: future.result(_TIMEOUT_S).offset for where, future in asked.items()}
        )
    low, high = found
    return {number: (low[number], high[number]) for number in numbers}


def _committed(asker: Consumer, group: WatchedGroup, numbers: Sequence[int]) -> dict[int, int]:
    # AdminClient.list_consumer_group_offsets takes the process down while the group's coordinator
    # is not ready (confluentinc/librdkafka issue 5040). Asking is not joining.
    wanted = [TopicPartition(group.topic, number) for number in numbers]
    found = asker.committed(wanted, timeout=_TIMEOUT_S)
    return {where.partition: where.offset for where in found if where.offset >= 0}


def _members(
    describer: GroupDescriber, group: WatchedGroup
) -> tuple[str, dict[int, str], int | None]:
    """State of the group, who reads which partition, and how many they are.

    The in-memory broker does not know: `unknown`, nobody, None.
    """
    try:
        described = describer.describe(group.name, _TIMEOUT_S)
    except (KafkaException, FutureTimeoutError):
        return "unknown", {}, None
    owners = {}
    for member in described.members:
        assignment = member.assignment
        for where in assignment.topic_partitions if assignment is not None else ():
            if where.topic == group.topic:
                owners[where.partition] = f"{member.client_id} {member.host}".strip()
    return str(described.state.name).lower(), owners, len(described.members)
