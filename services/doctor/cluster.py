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
from services.doctor.words import in_english
from services.errors import BrokerError, BrokerUnavailable
from services.kafka.clients import list_topics
from services.kafka.settings import KafkaSettings
from services.kafka.topics import DLQ_SUFFIX, standing_topics, topic_spec
from services.words import Say

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


def cluster_checks(
    settings: KafkaSettings, timeout_s: float, say: Say = in_english
) -> Iterator[Check]:
    """Broker, topics and dead letters; the broker alone where it does not answer.

    Args:
        settings: how to reach it, and how topics are meant to be.
        timeout_s: how long to wait for one answer.
        say: gives the words, by the keys of `services.doctor.words`.
    """
    servers = settings.kafka_bootstrap_servers
    try:
        found = look_at_cluster(settings, timeout_s)
    except BrokerUnavailable as error:
        detail = say("broker_away", servers=servers, seconds=f"{timeout_s:g}", why=error.why)
        yield Check(say("broker"), "fail", detail, say("broker_away_fix"))
        return
    except BrokerError as error:
        detail = say("broker_refuses", servers=servers, why=error.why)
        yield Check(say("broker"), "fail", detail, say("broker_refuses_fix"))
        return
    yield broker_check(settings, found, say)
    yield topics_check(settings, found, say)
    if found.config:
        yield topic_settings_check(settings, found, say)
    yield dead_letters_check(found, say)


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


def broker_check(settings: KafkaSettings, found: Cluster, say: Say = in_english) -> Check:
    """It answers."""
    key = "brokers_1" if found.brokers == 1 else "brokers"
    detail = say(key, servers=settings.kafka_bootstrap_servers, n=found.brokers)
    if found.in_memory:
        detail = say("in_memory", brokers=detail)
    return Check(say("broker"), "ok", detail)


def topics_check(settings: KafkaSettings, found: Cluster, say: Say = in_english) -> Check:
    """Every topic is there."""
    name = say("topics")
    missing = [topic for topic in standing_topics(settings) if topic not in found.topics]
    if not missing:
        return Check(name, "ok", say("topics_there"))
    state: State = "warn" if settings.kafka_create_topics else "fail"
    detail = say("topics_missing", names=_named(missing, say))
    return Check(name, state, detail, say("topics_missing_fix"))


def topic_settings_check(settings: KafkaSettings, found: Cluster, say: Say = in_english) -> Check:
    """Each takes records as large, and keeps them for as long, as the settings say."""
    name = say("topic_settings")
    small, short = [], []
    for topic, config in found.config.items():
        wanted = topic_spec(settings, topic).config
        if _number(config, "max.message.bytes") < int(wanted["max.message.bytes"]):
            small.append(topic)
        kept_ms = _number(config, "retention.ms")
        if 0 <= kept_ms < int(wanted["retention.ms"]) - _MINUTE_MS:
            short.append(topic)
    if small:
        detail = say("topics_small", names=_named(small, say))
        return Check(name, "fail", detail, say("topics_small_fix"))
    if short:
        detail = say("topics_short", names=_named(short, say))
        return Check(name, "warn", detail, say("topics_short_fix"))
    return Check(name, "ok", say("topics_as_set"))


def dead_letters_check(found: Cluster, say: Say = in_english) -> Check:
    """Nothing had to be put aside."""
    name = say("dead_letters")
    if not found.dead_letters:
        return Check(name, "ok", say("no_dead_letters"))
    counts = [
        say("dead_letters_in", n=number, topic=topic)
        for topic, number in sorted(found.dead_letters.items())
    ]
    return Check(name, "warn", _named(counts, say), say("dead_letters_fix"))


def _is_ours(settings: KafkaSettings, name: str) -> bool:
    return name.endswith(DLQ_SUFFIX) and name in standing_topics(settings)


def _named(names: Sequence[str], say: Say) -> str:
    first = ", ".join(names[:_MOST_NAMED])
    more = len(names) - _MOST_NAMED
    return say("and_more", first=first, n=more) if more > 0 else first


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
