"""What Kafka says of itself, and whether that is as the settings want it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._listoffsets import OffsetSpec
from confluent_kafka.admin._metadata import ClusterMetadata

from services.doctor.check import Check, State
from services.errors import BrokerError, RetriableError
from services.kafka.clients import list_topics
from services.kafka.settings import KafkaSettings
from services.kafka.topics import DLQ_SUFFIX, standing_topics, topic_spec

_MOST_NAMED = 5
_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Cluster:
    """What was found.

    Attributes:
        brokers: how many answer.
        in_memory: whether it is the broker that keeps everything in memory.
        topics: names of all topics.
        config: of the standing topics; empty where the broker does not say.
        dead_letters: records in each dead-letter topic that has some.
    """

    brokers: int
    in_memory: bool
    topics: frozenset[str]
    config: Mapping[str, Mapping[str, str]]
    dead_letters: Mapping[str, int]


def cluster_checks(settings: KafkaSettings, timeout_s: float) -> Iterator[Check]:
    """Broker, topics and dead letters; the broker alone where it does not answer.

    Args:
        settings: how to reach it, and how topics are meant to be.
        timeout_s: how long to wait for one answer.
    """
    try:
        found = look_at_cluster(settings, timeout_s)
    except (RetriableError, BrokerError) as error:
        yield Check("broker", "fail", str(error), "start it, or correct KAFKA_BOOTSTRAP_SERVERS")
        return
    yield broker_check(settings, found)
    yield topics_check(settings, found)
    if found.config:
        yield topic_settings_check(settings, found)
    yield dead_letters_check(found)


def look_at_cluster(settings: KafkaSettings, timeout_s: float) -> Cluster:
    """Ask a cluster for what the checks want to know.

    Raises:
        BrokerUnavailable: it does not answer.
        BrokerError: it refuses the credentials.
    """
    admin, metadata = list_topics(settings, timeout_s)
    in_memory = metadata.controller_id not in metadata.brokers
    names = [name for name in standing_topics(settings) if name in metadata.topics]
    return Cluster(
        brokers=len(metadata.brokers),
        in_memory=in_memory,
        topics=frozenset(metadata.topics),
        # The in-memory broker leaves the question unanswered.
        config={} if in_memory else _configurations(admin, names, timeout_s),
        dead_letters=_records(
            admin,
            metadata,
            [name for name in metadata.topics if _is_ours(settings, name)],
            timeout_s,
        ),
    )


def broker_check(settings: KafkaSettings, found: Cluster) -> Check:
    """It answers."""
    number = f"{found.brokers} broker{'' if found.brokers == 1 else 's'}"
    detail = f"{settings.kafka_bootstrap_servers}: {number}"
    if found.in_memory:
        return Check("broker", "ok", f"{detail}, in memory: nothing is kept after exit")
    return Check("broker", "ok", detail)


def topics_check(settings: KafkaSettings, found: Cluster) -> Check:
    """Every topic is there."""
    missing = [name for name in standing_topics(settings) if name not in found.topics]
    if not missing:
        return Check("topics", "ok", "all there")
    state: State = "warn" if settings.kafka_create_topics else "fail"
    return Check("topics", state, f"missing: {_named(missing)}", "facestream topics create")


def topic_settings_check(settings: KafkaSettings, found: Cluster) -> Check:
    """Each takes records as large, and keeps them for as long, as the settings say."""
    small, short = [], []
    for name, config in found.config.items():
        wanted = topic_spec(settings, name).config
        if _number(config, "max.message.bytes") < int(wanted["max.message.bytes"]):
            small.append(name)
        kept_ms = _number(config, "retention.ms")
        if 0 <= kept_ms < int(wanted["retention.ms"]) - _MINUTE_MS:
            short.append(name)
    if small:
        return Check(
            "topic settings",
            "fail",
            f"max.message.bytes is too small for KAFKA_MAX_MESSAGE_BYTES: {_named(small)}",
            "raise it with kafka-configs.sh, or lower KAFKA_MAX_MESSAGE_BYTES",
        )
    if short:
        return Check(
            "topic settings",
            "warn",
            f"kept for less time than RETENTION_FRAMES_H or RETENTION_FACES_H: {_named(short)}",
            "raise retention.ms with kafka-configs.sh, or lower the variable",
        )
    return Check("topic settings", "ok", "sizes and retention as set")


def dead_letters_check(found: Cluster) -> Check:
    """Nothing had to be put aside."""
    if not found.dead_letters:
        return Check("dead letters", "ok", "none")
    counts = [f"{number} in {name}" for name, number in sorted(found.dead_letters.items())]
    return Check(
        "dead letters",
        "warn",
        _named(counts),
        "their headers say why: kafka-console-consumer.sh --property print.headers=true",
    )


def _is_ours(settings: KafkaSettings, name: str) -> bool:
    return name.endswith(DLQ_SUFFIX) and name in standing_topics(settings)


def _named(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _number(config: Mapping[str, str], name: str) -> int:
    try:
        return int(config[name])
    except (KeyError, ValueError):
        return -1 if name == "retention.ms" else 2**62


def _configurations(
    admin: AdminClient, names: Sequence[str], timeout_s: float
) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
    if not resources:
        return {}
    found = {}
    try:
        asked = admin.describe_configs(resources, request_timeout=timeout_s)
        for resource, future in asked.items():
            entries = future.result(timeout_s)
            found[str(resource.name)] = {name: str(entry.value) for name, entry in entries.items()}
    except (KafkaException, FutureTimeoutError):
        return {}  # not allowed to ask: nothing is known, nothing is wrong
    return found


def _records(
    admin: AdminClient, metadata: ClusterMetadata, names: Sequence[str], timeout_s: float
) -> dict[str, int]:
    partitions = [
        TopicPartition(name, number)
        for name in names
        for number in metadata.topics[name].partitions
    ]
    if not partitions:
        return {}
    counts = dict.fromkeys(names, 0)
    try:
        for make, sign in ((OffsetSpec.latest, 1), (OffsetSpec.earliest, -1)):
            spec: OffsetSpec = make()  # type: ignore[no-untyped-call]
            asked = admin.list_offsets(dict.fromkeys(partitions, spec), request_timeout=timeout_s)
            for where, future in asked.items():
                counts[where.topic] += sign * future.result(timeout_s).offset
    except (KafkaException, FutureTimeoutError):
        return {}
    return {name: number for name, number in counts.items() if number > 0}
